//! Guards the cut of the workspace: dependencies point one way, lints are inherited everywhere.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::collections::BTreeSet;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

/// Edges that may exist between members. Tests may also start the stack.
const ALLOWED: &[(&str, &str)] = &[
    ("store", "event"),
    ("ingest", "event"),
    ("ingest", "store"),
    ("api", "event"),
    ("api", "store"),
    ("migrate", "store"),
    ("devstack", "event"),
    ("opsconsole", "event"),
    ("opsconsole", "store"),
    ("opsconsole", "devstack"),
];

/// Further edges of tests: whoever tests against the stack needs it, and the stack is tested
/// against the database that it filled.
const ALLOWED_IN_TESTS: &[(&str, &str)] = &[
    ("store", "devstack"),
    ("ingest", "devstack"),
    ("api", "devstack"),
    ("migrate", "devstack"),
    ("devstack", "store"),
];

/// What the pure crate must never depend on.
const IMPURE: &[&str] = &[
    "tokio",
    "sqlx",
    "aws-config",
    "aws-sdk-sqs",
    "reqwest",
    "uuid",
];

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .no_deps()
        .exec()
        .unwrap()
}

fn edges(metadata: &Metadata, in_tests: bool) -> BTreeSet<(String, String)> {
    let packages = metadata.workspace_packages();
    let members: BTreeSet<&str> = packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    packages
        .iter()
        .flat_map(|package| {
            package
                .dependencies
                .iter()
                .filter(|dependency| {
                    members.contains(dependency.name.as_str())
                        && (dependency.kind == DependencyKind::Development) == in_tests
                })
                .map(|dependency| (package.name.to_string(), dependency.name.clone()))
        })
        .collect()
}

fn owned(edges: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    edges
        .iter()
        .map(|(from, to)| ((*from).to_owned(), (*to).to_owned()))
        .collect()
}

#[test]
fn dependencies_between_members_point_one_way() {
    let metadata = metadata();
    let real = edges(&metadata, false);
    assert!(
        real.contains(&("store".to_owned(), "event".to_owned())),
        "the check sees no edges"
    );
    let allowed = owned(ALLOWED);
    let forbidden: Vec<_> = real.difference(&allowed).collect();
    assert!(
        forbidden.is_empty(),
        "the design does not allow {forbidden:?}"
    );

    let in_tests = edges(&metadata, true);
    let allowed: BTreeSet<_> = allowed.union(&owned(ALLOWED_IN_TESTS)).cloned().collect();
    let forbidden: Vec<_> = in_tests.difference(&allowed).collect();
    assert!(
        forbidden.is_empty(),
        "the design does not allow {forbidden:?} in tests"
    );
}

#[test]
fn event_depends_on_nothing_impure() {
    let metadata = metadata();
    let event = metadata
        .workspace_packages()
        .into_iter()
        .find(|package| package.name.as_str() == "event")
        .unwrap();
    let direct: BTreeSet<&str> = event
        .dependencies
        .iter()
        .filter(|dependency| dependency.kind == DependencyKind::Normal)
        .map(|dependency| dependency.name.as_str())
        .collect();
    assert!(direct.contains("serde"), "the check sees no dependencies");
    for name in IMPURE {
        assert!(!direct.contains(name), "event depends on {name}");
    }
    // The clock is a feature of chrono.
    let chrono = event
        .dependencies
        .iter()
        .find(|dependency| dependency.name == "chrono")
        .unwrap();
    assert!(!chrono.uses_default_features);
    assert!(
        !chrono
            .features
            .iter()
            .any(|feature| feature == "clock" || feature == "now")
    );
}

#[test]
fn every_member_inherits_the_lints() {
    let metadata = metadata();
    let members = metadata.workspace_packages();
    assert!(
        members.len() >= 7,
        "the check sees only {} members",
        members.len()
    );
    for package in members {
        let manifest = std::fs::read_to_string(&package.manifest_path).unwrap();
        let table: toml::Table = manifest.parse().unwrap();
        let inherits = table
            .get("lints")
            .and_then(|lints| lints.get("workspace"))
            .and_then(toml::Value::as_bool);
        assert_eq!(
            inherits,
            Some(true),
            "{} does not inherit the workspace lints",
            package.name
        );
    }
}

#[test]
fn top_level_is_closed() {
    const ENTRIES: &[&str] = &[
        "Cargo.toml",
        "Cargo.lock",
        "LICENSE",
        "README.md",
        "rust-toolchain.toml",
        "console",
        "lambdas",
        "shared",
        "terraform",
        "migrations",
        "screenshots",
        "target",
    ];
    let top = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let mut seen = 0;
    for entry in std::fs::read_dir(top).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let is_agreed = name.starts_with('.') || ENTRIES.contains(&name.as_str());
        assert!(is_agreed, "{name} stands at the top level");
        seen += 1;
    }
    assert!(
        seen > ENTRIES.len() / 2,
        "the check sees only {seen} entries"
    );
}
