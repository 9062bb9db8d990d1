//! Conditional requests (RFC 9110, 13).
//!
//! Invariant: a record never changes, so its identity is its entity tag. The tag is weak, because the bytes
//! depend on the compression.

use axum::http::{HeaderMap, HeaderValue, header};
use event::RecordView;

/// A record can be cached for an hour, but only by the client, because reading needs authorization.
pub(crate) const RECORD: HeaderValue = HeaderValue::from_static("private, max-age=3600, immutable");

/// The entity tag of a record.
pub(crate) fn tag(record: &RecordView<'_>) -> String {
    format!(
        "W/\"{}-{:x}\"",
        record.record_id,
        record.ingested_at.timestamp_micros()
    )
}

/// Whether `If-None-Match` has the tag (weak comparison), so that the client has the content already.
pub(crate) fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|known| known == "*" || opaque(known) == opaque(tag))
}

fn opaque(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tag_is_found_in_lists_and_whether_weak_or_strong() {
        for (sent, expected) in [
            ("W/\"1-a\"", true),
            ("\"1-a\"", true),
            ("\"x\", W/\"1-a\"", true),
            ("*", true),
            ("\"1-b\"", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, sent.parse().unwrap());
            assert_eq!(is_known(&headers, "W/\"1-a\""), expected, "{sent}");
        }
    }
}
