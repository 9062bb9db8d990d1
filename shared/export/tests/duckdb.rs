//! Exports read back by DuckDB, which is not ours: counts and sums equal those of PostgreSQL.
//!
//! DuckDB is installed from PyPI once, into the cache folder. Where that fails the test is counted
//! as ignored and says so: never as passed.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]
#![expect(clippy::print_stderr, reason = "a skipped test is reported there")]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use devstack::TestDatabase;
use export::{ExportRequest, Format, Scope, Target, export};
use libtest_mimic::{Arguments, Failed, Trial};
use pipeline::Pipeline;
use pipeline::environment::Environment;
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

const PACKAGES: [&str; 1] = ["duckdb==1.4.2"];

/// Events of three weeks: two types, a third with a subject.
const EVENTS: &str = "
    with events as (
        select n, timestamptz '2026-03-01 00:00:00+00' + n * interval '3 minutes 1 microsecond' as time
        from generate_series(1, 10000) as n
    )
    insert into records (record_id, source, id, type, subject, occurred_at, payload)
    select n, '/tests', n::text, 'made.' || n % 2, case when n % 3 = 0 then 's' || n % 7 end, time,
        jsonb_build_object('specversion', '1.0', 'id', n::text, 'data', jsonb_build_object('amount', n * 3))
    from events";

/// The same aggregate of both sides: per day and type rows, amounts, subjects, and microseconds of the
/// times.
const POSTGRES: &str = "
    select json_agg(json_build_array(day, type, rows, amounts, subjects, micros) order by day, type)::text
    from (
        select (occurred_at at time zone 'UTC')::date::text as day, type, count(*) as rows,
            sum((payload #>> '{data,amount}')::bigint)::bigint as amounts, count(subject) as subjects,
            sum((extract(epoch from occurred_at) * 1000000)::bigint)::text as micros
        from records group by 1, 2
    ) as groups";

const SCRIPT: &str = r#"
import json, sys, duckdb
folder, form = sys.argv[1], sys.argv[2]
pattern = f"{folder}/*/part-*"
duckdb.sql("set timezone = 'UTC'")
rows = {
    "parquet": f"read_parquet('{pattern}', hive_partitioning = true)",
    "csv": f"read_csv('{pattern}', hive_partitioning = true, compression = 'zstd', header = true, auto_type_candidates = ['BIGINT', 'TIMESTAMPTZ', 'VARCHAR'])",
    "jsonl": f"read_json('{pattern}', hive_partitioning = true, compression = 'zstd', format = 'newline_delimited', columns = {{record_id: 'BIGINT', type: 'VARCHAR', subject: 'VARCHAR', occurred_at: 'TIMESTAMPTZ', payload: 'JSON'}})",
}[form]
result = duckdb.sql(f"""
    select occurred_on::varchar as day, type, count(*), sum((payload->>'$.data.amount')::bigint)::bigint,
        count(nullif(subject, '')), sum(epoch_us(occurred_at))::varchar
    from {rows} group by all order by day, type
""").fetchall()
print(json.dumps(result))
"#;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let python = if arguments.list {
        Err("only listed".to_owned())
    } else {
        Runtime::new().unwrap().block_on(install())
    };
    if let Err(reason) = &python {
        eprintln!("SKIPPED duckdb: {reason}");
    }
    let trials = [Format::Parquet, Format::Csv, Format::Jsonl].map(|format| {
        let is_absent = python.is_err();
        let python = python.clone();
        Trial::test(format!("duckdb_reads_{format}"), move || {
            Runtime::new()?.block_on(read_back(&python?, format))
        })
        .with_ignored_flag(is_absent)
    });
    libtest_mimic::run(&arguments, Vec::from(trials)).exit_code()
}

/// Python with DuckDB.
async fn install() -> Result<PathBuf, String> {
    let programs = devstack::python_packages("duckdb", &PACKAGES).await;
    let python = programs.map(|programs| programs.join("python"));
    python.map_err(|error| error.to_string())
}

async fn read_back(python: &Path, format: Format) -> Result<(), Failed> {
    let database = TestDatabase::create().await?;
    store::migrate(database.pool()).await?;
    sqlx::query(EVENTS).execute(database.pool()).await?;
    let expected: String = sqlx::query_scalar(POSTGRES)
        .fetch_one(database.pool())
        .await?;
    let pipeline = Pipeline::connect(&Environment {
        database_url: Some(database.url().to_owned()),
        ..Environment::example()
    })?;
    let folder = tempfile::tempdir()?;
    let request = ExportRequest {
        scope: Scope::Range {
            from: "2026-03-01T00:00:00Z".parse()?,
            to: "2026-04-01T00:00:00Z".parse()?,
        },
        types: Vec::new(),
        source: None,
        format,
        target: Target::Folder(folder.path().to_owned()),
    };
    let never = CancellationToken::new();
    let exported = export(&pipeline, &request, &never, Box::new(|_| {})).await?;
    assert_eq!(exported.rows, 10_000);
    let output = Command::new(python)
        .args(["-c", SCRIPT])
        .arg(folder.path())
        .arg(format.to_string())
        .stdin(Stdio::null())
        .output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let read: Value = serde_json::from_slice(&output.stdout)?;
    let expected: Value = serde_json::from_str(&expected)?;
    assert!(expected.as_array().unwrap().len() > 40);
    assert_eq!(read, expected, "{format}");
    Ok(())
}
