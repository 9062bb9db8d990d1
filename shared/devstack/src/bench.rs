//! Results of a benchmark, as a table and as `target/bench/<name>.json`.
//!
//! Invariant: a name keeps its meaning from one version to the next, and a figure that could not be
//! measured is listed with the reason.

mod command;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::{fs, io, thread};

use serde_json::{Value, json};

use crate::functions::checkout;
pub use command::{Bench, Role};

/// Numbers from here on are printed without decimals.
const WHOLE_FROM: f64 = 1_000.0;

/// The direction in which a figure improves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// A rate, or a ratio to another rate.
    Higher,
    /// A time, a size or a share.
    Lower,
}

/// Resources that a rate used, as medians of the same rounds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Processor seconds of the client for 100,000 events.
    pub client_cpu_secs_per_100k: Option<f64>,
    /// Processor seconds of all processes of PostgreSQL for 100,000 events.
    pub postgres_cpu_secs_per_100k: Option<f64>,
    /// Peak memory of the client (resident set size).
    pub peak_rss_mib: Option<f64>,
    /// Share of the machine's processor time that unrelated processes used, from 0 to 1.
    pub others_share: Option<f64>,
}

/// One line of the result.
#[derive(Clone, Debug)]
pub struct Figure {
    name: String,
    unit: &'static str,
    /// In ascending order.
    values: Vec<f64>,
    better: Better,
    /// The quantile that is the figure's value, from 0 to 1.
    quantile: f64,
    target: Option<f64>,
    cost: Option<Cost>,
    absent: Option<String>,
}

impl Figure {
    /// A figure whose value is the median of the measured values.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        unit: &'static str,
        better: Better,
        mut values: Vec<f64>,
    ) -> Self {
        values.sort_by(f64::total_cmp);
        Self {
            name: name.into(),
            unit,
            values,
            better,
            quantile: 0.5,
            target: None,
            cost: None,
            absent: None,
        }
    }

    /// A figure that could not be measured, and why.
    #[must_use]
    pub fn absent(
        name: impl Into<String>,
        unit: &'static str,
        better: Better,
        why: impl Into<String>,
    ) -> Self {
        Self {
            absent: Some(why.into()),
            ..Self::new(name, unit, better, Vec::new())
        }
    }

    /// Sets the target.
    #[must_use]
    pub fn target(self, target: f64) -> Self {
        Self {
            target: Some(target),
            ..self
        }
    }

    /// Sets another quantile than the median, from 0 to 1.
    #[must_use]
    pub fn quantile(self, quantile: f64) -> Self {
        Self { quantile, ..self }
    }

    /// Adds the resources that it used.
    #[must_use]
    pub fn cost(self, cost: Cost) -> Self {
        Self {
            cost: Some(cost),
            ..self
        }
    }

    /// The stable name, as in the JSON file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value at the quantile; `None` when nothing was measured.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a bench has some hundred values at most"
    )]
    pub fn value(&self) -> Option<f64> {
        let last = self.values.len().saturating_sub(1) as f64;
        let index = (last * self.quantile).round() as usize;
        self.values.get(index).copied()
    }

    fn json(&self) -> Value {
        let mut figure = json!({
            "name": self.name,
            "value": self.value(),
            "unit": self.unit,
            "n": self.values.len(),
            "min": self.values.first(),
            "max": self.values.last(),
            "target": self.target,
            "better": match self.better {
                Better::Higher => "higher",
                Better::Lower => "lower",
            },
        });
        if let Some(fields) = figure.as_object_mut() {
            if let Some(cost) = self.cost {
                fields.extend([
                    (
                        "client_cpu_secs_per_100k".to_owned(),
                        json!(cost.client_cpu_secs_per_100k),
                    ),
                    (
                        "postgres_cpu_secs_per_100k".to_owned(),
                        json!(cost.postgres_cpu_secs_per_100k),
                    ),
                    ("peak_rss_mib".to_owned(), json!(cost.peak_rss_mib)),
                    ("others_share".to_owned(), json!(cost.others_share)),
                ]);
            }
            if let Some(why) = &self.absent {
                fields.insert("absent".to_owned(), json!(why));
            }
        }
        figure
    }

    fn verdict(&self) -> &str {
        if let Some(why) = &self.absent {
            return why;
        }
        match (self.value(), self.target, self.better) {
            (Some(value), Some(target), Better::Higher) if value >= target => "met",
            (Some(value), Some(target), Better::Lower) if value <= target => "met",
            (Some(_), Some(_), _) => "missed",
            (None, _, _) | (_, None, _) => "",
        }
    }
}

/// All figures as a table, one per line; below it the resources that the rates used, where they were
/// measured.
#[must_use]
pub fn table(figures: &[Figure]) -> String {
    let mut text = format!(
        "\n{:<44}{:>10} {:<8}{:>4}{:>10}{:>10}{:>10}\n",
        "figure", "value", "unit", "n", "min", "max", "target"
    );
    for figure in figures {
        let row = format!(
            "{:<44}{:>10} {:<8}{:>4}{:>10}{:>10}{:>10}  {}",
            figure.name,
            number(figure.value()),
            figure.unit,
            figure.values.len(),
            number(figure.values.first().copied()),
            number(figure.values.last().copied()),
            number(figure.target),
            figure.verdict(),
        );
        text.push_str(row.trim_end());
        text.push('\n');
    }
    let costs: Vec<(&str, Cost)> = figures
        .iter()
        .filter_map(|figure| Some((figure.name.as_str(), figure.cost?)))
        .collect();
    if costs.is_empty() {
        return text;
    }
    let _ = writeln!(
        text,
        "\n{:<44}{:>14}{:>14}{:>14}{:>14}",
        "", "client CPU-s", "server CPU-s", "client peak", "machine used"
    );
    let _ = writeln!(
        text,
        "{:<44}{:>14}{:>14}{:>14}{:>14}",
        "rate", "per 100k", "per 100k", "RSS MiB", "by others"
    );
    for (name, cost) in costs {
        let share = cost
            .others_share
            .map_or("–".to_owned(), |share| format!("{:.0} %", share * 100.0));
        let _ = writeln!(
            text,
            "{name:<44}{:>14}{:>14}{:>14}{share:>14}",
            number(cost.client_cpu_secs_per_100k),
            number(cost.postgres_cpu_secs_per_100k),
            number(cost.peak_rss_mib),
        );
    }
    text
}

fn number(value: Option<f64>) -> String {
    match value {
        Some(value) if value.abs() >= WHOLE_FROM => format!("{value:.0}"),
        Some(value) => format!("{value:.2}"),
        None => "–".to_owned(),
    }
}

/// Writes `target/bench/<name>.json` in the checkout and returns its path.
///
/// # Errors
/// When there is no checkout or its `target` is not writable.
pub fn write(name: &str, figures: &[Figure]) -> io::Result<PathBuf> {
    let checkout = checkout().ok_or(io::ErrorKind::NotFound)?;
    let folder = checkout.join("target/bench");
    fs::create_dir_all(&folder)?;
    let path = folder.join(format!("{name}.json"));
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let figures: Vec<Value> = figures.iter().map(Figure::json).collect();
    let machine = format!("{cores} cores, {}", std::env::consts::ARCH);
    let text = json!({ "machine": machine, "figures": figures });
    fs::write(&path, format!("{text:#}\n"))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_is_met_in_the_direction_of_the_figure() {
        let verdict = |better, target| {
            let figure = Figure::new("f", "ms", better, vec![3.0, 1.0, 2.0]).target(target);
            assert_eq!(figure.value(), Some(2.0));
            figure.verdict().to_owned()
        };
        assert_eq!(verdict(Better::Higher, 2.0), "met");
        assert_eq!(verdict(Better::Higher, 2.1), "missed");
        assert_eq!(verdict(Better::Lower, 2.0), "met");
        assert_eq!(verdict(Better::Lower, 1.9), "missed");
    }

    #[test]
    fn absent_figure_is_listed_with_its_reason() {
        let figure = Figure::absent("vector_rate", "ev/s", Better::Higher, "not on the PATH");
        let json = figure.json();
        assert!(json["value"].is_null());
        assert_eq!(json["absent"], "not on the PATH");
        assert!(table(&[figure]).contains("not on the PATH"));
    }
}
