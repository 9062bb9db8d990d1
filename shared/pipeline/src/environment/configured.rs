//! The configuration file with its tables `[environments.NAME]`.
//!
//! Invariant: an unknown key, an invalid URL or a secret is an error that names the file, the key and the
//! fix; none is skipped.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use reqwest::Url;
use serde::Deserialize;

use super::definition::{Authorization, Environment};
use super::error::EnvironmentError;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    environments: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    region: String,
    endpoint_url: Option<String>,
    topic_arn: String,
    queue_url: String,
    dead_letter_queue_url: String,
    api_url: String,
    #[serde(default)]
    api_auth: Authorization,
    #[serde(default)]
    database_auth: Authorization,
    database_url: Option<String>,
    ingest_function: Option<String>,
    function_timeout_secs: Option<u64>,
    #[serde(default)]
    production: bool,
    #[serde(default)]
    read_only: bool,
}

/// Reads all configured environments. The usual file may be absent; a named one must exist.
pub(super) fn read(
    named: Option<&Path>,
    usual: &Path,
) -> Result<Vec<Environment>, EnvironmentError> {
    let path = named.unwrap_or(usual);
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => {
            return Ok(Vec::new());
        }
        Err(cause) => {
            return Err(EnvironmentError::File {
                operation: "read configuration",
                path: path.to_owned(),
                cause,
            });
        }
    };
    parse(&text).map_err(|detail| EnvironmentError::Invalid {
        path: path.to_owned(),
        detail,
    })
}

/// Parses the text of the file; the error has no path.
pub(super) fn parse(text: &str) -> Result<Vec<Environment>, String> {
    let file: File = toml::from_str(text).map_err(|error| {
        let line = error
            .span()
            .and_then(|span| text.get(..span.start))
            .map_or(1, |before| before.matches('\n').count() + 1);
        format!("line {line}: {}", error.message())
    })?;
    file.environments
        .into_iter()
        .map(|(name, entry)| {
            entry
                .check()
                .map_err(|(key, detail)| format!("environments.{name}.{key}: {detail}"))?;
            Ok(entry.into_environment(name))
        })
        .collect()
}

type Fault = (&'static str, String);

impl Entry {
    fn check(&self) -> Result<(), Fault> {
        if self.region.is_empty() {
            return Err(("region", "must not be empty; e.g. \"eu-west-1\"".to_owned()));
        }
        if !self.topic_arn.starts_with("arn:") {
            return Err((
                "topic_arn",
                format!(
                    "{:?} is not an ARN; it starts with \"arn:aws:sns:\"",
                    self.topic_arn
                ),
            ));
        }
        let http = ["http", "https"].as_slice();
        check_url("queue_url", &self.queue_url, http)?;
        check_url("dead_letter_queue_url", &self.dead_letter_queue_url, http)?;
        check_url("api_url", &self.api_url, http)?;
        if let Some(endpoint_url) = &self.endpoint_url {
            check_url("endpoint_url", endpoint_url, http)?;
        }
        if self.queue_url == self.dead_letter_queue_url {
            return Err((
                "dead_letter_queue_url",
                "is the same as queue_url; a redrive would send messages to the queue they came from".to_owned(),
            ));
        }
        if self.database_auth == Authorization::Iam && self.database_url.is_none() {
            return Err((
                "database_auth",
                "needs database_url with host and user".to_owned(),
            ));
        }
        if let Some(database_url) = &self.database_url {
            check_url("database_url", database_url, &["postgres", "postgresql"])?;
            check_no_password(database_url)?;
        }
        Ok(())
    }

    fn into_environment(self, name: String) -> Environment {
        Environment {
            name,
            region: self.region,
            endpoint_url: self.endpoint_url,
            topic_arn: self.topic_arn,
            queue_url: self.queue_url,
            dead_letter_queue_url: self.dead_letter_queue_url,
            api_url: self.api_url,
            api_auth: self.api_auth,
            database_auth: self.database_auth,
            database_url: self.database_url,
            ingest_function: self.ingest_function,
            function_timeout_secs: self.function_timeout_secs,
            is_production: self.production,
            read_only: self.read_only,
        }
    }
}

/// The error does not contain the value, because an invalid URL may contain a secret.
fn check_url(key: &'static str, value: &str, schemes: &[&str]) -> Result<(), Fault> {
    let form = format!("write it as {}://HOST…", schemes.join(":// or "));
    let url =
        Url::parse(value).map_err(|error| (key, format!("is not a URL ({error}); {form}")))?;
    if !schemes.contains(&url.scheme()) {
        return Err((key, format!("has the scheme {:?}; {form}", url.scheme())));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err((key, format!("has no host; {form}")));
    }
    Ok(())
}

fn check_no_password(database_url: &str) -> Result<(), Fault> {
    let has_password = Url::parse(database_url).is_ok_and(|url| {
        url.password().is_some() || url.query_pairs().any(|(key, _)| key == "password")
    });
    if has_password {
        return Err((
            "database_url",
            "holds a password; files are no place for secrets: take it out and set PGPASSWORD, or \
             use IAM"
                .to_owned(),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
[environments.pilot]
region = "eu-west-1"
topic_arn = "arn:aws:sns:eu-west-1:123456789012:events"
queue_url = "https://sqs.eu-west-1.amazonaws.com/123456789012/events-queue"
dead_letter_queue_url = "https://sqs.eu-west-1.amazonaws.com/123456789012/events-dead-letters"
api_url = "https://api.example.com"
database_url = "postgres://reader@db.example.com/events?sslmode=verify-full"
production = true
"#;

    fn fault(from: &str, to: &str) -> String {
        assert!(GOOD.contains(from), "{from}");
        parse(&GOOD.replace(from, to)).unwrap_err()
    }

    #[test]
    fn entry_becomes_an_environment() {
        let environments = parse(GOOD).unwrap();
        assert_eq!(environments.len(), 1);
        assert_eq!(environments[0].name, "pilot");
        assert!(environments[0].is_production && !environments[0].read_only);
    }

    #[test]
    fn unknown_key_is_named_with_its_line() {
        let detail = fault("production", "prodution");
        assert!(
            detail.starts_with("line 9: unknown field `prodution`"),
            "{detail}"
        );
    }

    #[test]
    fn missing_key_is_named() {
        let detail = fault("region = \"eu-west-1\"\n", "");
        assert!(detail.contains("region"), "{detail}");
    }

    #[test]
    fn wrong_urls_name_their_key() {
        let detail = fault("https://api.example.com", "api.example.com");
        assert!(
            detail.starts_with("environments.pilot.api_url: is not a URL"),
            "{detail}"
        );
        let detail = fault("postgres://", "mysql://");
        assert!(
            detail.contains("database_url: has the scheme \"mysql\""),
            "{detail}"
        );
        let detail = fault("arn:aws", "aws");
        assert!(detail.contains("topic_arn"), "{detail}");
        let detail = fault("database_url", "database_auth = \"iam\" #");
        assert!(detail.contains("needs database_url"), "{detail}");
        let detail = fault("production = true", "api_auth = \"key\"");
        assert!(
            detail.starts_with("line 9: unknown variant `key`"),
            "{detail}"
        );
        let detail = fault("events-dead-letters", "events-queue");
        assert!(detail.contains("the same as queue_url"), "{detail}");
    }

    #[test]
    fn password_is_refused_and_not_repeated() {
        for secret in [
            "reader:hunter2@db.example.com",
            "reader@db.example.com/x?password=hunter2&a=",
        ] {
            let detail = fault("reader@db.example.com", secret);
            assert!(detail.contains("PGPASSWORD"), "{detail}");
            assert!(!detail.contains("hunter2"), "{detail}");
        }
    }
}
