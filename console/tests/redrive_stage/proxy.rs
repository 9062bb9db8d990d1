//! A wire between the console and the queues that fails as the test says.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What happens to calls of one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is done, and the connection is closed before its answer.
    SwallowAnswer,
    /// It is done, and the service says that it failed inside.
    BreakAfterwards,
    /// It is not done: the service says that it was asked too fast.
    Throttle,
    /// The last entry of a batch is not done, the others are.
    FailLastEntry,
    /// It is not done: the queue was purged within the last minute.
    PurgeUnderWay,
    /// It is done after so long, as if the service were far away.
    Delay(Duration),
}

struct Wire {
    upstream: String,
    operation: &'static str,
    fault: Fault,
    /// Faults that are still to come.
    left: AtomicUsize,
}

/// Starts a wire to an endpoint whose first `times` calls of an operation fail. Gives its URL.
pub(crate) async fn start(
    endpoint_url: &str,
    operation: &'static str,
    fault: Fault,
    times: usize,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let wire = Arc::new(Wire {
        upstream: endpoint_url.trim_start_matches("http://").to_owned(),
        operation,
        fault,
        left: AtomicUsize::new(times),
    });
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(serve(client, Arc::clone(&wire)));
        }
    });
    url
}

impl Wire {
    fn strikes(&self, request: &Message) -> bool {
        let takes_one = |left: usize| left.checked_sub(1);
        let is_suitable = self.fault != Fault::FailLastEntry || request.entries() > 1;
        request.head.contains(self.operation)
            && is_suitable
            && self
                .left
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, takes_one)
                .is_ok()
    }
}

async fn serve(mut client: TcpStream, wire: Arc<Wire>) {
    let mut upstream = TcpStream::connect(&wire.upstream).await.unwrap();
    client.set_nodelay(true).unwrap();
    upstream.set_nodelay(true).unwrap();
    while let Some(mut request) = Message::read(&mut client).await {
        let is_faulty = wire.strikes(&request);
        if !is_faulty {
            request.write(&mut upstream).await;
            let answer = Message::read(&mut upstream).await.unwrap();
            answer.write(&mut client).await;
            continue;
        }
        match wire.fault {
            Fault::SwallowAnswer => {
                request.write(&mut upstream).await;
                Message::read(&mut upstream).await.unwrap();
                return;
            }
            Fault::BreakAfterwards => {
                request.write(&mut upstream).await;
                Message::read(&mut upstream).await.unwrap();
                let body = json!({"__type": "InternalFailure", "message": "broken"});
                let head = "HTTP/1.1 500 Internal Server Error\r\ncontent-type: application/x-amz-json-1.0";
                Message::new(head, &body).write(&mut client).await;
            }
            Fault::Throttle => {
                let body = json!({"__type": "ThrottlingException", "message": "slower"});
                let head = "HTTP/1.1 400 Bad Request\r\ncontent-type: application/x-amz-json-1.0";
                Message::new(head, &body).write(&mut client).await;
            }
            Fault::PurgeUnderWay => {
                let body = json!({
                    "__type": "com.amazonaws.sqs#PurgeQueueInProgress",
                    "message": "Only one PurgeQueue operation is allowed every 60 seconds.",
                });
                let head = "HTTP/1.1 403 Forbidden\r\ncontent-type: application/x-amz-json-1.0\r\n\
                            x-amzn-query-error: AWS.SimpleQueueService.PurgeQueueInProgress;Sender";
                Message::new(head, &body).write(&mut client).await;
            }
            Fault::Delay(round_trip) => {
                tokio::time::sleep(round_trip).await;
                request.write(&mut upstream).await;
                let answer = Message::read(&mut upstream).await.unwrap();
                answer.write(&mut client).await;
            }
            Fault::FailLastEntry => {
                let mut body: Value = serde_json::from_slice(&request.body).unwrap();
                let entry = body["Entries"].as_array_mut().unwrap().pop().unwrap();
                request = Message::new(&request.head, &body);
                request.write(&mut upstream).await;
                let answer = Message::read(&mut upstream).await.unwrap();
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
                Message::new(&answer.head, &body).write(&mut client).await;
            }
        }
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
            stream.read_buf(&mut body).await.ok()?;
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
        // The other side may be gone; that is its affair.
        let _ = stream.write_all(&bytes).await;
    }
}
