//! Which records are read.

use std::fmt;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use event::Record;
use serde::{Deserialize, Serialize};

use super::error::ReadError;

/// Which records are read, and from where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadRequest {
    /// The folder that an export wrote; absent for the records of the pipeline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// Earliest `occurred_at`, inclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<DateTime<Utc>>,
    /// Latest `occurred_at`, exclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<DateTime<Utc>>,
    /// Only these CloudEvents types; empty for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<String>,
    /// Only this CloudEvents source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

impl ReadRequest {
    /// Checks the request.
    ///
    /// # Errors
    /// When the range is empty, when a type is given twice, and when the folder is a bucket.
    pub fn validate(&self) -> Result<(), ReadError> {
        if let Some(folder) = self.folder.as_ref().and_then(|folder| folder.to_str())
            && folder.contains("://")
        {
            return Err(ReadError::Request(format!(
                "{folder} is no folder of this machine: copy it to a folder, such as with `aws s3 sync`"
            )));
        }
        if let (Some(from), Some(to)) = (self.from, self.to)
            && from >= to
        {
            return Err(ReadError::Request(format!(
                "the range is empty: {to} is not after {from}"
            )));
        }
        for (position, name) in self.types.iter().enumerate() {
            if self.types.iter().take(position).any(|other| other == name) {
                return Err(ReadError::Request(format!(
                    "the type {name:?} is given twice"
                )));
            }
        }
        Ok(())
    }

    pub(super) fn wants(&self, record: &Record) -> bool {
        let is_of_type = self.types.is_empty() || self.types.contains(&record.event_type);
        let is_of_source = self
            .source
            .as_ref()
            .is_none_or(|source| *source == record.source);
        is_of_type
            && is_of_source
            && self.from.is_none_or(|from| record.occurred_at >= from)
            && self.to.is_none_or(|to| record.occurred_at < to)
    }
}

/// `records from 2026-11-01T00:00:00+00:00 to …, types ["a"]`, or `files of november`.
impl fmt::Display for ReadRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.folder {
            None => formatter.write_str("records")?,
            Some(folder) => write!(formatter, "files of {}", folder.display())?,
        }
        if let Some(from) = self.from {
            write!(formatter, " from {}", from.to_rfc3339())?;
        }
        if let Some(to) = self.to {
            write!(formatter, " to {}", to.to_rfc3339())?;
        }
        if !self.types.is_empty() {
            write!(formatter, ", types {:?}", self.types)?;
        }
        if let Some(source) = &self.source {
            write!(formatter, ", source {source:?}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_is_checked_and_shown_in_words() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().ok();
        let request = ReadRequest {
            from: at("2026-11-01T00:00:00Z"),
            to: at("2026-12-01T00:00:00Z"),
            types: vec!["a".to_owned()],
            ..ReadRequest::default()
        };
        request.validate().unwrap();
        assert_eq!(
            request.to_string(),
            "records from 2026-11-01T00:00:00+00:00 to 2026-12-01T00:00:00+00:00, types [\"a\"]"
        );
        let inverted = ReadRequest {
            to: request.from,
            ..request.clone()
        };
        let error = inverted.validate().unwrap_err().to_string();
        assert!(error.contains("the range is empty"), "{error}");
        let twice = ReadRequest {
            types: vec!["a".to_owned(), "a".to_owned()],
            ..request
        };
        let error = twice.validate().unwrap_err().to_string();
        assert!(error.contains("given twice"), "{error}");
    }
}
