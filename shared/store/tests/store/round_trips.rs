//! Counts round trips and bytes with a relay between the store and the server.

use std::sync::Arc;
use std::sync::Mutex;

use devstack::TestDatabase;
use event::RecordQuery;
use store::{
    ConnectSettings, PAGE_BYTES_MAX, PgPool, Reader, connect, get_record, list_records, ping,
    write_batch,
};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::JoinHandle;

use crate::events::{at, event, migrated};

/// A single `Sync` message: the driver sends it when a connection returns to the pool.
const SYNC_BYTES: usize = 5;

/// Bytes that the client sent between two responses of the server, in order.
#[derive(Default)]
struct Wire {
    bursts: Vec<usize>,
    is_client_speaking: bool,
    /// Bytes that the server sent.
    answered: usize,
}

impl Wire {
    fn client_sent(&mut self, bytes: usize) {
        match self.bursts.last_mut() {
            Some(last) if self.is_client_speaking => *last += bytes,
            Some(_) | None => self.bursts.push(bytes),
        }
        self.is_client_speaking = true;
    }

    fn server_sent(&mut self, bytes: usize) {
        self.is_client_speaking = false;
        self.answered += bytes;
    }

    /// All bursts, also those of a `Sync` alone.
    fn round_trips(&self) -> usize {
        self.bursts.len()
    }

    fn questions(&self) -> usize {
        self.bursts
            .iter()
            .filter(|bytes| **bytes > SYNC_BYTES)
            .count()
    }
}

async fn relay(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    seen: impl Fn(usize),
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(bytes @ 1..) = from.read(&mut buffer).await {
        seen(bytes);
        let Some(read) = buffer.get(..bytes) else {
            return;
        };
        if to.write_all(read).await.is_err() {
            return;
        }
    }
}

/// A pool of one connection, and what goes through it. The task ends with the pool.
async fn relayed(database: &TestDatabase) -> (PgPool, Arc<Mutex<Wire>>, JoinHandle<()>) {
    let options = database.pool().connect_options();
    let wire = Arc::new(Mutex::new(Wire::default()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let between = {
        let (options, wire) = (Arc::clone(&options), Arc::clone(&wire));
        tokio::spawn(async move {
            let (client, _) = listener.accept().await.unwrap();
            let (from_client, to_client) = client.into_split();
            let sent = |bytes| wire.lock().unwrap().client_sent(bytes);
            let answered = |bytes| wire.lock().unwrap().server_sent(bytes);
            match options.get_socket() {
                Some(folder) => {
                    let path = folder.join(format!(".s.PGSQL.{}", options.get_port()));
                    let (from_server, to_server) =
                        UnixStream::connect(path).await.unwrap().into_split();
                    tokio::join!(
                        relay(from_client, to_server, sent),
                        relay(from_server, to_client, answered)
                    )
                }
                None => {
                    let address = (options.get_host(), options.get_port());
                    let (from_server, to_server) =
                        TcpStream::connect(address).await.unwrap().into_split();
                    tokio::join!(
                        relay(from_client, to_server, sent),
                        relay(from_server, to_client, answered)
                    )
                }
            };
        })
    };
    let url = format!(
        "postgres://{}@127.0.0.1:{port}/{}?sslmode=disable",
        options.get_username(),
        options.get_database().unwrap()
    );
    let pool = connect(&ConnectSettings {
        max_connections: 1,
        ..ConnectSettings::new(url, "test")
    })
    .await
    .unwrap();
    (pool, wire, between)
}

#[tokio::test]
async fn page_of_large_records_is_all_that_is_transferred() {
    let database = migrated().await;
    let filling = "x".repeat(250_000);
    let bodies: Vec<String> = (0..500)
        .map(|number| {
            format!(
                r#"{{"specversion":"1.0","id":"{number}","source":"s","type":"t","time":"2026-11-24T12:00:00Z","data":"{filling}"}}"#
            )
        })
        .collect();
    for bodies in bodies.chunks(50) {
        let events: Vec<_> = bodies
            .iter()
            .map(|body| event::parse_event(body).unwrap())
            .collect();
        write_batch(database.pool(), &events).await.unwrap();
    }
    let (pool, wire, between) = relayed(&database).await;
    ping(&pool).await.unwrap();
    let before = wire.lock().unwrap().answered;
    let query = RecordQuery {
        limit: 500,
        ..RecordQuery::default()
    };
    let page = list_records(&pool, &query).await.unwrap();
    assert!((8..10).contains(&page.items.len()), "{}", page.items.len());
    assert!(page.next_cursor.is_some());
    // The connection takes what is left of an answer before the next question.
    ping(&pool).await.unwrap();
    let transferred = wire.lock().unwrap().answered - before;
    assert!(
        transferred < PAGE_BYTES_MAX + 2 * filling.len(),
        "{transferred}"
    );
    pool.close().await;
    between.await.unwrap();
}

#[tokio::test]
async fn batch_is_one_round_trip() {
    let database = migrated().await;
    let (pool, wire, between) = relayed(&database).await;
    let batch = |name: &str| -> Vec<_> {
        (0..500)
            .map(|n| event(&format!("{name}-{n}"), "t", at("2026-11-24T12:00:00Z")))
            .collect()
    };
    // The first batch also prepares the statement.
    write_batch(&pool, &batch("first")).await.unwrap();
    let before = wire.lock().unwrap().questions();
    for name in ["second", "third"] {
        let written = write_batch(&pool, &batch(name)).await.unwrap();
        assert_eq!(written.len(), 500);
    }
    let after = wire.lock().unwrap().questions();
    assert_eq!(after - before, 2);
    pool.close().await;
    between.await.unwrap();
}

/// A page is one statement, a record two: nothing else is asked before, between or after them.
#[tokio::test]
async fn reads_of_a_reader_are_their_statements_alone() {
    let database = migrated().await;
    let events: Vec<_> = (0..3)
        .map(|n| event(&format!("id-{n}"), "t", at("2026-11-24T12:00:00Z")))
        .collect();
    write_batch(database.pool(), &events).await.unwrap();
    let (pool, wire, between) = relayed(&database).await;
    let reader = Reader::new(pool.clone());
    let query = RecordQuery::default();
    // The first reads prepare the statements, and read where the partitions are.
    let page = list_records(&reader, &query).await.unwrap();
    let record_id = page.items[0].record_id;
    get_record(&reader, record_id).await.unwrap();
    let count = || wire.lock().unwrap().round_trips();
    let before = count();
    for _ in 0..10 {
        assert_eq!(list_records(&reader, &query).await.unwrap().items.len(), 3);
    }
    assert_eq!(count() - before, 10);
    let before = count();
    for _ in 0..10 {
        assert!(get_record(&reader, record_id).await.unwrap().is_some());
    }
    assert_eq!(count() - before, 20);
    drop(reader);
    pool.close().await;
    between.await.unwrap();
}
