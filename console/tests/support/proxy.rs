//! A proxy between the console and SQS that fails, or keeps calls waiting, as the test says.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::harness::LIMIT;

/// What happens to calls of one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is done, and the connection is closed before its answer.
    DropAnswer,
    /// It is done, and the service reports an internal failure.
    BreakAfterwards,
    /// It is not done: the service throttles it.
    Throttle,
    /// The last entry of a batch is not done, the others are.
    FailLastEntry,
    /// It is not done: the queue was purged within the last minute.
    PurgeUnderWay,
    /// It is done after so long, as if the service were far away.
    Delay(Duration),
    /// It is not done before the proxy is opened.
    KeepRequest,
    /// It is done, and its answer waits until the proxy is opened.
    KeepAnswer,
}

/// A running proxy. When it is dropped, calls that it keeps are never done or answered.
pub(crate) struct Proxy {
    pub(crate) url: String,
    is_open: watch::Sender<bool>,
    kept: watch::Receiver<usize>,
}

struct Shared {
    upstream: String,
    operation: &'static str,
    fault: Fault,
    /// The calls of the operation that fail, counted from 0.
    calls: Range<usize>,
    seen: AtomicUsize,
    is_open: watch::Receiver<bool>,
    kept: watch::Sender<usize>,
}

/// Starts a proxy to an endpoint where these calls of an operation fail.
pub(crate) async fn start(
    endpoint_url: &str,
    operation: &'static str,
    fault: Fault,
    calls: Range<usize>,
) -> Proxy {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (opens, is_open) = watch::channel(false);
    let (keeps, kept) = watch::channel(0);
    let shared = Arc::new(Shared {
        upstream: endpoint_url.trim_start_matches("http://").to_owned(),
        operation,
        fault,
        calls,
        seen: AtomicUsize::new(0),
        is_open,
        kept: keeps,
    });
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(serve(client, Arc::clone(&shared)));
        }
    });
    Proxy {
        url,
        is_open: opens,
        kept,
    }
}

impl Proxy {
    /// Waits until a call is kept.
    pub(crate) async fn wait_until_kept(&mut self) {
        let kept = self.kept.wait_for(|kept| *kept > 0);
        tokio::time::timeout(LIMIT, kept).await.unwrap().unwrap();
    }

    /// Lets go of the calls that are kept and of all later ones.
    pub(crate) fn open(&self) {
        self.is_open.send_replace(true);
    }
}

impl Shared {
    fn is_faulty(&self, request: &Message) -> bool {
        request.head.contains(self.operation)
            && (self.fault != Fault::FailLastEntry || request.entries() > 1)
            && self
                .calls
                .contains(&self.seen.fetch_add(1, Ordering::SeqCst))
    }

    /// Keeps a call until the proxy is opened; returns whether it was.
    async fn keep(&self) -> bool {
        self.kept.send_modify(|kept| *kept += 1);
        self.is_open.clone().wait_for(|open| *open).await.is_ok()
    }
}

/// Ends, and so closes the connection, when the client does or a fault says so.
async fn serve(mut client: TcpStream, shared: Arc<Shared>) {
    let mut upstream = TcpStream::connect(&shared.upstream).await.unwrap();
    client.set_nodelay(true).unwrap();
    upstream.set_nodelay(true).unwrap();
    while let Some(mut request) = Message::read(&mut client).await {
        let fault = shared.is_faulty(&request).then_some(shared.fault);
        let answer = match fault {
            None => request.send(&mut upstream).await,
            Some(Fault::DropAnswer) => {
                request.send(&mut upstream).await;
                return;
            }
            Some(Fault::KeepRequest) => {
                if !shared.keep().await {
                    return;
                }
                request.send(&mut upstream).await
            }
            Some(Fault::KeepAnswer) => {
                let answer = request.send(&mut upstream).await;
                if !shared.keep().await {
                    return;
                }
                answer
            }
            Some(Fault::Delay(round_trip)) => {
                tokio::time::sleep(round_trip).await;
                request.send(&mut upstream).await
            }
            Some(Fault::BreakAfterwards) => {
                request.send(&mut upstream).await;
                let body = json!({"__type": "InternalFailure", "message": "broken"});
                Message::failure("500 Internal Server Error", &body)
            }
            Some(Fault::Throttle) => {
                let body = json!({"__type": "ThrottlingException", "message": "slower"});
                Message::failure("400 Bad Request", &body)
            }
            Some(Fault::PurgeUnderWay) => {
                let body = json!({
                    "__type": "com.amazonaws.sqs#PurgeQueueInProgress",
                    "message": "Only one PurgeQueue operation is allowed every 60 seconds.",
                });
                let code = "x-amzn-query-error: AWS.SimpleQueueService.PurgeQueueInProgress;Sender";
                Message::failure(&format!("403 Forbidden\r\n{code}"), &body)
            }
            Some(Fault::FailLastEntry) => {
                let mut body: Value = serde_json::from_slice(&request.body).unwrap();
                let entry = body["Entries"].as_array_mut().unwrap().pop().unwrap();
                request = Message::new(&request.head, &body);
                let answer = request.send(&mut upstream).await;
                let mut body: Value = serde_json::from_slice(&answer.body).unwrap();
                let failed = json!({
                    "Id": entry["Id"],
                    "Code": "InternalError",
                    "Message": "not now",
                    "SenderFault": false,
                });
                if !body["Failed"].is_array() {
                    body["Failed"] = json!([]);
                }
                body["Failed"].as_array_mut().unwrap().push(failed);
                Message::new(&answer.head, &body)
            }
        };
        answer.write(&mut client).await;
    }
}

/// One HTTP request or answer with its whole body.
struct Message {
    /// Without the empty line and without the length.
    head: String,
    body: Vec<u8>,
}

impl Message {
    fn new(head: &str, body: &Value) -> Self {
        Self {
            head: head.to_owned(),
            body: serde_json::to_vec(body).unwrap(),
        }
    }

    fn failure(status: &str, body: &Value) -> Self {
        let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/x-amz-json-1.0");
        Self::new(&head, body)
    }

    /// Sends a request; returns its answer.
    async fn send(&self, upstream: &mut TcpStream) -> Self {
        self.write(upstream).await;
        Self::read(upstream).await.unwrap()
    }

    fn entries(&self) -> usize {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body["Entries"].as_array().map_or(0, Vec::len)
    }

    async fn read(stream: &mut TcpStream) -> Option<Self> {
        let mut bytes = Vec::new();
        let begin = loop {
            if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
            if stream.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
        };
        let is_length = |line: &&str| line.to_ascii_lowercase().starts_with("content-length:");
        let head = String::from_utf8(bytes[..begin].to_vec()).unwrap();
        let length = head
            .lines()
            .find(is_length)
            .and_then(|line| line.split_once(':'))
            .map_or(0, |(_, length)| length.trim().parse().unwrap());
        let mut body = bytes.split_off(begin + 4);
        while body.len() < length {
            if stream.read_buf(&mut body).await.ok()? == 0 {
                return None;
            }
        }
        let lines: Vec<&str> = head.lines().filter(|line| !is_length(line)).collect();
        Some(Self {
            head: lines.join("\r\n"),
            body,
        })
    }

    async fn write(&self, stream: &mut TcpStream) {
        let mut bytes = format!(
            "{}\r\ncontent-length: {}\r\n\r\n",
            self.head,
            self.body.len()
        )
        .into_bytes();
        bytes.extend_from_slice(&self.body);
        // The other side may be gone.
        let _ = stream.write_all(&bytes).await;
    }
}
