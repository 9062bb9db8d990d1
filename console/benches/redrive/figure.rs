//! What was measured, as a table and as `target/bench/redrive.json`.
//!
//! Invariant: more is better in all of them, and the value is the median.

use std::path::Path;
use std::thread;

use serde_json::{Value, json};

/// One line of the result.
pub(crate) struct Figure {
    name: String,
    unit: &'static str,
    /// Sorted.
    values: Vec<f64>,
    target: Option<f64>,
}

impl Figure {
    pub(crate) fn new(name: impl Into<String>, unit: &'static str, mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self {
            name: name.into(),
            unit,
            values,
            target: None,
        }
    }

    pub(crate) fn target(self, target: f64) -> Self {
        Self {
            target: Some(target),
            ..self
        }
    }

    fn median(&self) -> Option<f64> {
        self.values.get(self.values.len() / 2).copied()
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name,
            "value": self.median(),
            "unit": self.unit,
            "n": self.values.len(),
            "min": self.values.first(),
            "max": self.values.last(),
            "target": self.target,
            "better": "higher",
        })
    }

    fn line(&self) -> String {
        let number =
            |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.2}"));
        let is_met = match (self.median(), self.target) {
            (Some(value), Some(target)) if value >= target => "met",
            (Some(_), Some(_)) => "missed",
            _ => "",
        };
        format!(
            "{:<40}{:>10} {:<6}{:>4}{:>10}{:>10}{:>9}  {is_met}",
            self.name,
            number(self.median()),
            self.unit,
            self.values.len(),
            number(self.values.first().copied()),
            number(self.values.last().copied()),
            number(self.target),
        )
    }
}

pub(crate) fn print(figures: &[Figure]) {
    println!(
        "\n{:<40}{:>10} {:<6}{:>4}{:>10}{:>10}{:>9}",
        "figure", "median", "unit", "n", "min", "max", "target"
    );
    for figure in figures {
        println!("{}", figure.line());
    }
}

pub(crate) fn write(figures: &[Figure]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench");
    std::fs::create_dir_all(&folder).unwrap();
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let figures: Vec<Value> = figures.iter().map(Figure::json).collect();
    let machine = format!("{cores} cores, {}", std::env::consts::ARCH);
    let text = json!({ "machine": machine, "figures": figures });
    std::fs::write(folder.join("redrive.json"), format!("{text:#}\n")).unwrap();
    println!("\nwritten to target/bench/redrive.json");
}
