//! The program as a plain HTTP server: its limits and its end, by raw connections.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops where it fails"
)]

mod program;

use devstack::TestDatabase;
use program::{Client, LIMIT, Program, stored};
use sqlx::Executor as _;
use tokio::time::timeout;

/// Short enough for a test that waits for it, and for nothing else to reach it.
const SHORT: &str = "300";
/// Long enough for a request of a busy machine.
const LONGER: &str = "3000";
/// What no test waits for.
const LONG: &str = "600000";

/// The time limits of a head, of a connection without a request, and of a request.
fn limits<'a>(head: &'a str, idle: &'a str, request: &'a str) -> [(&'a str, &'a str); 3] {
    [
        ("API_HEAD_TIMEOUT_MS", head),
        ("API_IDLE_TIMEOUT_MS", idle),
        ("API_REQUEST_TIMEOUT_MS", request),
    ]
}

#[tokio::test]
async fn client_that_sends_a_byte_now_and_then_is_closed() {
    let database = stored(1).await;
    let program = Program::start(database.url(), &limits(SHORT, LONG, LONG)).await;
    let mut client = program.client().await;
    client
        .send("GET /v1/records HTTP/1.1\r\nhost: a\r\nx-slow: ")
        .await;
    client.drip_until_closed().await;
    // Also after a request on the same connection.
    let mut client = program.client().await;
    assert_eq!(client.get("/v1/records").await.status, 200);
    client.send("GET /v1/records HTTP/1.1\r\nx-slow: ").await;
    client.drip_until_closed().await;
    program.stop().await;
}

#[tokio::test]
async fn body_that_never_ends_is_closed() {
    let database = stored(1).await;
    let program = Program::start(database.url(), &limits(LONG, LONG, SHORT)).await;
    let mut client = program.client().await;
    client
        .send("POST /v1/records/lookup HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n")
        .await;
    client.send("content-length: 100000\r\n\r\n").await;
    client.drip_until_closed().await;
    program.stop().await;
}

#[tokio::test]
async fn connection_without_a_request_is_closed_and_one_that_is_used_stays() {
    let database = stored(1).await;
    let program = Program::start(database.url(), &limits(LONG, SHORT, LONG)).await;
    let mut silent = program.client().await;
    let mut used = program.client().await;
    assert_eq!(used.get("/health").await.status, 200);
    assert_eq!(used.get("/health").await.status, 200);
    silent.read_to_end().await;
    used.read_to_end().await;
    program.stop().await;
}

#[tokio::test]
async fn client_that_does_not_read_its_answers_gives_its_place_back() {
    let database = stored(1).await;
    let limits = [
        ("API_CONNECTIONS_MAX", "1"),
        ("API_REQUEST_TIMEOUT_MS", LONGER),
    ];
    let program = Program::start(database.url(), &limits).await;
    let mut client = program.client().await;
    assert_eq!(client.get("/health").await.status, 200);
    // Far more than the buffers of both ends take.
    let request = "GET /docs/viewer.js HTTP/1.1\r\nhost: a\r\n\r\n".repeat(200);
    client.send(&request).await;
    program.wait_until("/ready", 503).await;
    program.wait_until("/ready", 200).await;
    drop(client);
    program.stop().await;
}

#[tokio::test]
async fn connections_beyond_the_limit_are_refused_and_a_place_is_given_back() {
    let database = stored(1).await;
    let limits = [("API_CONNECTIONS_MAX", "2"), ("API_IDLE_TIMEOUT_MS", LONG)];
    let program = Program::start(database.url(), &limits).await;
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = program.client().await;
        assert_eq!(client.get("/v1/records").await.status, 200);
        clients.push(client);
    }
    for (path, status) in [("/v1/records", 503), ("/ready", 503), ("/health", 200)] {
        let mut spare = program.client().await;
        let answer = spare.get(path).await;
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.text.contains("connection: close"), "{}", answer.text);
        if status == 503 {
            assert!(answer.text.contains("retry-after: "), "{}", answer.text);
            assert!(answer.text.contains("application/problem+json"));
        }
        spare.read_to_end().await;
    }
    // Those within the limit are still served.
    for client in &mut clients {
        assert_eq!(client.get("/ready").await.status, 200);
    }
    clients.pop();
    program.wait_until("/v1/records", 200).await;
    program.stop().await;
}

/// A request is in progress while the server stops.
struct InProgress {
    database: TestDatabase,
    blocker: sqlx::Transaction<'static, sqlx::Postgres>,
    program: Program,
    client: Client,
}

impl InProgress {
    async fn start(settings: &[(&str, &str)]) -> Self {
        let database = stored(1).await;
        let program = Program::start(database.url(), settings).await;
        let mut blocker = database.pool().begin().await.unwrap();
        let lock = "lock table records in access exclusive mode";
        blocker.execute(lock).await.unwrap();
        let mut client = program.client().await;
        client
            .send("GET /v1/records HTTP/1.1\r\nhost: a\r\n\r\n")
            .await;
        let waiting = "select count(*) from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock'";
        let waits = async {
            loop {
                let waiting = sqlx::query_scalar::<_, i64>(waiting);
                if waiting.fetch_one(database.pool()).await.unwrap() > 0 {
                    return;
                }
            }
        };
        timeout(LIMIT, waits).await.unwrap();
        Self {
            database,
            blocker,
            program,
            client,
        }
    }
}

#[tokio::test]
async fn server_is_not_ready_first_then_refuses_and_finishes_what_is_in_progress() {
    let settings = [("API_STOP_DELAY_MS", LONG)];
    let InProgress {
        database,
        blocker,
        mut program,
        mut client,
    } = InProgress::start(&settings).await;
    program.signal("TERM");
    program.wait_until("/ready", 503).await;
    // Load balancers may still send something.
    let mut late = program.client().await;
    let answer = late.get("/health").await;
    assert_eq!(answer.status, 200);
    assert!(answer.text.contains("connection: close"), "{}", answer.text);
    // The second signal ends the delay.
    program.signal("TERM");
    program.wait_until_refused().await;
    blocker.rollback().await.unwrap();
    let answer = client.answer().await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(answer.text.contains("\"items\""), "{}", answer.text);
    assert_eq!(program.ended().await, Some(0));
    drop(database);
}

#[tokio::test]
async fn request_that_does_not_end_does_not_keep_the_server() {
    let settings = [
        ("API_STOP_DELAY_MS", "1"),
        ("API_REQUEST_TIMEOUT_MS", LONGER),
    ];
    let InProgress {
        database,
        blocker,
        mut program,
        mut client,
    } = InProgress::start(&settings).await;
    program.signal("TERM");
    assert_eq!(program.ended().await, Some(0));
    client.read_to_end().await;
    blocker.rollback().await.unwrap();
    drop(database);
}

#[tokio::test]
async fn limit_that_is_none_stops_the_program_with_its_name() {
    let mut command = program::command("postgres://a@127.0.0.1:1/x");
    command.env("API_HEAD_TIMEOUT_MS", "0");
    let output = timeout(LIMIT, command.output()).await;
    let output = output.unwrap().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("API_HEAD_TIMEOUT_MS is \"0\""), "{error}");
}
