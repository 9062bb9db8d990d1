//! Rates of pages and of single records.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use devstack::bench::{Better, Figure};

use crate::peers::{self, Peer};
use crate::server::{Database, Server};
use crate::service::{self, Service};
use crate::usage::Usage;
use crate::{load, pgbench};

/// Rows of a page: the default of the API.
const LIMIT: usize = 50;
const CLIENTS: [usize; 3] = [1, 8, 16];
const PEER_CLIENTS: usize = 16;
/// Clients that keep all processors busy.
const CPU_CLIENTS: usize = 8;
const TIME: Duration = Duration::from_secs(2);
const TIME_QUICK: Duration = Duration::from_secs(1);
/// Different records that are read.
const RECORD_PATHS: u32 = 5_000;
const PYTHON_PACKAGES: [&str; 3] = ["fastapi==0.121.0", "uvicorn==0.38.0", "asyncpg==0.30.0"];
const NODE_PACKAGES: [&str; 2] = ["fastify@5.6.1", "pg@8.16.3"];

/// Rates by name, one for each round.
type Rates = BTreeMap<String, Vec<f64>>;

/// What is run on one database.
struct Place<'a> {
    /// Parent of all processes of PostgreSQL.
    server: u32,
    database: &'a Database,
    folder: tempfile::TempDir,
    ours: Service,
    python: Result<Service, String>,
    node: Result<Service, String>,
    pgbench: &'a Result<PathBuf, String>,
    time: Duration,
}

pub(crate) async fn measure(server: &Server, rounds: usize, is_quick: bool) -> Vec<Figure> {
    let binary = service::release_binary();
    let python = peers::python("bench-api-python", &PYTHON_PACKAGES).await;
    let node = peers::node("bench-api-node", &NODE_PACKAGES);
    let pgbench = pgbench::program();
    let time = if is_quick { TIME_QUICK } else { TIME };
    let mut figures = Vec::new();
    for database in &server.databases {
        let place = Place {
            server: server.process,
            database,
            folder: tempfile::tempdir().unwrap(),
            ours: Service::start(|port| service::ours(&binary, &database.url, port)).await,
            python: peer(&python, "benches/api/peer.py", database).await,
            node: peer(&node, "benches/api/peer.mjs", database).await,
            pgbench: &pgbench,
            time,
        };
        place.write_files();
        let mut rates = Rates::new();
        for round in 0..rounds {
            eprintln!("{} partitions, round {}", database.partitions, round + 1);
            place.round(&mut rates).await;
        }
        figures.extend(place.figures(&rates));
    }
    figures
}

async fn peer(peer: &Peer, script: &str, database: &Database) -> Result<Service, String> {
    let mut command = peer.script(script, &[])?;
    command
        .env("DATABASE_URL", &database.url)
        .env("STATEMENT", pgbench::page_statement(database, LIMIT));
    Ok(Service::start(|port| {
        command.env("PORT", port.to_string());
        command
    })
    .await)
}

impl Place<'_> {
    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write_files(&self) {
        let write = |name, text: String| std::fs::write(self.file(name), text).unwrap();
        write("page", "/v1/records\n".to_owned());
        write(
            "deep",
            format!("/v1/records?cursor={}\n", self.database.deep_cursor),
        );
        // A step that shares no factor with the number of records spreads them over all partitions.
        let records = u64::from(self.database.records);
        let paths: String = (0..u64::from(RECORD_PATHS))
            .map(|number| format!("/v1/records/{}\n", number * 7_919 % records + 1))
            .collect();
        write("record", paths);
        write(
            "page.sql",
            pgbench::page_statement(self.database, LIMIT) + ";\n",
        );
        write("record.sql", pgbench::record_script(self.database));
    }

    async fn round(&self, rates: &mut Rates) {
        self.round_of_cpu(rates).await;
        let mut add = |name: String, rate: f64| rates.entry(name).or_default().push(rate);
        for clients in CLIENTS {
            for kind in ["page", "record"] {
                let paths = self.file(kind);
                let rate = load::rate(&self.ours.address, clients, self.time, &paths).await;
                add(format!("{kind}_{clients}"), rate);
                if let Ok(program) = self.pgbench {
                    let script = self.file(&format!("{kind}.sql"));
                    let url = &self.database.url;
                    let rate = pgbench::rate(program, url, &script, clients, self.time).await;
                    add(format!("pgbench_{kind}_{clients}"), rate);
                }
            }
        }
        for name in ["deep", "page"] {
            let rate = load::rate(&self.ours.address, 1, self.time, &self.file(name)).await;
            add(format!("depth_{name}"), rate);
        }
        for (name, service) in [("fastapi", &self.python), ("fastify", &self.node)] {
            if let Ok(service) = service {
                let page = self.file("page");
                let rate = load::rate(&service.address, PEER_CLIENTS, self.time, &page).await;
                add(name.to_owned(), rate);
            }
        }
    }

    /// Processor time of a page, where all processors are busy: of the server under pgbench and under the API, and of
    /// the API itself. It explains the distance between the two rates.
    async fn round_of_cpu(&self, rates: &mut Rates) {
        let mut add =
            |name: &str, value: f64| rates.entry(name.to_owned()).or_default().push(value);
        let page = self.file("page");
        let micros = |rate: f64| 1e6 / (rate * self.time.as_secs_f64());
        let used = |process: u32, before: Usage| before.until(Usage::read(process)).server_cpu_secs;
        let (server, api) = (self.server, self.ours.process());
        let before = (Usage::read(server), Usage::read(api));
        let rate = load::rate(&self.ours.address, CPU_CLIENTS, self.time, &page).await;
        add("cpu_server", used(server, before.0) * micros(rate));
        add("cpu_api", used(api, before.1) * micros(rate));
        if let Ok(program) = self.pgbench {
            let script = self.file("page.sql");
            let url = &self.database.url;
            let before = Usage::read(server);
            let rate = pgbench::rate(program, url, &script, CPU_CLIENTS, self.time).await;
            add("cpu_pgbench", used(server, before) * micros(rate));
        }
    }

    fn figures(&self, rates: &Rates) -> Vec<Figure> {
        let partitions = self.database.partitions;
        let rate = |name: &str| rates.get(name).cloned().unwrap_or_default();
        let ratio = |above: &str, below: &str| -> Vec<f64> {
            let pairs = rate(above).into_iter().zip(rate(below));
            pairs.map(|(above, below)| above / below).collect()
        };
        let mut figures = Vec::new();
        for (kind, targets) in [("page", [0.8; 3]), ("record", [0.6, 0.95, 0.95])] {
            for (clients, target) in CLIENTS.into_iter().zip(targets) {
                let name = format!("{kind}_{clients}");
                let title = format!("{kind}s_{partitions}_partitions_{clients}_clients");
                figures.push(Figure::new(
                    title.as_str(),
                    "req/s",
                    Better::Higher,
                    rate(&name),
                ));
                let title = format!("ratio_to_pgbench_{title}");
                let figure = match self.pgbench {
                    Ok(_) => {
                        let values = ratio(&name, &format!("pgbench_{name}"));
                        Figure::new(title, "ratio", Better::Higher, values)
                    }
                    Err(why) => Figure::absent(title, "ratio", Better::Higher, why),
                };
                figures.push(figure.target(target));
            }
        }
        for (name, what) in [
            ("cpu_pgbench", "server_cpu_of_pgbench_page"),
            ("cpu_server", "server_cpu_of_page"),
            ("cpu_api", "api_cpu_of_page"),
        ] {
            let title = format!("{what}_{partitions}_partitions");
            figures.push(Figure::new(title, "µs", Better::Lower, rate(name)));
        }
        let title = format!("time_of_deep_page_to_first_{partitions}_partitions");
        let values = ratio("depth_page", "depth_deep");
        figures.push(Figure::new(title, "ratio", Better::Lower, values).target(1.1));
        for (name, service, target) in [
            ("fastapi", &self.python, 30.0),
            ("fastify", &self.node, 4.0),
        ] {
            let title = format!("ratio_to_{name}_{partitions}_partitions");
            let figure = match service {
                Ok(_) => {
                    let values = ratio(&format!("page_{PEER_CLIENTS}"), name);
                    Figure::new(title, "ratio", Better::Higher, values)
                }
                Err(why) => Figure::absent(title, "ratio", Better::Higher, why),
            };
            figures.push(figure.target(target));
        }
        figures
    }
}
