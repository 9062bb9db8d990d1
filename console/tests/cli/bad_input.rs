//! What is wrong outside of this program, each told in one sentence with the next step. Missing profiles and expired
//! sessions are in `fleet`, missing permissions in `access`, tunnels in `tunnel`, folders of Terraform in `env`.

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse as _;
use serde_json::json;
use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::pipeline::deployed;
use crate::support::configuration::{self, NOBODY, environment_at};
use crate::support::program::{Answer, Program};

/// A service that answers everything alike, and the program that knows it as AWS and as the API.
struct Service {
    program: Program,
    _runtime: Runtime,
}

impl Service {
    fn start(status: StatusCode, kind: &'static str, body: String, more: &str) -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let body: Arc<str> = body.into();
        let serve = move |headers: HeaderMap| {
            let is_of_sqs = headers.contains_key("x-amz-target");
            let body = body.to_string();
            async move {
                let kind = if is_of_sqs {
                    "application/x-amz-json-1.0"
                } else {
                    kind
                };
                (status, [("content-type", kind)], body).into_response()
            }
        };
        runtime.spawn(async move { axum::serve(listener, Router::new().fallback(serve)).await });
        let program = Program::new();
        program.configure(&environment_at("test", &url, more).replace(NOBODY, &url));
        Self {
            program,
            _runtime: runtime,
        }
    }
}

fn refused(answer: &Answer, cause: &str, next_step: &str) {
    assert_ne!(answer.code, 0, "{answer:?}");
    let (told, step) = answer.stderr.trim_end().split_once("\n  ").unwrap();
    assert!(!told.contains('\n') && told.contains(cause), "{answer:?}");
    assert!(step.contains(next_step), "{answer:?}");
}

#[test]
fn credentials_of_another_account_are_told_by_every_call_that_is_denied() {
    let message = "User: arn:aws:iam::111122223333:user/me is not authorized to perform: sqs:getqueueattributes on \
                   resource: arn:aws:sqs:us-east-1:000000000000:dead-letters because no resource-based policy allows \
                   the sqs:getqueueattributes action";
    let body = json!({"__type": "com.amazonaws.sqs#AccessDeniedException", "message": message});
    let service = Service::start(StatusCode::FORBIDDEN, "text/plain", body.to_string(), "");
    let answer = service
        .program
        .run(&["dlq", "purge", "--confirm-queue", "dead-letters", "--yes"]);
    refused(
        &answer,
        "AccessDenied",
        "of the account 111122223333, and this is in 000000000000",
    );
}

#[test]
fn one_cause_is_told_once() {
    let program = Program::new();
    program.configure(&environment_at("away", NOBODY, ""));
    for arguments in [&["status"][..], &["env", "check"]] {
        let answer = program.run(arguments);
        assert_eq!(answer.code, 3, "{answer:?}");
        for told in ["connection refused", "\n  check that http://127.0.0.1:1"] {
            assert_eq!(answer.stderr.matches(told).count(), 1, "{answer:?}");
        }
    }
    let (_, lint) = program.json(&["lint"]);
    for check in lint["not_checked"].as_array().unwrap() {
        let reason = check["reason"].as_str().unwrap();
        let has_next_step = reason.contains("; check that http://127.0.0.1:1");
        assert_eq!(check["is_failure"] == true, has_next_step, "{check}");
    }
}

#[test]
fn region_and_queues_of_another_environment_are_refused_before_any_call() {
    let program = Program::new();
    let text = environment_at("pilot", NOBODY, "");
    program.configure(&text.replace("region = \"us-east-1\"", "region = \"eu-west-1\""));
    let answer = program.run(&["status"]);
    assert_eq!(answer.code, 2, "{answer:?}");
    let expected =
        "environments.pilot.region: is \"eu-west-1\", and topic_arn is in \"us-east-1\"; correct";
    assert!(answer.stderr.contains(expected), "{answer:?}");
    let queue = format!("{NOBODY}/000000000000/source");
    let other = "https://sqs.us-east-1.amazonaws.com/999999999999/events";
    program.configure(&text.replace(&queue, other));
    let answer = program.run(&["status"]);
    assert_eq!(answer.code, 2, "{answer:?}");
    let expected = "environments.pilot.queue_url: is in 999999999999/us-east-1";
    assert!(answer.stderr.contains(expected), "{answer:?}");
    assert!(
        answer.stderr.contains("import the environment again"),
        "{answer:?}"
    );
}

#[test]
fn queue_that_does_not_exist_is_told_as_a_half_applied_environment() {
    let turn = deployed();
    let program = Program::new();
    let text = configuration::by_api(&turn.endpoints, "");
    program.configure(&text.replace(
        &turn.endpoints.queue_url,
        &format!("{}-gone", turn.endpoints.queue_url),
    ));
    let status = program.run(&["status"]);
    assert_eq!(status.code, 1, "{status:?}");
    assert!(
        status.stderr.contains("the queue does not exist"),
        "{status:?}"
    );
    assert!(
        status
            .stderr
            .contains("\n  was it deleted, or the environment applied in part?"),
        "{status:?}"
    );
}

#[test]
fn paused_database_is_told_and_when_to_ask_again() {
    let body = json!({
        "type": "about:blank", "title": "Unavailable", "status": 503, "detail": "the database cannot be used",
    });
    let kind = "application/problem+json";
    let pauses = "database_pauses = true\n";
    let service = Service::start(
        StatusCode::SERVICE_UNAVAILABLE,
        kind,
        body.to_string(),
        pauses,
    );
    let answer = service.program.run(&["records", "list"]);
    assert_eq!(answer.code, 3, "{answer:?}");
    refused(
        &answer,
        "the database cannot be used",
        "ask again in half a minute",
    );
    let awake = Service::start(StatusCode::SERVICE_UNAVAILABLE, kind, body.to_string(), "");
    let answer = awake.program.run(&["records", "list"]);
    assert!(!answer.stderr.contains("half a minute"), "{answer:?}");
    let hint = "the API itself answers: check its database";
    assert!(answer.stderr.contains(hint), "{answer:?}");
    assert!(!answer.stderr.contains("is running"), "{answer:?}");
}

#[test]
fn api_of_another_release_is_told() {
    let body = r#"{"message":"Not Found"}"#.to_owned();
    let service = Service::start(StatusCode::NOT_FOUND, "application/json", body, "");
    let answer = service.program.run(&["records", "list"]);
    assert_eq!(answer.code, 1, "{answer:?}");
    let expected = "status 404";
    assert!(answer.stderr.contains(expected), "{answer:?}");
    assert!(
        answer.stderr.contains("deploy the release of this console"),
        "{answer:?}"
    );
}

#[test]
fn schema_of_another_release_is_told() {
    let turn = deployed();
    let url = &turn.endpoints.database_url;
    let create = async {
        let options: PgConnectOptions = url.parse().unwrap();
        let mut connection = PgConnection::connect_with(&options).await.unwrap();
        let create = sqlx::query("create database without_schema");
        create.execute(&mut connection).await.unwrap();
        options.get_database().unwrap().to_owned()
    };
    let name = turn.runtime.block_on(create);
    let other = url.replace(&format!("/{name}"), "/without_schema");
    assert_ne!(&other, url);
    let program = Program::new();
    let api = format!("api_url = {:?}\n", turn.endpoints.api_url);
    let text = configuration::by_api(&turn.endpoints, &format!("database_url = {other:?}\n"));
    assert!(text.contains(&api), "{text}");
    program.configure(&text.replace(&api, "").replace("api_auth = \"iam\"\n", ""));
    let answer = program.run(&["records", "list"]);
    assert_eq!(answer.code, 1, "{answer:?}");
    refused(
        &answer,
        "does not exist",
        "the schema of this database is not that of this release",
    );
}
