//! Errors of calls to the pipeline.
//!
//! Invariant: an error names the operation, the address and the cause in plain words, and never contains a
//! body or a secret.

use std::error::Error;
use std::fmt;
use std::io;
use std::num::NonZeroU16;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use tokio::time::Instant;

use super::credentials::{self, NoCredentials};
use super::denial;
use super::printable::printable;

/// The kind of an error; it determines the exit code and the default hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PipelineErrorKind {
    /// No response: refused connection, unknown host, timeout, no credentials.
    Unreachable,
    /// The service responded with an error.
    Refused,
    /// The environment's entry lacks something that the operation needs.
    NotConfigured,
    /// Read-only mode or a missing confirmation forbids the change.
    NotPermitted,
}

/// Why the caller has no access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NoAccess {
    /// A permission is missing.
    Denied,
    /// There are no valid credentials.
    NoCredentials,
}

/// A failed operation, as it is shown to the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipelineError {
    /// The operation with its object, e.g. `read queue depth of "events-queue"`.
    pub operation: String,
    /// The address of the service; empty when no request was sent.
    pub address: String,
    /// Why it failed, in plain words.
    pub cause: String,
    /// Time from the start of the operation to the error.
    pub elapsed: Duration,
    /// The kind of failure.
    pub kind: PipelineErrorKind,
    /// What the operator can do; `None` for the default of the kind.
    hint: Option<String>,
    /// Whether the operation may have succeeded although no response came.
    may_have_happened: bool,
    /// Whether the service could not answer for now.
    is_passing: bool,
    /// Why the caller has no access; `None` where that is not the cause.
    no_access: Option<NoAccess>,
    /// How many seconds the service asked to wait. Small, because errors are returned by value everywhere.
    retry_after_secs: Option<NonZeroU16>,
}

impl fmt::Display for PipelineError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.operation)?;
        if !self.address.is_empty() {
            write!(formatter, " at {}", self.address)?;
        }
        write!(formatter, ": {}", self.cause)?;
        match self.kind {
            PipelineErrorKind::Unreachable | PipelineErrorKind::Refused => {
                write!(formatter, " (after {:.1} s)", self.elapsed.as_secs_f64())
            }
            PipelineErrorKind::NotConfigured | PipelineErrorKind::NotPermitted => Ok(()),
        }
    }
}

impl Error for PipelineError {}

impl PipelineError {
    /// Whether the service did not respond (exit code 3).
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        self.kind == PipelineErrorKind::Unreachable
    }

    /// Whether the operation may have succeeded although no response came.
    #[must_use]
    pub fn may_have_happened(&self) -> bool {
        self.may_have_happened
    }

    /// Whether the service could not answer for now: it wants fewer calls, or failed itself (5xx).
    #[must_use]
    pub fn is_passing(&self) -> bool {
        self.is_passing
    }

    /// Whether the service refused because a permission is missing; the hint names it where it is known.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        self.no_access == Some(NoAccess::Denied)
    }

    /// Whether the caller has no access: a permission is missing, or there are no valid credentials.
    #[must_use]
    pub fn is_without_access(&self) -> bool {
        self.no_access.is_some()
    }

    /// How long the service asked to wait before another attempt (RFC 9110, 10.2.3), up to 18 hours; `None` if it
    /// did not.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        let secs = self.retry_after_secs?;
        Some(Duration::from_secs(secs.get().into()))
    }

    /// What the operator can do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        if let Some(hint) = &self.hint {
            return hint.clone();
        }
        match self.kind {
            // Whether AWS runs is no question, and a region that does not exist has no addresses.
            PipelineErrorKind::Unreachable if self.is_unknown_host_of_aws() => format!(
                "check the network of this machine, and that the region in {} exists",
                self.address
            ),
            PipelineErrorKind::Unreachable => {
                format!("check that {} is running and can be reached", self.address)
            }
            PipelineErrorKind::Refused => {
                "check the names in the environment's entry and the permissions of these credentials".to_owned()
            }
            PipelineErrorKind::NotConfigured => "add it to the environment's entry".to_owned(),
            PipelineErrorKind::NotPermitted => "see --read-only and --confirm".to_owned(),
        }
    }

    fn is_unknown_host_of_aws(&self) -> bool {
        let is_of_aws = OF_AWS.iter().any(|part| self.address.contains(part));
        is_of_aws && self.cause.starts_with(UNKNOWN_HOST)
    }

    /// The environment's entry lacks something that the operation needs; `hint` names it.
    pub fn not_configured(operation: &str, cause: String, hint: &str) -> Self {
        Self {
            operation: operation.to_owned(),
            address: String::new(),
            cause,
            elapsed: Duration::ZERO,
            kind: PipelineErrorKind::NotConfigured,
            hint: Some(hint.to_owned()),
            may_have_happened: false,
            is_passing: false,
            no_access: None,
            retry_after_secs: None,
        }
    }

    /// The environment forbids the operation; nothing was changed.
    pub fn not_permitted(operation: &str, cause: String, hint: String) -> Self {
        Self {
            operation: operation.to_owned(),
            address: String::new(),
            cause,
            elapsed: Duration::ZERO,
            kind: PipelineErrorKind::NotPermitted,
            hint: Some(hint),
            may_have_happened: false,
            is_passing: false,
            no_access: None,
            retry_after_secs: None,
        }
    }

    /// Marks the outcome as unknown; `remark` is added for the operator.
    pub fn outcome_unknown(mut self, remark: &str) -> Self {
        self.may_have_happened = true;
        self.with_remark(remark)
    }

    /// Adds a remark to the cause.
    pub fn with_remark(mut self, remark: &str) -> Self {
        self.cause.push_str("; ");
        self.cause.push_str(remark);
        self
    }

    pub(super) fn with_retry_after(mut self, wait: Option<Duration>) -> Self {
        let secs = wait.map(|wait| u16::try_from(wait.as_secs()).unwrap_or(u16::MAX));
        self.retry_after_secs = secs.and_then(NonZeroU16::new);
        self
    }

    pub(super) fn passing(mut self) -> Self {
        self.is_passing = true;
        self
    }

    pub(super) fn without_credentials(mut self) -> Self {
        self.no_access = Some(NoAccess::NoCredentials);
        self
    }

    pub(super) fn with_hint(mut self, hint: &str) -> Self {
        self.hint = Some(hint.to_owned());
        self
    }
}

/// The cause where there is no address for a host.
const UNKNOWN_HOST: &str = "the host name cannot be resolved";
/// What follows the region in the names of AWS's hosts.
const OF_AWS: [&str; 2] = [".amazonaws.com", ".api.aws"];
/// A part that the entry names and AWS does not know.
const APPLY_AGAIN: &str = "was it deleted, or the environment applied in part? run `terraform apply` to the end, then \
                           `opsconsole env import DIR --replace`, which writes the names again";

/// A started operation: creates [`PipelineError`]s with its name, address and elapsed time.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub(super) operation: String,
    address: String,
    started: Instant,
}

impl Attempt {
    /// Starts an operation at one address.
    pub fn start(operation: impl Into<String>, address: impl Into<String>) -> Self {
        Self {
            operation: operation.into(),
            address: address.into(),
            started: Instant::now(),
        }
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// An error with this cause, whose control characters are escaped.
    pub fn failed(&self, kind: PipelineErrorKind, cause: impl AsRef<str>) -> PipelineError {
        PipelineError {
            operation: self.operation.clone(),
            address: self.address.clone(),
            cause: printable(cause.as_ref()),
            elapsed: self.elapsed(),
            kind,
            hint: None,
            may_have_happened: false,
            is_passing: false,
            no_access: None,
            retry_after_secs: None,
        }
    }

    /// The service responded with an error.
    pub fn refused(&self, cause: impl AsRef<str>) -> PipelineError {
        self.failed(PipelineErrorKind::Refused, cause)
    }

    /// The service refused because a permission is missing: the one that `message` names, else `permission`.
    pub fn denied(&self, message: &str, permission: Option<&str>) -> PipelineError {
        let named = denial::permission_of(message);
        let hint = denial::hint(named.as_deref().or(permission), message);
        let mut error = self.refused(message).with_hint(&printable(&hint));
        error.no_access = Some(NoAccess::Denied);
        error
    }

    /// No response within `limit`.
    pub fn timed_out(&self, limit: Duration) -> PipelineError {
        self.failed(
            PipelineErrorKind::Unreachable,
            format!("no answer within {} s", limit.as_secs_f64()),
        )
    }

    /// Converts an error of an AWS call.
    pub fn sdk<E, R>(&self, error: &SdkError<E, R>) -> PipelineError
    where
        E: ProvideErrorMetadata + Error + 'static,
        R: fmt::Debug + 'static,
    {
        if let Some(answer) = error.as_service_error() {
            return self.service_answer(answer.code(), answer.message());
        }
        if error_chain(error).any(|cause| cause.is::<CredentialsError>()) {
            return self.no_credentials(error);
        }
        self.failed(PipelineErrorKind::Unreachable, plain_cause(error))
    }

    /// There are no credentials to sign with; nothing was sent.
    pub(super) fn no_credentials(&self, error: &(dyn Error + 'static)) -> PipelineError {
        let variable = std::env::var("AWS_PROFILE").ok();
        let NoCredentials { cause, hint } = credentials::explained(error_chain(error), variable);
        self.failed(PipelineErrorKind::Unreachable, cause)
            .with_hint(&printable(&hint))
            .without_credentials()
    }

    /// Converts an answer of a service that is an error.
    pub(super) fn service_answer(
        &self,
        code: Option<&str>,
        message: Option<&str>,
    ) -> PipelineError {
        match code {
            Some(code) if code.ends_with("NonExistentQueue") || code == "QueueDoesNotExist" => self
                .refused("the queue does not exist")
                .with_hint(APPLY_AGAIN),
            Some("NotFound") => self
                .refused("the topic does not exist")
                .with_hint(APPLY_AGAIN),
            Some(code) => {
                let cause = match message {
                    Some(message) => format!("{code}: {message}"),
                    None => code.to_owned(),
                };
                if denial::is_denial(code) {
                    self.denied(&cause, None)
                } else if denial::is_of_credentials(code) {
                    let error = self.refused(cause).with_hint(denial::credentials_hint());
                    error.without_credentials()
                } else {
                    self.refused(cause)
                }
            }
            None => self.refused(message.unwrap_or("the service gave no reason")),
        }
    }

    /// Converts an error of an HTTP call.
    pub fn http(&self, error: &reqwest::Error) -> PipelineError {
        let cause = if error.is_timeout() {
            "no answer in time".to_owned()
        } else {
            plain_cause(error)
        };
        self.failed(PipelineErrorKind::Unreachable, cause)
    }
}

/// Whether a request cannot have taken effect: the response was a client error, or the request never left
/// this machine. After a server error (5xx) the request may have taken effect.
pub(super) fn is_surely_not_done<E>(error: &SdkError<E, HttpResponse>) -> bool
where
    E: Error + 'static,
{
    if error.as_service_error().is_some() {
        return !is_server_failure(error);
    }
    matches!(error, SdkError::ConstructionFailure(_)) || never_left(error)
}

/// Whether the response was a server error (5xx), or there was no response.
pub fn is_server_failure<E>(error: &SdkError<E, HttpResponse>) -> bool {
    error
        .raw_response()
        .is_none_or(|response| response.status().is_server_error())
}

/// Whether a request never left this machine: there was no connection (no address, refused, no TLS, too
/// late), or there were no credentials to sign it. The types decide, and never the texts: a text may name
/// anything.
pub fn never_left(error: &(dyn Error + 'static)) -> bool {
    error_chain(error).any(|cause| {
        let is_unconnected = cause.downcast_ref::<io::Error>().is_some_and(|error| {
            matches!(
                error.kind(),
                io::ErrorKind::ConnectionRefused
                    | io::ErrorKind::HostUnreachable
                    | io::ErrorKind::NetworkUnreachable
            )
        });
        let client = cause.downcast_ref::<hyper_util::client::legacy::Error>();
        is_unconnected
            || client.is_some_and(hyper_util::client::legacy::Error::is_connect)
            || cause.is::<CredentialsError>()
    })
}

fn error_chain<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (**error).source())
}

/// The root cause, in an operator's terms.
pub(super) fn plain_cause(error: &(dyn Error + 'static)) -> String {
    let mut last = error.to_string();
    for cause in error_chain(error) {
        if let Some(io) = cause.downcast_ref::<io::Error>()
            && let Some(plain) = plain_io(io)
        {
            return plain.to_owned();
        }
        let text = cause.to_string();
        if text.contains("dns error") || text.contains("failed to lookup address") {
            return UNKNOWN_HOST.to_owned();
        }
        if text.contains("timed out") || text.contains("timeout") {
            return "no answer in time".to_owned();
        }
        last = text;
    }
    last
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "io::ErrorKind is foreign and non-exhaustive"
)]
fn plain_io(error: &io::Error) -> Option<&'static str> {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Some("connection refused"),
        io::ErrorKind::ConnectionReset => Some("the connection was reset"),
        io::ErrorKind::ConnectionAborted => Some("the connection was aborted"),
        io::ErrorKind::UnexpectedEof => Some("the connection was closed"),
        io::ErrorKind::BrokenPipe => Some("the connection was closed"),
        io::ErrorKind::TimedOut => Some("no answer in time"),
        io::ErrorKind::HostUnreachable => Some("the host cannot be reached"),
        io::ErrorKind::NetworkUnreachable => Some("the network cannot be reached"),
        io::ErrorKind::PermissionDenied => Some("permission denied"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_sns::error::ErrorMetadata;
    use aws_sdk_sns::operation::publish_batch::PublishBatchError;
    use aws_smithy_types::body::SdkBody;

    use super::*;
    use crate::Pipeline;
    use crate::environment::Environment;

    fn answer(status: u16) -> SdkError<PublishBatchError, HttpResponse> {
        let error = PublishBatchError::generic(ErrorMetadata::builder().code("X").build());
        let response = HttpResponse::new(status.try_into().unwrap(), SdkBody::empty());
        SdkError::service_error(error, response)
    }

    #[test]
    fn request_may_have_taken_effect_after_a_server_error() {
        assert!(is_surely_not_done(&answer(400)));
        assert!(is_surely_not_done(&answer(403)));
        assert!(!is_surely_not_done(&answer(500)));
        assert!(!is_surely_not_done(&answer(503)));
    }

    #[test]
    fn text_of_an_error_never_shows_that_nothing_was_sent() {
        let lost = io::Error::new(
            io::ErrorKind::ConnectionReset,
            "credential, dns error, connect timeout: the answer was lost",
        );
        assert!(!never_left(&lost));
        assert!(never_left(&io::Error::from(
            io::ErrorKind::ConnectionRefused
        )));
        let nobody = CredentialsError::not_loaded("no profile");
        assert!(never_left(&nobody));
    }

    /// Neither the kind of the error nor its text says so: the client knows that it has no connection.
    #[tokio::test]
    async fn request_without_a_connection_never_left() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint_url = format!("https://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                drop(client);
            }
        });
        let environment = Environment {
            endpoint_url: Some(endpoint_url),
            ..Environment::example()
        };
        let pipeline = Pipeline::connect(&environment).unwrap();
        let answer = pipeline.aws().await.sqs.list_queues().send().await;
        let error = answer.unwrap_err();
        assert!(never_left(&error), "{error:?}");
    }

    #[tokio::test]
    async fn error_reads_as_one_sentence_with_address_cause_and_time() {
        let attempt = Attempt::start("read queue depth of \"q\"", "http://127.0.0.1:1");
        let error = attempt.failed(PipelineErrorKind::Unreachable, "connection refused");
        assert_eq!(
            error.to_string(),
            "read queue depth of \"q\" at http://127.0.0.1:1: connection refused (after 0.0 s)"
        );
        assert!(error.is_unreachable());
        assert!(error.hint().contains("http://127.0.0.1:1"));
    }

    #[tokio::test]
    async fn region_that_does_not_exist_is_suspected_where_a_host_of_aws_is_unknown() {
        let failed = |address: &str, cause: &str| {
            let attempt = Attempt::start("read", address);
            attempt.failed(PipelineErrorKind::Unreachable, cause).hint()
        };
        let of_aws = "https://sqs.us-eest-1.amazonaws.com";
        let hint = failed(of_aws, UNKNOWN_HOST);
        assert!(
            hint.ends_with("that the region in https://sqs.us-eest-1.amazonaws.com exists"),
            "{hint}"
        );
        let own = "http://emulator.test:4566";
        for (address, cause) in [(own, UNKNOWN_HOST), (of_aws, "connection refused")] {
            let hint = failed(address, cause);
            assert!(hint.ends_with("is running and can be reached"), "{hint}");
        }
    }

    #[test]
    fn missing_queue_is_a_refusal_and_not_unreachable() {
        let attempt = Attempt::start("read", "here");
        let error = attempt.service_answer(
            Some("AWS.SimpleQueueService.NonExistentQueue"),
            Some("whatever"),
        );
        assert!(!error.is_unreachable());
        assert_eq!(error.cause, "the queue does not exist");
    }

    #[test]
    fn denied_call_names_the_permission() {
        let attempt = Attempt::start("purge \"q\"", "here");
        let message = "User: me is not authorized to perform: sqs:purgequeue on resource: q";
        let error = attempt.service_answer(Some("AccessDeniedException"), Some(message));
        assert!(error.is_denied() && !error.is_unreachable());
        assert!(error.cause.contains(message), "{error}");
        let hint = error.hint();
        assert!(
            hint.starts_with("the permission sqs:PurgeQueue is missing"),
            "{hint}"
        );
        let expired = attempt.service_answer(Some("ExpiredToken"), None);
        assert!(!expired.is_denied() && expired.is_without_access());
        assert!(
            expired.hint().contains("log in again"),
            "{}",
            expired.hint()
        );
    }

    #[test]
    fn causes_cannot_control_the_terminal() {
        let attempt = Attempt::start("read", "here");
        let error = attempt.service_answer(Some("X"), Some("a\u{1b}[2Jb"));
        assert_eq!(error.cause, "X: a\\u001b[2Jb");
    }
}
