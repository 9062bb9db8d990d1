use proptest::prelude::*;
use store::{StoreError, write_batch};

use crate::events::{at, count, event, migrated, with_json};

const NOON: &str = "2026-11-24T12:00:00Z";

#[tokio::test]
async fn refused_event_is_distinguished_from_a_failing_database() {
    let database = migrated().await;
    let pool = database.pool();
    for (json, expected) in [
        (r#"{"secret":"\u0000"}"#, "22P05"),
        (r#"{"secret":"\ud800"}"#, "22P02"),
        (r#"{"secret":1e400000}"#, "22003"),
        (r#"{"secret"#, "22P02"),
    ] {
        let events = [
            event("good", "t", at(NOON)),
            with_json(event("bad", "t", at(NOON)), json),
        ];
        let error = write_batch(pool, &events).await.unwrap_err();
        assert!(error.is_event_fault() && !error.is_transient(), "{error:?}");
        assert!(!error.to_string().contains("secret"), "{error}");
        let StoreError::EventRefused { sqlstate, .. } = &error else {
            panic!("{error:?}");
        };
        assert_eq!(sqlstate, expected, "{json}");
        assert!(error.refusal().unwrap().contains(expected));
    }
    assert_eq!(count(pool, "event_keys").await, 0, "all or nothing");
}

#[tokio::test]
async fn refusal_by_a_constraint_names_it() {
    let database = migrated().await;
    let pool = database.pool();
    sqlx::query("alter table records add constraint no_poison check (type <> 'poison')")
        .execute(pool)
        .await
        .unwrap();
    let error = write_batch(pool, &[event("a", "poison", at(NOON))])
        .await
        .unwrap_err();
    let refusal = error.refusal().unwrap();
    assert!(
        refusal.contains("no_poison") && refusal.contains("23514"),
        "{refusal}"
    );
}

/// A JSON number, mostly near the limits of `numeric`.
fn number() -> impl Strategy<Value = String> {
    let digits = prop_oneof![
        4 => "0|[1-9][0-9]{0,6}",
        1 => (1_usize..200).prop_map(|length| "7".repeat(length)),
    ];
    let fraction = prop_oneof![
        3 => Just(String::new()),
        3 => "\\.[0-9]{1,8}",
        1 => "\\.0{1,40}[0-9]",
    ];
    let near = |middle: i64| (middle - 8)..(middle + 8);
    let exponent = prop_oneof![
        4 => Just(String::new()),
        2 => (-20_i64..20).prop_map(|value| format!("e{value}")),
        2 => near(131_071).prop_map(|value| format!("E+{value}")),
        2 => near(16_383).prop_map(|value| format!("e-{value}")),
        1 => near(1_073_741_823).prop_map(|value| format!("e{value}")),
        1 => near(-1_073_741_823).prop_map(|value| format!("e{value}")),
        1 => "e[+-]?[0-9]{1,25}",
    ];
    (any::<bool>(), digits, fraction, exponent).prop_map(
        |(is_negative, digits, fraction, exponent)| {
            let sign = if is_negative { "-" } else { "" };
            format!("{sign}{digits}{fraction}{exponent}")
        },
    )
}

/// A JSON string with its quotes and many malformed escapes.
pub(crate) fn string() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => "[ -!#-\\[\\]-~]{1,4}",
        2 => prop::sample::select(vec![r"\n", r"\t", r"\\", r#"\""#, r"\/", r"\b"])
            .prop_map(str::to_owned),
        2 => (0_u16..=u16::MAX).prop_map(|unit| format!("\\u{unit:04x}")),
        2 => (0xd7f0_u16..0xe010).prop_map(|unit| format!("\\u{unit:04X}")),
        1 => Just(r"\u0000".to_owned()),
        1 => Just(r"\ud83d\ude00".to_owned()),
        1 => "[é世\u{1f600}\u{7f}]{1,2}",
    ];
    prop::collection::vec(piece, 0..5).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

pub(crate) fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        1 => prop::sample::select(vec!["null", "true", "false"]).prop_map(str::to_owned),
        3 => number(),
        3 => string(),
    ];
    leaf.prop_recursive(4, 12, 4, |inner| {
        let space = prop::sample::select(vec!["", " ", "\n\t"]);
        prop_oneof![
            (prop::collection::vec(inner.clone(), 0..4), space)
                .prop_map(|(items, space)| format!("[{space}{}{space}]", items.join(","))),
            prop::collection::vec((string(), inner), 0..4).prop_map(|members| {
                let members: Vec<String> = members
                    .into_iter()
                    .map(|(key, value)| format!("{key} : {value}"))
                    .collect();
                format!("{{{}}}", members.join(" , "))
            }),
        ]
    })
}

#[tokio::test]
async fn deepest_nesting_that_is_accepted_can_be_stored_and_read() {
    let database = migrated().await;
    let pool = database.pool();
    // The event itself is the first level.
    let levels = event::NESTING_MAX - 1;
    let data = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let json = format!(
        r#"{{"specversion":"1.0","id":"1","source":"s","type":"t","time":"{NOON}","data":{data}}}"#
    );
    let event = event::parse_event(&json).unwrap();
    write_batch(pool, &[event]).await.unwrap();
    let page = store::list_records(pool, &event::RecordQuery::default())
        .await
        .unwrap();
    assert!(page.items[0].payload.get().contains(&data));
}
