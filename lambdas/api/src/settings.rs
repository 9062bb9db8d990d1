//! Environment variables of the function.
//!
//! Invariant: an invalid setting stops the function with a message that names the variable and what is
//! allowed.

use std::net::SocketAddr;
use std::time::Duration;

use store::{ConnectSettings, IamLogIn, SettingsError, Variables};

use crate::answer::ANSWER_TIMEOUT;

/// An instance of a Lambda function serves one request at a time, a plain HTTP server many.
const CONNECTIONS_MAX: u32 = 8;
/// API Gateway gives up after 30 s; the client should get a problem document before that.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(6);
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(12);
const _: () = assert!(
    ACQUIRE_TIMEOUT.as_secs() + STATEMENT_TIMEOUT.as_secs() < ANSWER_TIMEOUT.as_secs(),
    "the server ends a slow statement before the request's time limit"
);

/// Settings of the function `api`.
#[derive(Clone)]
pub struct Settings {
    /// URL of the database (`DATABASE_URL`).
    pub database_url: String,
    /// Log-in by IAM token, where the URL has no password (`DATABASE_IAM_AUTH`).
    pub log_in: Option<IamLogIn>,
    /// Address of a plain HTTP server, outside of Lambda (`API_LISTEN`, e.g. `127.0.0.1:0`).
    pub listen: Option<SocketAddr>,
}

impl Settings {
    /// Reads the settings from variables; an empty one counts as absent.
    ///
    /// # Errors
    /// Names the first invalid variable.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let variables = Variables::new(variable);
        Ok(Self {
            database_url: variables.required("DATABASE_URL")?,
            log_in: IamLogIn::from_variables(&variables)?,
            listen: variables.optional("API_LISTEN", |text| {
                text.parse()
                    .map_err(|_| format!("is {text:?}, not an address like 127.0.0.1:8080"))
            })?,
        })
    }

    /// Pool settings with the function's limits.
    #[must_use]
    pub fn connect_settings(&self) -> ConnectSettings {
        ConnectSettings {
            max_connections: CONNECTIONS_MAX,
            acquire_timeout: ACQUIRE_TIMEOUT,
            statement_timeout: Some(STATEMENT_TIMEOUT),
            ..ConnectSettings::new(self.database_url.as_str(), "api")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_setting_is_named() {
        let missing = Settings::read(|_| None).map(|_| ()).unwrap_err();
        assert_eq!(missing.variable, "DATABASE_URL");
        let wrong = Settings::read(|name| (name != "DATABASE_IAM_AUTH").then(|| "x".to_owned()))
            .map(|_| ())
            .unwrap_err();
        assert_eq!(wrong.variable, "API_LISTEN");
    }
}
