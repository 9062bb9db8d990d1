//! A proxy to the queues that fails as the test says.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What happens to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QueueFault {
    /// It is not done: sent too fast, in one of the ways of the service.
    Throttled(&'static str),
    /// It is not done and never will be: a permission is missing, or the queue.
    Shut(&'static str),
    /// It is not done: the service is out of order.
    OutOfOrder,
    /// The first entry and each second one after it are not done.
    EntriesFail { sender_fault: bool },
    /// The connection is cut before the service has it.
    CutBefore,
    /// It is done, and the connection is cut before the answer.
    CutAfter,
    /// Nobody ever answers.
    Silence,
}

pub(crate) struct QueueProxy {
    pub(crate) url: String,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: String,
    faults: Mutex<VecDeque<QueueFault>>,
    calls: AtomicUsize,
}

impl QueueProxy {
    pub(crate) async fn start(endpoint_url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            upstream: endpoint_url.trim_start_matches("http://").to_owned(),
            faults: Mutex::default(),
            calls: AtomicUsize::new(0),
        });
        let accepting = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = Arc::clone(&accepting);
                tokio::spawn(async move { forward(client, &shared).await });
            }
        });
        Self { url, shared }
    }

    /// The next calls fail like this, one each.
    pub(crate) fn fail_next(&self, faults: impl IntoIterator<Item = QueueFault>) {
        self.shared.faults.lock().unwrap().extend(faults);
    }

    /// Calls that came in so far.
    pub(crate) fn calls(&self) -> usize {
        self.shared.calls.load(Ordering::SeqCst)
    }
}

/// Ends, and so closes the connection, when either side ends it or a fault says so.
async fn forward(mut client: TcpStream, shared: &Shared) -> Option<()> {
    let mut upstream = TcpStream::connect(&shared.upstream).await.ok()?;
    loop {
        let mut request = Message::read(&mut client).await?;
        shared.calls.fetch_add(1, Ordering::SeqCst);
        let fault = shared.faults.lock().unwrap().pop_front();
        let answer = match fault {
            None => request.ask(&mut upstream).await?,
            Some(QueueFault::CutBefore) => return None,
            Some(QueueFault::CutAfter) => {
                request.ask(&mut upstream).await?;
                return None;
            }
            Some(QueueFault::Silence) => std::future::pending().await,
            Some(QueueFault::Throttled(code) | QueueFault::Shut(code)) => {
                Message::failure("400 Bad Request", code)
            }
            Some(QueueFault::OutOfOrder) => {
                Message::failure("503 Service Unavailable", "ServiceUnavailable")
            }
            Some(QueueFault::EntriesFail { sender_fault }) => {
                let failed = request.remove_each_second();
                let mut answer = if request.body["Entries"].as_array().unwrap().is_empty() {
                    Message::new("HTTP/1.1 200 OK", json!({"Successful": []}))
                } else {
                    request.ask(&mut upstream).await?
                };
                let failed = failed.into_iter().map(|entry| {
                    json!({
                        "Id": entry["Id"], "Code": "InternalError", "Message": "not now",
                        "SenderFault": sender_fault,
                    })
                });
                answer.body["Failed"] = failed.collect();
                answer
            }
        };
        answer.write(&mut client).await?;
    }
}

/// One HTTP request or answer.
struct Message {
    /// Without the empty line and without the length.
    head: String,
    body: Value,
}

impl Message {
    fn new(head: &str, body: Value) -> Self {
        Self {
            head: format!("{head}\r\ncontent-type: application/x-amz-json-1.0"),
            body,
        }
    }

    fn failure(status: &str, code: &str) -> Self {
        let body = json!({"__type": format!("com.amazonaws.sqs#{code}"), "message": "slower"});
        Self::new(&format!("HTTP/1.1 {status}"), body)
    }

    fn remove_each_second(&mut self) -> Vec<Value> {
        let entries = self.body["Entries"].as_array_mut().unwrap();
        let mut number = 0;
        entries
            .extract_if(.., |_| {
                number += 1;
                number % 2 == 1
            })
            .collect()
    }

    async fn ask(&self, upstream: &mut TcpStream) -> Option<Self> {
        self.write(upstream).await?;
        Self::read(upstream).await
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
        let head = String::from_utf8(bytes[..begin].to_vec()).ok()?;
        let is_length = |line: &&str| line.to_ascii_lowercase().starts_with("content-length:");
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
            body: serde_json::from_slice(&body).unwrap(),
        })
    }

    async fn write(&self, stream: &mut TcpStream) -> Option<()> {
        let body = self.body.to_string();
        let text = format!(
            "{}\r\ncontent-length: {}\r\n\r\n{body}",
            self.head,
            body.len()
        );
        stream.write_all(text.as_bytes()).await.ok()
    }
}
