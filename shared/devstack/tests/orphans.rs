//! Nothing outlives the process that started it, even when that is killed.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, and so may what it calls"
)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use devstack::{BuildProfile, Functions, ProgressSender, Stack, StackOptions, functions};
use tokio::time::Instant;

/// Variable that makes this test binary the process that is killed; its value is the folder of the
/// functions.
const ROLE: &str = "DEVSTACK_TEST_VICTIM";
/// Prefix of each folder that it prints.
const MARK: &str = "lives in: ";
const START_LIMIT: Duration = Duration::from_secs(120);
const GONE_LIMIT: Duration = Duration::from_secs(10);
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Killed on drop, however the test ends.
struct Victim(Child);

impl Drop for Victim {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

async fn binaries() -> Functions {
    functions::build(BuildProfile::Debug, &ProgressSender::default())
        .await
        .unwrap()
}

/// Starts a stack, prints its folders and waits to be killed.
async fn run_until_killed(binaries_folder: &Path) {
    let options = StackOptions::new(Functions::beside(binaries_folder).unwrap());
    let stack = Stack::start(options).await.unwrap();
    println!("{MARK}{}", stack.postgres().folder().display());
    println!("{MARK}{}", stack.emulator().folder().display());
    println!("ready");
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn killed_process_leaves_no_process_and_no_folder() {
    if let Some(folder) = std::env::var_os(ROLE) {
        return run_until_killed(Path::new(&folder)).await;
    }
    let binaries = binaries().await;
    let victim = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "killed_process_leaves_no_process_and_no_folder",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(ROLE, binaries.ingest.parent().unwrap())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut victim = Victim(victim);
    let output = BufReader::new(victim.0.stdout.take().unwrap());
    let reader = tokio::task::spawn_blocking(move || {
        let mut folders = Vec::new();
        for line in output.lines().map_while(Result::ok) {
            if let Some((_, folder)) = line.split_once(MARK) {
                folders.push(PathBuf::from(folder));
            }
            if line.ends_with("ready") {
                break;
            }
        }
        folders
    });
    let folders = tokio::time::timeout(START_LIMIT, reader)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(folders.len(), 2, "{folders:?}");
    for folder in &folders {
        assert!(folder.is_dir());
        assert!(
            !processes_of(folder).is_empty(),
            "the search finds running processes"
        );
    }

    drop(victim);
    for folder in &folders {
        wait_until_gone(folder).await;
    }
}

#[tokio::test]
async fn dropped_stack_leaves_no_function_and_no_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut options = StackOptions::new(binaries().await);
    options.remove_at_end.push(file.path().to_owned());
    let stack = Stack::start(options).await.unwrap();
    assert!(stack.is_alive());
    let folders = [
        stack.emulator().folder().to_owned(),
        stack.postgres().folder().to_owned(),
    ];
    drop(stack);
    for folder in &folders {
        assert_eq!(processes_of(folder), Vec::<String>::new());
        assert!(!folder.exists());
    }
    assert!(!file.path().exists());
}

async fn wait_until_gone(folder: &Path) {
    let deadline = Instant::now() + GONE_LIMIT;
    loop {
        let processes = processes_of(folder);
        if processes.is_empty() && !folder.exists() {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{} is left: {processes:?}",
            folder.display()
        );
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Every process with the folder in its arguments, environment or working directory.
fn processes_of(folder: &Path) -> Vec<String> {
    let name = folder.file_name().unwrap().to_str().unwrap();
    let mut found = Vec::new();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let path = process.path();
        let file = |name: &str| fs::read(path.join(name)).unwrap_or_default();
        let arguments = String::from_utf8_lossy(&file("cmdline")).into_owned();
        let environment = String::from_utf8_lossy(&file("environ")).into_owned();
        let working_folder = fs::read_link(path.join("cwd")).unwrap_or_default();
        if arguments.contains(name)
            || environment.contains(name)
            || working_folder.starts_with(folder)
        {
            found.push(format!("{}: {arguments}", path.display()));
        }
    }
    found
}
