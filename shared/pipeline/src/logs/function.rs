//! The functions that log, and their log groups.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::PipelineError;
use crate::environment::Environment;

/// A function of a pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFunction {
    /// Stores events.
    Ingest,
    /// Serves records.
    Api,
    /// Keeps schema and partitions.
    Migrate,
}

impl LogFunction {
    /// All, in the order of the pipeline.
    pub const ALL: [Self; 3] = [Self::Ingest, Self::Api, Self::Migrate];

    /// The published name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Api => "api",
            Self::Migrate => "migrate",
        }
    }

    /// Name of its log group. Terraform gives the functions of an environment one prefix, and the environment's entry
    /// names the ingest.
    pub(super) fn log_group(self, environment: &Environment) -> Result<String, PipelineError> {
        let operation = format!("read the log of the function {self}");
        let Some(ingest) = environment.ingest_function.as_deref() else {
            return Err(PipelineError::not_configured(
                &operation,
                "the environment's entry names no function".to_owned(),
                "add ingest_function",
            ));
        };
        if self == Self::Ingest {
            return Ok(format!("/aws/lambda/{ingest}"));
        }
        let Some(prefix) = ingest.strip_suffix(Self::Ingest.as_str()) else {
            return Err(PipelineError::not_configured(
                &operation,
                format!(
                    "its name is not known: ingest_function {ingest:?} does not end with ingest"
                ),
                "name the functions PREFIX-ingest, PREFIX-api and PREFIX-migrate, as Terraform does",
            ));
        };
        Ok(format!("/aws/lambda/{prefix}{self}"))
    }
}

impl fmt::Display for LogFunction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for LogFunction {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut all = Self::ALL.into_iter();
        all.find(|function| function.as_str() == text)
            .ok_or_else(|| "use ingest, api or migrate".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(ingest: Option<&str>) -> [Result<String, String>; 3] {
        let environment = Environment {
            ingest_function: ingest.map(str::to_owned),
            ..Environment::example()
        };
        LogFunction::ALL.map(|function| {
            let group = function.log_group(&environment);
            group.map_err(|error| error.cause)
        })
    }

    #[test]
    fn functions_of_one_environment_have_one_prefix() {
        let expected = ["ingest", "api", "migrate"].map(|name| Ok(format!("/aws/lambda/e-{name}")));
        assert_eq!(groups(Some("e-ingest")), expected);
    }

    #[test]
    fn function_whose_name_is_not_known_is_not_configured() {
        let [ingest, api, migrate] = groups(Some("store"));
        assert_eq!(ingest, Ok("/aws/lambda/store".to_owned()));
        assert!(api.is_err_and(|cause| cause.contains("store")));
        assert!(migrate.is_err());
        assert!(groups(None).iter().all(Result::is_err));
    }

    #[test]
    fn name_is_read_as_it_is_written() {
        for function in LogFunction::ALL {
            assert_eq!(function.to_string().parse(), Ok(function));
        }
        assert!("Ingest".parse::<LogFunction>().is_err());
    }
}
