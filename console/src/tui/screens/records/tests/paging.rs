//! Paging both ways, at any depth, with a bounded number of rows.

use super::*;

/// Bytes of a payload, so that two pages are more than is kept.
const LARGE: usize = 200 * 1_024;

fn large(page: Page<Record>) -> Page<Record> {
    let payload = format!("{{\"data\":\"{}\"}}", "x".repeat(LARGE));
    let items = page.items.into_iter().map(|record| Record {
        payload: RawValue::from_string(payload.clone()).unwrap(),
        ..record
    });
    Page {
        items: items.collect(),
        ..page
    }
}

/// Rows above were let go, and there are more below.
pub(super) fn in_the_middle(width: u16, height: u16) -> Harness {
    let mut harness = with_page(large(page(901..=1_000, true)), width, height);
    harness.go_down(90);
    harness.answer_page(Ok(large(page(801..=900, true))));
    harness.go_down(30);
    harness
}

#[test]
fn rows_above_are_let_go_below_a_limit_and_read_again_upwards() {
    let mut harness = in_the_middle(80, 24);
    let text = harness.text();
    assert!(text.contains("121 / 200, more above and below"), "{text}");
    assert!(harness.queries().is_empty());
    let mut rows = 0;
    while harness.queries().is_empty() {
        harness.press('k');
        rows += 1;
        assert!(rows < 100, "{}", harness.text());
    }
    let before = harness.selected();
    let query = harness.queries()[0].clone();
    let cursor = query.cursor.unwrap();
    assert_eq!((query.order, cursor.order), (Order::Asc, Order::Asc));
    assert_eq!(query.limit, 100);
    let first = cursor.record_id.0 - 1_204_000;
    assert!((901..1_000).contains(&first), "{first}");
    harness.answer_page(Ok(large(upwards(first + 1..=1_000, false))));
    assert_eq!(harness.selected(), before, "nothing moves under the cursor");
    let text = harness.text();
    assert!(
        text.contains("more below") && !text.contains("above"),
        "{text}"
    );
    assert!(text.contains(&format!("{} / ", 121 - rows)), "{text}");
    for _ in 0..100 {
        harness.press('k');
    }
    assert!(harness.selected().contains("000003e8"), "the newest again");
    assert!(harness.queries().is_empty(), "that is the top");
}

#[test]
fn first_key_leads_to_the_newest_also_where_it_was_let_go() {
    let mut harness = in_the_middle(80, 24);
    harness.press('g');
    let queries = harness.queries();
    let query = queries.last().unwrap();
    assert_eq!((query.order, query.cursor), (Order::Desc, None));
    while harness.queries().len() > 1 {
        harness.answer_page(Ok(page(1..=9, false)));
    }
    harness.answer_page(Ok(page(901..=1_001, true)));
    let text = harness.text();
    assert!(text.contains("1 / 101,"), "{text}");
    assert!(harness.selected().contains("000003e9"), "{text}");
}

#[test]
fn last_key_reads_the_list_from_its_end() {
    let mut harness = with_page(page(901..=1_000, true), 80, 24);
    harness.type_filter("-7d");
    harness.code(KeyCode::Enter);
    harness.answer_page(Ok(page(901..=1_000, true)));
    let from = Some(at(-7 * 86_400));
    harness.press('G');
    let query = harness.queries()[0].clone();
    assert_eq!((query.order, query.cursor), (Order::Asc, None));
    assert_eq!((query.from, query.limit), (from, 100));
    assert!(
        harness.text().contains("going to the end"),
        "{}",
        harness.text()
    );
    harness.answer_page(Ok(upwards(1..=100, true)));
    assert!(
        harness.selected().contains("00000001"),
        "{}",
        harness.text()
    );
    assert!(harness.text().contains("more above"), "{}", harness.text());
    for _ in 0..75 {
        harness.press('k');
    }
    let query = harness.queries()[0].clone();
    assert_eq!(query.cursor.unwrap().record_id, RecordId(1_204_100));
    let before = harness.selected();
    harness.answer_page(Ok(upwards(101..=200, true)));
    assert_eq!(harness.selected(), before);
    harness.press('G');
    assert!(harness.queries().is_empty(), "the end is there");
    assert!(harness.selected().contains("00000001"));
}

#[test]
fn oldest_first_is_paged_upwards_by_the_newest_first() {
    let mut harness = with_page(page(1..=9, false), 80, 24);
    harness.type_filter("order=asc");
    harness.code(KeyCode::Enter);
    harness.answer_page(Ok(upwards(1..=100, true)));
    harness.press('G');
    assert_eq!(harness.queries()[0].order, Order::Desc);
    harness.answer_page(Ok(page(901..=1_000, true)));
    assert!(
        harness.selected().contains("000003e8"),
        "{}",
        harness.text()
    );
}

#[test]
fn going_elsewhere_gives_up_the_way_to_the_end() {
    let mut harness = with_page(page(901..=1_000, true), 80, 24);
    harness.press('G');
    let (_, late) = harness.take(&RECORDS);
    harness.press('j');
    harness.reply(late, Ok(upwards(1..=100, true)));
    assert!(
        harness.selected().contains("000003e7"),
        "{}",
        harness.text()
    );
    assert!(harness.text().contains("2 / 100,"), "{}", harness.text());
}

#[test]
fn end_that_cannot_be_read_keeps_the_rows() {
    let mut harness = with_page(page(901..=1_000, true), 160, 45);
    harness.press('G');
    harness.answer_page(Err(refused()));
    let text = harness.text();
    assert!(text.contains("last page: read records at"), "{text}");
    assert!(harness.selected().contains("000003e8"), "{text}");
}

#[test]
fn empty_pages_are_read_on_by_themselves_up_to_a_limit_and_then_by_a_key() {
    let mut harness = with_page(page(901..=1_000, true), 80, 24);
    harness.type_filter("subject=LA602 -7d");
    harness.code(KeyCode::Enter);
    harness.answer_page(Ok(empty_down_to(900)));
    let mut pages = 0;
    while harness.count(&RECORDS) > 0 {
        pages += 1;
        harness.answer_page(Ok(empty_down_to(900 - pages)));
        assert!(pages < 100);
    }
    assert_eq!(pages, 20);
    let text = harness.text();
    let so_far = "No record so far matches subject=LA602 -7d down to 2026-11-18 11:";
    assert!(text.contains(so_far), "{text}");
    assert!(!text.contains("All other records"), "{text}");
    harness.press('j');
    let cursor = harness.queries()[0].cursor.unwrap();
    assert_eq!(cursor.record_id, RecordId(1_204_880));
    assert!(
        harness.text().contains("Looking further"),
        "{}",
        harness.text()
    );
    harness.answer_page(Ok(page(1..=3, false)));
    assert!(harness.text().contains("1 / 3"), "{}", harness.text());
}

#[test]
fn following_pauses_where_the_newest_rows_are_let_go() {
    let mut harness = with_page(large(page(901..=1_000, true)), 80, 24);
    harness.press('f');
    harness.answer_page(Ok(page(901..=1_000, true)));
    harness.go_down(90);
    harness.answer_page(Ok(large(page(801..=900, true))));
    assert!(harness.notice().contains("paused: reading further down"));
    harness.pass(10);
    assert!(harness.queries().is_empty());
    // It begins again with the newest.
    harness.press('f');
    let query = harness.queries().pop().unwrap();
    assert_eq!((query.order, query.cursor), (Order::Desc, None));
}

#[test]
fn coming_back_leaves_the_place_of_whoever_reads_further_down() {
    let mut harness = in_the_middle(80, 24);
    let before = harness.selected();
    harness.press('1');
    harness.press('5');
    assert!(harness.queries().is_empty());
    assert_eq!(harness.selected(), before);
}
