//! The legend: the numbered data flow, what differs between the environments, and what lines and colours mean.

use super::geometry::{Rect, at, rect};
use super::lettering::{self, Weight};
use super::model::{Environment, Model, Presence};
use super::palette::Ink;
use super::scene::{Arrow, SIZE, Scene};

const TOP: f64 = 1024.0;
const LINE: f64 = 19.0;
const STEP: f64 = 48.0;
const ROW: f64 = 24.0;
const MARGIN: f64 = 24.0;
/// The two columns of steps, and the table.
const COLUMNS: [f64; 3] = [24.0, 410.0, 806.0];
const COLUMN_WIDTH: f64 = 362.0;
const TABLE: [f64; 3] = [806.0, 946.0, 1100.0];

/// Draws it, and ends the picture below it.
pub(crate) fn draw(scene: &mut Scene, model: &Model) {
    steps(scene, model);
    table(scene, model);
    let symbols_top = TOP + 5.0 * STEP + 42.0;
    symbols(scene, symbols_top);
    scene.height = symbols_top + 60.0;
}

fn heading(scene: &mut Scene, left: f64, content: &str) {
    let room = rect(left, TOP - 16.0, left + COLUMN_WIDTH, TOP + 8.0);
    scene.text((left, TOP), content, (Weight::Bold, Ink::Text), room);
}

fn steps(scene: &mut Scene, model: &Model) {
    heading(scene, COLUMNS[0], "Data flow");
    let keep = model.queue_days;
    let queue = format!(
        "SQS keeps a message for {keep} days at most; after {} receives it is a dead letter.",
        model.max_receive_count
    );
    let ingest = format!(
        "Lambda invokes ingest with up to {} messages; it validates every event.",
        thousands(model.batch_size)
    );
    let first: [(&str, &str, &str, Ink); 5] = [
        (
            "1",
            "Publish",
            "Principals with sns:Publish send CloudEvents to the SNS topic.",
            Ink::Text,
        ),
        (
            "2",
            "Fan out",
            "The topic delivers raw messages to the queue, and to other subscribers.",
            Ink::Text,
        ),
        ("3", "Queue", &queue, Ink::Text),
        ("4", "Ingest", &ingest, Ink::Text),
        (
            "5",
            "Store",
            "One statement a batch, each event once. Log-in by IAM over TLS.",
            Ink::Text,
        ),
    ];
    let second: [(&str, &str, &str, Ink); 5] = [
        (
            "6",
            "API",
            "Every request is authorised; the api reads from the writer.",
            Ink::Text,
        ),
        (
            "7",
            "Operate",
            "opsconsole reads records by the API, and each hop by AWS's own APIs.",
            Ink::Operator,
        ),
        (
            "D",
            "Dead letters",
            "What can never be stored goes there at once, with its reason.",
            Ink::DeadLetter,
        ),
        (
            "R",
            "Redrive",
            "The operator moves dead letters back to the queue, after a dry run.",
            Ink::Operator,
        ),
        (
            "W",
            "Warehouse",
            "Zero-ETL to Redshift, exports to S3: off until they are set.",
            Ink::Muted,
        ),
    ];
    for (left, steps) in COLUMNS.into_iter().zip([first, second]) {
        let mut top = TOP + 14.0;
        for (badge, title, text, ink) in steps {
            step(scene, (left, top), (badge, title, text), ink);
            top += STEP;
        }
    }
}

fn step(
    scene: &mut Scene,
    (left, top): (f64, f64),
    (badge, title, text): (&str, &str, &str),
    ink: Ink,
) {
    let start = left + 34.0;
    let room = rect(start, top, left + COLUMN_WIDTH, top + STEP);
    scene.badge(at(left + 11.0, top + 13.0), badge, ink);
    let baseline = top + 18.0;
    scene.text((start, baseline), title, (Weight::Bold, Ink::Text), room);
    let indent = lettering::width(title, SIZE, Weight::Bold).unwrap_or_default() + 6.0;
    let lines = lettering::wrap(text, SIZE, room.width(), indent);
    for (number, line) in lines.iter().enumerate() {
        let x = if number == 0 { start + indent } else { start };
        let y = baseline + LINE * number as f64;
        scene.text((x, y), line, (Weight::Regular, Ink::Muted), room);
    }
}

fn table(scene: &mut Scene, model: &Model) {
    let [names, pilot, production] = TABLE;
    heading(scene, names, "What differs");
    let end = scene.width - MARGIN;
    scene.pill((pilot, TOP - 5.0), Presence::Pilot);
    scene.pill((production, TOP - 5.0), Presence::Production);
    let mut top = TOP + 12.0;
    for (name, value) in ROWS {
        scene.rules.push((at(names, top), at(end, top)));
        let baseline = top + 17.0;
        let cells = [
            (names, pilot, (*name).to_owned(), Ink::Text),
            (pilot, production, value(&model.pilot), Ink::Muted),
            (production, end, value(&model.production), Ink::Muted),
        ];
        for (left, right, content, ink) in cells {
            let room = rect(left, top, right - 4.0, top + ROW);
            scene.text((left, baseline), &content, (Weight::Regular, ink), room);
        }
        top += ROW;
    }
}

/// A row of the table, and its value in an environment.
type Row = (&'static str, fn(&Environment) -> String);

const ROWS: &[Row] = &[
    ("Way to SQS", |environment| {
        let ways = [
            (environment.has_ipv6_egress, "IPv6"),
            (environment.has_sqs_endpoint, "endpoint in each zone"),
            (environment.has_nat, "NAT"),
        ];
        let on = ways.into_iter().filter(|(is_on, _)| *is_on);
        on.map(|(_, name)| name).collect::<Vec<_>>().join(", ")
    }),
    ("Aurora instances", |environment| {
        environment.instances.to_string()
    }),
    ("Aurora capacity", |environment| {
        let (least, most) = environment.capacity_acu;
        let pauses = if least == 0.0 { ", pauses" } else { "" };
        format!("{least}\u{2013}{most} ACU{pauses}")
    }),
    ("Ingest at once", |environment| {
        environment.ingest_at_once.to_string()
    }),
    ("API at once", |environment| {
        environment.api_at_once.to_string()
    }),
    ("Encryption keys", |environment| {
        let owner = if environment.has_own_key {
            "customer-managed"
        } else {
            "AWS-managed"
        };
        owner.to_owned()
    }),
    ("Backups", |environment| days(environment.backup_days)),
    ("Deletion protection", |environment| {
        on(environment.is_protected)
    }),
    ("VPC flow logs", |environment| {
        environment.flow_log_days.map_or_else(|| on(false), days)
    }),
    ("X-Ray traces", |environment| on(environment.is_traced)),
];

fn days(days: f64) -> String {
    let plural = if days == 1.0 { "" } else { "s" };
    format!("{days} day{plural}")
}

fn on(is_on: bool) -> String {
    let word = if is_on { "on" } else { "off" };
    word.to_owned()
}

fn thousands(count: f64) -> String {
    let text = count.to_string();
    match text.len().checked_sub(3) {
        Some(place) if place > 0 => {
            let (before, after) = text.split_at(place);
            format!("{before},{after}")
        }
        _ => text,
    }
}

fn symbols(scene: &mut Scene, top: f64) {
    let lines = [
        ("data and calls", Ink::Text, false),
        ("dead letters", Ink::DeadLetter, false),
        ("operator", Ink::Operator, false),
        ("optional: off in pilot and production", Ink::Muted, true),
    ];
    let mut left = MARGIN;
    for (name, ink, is_dashed) in lines {
        let points = vec![at(left, top), at(left + 36.0, top)];
        scene.arrow(
            Arrow {
                points,
                ink,
                is_dashed,
                has_head: true,
            },
            &[],
        );
        left = entry(scene, (left + 44.0, top), name);
    }
    let categories = [
        ("Compute", Ink::Compute),
        ("Integration, management", Ink::Integration),
        ("Networking, analytics", Ink::Network),
        ("Database", Ink::Database),
        ("Storage", Ink::Storage),
        ("Security", Ink::Security),
    ];
    let mut left = MARGIN;
    for (name, ink) in categories {
        let frame = Rect::around(at(left + 8.0, top + 28.0), 8.0, 8.0);
        scene.groups.push(super::scene::Group {
            frame,
            border: ink,
            dash: None,
            fill: Some(ink),
            mark: None,
        });
        left = entry(scene, (left + 24.0, top + 28.0), name);
    }
}

/// A word of the legend; returns where the next one begins.
fn entry(scene: &mut Scene, (left, middle): (f64, f64), name: &str) -> f64 {
    let width = lettering::width(name, SIZE, Weight::Regular).unwrap_or_default();
    let room = rect(left, middle - 12.0, left + width + 1.0, middle + 12.0);
    scene.text(
        (left, middle + 5.0),
        name,
        (Weight::Regular, Ink::Text),
        room,
    );
    left + width + 28.0
}
