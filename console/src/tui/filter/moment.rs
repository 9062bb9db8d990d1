//! Points in time as an operator writes them: a time, a day, a span back from now. Pure; UTC where nothing else is said.

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, TimeDelta, Utc};

/// The forms of a point in time, as they are offered to the operator.
pub(crate) const INSTANT_FORMS: &str = "2026-11-24, 2026-11-24T06:30Z or full RFC 3339";

/// The forms of a span of time, as they are offered to the operator.
pub(crate) const SPAN_FORMS: &str = "90s, 30m, 1h30m, 2d or 1w";

/// All forms, in few words.
pub(super) const TIME_FORMS: &str =
    "2h (back from now), today, yesterday, 2026-11-24 or 2026-11-24T06:30Z";

/// The time that a text means, in any form.
pub(crate) fn moment(value: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let (start, _) = match day(value, now) {
        Some(day) => day,
        None => {
            let span = value.strip_prefix('-').unwrap_or(value);
            (point(value).or_else(|| before(span, now))?, None)
        }
    };
    Some(start)
}

/// The day that a text means: its start, and its end unless that is still to come.
pub(super) fn day(
    value: &str,
    now: DateTime<Utc>,
) -> Option<(DateTime<Utc>, Option<DateTime<Utc>>)> {
    let today = now.date_naive();
    let (date, is_over) = match value {
        "today" => (today, false),
        "yesterday" => (today.checked_sub_days(Days::new(1))?, true),
        date => (NaiveDate::parse_from_str(date, "%Y-%m-%d").ok()?, true),
    };
    let end = match is_over {
        true => Some(start_of(date.checked_add_days(Days::new(1))?)?),
        false => None,
    };
    Some((start_of(date)?, end))
}

fn start_of(date: NaiveDate) -> Option<DateTime<Utc>> {
    Some(date.and_hms_opt(0, 0, 0)?.and_utc())
}

/// `now` less a span like `90s`, `30m`, `1h30m`, `2d` or `1w`.
pub(crate) fn before(value: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    span_secs(value)
        .and_then(TimeDelta::try_seconds)
        .and_then(|span| now.checked_sub_signed(span))
}

/// Seconds of a span like `90s`, `30m`, `1h30m`, `2d` or `1w`.
pub(crate) fn span_secs(value: &str) -> Option<i64> {
    let mut total: i64 = 0;
    let mut rest = value;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at_checked(digits)?;
        let unit_end = tail
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(unit_end)?;
        let unit_secs = match unit {
            "s" => 1,
            "m" | "min" => 60,
            "h" => 3_600,
            "d" => 86_400,
            "w" => 604_800,
            _ => return None,
        };
        total = total.checked_add(number.parse::<i64>().ok()?.checked_mul(unit_secs)?)?;
        rest = tail;
    }
    (!value.is_empty()).then_some(total)
}

/// A point in time with its time of day; UTC where it has no offset.
pub(super) fn point(value: &str) -> Option<DateTime<Utc>> {
    let local = value.strip_suffix(['Z', 'z']).unwrap_or(value);
    DateTime::parse_from_rfc3339(value)
        .map(|at| at.with_timezone(&Utc))
        .ok()
        .or_else(|| {
            [
                "%Y-%m-%dT%H:%M",
                "%Y-%m-%dT%H:%M:%S%.f",
                "%Y-%m-%d %H:%M",
                "%Y-%m-%d %H:%M:%S%.f",
            ]
            .into_iter()
            .find_map(|pattern| NaiveDateTime::parse_from_str(local, pattern).ok())
            .map(|at| at.and_utc())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn time_has_every_form_that_is_offered() {
        let now = time("2026-11-24T12:00:00Z");
        for (text, expected) in [
            ("2h", "2026-11-24T10:00:00Z"),
            ("-2h", "2026-11-24T10:00:00Z"),
            ("1h30m", "2026-11-24T10:30:00Z"),
            ("today", "2026-11-24T00:00:00Z"),
            ("yesterday", "2026-11-23T00:00:00Z"),
            ("2026-11-20", "2026-11-20T00:00:00Z"),
            ("2026-11-20T06:30Z", "2026-11-20T06:30:00Z"),
            ("2026-11-20 06:30", "2026-11-20T06:30:00Z"),
            ("2026-11-20T06:30:00+01:00", "2026-11-20T05:30:00Z"),
        ] {
            assert_eq!(moment(text, now), Some(time(expected)), "{text}");
        }
        for text in [
            "",
            "-",
            "--2h",
            "noon",
            "90",
            "-2x",
            "tomorrow",
            "2026-13-01",
        ] {
            assert_eq!(moment(text, now), None, "{text}");
        }
    }

    #[test]
    fn day_that_is_over_has_an_end() {
        let now = time("2026-11-24T12:00:00Z");
        let over = |from: &str, to: &str| Some((time(from), Some(time(to))));
        let today = time("2026-11-24T00:00:00Z");
        assert_eq!(day("today", now), Some((today, None)));
        let expected = over("2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z");
        assert_eq!(day("yesterday", now), expected);
        assert_eq!(day("2026-11-23", now), expected);
        assert_eq!(day("2h", now), None);
    }
}
