//! `erase` by the real program.

mod bucket;
mod deployed;
mod everywhere;
mod interrupted;
mod refusals;
mod terminal;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::harness::Harness;
use crate::support::program::Answer;

/// Subject of the events, and a text in their payload.
const MARKER: &str = "passenger/q7Zx-4711";
/// An event of it that is no JSON object.
const BROKEN: &str = "{\"subject\":\"passenger/q7Zx-4711\",";
/// The range of all events of these tests.
const RANGE: [&str; 4] = ["--from", "2026-01-01", "--to", "2100-01-01"];
/// The formats of an export.
const FORMATS: [&str; 3] = ["parquet", "csv", "jsonl"];

/// An event of a subject; `kib` is the size of its payload, which does not compress well.
fn event(id: &str, subject: &str, time: &str, kib: u64) -> String {
    let filler: String = (1..=kib * 64)
        .map(|number| format!("{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
        .collect();
    json!({
        "specversion": "1.0", "id": id, "source": "/cli/erase", "type": "booking.made",
        "subject": subject, "time": time, "data": {"name": format!("{subject} {filler} {subject}")},
    })
    .to_string()
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            files.extend(files_in(&entry.path()));
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    files
}

fn has_marker(bytes: &[u8]) -> bool {
    let marker = MARKER.as_bytes();
    bytes.windows(marker.len()).any(|window| window == marker)
}

fn items<'a>(report: &'a Value, place: &str) -> Vec<&'a Value> {
    let items = report["items"].as_array().unwrap().iter();
    items.filter(|item| item["place"] == place).collect()
}

fn sum(report: &Value, place: &str, what: &str) -> u64 {
    let items = items(report, place);
    items.iter().map(|item| item[what].as_u64().unwrap()).sum()
}

/// Two queues and no database.
fn without_a_database() -> Harness {
    let harness = Harness::start();
    fs::create_dir(harness.program.home().join("temporary")).unwrap();
    harness
}

fn erase(harness: &Harness, arguments: &[&str]) -> Answer {
    let mut command = harness.program.command(&[&["erase"], arguments].concat());
    command.env("TMPDIR", harness.program.home().join("temporary"));
    Answer::of(command.output().unwrap())
}
