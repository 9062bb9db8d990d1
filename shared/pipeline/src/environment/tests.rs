//! The folder as a whole: what is configured, what runs, and which one is found.

use super::definition::is_loopback_url;
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
fn error_without_any_environment_shows_how_to_get_one() {
    let (_folder, folders) = folders();
    let error = load(None, &folders).unwrap_err().to_string();
    // A released console has no demo.
    assert!(error.contains("`opsconsole env import DIR`"), "{error}");
    assert!(error.contains("`cargo demo` in a checkout"), "{error}");
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
async fn running_demo_is_found_until_its_owner_ends() {
    let (_folder, folders) = folders();
    std::fs::write(folders.config_file(), entry("pilot") + &entry("production")).unwrap();
    let mut claim = EnvironmentClaim::take("demo", &folders.environments())
        .await
        .unwrap();
    let error = load(Some("demo"), &folders).unwrap_err().to_string();
    assert!(error.contains("still starting"), "{error}");
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
    let names = |name: Option<&str>| -> Vec<(String, EnvironmentSource, bool)> {
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
    assert_eq!(names(Some("demo")), rows([true, false, false]));
    assert_eq!(names(Some("live")), rows([false, false, true]));
    assert_eq!(names(None), rows([false, false, false]));
    assert!(matches!(
        list(None).unused,
        Some(EnvironmentError::NotChosen { .. })
    ));
    // A file that an ended owner left behind is no environment.
    let path = claim.path().to_owned();
    let text = std::fs::read(&path).unwrap();
    claim.release();
    std::fs::write(path, text).unwrap();
    assert_eq!(names(Some("demo")), rows([false, true, false])[1..]);
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
async fn incomplete_file_of_a_live_owner_is_a_starting_demo() {
    let (_folder, folders) = folders();
    std::fs::write(folders.config_file(), entry("pilot")).unwrap();
    let claim = EnvironmentClaim::take("demo", &folders.environments())
        .await
        .unwrap();
    for text in ["", "{\"pid\": 4", "{\"pid\": 4, \"environment\": {\"na"] {
        std::fs::write(claim.path(), text).unwrap();
        let error = load(Some("demo"), &folders).unwrap_err().to_string();
        assert!(error.contains("is still starting; try"), "{error}");
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
async fn invalid_file_of_a_live_owner_fails_only_commands_for_it() {
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
async fn file_of_an_ended_owner_is_named_and_ignored() {
    let (_folder, folders) = folders();
    std::fs::create_dir_all(folders.environments()).unwrap();
    std::fs::write(folders.environments().join("demo.json"), "{\"pid\":1}").unwrap();
    let error = load(Some("demo"), &folders).unwrap_err().to_string();
    assert!(error.contains("has ended"), "{error}");
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
fn loopback_is_recognised() {
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
