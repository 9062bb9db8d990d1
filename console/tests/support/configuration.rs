//! Configuration files for the real program.

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use devstack::Endpoints;

/// Nothing listens on port 1.
pub(crate) const NOBODY: &str = "http://127.0.0.1:1";

/// The text of a file with one environment without an API that answers. `more` is further lines of TOML.
pub(crate) fn environment(name: &str, endpoint_url: &str, queues: [&str; 2], more: &str) -> String {
    let [queue_url, dead_letter_queue_url] = queues;
    format!(
        r#"
[environments.{name}]
region = "us-east-1"
endpoint_url = "{endpoint_url}"
topic_arn = "arn:aws:sns:us-east-1:000000000000:events"
queue_url = "{queue_url}"
dead_letter_queue_url = "{dead_letter_queue_url}"
api_url = "{NOBODY}"
{more}
"#
    )
}

/// The same without any API, and so without a ledger unless `more` has a database.
pub(crate) fn without_api(name: &str, endpoint_url: &str, queues: [&str; 2], more: &str) -> String {
    environment(name, endpoint_url, queues, more).replace(&format!("api_url = \"{NOBODY}\"\n"), "")
}

/// The same with queues at an address that has no emulator.
pub(crate) fn environment_at(name: &str, endpoint_url: &str, more: &str) -> String {
    let queue = |name| format!("{endpoint_url}/000000000000/{name}");
    let (source, dead_letters) = (queue("source"), queue("dead-letters"));
    environment(name, endpoint_url, [&source, &dead_letters], more)
}

/// A file with the environment "test" on a running stack.
pub(crate) fn of(endpoints: &Endpoints, folder: &Path) -> PathBuf {
    let more = format!(
        "database_url = {:?}\ningest_function = {:?}\n",
        endpoints.database_url, endpoints.ingest_function
    );
    write(folder, &on(endpoints, &more))
}

/// The text of a file with the environment "test" on a running stack, whose API is signed and whose database is
/// unknown.
pub(crate) fn by_api(endpoints: &Endpoints, more: &str) -> String {
    on(endpoints, &format!("api_auth = \"iam\"\n{more}"))
}

fn on(endpoints: &Endpoints, more: &str) -> String {
    let queues = [&*endpoints.queue_url, &endpoints.dead_letter_queue_url];
    environment("test", &endpoints.endpoint_url, queues, more)
        .replace(NOBODY, &endpoints.api_url)
        .replace(
            "arn:aws:sns:us-east-1:000000000000:events",
            &endpoints.topic_arn,
        )
}

/// A file with the environment "test" whose every part is at one address.
pub(crate) fn at(address: &str, folder: &Path) -> PathBuf {
    let more = format!("database_url = \"postgres://postgres@{address}/pipeline\"\n");
    let url = format!("http://{address}");
    let text = environment_at("test", &url, &more).replace(NOBODY, &url);
    write(folder, &text)
}

/// The same at an address that refuses connections.
pub(crate) fn nobody(folder: &Path) -> PathBuf {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    at(&address, folder)
}

pub(crate) fn write(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("config.toml");
    std::fs::write(&path, text).unwrap();
    path
}
