//! Throughput of the limit, ours and the peers.
//!
//! Invariant: in a round all subjects store the same batches, each in a new database, and every event
//! is stored afterwards.

use std::process::Command;

use devstack::bench::{Better, Cost, Figure};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;

use crate::client;
use crate::copy::{Tables, copy};
use crate::events::Load;
use crate::peers::{self, Peer};
use crate::server::{Database, Server};
use crate::usage::{Usage, Used};
use crate::{NODE_PACKAGES, PYTHON_PACKAGES};

/// Events of a batch, and batches of a round.
const SIZES: [(usize, usize); 3] = [(1_000, 50), (100, 100), (10, 200)];
const QUICK_DIVISOR: usize = 10;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Subject {
    Copy(Tables),
    Ours,
    PythonLoop,
    PythonRecordset,
    Node,
}

impl Subject {
    const ALL: [Self; 6] = [
        Self::Copy(Tables::Records),
        Self::Copy(Tables::RecordsAndLedger),
        Self::Ours,
        Self::PythonLoop,
        Self::PythonRecordset,
        Self::Node,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Copy(Tables::Records) => "copy_into_records",
            Self::Copy(Tables::RecordsAndLedger) => "copy_into_records_and_ledger",
            Self::Ours => "ours",
            Self::PythonLoop => "python_loop",
            Self::PythonRecordset => "python_recordset",
            Self::Node => "node",
        }
    }
}

/// The samples of one subject at one batch size.
struct Series {
    subject: Subject,
    batch_size: usize,
    samples: Vec<Sample>,
    absent: Option<String>,
}

impl Series {
    const fn new(subject: Subject, batch_size: usize) -> Self {
        Self {
            subject,
            batch_size,
            samples: Vec::new(),
            absent: None,
        }
    }

    fn name(&self) -> String {
        format!("{}_batch_{}", self.subject.name(), self.batch_size)
    }

    fn figure(&self) -> Figure {
        if let Some(why) = &self.absent {
            return Figure::absent(self.name(), "events/s", Better::Higher, why);
        }
        let rates = self.samples.iter().map(Sample::rate).collect();
        let of = |value: fn(&Sample) -> Option<f64>| median(self.samples.iter().filter_map(value));
        Figure::new(self.name(), "events/s", Better::Higher, rates).cost(Cost {
            client_cpu_secs_per_100k: of(Sample::client_cpu),
            postgres_cpu_secs_per_100k: of(|one| Some(one.per_100k(one.used.server_cpu_secs))),
            peak_rss_mib: of(|one| Some(one.client?.1)),
            others_share: of(|one| Some(one.used.others_share)),
        })
    }
}

struct Sample {
    events: f64,
    secs: f64,
    /// CPU seconds and peak memory of the client, if it is a separate process.
    client: Option<(f64, f64)>,
    used: Used,
}

impl Sample {
    fn rate(&self) -> f64 {
        self.events / self.secs
    }

    fn per_100k(&self, secs: f64) -> f64 {
        secs * 100_000.0 / self.events
    }

    fn client_cpu(&self) -> Option<f64> {
        self.client.map(|(secs, _)| self.per_100k(secs))
    }
}

/// The peers, or why one cannot be run.
struct Peers {
    python: Peer,
    node: Peer,
}

impl Peers {
    /// The client of a subject; `None` where this process does the work.
    fn client(
        &self,
        subject: Subject,
        database: &Database,
        load: &Load,
    ) -> Result<Option<Command>, String> {
        let mut command = match subject {
            Subject::Copy(_) => return Ok(None),
            Subject::Ours => return Ok(Some(client::ours(&database.url, load.folder(), None))),
            Subject::PythonLoop => self.python.script("benches/ingest/peer.py", &["loop"])?,
            Subject::PythonRecordset => self
                .python
                .script("benches/ingest/peer.py", &["recordset"])?,
            Subject::Node => self.node.script("benches/ingest/peer.mjs", &[])?,
        };
        command.arg(&database.url).arg(load.folder());
        Ok(Some(command))
    }
}

/// Measures all subjects and returns the figures.
pub(crate) async fn measure(server: &mut Server, rounds: usize, is_quick: bool) -> Vec<Figure> {
    let peers = Peers {
        python: peers::python("bench-python", &PYTHON_PACKAGES).await,
        node: peers::node("bench-node", &NODE_PACKAGES),
    };
    let divisor = if is_quick { QUICK_DIVISOR } else { 1 };
    let loads = SIZES.map(|(batch_size, batches)| Load::new(batch_size, batches / divisor));
    let subjects = || Subject::ALL.into_iter();
    let mut series: Vec<Series> = loads
        .iter()
        .flat_map(|load| subjects().map(|subject| Series::new(subject, load.batch_size)))
        .collect();
    let mut order: Vec<usize> = (0..series.len()).collect();
    let mut random = StdRng::seed_from_u64(1);
    for round in 1..=rounds {
        // No subject is always first after a pause or behind the same other one.
        order.shuffle(&mut random);
        for position in &order {
            let one = &mut series[*position];
            let load = loads.iter().find(|load| load.batch_size == one.batch_size);
            match sample(one.subject, server, load.unwrap(), &peers).await {
                Ok(sample) => {
                    eprintln!(
                        "round {round}: {}: {:.0} events/s",
                        one.name(),
                        sample.rate()
                    );
                    one.samples.push(sample);
                }
                Err(why) => one.absent = Some(why),
            }
        }
    }
    figures(&series)
}

async fn sample(
    subject: Subject,
    server: &mut Server,
    load: &Load,
    peers: &Peers,
) -> Result<Sample, String> {
    let database = server.database().await;
    let client = match peers.client(subject, &database, load) {
        Ok(client) => client,
        Err(why) => {
            server.drop(database).await;
            return Err(why);
        }
    };
    let (secs, client, used) = match client {
        Some(command) => {
            let run = client::run(command, server.process);
            (run.secs, Some((run.cpu_secs, run.peak_rss_mib)), run.used)
        }
        None => {
            let Subject::Copy(tables) = subject else {
                unreachable!("all others are clients");
            };
            let mut before = Usage::read(server.process);
            let begin = || before = Usage::read(server.process);
            let secs = copy(&database, load, tables, begin).await;
            (secs, None, before.until(Usage::read(server.process)))
        }
    };
    assert_eq!(
        database.counts().await.0,
        load.measured() + load.batch_size,
        "not every event is a record"
    );
    server.drop(database).await;
    Ok(Sample {
        events: load.measured() as f64,
        secs,
        client,
        used,
    })
}

fn figures(series: &[Series]) -> Vec<Figure> {
    let mut figures: Vec<Figure> = series.iter().map(Series::figure).collect();
    for (program, name) in peers::UNMEASURED {
        let why = peers::why_unmeasured(program);
        figures.push(Figure::absent(name, "events/s", Better::Higher, why));
    }
    let of = |subject, batch_size| {
        series
            .iter()
            .find(|one| one.subject == subject && one.batch_size == batch_size)
            .unwrap()
    };
    for (batch_size, _) in SIZES {
        let ours = of(Subject::Ours, batch_size);
        let limit = of(Subject::Copy(Tables::Records), batch_size);
        let both = of(Subject::Copy(Tables::RecordsAndLedger), batch_size);
        let name = format!("ratio_to_copy_batch_{batch_size}");
        let figure = ratio(name, Better::Higher, ours, limit, |one| Some(one.rate()));
        figures.push(match batch_size {
            1_000 => figure.target(0.85),
            _ => figure,
        });
        let name = format!("ratio_to_copy_with_ledger_batch_{batch_size}");
        figures.push(ratio(name, Better::Higher, ours, both, |one| {
            Some(one.rate())
        }));
    }
    let ours = of(Subject::Ours, 1_000);
    for (subject, name, target) in [
        (Subject::PythonLoop, "client_cpu_python_loop_ratio", 20.0),
        (
            Subject::PythonRecordset,
            "client_cpu_python_recordset_ratio",
            2.5,
        ),
    ] {
        let figure = ratio(
            name.to_owned(),
            Better::Higher,
            of(subject, 1_000),
            ours,
            Sample::client_cpu,
        );
        figures.push(figure.target(target));
    }
    let python = of(Subject::PythonRecordset, 1_000);
    let memory = ratio(
        "rss_ratio_to_python".to_owned(),
        Better::Lower,
        ours,
        python,
        |one| one.client.map(|(_, peak_rss_mib)| peak_rss_mib),
    );
    figures.push(memory.target(0.25));
    figures
}

/// One series by another, round by round.
fn ratio(
    name: String,
    better: Better,
    one: &Series,
    other: &Series,
    value: impl Fn(&Sample) -> Option<f64>,
) -> Figure {
    if let Some(why) = one.absent.as_ref().or(other.absent.as_ref()) {
        return Figure::absent(name, "ratio", better, why);
    }
    let pairs = one.samples.iter().zip(&other.samples);
    let ratios = pairs.filter_map(|(one, other)| Some(value(one)? / value(other)?));
    Figure::new(name, "ratio", better, ratios.collect())
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
