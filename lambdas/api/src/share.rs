//! A share of the database's connections for requests whose work is bounded.
//!
//! Invariant: requests that may read much never use all connections. One that finds no place in their share
//! is refused at once, so that it neither waits nor makes others wait.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use store::PgPool;
use tokio::sync::Semaphore;

use crate::lines;
use crate::problem::{Problem, ProblemKind};

/// Parameters with which a list reads one index from one place on.
const BOUNDED_PARAMETERS: [&str; 6] = ["id", "from", "to", "order", "limit", "cursor"];
/// Of eight connections, those that wide requests may use.
const WIDE_OF_EIGHT: u32 = 5;

/// The places for wide requests.
#[derive(Clone)]
pub(crate) struct WideShare(Arc<Semaphore>);

impl WideShare {
    pub(crate) fn of(pool: &PgPool) -> Self {
        let places = places(pool.options().get_max_connections());
        Self(Arc::new(Semaphore::new(places)))
    }
}

fn places(connections: u32) -> usize {
    let places = (connections * WIDE_OF_EIGHT / 8).max(1);
    usize::try_from(places).unwrap_or(usize::MAX)
}

/// Passes a request on, a wide one only if there is a place for it.
pub(crate) async fn admit(
    State(WideShare(places)): State<WideShare>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let is_wide = is_wide(request.uri().path(), request.uri().query())
        || lines::are_wanted(request.headers());
    if !is_wide {
        return Ok(next.run(request).await);
    }
    let Ok(_place) = places.try_acquire() else {
        return Err(Problem::new(
            ProblemKind::Unavailable,
            "other requests that read much are under way; try again",
        ));
    };
    Ok(next.run(request).await)
}

/// Whether a request may visit many records: a count, or a list with a filter. What is not known to be
/// bounded is wide.
fn is_wide(path: &str, query: Option<&str>) -> bool {
    match path.strip_prefix("/v1/") {
        Some("records") => query
            .unwrap_or_default()
            .split('&')
            .map(|pair| pair.split_once('=').map_or(pair, |(name, _)| name))
            .any(|name| !name.is_empty() && !BOUNDED_PARAMETERS.contains(&name)),
        Some("feed") => false,
        Some(rest) => !rest.starts_with("records/"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_visit_many_records_is_wide() {
        for (path, query, expected) in [
            ("/v1/records", None, false),
            ("/v1/records", Some("limit=500&cursor=x&order=asc"), false),
            ("/v1/records", Some("id=a"), false),
            ("/v1/records", Some("limit=5&subject=a"), true),
            ("/v1/records", Some("t%79pe=a"), true),
            ("/v1/records/17", None, false),
            ("/v1/records/lookup", None, false),
            ("/v1/feed", Some("after=7"), false),
            ("/v1/stats", None, true),
            ("/v1/types", None, true),
            ("/v1/summary", None, true),
            ("/health", Some("deep=true"), false),
            ("/docs", None, false),
        ] {
            assert_eq!(is_wide(path, query), expected, "{path} {query:?}");
        }
    }

    #[test]
    fn some_connections_are_left_and_one_place_at_least() {
        assert_eq!([1, 2, 4, 8, 16].map(places), [1, 1, 2, 5, 10]);
    }
}
