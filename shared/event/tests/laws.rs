//! Laws of the validator and of the cursor, over generated input.

#![expect(
    clippy::unwrap_used,
    clippy::string_slice,
    reason = "a test stops where it fails"
)]

use chrono::{DateTime, Utc};
use event::{
    Assessment, Cursor, CursorError, EVENT_BYTES_MAX, FailureCode, Order, RecordId, RecordQuery,
    Verdict, assess, parse_body, parse_event, peek_identity,
};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

/// Valid string attributes: not empty, no control characters, nothing that a URI does not allow.
fn attribute() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9/._~:-]{1,40}|[ñ日本語😀]{1,8}"
}

fn cursor() -> impl Strategy<Value = Cursor> {
    (
        -60_000_000_000_000_000i64..200_000_000_000_000_000,
        any::<i64>(),
        any::<bool>(),
    )
        .prop_map(|(micros, id, is_descending)| Cursor {
            order: if is_descending {
                Order::Desc
            } else {
                Order::Asc
            },
            occurred_at: DateTime::from_timestamp_micros(micros).unwrap(),
            record_id: RecordId(id),
        })
}

/// Filters that are often equal, or differ only in the place of their texts.
fn filters() -> impl Strategy<Value = RecordQuery> {
    let text = || proptest::option::of(prop_oneof![Just(String::new()), "[ab]{1,2}"]);
    let time = || proptest::option::of((0i64..2).prop_map(at));
    (text(), text(), text(), text(), time(), time()).prop_map(
        |(source, id, event_type, subject, from, to)| RecordQuery {
            source,
            id,
            event_type,
            subject,
            from,
            to,
            ..RecordQuery::default()
        },
    )
}

fn at(secs: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(secs, 0).unwrap()
}

fn data() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>()
            .prop_filter("JSON has no such number", |x| x.is_finite())
            .prop_map(Value::from),
        "[^\u{0}]{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map("[^\u{0}]{0,10}", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn good_event() -> impl Strategy<Value = Value> {
    (
        attribute(),
        attribute(),
        attribute(),
        0i64..4_000_000_000,
        data(),
    )
        .prop_map(|(id, source, event_type, secs, data)| {
            json!({
                "specversion": "1.0",
                "id": id,
                "source": source,
                "type": event_type,
                "time": DateTime::from_timestamp(secs, 0).unwrap().to_rfc3339(),
                "data": data,
            })
        })
}

proptest! {
    #[test]
    fn good_events_are_accepted_with_their_attributes(event in good_event()) {
        let text = event.to_string();
        let parsed = parse_event(&text).unwrap();
        prop_assert_eq!(&*parsed.id, event["id"].as_str().unwrap());
        prop_assert_eq!(&*parsed.source, event["source"].as_str().unwrap());
        prop_assert_eq!(&*parsed.event_type, event["type"].as_str().unwrap());
        prop_assert_eq!(&*parsed.json, text.as_str());
        prop_assert_eq!(assess(&text), Assessment::Valid { key: parsed.key(), time: parsed.time });
    }

    #[test]
    fn envelope_changes_nothing(event in good_event()) {
        let text = event.to_string();
        let envelope = json!({ "Type": "Notification", "TopicArn": "arn:aws:sns:r:1:t", "Message": text });
        let envelope = envelope.to_string();
        prop_assert_eq!(parse_body(&envelope).unwrap(), parse_body(&text).unwrap());
    }

    #[test]
    fn a_missing_required_attribute_is_named(event in good_event(), which in 0usize..5) {
        let name = ["specversion", "id", "source", "type", "time"][which];
        let mut event = event;
        event.as_object_mut().unwrap().remove(name);
        let failure = parse_event(&event.to_string()).unwrap_err();
        prop_assert_eq!(failure.code, FailureCode::MissingAttribute);
        prop_assert_eq!(failure.pointer, Some(format!("/{name}")));
    }

    #[test]
    fn any_text_gets_a_result_and_never_a_panic(text in "\\PC*|[\\x00-\\x7f]{0,80}|[{}\\[\\]\",:\\\\u0d8efcn1-]{0,60}") {
        let answer = parse_body(&text);
        let _ = peek_identity(&text);
        if serde_json::from_str::<serde::de::IgnoredAny>(&text).is_err() {
            prop_assert_eq!(answer.unwrap_err().code, FailureCode::NotJson);
            prop_assert_eq!(assess(&text).verdict(false), Verdict::Unreadable);
        }
    }

    #[test]
    fn a_truncated_event_is_never_accepted(event in good_event(), cut in 0usize..400) {
        let text = event.to_string();
        let cut = text.char_indices().map(|(at, _)| at).nth(cut).unwrap_or(0);
        prop_assert!(parse_body(&text[..cut]).is_err());
    }

    #[test]
    fn failures_are_printable(text in any::<String>()) {
        if let Err(failure) = parse_body(&text) {
            prop_assert!(!failure.to_string().chars().any(char::is_control));
        }
    }

    #[test]
    fn cursor_reads_back_for_its_own_filters_only(
        cursor in cursor(), query in filters(), other in filters()
    ) {
        let text = cursor.encode(&query);
        prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
        prop_assert_eq!(Cursor::decode(&text, &query), Ok(cursor));
        let elsewhere = Cursor::decode(&text, &other);
        if query == other {
            prop_assert_eq!(elsewhere, Ok(cursor));
        } else {
            prop_assert_eq!(elsewhere, Err(CursorError::OtherFilters));
        }
    }

    #[test]
    fn altered_cursor_is_refused(
        cursor in cursor(), query in filters(), at in any::<Index>(), to in "[A-Za-z0-9_-]"
    ) {
        let text = cursor.encode(&query);
        let at = at.index(text.len());
        let altered = format!("{}{to}{}", &text[..at], &text[at + 1..]);
        let expected = if altered == text { Ok(cursor) } else { Err(CursorError::Altered) };
        prop_assert_eq!(Cursor::decode(&altered, &query), expected);
        prop_assert_eq!(Cursor::decode(&text[..at], &query), Err(CursorError::Altered));
    }

    #[test]
    fn texts_that_are_no_cursors_are_refused(text in "[A-Za-z0-9_-]{0,48}") {
        let query = RecordQuery::default();
        prop_assert_eq!(Cursor::decode(&text, &query), Err(CursorError::Altered));
    }
}

#[test]
fn size_limit_is_exact() {
    let frame = |length: usize| {
        let head = r#"{"specversion":"1.0","id":"1","source":"/s","type":"t","time":"2026-01-01T00:00:00Z","data":""#;
        format!("{head}{}\"}}", "x".repeat(length - head.len() - 2))
    };
    assert!(parse_event(&frame(EVENT_BYTES_MAX)).is_ok());
    assert_eq!(
        parse_event(&frame(EVENT_BYTES_MAX + 1)).unwrap_err().code,
        FailureCode::TooLarge
    );
}

#[test]
fn cursor_beyond_the_calendar_is_refused() {
    let query = RecordQuery::default();
    let beyond = Cursor {
        order: Order::Desc,
        occurred_at: DateTime::from_timestamp_micros(6_400_000_000_000_000_000).unwrap(),
        record_id: RecordId(1),
    };
    let text = beyond.encode(&query);
    assert_eq!(Cursor::decode(&text, &query), Err(CursorError::Altered));
}
