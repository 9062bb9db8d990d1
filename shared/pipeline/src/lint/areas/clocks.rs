//! The clocks of this machine, of AWS and of the database.

use crate::lint::check::{Check, Found, Judged, Severity};
use crate::lint::fix::Fix;
use crate::text::span_secs;

/// Beyond the second of a header and the time of a request.
const APART_WARNING_SECS: u64 = 30;
/// AWS refuses a signature that is five minutes off (IAM User Guide, "Signature Version 4").
const APART_ERROR_SECS: u64 = 240;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "clock-apart-from-aws",
        why: "ages, expiries and lags are computed with this machine's clock, and AWS refuses signatures that are \
              five minutes off",
        judge: |facts| judge("AWS", *facts.aws_clock_ahead_secs.get()?),
    },
    Check {
        id: "clock-apart-from-database",
        why: "the time at which a record was stored is the database's: lags and the newest record are shown wrong by \
              the difference",
        judge: |facts| judge("the database", *facts.database_clock_ahead_secs.get()?),
    },
];

fn judge(whose: &str, ahead_secs: i64) -> Judged {
    let apart = ahead_secs.unsigned_abs();
    if apart < APART_WARNING_SECS {
        return Ok(None);
    }
    let severity = if apart < APART_ERROR_SECS {
        Severity::Warning
    } else {
        Severity::Error
    };
    let direction = if ahead_secs > 0 { "behind" } else { "ahead of" };
    let seen = format!(
        "this machine's clock is {} {direction} that of {whose}",
        span_secs(apart)
    );
    Ok(Some(Found::new(
        severity,
        seen,
        Fix::command("sudo timedatectl set-ntp true"),
    )))
}
