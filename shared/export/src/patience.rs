//! Questions that are asked again.
//!
//! Invariant: only a question that may be answered later is asked again, a limited number of times, and the caller
//! hears of each wait. Asking again has no effect beyond the answer.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use pipeline::PipelineError;
use pipeline::text::in_words;

/// Two and a half minutes of waits, and up to ten seconds for each attempt: a paused database resumes within half
/// a minute, a failover takes one.
pub(crate) const PATIENCE: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_secs(1))
    .with_max_delay(Duration::from_secs(30))
    .with_factor(2.0)
    .with_max_times(9);
/// A service that asks for a longer wait is not waited for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(120);

/// A wait before another attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Why the last attempt failed.
    pub cause: String,
    /// How long the wait is.
    pub duration: Duration,
    /// Attempts so far.
    pub attempts: usize,
}

/// Asks until there is an answer, or an error that another attempt does not mend.
pub(crate) async fn patiently<T, F>(
    patience: ExponentialBuilder,
    mut on_wait: impl FnMut(Wait),
    mut ask: impl FnMut() -> F,
) -> Result<T, PipelineError>
where
    F: Future<Output = Result<T, PipelineError>>,
{
    let mut waits = patience.build();
    let mut attempts = 0;
    loop {
        let error = match ask().await {
            Err(error) if error.is_unreachable() => error,
            answer => return answer,
        };
        attempts += 1;
        let asked = error.retry_after().unwrap_or_default();
        let Some(wait) = waits.next().filter(|_| asked <= RETRY_AFTER_MAX) else {
            let attempts = in_words(attempts as u64, "attempt");
            return Err(error.with_remark(&format!(
                "gave up after {attempts}; the same command continues from the last checkpoint"
            )));
        };
        let duration = wait.max(asked);
        on_wait(Wait {
            cause: error.to_string(),
            duration,
            attempts,
        });
        tokio::time::sleep(duration).await;
    }
}

#[cfg(test)]
mod tests {
    use pipeline::Pipeline;
    use pipeline::environment::Environment;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    const SHORT: ExponentialBuilder = ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(1))
        .with_max_times(3);
    const SUMMARY: &str = r#"{"total": 0, "total_is_estimate": false, "last_ingested_at": null,
        "database_now": "2026-11-27T00:00:00Z", "database_created_at": "2026-11-01T00:00:00Z",
        "partitions_total": 0, "partitions": []}"#;

    /// Answers one request after the other, each on its own connection, with status and further headers.
    async fn service(answers: Vec<&'static str>) -> Pipeline {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            for answer in answers {
                let (mut client, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(client.read_u8().await.unwrap());
                }
                let length = SUMMARY.len();
                let answer = format!(
                    "HTTP/1.1 {answer}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{SUMMARY}"
                );
                client.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        let environment = Environment {
            api_url: Some(url),
            ..Environment::example()
        };
        Pipeline::connect(&environment).unwrap()
    }

    /// Whether there was an answer, the error, and the waits.
    async fn asked(answers: Vec<&'static str>) -> (Option<PipelineError>, Vec<Wait>) {
        let pipeline = service(answers).await;
        let mut waits = Vec::new();
        let answer = patiently(
            SHORT,
            |wait| waits.push(wait),
            async || pipeline.database_created_at().await,
        );
        let error = answer.await.err();
        (error, waits)
    }

    #[tokio::test]
    async fn throttled_and_unavailable_services_are_asked_again_when_they_say() {
        let busy = "503 Service Unavailable\r\nretry-after: 1";
        let (error, waits) = asked(vec!["429 Too Many Requests", busy, "200 OK"]).await;
        assert_eq!(error, None);
        let [first, second] = &waits[..] else {
            panic!("{waits:?}")
        };
        assert!(first.duration < Duration::from_millis(500), "{first:?}");
        assert_eq!(second.duration, Duration::from_secs(1));
        assert!(second.cause.contains("status 503"), "{second:?}");
        assert_eq!((first.attempts, second.attempts), (1, 2));
    }

    #[tokio::test]
    async fn refusals_and_waits_without_end_are_not_waited_for() {
        let (error, waits) = asked(vec!["403 Forbidden"]).await;
        assert!(error.unwrap().cause.contains("status 403"));
        assert_eq!(waits, []);
        let tomorrow = "503 Service Unavailable\r\nretry-after: 86400";
        let (error, waits) = asked(vec![tomorrow]).await;
        assert!(error.unwrap().cause.contains("gave up after 1 attempt;"));
        assert_eq!(waits, []);
        let (error, waits) = asked(vec!["500 Internal Server Error"; 4]).await;
        assert!(error.unwrap().cause.contains("gave up after 4 attempts"));
        assert_eq!(waits.len(), 3);
    }
}
