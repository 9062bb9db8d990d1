//! Limits of the plain HTTP server.
//!
//! Invariant: none can be switched off.

use std::time::Duration;

use store::{SettingsError, Variables};

use crate::answer::ANSWER_TIMEOUT;

const CONNECTIONS_MAX: u32 = 1_024;
/// As many as tokio's semaphores count, by far.
const CONNECTIONS_LIMIT: u32 = 100_000;
const HEAD: Duration = Duration::from_secs(10);
/// Longer than load balancers keep a connection that they use again (60 s for most), so that they never send a
/// request on one that is just being closed.
const IDLE: Duration = Duration::from_secs(75);
const REQUEST: Duration = Duration::from_secs(30);
/// A load balancer stops to send requests only after it has heard that this server is not ready any more.
const STOP_DELAY: Duration = Duration::from_secs(5);
/// A longer limit is none.
const TIME_MAX: Duration = Duration::from_secs(600);

const _: () = assert!(
    ANSWER_TIMEOUT.as_secs() < REQUEST.as_secs(),
    "a slow database gets a problem document and no closed connection"
);

/// Limits of the plain HTTP server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// Most open connections (`API_CONNECTIONS_MAX`, 1,024).
    pub connections_max: u32,
    /// From the first byte of a request to the end of its headers (`API_HEAD_TIMEOUT_MS`, 10 s).
    pub head: Duration,
    /// Without any byte of a next request (`API_IDLE_TIMEOUT_MS`, 75 s).
    pub idle: Duration,
    /// From the end of the headers to the last byte of the answer (`API_REQUEST_TIMEOUT_MS`, 30 s).
    pub request: Duration,
    /// From SIGTERM, when the server is not ready any more, to the end of new connections
    /// (`API_STOP_DELAY_MS`, 5 s).
    pub stop_delay: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            connections_max: CONNECTIONS_MAX,
            head: HEAD,
            idle: IDLE,
            request: REQUEST,
            stop_delay: STOP_DELAY,
        }
    }
}

impl ServerLimits {
    /// Reads the limits that are set.
    ///
    /// # Errors
    /// Names the first invalid variable.
    pub(crate) fn read<F: Fn(&str) -> Option<String>>(
        variables: &Variables<F>,
    ) -> Result<Self, SettingsError> {
        let default = Self::default();
        let time = |variable, default| {
            let time = variables.optional(variable, millis)?;
            Ok(time.unwrap_or(default))
        };
        Ok(Self {
            connections_max: variables
                .optional("API_CONNECTIONS_MAX", connections)?
                .unwrap_or(default.connections_max),
            head: time("API_HEAD_TIMEOUT_MS", default.head)?,
            idle: time("API_IDLE_TIMEOUT_MS", default.idle)?,
            request: time("API_REQUEST_TIMEOUT_MS", default.request)?,
            stop_delay: time("API_STOP_DELAY_MS", default.stop_delay)?,
        })
    }

    /// The shortest limit of a phase.
    pub(super) fn shortest(&self) -> Duration {
        self.head.min(self.idle).min(self.request)
    }
}

fn millis(text: &str) -> Result<Duration, String> {
    let time = text.parse().ok().map(Duration::from_millis);
    time.filter(|time| !time.is_zero() && *time <= TIME_MAX)
        .ok_or_else(|| {
            let max = TIME_MAX.as_millis();
            format!("is {text:?}, not a number of milliseconds from 1 to {max}")
        })
}

fn connections(text: &str) -> Result<u32, String> {
    let number = text.parse().ok();
    number
        .filter(|number| (1..=CONNECTIONS_LIMIT).contains(number))
        .ok_or_else(|| format!("is {text:?}, not a number from 1 to {CONNECTIONS_LIMIT}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, value: &str) -> Result<ServerLimits, String> {
        let variables = Variables::new(|asked: &str| (asked == name).then(|| value.to_owned()));
        ServerLimits::read(&variables).map_err(|error| error.to_string())
    }

    #[test]
    fn limits_are_read_and_none_can_be_switched_off() {
        assert_eq!(read("OTHER", "1"), Ok(ServerLimits::default()));
        let limits = read("API_HEAD_TIMEOUT_MS", "250").unwrap();
        assert_eq!(limits.head, Duration::from_millis(250));
        assert_eq!(read("API_CONNECTIONS_MAX", "7").unwrap().connections_max, 7);
        for name in [
            "API_CONNECTIONS_MAX",
            "API_HEAD_TIMEOUT_MS",
            "API_IDLE_TIMEOUT_MS",
            "API_REQUEST_TIMEOUT_MS",
            "API_STOP_DELAY_MS",
        ] {
            for wrong in ["0", "-1", "never", "600001000"] {
                let error = read(name, wrong).unwrap_err();
                assert!(error.contains(name) && error.contains(wrong), "{error}");
            }
        }
    }
}
