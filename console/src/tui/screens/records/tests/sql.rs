//! Questions in SQL.

use super::*;
use pipeline::{Cut, SqlAnswer};

const QUESTION: &str = "select type, count(*) as n, max(payload) from records group by 1";

pub(super) fn asked(width: u16, height: u16) -> Harness {
    let mut harness = with_page(page(901..=1_000, true), width, height);
    harness.press('S');
    harness.keys(QUESTION);
    harness.code(KeyCode::Enter);
    harness
}

pub(super) fn answer(rows: i64) -> SqlAnswer {
    let raw = |text: String| RawValue::from_string(text).unwrap();
    let row = |number: i64| {
        vec![
            raw(format!("\"flight.{number}\"")),
            raw((number * 100).to_string()),
            raw(format!("{{\"text\": \"\\u001b[2J{}\"}}", "x".repeat(200))),
        ]
    };
    SqlAnswer {
        columns: vec!["type".into(), "n".into(), "max".into()],
        rows: (1..=rows).map(row).collect(),
        cut: Some(Cut::Rows),
    }
}

pub(super) fn refusal() -> Fault {
    Fault {
        message: "ask the database at postgres://127.0.0.1/pipeline: column \"nothing\" does not \
                  exist (at character 8) (after 0.1 s)"
            .into(),
        hint: Some("Perhaps you meant to reference the column \"records.id\".".into()),
        ..Fault::default()
    }
}

#[test]
fn question_that_one_line_would_change_is_not_pasted() {
    let mut harness = Harness::on('5', 80, 24);
    harness.press('S');
    harness.paste("select count(*) from records -- all\nwhere type = 'flight.delayed'");
    assert!(
        harness.notice().contains("another question"),
        "{}",
        harness.notice()
    );
    harness.paste("select count(*)\nfrom records");
    harness.code(KeyCode::Enter);
    assert_eq!(harness.take(&SQL).0, "select count(*) from records");
}

#[test]
fn answer_is_listed_with_its_columns_and_says_that_it_is_cut() {
    let mut harness = asked(80, 24);
    assert!(
        harness.text().contains("esc cancels it"),
        "{}",
        harness.text()
    );
    let (sql, to) = harness.take(&SQL);
    assert_eq!(sql, QUESTION);
    harness.reply(to, Ok(Some(answer(60))));
    let text = harness.text();
    assert!(text.contains("1 / 60"), "{text}");
    assert!(text.contains("the first 60 rows, there are more"), "{text}");
    assert!(
        harness.selected().starts_with("▸ flight.1    100"),
        "{text}"
    );
    harness.press('j');
    harness.press('y');
    let copied = harness.copied.last().unwrap();
    assert!(copied.starts_with("[\"flight.2\",200,{"), "{copied}");
    harness.press('G');
    assert!(
        harness.selected().contains("flight.60"),
        "{}",
        harness.text()
    );
    harness.code(KeyCode::Esc);
    assert!(
        harness.selected().contains("000003e8"),
        "the list as it was"
    );
}

#[test]
fn question_is_cancelled_once_and_its_end_is_shown() {
    let mut harness = asked(80, 24);
    harness.press('j');
    harness.press('/');
    assert!(
        harness.text().contains("esc cancels it"),
        "it does not go on unseen"
    );
    harness.code(KeyCode::Esc);
    harness.code(KeyCode::Esc);
    assert_eq!(harness.cancelled.len(), 1);
    assert!(harness.text().contains("cancelling"), "{}", harness.text());
    let (_, to) = harness.take(&SQL);
    assert_eq!(harness.cancelled, [to.id()]);
    harness.reply(to, Ok(None));
    assert!(harness.text().contains("cancelled: the database ended it"));
    harness.code(KeyCode::Esc);
    assert!(harness.selected().contains("000003e8"));
}

#[test]
fn refusal_is_told_and_the_question_comes_back_to_be_corrected() {
    let mut harness = harness_in(State::SqlRefused, 160, 45);
    assert!(harness.text().contains("does not exist (at character 8)"));
    assert!(harness.text().contains("Perhaps you meant"));
    harness.press('S');
    assert!(
        harness.text().contains(&format!(" S {QUESTION}")),
        "{}",
        harness.text()
    );
}

#[test]
fn earlier_questions_come_back() {
    let mut harness = harness_in(State::SqlAnswered, 80, 24);
    harness.press('S');
    harness.ctrl('u');
    harness.keys("select 2");
    harness.code(KeyCode::Enter);
    harness.answer(&SQL, Ok(None));
    harness.press('S');
    for _ in 0..2 {
        harness.code(KeyCode::Up);
    }
    assert!(harness.text().contains(QUESTION), "{}", harness.text());
}

#[test]
fn text_of_the_database_does_not_control_the_terminal() {
    let harness = harness_in(State::SqlAnswered, 160, 45);
    let text = harness.text();
    assert!(!text.contains('\u{1b}'));
    assert!(text.contains("\\u001b[2J"), "{text}");
}

#[test]
fn environment_without_a_database_is_told_with_the_way_out() {
    let mut harness = with_page(page(1..=9, false), 80, 24);
    harness.model.environment.database_url = None;
    harness.press('S');
    assert!(harness.notice().contains("SQL needs database_url"));
    assert_eq!(
        harness.model.key_context(),
        KeyContext::Screen(crate::tui::screen_id::ScreenId::Records)
    );
}
