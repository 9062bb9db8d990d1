//! The value of `--rate`.

/// The rates that the rate limiter can keep.
const RATE_MIN: f64 = 0.01;
const RATE_MAX: f64 = 10_000.0;

pub(super) fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (RATE_MIN..=RATE_MAX).contains(&rate) {
        Ok(rate)
    } else {
        Err(format!("not between {RATE_MIN} and {RATE_MAX} a second"))
    }
}
