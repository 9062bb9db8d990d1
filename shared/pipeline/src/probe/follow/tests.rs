//! Which probes publish nothing, and what is said of one without an answer.

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::Authority;
use crate::audit::AuditLog;
use crate::environment::Environment;

const SETTINGS: ProbeSettings = ProbeSettings {
    hop_limit: Duration::from_secs(1),
    search_dead_letters: false,
};

#[test]
fn pause_grows_to_its_limit() {
    let millis = |number| pause(number).as_millis();
    assert_eq!([0, 4, 5, 10, 15].map(millis), [100, 100, 200, 400, 800]);
    assert_eq!([20, 1_000, u32::MAX].map(millis), [1_000; 3]);
}

#[tokio::test]
async fn nothing_is_published_where_nobody_could_see_it_or_it_is_forbidden() {
    let folder = tempfile::tempdir().unwrap();
    let log = AuditLog::in_folder(folder.path());
    let refusal = async |environment: Environment| {
        let pipeline = Pipeline::connect(&environment).unwrap();
        let pipeline = pipeline.with_authority(Authority {
            log: Some(log.clone()),
            ..Authority::default()
        });
        let never = CancellationToken::new();
        pipeline
            .publish_probe(SETTINGS, &never)
            .await
            .unwrap_err()
            .kind
    };
    let blind = Environment {
        api_url: None,
        database_url: None,
        ..Environment::example()
    };
    assert_eq!(refusal(blind).await, PipelineErrorKind::NotConfigured);
    let seen = Environment {
        api_url: Some("http://127.0.0.1:1".to_owned()),
        ..Environment::example()
    };
    let read_only = Environment {
        read_only: true,
        ..seen.clone()
    };
    let production = Environment {
        is_production: true,
        ..seen
    };
    for environment in [read_only, production] {
        assert_eq!(refusal(environment).await, PipelineErrorKind::NotPermitted);
    }
    assert!(log.read().unwrap().entries.is_empty());
}

#[tokio::test]
async fn topic_that_cannot_be_reached_is_not_asked_and_a_cancelled_probe_is_none() {
    let environment = Environment {
        endpoint_url: Some("http://127.0.0.1:1".to_owned()),
        api_url: Some("http://127.0.0.1:1".to_owned()),
        ..Environment::example()
    };
    let pipeline = Pipeline::connect(&environment).unwrap();
    let cancel = CancellationToken::new();
    let probe = pipeline
        .publish_probe(SETTINGS, &cancel)
        .await
        .unwrap()
        .unwrap();
    assert!(probe.is_uncertain() && !probe.may_be_stored());
    let failure = probe.failure.unwrap();
    let expected = (ProbeHop::Published, FailureReason::NotAsked);
    assert_eq!((failure.hop, failure.reason), expected);
    cancel.cancel();
    assert_eq!(pipeline.publish_probe(SETTINGS, &cancel).await, Ok(None));
}

/// The path and the body of the next request on a connection.
async fn request(client: &mut TcpStream) -> Option<(String, String)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let path = head.split(' ').nth(1)?.to_owned();
    let length = head
        .to_ascii_lowercase()
        .split_once("content-length: ")
        .map_or(0, |(_, rest)| rest.lines().next().unwrap().parse().unwrap());
    let mut body = vec![0; length];
    client.read_exact(&mut body).await.ok()?;
    Some((path, String::from_utf8(body).ok()?))
}

/// SNS that takes each request and closes the connection, and an API that answers look-ups as it is told: nobody knows
/// what SNS did but the ledger.
async fn unanswering(look_up: fn(&Value) -> Option<Value>) -> Pipeline {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let Some((path, body)) = request(&mut client).await else {
                continue;
            };
            let answer = match path.as_str() {
                "/v1/records/lookup" => look_up(&serde_json::from_str(&body).unwrap()),
                "/v1/records/7" => Some(json!({
                    "record_id": 7, "source": "/s", "id": "1", "type": "t", "payload": {},
                    "occurred_at": "2026-11-28T10:00:00Z", "ingested_at": "2026-11-28T10:00:00Z",
                })),
                _ => None,
            };
            let Some(answer) = answer else { continue };
            let answer = answer.to_string();
            let answer = format!(
                "HTTP/1.1 200 -\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{answer}",
                answer.len()
            );
            client.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let environment = Environment {
        endpoint_url: Some(url.clone()),
        api_url: Some(url),
        database_url: None,
        ..Environment::example()
    };
    Pipeline::connect(&environment).unwrap()
}

async fn probed(pipeline: &Pipeline) -> Probe {
    let never = CancellationToken::new();
    let probe = pipeline.publish_probe(SETTINGS, &never).await;
    probe.unwrap().unwrap()
}

#[tokio::test]
async fn event_whose_publication_had_no_answer_is_followed_all_the_same() {
    let found = |asked: &Value| {
        let key = &asked["identities"][0];
        Some(json!({"items": [{
            "source": key["source"], "id": key["id"], "record_id": 7,
            "occurred_at": "2026-11-28T10:00:00Z",
        }]}))
    };
    let probe = probed(&unanswering(found).await).await;
    assert_eq!((&probe.failure, &probe.published), (&None, &None));
    let (stored, readable) = (
        probe.stored.as_ref().unwrap(),
        probe.readable.as_ref().unwrap(),
    );
    assert_eq!(
        stored.ingested_after, None,
        "it is told from the answer of SNS on"
    );
    assert_eq!(probe.total(), Some(stored.took + readable.took));
}

#[tokio::test]
async fn event_without_an_answer_of_sns_and_of_the_ledger_is_unknown_and_not_unasked() {
    let probe = probed(&unanswering(|_| Some(json!({"items": []}))).await).await;
    let failure = probe.failure.as_ref().unwrap();
    let expected = (ProbeHop::Published, FailureReason::Unknown);
    assert_eq!((failure.hop, failure.reason), expected);
    assert!(
        failure.detail.contains("it may have been published"),
        "{failure:?}"
    );
    assert!(
        failure.detail.ends_with("not in the ledger within 1 s"),
        "{failure:?}"
    );
    assert!(probe.is_uncertain() && probe.may_be_stored());
}
