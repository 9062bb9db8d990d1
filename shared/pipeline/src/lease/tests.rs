//! The set against a queue on loopback that records when it was asked and fails as a test says.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::PlannedChange;
use crate::audit::Operation;
use crate::environment::Environment;

const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(60);

/// A dead-letter queue without a clock: what is hidden stays hidden until it is released.
#[derive(Debug, Default)]
struct Queue {
    visible: Vec<usize>,
    /// By receipt handle.
    hidden: HashMap<String, usize>,
    deleted: HashSet<usize>,
    /// Messages that can be neither released nor deleted.
    stuck: HashSet<usize>,
    received_at: Vec<DateTime<Utc>>,
    receives: usize,
    /// Receives that are executed and not answered.
    silent_receives: usize,
}

impl Queue {
    fn of(messages: usize, stuck: HashSet<usize>) -> Self {
        Self {
            visible: (0..messages).collect(),
            stuck,
            ..Self::default()
        }
    }

    fn answer(&mut self, operation: &str, request: &Value) -> Value {
        match operation {
            "ReceiveMessage" => self.receive(request),
            "ChangeMessageVisibilityBatch" => self.change(request, |queue, message, entry| {
                if entry["VisibilityTimeout"] == 0 {
                    queue.visible.push(message);
                } else {
                    let handle = entry["ReceiptHandle"].as_str().unwrap().to_owned();
                    queue.hidden.insert(handle, message);
                }
            }),
            "DeleteMessageBatch" => self.change(request, |queue, message, _| {
                queue.deleted.insert(message);
            }),
            _ => json!({"Attributes": {
                "ApproximateNumberOfMessages": self.visible.len().to_string(),
                "ApproximateNumberOfMessagesNotVisible": self.hidden.len().to_string(),
            }}),
        }
    }

    fn receive(&mut self, request: &Value) -> Value {
        self.received_at.push(Utc::now());
        let count = usize::try_from(request["MaxNumberOfMessages"].as_u64().unwrap()).unwrap();
        let rest = self.visible.split_off(count.min(self.visible.len()));
        let given = std::mem::replace(&mut self.visible, rest);
        let messages = given.into_iter().map(|message| {
            self.receives += 1;
            let handle = format!("{message} by receive {}", self.receives);
            self.hidden.insert(handle.clone(), message);
            json!({"MessageId": message.to_string(), "ReceiptHandle": handle, "Body": "{}"})
        });
        json!({"Messages": messages.collect::<Vec<_>>()})
    }

    fn change(&mut self, request: &Value, change: impl Fn(&mut Self, usize, &Value)) -> Value {
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for entry in request["Entries"].as_array().unwrap() {
            let handle = entry["ReceiptHandle"].as_str().unwrap();
            let message = self.hidden.get(handle).copied();
            match message.filter(|message| !self.stuck.contains(message)) {
                Some(message) => {
                    self.hidden.remove(handle);
                    change(self, message, entry);
                    successful.push(json!({"Id": entry["Id"]}));
                }
                None => failed.push(json!({"Id": entry["Id"], "Code": "No", "SenderFault": true})),
            }
        }
        json!({"Successful": successful, "Failed": failed})
    }
}

/// A pipeline whose dead-letter queue is on loopback.
async fn start(queue: Queue) -> (Pipeline, Arc<Mutex<Queue>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let environment = Environment {
        endpoint_url: Some(format!("http://{}", listener.local_addr().unwrap())),
        ..Environment::example()
    };
    let queue = Arc::new(Mutex::new(queue));
    let served = Arc::clone(&queue);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(serve(client, Arc::clone(&served)));
        }
    });
    (Pipeline::connect(&environment).unwrap(), queue)
}

async fn serve(client: TcpStream, queue: Arc<Mutex<Queue>>) {
    let mut client = BufReader::new(client);
    loop {
        let (mut operation, mut bytes) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if client.read_line(&mut line).await.unwrap_or(0) == 0 {
                return;
            }
            let Some((name, value)) = line.trim().split_once(':') else {
                match line.trim().is_empty() {
                    true => break,
                    false => continue,
                }
            };
            match name.to_ascii_lowercase().as_str() {
                "x-amz-target" => operation = value.trim().replace("AmazonSQS.", ""),
                "content-length" => bytes = value.trim().parse().unwrap(),
                _ => {}
            }
        }
        let mut body = vec![0; bytes];
        client.read_exact(&mut body).await.unwrap();
        let request = serde_json::from_slice(&body).unwrap();
        let answer = {
            let mut queue = queue.lock().unwrap();
            let answer = queue.answer(&operation, &request).to_string();
            if operation == "ReceiveMessage" && queue.silent_receives > 0 {
                queue.silent_receives -= 1;
                return;
            }
            answer
        };
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0";
        let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{answer}", answer.len());
        client.write_all(answer.as_bytes()).await.unwrap();
    }
}

async fn receive(leases: &LeaseSet, messages_max: usize) -> Vec<String> {
    let received = leases
        .receive(messages_max, &CancellationToken::new())
        .await;
    let messages = received.unwrap().unwrap().messages.into_iter();
    messages.map(|message| message.message_id).collect()
}

#[test]
fn message_whose_timeout_ends_soon_has_no_handle() {
    let pipeline = Pipeline::connect(&Environment::example()).unwrap();
    let leases = LeaseSet::new(&pipeline, VISIBILITY_TIMEOUT);
    for (message_id, secs) in [("long", 60), ("short", 20), ("ended", -1)] {
        let until = Utc::now() + chrono::TimeDelta::seconds(secs);
        leases.adopt(message_id, &format!("handle of {message_id}"), until);
    }
    let handle = |message_id| leases.handle(message_id, Duration::from_secs(30));
    assert_eq!(handle("long").as_deref(), Some("handle of long"));
    for message_id in ["short", "ended", "unknown"] {
        assert_eq!(handle(message_id), None, "{message_id}");
    }
    assert_eq!(
        leases.newest("ended").map(|newest| newest.0).as_deref(),
        Some("handle of ended")
    );
}

#[tokio::test]
async fn timeout_is_counted_from_before_the_request() {
    let (pipeline, queue) = start(Queue::of(10, HashSet::new())).await;
    let leases = LeaseSet::new(&pipeline, VISIBILITY_TIMEOUT);
    let poll = leases.poll(10, &CancellationToken::new()).await;
    let asked_at = queue.lock().unwrap().received_at[0];
    assert_eq!(poll.messages.len(), 10);
    for message in &poll.messages {
        assert!(
            message.hidden_until <= asked_at + VISIBILITY_TIMEOUT,
            "{message:?}"
        );
    }
    leases.extend_all(VISIBILITY_TIMEOUT).await.unwrap();
    assert!(leases.hidden().until > Some(poll.messages[0].hidden_until));
}

#[tokio::test]
async fn two_sets_never_have_the_same_message() {
    let (pipeline, _) = start(Queue::of(95, HashSet::new())).await;
    let sets = [(); 2].map(|()| LeaseSet::new(&pipeline, VISIBILITY_TIMEOUT));
    let [first, second] = &sets;
    let (first, second) = tokio::join!(receive(first, 95), receive(second, 95));
    let all: HashSet<&String> = first.iter().chain(&second).collect();
    assert_eq!((first.len() + second.len(), all.len()), (95, 95));
}

#[tokio::test]
async fn message_that_comes_again_is_known_and_has_its_newest_handle() {
    let (pipeline, queue) = start(Queue::of(3, HashSet::new())).await;
    let leases = LeaseSet::new(&pipeline, VISIBILITY_TIMEOUT);
    assert_eq!(receive(&leases, 10).await.len(), 3);
    let (older, _) = leases.newest("1").unwrap();
    {
        let mut queue = queue.lock().unwrap();
        let ended = queue.hidden.remove(&older).unwrap();
        queue.visible.push(ended);
    }
    assert_eq!(receive(&leases, 10).await, Vec::<String>::new());
    assert_ne!(leases.newest("1").unwrap().0, older);
    assert_eq!(leases.release_all().await, Hidden::default());
    assert_eq!(queue.lock().unwrap().visible.len(), 3);
}

#[tokio::test]
async fn cancelled_receive_keeps_what_came_for_the_release() {
    let (pipeline, queue) = start(Queue::of(30, HashSet::new())).await;
    let leases = LeaseSet::new(&pipeline, VISIBILITY_TIMEOUT);
    let cancel = CancellationToken::new();
    leases.poll(20, &cancel).await;
    cancel.cancel();
    assert_eq!(leases.receive(10, &cancel).await.unwrap(), None);
    assert_eq!(leases.len(), 20);
    assert_eq!(leases.release_all().await, Hidden::default());
    assert_eq!(queue.lock().unwrap().visible.len(), 30);
}

#[tokio::test]
async fn queue_that_does_not_answer_a_release_leaves_all_hidden() {
    let pipeline = Pipeline::connect(&Environment::example()).unwrap();
    let leases = LeaseSet::new(&pipeline, VISIBILITY_TIMEOUT);
    let until = Utc::now() + VISIBILITY_TIMEOUT;
    for number in 0..25 {
        leases.adopt(&number.to_string(), "h", until);
    }
    assert!(leases.extend_all(2 * VISIBILITY_TIMEOUT).await.is_err());
    let hidden = leases.release_all().await;
    assert_eq!((hidden.messages_max, hidden.until), (25, Some(until)));
}

#[tokio::test]
async fn release_that_reaches_its_limit_leaves_the_rest_hidden() {
    let (pipeline, queue) = start(Queue::of(25, HashSet::new())).await;
    let leases = LeaseSet::new(&pipeline, VISIBILITY_TIMEOUT);
    assert_eq!(receive(&leases, 25).await.len(), 25);
    let all = std::mem::take(&mut leases.lock().leases);
    let released = leases.release_these(all.into_iter().collect(), Duration::ZERO);
    assert_eq!(released.await.messages_max, 25);
    assert_eq!(queue.lock().unwrap().visible.len(), 0);
}

#[tokio::test]
async fn message_that_could_not_be_released_can_be_released_again() {
    let (pipeline, queue) = start(Queue::of(12, HashSet::from([3, 4]))).await;
    let leases = LeaseSet::of(&pipeline, QueueRole::Source, VISIBILITY_TIMEOUT);
    assert_eq!(receive(&leases, 12).await.len(), 12);
    let hidden = leases.try_release_all().await;
    assert_eq!((hidden.messages_max, leases.len()), (2, 2));
    assert_eq!(queue.lock().unwrap().visible.len(), 10);
    queue.lock().unwrap().stuck.clear();
    assert_eq!(leases.try_release_all().await, Hidden::default());
    assert_eq!(queue.lock().unwrap().visible.len(), 12);
}

#[tokio::test]
async fn release_that_is_given_up_leaves_its_messages_in_the_set() {
    let (pipeline, queue) = start(Queue::of(25, HashSet::new())).await;
    let leases = LeaseSet::new(&pipeline, VISIBILITY_TIMEOUT);
    let ids = receive(&leases, 25).await;
    for given_up in [2, 25] {
        let ids = ids.iter().take(given_up).map(String::as_str);
        let mut release = Box::pin(leases.release(ids));
        assert!(futures::poll!(&mut release).is_pending());
        drop(release);
        assert_eq!(leases.hidden().messages_max, 25);
    }
    assert_eq!(leases.release_all().await, Hidden::default());
    assert_eq!(queue.lock().unwrap().visible.len(), 25);
}

#[test]
fn message_whose_timeout_has_ended_is_not_hidden() {
    let pipeline = Pipeline::connect(&Environment::example()).unwrap();
    let leases = LeaseSet::new(&pipeline, VISIBILITY_TIMEOUT);
    let now = Utc::now();
    leases.adopt("hidden", "h", now + VISIBILITY_TIMEOUT);
    leases.adopt("ended", "h", now);
    assert_eq!((leases.len(), leases.hidden_at(now)), (2, 1));
}

#[tokio::test]
async fn receive_without_an_answer_counts_as_a_batch_that_stays_hidden() {
    let queue = Queue {
        silent_receives: 1,
        ..Queue::of(15, HashSet::new())
    };
    let (pipeline, queue) = start(queue).await;
    let leases = LeaseSet::new(&pipeline, VISIBILITY_TIMEOUT);
    let received = receive(&leases, 100).await.len();
    assert_eq!(queue.lock().unwrap().hidden.len(), 15);
    assert!(received < 15, "{received}");
    let missing = leases.unanswered();
    assert_eq!(missing.messages_max, 10);
    let hidden = leases.release_all().await;
    assert_eq!(hidden, missing, "all others are released");
    assert!(hidden.until > Some(Utc::now()));
    assert_eq!(queue.lock().unwrap().hidden.len(), 15 - received);
    assert_eq!(leases.hidden(), Hidden::default(), "reported once");
}

#[tokio::test]
async fn round_that_is_given_up_counts_its_calls() {
    let (pipeline, _) = start(Queue::of(0, HashSet::new())).await;
    let leases = LeaseSet::new(&pipeline, VISIBILITY_TIMEOUT);
    let never = CancellationToken::new();
    let mut round = Box::pin(leases.poll(25, &never));
    assert!(futures::poll!(&mut round).is_pending());
    drop(round);
    assert_eq!(leases.hidden().messages_max, 30);
}

#[tokio::test]
async fn lost_message_is_reported_once_and_never_extended() {
    let (pipeline, queue) = start(Queue::of(3, HashSet::new())).await;
    let leases = LeaseSet::new(&pipeline, VISIBILITY_TIMEOUT);
    let ids = receive(&leases, 10).await;
    let (handle, _) = leases.newest(&ids[0]).unwrap();
    let now = Utc::now();
    leases.adopt(&ids[0], &handle, now);
    assert_eq!(leases.take_lost(now), ids[..1]);
    assert_eq!(leases.take_lost(now), Vec::<String>::new());
    leases.extend_all(2 * VISIBILITY_TIMEOUT).await.unwrap();
    assert_eq!(leases.newest(&ids[0]), None);
    assert_eq!(leases.release_all().await, Hidden::default());
    assert_eq!(
        queue.lock().unwrap().hidden.len(),
        1,
        "its handle is unused"
    );
}

#[tokio::test]
async fn kept_messages_are_extended_for_as_long_as_somebody_waits() {
    let (pipeline, _) = start(Queue::of(12, HashSet::new())).await;
    let leases = LeaseSet::new(&pipeline, VISIBILITY_TIMEOUT);
    receive(&leases, 12).await;
    let first = leases.first_hidden_until();
    let extended = async {
        while leases.first_hidden_until() <= first {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        never = leases.keep(VISIBILITY_TIMEOUT, 2 * VISIBILITY_TIMEOUT) => match never {},
        () = extended => {}
    }
}

#[tokio::test]
async fn message_that_sqs_does_not_extend_is_lost_at_once() {
    let (pipeline, _) = start(Queue::of(12, HashSet::from([3, 4]))).await;
    let leases = LeaseSet::new(&pipeline, VISIBILITY_TIMEOUT);
    assert_eq!(receive(&leases, 12).await.len(), 12);
    leases.extend_all(2 * VISIBILITY_TIMEOUT).await.unwrap();
    assert_eq!(leases.handle("3", Duration::ZERO), None);
    let mut lost = leases.take_lost(Utc::now());
    lost.sort();
    assert_eq!(lost, ["3", "4"]);
    assert_eq!(leases.len(), 10);
}

/// What was received, deleted and released, and what stayed hidden.
async fn account(
    messages: usize,
    deleted: usize,
    released: usize,
    stuck: HashSet<usize>,
) -> (usize, usize, usize, usize) {
    let (pipeline, queue) = start(Queue::of(messages, stuck)).await;
    let leases = LeaseSet::new(&pipeline, VISIBILITY_TIMEOUT);
    let received = receive(&leases, messages).await;
    let change = PlannedChange {
        operation: Operation::Delete,
        target: "q".to_owned(),
        planned: deleted,
        details: Value::Null,
    };
    let permit = pipeline.begin_change(change).await.unwrap();
    let (doomed, others) = received.split_at(deleted.min(received.len()));
    let handles: Vec<String> = doomed
        .iter()
        .filter_map(|id| leases.handle(id, Duration::ZERO))
        .collect();
    let outcomes = pipeline.delete_dead_letters(&permit, &handles).await;
    permit.end([], None).await.unwrap();
    let gone = doomed
        .iter()
        .zip(outcomes)
        .filter(|(_, outcome)| outcome.is_ok());
    leases.forget(gone.map(|(id, _)| id.as_str()));
    let some = others.iter().take(released).map(String::as_str);
    let hidden = leases.release(some).await.and(leases.release_all().await);
    let queue = queue.lock().unwrap();
    assert_eq!(hidden.messages_max, queue.hidden.len());
    assert_eq!(hidden.until.is_some(), hidden.messages_max > 0);
    let sum = (received.len(), queue.deleted.len(), queue.visible.len());
    (sum.0, sum.1, sum.2, hidden.messages_max)
}

proptest! {
    #[test]
    fn message_is_in_one_of_two_sets_and_the_lease_that_ends_later_stays(
        ours in proptest::collection::hash_map(0_u8..20, 0_i64..100, 0..20),
        again in proptest::collection::hash_map(0_u8..20, 0_i64..100, 0..20),
        split in proptest::collection::hash_set(0_u8..20, 0..20),
    ) {
        let pipeline = Pipeline::connect(&Environment::example()).unwrap();
        let at = |secs| DateTime::<Utc>::UNIX_EPOCH + chrono::TimeDelta::seconds(secs);
        let set = LeaseSet::new(&pipeline, VISIBILITY_TIMEOUT);
        let adopt = |(id, secs): (&u8, &i64)| {
            set.adopt(&id.to_string(), &format!("{id} until {secs}"), at(*secs));
        };
        ours.iter().for_each(adopt);
        let ids: Vec<String> = split.iter().map(u8::to_string).collect();
        let own = set.split_off(ids.iter().map(String::as_str));
        let expected = split.iter().filter(|id| ours.contains_key(id)).count();
        prop_assert_eq!((own.len(), set.len()), (expected, ours.len() - expected));
        again.iter().for_each(adopt);
        set.append(&own);
        prop_assert!(own.is_empty());
        for id in 0..20 {
            // What was not split off was replaced by what was adopted last.
            let first = ours.get(&id).filter(|_| split.contains(&id) || !again.contains_key(&id));
            let until = first.max(again.get(&id)).map(|secs| at(*secs));
            let newest = set.newest(&id.to_string());
            prop_assert_eq!(newest.map(|(_, until)| until), until);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn received_messages_are_deleted_released_or_reported_as_hidden(
        messages in 0_usize..90,
        deleted in 0_usize..90,
        released in 0_usize..90,
        stuck in proptest::collection::hash_set(0_usize..90, 0..20),
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let account = account(messages, deleted, released, stuck);
        let (received, deleted, released, hidden) = runtime.block_on(account);
        prop_assert_eq!(received, messages);
        prop_assert_eq!(received, deleted + released + hidden);
    }
}
