//! What a client chooses of an answer: fields, and lines of JSON.

use axum::http::StatusCode;
use serde_json::Value;
use store::write_batch;

use crate::support::{Answer, filled, get, get_with};

const LINES: &str = "application/x-ndjson";

fn names(item: &Value) -> Vec<&str> {
    item.as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

#[tokio::test]
async fn only_the_chosen_fields_are_sent() {
    let (_database, router) = filled(3).await;
    for path in ["/v1/records", "/v1/feed"] {
        let page = get(&router, &format!("{path}?fields=id,record_id"))
            .await
            .json();
        assert_eq!(page["items"].as_array().unwrap().len(), 3);
        for item in page["items"].as_array().unwrap() {
            assert_eq!(names(item), ["id", "record_id"]);
        }
        let whole = get(&router, path).await.json();
        let fields = "record_id,source,id,type,subject,occurred_at,ingested_at,payload";
        let all = get(&router, &format!("{path}?fields={fields}"))
            .await
            .json();
        assert_eq!(all, whole);
        assert_eq!(names(&whole["items"][0]).len(), 8);
    }
    let one = get(&router, "/v1/records/1?fields=payload").await;
    assert_eq!(names(&one.json()), ["payload"]);
    assert!(one.header("etag").is_some());
}

#[tokio::test]
async fn unknown_field_is_a_problem_that_names_it() {
    let (_database, router) = filled(1).await;
    for path in ["/v1/records", "/v1/records/1", "/v1/feed"] {
        for (value, named) in [("id,sorce", "\"sorce\""), ("id,", "\"\""), ("Id", "\"Id\"")] {
            let answer = get(&router, &format!("{path}?fields={value}")).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path} {value}");
            let problem = answer.json();
            assert_eq!(problem["parameter"], "fields");
            let detail = problem["detail"].as_str().unwrap();
            assert!(
                detail.contains(named) && detail.contains("occurred_at"),
                "{detail}"
            );
        }
    }
}

/// The records and the last line's cursor.
fn lines(answer: &Answer) -> (Vec<Value>, Option<String>) {
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), Some(LINES));
    assert_eq!(answer.header("vary"), Some("accept"));
    let text = std::str::from_utf8(&answer.body).unwrap();
    assert!(text.ends_with('\n'));
    let mut lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let last = lines.pop().unwrap();
    assert_eq!(names(&last), ["next_cursor"]);
    assert!(lines.iter().all(|line| line.get("next_cursor").is_none()));
    (lines, last["next_cursor"].as_str().map(str::to_owned))
}

#[tokio::test]
async fn lines_are_the_records_of_the_range_beyond_a_page() {
    let (_database, router) = filled(620).await;
    let range = "from=2026-11-24T12:05:00Z&order=asc";
    let answer = get_with(&router, &format!("/v1/records?{range}"), "accept", LINES).await;
    let (found, cursor) = lines(&answer);
    assert_eq!(cursor, None);
    let ids: Vec<&str> = found
        .iter()
        .map(|line| line["id"].as_str().unwrap())
        .collect();
    let expected: Vec<String> = (5..620).map(|number| format!("id-{number}")).collect();
    assert_eq!(ids, expected);
    let page = get(&router, &format!("/v1/records?{range}&limit=1"))
        .await
        .json();
    assert_eq!(page["items"][0], found[0]);

    let path = "/v1/records?limit=2&fields=id";
    let (found, cursor) = lines(&get_with(&router, path, "accept", LINES).await);
    assert_eq!(found.len(), 2);
    assert_eq!(names(&found[0]), ["id"]);
    let path = format!("{path}&cursor={}", cursor.unwrap());
    let (found, _) = lines(&get_with(&router, &path, "accept", LINES).await);
    assert_eq!(found[0]["id"], "id-617");
}

#[tokio::test]
async fn lines_end_at_the_bytes_of_an_answer_and_go_on_behind() {
    let (database, router) = filled(0).await;
    let filling = "\\\"".repeat(60_000);
    for chunk in 0..6 {
        let bodies: Vec<String> = (0..10)
            .map(|number| {
                let id = chunk * 10 + number;
                format!(
                    r#"{{"specversion":"1.0","id":"{id}","source":"s","type":"t","time":"2026-11-24T12:00:{id:02}Z","data":"{filling}"}}"#
                )
            })
            .collect();
        let events: Vec<_> = bodies
            .iter()
            .map(|body| event::parse_event(body).unwrap())
            .collect();
        write_batch(database.pool(), &events).await.unwrap();
    }
    let (mut ids, mut cursor, mut answers) = (Vec::new(), None, 0);
    loop {
        let position = cursor.map_or(String::new(), |cursor| format!("&cursor={cursor}"));
        let path = format!("/v1/records?order=asc{position}");
        let answer = get_with(&router, &path, "accept", LINES).await;
        // As the string of a buffered answer of Lambda, which has at most 6 MB.
        let text = std::str::from_utf8(&answer.body).unwrap();
        assert!(serde_json::to_string(text).unwrap().len() < 6_000_000);
        let (found, next) = lines(&answer);
        ids.extend(
            found
                .iter()
                .map(|line| line["id"].as_str().unwrap().to_owned()),
        );
        answers += 1;
        cursor = next;
        if cursor.is_none() {
            break;
        }
    }
    let expected: Vec<String> = (0..60).map(|number| number.to_string()).collect();
    assert_eq!(ids, expected);
    assert_eq!(answers, 3);
}

#[tokio::test]
async fn faulty_question_for_lines_is_a_problem() {
    let (_database, router) = filled(1).await;
    let answer = get_with(&router, "/v1/records?limit=0", "accept", LINES).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json")
    );
}
