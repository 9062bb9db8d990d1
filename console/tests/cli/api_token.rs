//! An API that wants tokens (JWT), over the wire: the server checks the header as the gateway does.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::support::configuration::{NOBODY, environment_at};
use crate::support::program::{Answer, Program};

/// `{"alg":"none"}`, and `{"exp":4000000000}` with a number of its own, in base64; nobody signed them.
const GOOD: &str = "eyJhbGciOiJub25lIn0.eyJleHAiOjQwMDAwMDAwMDAsIm4iOjF9.c2ln";
const OTHER: &str = "eyJhbGciOiJub25lIn0.eyJleHAiOjQwMDAwMDAwMDAsIm4iOjJ9.c2ln";
/// `{"exp":1000000000}`
const EXPIRED: &str = "eyJhbGciOiJub25lIn0.eyJleHAiOjEwMDAwMDAwMDB9.c2ln";

type Seen = Arc<Mutex<Vec<Option<String>>>>;

struct Gateway {
    program: Program,
    seen: Seen,
    _runtime: Runtime,
}

impl Gateway {
    /// `command` is the entry's field, with `{home}` for the folder of the program.
    fn start(command: &str) -> Self {
        let runtime = Runtime::new().unwrap();
        let seen = Seen::default();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(serve).with_state(seen.clone());
        runtime.spawn(async move { axum::serve(listener, router).await });
        let program = Program::new();
        let command = command.replace("{home}", &program.home().display().to_string());
        let more = format!("api_token_command = {command:?}\n");
        let text = environment_at("test", NOBODY, &more);
        let api = format!("api_url = \"{NOBODY}\"");
        assert!(text.contains(&api), "{text}");
        program.configure(&text.replace(&api, &format!("api_url = \"{url}\"")));
        Self {
            program,
            seen,
            _runtime: runtime,
        }
    }

    fn check(&self, access: &str) -> Value {
        let (_, report) = self.program.json(&["env", "check"]);
        let checks = report["checks"].as_array().unwrap();
        let check = checks.iter().find(|check| check["access"] == access);
        check.unwrap().clone()
    }
}

async fn serve(State(seen): State<Seen>, uri: Uri, headers: HeaderMap) -> Response {
    let header = headers.get("authorization");
    let header = header.map(|value| value.to_str().unwrap().to_owned());
    let is_right = header.as_deref() == Some(&format!("Bearer {GOOD}"));
    seen.lock().unwrap().push(header);
    let kind = [("content-type", "application/json")];
    if !is_right {
        let body = r#"{"message":"Unauthorized"}"#;
        return (StatusCode::UNAUTHORIZED, kind, body).into_response();
    }
    let body = match uri.path() {
        "/health" => json!({"status": "ok"}),
        "/v1/records/lookup" => json!({"items": [], "retention_horizon": null}),
        _ => json!({"items": [], "next_cursor": null}),
    };
    (kind, body.to_string()).into_response()
}

#[test]
fn requests_have_the_token_that_the_command_printed_once() {
    let gateway = Gateway::start("sh {home}/token.sh");
    let script = format!("echo run >>{{}}\necho {GOOD}\n");
    let runs = gateway.program.home().join("runs");
    let script = script.replace("{}", &runs.display().to_string());
    gateway.program.write("token.sh", script);
    let page = gateway.program.json_ok(&["records", "list"]);
    assert_eq!(page["items"], json!([]));
    for access in ["api-token", "call-api", "look-up-by-api"] {
        assert_eq!(gateway.check(access)["outcome"], "allowed", "{access}");
    }
    let seen = gateway.seen.lock().unwrap().clone();
    assert!(seen.len() >= 4, "{seen:?}");
    let expected = format!("Bearer {GOOD}");
    assert!(
        seen.iter().all(|header| header.as_ref() == Some(&expected)),
        "{seen:?}"
    );
    // One for the list and one for each of three checks, whose calls share it.
    let runs = std::fs::read_to_string(runs).unwrap();
    assert_eq!(runs.lines().count(), 4);
}

#[test]
fn token_is_nowhere_to_be_seen() {
    let gateway = Gateway::start("cat {home}/token");
    let token = gateway.program.write("token", format!("{OTHER}\n"));
    let secret = OTHER.rsplit_once('.').unwrap().0;
    for arguments in [
        &["env", "check"][..],
        &["records", "list"],
        &["status"],
        &["api", "get", "/v1/records"],
        &["api", "get", "/v1/records", "--repeat", "2"],
        &["api", "get", "/v1/records", "--curl"],
        &["env", "list"],
    ] {
        for form in ["table", "json"] {
            let arguments = [arguments, &["--output", form]].concat();
            let mut command = gateway.program.command(&arguments);
            let answer = Answer::of(command.env("OPSCONSOLE_LOG", "trace").output().unwrap());
            let all = format!("{}{}", answer.stdout, answer.stderr);
            assert!(!all.contains(secret), "{arguments:?}: {all}");
        }
    }
    let refused = gateway.check("call-api");
    assert_eq!(refused["outcome"], "failed", "{refused}");
    let next_step = refused["next_step"].as_str().unwrap();
    assert!(
        next_step.contains("refused the token of api_token_command"),
        "{next_step}"
    );
    std::fs::remove_file(token).unwrap();
}

#[test]
fn command_without_a_token_is_told_in_one_sentence_and_nothing_is_sent() {
    for (output, expected) in [
        (
            "echo 'run idp login first' >&2; exit 3",
            "run idp login first",
        ),
        (
            &*format!("echo {EXPIRED}"),
            "the token that it printed has expired",
        ),
        ("echo hello", "no JSON Web Token"),
    ] {
        let gateway = Gateway::start("sh {home}/token.sh");
        gateway.program.write("token.sh", format!("{output}\n"));
        let answer = gateway.program.run(&["records", "list"]);
        assert_eq!(answer.code, 1, "{answer:?}");
        assert!(
            answer.stderr.contains("get a token for the API: sh"),
            "{answer:?}"
        );
        assert!(answer.stderr.contains(expected), "{answer:?}");
        assert!(
            answer
                .stderr
                .contains("log in again at the identity provider"),
            "{answer:?}"
        );
        let check = gateway.check("api-token");
        assert_eq!(check["outcome"], "failed", "{check}");
        assert!(
            check["detail"].as_str().unwrap().contains(expected),
            "{check}"
        );
        assert_eq!(gateway.seen.lock().unwrap().len(), 0, "{output}");
    }
}

#[test]
fn secret_in_the_entry_is_refused_and_not_repeated() {
    let program = Program::new();
    let command = format!("api_token_command = \"echo {GOOD}\"\n");
    program.configure(&environment_at("test", NOBODY, &command));
    let answer = program.run(&["status"]);
    assert_eq!(answer.code, 2, "{answer:?}");
    assert!(
        answer
            .stderr
            .contains("environments.test.api_token_command: holds a secret"),
        "{answer:?}"
    );
    assert!(!answer.stderr.contains("eyJ"), "{answer:?}");
}
