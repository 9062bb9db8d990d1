//! The log of the API. Alone in its program: what other tests log at the same time has no subscriber, and spans are
//! switched on or off for all threads at once.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::Request;
use devstack::TestDatabase;
use serde_json::Value;
use tower::ServiceExt as _;

/// Collects what is logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn log_line_has_the_id_of_its_request() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_writer(move || writer.clone())
        .finish();
    let _logged = tracing::subscriber::set_default(subscriber);
    // Without a schema the request fails, which is logged.
    let database = TestDatabase::create().await.unwrap();
    let router = api::router(database.pool().clone());
    let request = Request::get("/v1/records").header("x-request-id", "seen-in-log");
    let request = request.body(Body::empty()).unwrap();
    router.oneshot(request).await.unwrap();
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let failed = text.lines().find(|line| line.contains("request failed"));
    let line: Value = serde_json::from_str(failed.unwrap()).unwrap();
    assert_eq!(line["span"]["request_id"], "seen-in-log", "{line}");
}
