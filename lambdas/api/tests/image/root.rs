//! The file system of the image.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr as _;

use sqlx::postgres::PgConnectOptions;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, UnixStream};

/// What the base image has of the C library and its loader (distroless, "cc").
const BASE: [&str; 6] = [
    "libc.so.6",
    "libgcc_s.so.1",
    "libm.so.6",
    "libpthread.so.0",
    "libdl.so.2",
    "librt.so.1",
];

/// Makes it in a folder; returns the paths that were copied.
pub(crate) fn make(copies: &[(&str, &str)], root: &Path) -> Vec<String> {
    for (from, to) in copies {
        copy(&built(from), root, to);
    }
    for library in libraries(Path::new(env!("CARGO_BIN_EXE_api"))) {
        copy(&library, root, library.to_str().unwrap());
    }
    let paths = copies.iter().map(|(_, to)| to.trim_start_matches('/'));
    paths.map(str::to_owned).collect()
}

/// The file of this build that a path of the build stage stands for.
fn built(path: &str) -> PathBuf {
    let path = path.strip_prefix("/src/").unwrap();
    match path {
        "target/shipping/api" => env!("CARGO_BIN_EXE_api").into(),
        other => Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../..")
            .join(other),
    }
}

fn copy(from: &Path, root: &Path, to: &str) {
    let to = root.join(to.trim_start_matches('/'));
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    // With its permissions.
    fs::copy(from, to).unwrap();
}

/// The libraries that a program needs, with their paths on this machine.
fn libraries(program: &Path) -> Vec<PathBuf> {
    let output = Command::new("ldd").arg(program).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    // "libm.so.6 => /lib/libm.so.6 (0x…)", "/lib64/ld-linux-x86-64.so.2 (0x…)", "linux-vdso.so.1 (0x…)"
    let mut paths = Vec::new();
    for line in text.lines().map(str::trim) {
        let place = line.split(" => ").last().unwrap();
        let path = Path::new(place.split(' ').next().unwrap());
        if !path.is_absolute() {
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap();
        let is_of_base = BASE.contains(&name) || name.starts_with("ld-linux");
        assert!(is_of_base, "{name} is not in the base image");
        paths.push(path.to_owned());
    }
    paths
}

/// The URL of a database over TCP: the image does not see the socket of the server.
pub(crate) async fn url_by_tcp(url: &str) -> String {
    let options = PgConnectOptions::from_str(url).unwrap();
    let Some(folder) = options.get_socket().cloned() else {
        return url.to_owned();
    };
    let socket = folder.join(format!(".s.PGSQL.{}", options.get_port()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let socket = socket.clone();
            tokio::spawn(async move {
                let mut server = UnixStream::connect(socket).await.unwrap();
                let _ = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    let (user, database) = (options.get_username(), options.get_database().unwrap());
    format!("postgres://{user}@{address}/{database}?sslmode=disable")
}
