//! Configuration files for the real program, with one environment named "test".

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use devstack::Endpoints;

/// An environment on a running stack.
pub(crate) fn of(endpoints: &Endpoints, folder: &Path) -> PathBuf {
    write(
        folder,
        &[
            ("region", &endpoints.region),
            ("endpoint_url", &endpoints.endpoint_url),
            ("topic_arn", &endpoints.topic_arn),
            ("queue_url", &endpoints.queue_url),
            ("dead_letter_queue_url", &endpoints.dead_letter_queue_url),
            ("api_url", &endpoints.api_url),
            ("database_url", &endpoints.database_url),
            ("ingest_function", &endpoints.ingest_function),
        ],
    )
}

/// An environment whose everything is at one address.
pub(crate) fn at(address: &str, folder: &Path) -> PathBuf {
    write(
        folder,
        &[
            ("region", "us-east-1"),
            ("endpoint_url", &format!("http://{address}")),
            ("topic_arn", "arn:aws:sns:us-east-1:000000000000:events"),
            (
                "queue_url",
                &format!("http://{address}/000000000000/events-queue"),
            ),
            (
                "dead_letter_queue_url",
                &format!("http://{address}/000000000000/events-dead-letters"),
            ),
            ("api_url", &format!("http://{address}")),
            (
                "database_url",
                &format!("postgres://postgres@{address}/pipeline"),
            ),
        ],
    )
}

/// An environment at an address that refuses.
pub(crate) fn nobody(folder: &Path) -> PathBuf {
    // Taken and given back: nobody listens there.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    at(&address, folder)
}

fn write(folder: &Path, entries: &[(&str, &str)]) -> PathBuf {
    let table: toml::Table = entries
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).into()))
        .collect();
    let environments: toml::Table = [("test".to_owned(), table.into())].into_iter().collect();
    let file: toml::Table = [("environments".to_owned(), environments.into())]
        .into_iter()
        .collect();
    let path = folder.join("config.toml");
    std::fs::write(&path, file.to_string()).unwrap();
    path
}
