//! What the server answers before the API.
//!
//! Invariant: `/ready` reports whether this server should get requests, and `/health` whether it lives, which a
//! full server does.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use hyper::body::Incoming;
use tokio::sync::watch;
use tower::ServiceExt as _;

use super::stop::Stage;
use crate::problem::{Problem, ProblemKind};

/// Of no interest for clients of the API, so it is not in its document.
const READY: &str = "/ready";
const LIVE: &str = "/health";

/// The answers to the requests of one connection.
#[derive(Clone)]
pub(super) struct Front {
    pub(super) router: Router,
    pub(super) stage: watch::Receiver<Stage>,
    /// Whether the server has more connections than its limit.
    pub(super) is_spare: bool,
}

impl Front {
    pub(super) async fn answer(self, request: Request<Incoming>) -> Response {
        let is_leaving = *self.stage.borrow() != Stage::Serving;
        let path = request.uri().path();
        let mut response = if path == READY {
            ready(is_leaving, self.is_spare)
        } else if self.is_spare && path != LIVE {
            full().into_response()
        } else {
            match self.router.oneshot(request.map(Body::new)).await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        };
        // A client that keeps its connection would stay with a server that leaves, or in the way of others.
        if is_leaving || self.is_spare {
            let headers = response.headers_mut();
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// The database is not asked: that would wake a paused one, and where it is away no server would be ready, so that
/// clients got the error of a load balancer instead of a problem document.
fn ready(is_leaving: bool, is_spare: bool) -> Response {
    if is_leaving {
        return Problem::new(ProblemKind::Unavailable, "the server is stopping").into_response();
    }
    if is_spare {
        return full().into_response();
    }
    let no_store = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    (StatusCode::OK, [no_store], "ready\n").into_response()
}

fn full() -> Problem {
    Problem::new(
        ProblemKind::Unavailable,
        "the server has as many connections as it takes; try again",
    )
}
