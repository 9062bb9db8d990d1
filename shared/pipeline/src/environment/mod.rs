//! The environments that the console can connect to, and where they are described.
//!
//! Invariant: an [`Environment`] that exists was checked: its URLs are URLs and nothing that was
//! read from the configuration file is a secret.

mod configured;
mod imported;
mod listed;
mod running;

use std::fmt;
use std::path::{Path, PathBuf};

use directories::ProjectDirs;
use reqwest::Url;
use serde::{Deserialize, Serialize};

pub use imported::{ImportOutcome, Imported};
pub use listed::{EnvironmentList, EnvironmentSource, ListedEnvironment};
pub use running::{EnvironmentClaim, RunningEnvironment, running_environments};

/// By what a service knows who asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Authorization {
    /// By nothing, or by what the URL and the usual variables say.
    #[default]
    None,
    /// By the operator's AWS credentials: a signature on each request, a token for each log-in.
    Iam,
}

/// One deployed pipeline.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// Its name, as `--env` takes it.
    pub name: String,
    /// AWS region.
    pub region: String,
    /// Endpoint of an emulator; absent for AWS itself.
    pub endpoint_url: Option<String>,
    /// ARN of the SNS topic that takes events.
    pub topic_arn: String,
    /// URL of the queue that the ingest reads.
    pub queue_url: String,
    /// URL of the dead-letter queue.
    pub dead_letter_queue_url: String,
    /// Base URL of the HTTP API, without a path of ours.
    pub api_url: String,
    /// Whether requests to the API are signed.
    #[serde(default)]
    pub api_auth: Authorization,
    /// Whether the password of the database is an IAM token.
    #[serde(default)]
    pub database_auth: Authorization,
    /// URL of the database; without it there are no records and no verdict `already-stored`.
    pub database_url: Option<String>,
    /// Name of the ingest function.
    pub ingest_function: Option<String>,
    /// Timeout of the ingest function, for the rule about the queue's visibility timeout.
    pub function_timeout_secs: Option<u64>,
    /// Whether writes need the environment's name as a confirmation.
    pub is_production: bool,
    /// Whether nothing may be changed.
    pub read_only: bool,
}

impl fmt::Debug for Environment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Environment")
            .field("name", &self.name)
            .field("region", &self.region)
            .field("endpoint_url", &self.endpoint_url)
            .field("topic_arn", &self.topic_arn)
            .field("queue_url", &self.queue_url)
            .field("dead_letter_queue_url", &self.dead_letter_queue_url)
            .field("api_url", &self.api_url)
            .field("api_auth", &self.api_auth)
            .field("database_auth", &self.database_auth)
            .field("database_url", &self.database_url.as_deref().map(redacted))
            .field("ingest_function", &self.ingest_function)
            .field("function_timeout_secs", &self.function_timeout_secs)
            .field("is_production", &self.is_production)
            .field("read_only", &self.read_only)
            .finish()
    }
}

impl Environment {
    /// Finds an environment: the named one, else the only one that is configured or running.
    /// `config_path` overrides the place of the configuration file.
    ///
    /// # Errors
    /// When there is no such environment, or when what describes it cannot be used. The error
    /// names the file, the key and the way out.
    pub fn load(name: Option<&str>, config_path: Option<&Path>) -> Result<Self, EnvironmentError> {
        let folders = Folders::of_user()?;
        Self::load_from(name, config_path, &folders)
    }

    fn load_from(
        name: Option<&str>,
        config_path: Option<&Path>,
        folders: &Folders,
    ) -> Result<Self, EnvironmentError> {
        let configured = configured::read(config_path, &folders.config_file())?;
        let running = running_environments(&folders.environments())?;
        match name {
            Some(name) => named(name, configured, running),
            None => only_one(configured, running),
        }
    }

    /// Writes the entry of an environment to the configuration file: keys and values as Terraform's
    /// output `console` has them. An entry that says something else is only overwritten with `replace`.
    ///
    /// # Errors
    /// When the values make no entry, when there is another one, or when the file cannot be used.
    pub fn import(
        name: &str,
        values: &serde_json::Map<String, serde_json::Value>,
        config_path: Option<&Path>,
        replace: bool,
    ) -> Result<Imported, EnvironmentError> {
        let path = match config_path {
            Some(path) => path.to_owned(),
            None => Folders::of_user()?.config_file(),
        };
        imported::write(name, values, &path, replace)
    }

    /// Whether everything is on this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.endpoint_url.as_deref().is_some_and(is_loopback_url)
    }

    /// An environment for documentation and tests: nothing answers there.
    #[must_use]
    pub fn example() -> Self {
        Self {
            name: "example".to_owned(),
            region: "us-east-1".to_owned(),
            endpoint_url: Some("http://127.0.0.1:1".to_owned()),
            topic_arn: "arn:aws:sns:us-east-1:000000000000:events".to_owned(),
            queue_url: "http://127.0.0.1:1/000000000000/events-queue".to_owned(),
            dead_letter_queue_url: "http://127.0.0.1:1/000000000000/events-dead-letters".to_owned(),
            api_url: "http://127.0.0.1:1".to_owned(),
            api_auth: Authorization::None,
            database_auth: Authorization::None,
            database_url: None,
            ingest_function: None,
            function_timeout_secs: None,
            is_production: false,
            read_only: false,
        }
    }
}

fn named(
    name: &str,
    configured: Vec<Environment>,
    running: Vec<RunningEnvironment>,
) -> Result<Environment, EnvironmentError> {
    let known = known_names(&configured, &running);
    for candidate in running {
        let is_stale = matches!(candidate, RunningEnvironment::Stale { .. });
        if candidate.name() == name
            && !(is_stale && configured.iter().any(|known| known.name == name))
        {
            return candidate.into_environment();
        }
    }
    configured
        .into_iter()
        .find(|environment| environment.name == name)
        .ok_or_else(|| EnvironmentError::Unknown {
            name: name.to_owned(),
            known,
        })
}

/// Whoever names none means the only one. A running demo is no better a guess than an entry of the
/// configuration: a command for the one must never reach the other.
fn only_one(
    mut configured: Vec<Environment>,
    mut running: Vec<RunningEnvironment>,
) -> Result<Environment, EnvironmentError> {
    running.retain(|candidate| !matches!(candidate, RunningEnvironment::Stale { .. }));
    // By its name, too, the running one is meant.
    configured.retain(|entry| running.iter().all(|other| other.name() != entry.name));
    if configured.len() + running.len() > 1 {
        return Err(EnvironmentError::NotChosen {
            known: known_names(&configured, &running),
        });
    }
    match (configured.pop(), running.pop()) {
        (Some(environment), _) => Ok(environment),
        (None, Some(candidate)) => candidate.into_environment(),
        (None, None) => Err(EnvironmentError::None),
    }
}

fn known_names(configured: &[Environment], running: &[RunningEnvironment]) -> Vec<String> {
    let mut names: Vec<String> = configured
        .iter()
        .map(|environment| environment.name.clone())
        .chain(running.iter().map(RunningEnvironment::to_string))
        .collect();
    names.sort();
    names
}

/// The folder where this user's programs keep what they must not forget.
///
/// # Errors
/// When this user has no home.
pub fn state_folder() -> Result<PathBuf, EnvironmentError> {
    Ok(Folders::of_user()?.state)
}

/// The folders of this user.
#[derive(Clone, Debug)]
pub struct Folders {
    config: PathBuf,
    state: PathBuf,
}

impl Folders {
    /// The folders of the user that runs this process.
    ///
    /// # Errors
    /// When the user has no home folder.
    pub fn of_user() -> Result<Self, EnvironmentError> {
        let folders = ProjectDirs::from("", "", "opsconsole").ok_or(EnvironmentError::NoHome)?;
        Ok(Self {
            config: folders.config_dir().to_owned(),
            state: folders
                .state_dir()
                .unwrap_or_else(|| folders.data_local_dir())
                .to_owned(),
        })
    }

    fn config_file(&self) -> PathBuf {
        self.config.join("config.toml")
    }

    /// Where running demos describe themselves.
    pub fn environments(&self) -> PathBuf {
        self.state.join("environments")
    }

    /// Where the journals of redrives are.
    pub fn redrives(&self) -> PathBuf {
        self.state.join("redrives")
    }
}

/// Why there is no environment to connect to.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// Nothing is configured and nothing runs.
    #[error(
        "no environment: nothing is configured and no demo is running; start one with `cargo demo` \
         or describe one in config.toml"
    )]
    None,
    /// Several exist, none was chosen.
    #[error("several environments exist; choose one with --env NAME: {}", .known.join(", "))]
    NotChosen {
        /// What there is.
        known: Vec<String>,
    },
    /// The name is not known.
    #[error(
        "no environment {name:?}; known: {}; `cargo demo` starts one",
        if .known.is_empty() { "none".to_owned() } else { .known.join(", ") }
    )]
    Unknown {
        /// The name that was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// It is being started by another process.
    #[error(
        "environment {name:?} is still being started{}; try again in a few seconds",
        .pid.map_or_else(String::new, |pid| format!(" by pid {pid}"))
    )]
    StillStarting {
        /// The environment.
        name: String,
        /// The process that starts it; `None` before it has written a word.
        pid: Option<u32>,
    },
    /// Its owner is gone.
    #[error(
        "environment {name:?} is gone: the process that ran it has ended; {} is left over, start \
         it again with `cargo demo`",
        .path.display()
    )]
    Stale {
        /// The environment.
        name: String,
        /// The file that was left behind.
        path: PathBuf,
    },
    /// Another process runs the same environment.
    #[error(
        "a demo is already running{}; use it with `opsconsole --env {name}`, or stop it first",
        .pid.map_or_else(String::new, |pid| format!(" (pid {pid})"))
    )]
    AlreadyRunning {
        /// The environment.
        name: String,
        /// The process that runs it; `None` where it has not said so.
        pid: Option<u32>,
    },
    /// A file cannot be read or written.
    #[error("{operation} {}: {cause}", .path.display())]
    File {
        /// What was tried.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        cause: std::io::Error,
    },
    /// A file's content is not what it should be.
    #[error("{}: {detail}", .path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        detail: String,
    },
    /// There is no home folder to look into.
    #[error("no home folder: set HOME, or name the configuration with --config")]
    NoHome,
}

/// Scheme, host and port of a URL; the text itself where it is none.
#[must_use]
pub fn origin(url: &str) -> String {
    Url::parse(url).map_or_else(|_| url.to_owned(), |url| url.origin().ascii_serialization())
}

fn is_loopback_url(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else {
        return false;
    };
    url.host_str().is_some_and(is_loopback_host)
}

fn is_loopback_host(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn redacted(url: &str) -> String {
    match Url::parse(url) {
        Ok(mut url) if url.password().is_some() => match url.set_password(Some("redacted")) {
            Ok(()) => url.to_string(),
            Err(()) => "redacted".to_owned(),
        },
        Ok(url) => url.to_string(),
        Err(_) => "not a URL".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folders() -> (tempfile::TempDir, Folders) {
        let folder = tempfile::tempdir().unwrap();
        let folders = Folders {
            config: folder.path().join("config"),
            state: folder.path().join("state"),
        };
        std::fs::create_dir_all(&folders.config).unwrap();
        (folder, folders)
    }

    fn entry(name: &str) -> String {
        format!(
            r#"
[environments.{name}]
region = "eu-west-1"
topic_arn = "arn:aws:sns:eu-west-1:123456789012:events"
queue_url = "https://sqs.eu-west-1.amazonaws.com/123456789012/events-queue"
dead_letter_queue_url = "https://sqs.eu-west-1.amazonaws.com/123456789012/events-dead-letters"
api_url = "https://api.example.com"
"#
        )
    }

    fn load(name: Option<&str>, folders: &Folders) -> Result<Environment, EnvironmentError> {
        Environment::load_from(name, None, folders)
    }

    #[test]
    fn nothing_at_all_says_how_to_get_one() {
        let (_folder, folders) = folders();
        let error = load(None, &folders).unwrap_err().to_string();
        assert!(error.contains("cargo demo"), "{error}");
    }

    #[test]
    fn only_environment_is_the_default_and_two_must_be_chosen_from() {
        let (_folder, folders) = folders();
        std::fs::write(folders.config_file(), entry("pilot")).unwrap();
        assert_eq!(load(None, &folders).unwrap().name, "pilot");
        std::fs::write(folders.config_file(), entry("pilot") + &entry("production")).unwrap();
        let error = load(None, &folders).unwrap_err().to_string();
        assert!(error.contains("pilot, production"), "{error}");
        let error = load(Some("prod"), &folders).unwrap_err().to_string();
        assert!(
            error.contains("\"prod\"; known: pilot, production"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn running_demo_is_found_until_its_owner_is_gone() {
        let (_folder, folders) = folders();
        std::fs::write(folders.config_file(), entry("pilot") + &entry("production")).unwrap();
        let mut claim = EnvironmentClaim::take("demo", &folders.environments())
            .await
            .unwrap();
        let error = load(Some("demo"), &folders).unwrap_err().to_string();
        assert!(error.contains("still being started"), "{error}");
        let environment = Environment {
            name: "demo".to_owned(),
            ..Environment::example()
        };
        claim.publish(&environment).unwrap();
        assert_eq!(load(Some("demo"), &folders).unwrap(), environment);
        let second = EnvironmentClaim::take("demo", &folders.environments())
            .await
            .unwrap_err();
        assert!(
            second
                .to_string()
                .contains(&format!("pid {}", std::process::id())),
            "{second}"
        );
        claim.release();
        let error = load(Some("demo"), &folders).unwrap_err().to_string();
        assert!(error.contains("no environment \"demo\""), "{error}");
    }

    #[tokio::test]
    async fn configured_environment_and_a_live_demo_must_be_chosen_from() {
        let (_folder, folders) = folders();
        std::fs::write(folders.config_file(), entry("pilot")).unwrap();
        let demo = Environment {
            name: "demo".to_owned(),
            ..Environment::example()
        };
        let mut claim = EnvironmentClaim::take("demo", &folders.environments())
            .await
            .unwrap();
        let pid = std::process::id();
        for state in ["starting", "running"] {
            let error = load(None, &folders).unwrap_err().to_string();
            let known = format!("--env NAME: demo ({state}, pid {pid}), pilot");
            assert!(error.contains(&known), "{error}");
            assert_eq!(load(Some("pilot"), &folders).unwrap().name, "pilot");
            claim.publish(&demo).unwrap();
        }
        // A demo that was killed leaves its file behind.
        let path = claim.path().to_owned();
        let text = std::fs::read(&path).unwrap();
        claim.release();
        std::fs::write(path, text).unwrap();
        assert_eq!(load(None, &folders).unwrap().name, "pilot");
    }

    #[tokio::test]
    async fn list_marks_the_environment_that_would_be_used() {
        let (_folder, folders) = folders();
        let list = |name: Option<&str>| Environment::list_from(name, None, &folders).unwrap();
        let told = |name: Option<&str>| -> Vec<(String, EnvironmentSource, bool)> {
            let listed = list(name).environments.into_iter();
            listed
                .map(|listed| (listed.name, listed.source, listed.is_used))
                .collect()
        };
        assert!(matches!(list(None).unused, Some(EnvironmentError::None)));
        let live = entry("live") + "production = true\nread_only = true\n";
        std::fs::write(folders.config_file(), entry("demo") + &live).unwrap();
        let mut claim = EnvironmentClaim::take("demo", &folders.environments())
            .await
            .unwrap();
        let starting = list(Some("demo"));
        assert!(matches!(
            starting.unused,
            Some(EnvironmentError::StillStarting { .. })
        ));
        let demo = &starting.environments[0];
        assert_eq!(demo.pid, Some(std::process::id()));
        assert_eq!((demo.is_ready, demo.is_production), (false, None));
        let live = starting.environments.last().unwrap();
        assert_eq!(live.path, Some(folders.config_file()));
        assert_eq!(
            (live.is_production, live.read_only),
            (Some(true), Some(true))
        );
        let environment = Environment {
            name: "demo".to_owned(),
            ..Environment::example()
        };
        claim.publish(&environment).unwrap();
        let rows = |used: [bool; 3]| {
            vec![
                ("demo".to_owned(), EnvironmentSource::RunningDemo, used[0]),
                ("demo".to_owned(), EnvironmentSource::ConfigFile, used[1]),
                ("live".to_owned(), EnvironmentSource::ConfigFile, used[2]),
            ]
        };
        // An entry of the same name is hidden by the demo.
        assert_eq!(told(Some("demo")), rows([true, false, false]));
        assert_eq!(told(Some("live")), rows([false, false, true]));
        assert_eq!(told(None), rows([false, false, false]));
        assert!(matches!(
            list(None).unused,
            Some(EnvironmentError::NotChosen { .. })
        ));
        // What a dead owner left behind is no environment.
        let path = claim.path().to_owned();
        let text = std::fs::read(&path).unwrap();
        claim.release();
        std::fs::write(path, text).unwrap();
        assert_eq!(told(Some("demo")), rows([false, true, false])[1..]);
    }

    #[tokio::test]
    async fn running_demo_is_the_default_where_nothing_is_configured() {
        let (_folder, folders) = folders();
        let mut claim = EnvironmentClaim::take("demo", &folders.environments())
            .await
            .unwrap();
        let error = load(None, &folders).unwrap_err();
        assert!(matches!(error, EnvironmentError::StillStarting { .. }));
        let demo = Environment {
            name: "demo".to_owned(),
            ..Environment::example()
        };
        claim.publish(&demo).unwrap();
        assert_eq!(load(None, &folders).unwrap(), demo);
        // An entry of the same name is no second choice.
        std::fs::write(folders.config_file(), entry("demo")).unwrap();
        assert_eq!(load(None, &folders).unwrap(), demo);
    }

    #[tokio::test]
    async fn live_file_without_an_end_is_a_demo_that_starts() {
        let (_folder, folders) = folders();
        std::fs::write(folders.config_file(), entry("pilot")).unwrap();
        let claim = EnvironmentClaim::take("demo", &folders.environments())
            .await
            .unwrap();
        for text in ["", "{\"pid\": 4", "{\"pid\": 4, \"environment\": {\"na"] {
            std::fs::write(claim.path(), text).unwrap();
            let error = load(Some("demo"), &folders).unwrap_err().to_string();
            assert!(error.contains("is still being started; try"), "{error}");
            assert_eq!(load(Some("pilot"), &folders).unwrap().name, "pilot");
            let second = EnvironmentClaim::take("demo", &folders.environments())
                .await
                .unwrap_err();
            assert!(
                second.to_string().contains("already running; use"),
                "{second}"
            );
        }
    }

    #[tokio::test]
    async fn live_file_that_says_something_else_fails_only_who_asks_for_it() {
        let (_folder, folders) = folders();
        std::fs::write(folders.config_file(), entry("pilot")).unwrap();
        let claim = EnvironmentClaim::take("demo", &folders.environments())
            .await
            .unwrap();
        std::fs::write(claim.path(), "{\"owner\": 4}").unwrap();
        assert_eq!(load(Some("pilot"), &folders).unwrap().name, "pilot");
        let error = load(Some("demo"), &folders).unwrap_err().to_string();
        assert!(error.contains("demo.json: not an environment"), "{error}");
    }

    #[tokio::test]
    async fn file_of_a_dead_owner_is_named_and_ignored() {
        let (_folder, folders) = folders();
        std::fs::create_dir_all(folders.environments()).unwrap();
        std::fs::write(folders.environments().join("demo.json"), "{\"pid\":1}").unwrap();
        let error = load(Some("demo"), &folders).unwrap_err().to_string();
        assert!(error.contains("is gone"), "{error}");
        let error = load(None, &folders).unwrap_err().to_string();
        assert!(error.contains("nothing is configured"), "{error}");
        EnvironmentClaim::take("demo", &folders.environments())
            .await
            .unwrap();
    }

    #[test]
    fn debug_never_shows_the_password() {
        let environment = Environment {
            database_url: Some("postgres://me:hunter2@db/events".to_owned()),
            ..Environment::example()
        };
        assert!(!format!("{environment:?}").contains("hunter2"));
    }

    #[test]
    fn loopback_is_told_from_the_rest() {
        for url in [
            "http://127.0.0.1:4566",
            "http://localhost:1",
            "http://[::1]:9",
        ] {
            assert!(is_loopback_url(url), "{url}");
        }
        for url in [
            "https://sqs.eu-west-1.amazonaws.com",
            "http://10.0.0.1",
            "x",
        ] {
            assert!(!is_loopback_url(url), "{url}");
        }
    }
}
