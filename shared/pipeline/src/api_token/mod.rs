//! The bearer token of the HTTP API, from a command of the operator.
//!
//! Invariant: a token is in memory and in the header of a request, and nowhere else: no error, log or file has it. The
//! command is run at the first need and again when its token expires, never twice at once, and within a limit.

mod command;
mod fetch;
mod jwt;
mod token;

use std::time::{Duration, SystemTime};

use reqwest::header::HeaderValue;
use tokio::sync::Mutex;
use tokio::time::Instant;

use fetch::{TOKEN_LIMIT, fetch};
use token::Token;

pub(crate) use command::TokenCommand;

/// How long a failure answers: calls that wait for the same token do not each run a command that fails.
const FAILURE_KEPT: Duration = Duration::from_secs(3);

/// The token of one environment.
#[derive(Debug, Default)]
pub(crate) struct TokenCache(Mutex<Known>);

#[derive(Debug, Default)]
enum Known {
    #[default]
    Nothing,
    Token(Token),
    Failure(String, Instant),
}

impl TokenCache {
    /// The value of the header `Authorization`. An error says why there is none, in plain words.
    pub(crate) async fn header(&self, command: &TokenCommand) -> Result<HeaderValue, String> {
        let mut known = self.0.lock().await;
        match &*known {
            Known::Token(token) if SystemTime::now() < token.until => {
                return Ok(token.header.clone());
            }
            Known::Failure(why, at) if at.elapsed() < FAILURE_KEPT => return Err(why.clone()),
            Known::Nothing | Known::Token(_) | Known::Failure(..) => {}
        }
        match fetch(command, TOKEN_LIMIT).await {
            Ok(token) => {
                let header = token.header.clone();
                *known = Known::Token(token);
                Ok(header)
            }
            Err(why) => {
                *known = Known::Failure(why.clone(), Instant::now());
                Err(why)
            }
        }
    }

    /// Forgets the token, because the API refused it.
    pub(crate) async fn forget(&self) {
        let mut known = self.0.lock().await;
        if matches!(*known, Known::Token(_)) {
            *known = Known::Nothing;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api_token::jwt::tests::token_until;

    fn counting(folder: &std::path::Path, print: &str) -> TokenCommand {
        let script = folder.join("token.sh");
        let runs = folder.join("runs");
        std::fs::write(&script, format!("echo run >>{}\n{print}\n", runs.display())).unwrap();
        TokenCommand::parse(&format!("sh {}", script.display())).unwrap()
    }

    fn runs(folder: &std::path::Path) -> usize {
        std::fs::read_to_string(folder.join("runs"))
            .unwrap()
            .lines()
            .count()
    }

    #[tokio::test]
    async fn token_is_fetched_once_until_it_expires_and_again_where_it_was_refused() {
        let folder = tempfile::tempdir().unwrap();
        let token = token_until(Some(4_000_000_000));
        let command = counting(folder.path(), &format!("echo {token}"));
        let cache = TokenCache::default();
        let (one, other) = tokio::join!(cache.header(&command), cache.header(&command));
        assert_eq!(one.unwrap(), format!("Bearer {token}"));
        assert!(other.unwrap().is_sensitive());
        assert_eq!(runs(folder.path()), 1);
        assert!(!format!("{cache:?}").contains(&token));
        cache.forget().await;
        cache.header(&command).await.unwrap();
        assert_eq!(runs(folder.path()), 2);
    }

    #[tokio::test]
    async fn token_that_expires_soon_is_fetched_for_each_call() {
        let folder = tempfile::tempdir().unwrap();
        let soon = chrono::Utc::now().timestamp() + 5;
        let command = counting(folder.path(), &format!("echo {}", token_until(Some(soon))));
        let cache = TokenCache::default();
        cache.header(&command).await.unwrap();
        cache.header(&command).await.unwrap();
        assert_eq!(runs(folder.path()), 2);
    }

    #[tokio::test]
    async fn failure_is_told_to_all_that_wait_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let command = counting(folder.path(), "echo 'log in first' >&2; exit 7");
        let cache = TokenCache::default();
        let (one, other) = tokio::join!(cache.header(&command), cache.header(&command));
        assert_eq!(one.unwrap_err(), other.unwrap_err());
        assert_eq!(runs(folder.path()), 1);
    }
}
