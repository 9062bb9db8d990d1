//! The configuration file with its tables `[environments.NAME]`.
//!
//! Invariant: an unknown key, an invalid URL or a secret is an error that names the file, the key and the
//! fix; none is skipped.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use reqwest::Url;
use serde::Deserialize;

use super::definition::{Authorization, Environment, is_loopback_host, is_loopback_url};
use super::error::EnvironmentError;
use crate::api_token::TokenCommand;
use crate::tunnel::TunnelCommand;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    environments: BTreeMap<String, Entry>,
}

/// The same file with entries that are not looked at yet.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entries {
    #[serde(default)]
    environments: BTreeMap<String, toml::Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    region: String,
    profile: Option<String>,
    endpoint_url: Option<String>,
    topic_arn: String,
    queue_url: String,
    dead_letter_queue_url: String,
    api_url: Option<String>,
    #[serde(default)]
    api_auth: Authorization,
    api_token_command: Option<String>,
    #[serde(default)]
    database_auth: Authorization,
    database_url: Option<String>,
    #[serde(default)]
    database_pauses: bool,
    database_cluster: Option<String>,
    database_instances: Option<u32>,
    tunnel: Option<String>,
    ingest_function: Option<String>,
    function_timeout_secs: Option<u64>,
    ingest_memory_mib: Option<u32>,
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
    let Some((path, text)) = read_text(named, usual)? else {
        return Ok(Vec::new());
    };
    parse(&text).map_err(|detail| EnvironmentError::Invalid {
        path: path.to_owned(),
        detail,
    })
}

/// One entry of the file by its name, or what is wrong with it.
pub(super) type NamedEntry = (String, Result<Environment, EnvironmentError>);

/// Reads all configured environments one by one, so that an invalid entry is an error of its own.
pub(super) fn read_each(
    named: Option<&Path>,
    usual: &Path,
) -> Result<Vec<NamedEntry>, EnvironmentError> {
    let Some((path, text)) = read_text(named, usual)? else {
        return Ok(Vec::new());
    };
    let invalid = |detail: String| EnvironmentError::Invalid {
        path: path.to_owned(),
        detail,
    };
    let entries: Entries =
        toml::from_str(&text).map_err(|error| invalid(located(&text, &error)))?;
    let entries = entries.environments.into_iter().map(|(name, entry)| {
        let entry: Result<Entry, _> = entry.try_into();
        let environment = entry
            .map_err(|error| format!("environments.{name}: {}", error.message()))
            .and_then(|entry| entry.checked(name.clone()));
        (name, environment.map_err(invalid))
    });
    Ok(entries.collect())
}

/// The file and its text; `None` where there is no file at the usual place.
fn read_text<'a>(
    named: Option<&'a Path>,
    usual: &'a Path,
) -> Result<Option<(&'a Path, String)>, EnvironmentError> {
    let path = named.unwrap_or(usual);
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some((path, text))),
        Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(EnvironmentError::File {
            operation: "read configuration",
            path: path.to_owned(),
            cause,
        }),
    }
}

/// Parses the text of the file; the error has no path.
pub(super) fn parse(text: &str) -> Result<Vec<Environment>, String> {
    let file: File = toml::from_str(text).map_err(|error| located(text, &error))?;
    file.environments
        .into_iter()
        .map(|(name, entry)| entry.checked(name))
        .collect()
}

fn located(text: &str, error: &toml::de::Error) -> String {
    let line = error
        .span()
        .and_then(|span| text.get(..span.start))
        .map_or(1, |before| before.matches('\n').count() + 1);
    format!("line {line}: {}", error.message())
}

/// Parameters of a connection URL that hold a secret (PostgreSQL manual, "Connection Strings").
const PASSWORD_PARAMETERS: [&str; 2] = ["password", "sslpassword"];
/// Modes of `sslmode` that verify the server's certificate.
const VERIFIED_MODES: [&str; 2] = ["verify-ca", "verify-full"];

type Fault = (&'static str, String);

impl Entry {
    /// The environment, or the key and its fault.
    fn checked(self, name: String) -> Result<Environment, String> {
        self.check()
            .map_err(|(key, detail)| format!("environments.{name}.{key}: {detail}"))?;
        Ok(self.into_environment(name))
    }

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
        self.check_place()?;
        let http = ["http", "https"].as_slice();
        check_url("queue_url", &self.queue_url, http)?;
        check_url("dead_letter_queue_url", &self.dead_letter_queue_url, http)?;
        if let Some(api_url) = &self.api_url {
            check_url("api_url", api_url, http)?;
        }
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
            check_database_tls(database_url, self.database_auth)?;
        }
        self.check_api_token()?;
        self.check_tunnel()
    }

    /// Topic and queues are where the entry says, and in one account: else it is put together from two environments,
    /// or every call would go astray.
    fn check_place(&self) -> Result<(), Fault> {
        let topic: Vec<&str> = self.topic_arn.split(':').collect();
        let [_, _, _, region, account, _] = topic.as_slice() else {
            return Ok(());
        };
        if self.region != *region {
            return Err((
                "region",
                format!(
                    "is {:?}, and topic_arn is in {region:?}; {ONE_PLACE}",
                    self.region
                ),
            ));
        }
        for (key, url) in [
            ("queue_url", &self.queue_url),
            ("dead_letter_queue_url", &self.dead_letter_queue_url),
        ] {
            if let Some((of_region, of_account)) = place_of_queue(url)
                && (of_region, of_account) != (*region, *account)
            {
                let here = format!("is in {of_account}/{of_region}");
                let detail = format!("{here}, and topic_arn in {account}/{region}; {ONE_PLACE}");
                return Err((key, detail));
            }
        }
        Ok(())
    }

    /// A token is as good as a password: it goes over TLS, or stays on this machine.
    fn check_api_token(&self) -> Result<(), Fault> {
        let fault = |detail: String| ("api_token_command", detail);
        let Some(command) = &self.api_token_command else {
            return Ok(());
        };
        TokenCommand::parse(command).map_err(fault)?;
        if self.api_auth == Authorization::Iam {
            let detail = "and api_auth = \"iam\" exclude each other; an API that wants tokens has no api_auth";
            return Err(fault(detail.to_owned()));
        }
        let Some(api_url) = &self.api_url else {
            return Err(fault("needs api_url".to_owned()));
        };
        if !api_url.starts_with("https://") && !is_loopback_url(api_url) {
            let detail =
                "needs an api_url with https://, so that nobody on the way reads the token";
            return Err(fault(detail.to_owned()));
        }
        Ok(())
    }

    fn check_tunnel(&self) -> Result<(), Fault> {
        let Some(tunnel) = &self.tunnel else {
            return Ok(());
        };
        TunnelCommand::parse(tunnel).map_err(|detail| ("tunnel", detail))?;
        let Some(database_url) = &self.database_url else {
            let detail = "needs database_url with the database's own host and user";
            return Err(("tunnel", detail.to_owned()));
        };
        let url = Url::parse(database_url).ok();
        if url.is_some_and(|url| url.query_pairs().any(|(name, _)| name == "host")) {
            let detail = "leads to the host of database_url, which names a socket instead";
            return Err(("tunnel", detail.to_owned()));
        }
        Ok(())
    }

    fn into_environment(self, name: String) -> Environment {
        Environment {
            name,
            region: self.region,
            profile: self.profile,
            endpoint_url: self.endpoint_url,
            topic_arn: self.topic_arn,
            queue_url: self.queue_url,
            dead_letter_queue_url: self.dead_letter_queue_url,
            api_url: self.api_url,
            api_auth: self.api_auth,
            api_token_command: self.api_token_command,
            database_auth: self.database_auth,
            database_url: self.database_url,
            database_pauses: self.database_pauses,
            database_cluster: self.database_cluster,
            database_instances: self.database_instances,
            tunnel: self.tunnel,
            ingest_function: self.ingest_function,
            function_timeout_secs: self.function_timeout_secs,
            ingest_memory_mib: self.ingest_memory_mib,
            is_production: self.production,
            read_only: self.read_only,
        }
    }
}

const ONE_PLACE: &str = "correct the wrong one, or import the environment again with --replace";

/// Region and account of a queue of AWS: `https://sqs.REGION.amazonaws.com/ACCOUNT/NAME`, in China with a further
/// label.
fn place_of_queue(url: &str) -> Option<(&str, &str)> {
    let (host, path) = url.strip_prefix("https://sqs.")?.split_once('/')?;
    let (region, _) = host.split_once(".amazonaws.com")?;
    Some((region, path.split('/').next()?))
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
    let is_secret = |name: &str| PASSWORD_PARAMETERS.contains(&name);
    if url.password().is_some() || url.query_pairs().any(|(name, _)| is_secret(&name)) {
        let way_out = if key == "database_url" {
            "remove it and set PGPASSWORD, or use database_auth = \"iam\""
        } else {
            "remove it; AWS credentials come from the usual chain"
        };
        return Err((
            key,
            format!("holds a password, and this file is no place for it: {way_out}"),
        ));
    }
    Ok(())
}

/// A connection that leaves this machine verifies the server: without `sslmode` the driver accepts
/// an unencrypted connection (PostgreSQL manual, "SSL Support"). An IAM log-in always verifies.
fn check_database_tls(database_url: &str, auth: Authorization) -> Result<(), Fault> {
    let Ok(url) = Url::parse(database_url) else {
        return Ok(());
    };
    let parameter = |wanted: &str| {
        let pairs = url.query_pairs().filter(|(name, _)| name == wanted);
        pairs.last().map(|(_, value)| value.into_owned())
    };
    let is_local = match parameter("host") {
        Some(host) => host.starts_with('/') || is_loopback_host(&host),
        None => url.host_str().is_some_and(is_loopback_host),
    };
    let is_verified =
        parameter("sslmode").is_some_and(|mode| VERIFIED_MODES.contains(&mode.as_str()));
    if is_local || is_verified || auth == Authorization::Iam {
        return Ok(());
    }
    Err((
        "database_url",
        "does not verify the server: add sslmode=verify-full (and sslrootcert=PATH where its \
         certificate authority is not a public one)"
            .to_owned(),
    ))
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
            "reader@db.example.com/x?sslpassword=hunter2&a=",
        ] {
            let detail = fault("reader@db.example.com", secret);
            assert!(detail.contains("PGPASSWORD"), "{detail}");
            assert!(!detail.contains("hunter2"), "{detail}");
        }
        for (key, host) in [
            (
                "queue_url",
                "sqs.eu-west-1.amazonaws.com/123456789012/events-queue",
            ),
            ("api_url", "api.example.com"),
        ] {
            let detail = fault(
                &format!("https://{host}"),
                &format!("https://me:hunter2@{host}"),
            );
            assert!(
                detail.contains(&format!("{key}: holds a password")),
                "{detail}"
            );
            assert!(!detail.contains("hunter2"), "{detail}");
        }
    }

    #[test]
    fn invalid_entry_is_an_error_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        let other = |name: &str, from: &str, to: &str| {
            GOOD.replace("environments.pilot", &format!("environments.{name}"))
                .replace(from, to)
        };
        let text = format!(
            "{GOOD}{}{}\n[environments]\nd = 1\n",
            other("b", "production", "prodution"),
            other("c", "https://api", "api")
        )
        .replace("\n[environments]\n", "\n[environments.d]\n");
        std::fs::write(&path, text).unwrap();
        let read = read_each(Some(&path), &path).unwrap();
        let names: Vec<&str> = read.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["b", "c", "d", "pilot"]);
        let fault = |at: usize| read[at].1.as_ref().unwrap_err().to_string();
        assert!(
            fault(0).contains("environments.b: unknown field `prodution`"),
            "{}",
            fault(0)
        );
        assert!(
            fault(1).contains("environments.c.api_url: is not a URL"),
            "{}",
            fault(1)
        );
        assert!(fault(2).contains("environments.d: "), "{}", fault(2));
        assert_eq!(read[3].1.as_ref().unwrap().name, "pilot");
        std::fs::write(&path, "[environments").unwrap();
        assert!(read_each(Some(&path), &path).is_err());
    }

    #[test]
    fn queues_are_of_the_environment_of_the_topic() {
        for (from, to, key) in [
            (
                "123456789012/events-queue",
                "999999999999/events-queue",
                "queue_url",
            ),
            (
                "sqs.eu-west-1.amazonaws.com/123456789012/events-dead",
                "sqs.eu-west-2.amazonaws.com/123456789012/events-dead",
                "dead_letter_queue_url",
            ),
        ] {
            let detail = fault(from, to);
            assert!(
                detail.starts_with(&format!("environments.pilot.{key}: is in ")),
                "{detail}"
            );
            assert!(
                detail.contains("and topic_arn in 123456789012/eu-west-1"),
                "{detail}"
            );
        }
    }

    #[test]
    fn region_is_that_of_the_topic() {
        let detail = fault("region = \"eu-west-1\"", "region = \"eu-central-1\"");
        assert!(
            detail.contains(
                "environments.pilot.region: is \"eu-central-1\", and topic_arn is in \"eu-west-1\""
            ),
            "{detail}"
        );
    }

    #[test]
    fn token_is_sent_over_tls_alone_and_never_beside_a_signature() {
        let command = "api_token_command = \"get-token --for pilot\"";
        let with = |more: &str| format!("production = true\n{command}\n{more}");
        let environments = parse(&GOOD.replace("production = true", &with(""))).unwrap();
        let found = environments[0].api_token_command.as_deref();
        assert_eq!(found, Some("get-token --for pilot"));
        let detail = fault("production = true", &with("api_auth = \"iam\""));
        assert!(
            detail.contains("api_token_command: and api_auth"),
            "{detail}"
        );
        let plain = GOOD.replace("https://api.example.com", "http://api.example.com");
        let detail = parse(&plain.replace("production = true", &with(""))).unwrap_err();
        assert!(detail.contains("https://"), "{detail}");
        let local = GOOD.replace("https://api.example.com", "http://127.0.0.1:1");
        assert!(parse(&local.replace("production = true", &with(""))).is_ok());
        let inline = "api_token_command = \"get-token --password hunter2\"";
        let detail = fault("production = true", inline);
        assert!(detail.contains("holds a secret"), "{detail}");
        assert!(!detail.contains("hunter2"), "{detail}");
    }

    #[test]
    fn tunnel_leads_to_the_host_of_the_database() {
        let tunnel = |command: &str| {
            let entry = format!("production = true\ntunnel = '{command}'");
            parse(&GOOD.replace("production = true", &entry))
        };
        let command = "ssh -N -L {local_port}:{host}:{port} bastion";
        let environments = tunnel(command).unwrap();
        assert_eq!(environments[0].tunnel.as_deref(), Some(command));
        let detail = tunnel("ssh -N bastion").unwrap_err();
        assert!(
            detail.contains("environments.pilot.tunnel: has no {local_port}"),
            "{detail}"
        );
        let entry = format!("tunnel = '{command}' #");
        let detail = fault("database_url", &entry);
        assert!(detail.contains("tunnel: needs database_url"), "{detail}");
        let socket = "postgres://r@h/events?host=%2Frun%2Fpg\"\ntunnel = \"ssh {local_port}";
        let detail = fault(
            "postgres://reader@db.example.com/events?sslmode=verify-full",
            socket,
        );
        assert!(detail.contains("names a socket"), "{detail}");
    }

    #[test]
    fn database_that_is_not_verified_is_refused_outside_of_this_machine() {
        for mode in [
            "",
            "?sslmode=prefer",
            "?sslmode=require",
            "?sslmode=verify-full&sslmode=disable",
        ] {
            let detail = fault("?sslmode=verify-full", mode);
            assert!(detail.contains("sslmode=verify-full"), "{detail}");
        }
        for from_here in [
            "localhost/events",
            "127.0.0.1/events",
            "h/events?host=%2Frun%2Fpg",
            "[::1]/events",
        ] {
            let text = GOOD.replace("db.example.com/events?sslmode=verify-full", from_here);
            assert!(parse(&text).is_ok(), "{from_here}");
        }
        let iam = GOOD.replace("?sslmode=verify-full\"", "\"\ndatabase_auth = \"iam\"");
        assert!(parse(&iam).is_ok());
    }
}
