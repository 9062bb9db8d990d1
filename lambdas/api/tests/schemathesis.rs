//! A foreign tester against the API on a real PostgreSQL: Schemathesis sends what the document allows and what it
//! forbids, and compares the answers with the document.
//!
//! It is installed from PyPI into the cache folder. Where that fails, the test is counted as ignored with the
//! reason: never as passed.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::fs;
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use devstack::TestDatabase;
use event::{Event, parse_event};
use libtest_mimic::{Arguments, Failed, Trial};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

const PACKAGES: [&str; 1] = ["schemathesis==4.32.5"];
/// The same requests in each run.
const SEED: &str = "14";
/// Generated requests of one operation, beside those that follow from the document.
const EXAMPLES_MAX: &str = "60";
/// What no schema can express: that a cursor was handed out for the filters beside it, a position of the feed by
/// this database, and that a range is neither inverted nor too long for its buckets. Everywhere else whatever the document allows must be accepted.
const SETTINGS: &str = r#"
[[operations]]
include-operation-id = ["listRecords", "getStats", "readFeed"]

[operations.checks.positive_data_acceptance]
expected-statuses = [200, 400]
"#;
/// Nothing in it waits; a slow machine takes a few minutes.
const LIMIT: Duration = Duration::from_secs(900);

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let installed = if arguments.list {
        Err("only listed".to_owned())
    } else {
        Runtime::new().unwrap().block_on(install())
    };
    let name = "schemathesis_finds_nothing_undocumented";
    if let Err(reason) = &installed {
        eprintln!("SKIPPED {name}: {reason}");
    }
    let is_ignored = installed.is_err();
    let test = move || Runtime::new()?.block_on(found_nothing(installed?));
    let trial = Trial::test(name, test).with_ignored_flag(is_ignored);
    libtest_mimic::run(&arguments, vec![trial]).exit_code()
}

async fn found_nothing(program: PathBuf) -> Result<(), Failed> {
    let database = filled().await;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}/openapi.json", listener.local_addr()?);
    let router = api::router(database.pool().clone());
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("schemathesis.toml"), SETTINGS)?;
    let running = tokio::process::Command::new(program)
        .args(["run", &address, "--checks", "all", "--mode", "all"])
        .args(["--max-examples", EXAMPLES_MAX, "--seed", SEED])
        .args(["--no-shrink", "--continue-on-failure", "--workers", "2"])
        .current_dir(folder.path())
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?
        .wait_with_output();
    let output = tokio::time::timeout(LIMIT, running).await??;
    server.abort();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{}\n{text}\n{errors}", output.status).into());
    }
    let summary = text.find("SUMMARY").and_then(|at| text.get(at..));
    eprintln!("{}", summary.ok_or("no summary")?);
    Ok(())
}

/// A database with some records.
async fn filled() -> TestDatabase {
    let database = TestDatabase::create().await.unwrap();
    store::migrate(database.pool()).await.unwrap();
    let bodies: Vec<String> = (0..40)
        .map(|number| {
            format!(
                r#"{{"specversion":"1.0","id":"id-{number}","source":"/shop","type":"order.placed",
                    "subject":"order/{}","time":"2026-11-24T12:{number:02}:00Z","data":{{"n":{number}}}}}"#,
                number % 5,
            )
        })
        .collect();
    let events: Vec<Event<'_>> = bodies
        .iter()
        .map(|body| parse_event(body).unwrap())
        .collect();
    store::write_batch(database.pool(), &events).await.unwrap();
    database
}

async fn install() -> Result<PathBuf, String> {
    let programs = devstack::python_packages("schemathesis", &PACKAGES).await;
    let program = programs.map(|programs| programs.join("schemathesis"));
    program.map_err(|error| error.to_string())
}
