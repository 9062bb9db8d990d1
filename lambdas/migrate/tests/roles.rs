//! The calls to the RDS Data API, against a test server with the responses of the service.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_sdk_rdsdata::Client;
use migrate::{RoleDeps, RoleSettings, Users, create_roles};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

const DONE: &str = r#"{"generatedFields":[],"numberOfRecordsUpdated":0}"#;
/// API reference of the RDS Data Service, `DatabaseResumingException` and `DatabaseErrorException`.
const RESUMING: (&str, &str) = (
    "DatabaseResumingException",
    r#"{"message":"The Aurora DB instance is resuming after being auto-paused."}"#,
);
const REFUSED: (&str, &str) = (
    "DatabaseErrorException",
    r#"{"message":"ERROR: role \"rds_iam\" does not exist; SQLState: 42704"}"#,
);

/// Serves the responses in turn, the last one repeatedly; records the requests.
async fn service(
    errors: Vec<(&'static str, &'static str)>,
) -> (RoleDeps, UnboundedReceiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint_url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, receiver) = unbounded_channel();
    tokio::spawn(async move {
        let mut errors = errors.into_iter();
        while let Ok((mut stream, _)) = listener.accept().await {
            let request = read_request(&mut stream).await;
            let answer = match errors.next() {
                Some((kind, body)) => format!(
                    "HTTP/1.1 400 Bad Request\r\nx-amzn-errortype: {kind}\r\nconnection: close\r\n\
                     content-length: {}\r\n\r\n{body}",
                    body.len()
                ),
                None => format!(
                    "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{DONE}",
                    DONE.len()
                ),
            };
            stream.write_all(answer.as_bytes()).await.unwrap();
            sender.send(request).ok();
        }
    });
    let config = aws_config::SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint_url)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .credentials_provider(
            aws_credential_types::provider::SharedCredentialsProvider::new(Credentials::new(
                "akid", "secret", None, None, "test",
            )),
        )
        .build();
    let settings = RoleSettings {
        cluster_arn: "arn:aws:rds:us-east-1:123456789012:cluster:events".to_owned(),
        secret_arn: "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!x".to_owned(),
        database: "pipeline".to_owned(),
    };
    let deps = RoleDeps {
        client: Client::new(&config),
        settings,
    };
    (deps, receiver)
}

/// Path and body of a request.
async fn read_request(stream: &mut TcpStream) -> (String, Value) {
    let mut bytes = Vec::new();
    loop {
        stream.read_buf(&mut bytes).await.unwrap();
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && let Ok(body) = serde_json::from_str(body)
        {
            let path = head.split(' ').nth(1).unwrap().to_owned();
            return (path, body);
        }
    }
}

fn users() -> Users {
    serde_json::from_value(json!({"users": ["ingest"]})).unwrap()
}

#[tokio::test]
async fn each_statement_is_one_call_and_waits_for_a_paused_database() {
    let (deps, mut requests) = service(vec![RESUMING]).await;
    let report = create_roles(users(), &deps).await.unwrap();
    assert_eq!(
        serde_json::to_value(&report).unwrap(),
        json!({"users": ["ingest"]})
    );
    let mut statements = Vec::new();
    while let Ok((path, body)) = requests.try_recv() {
        assert_eq!(path, "/Execute");
        let sql = body["sql"].as_str().unwrap().to_owned();
        assert_eq!(
            body,
            json!({
                "resourceArn": deps.settings.cluster_arn,
                "secretArn": deps.settings.secret_arn,
                "database": "pipeline",
                "sql": sql,
            })
        );
        statements.push(sql);
    }
    let names = ["ingest".to_owned()];
    let mut expected = store::role_statements(&names, "pipeline").unwrap();
    expected.insert(0, expected[0].clone());
    assert_eq!(statements, expected);
}

#[tokio::test]
async fn refused_statement_is_named_with_the_reason() {
    let (deps, _requests) = service(vec![REFUSED]).await;
    let error = create_roles(users(), &deps).await.unwrap_err().to_string();
    assert!(error.contains("create role ingest"), "{error}");
    assert!(error.contains("SQLState: 42704"), "{error}");
}
