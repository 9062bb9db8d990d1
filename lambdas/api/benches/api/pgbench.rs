//! pgbench: what the database alone does with the best statements.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::server::Database;

const COLUMNS: &str =
    "select r.record_id, r.source, r.id, r.type, r.subject, r.occurred_at, r.ingested_at,
    r.payload::text as payload";

/// The newest page, from the one partition that has it, with a plan that is made once. A client must know
/// that partition.
pub(crate) fn page_statement(database: &Database, limit: usize) -> String {
    let (from, to) = database.newest;
    format!(
        "{COLUMNS} from records r where r.occurred_at >= '{from}' and r.occurred_at < '{to}'
         order by r.occurred_at desc, r.record_id desc limit {limit}"
    )
}

/// One record by its id: the ledger has its time, which finds its partition. In two statements, because a
/// join of both opens every partition.
pub(crate) fn record_script(database: &Database) -> String {
    format!(
        "\\set id random(1, {})
select occurred_at from event_identities where record_id = :id \\gset
{COLUMNS} from records r where r.occurred_at = :occurred_at::timestamptz and r.record_id = :id;
",
        database.records
    )
}

/// Where pgbench is: on the `PATH` or beside the server's programs.
pub(crate) fn program() -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let configured = Command::new("pg_config").arg("--bindir").output().ok();
    let configured = configured
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .map(|text| PathBuf::from(text.trim()));
    std::env::split_paths(&path)
        .chain(configured)
        .map(|folder| folder.join("pgbench"))
        .find(|program| program.is_file())
        .ok_or_else(|| "pgbench is not installed (Debian: postgresql-contrib)".to_owned())
}

/// Transactions in a second.
pub(crate) async fn rate(
    program: &Path,
    url: &str,
    script: &Path,
    clients: usize,
    time: Duration,
) -> f64 {
    let output = tokio::process::Command::new(program)
        .args(["-n", "-M", "prepared", "-c", &clients.to_string()])
        .args(["-T", &time.as_secs().max(1).to_string()])
        .arg("-f")
        .arg(script)
        .arg(url)
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    text.lines()
        .find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok())
        .unwrap_or_else(|| panic!("pgbench: {text} {error}"))
}
