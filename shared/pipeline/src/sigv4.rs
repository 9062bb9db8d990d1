//! Authorizes what the AWS clients do not sign: requests to the HTTP API (SigV4, or a bearer token) and to services
//! without a client here (SigV4), and log-ins to the database (IAM tokens).
//!
//! Invariant: a signature is for one request, an IAM token for one database; neither is stored.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use reqwest::{Body, Request};
use store::{IamLogIn, PgPool};

use super::connection::OPERATION_LIMIT;
use super::{Attempt, Pipeline, PipelineError};
use crate::api_token::TokenCommand;
use crate::environment::Authorization;

/// Service name in signatures for an HTTP API.
const API_SERVICE: &str = "execute-api";
/// Credentials that expire sooner are loaded again.
const CREDENTIALS_LEFT_MIN: Duration = Duration::from_secs(5 * 60);

const NO_TOKEN: &str = "run api_token_command of the environment's entry by hand: it must print a JSON Web Token and \
                        nothing else; usually you have to log in again at the identity provider";

impl Pipeline {
    /// Signs the request, or gives it the token, if the environment requires it.
    pub(super) async fn authorized(
        &self,
        request: Request,
        attempt: &Attempt,
    ) -> Result<Request, PipelineError> {
        match self.environment().api_auth {
            Authorization::None => self.with_token(request).await,
            Authorization::Iam => {
                let credentials = self.credentials(attempt).await?;
                signed(
                    request,
                    credentials,
                    API_SERVICE,
                    &self.environment().region,
                )
                .map_err(|cause| attempt.refused(cause))
            }
        }
    }

    /// Signs a request to a service of AWS.
    pub(super) async fn signed_for(
        &self,
        request: Request,
        service: &str,
        attempt: &Attempt,
    ) -> Result<Request, PipelineError> {
        let credentials = self.credentials(attempt).await?;
        signed(request, credentials, service, &self.environment().region)
            .map_err(|cause| attempt.refused(cause))
    }

    async fn with_token(&self, mut request: Request) -> Result<Request, PipelineError> {
        if self.environment().api_token_command.is_some() {
            let header = self.api_token_header().await?;
            request.headers_mut().insert(AUTHORIZATION, header);
        }
        Ok(request)
    }

    /// The bearer token of `api_token_command`, as the value of a header.
    pub(super) async fn api_token_header(&self) -> Result<HeaderValue, PipelineError> {
        const OPERATION: &str = "get a token for the API";
        let Some(text) = &self.environment().api_token_command else {
            return Err(PipelineError::not_configured(
                OPERATION,
                "the environment has no api_token_command".to_owned(),
                "add it where the API wants tokens (JWT)",
            ));
        };
        let attempt = Attempt::start(OPERATION, "");
        let found = match TokenCommand::parse(text) {
            Ok(command) => self.api_token().header(&command).await,
            Err(why) => Err(why),
        };
        found.map_err(|why| {
            let error = attempt.refused(why).with_hint(NO_TOKEN);
            error.without_credentials()
        })
    }

    /// Sets a new token for the pool's connections, if the environment requires it.
    pub(super) async fn renew_log_in(
        &self,
        pool: &PgPool,
        attempt: &Attempt,
    ) -> Result<(), PipelineError> {
        match self.environment().database_auth {
            Authorization::None => Ok(()),
            Authorization::Iam => {
                let credentials = self.credentials(attempt).await?;
                IamLogIn::new(credentials, self.environment().region.as_str())
                    .renew(pool, SystemTime::now())
                    .map_err(|error| attempt.refused(error.to_string()))
            }
        }
    }

    /// The credentials of the usual chain, cached until shortly before they expire.
    async fn credentials(&self, attempt: &Attempt) -> Result<Credentials, PipelineError> {
        let mut known = self.known_credentials().lock().await;
        if let Some(credentials) = known.as_ref().filter(|known| is_valid(known)) {
            return Ok(credentials.clone());
        }
        let provider = self.aws().await.credentials.as_ref().ok_or_else(|| {
            attempt.refused("no AWS credentials are configured; choose some with AWS_PROFILE")
        })?;
        let fresh = tokio::time::timeout(OPERATION_LIMIT, provider.provide_credentials())
            .await
            .map_err(|_| attempt.timed_out(OPERATION_LIMIT))?
            .map_err(|error| attempt.no_credentials(&error))?;
        *known = Some(fresh.clone());
        Ok(fresh)
    }
}

fn is_valid(credentials: &Credentials) -> bool {
    credentials
        .expiry()
        .is_none_or(|expiry| expiry > SystemTime::now() + CREDENTIALS_LEFT_MIN)
}

/// Adds the headers of AWS Signature Version 4.
fn signed(
    mut request: Request,
    credentials: Credentials,
    service: &str,
    region: &str,
) -> Result<Request, String> {
    let identity = credentials.into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| error.to_string())?
        .into();
    let body = request.body().and_then(Body::as_bytes).unwrap_or_default();
    // AWS wants every header `x-amz-…` to be signed.
    let headers = request.headers().iter();
    let headers = headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let signable = SignableRequest::new(
        request.method().as_str(),
        request.url().as_str(),
        headers,
        SignableBody::Bytes(body),
    )
    .map_err(|error| error.to_string())?;
    let (instructions, _) = sign(signable, &parameters)
        .map_err(|error| error.to_string())?
        .into_parts();
    for (name, value) in instructions.headers() {
        let name = HeaderName::try_from(name).map_err(|error| error.to_string())?;
        let value = HeaderValue::try_from(value).map_err(|error| error.to_string())?;
        request.headers_mut().insert(name, value);
    }
    Ok(request)
}
