//! The private PostgreSQL and the emulator, each separately.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use devstack::{
    Durability, Emulator, Postgres, PostgresOptions, TestDatabase, sdk_config, services,
};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

/// No account of this machine.
const OTHER_USER: u32 = 54_321;

async fn count(connection: &mut PgConnection, query: &'static str) -> sqlx::Result<i64> {
    sqlx::query_scalar(query).fetch_one(connection).await
}

#[tokio::test]
async fn test_databases_are_empty_and_separate() {
    let first = TestDatabase::create().await.unwrap();
    let second = TestDatabase::create().await.unwrap();
    assert_ne!(first.url(), second.url());
    sqlx::query("create table only_here (x int)")
        .execute(first.pool())
        .await
        .unwrap();
    let tables = "select count(*) from pg_tables where schemaname = 'public'";
    let mut connection = first.pool().acquire().await.unwrap();
    assert_eq!(count(&mut connection, tables).await.unwrap(), 1);
    let mut connection = second.pool().acquire().await.unwrap();
    assert_eq!(count(&mut connection, tables).await.unwrap(), 0);
}

/// As root, another user really tries; else the permissions must say no.
#[tokio::test]
async fn no_other_user_reaches_the_private_server() {
    let postgres = Postgres::start(PostgresOptions::default()).await.unwrap();
    let folder = postgres.folder();
    let socket = folder.join(".s.PGSQL.5432");
    for (path, wanted) in [
        (folder.to_owned(), 0o700),
        (socket.clone(), 0o700),
        (folder.join("postgres.log"), 0o600),
    ] {
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, wanted, "{path:?}");
    }
    let mut command = Command::new("cat");
    command
        .arg(folder.join("postgres.log"))
        .uid(OTHER_USER)
        .gid(OTHER_USER);
    match command.output() {
        Ok(answer) => assert!(!answer.status.success(), "{answer:?}"),
        // Only root may become another user.
        Err(error) => assert_eq!(error.kind(), ErrorKind::PermissionDenied),
    }
    // The superuser is known by its account, another role needs a password.
    let mut connection = PgConnection::connect(&postgres.url("postgres"))
        .await
        .unwrap();
    sqlx::query("create role guest login")
        .execute(&mut connection)
        .await
        .unwrap();
    let url = postgres
        .url("postgres")
        .replace("://opsconsole@", "://guest@");
    let error = PgConnection::connect(&url).await.unwrap_err().to_string();
    assert!(error.contains("password"), "{error}");
    postgres.stop().await.unwrap();
}

/// Who reaches the emulator can create a function, which is a program that runs as this user.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn no_other_user_reaches_the_emulator() {
    // By an IPv4 socket and by an IPv6 one, which the kernel lists apart; without a request, so that an
    // answer is not about what was asked.
    const CLIENT: &str = "import socket, sys
for family, host in (socket.AF_INET, '127.0.0.1'), (socket.AF_INET6, '::ffff:127.0.0.1'):
    client = socket.socket(family)
    client.connect((host, int(sys.argv[1])))
    try:
        client.sendall(b'GET /_ministack/health HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n')
        print(client.recv(12).decode())
    except ConnectionError:
        print()
";
    let emulator = Emulator::start_for_tests().await.unwrap();
    let port = emulator.endpoint_url().rsplit(':').next().unwrap();
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-c", CLIENT, port]).current_dir("/");
    let own = command.output().unwrap();
    assert_eq!(own.stdout, b"HTTP/1.1 200\nHTTP/1.1 200\n", "{own:?}");
    match command.uid(OTHER_USER).gid(OTHER_USER).output() {
        Ok(other) => assert_eq!(other.stdout, b"\n\n", "{other:?}"),
        // Only root may become another user.
        Err(error) => assert_eq!(error.kind(), ErrorKind::PermissionDenied),
    }
    emulator.stop().await.unwrap();
}

#[tokio::test]
async fn private_server_keeps_its_data_over_an_outage_and_leaves_nothing() {
    let options = PostgresOptions {
        durability: Durability::Full,
        ..PostgresOptions::default()
    };
    let postgres = Postgres::start(options).await.unwrap();
    let folder = postgres.folder().to_owned();
    postgres.create_database("kept").await.unwrap();
    let url = postgres.url("kept");

    let answer = Command::new("psql")
        .args([url.as_str(), "-tAc", "show listen_addresses"])
        .output();
    if let Ok(answer) = answer {
        assert!(
            answer.status.success(),
            "psql reads the same URL: {answer:?}"
        );
        assert_eq!(
            String::from_utf8_lossy(&answer.stdout).trim(),
            "",
            "no port is open"
        );
    }

    postgres.stop_server().await.unwrap();
    assert!(PgConnection::connect(&url).await.is_err());
    postgres.start_again().await.unwrap();
    let mut connection = PgConnection::connect(&url).await.unwrap();
    assert_eq!(count(&mut connection, "select 1::bigint").await.unwrap(), 1);

    postgres.stop().await.unwrap();
    assert!(!folder.exists());
}

#[tokio::test]
async fn emulator_answers_signed_calls_and_leaves_nothing() {
    let emulator = Emulator::start_for_tests().await.unwrap();
    let folder = emulator.folder().to_owned();
    let sqs = aws_sdk_sqs::Client::new(&sdk_config(emulator.endpoint_url()));
    let queue = sqs
        .create_queue()
        .queue_name("orders")
        .send()
        .await
        .unwrap();
    let url = queue.queue_url().unwrap().to_owned();
    assert!(url.starts_with(emulator.endpoint_url()), "{url}");
    sqs.send_message()
        .queue_url(&url)
        .message_body("x")
        .send()
        .await
        .unwrap();
    let received = sqs.receive_message().queue_url(&url).send().await.unwrap();
    assert_eq!(received.messages().len(), 1);

    emulator.stop().await.unwrap();
    assert!(!folder.exists());
    assert!(
        sqs.list_queues().send().await.is_err(),
        "the port is free again"
    );
}

/// The sum of a metric of the last minutes.
async fn sum(
    cloudwatch: &aws_sdk_cloudwatch::Client,
    name: &str,
) -> Result<f64, aws_sdk_cloudwatch::Error> {
    let now = std::time::SystemTime::now();
    let hour = std::time::Duration::from_secs(3_600);
    let answer = cloudwatch
        .get_metric_statistics()
        .namespace("test")
        .metric_name(name)
        .start_time((now - hour).into())
        .end_time((now + hour).into())
        .period(7_200)
        .statistics(aws_sdk_cloudwatch::types::Statistic::Sum)
        .send()
        .await?;
    let points = answer.datapoints().iter();
    Ok(points.filter_map(|point| point.sum()).sum())
}

#[tokio::test]
async fn emulator_counts_a_repeated_publication_of_metrics_once() {
    let emulator = Emulator::start_for_tests().await.unwrap();
    let cloudwatch = aws_sdk_cloudwatch::Client::new(&sdk_config(emulator.endpoint_url()));
    for (name, tokens, expected) in [
        ("repeated", [Some("one"), Some("one")], 7.0),
        ("two", [Some("two"), Some("three")], 14.0),
        ("without", [None, None], 14.0),
    ] {
        for token in tokens {
            let datum = aws_sdk_cloudwatch::types::MetricDatum::builder()
                .metric_name(name)
                .value(7.0)
                .build();
            cloudwatch
                .put_metric_data()
                .namespace("test")
                .metric_data(datum)
                .customize()
                .mutate_request(move |request| {
                    if let Some(token) = token {
                        let headers = request.headers_mut();
                        headers.insert("x-opsconsole-publication", token);
                    }
                })
                .send()
                .await
                .unwrap();
        }
        let sum = sum(&cloudwatch, name).await.unwrap();
        assert_eq!(sum, expected, "{name}");
    }
    emulator.stop().await.unwrap();
}

#[tokio::test]
async fn emulator_keeps_the_newest_lines_of_a_log_alone() {
    let emulator = Emulator::start_for_tests().await.unwrap();
    let logs = async |operation, body: Value| {
        let answer = services::logs(emulator.endpoint_url(), operation, &body);
        answer.await.unwrap()
    };
    logs("CreateLogGroup", json!({"logGroupName": "group"})).await;
    let stream = json!({"logGroupName": "group", "logStreamName": "stream"});
    logs("CreateLogStream", stream).await;
    for block in 0..3 {
        let lines = (block * 10_000)..((block + 1) * 10_000);
        let events: Vec<Value> = lines
            .map(|number| json!({"timestamp": number, "message": number.to_string()}))
            .collect();
        let put = json!({"logGroupName": "group", "logStreamName": "stream", "logEvents": events});
        logs("PutLogEvents", put).await;
    }
    let first = json!({"logGroupName": "group", "limit": 1});
    let oldest = logs("FilterLogEvents", first).await;
    assert_eq!(oldest["events"][0]["message"], "10000");
    let last = json!({"logGroupName": "group", "startTime": 29_999});
    let newest = logs("FilterLogEvents", last).await;
    assert_eq!(newest["events"][0]["message"], "29999");
}
