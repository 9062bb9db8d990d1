//! Nothing of a body is lost, and the marked place is found.

use proptest::prelude::*;

use super::line::LINES_MAX;
use super::*;
use crate::tui::format::visible;

fn text_of(document: &Document) -> Vec<String> {
    document
        .lines
        .iter()
        .map(|line| {
            let pieces: String = line
                .pieces
                .iter()
                .map(|piece| piece.text.as_str())
                .collect();
            let mark = if line.is_marked { "▸" } else { "" };
            format!("{mark}{}{pieces}", " ".repeat(line.indent))
        })
        .collect()
}

fn without_whitespace(text: &str) -> String {
    text.chars().filter(|c| !" \t\n\r".contains(*c)).collect()
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        "[a-z]{250,600}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map(".{0,8}", inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn every_token_stays_as_it_was_written(value in json(), is_pretty: bool) {
        let text = if is_pretty {
            serde_json::to_string_pretty(&value).unwrap()
        } else {
            value.to_string()
        };
        let document = Document::new(&text, None);
        prop_assert!(document.is_json());
        let shown: String = document
            .lines
            .iter()
            .flat_map(|line| &line.pieces)
            .map(|piece| piece.text.as_str())
            .collect();
        prop_assert_eq!(without_whitespace(&shown), visible(&without_whitespace(&text)));
    }

    #[test]
    fn any_text_is_drawn_at_any_size(
        text in "(?s).{0,400}", pointer in "(/[a-z0-9]{0,3}){0,3}",
        offset in 0usize..20, height in 0usize..20, width in 0usize..60,
    ) {
        let theme = Theme { has_colour: true };
        let rows = Document::new(&text, Some(&pointer)).lines(theme, offset, height, width);
        prop_assert!(rows.len() <= height);
    }

    #[test]
    fn rows_are_never_wider_than_the_pane(value in json(), width in 8usize..100) {
        let document = Document::new(&value.to_string(), Some("/a/0"));
        let theme = Theme { has_colour: false };
        for row in document.lines(theme, 0, 200, width) {
            prop_assert!(row.width() <= width, "{row:?}");
        }
    }
}

#[test]
fn numbers_escapes_and_duplicate_names_are_kept() {
    let text = r#"{"id":"a\u0000b","id":1e400000,"n":1.00,"deep":{"list":[1,2],"o":{}}}"#;
    assert_eq!(
        text_of(&Document::new(text, None)),
        [
            "{",
            r#"  "id": "a\u0000b","#,
            r#"  "id": 1e400000,"#,
            r#"  "n": 1.00,"#,
            r#"  "deep": {"#,
            r#"    "list": [1, 2],"#,
            r#"    "o": {}"#,
            "  }",
            "}",
        ]
    );
}

#[test]
fn plain_members_stand_on_one_line() {
    let text = r#"{"data":{"flight":"LA601","minutes":35}}"#;
    let shown = text_of(&Document::new(text, None));
    assert_eq!(
        shown,
        [
            "{",
            r#"  "data": { "flight": "LA601", "minutes": 35 }"#,
            "}"
        ]
    );
}

#[test]
fn marked_member_is_found_and_its_object_is_opened() {
    let text = r#"{"a":{"b/c":[1,2]},"time":5}"#;
    let document = Document::new(text, Some("/a/b~1c/1"));
    assert_eq!(
        text_of(&document),
        [
            "{",
            r#"  "a": {"#,
            r#"    "b/c": ["#,
            "      1,",
            "▸      2",
            "    ]",
            "  },",
            r#"  "time": 5"#,
            "}",
        ]
    );
    assert_eq!(document.marked_line(), Some(4));
    // A pointer through a plain value marks that value.
    assert_eq!(
        Document::new(text, Some("/time/zone")).marked_line(),
        Some(4)
    );
}

#[test]
fn absent_member_is_named_in_its_object() {
    let shown = text_of(&Document::new(r#"{"id":"1"}"#, Some("/time")));
    assert_eq!(shown, ["{", r#"▸  "time": absent"#, r#"  "id": "1""#, "}"]);
    assert_eq!(
        text_of(&Document::new("{}", Some("/time"))),
        ["{", r#"▸  "time": absent"#, "}"]
    );
    let nested = text_of(&Document::new(r#"{"data":{"a":1}}"#, Some("/data/b")));
    assert_eq!(
        nested,
        [
            "{",
            r#"  "data": {"#,
            r#"▸    "b": absent"#,
            r#"    "a": 1"#,
            "  }",
            "}"
        ]
    );
}

#[test]
fn whole_text_can_be_marked() {
    assert_eq!(text_of(&Document::new("[1]", Some(""))), ["▸[", "  1", "]"]);
    assert_eq!(text_of(&Document::new("17", Some(""))), ["▸17"]);
}

#[test]
fn text_that_is_no_json_is_shown_harmless() {
    let shown = text_of(&Document::new("{oops\u{1b}[2J\nsecond\u{0}", Some("/time")));
    assert_eq!(shown, ["{oops␛[2J", "second␀"]);
}

#[test]
fn long_text_is_cut_and_shows_how_much() {
    let body = format!(r#"{{"data":"{}"}}"#, "x".repeat(1_048_000));
    let document = Document::new(&body, None);
    assert!(document.len() > 1_000);
    let last = text_of(&document).pop().unwrap();
    assert_eq!(last, "… 767 KiB more, not shown here (y copies all)");
    let many = format!("[{}0]", "[[0]],".repeat(20_000));
    let document = Document::new(&many, None);
    assert_eq!(document.len(), LINES_MAX + 1);
    assert!(
        text_of(&document)
            .pop()
            .unwrap()
            .contains("more, not shown here")
    );
}

#[test]
fn whitespace_at_the_end_is_not_called_hidden() {
    assert_eq!(text_of(&Document::new("[1]\n\n", None)), ["[", "  1", "]"]);
    assert_eq!(text_of(&Document::new("", None)), Vec::<String>::new());
}

#[test]
fn long_text_fills_its_rows_and_all_of_it_can_be_reached() {
    let text = "0123456789".repeat(100);
    let document = Document::new(&format!("[\"{text}\"]"), None);
    let theme = Theme { has_colour: false };
    let rows = document.lines(theme, 1, 100, 50);
    // 1,002 characters in rows of 46; the closing bracket follows.
    assert_eq!(rows.len(), 22 + 1);
    assert!(
        rows.iter().take(21).all(|row| row.width() == 50),
        "{rows:?}"
    );
    // Line by line, in a pane of a few rows.
    let shown: Vec<_> = (0..document.len())
        .flat_map(|offset| document.lines(theme, offset, 6, 50))
        .map(|row| row.to_string().trim().to_owned())
        .collect();
    assert!(shown.iter().any(|row| row.ends_with("9\"")), "{shown:?}");
}
