//! The load: a process with connections that stay open, each with one request at a time.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// First argument of the process.
pub(crate) const ARGUMENT: &str = "load";

/// Sends the requests of a file of paths for a time, and returns how many were answered in a second.
pub(crate) async fn rate(address: &str, clients: usize, time: Duration, paths: &Path) -> f64 {
    let output = tokio::process::Command::new(std::env::current_exe().unwrap())
        .arg(ARGUMENT)
        .arg(address)
        .arg(clients.to_string())
        .arg(time.as_millis().to_string())
        .arg(paths)
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .unwrap()
}

/// `load ADDRESS CLIENTS MILLISECONDS FILE`: prints the rate.
pub(crate) fn main(arguments: &[String]) {
    let [address, clients, time, file] = arguments else {
        panic!("load ADDRESS CLIENTS MILLISECONDS FILE");
    };
    let clients: usize = clients.parse().unwrap();
    let time = Duration::from_millis(time.parse().unwrap());
    let text = std::fs::read_to_string(file).unwrap();
    let paths: Vec<&str> = text.lines().collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let begun = Instant::now();
    let counts = runtime.block_on(async {
        let clients = (0..clients).map(|number| {
            // Each client begins elsewhere in the file.
            let start = number * paths.len() / clients;
            let paths = paths.iter().copied().cycle().skip(start);
            client(address, paths, begun + time)
        });
        futures::future::join_all(clients).await
    });
    let count: u64 = counts.into_iter().sum();
    println!("{}", count as f64 / begun.elapsed().as_secs_f64());
}

async fn client<'a>(address: &str, paths: impl Iterator<Item = &'a str>, deadline: Instant) -> u64 {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut stream = BufReader::with_capacity(256 * 1024, stream);
    let (mut count, mut line, mut body) = (0, String::new(), Vec::new());
    for path in paths {
        if Instant::now() >= deadline {
            break;
        }
        let request = format!("GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let (mut length, mut is_first) = (None, true);
        loop {
            line.clear();
            stream.read_line(&mut line).await.unwrap();
            let header = line.trim_end().to_ascii_lowercase();
            assert!(!is_first || header.starts_with("http/1.1 200"), "{header}");
            is_first = false;
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                length = Some(value.trim().parse::<usize>().unwrap());
            }
        }
        body.resize(length.expect("no content-length"), 0);
        stream.read_exact(&mut body).await.unwrap();
        count += 1;
    }
    count
}
