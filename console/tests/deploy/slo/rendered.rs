//! The objectives and their alarms as Terraform itself evaluates them: `slo_rules.tf` has no resource, so `terraform
//! console` needs neither a provider nor a state.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use libtest_mimic::Failed;
use serde::Deserialize;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::incident::Incident;
use super::metric_math::Math;
use crate::scripts::checkout;

const LIMIT: Duration = Duration::from_secs(60);
const NAME: &str = "events-test";
/// What is asked of Terraform.
const QUESTION: &str = "jsonencode({ windows = local.slo_windows, alarms = local.slo_alarms, slos = local.slos, \
                        window_days = local.slo_window_days, events_min = var.slo_events_min })\n";

#[derive(Deserialize)]
struct Answer {
    windows: BTreeMap<String, Window>,
    alarms: BTreeMap<String, Rule>,
    slos: BTreeMap<String, Slo>,
    window_days: u64,
    events_min: u64,
}

#[derive(Deserialize)]
struct Slo {
    objective_percent: f64,
    promise: String,
}

#[derive(Deserialize)]
struct Window {
    slo: String,
    secs: usize,
    parts: usize,
    parts_to_alarm: usize,
    threshold: f64,
    expression: String,
    metrics: BTreeMap<String, Metric>,
}

#[derive(Deserialize)]
pub(super) struct Metric {
    pub(super) metric: String,
    pub(super) stat: String,
    pub(super) source: Source,
}

#[derive(Deserialize)]
pub(super) struct Source {
    pub(super) namespace: String,
    pub(super) value: String,
}

#[derive(Deserialize)]
struct Rule {
    rule: String,
    pause_extension_secs: usize,
}

pub(super) struct Rendered(Answer);

impl Rendered {
    pub(super) async fn of_checkout() -> Result<Self, Failed> {
        let folder = rules_in_a_folder()?;
        let functions = "{ingest=\"events-test-ingest\"}";
        let json = evaluated(folder.path(), functions, QUESTION).await?;
        Ok(Self(serde_json::from_str(&json)?))
    }

    /// Names and per cent.
    pub(super) fn objectives(&self) -> Vec<(String, f64)> {
        let slos = self.0.slos.iter();
        slos.map(|(name, slo)| (name.clone(), slo.objective_percent))
            .collect()
    }

    pub(super) fn promise(&self, objective: &str) -> &str {
        &self.0.slos[objective].promise
    }

    pub(super) fn window_days(&self) -> u64 {
        self.0.window_days
    }

    pub(super) fn events_min(&self) -> u64 {
        self.0.events_min
    }

    /// How long an announced pause holds an alarm back after its end.
    pub(super) fn pause_extension_minutes(&self, alarm: &str) -> usize {
        self.0.alarms[alarm].pause_extension_secs / 60
    }

    /// Names of the alarms of the windows.
    pub(super) fn window_names(&self) -> BTreeSet<String> {
        let keys = self.0.windows.keys();
        keys.map(|key| format!("{NAME}-{key}")).collect()
    }

    /// The rules of the composite alarms.
    pub(super) fn rules(&self) -> impl Iterator<Item = &str> {
        self.0.alarms.values().map(|alarm| alarm.rule.as_str())
    }

    /// A composite alarm with the windows that its rule names.
    pub(super) fn alarm(&self, name: &str) -> Alarm<'_> {
        let rule = &self.0.alarms[name].rule;
        let pairs = rule.split(" OR ").map(|pair| {
            let pair = pair.strip_prefix('(').and_then(|it| it.strip_suffix(')'));
            let names = pair.unwrap().split(" AND ");
            names.map(|name| self.window(name)).collect()
        });
        Alarm {
            pairs: pairs.collect(),
        }
    }

    /// The window of `ALARM("NAME")`.
    fn window(&self, text: &str) -> (&Window, Math) {
        let name = text.strip_prefix("ALARM(\"").unwrap();
        let name = name.strip_suffix("\")").unwrap();
        let key = name.strip_prefix(NAME).unwrap().strip_prefix('-').unwrap();
        let window = &self.0.windows[key];
        (window, Math::parsed(&window.expression).unwrap())
    }
}

/// The files without a resource, and what they name of others.
pub(super) fn rules_in_a_folder() -> Result<tempfile::TempDir, Failed> {
    let folder = tempfile::tempdir()?;
    for file in ["slo_rules.tf", "variables.tf"] {
        fs::copy(module().join(file), folder.path().join(file))?;
    }
    let ingest = "locals {\n  ingest = \"events-test-ingest\"\n}\n";
    fs::write(folder.path().join("ingest.tf"), ingest)?;
    Ok(folder)
}

pub(super) fn module() -> PathBuf {
    checkout().join("terraform/modules/observability")
}

/// What Terraform answers to a question whose answer is encoded as JSON. The files of the folder have no resource.
pub(super) async fn evaluated(
    folder: &Path,
    functions: &str,
    question: &str,
) -> Result<String, Failed> {
    let mut child = Command::new("terraform")
        .arg("console")
        .current_dir(folder)
        .envs([
            ("TF_VAR_name", NAME),
            ("TF_VAR_topic_name", "events-test"),
            ("TF_VAR_queue_name", "events-test-queue"),
            ("TF_VAR_dead_letter_queue_name", "events-test-dead-letters"),
            ("TF_VAR_api_id", "abcdefghij"),
            ("TF_VAR_cluster_identifier", "events-test"),
            ("TF_VAR_functions", functions),
            ("CHECKPOINT_DISABLE", "1"),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut input = child.stdin.take().ok_or("no standard input")?;
    input.write_all(question.as_bytes()).await?;
    drop(input);
    let output = tokio::time::timeout(LIMIT, child.wait_with_output()).await??;
    let text = String::from_utf8(output.stdout)?;
    // The console shows a string as HCL writes it, which has the escapes of JSON.
    serde_json::from_str(text.trim())
        .map_err(|_| format!("{text}{}", String::from_utf8_lossy(&output.stderr)).into())
}

/// A composite alarm: one of the pairs, both of whose windows are in alarm.
pub(super) struct Alarm<'a> {
    pairs: Vec<Vec<(&'a Window, Math)>>,
}

impl Alarm<'_> {
    /// After so many whole minutes of the incident. CloudWatch evaluates each minute over a sliding window ("Alarm
    /// evaluation window").
    pub(super) fn is_raised(&self, incident: &Incident, minute: usize) -> Result<bool, Failed> {
        for pair in &self.pairs {
            let mut both = true;
            for (window, math) in pair {
                both = both && window.is_in_alarm(math, incident, minute)?;
            }
            if both {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Window {
    /// `GreaterThanThreshold`, and no value is not breaching: `terraform/tests` has both.
    fn is_in_alarm(&self, math: &Math, incident: &Incident, minute: usize) -> Result<bool, Failed> {
        assert_eq!(self.secs % (60 * self.parts), 0);
        let minutes = self.secs / 60 / self.parts;
        let mut breaching = 0;
        for part in 0..self.parts {
            let until = minute.saturating_sub(part * minutes);
            let window = until.saturating_sub(minutes)..until;
            let metric = |id: &str| {
                let metric = self.metrics.get(id).ok_or(format!("no metric {id}"))?;
                incident.metric(&self.slo, metric, window.clone(), minute)
            };
            let ratio = math.value(&metric)?;
            breaching += usize::from(ratio.is_some_and(|ratio| ratio > self.threshold));
        }
        Ok(breaching >= self.parts_to_alarm)
    }
}
