//! Log-in to the database on AWS: the password is an IAM token that is signed locally.
//!
//! Invariant: a token is sent only to a server whose certificate was verified for its host name, and is
//! in no error, no log and no `Debug` output. It is valid for 15 minutes; signing needs no network.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions as _, PgPool};
use url::Url;

use crate::error::StoreError;
use crate::settings::{SettingsError, Variables};

const OPERATION: &str = "create an IAM token for the database";
/// The longest lifetime that RDS accepts (Amazon Aurora guide, "IAM database authentication").
const TOKEN_LIFETIME: Duration = Duration::from_secs(15 * 60);
/// The service name in the signature.
const SERVICE: &str = "rds-db";
/// Root certificates of RDS, three per region, each after a line with its name (Amazon RDS guide,
/// "Using SSL/TLS to encrypt a connection", global bundle). RDS Proxy needs the public root
/// certificates, which the driver has.
const RDS_ROOTS: &str = include_str!("rds-roots.pem");

/// Credentials and region for a log-in by IAM token.
#[derive(Clone, Debug)]
pub struct IamLogIn {
    credentials: Credentials,
    region: String,
}

impl IamLogIn {
    /// A log-in with these credentials to databases in this region.
    pub fn new(credentials: Credentials, region: impl Into<String>) -> Self {
        Self {
            credentials,
            region: region.into(),
        }
    }

    /// Reads the settings of a Lambda function. With `DATABASE_IAM_AUTH=true` it logs in with the
    /// credentials of its role, from `AWS_ACCESS_KEY_ID` and the related variables, in `AWS_REGION`;
    /// otherwise the result is `None`.
    ///
    /// # Errors
    /// Names the variable that is absent or invalid.
    pub fn from_variables<F: Fn(&str) -> Option<String>>(
        variables: &Variables<F>,
    ) -> Result<Option<Self>, SettingsError> {
        if !variables.flag("DATABASE_IAM_AUTH")? {
            return Ok(None);
        }
        let credentials = Credentials::new(
            variables.required("AWS_ACCESS_KEY_ID")?,
            variables.required("AWS_SECRET_ACCESS_KEY")?,
            variables.optional("AWS_SESSION_TOKEN", |text| Ok(text.to_owned()))?,
            None,
            "environment",
        );
        let region = variables.required("AWS_REGION")?;
        Ok(Some(Self::new(credentials, region)))
    }

    /// Sets a new token for every connection that the pool opens from now on. Call it before each
    /// piece of work that takes less than 15 minutes; it costs some microseconds. Open connections are
    /// not affected.
    ///
    /// # Errors
    /// When no root certificates of the region are compiled in and the URL names no file with them.
    pub fn renew(&self, pool: &PgPool, now: SystemTime) -> Result<(), StoreError> {
        pool.set_connect_options(self.renewed(&pool.connect_options(), now)?);
        Ok(())
    }

    fn renewed(
        &self,
        options: &PgConnectOptions,
        now: SystemTime,
    ) -> Result<PgConnectOptions, StoreError> {
        let token = self.token(
            options.get_host(),
            options.get_port(),
            options.get_username(),
            now,
        )?;
        let mut renewed = options
            .clone()
            .ssl_mode(PgSslMode::VerifyFull)
            .password(&token);
        if !names_roots(options) {
            renewed = renewed.ssl_root_cert_from_pem(roots(&self.region)?.into_bytes());
        }
        Ok(renewed)
    }

    /// A presigned request to connect, without its scheme (Amazon Aurora guide, "Connecting to your DB
    /// cluster using IAM authentication").
    fn token(
        &self,
        host: &str,
        port: u16,
        user: &str,
        now: SystemTime,
    ) -> Result<String, StoreError> {
        let mut url = Url::parse(&format!("https://{host}:{port}/"))
            .map_err(|error| failed(format!("{host:?} is not a host name: {error}")))?;
        url.query_pairs_mut()
            .append_pair("Action", "connect")
            .append_pair("DBUser", user);
        let mut settings = SigningSettings::default();
        settings.expires_in = Some(TOKEN_LIFETIME);
        settings.signature_location = SignatureLocation::QueryParams;
        let identity = self.credentials.clone().into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(SERVICE)
            .time(now)
            .settings(settings)
            .build()
            .map_err(|error| failed(error.to_string()))?
            .into();
        let request = SignableRequest::new(
            "GET",
            url.as_str(),
            std::iter::empty(),
            SignableBody::Bytes(&[]),
        )
        .map_err(|error| failed(error.to_string()))?;
        let (instructions, _) = sign(request, &parameters)
            .map_err(|error| failed(error.to_string()))?
            .into_parts();
        url.query_pairs_mut().extend_pairs(
            instructions
                .params()
                .iter()
                .map(|(name, value)| (name, value)),
        );
        let text = url.as_str();
        Ok(text.strip_prefix("https://").unwrap_or(text).to_owned())
    }
}

fn failed(detail: String) -> StoreError {
    StoreError::Other {
        operation: OPERATION,
        detail,
    }
}

/// Whether the URL (`sslrootcert`) or `PGSSLROOTCERT` names root certificates.
fn names_roots(options: &PgConnectOptions) -> bool {
    options
        .to_url_lossy()
        .query_pairs()
        .any(|(key, _)| key == "sslrootcert")
}

/// The root certificates of a region, as PEM.
fn roots(region: &str) -> Result<String, StoreError> {
    let title = format!("Amazon RDS {region} Root CA ");
    let found: Vec<&str> = RDS_ROOTS
        .split_inclusive("-----END CERTIFICATE-----\n")
        .filter(|certificate| certificate.starts_with(&title))
        .collect();
    if found.is_empty() {
        return Err(failed(format!(
            "there are no root certificates of RDS for the region {region:?}; download the region's \
             bundle and add sslrootcert=PATH to the URL"
        )));
    }
    Ok(found.concat())
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    const HOST: &str = "events.cluster-abc.us-east-1.rds.amazonaws.com";

    fn log_in(session_token: Option<&str>) -> IamLogIn {
        let token = session_token.map(str::to_owned);
        IamLogIn::new(
            Credentials::new("akid", "secret", token, None, "test"),
            "us-east-1",
        )
    }

    /// 2024-08-26T22:00:00Z.
    fn moment() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_724_709_600)
    }

    /// The expected token was generated by botocore 1.44 (`generate_db_auth_token`).
    #[test]
    fn token_equals_the_one_of_another_implementation() {
        let token = log_in(None).token(HOST, 5432, "ingest", moment()).unwrap();
        assert_eq!(
            token,
            "events.cluster-abc.us-east-1.rds.amazonaws.com:5432/?Action=connect&DBUser=ingest\
             &X-Amz-Algorithm=AWS4-HMAC-SHA256\
             &X-Amz-Credential=akid%2F20240826%2Fus-east-1%2Frds-db%2Faws4_request\
             &X-Amz-Date=20240826T220000Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host\
             &X-Amz-Signature=7dc200ab8a9bb11cc1984b6ae450da7f5f2470a49cc82a91d582cc969d5a2e9b"
        );
        let token = log_in(Some("session/token+="))
            .token(HOST, 5432, "ingest", moment())
            .unwrap();
        for part in [
            "&X-Amz-Security-Token=session%2Ftoken%2B%3D",
            "&X-Amz-Signature=2657d6089e9d8b47a9943959147f3e8afc9e9947308970cc4ed581097da61ad8",
        ] {
            assert!(token.contains(part), "{token}");
        }
    }

    #[test]
    fn token_is_sent_only_to_a_verified_server() {
        for mode in ["", "?sslmode=disable", "?sslmode=require"] {
            let url = format!("postgres://ingest@{HOST}/pipeline{mode}");
            let options = PgConnectOptions::from_str(&url).unwrap();
            let renewed = log_in(None).renewed(&options, moment()).unwrap();
            assert!(matches!(renewed.get_ssl_mode(), PgSslMode::VerifyFull));
            assert!(names_roots(&renewed));
            assert_eq!(renewed.get_username(), "ingest");
        }
    }

    #[test]
    fn region_has_its_own_three_roots_and_the_error_for_an_unknown_one_has_the_fix() {
        let roots_of_region = roots("us-east-1").unwrap();
        assert_eq!(roots_of_region.matches("BEGIN CERTIFICATE").count(), 3);
        assert!(!roots_of_region.contains("us-east-2"));
        let error = roots("xx-nowhere-9").unwrap_err().to_string();
        assert!(error.contains("sslrootcert=PATH"), "{error}");
    }

    #[test]
    fn variables_enable_it_and_must_then_be_complete() {
        let read = |iam: &'static str, region: Option<&'static str>| {
            IamLogIn::from_variables(&Variables::new(move |name: &str| match name {
                "DATABASE_IAM_AUTH" => Some(iam.to_owned()),
                "AWS_REGION" => region.map(str::to_owned),
                _ => Some("x".to_owned()),
            }))
        };
        assert!(read("true", Some("us-east-1")).unwrap().is_some());
        assert!(read("false", None).unwrap().is_none());
        assert!(read("", None).unwrap().is_none());
        assert_eq!(read("true", None).unwrap_err().variable, "AWS_REGION");
        assert_eq!(read("yes", None).unwrap_err().variable, "DATABASE_IAM_AUTH");
    }

    #[test]
    fn secret_is_in_no_debug_text() {
        let text = format!("{:?}", log_in(Some("session")));
        assert!(
            !text.contains("secret\"") && !text.contains("session\""),
            "{text}"
        );
    }
}
