//! Environment variables of the function.
//!
//! Invariant: an invalid setting stops the function with a message that names the variable and what is
//! allowed.

use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use axum::http::{HeaderValue, Method, header};
use store::{ConnectSettings, IamLogIn, SettingsError, Variables};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::answer::ANSWER_TIMEOUT;
use crate::request_id::REQUEST_ID;
use crate::server::ServerLimits;

/// An instance of a Lambda function serves one request at a time, a plain HTTP server many.
const CONNECTIONS_MAX: u32 = 8;
/// API Gateway gives up after 30 s; the client should get a problem document before that.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(6);
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(12);
const _: () = assert!(
    ACQUIRE_TIMEOUT.as_secs() + STATEMENT_TIMEOUT.as_secs() < ANSWER_TIMEOUT.as_secs(),
    "the server ends a slow statement before the request's time limit"
);

/// How long a browser may keep the answer to a preflight.
const CORS_MAX_AGE: Duration = Duration::from_secs(600);

/// Settings of the function `api`.
#[derive(Clone)]
pub struct Settings {
    /// URL of the database (`DATABASE_URL`).
    pub database_url: String,
    /// Log-in by IAM token, where the URL has no password (`DATABASE_IAM_AUTH`).
    pub log_in: Option<IamLogIn>,
    /// Address of a plain HTTP server, outside of Lambda (`API_LISTEN`, e.g. `127.0.0.1:0`).
    pub listen: Option<SocketAddr>,
    /// Limits of that server.
    pub server: ServerLimits,
    /// Origins whose pages may read answers (`API_CORS_ORIGINS`, e.g. `https://a.example,https://b.example`
    /// or `*`).
    pub cors_origins: Option<CorsOrigins>,
}

/// Origins of web pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CorsOrigins {
    /// Every origin.
    All,
    /// These.
    Some(Vec<HeaderValue>),
}

impl FromStr for CorsOrigins {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::All);
        }
        let origins = text.split(',').map(|origin| {
            let host = ["https://", "http://"]
                .into_iter()
                .find_map(|scheme| origin.strip_prefix(scheme));
            // A browser sends scheme, host and port, and nothing else matches.
            let is_origin = host.is_some_and(|host| {
                !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ', '*'])
            });
            match HeaderValue::from_str(origin) {
                Ok(origin) if is_origin => Ok(origin),
                Ok(_) | Err(_) => Err(format!(
                    "has {origin:?}, which is no origin like https://a.example; separate several by commas"
                )),
            }
        });
        origins.collect::<Result<_, _>>().map(Self::Some)
    }
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
            server: ServerLimits::read(&variables)?,
            cors_origins: variables.optional("API_CORS_ORIGINS", str::parse)?,
        })
    }

    /// What lets pages of other origins read answers; `None` where none may.
    pub(crate) fn cors(&self) -> Option<CorsLayer> {
        let origins = match self.cors_origins.clone()? {
            CorsOrigins::All => AllowOrigin::any(),
            CorsOrigins::Some(origins) => AllowOrigin::list(origins),
        };
        let layer = CorsLayer::new()
            .allow_origin(origins)
            .allow_methods([Method::GET, Method::HEAD, Method::POST])
            .allow_headers([
                header::AUTHORIZATION,
                header::CONTENT_TYPE,
                header::IF_NONE_MATCH,
                REQUEST_ID,
            ])
            .expose_headers([header::ETAG, header::RETRY_AFTER, REQUEST_ID])
            .max_age(CORS_MAX_AGE);
        Some(layer)
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
    fn origins_are_read_and_what_is_none_is_named() {
        let list = "https://a.example,http://127.0.0.1:3000".parse().unwrap();
        let origins = ["https://a.example", "http://127.0.0.1:3000"].map(HeaderValue::from_static);
        assert_eq!(CorsOrigins::Some(origins.to_vec()), list);
        assert_eq!("*".parse(), Ok(CorsOrigins::All));
        for wrong in [
            "a.example",
            "https://a.example/",
            "https://",
            "https://*.example",
            "null",
            "",
        ] {
            let error = wrong.parse::<CorsOrigins>().unwrap_err();
            assert!(error.contains(&format!("{wrong:?}")), "{error}");
        }
    }

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
