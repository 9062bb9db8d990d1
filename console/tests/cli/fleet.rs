//! `fleet status`: several environments at once, on the whole pipeline and where something is wrong.

use std::net::TcpListener;
use std::time::Instant;

use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Value, json};

use super::denying_service::DenyingService;
use crate::pipeline::{Turn, deployed};
use crate::support::configuration::{self, NOBODY, environment_at};
use crate::support::harness::LIMIT;
use crate::support::program::{Answer, Program};

/// The running stack under a name, with these dead letters.
fn named(turn: &Turn, name: &str, dead_letters: &str) -> String {
    let more = format!("ingest_function = {:?}\n", turn.endpoints.ingest_function);
    configuration::by_api(&turn.endpoints, &more)
        .replace("[environments.test]", &format!("[environments.{name}]"))
        .replace(&turn.endpoints.dead_letter_queue_url, dead_letters)
}

/// A dead-letter queue without a message.
fn empty_queue(turn: &Turn, name: &str) -> String {
    turn.runtime.block_on(async {
        let config = devstack::sdk_config(&turn.endpoints.endpoint_url);
        let client = aws_sdk_sqs::Client::new(&config);
        let created = client
            .create_queue()
            .queue_name(name)
            .attributes(QueueAttributeName::MessageRetentionPeriod, "1209600")
            .send();
        created.await.unwrap().queue_url.unwrap()
    })
}

fn rows(fleet: &Value) -> Vec<(&str, &str)> {
    let rows = fleet["environments"].as_array().unwrap().iter();
    rows.map(|row| {
        let text = |key: &str| row[key].as_str().unwrap();
        (text("environment"), text("state"))
    })
    .collect()
}

fn row<'a>(fleet: &'a Value, name: &str) -> &'a Value {
    let mut rows = fleet["environments"].as_array().unwrap().iter();
    rows.find(|row| row["environment"] == name).unwrap()
}

#[test]
fn all_environments_are_shown_with_the_worst_first_and_a_dead_one_delays_no_other() {
    let turn = deployed();
    turn.add_dead_letter("{}", Some("fleet"));
    // Accepts connections, and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}", silent_address(&silent));
    let healthy = empty_queue(&turn, "fleet-dead-letters");
    let program = Program::new();
    let text = [
        environment_at("a-silent", &silent, "").replace(NOBODY, &silent),
        named(&turn, "healthy", &healthy),
        named(&turn, "letters", &turn.endpoints.dead_letter_queue_url),
        environment_at("mistaken", NOBODY, "oops = 1\n"),
    ];
    program.configure(&text.concat());

    let deadline = Instant::now() + LIMIT;
    let expected = [
        ("a-silent", "unreachable"),
        ("mistaken", "invalid"),
        ("letters", "attention"),
        ("healthy", "ok"),
    ];
    // What other tests left in the queue has been stored in some seconds.
    let fleet = loop {
        let (code, fleet) = program.json(&["fleet", "status"]);
        assert_eq!(code, 3, "{fleet:#}");
        if rows(&fleet) == expected {
            break fleet;
        }
        assert!(Instant::now() < deadline, "{fleet:#}");
    };
    let healthy = row(&fleet, "healthy");
    assert_eq!(healthy["reason"], Value::Null);
    assert_eq!(healthy["errors"], json!([]));
    assert_eq!(healthy["endpoint"], turn.endpoints.endpoint_url);
    assert_eq!(healthy["account"], "000000000000");
    assert_eq!(healthy["dead_letters"]["visible"], 0);
    let newest = store::MIGRATOR.iter().map(|file| file.version).max();
    assert_eq!(healthy["schema_version"], json!(newest));
    let silent_row = row(&fleet, "a-silent");
    assert_eq!(silent_row["queue"], Value::Null);
    let reason = silent_row["reason"].as_str().unwrap();
    assert!(reason.contains("no answer"), "{reason}");
    let next_step = silent_row["next_step"].as_str().unwrap();
    assert!(next_step.contains(&silent), "{next_step}");
    assert!(
        healthy["read_at"].as_str() < silent_row["read_at"].as_str(),
        "it waited: {fleet:#}"
    );
    let letters = row(&fleet, "letters");
    let reason = letters["reason"].as_str().unwrap();
    assert!(reason.contains("dead letter"), "{reason}");
    let next_step = letters["next_step"].as_str().unwrap();
    assert!(next_step.contains("--env letters dlq group"), "{next_step}");
    assert!(
        letters["dead_letters"]["visible"].as_u64() >= Some(1),
        "{letters}"
    );
    let mistaken = row(&fleet, "mistaken");
    let reason = mistaken["reason"].as_str().unwrap();
    assert!(
        reason.contains("environments.mistaken: unknown field `oops`"),
        "{reason}"
    );

    let (code, one) = program.json(&["fleet", "status", "--only", "letters", "healthy"]);
    assert_eq!(code, 1, "{one:#}");
    assert_eq!(rows(&one), expected[2..]);
    let (code, one) = program.json(&["fleet", "status", "--only", "healthy"]);
    assert_eq!(code, 0, "{one:#}");

    let shown = program.run(&["fleet", "status", "--only", "letters", "healthy"]);
    let lines: Vec<&str> = shown.stdout.lines().collect();
    assert!(lines[0].starts_with("ENVIRONMENT  STATE"), "{shown:?}");
    assert!(lines[1].starts_with("letters      attention"), "{shown:?}");
    assert!(lines[2].starts_with("healthy      ok"), "{shown:?}");
    assert!(shown.stderr.contains("letters: "), "{shown:?}");
    assert!(
        shown
            .stderr
            .contains("\n  opsconsole --env letters dlq group"),
        "{shown:?}"
    );
    assert!(!shown.stderr.contains("healthy:"), "{shown:?}");

    // No command but this one reads past an entry that is invalid.
    let status = program.run(&["--env", "healthy", "status"]);
    assert_eq!(status.code, 2, "{status:?}");
}

fn silent_address(listener: &TcpListener) -> String {
    listener.local_addr().unwrap().to_string()
}

#[test]
fn denied_calls_and_expired_credentials_are_told_with_the_next_step() {
    let service = DenyingService::start();
    service.deny("GetQueueAttributes");
    let (code, fleet) = service.program.json(&["fleet", "status"]);
    assert_eq!(code, 1, "{fleet:#}");
    assert_eq!(rows(&fleet), [("test", "not-permitted")]);
    let row = row(&fleet, "test");
    let next_step = row["next_step"].as_str().unwrap();
    assert!(next_step.contains("a permission is missing"), "{next_step}");
    assert!(next_step.contains("console_policy_arn"), "{next_step}");
    let errors = row["errors"].as_array().unwrap().iter();
    let parts: Vec<&Value> = errors.map(|error| &error["part"]).collect();
    // The answers of this service are no records.
    assert_eq!(parts, ["queue", "dead_letters", "records"]);
    // The gateway's refusal is one as well, and no bad health.
    service.deny("GET /health");
    let (code, fleet) = service.program.json(&["fleet", "status"]);
    // That the queue of this service has no redrive policy loses data, and is told first.
    assert_eq!((code, rows(&fleet)), (1, vec![("test", "attention")]));
    let read = self::row(&fleet, "test");
    let reason = read["reason"].as_str().unwrap();
    assert!(reason.contains("no redrive policy"), "{reason}");
    let mut errors = read["errors"].as_array().unwrap().iter();
    let api = errors.find(|error| error["part"] == "api").unwrap();
    let hint = api["hint"].as_str().unwrap();
    assert!(hint.contains("execute-api:Invoke is missing"), "{hint}");
    service.refuse("GetQueueAttributes", "ExpiredToken");
    let (_, fleet) = service.program.json(&["fleet", "status"]);
    assert_eq!(rows(&fleet), [("test", "not-permitted")]);
    let next_step = fleet["environments"][0]["next_step"].as_str().unwrap();
    assert!(next_step.contains("log in again"), "{next_step}");
}

/// Name of the file of a token: the digest (SHA-1) of the session's name, "corp".
const CACHED: &str = "home/.aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json";

const PROFILES: &str = "\
[profile expired]
sso_session = corp
sso_account_id = 111122223333
sso_role_name = operator
[profile never]
sso_session = other
sso_account_id = 111122223333
sso_role_name = operator
[sso-session corp]
sso_region = us-east-1
sso_start_url = https://corp.example/start
[sso-session other]
sso_region = us-east-1
sso_start_url = https://other.example/start
";

#[test]
fn missing_profile_and_expired_session_are_told_with_the_next_step() {
    let program = Program::new();
    let entry = |name: &str| environment_at(name, NOBODY, &format!("profile = \"{name}\"\n"));
    program.configure(&["expired", "missing", "never"].map(entry).concat());
    let profiles = program.write("home/.aws/config", PROFILES);
    let token = json!({
        "accessToken": "s3cret-token", "expiresAt": "2020-01-01T00:00:00Z", "region": "us-east-1",
        "startUrl": "https://corp.example/start",
    });
    program.write(CACHED, token.to_string());
    let run = |arguments: &[&str]| {
        let mut command = program.command(arguments);
        command
            .env("HOME", program.home().join("home"))
            .env("AWS_CONFIG_FILE", &profiles)
            .env("AWS_EC2_METADATA_DISABLED", "true");
        // Not these, where a profile is named.
        command.env("AWS_ACCESS_KEY_ID", "AKIAOTHER");
        Answer::of(command.env("AWS_SECRET_ACCESS_KEY", "x").output().unwrap())
    };
    let answer = run(&["fleet", "status", "--output", "json"]);
    let fleet = answer.json();
    for (name, reason, next_step) in [
        (
            "expired",
            "the SSO session of the AWS profile \"expired\" has expired",
            "log in again: `aws sso login --profile expired`",
        ),
        (
            "missing",
            "there is no AWS profile \"missing\" on this machine",
            "aws configure sso --profile missing",
        ),
        (
            "never",
            "there is no SSO session of the AWS profile \"never\"",
            "aws sso login --profile never",
        ),
    ] {
        let row = row(&fleet, name);
        assert_eq!(row["state"], "not-permitted", "{row:#}");
        let told = row["reason"].as_str().unwrap();
        assert_eq!(told, format!("queue: {reason}"));
        let told = row["next_step"].as_str().unwrap();
        assert!(told.contains(next_step), "{told}");
        // The same sentence from every other command.
        let status = run(&["--env", name, "status"]);
        assert_eq!(status.code, 3, "{status:?}");
        // Once, though every part fails by it.
        for told in [reason, next_step] {
            assert_eq!(status.stderr.matches(told).count(), 1, "{status:?}");
        }
        assert!(!status.stderr.contains("s3cret"), "{status:?}");
    }
}

#[test]
fn fleet_without_an_environment_or_with_an_unknown_one_is_wrong_usage() {
    let program = Program::new();
    let none = program.run(&["fleet", "status"]);
    assert_eq!(none.code, 2, "{none:?}");
    assert!(none.stderr.contains("cargo demo"), "{none:?}");
    program.configure(&environment_at("pilot", NOBODY, ""));
    let unknown = program.run(&["fleet", "status", "--only", "pilto"]);
    assert_eq!(unknown.code, 2, "{unknown:?}");
    assert!(unknown.stderr.contains("known: pilot"), "{unknown:?}");
}
