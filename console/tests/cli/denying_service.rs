//! A service at which every operation of the console is allowed but one, in the protocols of AWS: JSON for SQS, the
//! query protocol for SNS and STS, CBOR for CloudWatch, XML for S3, and the answers of the HTTP API.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::support::configuration::{NOBODY, environment_at};
use crate::support::program::Program;

/// The service, and the program that knows it.
pub(crate) struct DenyingService {
    pub(crate) program: Program,
    shared: Arc<Mutex<Rules>>,
    _runtime: Runtime,
}

struct Rules {
    /// The operation that is refused, with the code.
    refused: Option<(String, String)>,
    account: String,
    /// Whether there is a further page of alarms behind each.
    alarms_are_endless: bool,
}

impl DenyingService {
    pub(crate) fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let shared = Arc::new(Mutex::new(Rules {
            refused: None,
            account: "000000000000".to_owned(),
            alarms_are_endless: false,
        }));
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(serve).with_state(shared.clone());
        runtime.spawn(async move { axum::serve(listener, router).await });
        let program = Program::new();
        let more =
            "api_auth = \"iam\"\ningest_function = \"ingest\"\ndatabase_cluster = \"database\"\n";
        let text = environment_at("test", &url, more);
        let api = format!("{url}/api");
        program.configure(&text.replace(NOBODY, &api));
        Self {
            program,
            shared,
            _runtime: runtime,
        }
    }

    /// Denies this operation and no other.
    pub(crate) fn deny(&self, operation: &str) {
        self.refuse(operation, "AccessDenied");
    }

    /// Refuses this operation and no other.
    pub(crate) fn refuse(&self, operation: &str, code: &str) {
        let refused = (operation.to_owned(), code.to_owned());
        self.shared.lock().unwrap().refused = Some(refused);
    }

    /// Names a further page on each page of alarms.
    pub(crate) fn answer_with_endless_alarms(&self) {
        self.shared.lock().unwrap().alarms_are_endless = true;
    }

    pub(crate) fn answer_with_account(&self, account: &str) {
        account.clone_into(&mut self.shared.lock().unwrap().account);
    }
}

enum Protocol {
    Json,
    Query,
    Cbor,
    S3,
    Api,
}

async fn serve(
    State(shared): State<Arc<Mutex<Rules>>>,
    (method, uri, headers): (Method, Uri, HeaderMap),
    body: Bytes,
) -> Response {
    let (protocol, operation) = asked(&method, &uri, &headers, &body);
    let rules = shared.lock().unwrap();
    if let Some((_, code)) = rules
        .refused
        .as_ref()
        .filter(|(name, _)| *name == operation)
    {
        return refusal(&protocol, code);
    }
    match protocol {
        Protocol::Json => ok("application/x-amz-json-1.0", json_answer(&operation, &body)),
        Protocol::Query => ok("text/xml", query_answer(&operation, &rules.account)),
        Protocol::Cbor => {
            let kind = [
                ("content-type", "application/cbor"),
                ("smithy-protocol", "rpc-v2-cbor"),
            ];
            let has_more = rules.alarms_are_endless && operation == "DescribeAlarms";
            let page = if has_more {
                cbor_pair("NextToken", "more")
            } else {
                // An empty map.
                vec![0xa0]
            };
            (kind, page).into_response()
        }
        Protocol::S3 if operation == "ListObjectsV2" => ok("application/xml", LIST.to_owned()),
        Protocol::S3 => {
            let text = "<Error><Code>NoSuchKey</Code></Error>";
            (StatusCode::NOT_FOUND, text).into_response()
        }
        Protocol::Api => ok(
            "application/json",
            r#"{"items":[],"retention_horizon":null}"#.to_owned(),
        ),
    }
}

fn asked(method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> (Protocol, String) {
    if let Some(target) = headers.get("x-amz-target") {
        let operation = target.to_str().unwrap().rsplit('.').next().unwrap();
        return (Protocol::Json, operation.to_owned());
    }
    let path = uri.path();
    if let Some((_, operation)) = path.split_once("/operation/") {
        return (Protocol::Cbor, operation.to_owned());
    }
    if let Some(path) = path.strip_prefix("/api") {
        return (Protocol::Api, format!("{method} {path}"));
    }
    // Lambda's paths begin with the day of their version.
    let of_lambda = [
        ("/configuration", "GetFunctionConfiguration"),
        ("/concurrency", "GetFunctionConcurrency"),
        ("/event-source-mappings/", "ListEventSourceMappings"),
    ];
    let of_lambda = of_lambda.into_iter().find(|(end, _)| path.ends_with(end));
    if let Some((_, operation)) = of_lambda.filter(|_| path.starts_with("/20")) {
        return (Protocol::Json, operation.to_owned());
    }
    if *method == Method::GET {
        let is_list = uri
            .query()
            .is_some_and(|query| query.contains("list-type=2"));
        let operation = if is_list {
            "ListObjectsV2"
        } else {
            "GetObject"
        };
        return (Protocol::S3, operation.to_owned());
    }
    let form = std::str::from_utf8(body).unwrap();
    let mut pairs = form.split('&');
    let action = pairs.find_map(|pair| pair.strip_prefix("Action=")).unwrap();
    (Protocol::Query, action.to_owned())
}

fn ok(kind: &'static str, body: String) -> Response {
    ([("content-type", kind)], body).into_response()
}

fn json_answer(operation: &str, body: &[u8]) -> String {
    match operation {
        "GetQueueAttributes" => {
            let body: serde_json::Value = serde_json::from_slice(body).unwrap();
            let name = body["QueueUrl"]
                .as_str()
                .unwrap()
                .rsplit('/')
                .next()
                .unwrap();
            let arn = format!("arn:aws:sqs:us-east-1:000000000000:{name}");
            json!({"Attributes": {"QueueArn": arn}}).to_string()
        }
        // As SQS refuses a receipt handle that it never gave out.
        "ChangeMessageVisibilityBatch" | "DeleteMessageBatch" => {
            let failed = json!({"Id": "0", "Code": "ReceiptHandleIsInvalid", "SenderFault": true});
            json!({"Successful": [], "Failed": [failed]}).to_string()
        }
        "DescribeLogGroups" => {
            json!({"logGroups": [{"logGroupName": "/aws/lambda/ingest"}]}).to_string()
        }
        _ => "{}".to_owned(),
    }
}

fn query_answer(operation: &str, account: &str) -> String {
    let result = match operation {
        "GetCallerIdentity" => format!(
            "<Arn>arn:aws:sts::{account}:assumed-role/operator/me</Arn><UserId>AROA</UserId>\
             <Account>{account}</Account>"
        ),
        "DescribeDBClusters" => "<DBClusters><DBCluster/></DBClusters>".to_owned(),
        _ => "<Attributes/>".to_owned(),
    };
    format!(
        "<{operation}Response><{operation}Result>{result}</{operation}Result></{operation}Response>"
    )
}

const LIST: &str = "<ListBucketResult><Name>exports</Name><KeyCount>0</KeyCount>\
                    <IsTruncated>false</IsTruncated></ListBucketResult>";

fn refusal(protocol: &Protocol, code: &str) -> Response {
    let status = StatusCode::FORBIDDEN;
    match protocol {
        Protocol::Json => {
            let body = json!({"__type": format!("com.amazon.coral.service#{code}")});
            let kind = ("content-type", "application/x-amz-json-1.0");
            (status, [kind], body.to_string()).into_response()
        }
        Protocol::Query => {
            let error = format!("<Type>Sender</Type><Code>{code}</Code><Message>no</Message>");
            let body = format!("<ErrorResponse><Error>{error}</Error></ErrorResponse>");
            (status, [("content-type", "text/xml")], body).into_response()
        }
        Protocol::Cbor => {
            let kind = [
                ("content-type", "application/cbor"),
                ("smithy-protocol", "rpc-v2-cbor"),
            ];
            (status, kind, cbor_pair("__type", code)).into_response()
        }
        Protocol::S3 => {
            let body = format!("<Error><Code>{code}</Code></Error>");
            (status, body).into_response()
        }
        Protocol::Api => {
            let kind = ("content-type", "application/json");
            (status, [kind], r#"{"message":"Forbidden"}"#).into_response()
        }
    }
}

/// A map with one pair of short texts (RFC 8949, 3.1).
fn cbor_pair(name: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| {
        let length = u8::try_from(text.len()).unwrap();
        assert!(length < 24, "{text}");
        [&[0x60 | length], text.as_bytes()].concat()
    };
    [vec![0xa1], text(name), text(value)].concat()
}
