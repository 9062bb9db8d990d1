//! The peers: handlers in Python and Node.
//!
//! Invariant: a peer's driver is installed once, in a pinned version, into the cache folder; where
//! that fails the peer is absent with the reason.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// File that marks a complete installation.
const MARKER: &str = "complete";

/// A language with its driver, or why it is absent.
pub(crate) struct Peer(Result<Installed, String>);

struct Installed {
    program: PathBuf,
    /// Where Node resolves its driver from.
    modules: PathBuf,
}

impl Peer {
    /// Runs a script of the bench, whose path starts at the crate.
    pub(crate) fn script(&self, path: &str, arguments: &[&str]) -> Result<Command, String> {
        let installed = self.0.as_ref().map_err(String::clone)?;
        let mut command = Command::new(&installed.program);
        command
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(path))
            .args(arguments);
        command.env("PEER_MODULES", installed.modules.join("package.json"));
        Ok(command)
    }
}

/// Python with these packages, in a folder of this name.
pub(crate) async fn python(name: &'static str, packages: &'static [&'static str]) -> Peer {
    let programs = devstack::python_packages(name, packages).await;
    let installed = programs.map(|programs| Installed {
        program: programs.join("python"),
        modules: programs,
    });
    Peer(installed.map_err(|error| error.to_string()))
}

/// Node with these packages, in a folder of this name.
pub(crate) fn node(name: &str, packages: &[&str]) -> Peer {
    Peer(install_node(name, packages))
}

fn install_node(name: &str, packages: &[&str]) -> Result<Installed, String> {
    run(Command::new("node").arg("--version"))?;
    let folder = obtain(name, packages, |folder| {
        fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        fs::write(folder.join("package.json"), "{}").map_err(|error| error.to_string())?;
        run(Command::new("npm")
            .args(["install", "--silent", "--no-audit", "--prefix"])
            .arg(folder)
            .args(packages))
    })?;
    Ok(Installed {
        program: "node".into(),
        modules: folder,
    })
}

/// A cache folder with packages, installed if they are missing or of another version.
fn obtain(
    name: &str,
    packages: &[&str],
    make: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<PathBuf, String> {
    let folders = directories::ProjectDirs::from("", "", "opsconsole").ok_or("no home folder")?;
    let folder = folders.cache_dir().join(name);
    let marker = folder.join(MARKER);
    let package = packages.join(" ");
    if fs::read_to_string(&marker).is_ok_and(|text| text == package) {
        return Ok(folder);
    }
    eprintln!("install {package} into the cache folder (once)");
    let _ = fs::remove_dir_all(&folder);
    make(&folder)?;
    fs::write(marker, package).map_err(|error| error.to_string())?;
    Ok(folder)
}

fn run(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let reason = text.lines().last().unwrap_or_default().to_owned();
    Err(format!("{name}: {reason}"))
}

/// Peers that are not measured, listed with their figures as absent.
pub(crate) const UNMEASURED: [(&str, &str); 2] = [
    ("vector", "vector"),
    ("redpanda-connect", "redpanda_connect"),
];

pub(crate) fn why_unmeasured(program: &str) -> &'static str {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&path).any(|folder| folder.join(program).is_file()) {
        "on the PATH, but not measured"
    } else {
        "not on the PATH"
    }
}
