//! The client of SQS.
//!
//! Invariant: its settings are the variables that Lambda sets for every function, read once. No
//! profile, file or metadata service is read.

use aws_credential_types::Credentials;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::config::{BehaviorVersion, Builder, Region};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use store::{SettingsError, Variables};

use crate::dead_letters::CALL_TIMEOUT;

/// Credentials, region and endpoint for SQS. The credentials are those of the function's role and stay
/// valid as long as its execution environment.
#[derive(Clone, Debug)]
pub struct QueueAccess {
    credentials: Credentials,
    region: String,
    /// An emulator instead of AWS.
    endpoint_url: Option<String>,
    /// Whether SQS is called by its name that has IPv6 addresses too. A given endpoint has its own name.
    is_dual_stack: bool,
}

impl QueueAccess {
    /// Reads `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_REGION`,
    /// `AWS_ENDPOINT_URL_SQS` or `AWS_ENDPOINT_URL`, and `AWS_USE_DUALSTACK_ENDPOINT`.
    ///
    /// # Errors
    /// Names the first required variable that is absent.
    pub(crate) fn from_variables<F: Fn(&str) -> Option<String>>(
        variables: &Variables<F>,
    ) -> Result<Self, SettingsError> {
        let text = |name| variables.optional(name, |text| Ok(text.to_owned()));
        let endpoint_url = match text("AWS_ENDPOINT_URL_SQS")? {
            Some(url) => Some(url),
            None => text("AWS_ENDPOINT_URL")?,
        };
        let is_dual_stack = variables.flag("AWS_USE_DUALSTACK_ENDPOINT")?;
        Ok(Self {
            credentials: Credentials::new(
                variables.required("AWS_ACCESS_KEY_ID")?,
                variables.required("AWS_SECRET_ACCESS_KEY")?,
                text("AWS_SESSION_TOKEN")?,
                None,
                "environment",
            ),
            region: variables.required("AWS_REGION")?,
            is_dual_stack: is_dual_stack && endpoint_url.is_none(),
            endpoint_url,
        })
    }

    /// Makes the client. Takes some milliseconds: it loads the machine's root certificates.
    pub(crate) fn client(self) -> Client {
        let http_client = aws_smithy_http_client::Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build_https();
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(CALL_TIMEOUT)
            .build();
        let mut config = Builder::new()
            .behavior_version(BehaviorVersion::latest())
            .credentials_provider(self.credentials)
            .region(Region::new(self.region))
            .http_client(http_client)
            .use_dual_stack(self.is_dual_stack)
            .timeout_config(timeouts);
        config.set_endpoint_url(self.endpoint_url);
        Client::from_conf(config.build())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use aws_sdk_sqs::config::interceptors::BeforeTransmitInterceptorContextRef;
    use aws_sdk_sqs::config::{ConfigBag, Intercept, RuntimeComponents};
    use aws_sdk_sqs::error::BoxError;

    use super::*;

    fn read(absent: &str, endpoint: &[(&str, &str)]) -> Result<QueueAccess, SettingsError> {
        QueueAccess::from_variables(&Variables::new(|name: &str| {
            if name.starts_with("AWS_ENDPOINT_URL") || name == "AWS_USE_DUALSTACK_ENDPOINT" {
                let found = endpoint.iter().find(|(variable, _)| *variable == name);
                return found.map(|(_, url)| (*url).to_owned());
            }
            (name != absent).then(|| "x".to_owned())
        }))
    }

    #[test]
    fn endpoint_of_the_service_comes_before_that_of_all_services() {
        let all = ("AWS_ENDPOINT_URL", "http://all");
        let own = ("AWS_ENDPOINT_URL_SQS", "http://own");
        for (given, expected) in [
            (&[][..], None),
            (&[all], Some("http://all")),
            (&[all, own], Some("http://own")),
        ] {
            let access = read("", given).unwrap();
            assert_eq!(access.endpoint_url.as_deref(), expected);
        }
    }

    /// Keeps the address of a request, and lets nothing out.
    #[derive(Clone, Debug, Default)]
    struct Address(Arc<Mutex<String>>);

    impl Intercept for Address {
        fn name(&self) -> &'static str {
            "address"
        }

        fn read_before_transmit(
            &self,
            context: &BeforeTransmitInterceptorContextRef<'_>,
            _: &RuntimeComponents,
            _: &mut ConfigBag,
        ) -> Result<(), BoxError> {
            *self.0.lock().unwrap() = context.request().uri().to_owned();
            Err("nothing goes out".into())
        }
    }

    #[tokio::test]
    async fn sqs_is_called_by_the_name_with_ipv6_where_that_is_set() {
        let dual_stack = ("AWS_USE_DUALSTACK_ENDPOINT", "true");
        let emulator = ("AWS_ENDPOINT_URL", "http://emulator:1");
        for (given, expected) in [
            (&[][..], "https://sqs.eu-west-1.amazonaws.com"),
            (&[dual_stack], "https://sqs.eu-west-1.api.aws"),
            (&[dual_stack, emulator], "http://emulator:1"),
        ] {
            let mut access = read("", given).unwrap();
            "eu-west-1".clone_into(&mut access.region);
            let address = Address::default();
            let queue_url = "https://sqs.eu-west-1.amazonaws.com/111122223333/dead-letters";
            let send = access.client().send_message().queue_url(queue_url);
            let send = send.message_body("x").customize();
            send.interceptor(address.clone()).send().await.unwrap_err();
            let called = address.0.lock().unwrap();
            assert!(called.starts_with(expected), "{given:?}: {called}");
        }
    }

    #[test]
    fn variable_that_is_absent_is_named_and_the_token_may_be() {
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"] {
            assert_eq!(read(name, &[]).unwrap_err().variable, name);
        }
        assert!(read("AWS_SESSION_TOKEN", &[]).is_ok());
    }
}
