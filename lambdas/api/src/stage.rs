//! Takes over what API Gateway says about a request: removes its stage from the path, and keeps its request id.
//!
//! Invariant: routes never contain their stage.

use lambda_http::Request;
use lambda_http::http::{HeaderValue, Uri};
use lambda_http::request::RequestContext;

use crate::request_id::REQUEST_ID;

/// Removes the stage from the path, and has the gateway's request id, which is in its log, as the request's own
/// unless the client sent one. API Gateway prefixes the path with a named stage, and `lambda_http` adds
/// it where the gateway did not; `$default` is never in the path.
pub fn without_stage(mut request: Request) -> Request {
    let (stage, id) = match request.extensions().get::<RequestContext>() {
        Some(RequestContext::ApiGatewayV2(context)) => {
            (context.stage.clone(), context.request_id.clone())
        }
        Some(_) | None => (None, None),
    };
    if let Some(id) = id.and_then(|id| HeaderValue::try_from(id).ok()) {
        request.headers_mut().entry(REQUEST_ID).or_insert(id);
    }
    if let Some(stage) = stage
        && let Some(uri) = stripped(request.uri(), &stage)
    {
        *request.uri_mut() = uri;
    }
    request
}

fn stripped(uri: &Uri, stage: &str) -> Option<Uri> {
    let path_and_query = uri.path_and_query()?.as_str();
    let rest = path_and_query.strip_prefix('/')?.strip_prefix(stage)?;
    if !rest.is_empty() && !rest.starts_with(['/', '?']) {
        return None;
    }
    let path_and_query = if rest.starts_with('/') {
        rest.to_owned()
    } else {
        format!("/{rest}")
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path_and_query.parse().ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request as API Gateway sends it (payload format 2.0).
    fn request(stage: &str, raw_path: &str) -> Request {
        let event = serde_json::json!({
            "version": "2.0", "routeKey": "$default", "rawPath": raw_path,
            "rawQueryString": "limit=5&type=a%2Bb", "headers": {"host": "api.example.com"},
            "requestContext": {
                "accountId": "1", "apiId": "a", "domainName": "api.example.com",
                "domainPrefix": "api", "requestId": "r", "routeKey": "$default", "stage": stage,
                "time": "24/Nov/2026:00:00:00 +0000", "timeEpoch": 0,
                "http": {"method": "GET", "path": raw_path, "protocol": "HTTP/1.1",
                         "sourceIp": "127.0.0.1", "userAgent": "test"}
            },
            "isBase64Encoded": false
        });
        lambda_http::request::from_str(&event.to_string()).unwrap()
    }

    #[test]
    fn path_is_the_same_under_every_stage() {
        for (stage, raw_path) in [
            ("$default", "/v1/records"),
            ("live", "/live/v1/records"),
            ("live", "/v1/records"),
        ] {
            let request = without_stage(request(stage, raw_path));
            assert_eq!(request.uri().path(), "/v1/records", "{stage} {raw_path}");
            assert_eq!(request.uri().query(), Some("limit=5&type=a%2Bb"));
            assert_eq!(request.headers()["x-request-id"], "r");
        }
    }

    #[test]
    fn stage_alone_is_the_root_and_a_longer_segment_is_no_stage() {
        let uri: Uri = "https://h/live?x=1".parse().unwrap();
        assert_eq!(
            stripped(&uri, "live").map(|uri| uri.to_string()).as_deref(),
            Some("https://h/?x=1")
        );
        let uri: Uri = "/lively/x".parse().unwrap();
        assert_eq!(stripped(&uri, "live"), None);
    }
}
