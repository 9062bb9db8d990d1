//! When a JSON Web Token expires (RFC 7519).
//!
//! Invariant: nothing is verified, which is the API's work, and no error repeats the token. Pure.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

/// A longer header is refused by API Gateway (HTTP API quotas: 10,240 bytes of headers).
const TOKEN_BYTES_MAX: usize = 8 * 1024;
/// It is fetched again so long before it expires, since clocks differ and a request takes its time.
const EXPIRES_SOONER: Duration = Duration::from_secs(30);
/// How long a token counts that says nothing about it.
const UNTIL_UNKNOWN: Duration = Duration::from_secs(60);

#[derive(Deserialize)]
struct Claims {
    /// Seconds since 1970; may have a fraction (RFC 7519, 2).
    exp: Option<f64>,
}

/// Until when the token is used, at `now`.
pub(super) fn used_until(token: &str, now: SystemTime) -> Result<SystemTime, &'static str> {
    const OTHER: &str = "its output is no JSON Web Token: it must print the token alone";
    if token.len() > TOKEN_BYTES_MAX {
        return Err("its output is longer than a header may be (8 KiB)");
    }
    let mut parts = token.split('.');
    let (Some(_), Some(claims), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(OTHER);
    };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if !token.bytes().all(is_plain) {
        return Err(OTHER);
    }
    let claims = URL_SAFE_NO_PAD.decode(claims).map_err(|_| OTHER)?;
    let claims: Claims = serde_json::from_slice(&claims).map_err(|_| OTHER)?;
    let Some(exp) = claims.exp else {
        return Ok(now + UNTIL_UNKNOWN);
    };
    let expires = Duration::try_from_secs_f64(exp)
        .ok()
        .and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since))
        .ok_or(OTHER)?;
    if expires <= now {
        return Err("the token that it printed has expired");
    }
    Ok(expires.checked_sub(EXPIRES_SOONER).unwrap_or(expires))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A token that expires at this second; nobody signed it.
    pub(crate) fn token_until(exp: Option<i64>) -> String {
        let claims = exp.map_or_else(|| "{}".to_owned(), |exp| format!("{{\"exp\":{exp}}}"));
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.c2ln", part("{\"alg\":\"none\"}"), part(&claims))
    }

    fn at(secs: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(secs)
    }

    #[test]
    fn token_is_used_until_shortly_before_it_expires() {
        let now = at(1_000_000);
        assert_eq!(
            used_until(&token_until(Some(1_003_600)), now),
            Ok(at(1_003_570))
        );
        assert_eq!(used_until(&token_until(None), now), Ok(at(1_000_060)));
        let expired = used_until(&token_until(Some(999_999)), now).unwrap_err();
        assert!(expired.contains("has expired"), "{expired}");
    }

    #[test]
    fn other_output_is_no_token() {
        let now = at(0);
        let long = "a".repeat(TOKEN_BYTES_MAX + 1);
        for output in [
            "",
            "a.b",
            "a.b.c",
            "a.e30.c.d",
            "a.e30.c\nx: y",
            "Error: log in",
            &long,
        ] {
            assert!(used_until(output, now).is_err(), "{output}");
        }
    }
}
