//! Cold start of the deployed binary, from the start of the process to its first page, and its memory then, as
//! Lambda runs it.

use std::process::Command;

use devstack::bench::{Better, Figure};
use serde_json::json;

use crate::function;
use crate::server::Server;

const STARTS: usize = 21;
const TIME: &str = "cold_start_to_first_page";
const MEMORY: &str = "peak_memory_of_first_page";

pub(crate) async fn measure(server: &Server, is_quick: bool) -> Vec<Figure> {
    if is_quick {
        let why = "the quick round does not build the deployed binary";
        return [(TIME, "ms"), (MEMORY, "MiB")]
            .map(|(name, unit)| Figure::absent(name, unit, Better::Lower, why))
            .into();
    }
    let folder = tempfile::tempdir().unwrap();
    let invocation = folder.path().join("invocation.json");
    std::fs::write(&invocation, request().to_string()).unwrap();
    let binary = function::binary("api");
    let url = &server.databases.first().expect("no database").url;
    let (mut times, mut memory) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let mut command = Command::new(&binary);
        command.env("DATABASE_URL", url);
        let run = function::run(command, std::slice::from_ref(&invocation)).await;
        times.push(run.first_answer_ms);
        memory.push(run.peak_rss_mib);
    }
    vec![
        Figure::new(TIME, "ms", Better::Lower, times),
        Figure::new(MEMORY, "MiB", Better::Lower, memory),
    ]
}

/// A request as API Gateway sends it (payload format 2.0).
fn request() -> serde_json::Value {
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": "/v1/records", "rawQueryString": "",
        "headers": {"host": "api.example.com"},
        "requestContext": {
            "accountId": "1", "apiId": "a", "domainName": "api.example.com", "domainPrefix": "api",
            "requestId": "r", "routeKey": "$default", "stage": "$default",
            "time": "24/Nov/2026:00:00:00 +0000", "timeEpoch": 0,
            "http": {"method": "GET", "path": "/v1/records", "protocol": "HTTP/1.1",
                     "sourceIp": "127.0.0.1", "userAgent": "bench"}
        },
        "isBase64Encoded": false
    })
}
