//! Round trips of a clean batch: counted on the wire, and measured by their time.
//!
//! Invariant: the distances take turns; a time is the excess over a batch without distance.

use std::time::Duration;

use devstack::bench::{Better, Figure};

use crate::client;
use crate::events::Load;
use crate::server::Server;
use crate::wire::Wire;

const BATCH_SIZE: usize = 1_000;
const BATCHES: usize = 15;
const BATCHES_QUICK: usize = 3;
/// The same machine, the same zone, another zone.
const ROUND_TRIPS_MS: [u32; 3] = [0, 1, 5];

pub(crate) async fn measure(server: &mut Server, rounds: usize, is_quick: bool) -> Vec<Figure> {
    let load = Load::new(BATCH_SIZE, if is_quick { BATCHES_QUICK } else { BATCHES });
    let mut counted = Vec::new();
    let mut batch_ms = ROUND_TRIPS_MS.map(|_| Vec::new());
    for round in 1..=rounds {
        eprintln!("round {round}: round trips");
        for (round_trip_ms, values) in ROUND_TRIPS_MS.into_iter().zip(&mut batch_ms) {
            let database = server.database().await;
            let round_trip = Duration::from_millis(round_trip_ms.into());
            let wire = Wire::start(server.socket(), round_trip);
            let url = format!(
                "postgres://opsconsole@127.0.0.1:{}/{}?sslmode=disable",
                wire.port, database.name
            );
            let command = client::ours(&url, load.folder(), None);
            let (run, flights) = client::run_between(command, server.process, || wire.flights());
            counted.push(flights as f64 / run.batch_secs().len() as f64);
            let secs = run.batch_secs();
            values.push(secs[secs.len() / 2] * 1_000.0);
            assert_eq!(run.count("stored"), load.measured());
            server.drop(database).await;
        }
    }
    let mut figures =
        vec![Figure::new("round_trips_per_batch", "trips", Better::Lower, counted).target(1.0)];
    for (round_trip_ms, values) in ROUND_TRIPS_MS.into_iter().zip(&batch_ms) {
        let name = format!("batch_ms_rtt_{round_trip_ms}ms");
        figures.push(Figure::new(name, "ms", Better::Lower, values.clone()));
    }
    for (round_trip_ms, values) in ROUND_TRIPS_MS.into_iter().zip(&batch_ms).skip(1) {
        let more = values.iter().zip(&batch_ms[0]);
        let trips = more.map(|(far, near)| (far - near) / f64::from(round_trip_ms));
        let name = format!("round_trips_in_time_rtt_{round_trip_ms}ms");
        figures.push(Figure::new(name, "trips", Better::Lower, trips.collect()));
    }
    figures
}
