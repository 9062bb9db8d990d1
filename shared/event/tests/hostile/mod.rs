//! What nobody sends on purpose: JSON, numbers, Unicode and sizes at which programs differ. Included by
//! the tests of several crates.

use event::NESTING_MAX;
use proptest::prelude::*;

/// Pieces at which JSON parsers differ.
const EDGES: [&str; 47] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\"a\"",
    "\"a\":",
    "{}",
    "[]",
    "null",
    "true",
    "false",
    "nul",
    "True",
    "NaN",
    "Infinity",
    "-Infinity",
    "-",
    "+1",
    "-0",
    "0",
    "00",
    "01",
    "1.",
    ".5",
    "1.5",
    "1e",
    "1E+",
    "0x1",
    "1e5",
    " ",
    "\t",
    "\r\n",
    "\u{b}",
    "\u{a0}",
    "\u{2028}",
    "\u{feff}",
    "\u{1}",
    "\"\u{1}\"",
    "\"\u{7f}\"",
    "\"\\x\"",
    "\"\\u12\"",
    "'a'",
    "/**/",
];

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
fn string() -> impl Strategy<Value = String> {
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

fn value() -> impl Strategy<Value = String> {
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

/// A well-formed text with one piece removed, inserted or repeated.
fn mutated(text: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let edit = (
        any::<prop::sample::Index>(),
        0_usize..3,
        prop::sample::select(EDGES.to_vec()),
    );
    (text, prop::collection::vec(edit, 1..4)).prop_map(|(text, edits)| {
        let mut characters: Vec<char> = text.chars().collect();
        for (place, removed, inserted) in edits {
            let start = place.index(characters.len() + 1);
            let end = (start + removed).min(characters.len());
            characters.splice(start..end, inserted.chars());
        }
        characters.into_iter().collect()
    })
}

fn soup() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(EDGES.to_vec()), 0..8)
        .prop_map(|pieces| pieces.concat())
}

fn nested() -> impl Strategy<Value = String> {
    (NESTING_MAX - 2..NESTING_MAX + 40, any::<bool>(), value()).prop_map(
        |(levels, is_list, leaf)| {
            let (open, close) = if is_list {
                ("[", "]")
            } else {
                ("{\"a\":", "}")
            };
            format!("{}{leaf}{}", open.repeat(levels), close.repeat(levels))
        },
    )
}

fn long() -> impl Strategy<Value = String> {
    (string(), 1_000_usize..70_000, any::<bool>()).prop_map(|(string, length, is_key)| {
        let padded = format!("\"{}{}", "x".repeat(length), &string.replacen('"', "", 1));
        if is_key {
            format!("{{{padded}:1}}")
        } else {
            padded
        }
    })
}

/// Any text, most of them nearly JSON.
pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        40 => value(),
        30 => mutated(value()),
        20 => soup(),
        5 => nested(),
        1 => long(),
        4 => any::<String>(),
    ]
}

/// An event with arbitrary attributes and data, most of them valid.
pub(crate) fn event_text() -> impl Strategy<Value = String> {
    let attribute = prop_oneof![8 => "\"[a-z/]{1,12}\"", 1 => string(), 1 => value()];
    let time = prop_oneof![
        6 => Just("\"2026-11-24T12:00:00Z\"".to_owned()),
        2 => "\"(0000|0001|1969|9999)-(01|12)-(01|31)T(00|23):(00|59):(00|59|60)(\\.[0-9]{1,12})?(Z|[+-](00:00|14:00|23:59))\"",
        1 => string(),
    ];
    let extension = prop_oneof![8 => Just(String::new()), 1 => value().prop_map(|value| format!(",\"extra\":{value}"))];
    (
        prop::collection::vec(attribute, 3),
        time,
        extension,
        value(),
        prop::option::weighted(0.2, string()),
    )
        .prop_map(|(attributes, time, extension, data, subject)| {
            let [id, source, event_type] = &attributes[..] else {
                return String::new();
            };
            let subject = subject.map_or_else(String::new, |text| format!(",\"subject\":{text}"));
            format!(
                "{{\"specversion\":\"1.0\",\"id\":{id},\"source\":{source},\"type\":{event_type},\
                 \"time\":{time}{subject}{extension},\"data\":{data}}}"
            )
        })
}
