//! Notices that the demo behind an environment has ended.
//!
//! Invariant: an environment that no process on this machine runs never ends; one that does ends
//! when its file is gone, has lost its lock, or describes another environment.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::definition::Environment;
use super::running::{RunningEnvironment, look};

/// Between two looks at the environment's file.
const POLL: Duration = Duration::from_secs(1);

/// How a running environment ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnvironmentEnd {
    /// Its owner removed the file: an orderly stop.
    Stopped,
    /// Its owner is gone and the file is still there: it crashed or was killed.
    Crashed,
    /// Another environment of the same name runs now, at other addresses.
    Replaced,
}

/// What happened and what to do, after "this pipeline has ended: ".
impl fmt::Display for EnvironmentEnd {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Stopped => {
                "its demo was stopped; leave with q, start another one with `cargo demo`"
            }
            Self::Crashed => {
                "its demo crashed or was killed; leave with q, start another one with `cargo demo`"
            }
            Self::Replaced => "another demo has started; leave with q and open the console again",
        })
    }
}

/// Watches the demo that runs an environment.
#[derive(Clone, Debug)]
pub struct DemoWatch {
    environment: Environment,
    path: PathBuf,
}

impl DemoWatch {
    /// A watch on the process that runs `environment` now, by its file in `folder`. `None` for an
    /// environment that no process here runs: it is deployed elsewhere and does not end.
    #[must_use]
    pub fn of(environment: &Environment, folder: &Path) -> Option<Self> {
        let watch = Self {
            environment: environment.clone(),
            path: folder.join(format!("{}.json", environment.name)),
        };
        watch.end_now().is_none().then_some(watch)
    }

    /// Returns when the demo has ended.
    pub async fn end(self) -> EnvironmentEnd {
        let mut ticks = tokio::time::interval(POLL);
        loop {
            ticks.tick().await;
            let watch = self.clone();
            let looked = tokio::task::spawn_blocking(move || watch.end_now()).await;
            if let Ok(Some(end)) = looked {
                return end;
            }
        }
    }

    /// How the environment ended, if it has. A file that cannot be read decides nothing.
    fn end_now(&self) -> Option<EnvironmentEnd> {
        match look(&self.environment.name, &self.path).ok()? {
            None => Some(EnvironmentEnd::Stopped),
            Some(RunningEnvironment::Stale { .. }) => Some(EnvironmentEnd::Crashed),
            Some(RunningEnvironment::Ready { environment, .. }) => {
                (!is_same(&environment, &self.environment)).then_some(EnvironmentEnd::Replaced)
            }
            Some(RunningEnvironment::Starting { .. } | RunningEnvironment::Unreadable { .. }) => {
                Some(EnvironmentEnd::Replaced)
            }
        }
    }
}

/// The operator's `--read-only` does not make it another environment.
fn is_same(running: &Environment, used: &Environment) -> bool {
    let running = Environment {
        read_only: used.read_only,
        ..running.clone()
    };
    running == *used
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::EnvironmentClaim;

    fn demo() -> Environment {
        Environment {
            name: "demo".to_owned(),
            ..Environment::example()
        }
    }

    async fn claim(folder: &Path) -> EnvironmentClaim {
        let mut claim = EnvironmentClaim::take("demo", folder).await.unwrap();
        claim.publish(&demo()).unwrap();
        claim
    }

    fn watch(folder: &Path) -> DemoWatch {
        let environment = Environment {
            read_only: true,
            ..demo()
        };
        DemoWatch::of(&environment, folder).unwrap()
    }

    #[tokio::test]
    async fn released_claim_is_a_stop() {
        let folder = tempfile::tempdir().unwrap();
        let claim = claim(folder.path()).await;
        let watch = watch(folder.path());
        claim.release();
        let end = watch.end().await;
        assert_eq!(end, EnvironmentEnd::Stopped);
        assert!(end.to_string().contains("was stopped"), "{end}");
        assert!(end.to_string().contains("`cargo demo`"), "{end}");
    }

    #[tokio::test]
    async fn file_without_its_owner_is_a_crash() {
        let folder = tempfile::tempdir().unwrap();
        let claim = claim(folder.path()).await;
        let watch = watch(folder.path());
        // What the kernel leaves of a process that was killed: the file, without its lock.
        let successor = claim.path().with_extension("new");
        std::fs::copy(claim.path(), &successor).unwrap();
        std::fs::rename(&successor, claim.path()).unwrap();
        assert_eq!(watch.end().await, EnvironmentEnd::Crashed);
    }

    #[tokio::test]
    async fn other_addresses_are_another_demo() {
        let folder = tempfile::tempdir().unwrap();
        let mut claim = claim(folder.path()).await;
        let watch = watch(folder.path());
        claim.publish(&demo()).unwrap();
        assert_eq!(watch.end_now(), None, "the same demo");
        let other = Environment {
            queue_url: "http://127.0.0.1:2/000000000000/events-queue".to_owned(),
            ..demo()
        };
        claim.publish(&other).unwrap();
        assert_eq!(watch.end().await, EnvironmentEnd::Replaced);
    }

    #[test]
    fn environment_that_nobody_here_runs_is_not_watched() {
        let folder = tempfile::tempdir().unwrap();
        assert!(DemoWatch::of(&demo(), folder.path()).is_none());
    }
}
