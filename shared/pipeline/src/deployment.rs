//! When the ingest function was deployed last.

use chrono::{DateTime, Utc};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::aws_call::{AwsCall, Form};
use crate::{Attempt, Pipeline, PipelineError};

/// A time as Lambda writes it: the offset has no colon.
const TIME: &str = "%Y-%m-%dT%H:%M:%S%.f%z";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Configuration {
    last_modified: Option<String>,
}

impl Pipeline {
    /// When the code or the configuration of the ingest was changed last; `None` where Lambda does not say.
    ///
    /// # Errors
    /// When the environment does not name the function, or Lambda does not answer.
    pub async fn ingest_deployed_at(&self) -> Result<Option<DateTime<Utc>>, PipelineError> {
        let Some(name) = &self.environment().ingest_function else {
            return Err(PipelineError::not_configured(
                "read when the ingest was deployed",
                "the environment does not name the function".to_owned(),
                "add ingest_function to the environment's entry",
            ));
        };
        let call = AwsCall {
            service: "lambda",
            operation: "GetFunctionConfiguration",
        };
        let name = utf8_percent_encode(name, NON_ALPHANUMERIC);
        let path = format!("/2015-03-31/functions/{name}/configuration");
        let text = self.aws_call(call, Form::Path(path)).await?;
        let read: Configuration = serde_json::from_str(&text).map_err(|error| {
            let attempt = Attempt::start(
                "read the answer to GetFunctionConfiguration",
                self.aws_address("lambda"),
            );
            attempt.refused(error.to_string())
        })?;
        Ok(read.last_modified.as_deref().and_then(time))
    }
}

fn time(text: &str) -> Option<DateTime<Utc>> {
    let time = DateTime::parse_from_str(text, TIME).ok()?;
    Some(time.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_of_lambda_is_read_and_another_text_is_none() {
        let expected = "2026-11-28T09:40:12.345Z".parse().unwrap();
        assert_eq!(time("2026-11-28T09:40:12.345+0000"), Some(expected));
        assert_eq!(time("2026-11-28T10:40:12.345+0100"), Some(expected));
        assert_eq!(time("yesterday"), None);
    }
}
