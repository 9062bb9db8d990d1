//! Guards the cut of the workspace: dependencies point one way, lints are inherited everywhere.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use serde::Deserialize;

/// Edges that may exist between members. Tests may also start the stack.
const ALLOWED: &[(&str, &str)] = &[
    ("store", "event"),
    ("ingest", "event"),
    ("ingest", "store"),
    ("api", "event"),
    ("api", "store"),
    ("migrate", "store"),
    ("devstack", "event"),
    ("pipeline", "event"),
    ("pipeline", "store"),
    ("redrive", "event"),
    ("redrive", "store"),
    ("redrive", "pipeline"),
    ("redrive", "export"),
    ("export", "event"),
    ("export", "pipeline"),
    ("erase", "event"),
    ("erase", "pipeline"),
    ("erase", "redrive"),
    ("erase", "export"),
    ("opsconsole", "event"),
    ("opsconsole", "store"),
    ("opsconsole", "pipeline"),
    ("opsconsole", "redrive"),
    ("opsconsole", "export"),
    ("opsconsole", "erase"),
    // Only with the feature `demo`.
    ("opsconsole", "devstack"),
];

/// Further edges of tests: whoever tests against the stack needs it, and the stack is tested
/// against the database that it filled.
const ALLOWED_IN_TESTS: &[(&str, &str)] = &[
    ("store", "devstack"),
    ("ingest", "devstack"),
    ("api", "devstack"),
    ("migrate", "devstack"),
    ("migrate", "event"),
    ("export", "devstack"),
    ("export", "store"),
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

/// What belongs to the presentation: a Lambda function could run the crates that never see these.
const PRESENTATION: &[&str] = &["ratatui", "crossterm", "clap", "indicatif", "color-eyre"];

/// The parser of `module_imports.rs`: macros have it with other features, and it compiles in seconds.
const PARSER: &[&str] = &["syn", "proc-macro2"];

/// The build script of zstd compiles C on all cores and wants it with other features; it compiles in a second.
const OF_BUILD_SCRIPTS: &str = "libc ";

/// The part of `cargo metadata` that is of use here (cargo book, "cargo metadata").
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// `None` for what is no dependency of tests or of a build script.
    kind: Option<String>,
    optional: bool,
    uses_default_features: bool,
    features: Vec<String>,
}

impl Dependency {
    fn is_of_tests(&self) -> bool {
        self.kind.as_deref() == Some("dev")
    }
}

impl Metadata {
    fn package(&self, name: &str) -> &Package {
        let mut packages = self.packages.iter();
        packages.find(|package| package.name == name).unwrap()
    }
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .args(["--offline", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn metadata() -> Metadata {
    let text = cargo(&["metadata", "--format-version", "1", "--no-deps"]);
    serde_json::from_str(&text).unwrap()
}

fn edges(metadata: &Metadata, in_tests: bool) -> BTreeSet<(String, String)> {
    let packages = &metadata.packages;
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
                        && dependency.is_of_tests() == in_tests
                })
                .map(|dependency| (package.name.clone(), dependency.name.clone()))
        })
        .collect()
}

fn owned(edges: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    edges
        .iter()
        .map(|(from, to)| ((*from).to_owned(), (*to).to_owned()))
        .collect()
}

/// Each crate below the asked one with the features that it is compiled with, once for each set of
/// features.
fn crates(selection: &[&str], kinds: &str) -> BTreeSet<(String, String)> {
    let form = [
        "tree", "--prefix", "none", "--format", "{p}|{f}", "-e", kinds,
    ];
    cargo(&[&form, selection].concat())
        .lines()
        .filter_map(|line| line.trim_end_matches(" (*)").split_once('|'))
        .map(|(package, features)| (package.to_owned(), features.to_owned()))
        .collect()
}

/// What is compiled for `later` although `earlier` has compiled the same crates.
fn compiled_again(
    earlier: &BTreeSet<(String, String)>,
    later: &BTreeSet<(String, String)>,
) -> Vec<(String, String)> {
    let known: BTreeSet<&String> = earlier.iter().map(|(package, _)| package).collect();
    later
        .difference(earlier)
        // Members are other programs in tests anyway.
        .filter(|(package, _)| known.contains(package) && !package.contains('('))
        .filter(|(package, _)| {
            !PARSER
                .iter()
                .any(|name| package.starts_with(&format!("{name} ")))
        })
        .cloned()
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
    let event = metadata.package("event");
    let direct: BTreeSet<&str> = event
        .dependencies
        .iter()
        .filter(|dependency| dependency.kind.is_none())
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
fn pipeline_and_redrive_know_no_terminal() {
    for member in ["pipeline", "redrive", "erase"] {
        let below = crates(&["-p", member], "normal,build");
        let is_below = |name: &str| {
            let mut packages = below.iter();
            packages.any(|(package, _)| package.split(' ').next() == Some(name))
        };
        assert!(is_below("event"), "the check sees no dependencies");
        for name in PRESENTATION {
            assert!(!is_below(name), "{member} depends on {name}");
        }
    }
}

#[test]
fn released_console_contains_no_demo() {
    let metadata = metadata();
    let console = metadata.package("opsconsole");
    let devstack = console
        .dependencies
        .iter()
        .find(|dependency| dependency.name == "devstack" && dependency.kind.is_none())
        .unwrap();
    assert!(devstack.optional);
    let has_devstack = |features: &[&str]| {
        let selection = [&["-p", "opsconsole"], features].concat();
        let mut packages = crates(&selection, "normal,build").into_iter();
        packages.any(|(package, _)| package.starts_with("devstack "))
    };
    assert!(has_devstack(&[]));
    assert!(!has_devstack(&["--no-default-features"]));
}

#[test]
fn tests_use_what_the_demo_compiled() {
    let demo = crates(&["--workspace"], "normal,build");
    let tests = crates(&["--workspace"], "normal,build,dev");
    let console = crates(&["-p", "opsconsole"], "normal,build");
    let console_tests = crates(&["-p", "opsconsole"], "normal,build,dev");
    assert!(
        demo.len() > 300,
        "the check sees only {} crates",
        demo.len()
    );
    assert_eq!(compiled_again(&demo, &tests), []);
    assert_eq!(compiled_again(&demo, &console), []);
    assert_eq!(compiled_again(&tests, &console_tests), []);
}

#[test]
fn no_crate_of_the_demo_is_compiled_twice() {
    let mut names = BTreeSet::new();
    let twice: Vec<_> = crates(&["--workspace"], "normal,build")
        .into_iter()
        .filter(|(package, _)| !names.insert(package.clone()))
        .filter(|(package, _)| !package.starts_with(OF_BUILD_SCRIPTS))
        .collect();
    assert_eq!(twice, []);
}

#[test]
fn every_member_inherits_the_lints() {
    let metadata = metadata();
    let members = metadata.packages;
    assert!(
        members.len() >= 9,
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

/// A path of the table "where do I add" is from the top, or from a folder above the one before it.
#[test]
fn places_where_something_is_added_exist() {
    let top = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let readme = std::fs::read_to_string(top.join("README.md")).unwrap();
    let (_, table) = readme.split_once("| where do I add … |").unwrap();
    let rows = table.lines().skip(1);
    let rows = rows.take_while(|line| line.starts_with('|'));
    let mut seen = 0;
    for row in rows {
        let mut before = top.clone();
        for name in row.split('`').skip(1).step_by(2) {
            let is_path = name.contains('/') || name.ends_with(".rs") || name.ends_with(".tf");
            if !is_path || name.contains("NAME") {
                continue;
            }
            let place = [top.as_path()]
                .into_iter()
                .chain(before.ancestors().take_while(|folder| **folder != *top))
                .map(|folder| folder.join(name))
                .find(|path| path.exists());
            before = place.unwrap_or_else(|| panic!("{name} does not exist: {row}"));
            seen += 1;
        }
    }
    assert!(seen > 30, "the check sees only {seen} paths");
}

/// A new failure code must not be absent where the list is written by hand.
#[test]
fn dashboard_and_readme_have_every_failure_code() {
    let top = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let read = |path: &str| std::fs::read_to_string(top.join(path)).unwrap();
    let codes: BTreeSet<&str> = event::FailureCode::ALL
        .map(event::FailureCode::as_str)
        .into();
    let dashboard = read("terraform/modules/observability/dashboard.tf");
    let (_, list) = dashboard.split_once("failure_codes = [").unwrap();
    let (list, _) = list.split_once(']').unwrap();
    let quoted = list.split('"').skip(1).step_by(2);
    assert_eq!(quoted.collect::<BTreeSet<_>>(), codes);
    let readme = read("shared/event/README.md");
    let rows = readme.lines().filter_map(|line| line.strip_prefix("| `"));
    let names = rows.filter_map(|row| row.split_once('`').map(|(name, _)| name));
    let names: BTreeSet<&str> = names.filter(|name| !name.ends_with(".rs")).collect();
    assert_eq!(names, codes);
}
