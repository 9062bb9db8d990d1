//! The bounds of a partition, as PostgreSQL writes them.

use chrono::{DateTime, Utc};

/// Bounds of the default partition.
pub(crate) const DEFAULT: &str = "DEFAULT";
/// A time in bounds; the offset has no minutes where they are zero.
const BOUND: &str = "%Y-%m-%d %H:%M:%S%#z";

/// Its beginning and its end.
pub(crate) type TimeRange = (DateTime<Utc>, DateTime<Utc>);

/// `FOR VALUES FROM ('2026-11-24 00:00:00+00') TO ('2026-11-25 00:00:00+00')`; an end without a time is open.
pub(crate) fn range(bounds: &str) -> Option<TimeRange> {
    let (from, to) = bounds
        .strip_prefix("FOR VALUES FROM (")?
        .strip_suffix(')')?
        .split_once(") TO (")?;
    let time = |text: &str| {
        let text = text.strip_prefix('\'')?.strip_suffix('\'')?;
        let time = DateTime::parse_from_str(text, BOUND).ok()?;
        Some(time.to_utc())
    };
    let from = match from {
        "MINVALUE" => DateTime::<Utc>::MIN_UTC,
        from => time(from)?,
    };
    let to = match to {
        "MAXVALUE" => DateTime::<Utc>::MAX_UTC,
        to => time(to)?,
    };
    Some((from, to))
}
