//! What to export, and to where.
//!
//! Invariant: two requests with the same [`ExportRequest::description`] write the same records.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use chrono::{DateTime, Utc};

use crate::error::ExportError;
use crate::format::Format;

/// Which records, in which form, to where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportRequest {
    /// Which part of the table.
    pub scope: Scope,
    /// Only these CloudEvents types; empty for all.
    pub types: Vec<String>,
    /// Only this CloudEvents source.
    pub source: Option<String>,
    /// Format of the files.
    pub format: Format,
    /// Where the files go.
    pub target: Target,
}

/// Which part of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Records by the time of their event. One that arrives during the export, with a time that the export
    /// has passed, is not in it.
    Range {
        /// Earliest `occurred_at`, inclusive.
        from: DateTime<Utc>,
        /// Latest `occurred_at`, exclusive.
        to: DateTime<Utc>,
    },
    /// Everything that arrived since the last run into this target; everything, for the first. Records are
    /// read in the order of arrival, so that none is missed.
    SinceLast,
}

impl ExportRequest {
    /// Checks the request.
    ///
    /// # Errors
    /// When the range is empty, or a type is given twice.
    pub fn validate(&self) -> Result<(), ExportError> {
        if let Scope::Range { from, to } = self.scope
            && from >= to
        {
            return Err(ExportError::Request(format!(
                "the range is empty: {to} is not after {from}"
            )));
        }
        for (position, name) in self.types.iter().enumerate() {
            if self.types.iter().take(position).any(|other| other == name) {
                return Err(ExportError::Request(format!(
                    "the type {name:?} is given twice"
                )));
            }
        }
        Ok(())
    }

    /// The request without its target, in words.
    #[must_use]
    pub fn description(&self) -> String {
        let mut text = match self.scope {
            Scope::Range { from, to } => {
                format!("{} to {}", from.to_rfc3339(), to.to_rfc3339())
            }
            Scope::SinceLast => "all that arrives".to_owned(),
        };
        if !self.types.is_empty() {
            text.push_str(&format!(", types {:?}", self.types));
        }
        if let Some(source) = &self.source {
            text.push_str(&format!(", source {source:?}"));
        }
        format!("{text}, as {}", self.format)
    }
}

/// Where the files go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A folder of this machine.
    Folder(PathBuf),
    /// A bucket of S3.
    Bucket {
        /// Name of the bucket.
        bucket: String,
        /// Prefix of the keys, without a slash at either end; may be empty.
        prefix: String,
    },
}

/// A text that is no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither a folder nor s3://BUCKET/PREFIX")]
pub struct TargetError(String);

impl Target {
    /// The same target, whatever the working folder is.
    #[must_use]
    pub fn absolute(&self) -> Self {
        match self {
            Self::Folder(path) => {
                Self::Folder(std::path::absolute(path).unwrap_or_else(|_| path.clone()))
            }
            Self::Bucket { .. } => self.clone(),
        }
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let error = || TargetError(text.to_owned());
        let Some(rest) = text.strip_prefix("s3://") else {
            // Another scheme is a mistake and no folder.
            return if text.is_empty() || text.contains("://") {
                Err(error())
            } else {
                Ok(Self::Folder(PathBuf::from(text)))
            };
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let is_bucket = (3..=63).contains(&bucket.len())
            && bucket
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || ".-_".contains(letter));
        if !is_bucket {
            return Err(error());
        }
        Ok(Self::Bucket {
            bucket: bucket.to_owned(),
            prefix: prefix.trim_matches('/').to_owned(),
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => write!(formatter, "{}", path.display()),
            Self::Bucket { bucket, prefix } if prefix.is_empty() => {
                write!(formatter, "s3://{bucket}")
            }
            Self::Bucket { bucket, prefix } => write!(formatter, "s3://{bucket}/{prefix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_is_a_folder_or_a_bucket() {
        let bucket = |bucket: &str, prefix: &str| Target::Bucket {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
        };
        for (text, expected) in [
            ("out", Target::Folder("out".into())),
            ("/tmp/a b", Target::Folder("/tmp/a b".into())),
            ("s3://events", bucket("events", "")),
            ("s3://events/a/b/", bucket("events", "a/b")),
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        for wrong in ["", "s3://", "s3://ab", "s3://a b c/x", "gs://events/a"] {
            let error = wrong.parse::<Target>().unwrap_err().to_string();
            assert!(error.contains("s3://BUCKET/PREFIX"), "{error}");
        }
    }
}
