//! Environment variables of the function.
//!
//! Invariant: an invalid setting stops the function with a message that names the variable and what is
//! allowed.

use std::str::FromStr;

use store::{IamLogIn, PartitionPlan, PartitionWidth, PublicationName, SettingsError, Variables};

use crate::roles::RoleSettings;

const AHEAD_DEFAULT: u16 = 3;
/// Most partitions ahead or kept. Every partition makes each query a little slower.
const PARTITIONS_MAX: u16 = 1_000;

/// The task of the function (`MIGRATE_TASK`).
#[derive(Clone)]
pub enum Task {
    /// The default: apply migrations and maintain partitions.
    KeepSchema(Settings),
    /// `create-roles`: create the database's users.
    CreateRoles(RoleSettings),
}

impl Task {
    /// Reads the task and its settings from variables; an empty one counts as absent.
    ///
    /// # Errors
    /// Names the first invalid variable.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let variables = Variables::new(&variable);
        let is_roles = variables.optional("MIGRATE_TASK", |text| match text {
            "create-roles" => Ok(true),
            _ => Err(format!("is {text:?}, not \"create-roles\"")),
        })?;
        Ok(if is_roles == Some(true) {
            Self::CreateRoles(RoleSettings::read(&variables)?)
        } else {
            Self::KeepSchema(Settings::read(variable)?)
        })
    }
}

/// Settings of the function that keeps the schema.
#[derive(Clone)]
pub struct Settings {
    /// URL of the database (`DATABASE_URL`).
    pub database_url: String,
    /// Log-in by IAM token, where the URL has no password (`DATABASE_IAM_AUTH`).
    pub log_in: Option<IamLogIn>,
    /// `PARTITION_WIDTH` (`day` or `month`, default `month`), `PARTITIONS_AHEAD` (default 3) and
    /// `PARTITIONS_KEEP` (absent: nothing is ever dropped or deleted).
    pub plan: PartitionPlan,
    /// Publication of the records for logical replication (`PUBLICATION`; absent: none).
    pub publication: Option<PublicationName>,
    /// Whether the user of the ingest may replace records (`REPLACEMENTS_ALLOWED`; absent: no).
    pub replacements_allowed: bool,
}

impl Settings {
    /// Reads the settings from variables; an empty one counts as absent.
    ///
    /// # Errors
    /// Names the first invalid variable.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let variables = Variables::new(variable);
        let width = variables.optional("PARTITION_WIDTH", |text| {
            PartitionWidth::from_str(text).map_err(|problem| format!("cannot be used: {problem}"))
        })?;
        Ok(Self {
            database_url: variables.required("DATABASE_URL")?,
            log_in: IamLogIn::from_variables(&variables)?,
            plan: PartitionPlan {
                width: width.unwrap_or_default(),
                ahead: variables
                    .optional("PARTITIONS_AHEAD", count)?
                    .unwrap_or(AHEAD_DEFAULT),
                keep: variables.optional("PARTITIONS_KEEP", count)?,
            },
            publication: variables.optional("PUBLICATION", |text| {
                PublicationName::new(text).map_err(|error| format!("cannot be used: {error}"))
            })?,
            replacements_allowed: variables.flag("REPLACEMENTS_ALLOWED")?,
        })
    }
}

fn count(text: &str) -> Result<u16, String> {
    text.parse()
        .ok()
        .filter(|count| *count <= PARTITIONS_MAX)
        .ok_or_else(|| format!("is {text:?}, not a number from 0 to {PARTITIONS_MAX}"))
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
    fn defaults_keep_everything_and_create_three_months_ahead() {
        let plan = PartitionPlan {
            width: PartitionWidth::Month,
            ahead: 3,
            keep: None,
        };
        assert_eq!(read(&[("PARTITIONS_KEEP", "")]), Ok(plan));
    }

    #[test]
    fn task_has_its_own_settings() {
        let read = |task: &'static str| {
            Task::read(|name| (name == "MIGRATE_TASK").then(|| task.to_owned()))
                .map(|_| ())
                .unwrap_err()
                .variable
        };
        assert_eq!(read(""), "DATABASE_URL");
        assert_eq!(read("create-roles"), "DATABASE_CLUSTER_ARN");
        assert_eq!(read("drop-roles"), "MIGRATE_TASK");
    }

    #[test]
    fn invalid_setting_is_named() {
        for (variable, value) in [
            ("DATABASE_URL", ""),
            ("PARTITION_WIDTH", "week"),
            ("PARTITIONS_AHEAD", "-1"),
            ("PARTITIONS_KEEP", "many"),
            ("PARTITIONS_KEEP", "1001"),
            ("PUBLICATION", "a b"),
            ("REPLACEMENTS_ALLOWED", "on"),
        ] {
            let error = read(&[(variable, value)]).unwrap_err();
            assert_eq!(error.variable, variable, "{error}");
        }
    }
}
