//! The API on a real PostgreSQL, called over HTTP.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    reason = "a test stops where it fails"
)]

mod choices;
mod document;
mod support;

use std::collections::HashSet;
use std::time::Duration;

use api::{HEADER_BYTES_MAX, HEADERS_MAX, Settings, TARGET_BYTES_MAX, connected, router};
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use chrono::{DateTime, Utc};
use devstack::TestDatabase;
use serde_json::{Value, json};

use support::{NOON, call, filled, get, get_with, post};

#[tokio::test]
async fn all_records_are_found_page_by_page() {
    let (_database, router) = filled(53).await;
    for order in ["asc", "desc"] {
        let mut path = format!("/v1/records?limit=10&order={order}");
        let mut seen = Vec::new();
        let mut times = Vec::new();
        for _ in 0..20 {
            let answer = get(&router, &path).await;
            assert_eq!(answer.status, StatusCode::OK);
            let page = answer.json();
            for item in page["items"].as_array().unwrap() {
                seen.push(item["record_id"].as_i64().unwrap());
                times.push(item["occurred_at"].as_str().unwrap().to_owned());
            }
            match page["next_cursor"].as_str() {
                // The cursor contains the order.
                Some(cursor) => path = format!("/v1/records?limit=10&cursor={cursor}"),
                None => break,
            }
        }
        let distinct: HashSet<i64> = seen.iter().copied().collect();
        assert_eq!((seen.len(), distinct.len()), (53, 53), "{order}");
        assert!(times.is_sorted_by(|a, b| if order == "asc" { a < b } else { a > b }));
    }
}

#[tokio::test]
async fn record_has_the_published_fields() {
    let (_database, router) = filled(1).await;
    let page = get(&router, "/v1/records").await.json();
    assert_eq!(page["next_cursor"], Value::Null);
    let item = &page["items"][0];
    assert_eq!(item["source"], "/shop");
    assert_eq!(item["id"], "id-0");
    assert_eq!(item["type"], "order+placed");
    assert_eq!(item["subject"], "order/0");
    assert_eq!(item["occurred_at"], NOON);
    assert!(
        item["ingested_at"]
            .as_str()
            .unwrap()
            .parse::<DateTime<Utc>>()
            .is_ok()
    );
    assert_eq!(item["payload"]["data"], json!({"n": 0}));
    let path = format!("/v1/records/{}", item["record_id"]);
    assert_eq!(&get(&router, &path).await.json(), item);
}

#[tokio::test]
async fn filters_are_exact_and_combine() {
    let (_database, router) = filled(30).await;
    for (query, count) in [
        ("type=order%2Bplaced", 10),
        ("type=order", 0),
        ("subject=order/1", 6),
        ("source=/shop&limit=500", 30),
        ("id=id-7", 1),
        ("id=id-7&source=/nowhere", 0),
        ("from=2026-11-24T12:10:00Z&to=2026-11-24T12:20:00Z", 10),
        (
            "from=2026-11-24T14:10:00%2B02:00&to=2026-11-24T12:20:00Z&type=order%2Bplaced",
            3,
        ),
    ] {
        let answer = get(&router, &format!("/v1/records?{query}")).await;
        let items = answer.json()["items"].as_array().map(Vec::len);
        assert_eq!(items, Some(count), "{query}");
    }
}

#[tokio::test]
async fn invalid_parameter_is_a_problem_that_names_it() {
    let (_database, router) = filled(3).await;
    let page = get(&router, "/v1/records?limit=1").await.json();
    let cursor = page["next_cursor"].as_str().unwrap();
    let other_order = format!("/v1/records?order=asc&cursor={cursor}");
    let other_filter = format!("/v1/records?type=order.shipped&cursor={cursor}");
    let cut = format!("/v1/records?cursor={}", cursor.get(..36).unwrap());
    let altered = format!("/v1/records?cursor={}", cursor.replacen('A', "B", 1));
    for (path, parameter) in [
        ("/v1/records?limit=0", "limit"),
        ("/v1/records?limit=501", "limit"),
        ("/v1/records?limit=ten", "limit"),
        ("/v1/records?limit=-1", "limit"),
        ("/v1/records?from=yesterday", "from"),
        ("/v1/records?to=2026-11-24", "to"),
        (
            "/v1/records?from=2026-11-25T00:00:00Z&to=2026-11-24T00:00:00Z",
            "to",
        ),
        ("/v1/records?order=up", "order"),
        ("/v1/records?cursor=abc", "cursor"),
        (&other_order, "cursor"),
        (&other_filter, "cursor"),
        (&cut, "cursor"),
        (&altered, "cursor"),
        ("/v1/records?tpye=x", "tpye"),
        ("/v1/records?type=a&type=b", "type"),
        ("/v1/records?type=", "type"),
        ("/v1/records?type=%00", "type"),
        ("/v1/records?type=%ff", "type"),
        ("/v1/records?type=%zz", "type"),
        ("/v1/records?%ff=1", "%ff"),
        ("/v1/records/%ff", "record_id"),
        ("/v1/records/%31%00", "record_id"),
        ("/v1/records/1?verbose=1", "verbose"),
        ("/v1/records/first", "record_id"),
        ("/v1/stats?bucket=week", "bucket"),
        ("/v1/stats?group_by=subject", "group_by"),
        (
            "/v1/stats?bucket=minute&from=2020-01-01T00:00:00Z",
            "bucket",
        ),
        ("/v1/types?x=1", "x"),
        ("/v1/summary?x=1", "x"),
        ("/health?x=1", "x"),
        ("/health?deep=perhaps", "deep"),
        ("/openapi.json?x=1", "x"),
        ("/docs/viewer.js?x=1", "x"),
        ("/docs?x=1", "x"),
    ] {
        let answer = get(&router, path).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json")
        );
        let problem = answer.json();
        assert_eq!(problem["parameter"], parameter, "{path}: {problem}");
        assert_eq!(problem["status"], 400);
        assert_eq!(problem["type"], "/docs#invalid-parameter");
        assert!(!problem["detail"].as_str().unwrap().is_empty());
    }
}

#[tokio::test]
async fn unknown_paths_records_and_methods_are_problems() {
    let (_database, router) = filled(1).await;
    for path in ["/v1/records/999999", "/v1/record", "/", "/v2/records"] {
        let answer = get(&router, path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json")
        );
        assert_eq!(answer.json()["type"], "/docs#not-found");
    }
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
        let request = Request::builder().method(method).uri("/v1/records");
        let answer = call(&router, request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(answer.header("allow"), Some("GET, HEAD"));
        assert_eq!(answer.json()["type"], "/docs#method-not-allowed");
    }
    let request = Request::head("/v1/records").body(Body::empty()).unwrap();
    let answer = call(&router, request).await;
    assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 0));
}

#[tokio::test]
async fn record_is_sent_once_to_a_client_that_keeps_it() {
    let (_database, router) = filled(1).await;
    let page = get(&router, "/v1/records").await.json();
    let path = format!("/v1/records/{}", page["items"][0]["record_id"]);
    let first = get(&router, &path).await;
    let tag = first.header("etag").unwrap();
    assert!(first.header("cache-control").unwrap().contains("immutable"));
    let again = get_with(&router, &path, "if-none-match", tag).await;
    assert_eq!(again.status, StatusCode::NOT_MODIFIED);
    assert!(again.body.is_empty());
    assert_eq!(again.header("etag"), Some(tag));
    let other = get_with(&router, &path, "if-none-match", "\"other\"").await;
    assert_eq!(other.status, StatusCode::OK);
}

#[tokio::test]
async fn answer_is_compressed_on_request_only() {
    let (_database, router) = filled(20).await;
    let plain = get(&router, "/v1/records").await;
    assert_eq!(plain.header("content-encoding"), None);
    let packed = get_with(&router, "/v1/records", "accept-encoding", "gzip").await;
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert!(packed.body.starts_with(&[0x1f, 0x8b]));
    assert!(packed.body.len() < plain.body.len() / 2);
    let packed = get_with(&router, "/v1/records", "accept-encoding", "br").await;
    assert_eq!(packed.header("content-encoding"), Some("br"));
}

#[tokio::test]
async fn statistics_and_types_are_counted() {
    let (_database, router) = filled(90).await;
    let range = "from=2026-11-24T12:00:00Z&to=2026-11-24T14:00:00Z";
    let stats = get(&router, &format!("/v1/stats?{range}")).await.json();
    assert_eq!(
        stats,
        json!({
            "from": NOON, "to": "2026-11-24T14:00:00Z", "bucket": "hour", "group_by": "type",
            "items": [
                {"bucket_start": NOON, "group": "order+placed", "count": 20},
                {"bucket_start": NOON, "group": "order.shipped", "count": 40},
                {"bucket_start": "2026-11-24T13:00:00Z", "group": "order+placed", "count": 10},
                {"bucket_start": "2026-11-24T13:00:00Z", "group": "order.shipped", "count": 20},
            ],
        })
    );
    let longer = "from=2026-11-24T12:00:00Z&to=2026-11-24T15:00:00Z&fill_gaps=true";
    let filled = get(&router, &format!("/v1/stats?{longer}")).await.json();
    assert_eq!(filled["items"].as_array().unwrap().len(), 6);
    assert_eq!(
        filled["items"][5],
        json!({"bucket_start": "2026-11-24T14:00:00Z", "group": "order.shipped", "count": 0})
    );
    let types = get(&router, "/v1/types").await.json();
    assert_eq!(types["items"][0]["type"], "order.shipped");
    assert_eq!(types["items"][0]["count"], 60);
    assert_eq!(types["items"][0]["count_is_minimum"], false);
}

#[tokio::test]
async fn unavailable_database_is_reported_without_details() {
    let pool = store::connect_lazy(&store::ConnectSettings {
        acquire_timeout: Duration::from_millis(100),
        // Nothing listens on port 1.
        ..store::ConnectSettings::new("postgres://me:s3cret@127.0.0.1:1/away", "test")
    })
    .unwrap();
    let router = router(pool);
    for path in [
        "/health?deep=true",
        "/v1/records",
        "/v1/records/1",
        "/v1/stats",
        "/v1/summary",
        "/v1/types",
    ] {
        let answer = get(&router, path).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(answer.header("retry-after"), Some("5"));
        let problem = answer.json().to_string();
        for inside in ["s3cret", "127.0.0.1", "sqlx", "pool"] {
            assert!(!problem.contains(inside), "{problem}");
        }
    }
    // Paths that need no database still work.
    for path in ["/health", "/openapi.json", "/docs", "/docs/viewer.js"] {
        assert_eq!(get(&router, path).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn missing_schema_is_an_internal_problem_without_details() {
    let database = TestDatabase::create().await.unwrap();
    let router = router(database.pool().clone());
    let health = get(&router, "/health?deep=true").await;
    assert_eq!(health.status, StatusCode::OK);
    assert_eq!(health.json()["database"], "ok");
    let answer = get(&router, "/v1/records").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    let problem = answer.json();
    assert_eq!(problem["type"], "/docs#internal");
    assert!(!problem.to_string().contains("relation"), "{problem}");
}

#[tokio::test]
async fn what_is_too_long_is_a_problem() {
    let (_database, router) = filled(0).await;
    let query = format!("/v1/records?type={}", "x".repeat(16 * 1024));
    let answer = get(&router, &query).await;
    assert_eq!(answer.status, StatusCode::URI_TOO_LONG);
    assert_eq!(answer.json()["type"], "/docs#uri-too-long");
    let answer = get_with(&router, "/health", "x-large", &"x".repeat(HEADER_BYTES_MAX)).await;
    assert_eq!(answer.status, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    assert_eq!(answer.json()["type"], "/docs#headers-too-large");
    let many = (0..=HEADERS_MAX).fold(Request::get("/health"), |request, number| {
        request.header(format!("x-{number}"), "1")
    });
    let answer = call(&router, many.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    let longest = format!("/v1/records?type={}", "x".repeat(TARGET_BYTES_MAX - 17));
    assert_eq!(get(&router, &longest).await.status, StatusCode::OK);
}

#[tokio::test]
async fn every_answer_has_the_id_of_its_request() {
    let (_database, router) = filled(0).await;
    for path in ["/health", "/v1/records?limit=0", "/nowhere"] {
        let answer = get_with(&router, path, "x-request-id", "trace=1-a/b").await;
        assert_eq!(answer.header("x-request-id"), Some("trace=1-a/b"), "{path}");
        let first = get(&router, path).await;
        let second = get(&router, path).await;
        assert_ne!(first.header("x-request-id"), second.header("x-request-id"));
        let unusable = get_with(&router, path, "x-request-id", "two words").await;
        assert_ne!(unusable.header("x-request-id"), Some("two words"));
        assert!(unusable.header("x-request-id").is_some());
    }
}

#[tokio::test]
async fn head_has_the_headers_of_get_alone() {
    let (_database, router) = filled(1).await;
    for path in [
        "/v1/records",
        "/v1/stats",
        "/v1/summary",
        "/health",
        "/docs/viewer.js",
    ] {
        let head = Request::head(path).body(Body::empty()).unwrap();
        let head = call(&router, head).await;
        let full = get(&router, path).await;
        assert_eq!(
            (head.status, head.body.len()),
            (StatusCode::OK, 0),
            "{path}"
        );
        assert_eq!(head.header("content-type"), full.header("content-type"));
        assert_eq!(head.header("cache-control"), full.header("cache-control"));
    }
}

#[tokio::test]
async fn lookup_finds_each_stored_event_once_in_the_order_of_the_request() {
    let (database, router) = filled(3).await;
    let wanted = json!({"identities": [
        {"source": "/shop", "id": "id-2"}, {"source": "/shop", "id": "never"},
        {"source": "/shop", "id": "id-0"}, {"source": "/shop", "id": "id-2"},
    ]});
    let answer = post(&router, "/v1/records/lookup", wanted.to_string()).await;
    assert_eq!(answer.status, StatusCode::OK);
    let found = answer.json();
    let records = get(&router, "/v1/records").await.json();
    let expected = |position: usize| {
        let record = &records["items"][position];
        json!({
            "source": record["source"], "id": record["id"], "record_id": record["record_id"],
            "occurred_at": record["occurred_at"], "ingested_at": record["ingested_at"],
        })
    };
    assert_eq!(found["items"], json!([expected(0), expected(2)]));

    // The ledger knows an event longer than its record is kept.
    sqlx::query("delete from records where id = 'id-2'")
        .execute(database.pool())
        .await
        .unwrap();
    let found = post(&router, "/v1/records/lookup", wanted.to_string())
        .await
        .json();
    assert_eq!(found["items"][0]["ingested_at"], Value::Null);
    assert_eq!(
        found["items"][0]["record_id"],
        records["items"][0]["record_id"]
    );

    assert_eq!(found["retention_horizon"], Value::Null);
    sqlx::query("update retention set horizon = '2026-01-01'")
        .execute(database.pool())
        .await
        .unwrap();
    let found = post(&router, "/v1/records/lookup", wanted.to_string()).await;
    assert_eq!(found.json()["retention_horizon"], "2026-01-01T00:00:00Z");
}

#[tokio::test]
async fn lookup_has_the_digest_of_a_payload_where_it_is_asked_for() {
    let (database, router) = filled(2).await;
    let wanted = |payload_sha256: Option<bool>| {
        let identities = json!([
            {"source": "/shop", "id": "id-0"}, {"source": "/shop", "id": "id-1"},
        ]);
        match payload_sha256 {
            None => json!({ "identities": identities }),
            Some(asked) => json!({ "identities": identities, "payload_sha256": asked }),
        }
    };
    sqlx::query("delete from records where id = 'id-1'")
        .execute(database.pool())
        .await
        .unwrap();
    let digest: String = sqlx::query_scalar(
        "select encode(sha256(convert_to(payload::text, 'UTF8')), 'hex') from records where id = 'id-0'",
    )
    .fetch_one(database.pool())
    .await
    .unwrap();
    let answer = post(
        &router,
        "/v1/records/lookup",
        wanted(Some(true)).to_string(),
    )
    .await;
    let found = answer.json();
    assert_eq!(found["items"][0]["payload_sha256"], digest.as_str());
    for item in [1, 0] {
        let without = [wanted(None), wanted(Some(false))];
        for body in without {
            let answer = post(&router, "/v1/records/lookup", body.to_string()).await;
            let items = answer.json()["items"].clone();
            assert_eq!(items[item].get("payload_sha256"), None);
        }
    }
    assert_eq!(
        found["items"][1].get("payload_sha256"),
        None,
        "there is no record"
    );
}

#[tokio::test]
async fn lookup_names_what_it_does_not_take() {
    let (_database, router) = filled(0).await;
    let many = |count: usize| {
        let key = json!({"source": "/shop", "id": "x"});
        json!({"identities": vec![key; count]}).to_string()
    };
    for (body, parameter) in [
        (String::new(), "body"),
        ("[]".to_owned(), "body"),
        (
            r#"{"identities": [{"source": "/shop"}]}"#.to_owned(),
            "body",
        ),
        (r#"{"identities": [], "more": 1}"#.to_owned(), "body"),
        (
            r#"{"identities": [], "payload_sha256": 1}"#.to_owned(),
            "body",
        ),
        (
            r#"{"identities": [{"source": "a", "id": "\ud800"}]}"#.to_owned(),
            "body",
        ),
        (
            r#"{"identities": [{"source": "a", "id": "\u0000"}]}"#.to_owned(),
            "/identities/0/id",
        ),
        (many(501), "/identities"),
    ] {
        let answer = post(&router, "/v1/records/lookup", body.clone()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(answer.json()["parameter"], parameter, "{body}");
    }
    let most = post(&router, "/v1/records/lookup", many(500)).await;
    assert_eq!(
        (most.status, most.json()),
        (
            StatusCode::OK,
            json!({"items": [], "retention_horizon": null})
        )
    );
    let large = vec![b' '; 3 * 1024 * 1024];
    let answer = post(&router, "/v1/records/lookup", large).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(answer.json()["type"], "/docs#body-too-large");
    let answer = get(&router, "/v1/records/lookup").await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.header("allow"), Some("POST"));
}

#[tokio::test]
async fn summary_has_totals_and_partitions() {
    let (_database, router) = filled(7).await;
    let summary = get(&router, "/v1/summary").await.json();
    let records = get(&router, "/v1/records").await.json();
    let records = records["items"].as_array().unwrap().iter();
    let newest = records.max_by_key(|record| record["record_id"].as_i64());
    assert_eq!(
        (&summary["total"], &summary["total_is_estimate"]),
        (&json!(7), &json!(false))
    );
    assert_eq!(summary["last_ingested_at"], newest.unwrap()["ingested_at"]);
    let partitions = summary["partitions"].as_array().unwrap();
    assert_eq!(summary["partitions_total"], partitions.len());
    assert!(
        partitions
            .iter()
            .any(|one| one["bytes"].as_i64() > Some(8_192))
    );
    assert!(partitions.iter().any(|one| one["bounds"] == "DEFAULT"));
}

#[tokio::test]
async fn summary_says_which_database_it_is() {
    let (database, router) = filled(1).await;
    let summary = get(&router, "/v1/summary").await.json();
    let created_at = store::database_created_at(database.pool()).await.unwrap();
    assert_eq!(summary["database_created_at"], json!(created_at));
    let newest = store::MIGRATOR.iter().map(|file| file.version).max();
    assert_eq!(summary["schema_version"], json!(newest));
    let (_other, router) = filled(1).await;
    let other = get(&router, "/v1/summary").await.json();
    assert_ne!(other["database_created_at"], json!(created_at));
}

#[tokio::test]
async fn feed_refuses_a_position_that_its_database_never_had() {
    let (_database, router) = filled(7).await;
    assert_eq!(
        get(&router, "/v1/feed?after=7").await.status,
        StatusCode::OK
    );
    let answer = get(&router, "/v1/feed?after=8").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.json()["parameter"], "after");
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("behind the last record, 7"), "{detail}");
}

#[tokio::test]
async fn feed_has_every_record_once_and_is_resumed_at_its_end() {
    let (database, router) = filled(7).await;
    let mut seen = Vec::new();
    let mut after = json!(0);
    loop {
        let page = get(&router, &format!("/v1/feed?limit=3&after={after}")).await;
        let page = page.json();
        let items = page["items"].as_array().unwrap();
        seen.extend(items.iter().map(|item| item["record_id"].as_i64().unwrap()));
        after = page["next_after"].clone();
        if page["has_more"] == false {
            break;
        }
    }
    assert_eq!(seen.len(), 7);
    assert!(seen.is_sorted_by(|one, next| one < next));
    let body = r#"{"specversion":"1.0","id":"late","source":"/shop","type":"t","time":"2020-01-01T00:00:00Z"}"#;
    let event = event::parse_event(body).unwrap();
    store::write_batch(database.pool(), &[event]).await.unwrap();
    let page = get(&router, &format!("/v1/feed?after={after}"))
        .await
        .json();
    assert_eq!(page["items"].as_array().unwrap().len(), 1);
    assert_eq!(page["items"][0]["id"], "late");
    for (query, parameter) in [
        ("after=-1", "after"),
        ("limit=0", "limit"),
        ("limit=501", "limit"),
    ] {
        let answer = get(&router, &format!("/v1/feed?{query}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert_eq!(answer.json()["parameter"], parameter);
    }
}

#[tokio::test]
async fn pages_of_other_origins_read_answers_only_where_the_setting_names_them() {
    let settings = |origins: Option<&'static str>| {
        Settings::read(move |name| match name {
            "DATABASE_URL" => Some("postgres://127.0.0.1:1/away".to_owned()),
            "API_CORS_ORIGINS" => origins.map(str::to_owned),
            _ => None,
        })
        .unwrap()
    };
    let allowed = "access-control-allow-origin";
    let page = "https://a.example";
    let off = connected(&settings(None)).unwrap();
    let answer = get_with(&off, "/health", "origin", page).await;
    assert_eq!(
        (answer.status, answer.header(allowed)),
        (StatusCode::OK, None)
    );
    let on = connected(&settings(Some(page))).unwrap();
    let answer = get_with(&on, "/health", "origin", page).await;
    assert_eq!(answer.header(allowed), Some(page));
    let other = get_with(&on, "/health", "origin", "https://b.example").await;
    assert_eq!(other.header(allowed), None);
    let preflight = Request::options("/v1/records/lookup")
        .header("origin", page)
        .header("access-control-request-method", "POST")
        .body(Body::empty());
    let answer = call(&on, preflight.unwrap()).await;
    assert_eq!(answer.header(allowed), Some(page));
    assert!(
        answer
            .header("access-control-allow-methods")
            .unwrap()
            .contains("POST")
    );
}
