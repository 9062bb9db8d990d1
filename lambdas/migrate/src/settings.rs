//! What the function is told by its environment. Invariant: a setting that cannot be used stops the
//! function with a message that names it and what would be right.

use std::str::FromStr;

use store::{PartitionPlan, PartitionWidth};

const AHEAD_DEFAULT: u16 = 3;
/// Partitions ahead or kept at most. Every partition costs each query a little.
const PARTITIONS_MAX: u16 = 1_000;

/// Settings of the function.
#[derive(Clone)]
pub struct Settings {
    /// The database (`DATABASE_URL`).
    pub database_url: String,
    /// `PARTITION_WIDTH` (`day` or `month`, default `month`), `PARTITIONS_AHEAD` (default 3) and
    /// `PARTITIONS_KEEP` (absent: nothing is ever dropped).
    pub plan: PartitionPlan,
}

/// A setting that is missing or cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read settings: the environment variable {variable} {problem}")]
pub struct SettingsError {
    /// Its name.
    pub variable: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

impl Settings {
    /// Reads the settings from variables; an empty one counts as absent.
    ///
    /// # Errors
    /// Names the first variable that is at fault.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        let database_url = given("DATABASE_URL").ok_or_else(|| SettingsError {
            variable: "DATABASE_URL",
            problem: "is not set".to_owned(),
        })?;
        let width = given("PARTITION_WIDTH")
            .map(|text| parsed::<PartitionWidth>("PARTITION_WIDTH", &text))
            .transpose()?
            .unwrap_or_default();
        let ahead = given("PARTITIONS_AHEAD")
            .map(|text| count("PARTITIONS_AHEAD", &text))
            .transpose()?
            .unwrap_or(AHEAD_DEFAULT);
        let keep = given("PARTITIONS_KEEP")
            .map(|text| count("PARTITIONS_KEEP", &text))
            .transpose()?;
        Ok(Self {
            database_url,
            plan: PartitionPlan { width, ahead, keep },
        })
    }
}

fn parsed<T: FromStr<Err = String>>(
    variable: &'static str,
    text: &str,
) -> Result<T, SettingsError> {
    text.parse().map_err(|problem| SettingsError {
        variable,
        problem: format!("cannot be used: {problem}"),
    })
}

fn count(variable: &'static str, text: &str) -> Result<u16, SettingsError> {
    text.parse()
        .ok()
        .filter(|count| *count <= PARTITIONS_MAX)
        .ok_or_else(|| SettingsError {
            variable,
            problem: format!("is {text:?}, not a number from 0 to {PARTITIONS_MAX}"),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<PartitionPlan, SettingsError> {
        Settings::read(|name| {
            let pair = pairs.iter().find(|(key, _)| *key == name);
            match pair {
                Some((_, value)) => Some((*value).to_owned()),
                None => (name == "DATABASE_URL").then(|| "postgres://localhost/x".to_owned()),
            }
        })
        .map(|settings| settings.plan)
    }

    #[test]
    fn defaults_keep_everything_and_reach_three_months_ahead() {
        let plan = PartitionPlan {
            width: PartitionWidth::Month,
            ahead: 3,
            keep: None,
        };
        assert_eq!(read(&[("PARTITIONS_KEEP", "")]), Ok(plan));
    }

    #[test]
    fn setting_that_cannot_be_used_is_named() {
        for (variable, value) in [
            ("DATABASE_URL", ""),
            ("PARTITION_WIDTH", "week"),
            ("PARTITIONS_AHEAD", "-1"),
            ("PARTITIONS_KEEP", "many"),
            ("PARTITIONS_KEEP", "1001"),
        ] {
            let error = read(&[(variable, value)]).unwrap_err();
            assert_eq!(error.variable, variable, "{error}");
        }
    }
}
