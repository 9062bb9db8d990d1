//! The numbers of an environment in words, for `fleet status` and for the screen.
//!
//! Invariant: what was not read is `–`, never zero, and a number of an earlier time has that time.

use chrono::{DateTime, Utc};
use pipeline::fleet::{FleetQueue, FleetRow};
use store::MIGRATOR;

use crate::text::{UNKNOWN, age_secs, short, short_span_secs};

/// Messages of a queue, those in flight and delayed too.
pub(crate) const fn messages(queue: FleetQueue) -> u64 {
    queue.visible + queue.in_flight + queue.delayed
}

/// The greatest age in a period of its metric; a queue that is empty has no oldest message.
pub(crate) fn oldest(queue: Option<FleetQueue>) -> String {
    match queue.map(|queue| (messages(queue), queue.oldest_age_secs)) {
        Some((0, _)) => "none".to_owned(),
        Some((_, Some(secs))) => format!("≤ {}", short_span_secs(secs)),
        Some((_, None)) | None => UNKNOWN.to_owned(),
    }
}

/// The rate, and how long ago the time that it is of ended: without newer batches that does not move.
pub(crate) fn per_minute(
    rate: Option<f64>,
    until: Option<DateTime<Utc>>,
    read_at: Option<DateTime<Utc>>,
) -> String {
    let rate = rate.map_or_else(|| UNKNOWN.to_owned(), short);
    match until.zip(read_at) {
        Some((until, read_at)) => format!("{rate} to {}", ago(Some(age_secs(until, read_at)))),
        None => rate,
    }
}

pub(crate) fn last_stored(row: &FleetRow) -> String {
    let bound = match row.last_stored_age_secs {
        Some(_) if row.last_stored_is_bound => "≤ ",
        Some(_) | None => "",
    };
    format!("{bound}{}", ago(row.last_stored_age_secs))
}

pub(crate) fn ago(secs: Option<u64>) -> String {
    secs.map_or_else(
        || UNKNOWN.to_owned(),
        |secs| format!("{} ago", short_span_secs(secs)),
    )
}

/// The emulator, or account and region.
pub(crate) fn place(row: &FleetRow) -> String {
    if let Some(endpoint) = &row.endpoint {
        return endpoint.clone();
    }
    match (&row.account, &row.region) {
        (Some(account), Some(region)) => format!("{account}/{region}"),
        (None, Some(region)) => region.clone(),
        (_, None) => UNKNOWN.to_owned(),
    }
}

/// The version, and whether it is another than that of this program.
pub(crate) fn schema(version: Option<i64>) -> String {
    let Some(version) = version else {
        return UNKNOWN.to_owned();
    };
    let own = MIGRATOR.iter().map(|migration| migration.version).max();
    match own.map(|own| version.cmp(&own)) {
        Some(std::cmp::Ordering::Less) => format!("{version} (older)"),
        Some(std::cmp::Ordering::Greater) => format!("{version} (newer)"),
        Some(std::cmp::Ordering::Equal) | None => version.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_says_how_long_ago_its_time_ended() {
        let at = |secs: i64| DateTime::from_timestamp(1_795_000_000 + secs, 0);
        assert_eq!(
            per_minute(Some(1_041.0), at(0), at(35)),
            "1,041 to 35 s ago"
        );
        assert_eq!(per_minute(None, None, at(35)), UNKNOWN);
    }

    #[test]
    fn age_of_the_oldest_message_is_at_most_that_of_its_metric() {
        let queue = |visible, oldest_age_secs| FleetQueue {
            visible,
            in_flight: 0,
            delayed: 0,
            oldest_age_secs,
        };
        assert_eq!(oldest(Some(queue(2, Some(57)))), "≤ 57 s");
        assert_eq!(oldest(Some(queue(2, None))), UNKNOWN);
        assert_eq!(oldest(Some(queue(0, None))), "none");
        assert_eq!(oldest(None), UNKNOWN);
    }
}
