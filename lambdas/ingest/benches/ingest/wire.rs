//! A proxy before the server that adds a round-trip time and counts the round trips.
//!
//! Invariant: what the client sends arrives one round trip later, whatever its size. Threads keep the
//! time, because the timers of a runtime round to milliseconds.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// A lone `Sync` message: the driver's check of a connection that returned to the pool.
const SYNC_BYTES: usize = 5;
/// The response to it, which may arrive while the client sends again.
const READY_BYTES: usize = 6;

/// A listening proxy.
pub(crate) struct Wire {
    pub(crate) port: u16,
    flights: Arc<Flights>,
}

/// How often the client sent after the server.
#[derive(Default)]
struct Flights {
    count: AtomicUsize,
    is_client_sending: AtomicBool,
}

impl Wire {
    pub(crate) fn start(socket: PathBuf, round_trip: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let flights = Arc::new(Flights::default());
        let shared = Arc::clone(&flights);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = UnixStream::connect(&socket).unwrap();
                connect(client, server, round_trip, &shared);
            }
        });
        Self { port, flights }
    }

    /// Flights of the client so far, without lone checks.
    pub(crate) fn flights(&self) -> usize {
        self.flights.count.load(Ordering::SeqCst)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a thread that sleeps is the distance that is measured"
)]
fn connect(client: TcpStream, server: UnixStream, round_trip: Duration, flights: &Arc<Flights>) {
    client.set_nodelay(true).unwrap();
    let (sender, under_way) = mpsc::channel::<(Instant, Vec<u8>)>();
    let (mut from_client, mut to_client) = (client.try_clone().unwrap(), client);
    let (mut from_server, mut to_server) = (server.try_clone().unwrap(), server);
    let seen = Arc::clone(flights);
    thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(bytes @ 1..) = from_client.read(&mut buffer) {
            if bytes > SYNC_BYTES && !seen.is_client_sending.swap(true, Ordering::SeqCst) {
                seen.count.fetch_add(1, Ordering::SeqCst);
            }
            let chunk = buffer[..bytes].to_vec();
            sender.send((Instant::now() + round_trip, chunk)).unwrap();
        }
    });
    thread::spawn(move || {
        for (due, chunk) in under_way {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if to_server.write_all(&chunk).is_err() {
                return;
            }
        }
        let _ = to_server.shutdown(Shutdown::Both);
    });
    let seen = Arc::clone(flights);
    thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(bytes @ 1..) = from_server.read(&mut buffer) {
            if bytes > READY_BYTES {
                seen.is_client_sending.store(false, Ordering::SeqCst);
            }
            if to_client.write_all(&buffer[..bytes]).is_err() {
                return;
            }
        }
        let _ = to_client.shutdown(Shutdown::Both);
    });
}
