//! The API on a database with events, and calls to it.

use api::router;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use chrono::{DateTime, TimeDelta, Utc};
use devstack::TestDatabase;
use event::{Event, parse_event};
use serde_json::{Value, json};
use store::write_batch;
use tower::ServiceExt as _;

pub(crate) const NOON: &str = "2026-11-24T12:00:00Z";
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

pub(crate) async fn call(router: &Router, request: Request<Body>) -> Answer {
    let (parts, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: to_bytes(body, BODY_BYTES_MAX).await.unwrap(),
    }
}

pub(crate) async fn get(router: &Router, path: &str) -> Answer {
    let request = Request::get(path).body(Body::empty()).unwrap();
    call(router, request).await
}

pub(crate) async fn get_with(router: &Router, path: &str, name: &str, value: &str) -> Answer {
    let request = Request::get(path).header(name, value);
    call(router, request.body(Body::empty()).unwrap()).await
}

/// A database with `count` events, one a minute, of two types.
pub(crate) async fn filled(count: i64) -> (TestDatabase, Router) {
    let database = TestDatabase::create().await.unwrap();
    store::migrate(database.pool()).await.unwrap();
    let noon: DateTime<Utc> = NOON.parse().unwrap();
    let bodies: Vec<String> = (0..count)
        .map(|number| {
            let kind = if number % 3 == 0 {
                "order+placed"
            } else {
                "order.shipped"
            };
            json!({
                "specversion": "1.0", "id": format!("id-{number}"), "source": "/shop",
                "type": kind, "subject": format!("order/{}", number % 5),
                "time": (noon + TimeDelta::minutes(number)).to_rfc3339(), "data": {"n": number},
            })
            .to_string()
        })
        .collect();
    let events: Vec<Event<'_>> = bodies
        .iter()
        .map(|body| parse_event(body).unwrap())
        .collect();
    write_batch(database.pool(), &events).await.unwrap();
    let router = router(database.pool().clone());
    (database, router)
}

pub(crate) async fn post(router: &Router, path: &str, body: impl Into<Body>) -> Answer {
    let request = Request::post(path).header("content-type", "application/json");
    call(router, request.body(body.into()).unwrap()).await
}
