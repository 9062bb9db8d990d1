//! One look at one environment.
//!
//! Invariant: it ends within [`ENVIRONMENT_LIMIT`], and a part that has no answer hides no other.

use std::future::Future;
use std::time::Duration;

use chrono::Utc;
use tokio::time::{Instant, timeout_at};

use super::row::FleetRow;
use super::seen::Seen;
use crate::environment::NamedEnvironment;
use crate::model::{History, QueueRole};
use crate::rules::METRIC_RECENT;
use crate::{Attempt, Pipeline, PipelineError, PipelineErrorKind};

/// Time limit of one environment, from the first request to the last answer.
const ENVIRONMENT_LIMIT: Duration = Duration::from_secs(10);
/// How far back metrics are read: as on the overview.
const HISTORY_WINDOW: Duration = Duration::from_secs(3_600);

pub(super) async fn look(named: NamedEnvironment) -> FleetRow {
    let environment = match named.environment {
        Ok(environment) => environment,
        Err(error) => return FleetRow::unusable(named.name, &error),
    };
    let seen = match Pipeline::connect(&environment) {
        Ok(pipeline) => see(&pipeline).await,
        Err(error) => return FleetRow::without(&environment, &error),
    };
    FleetRow::of(&environment, &seen)
}

async fn see(pipeline: &Pipeline) -> Seen {
    let limit = Instant::now() + ENVIRONMENT_LIMIT;
    let pauses = pipeline.environment().database_pauses;
    let history_and_totals = async {
        if !pauses {
            let history = pipeline.history(HISTORY_WINDOW);
            let totals = within(limit, "count the records", pipeline.record_totals());
            let (history, totals) = tokio::join!(within(limit, "read metrics", history), totals);
            return (history, Some(totals));
        }
        let history = within(limit, "read metrics", pipeline.history(HISTORY_WINDOW)).await;
        // The ingest had woken it anyway.
        let is_awake = history.as_ref().is_ok_and(has_stored_lately);
        let totals = match is_awake {
            true => Some(within(limit, "count the records", pipeline.record_totals()).await),
            false => None,
        };
        (history, totals)
    };
    let (queue, dead_letters, api, (history, totals)) = tokio::join!(
        within(
            limit,
            "read the queue",
            pipeline.queue_state(QueueRole::Source)
        ),
        within(
            limit,
            "read the dead letters",
            pipeline.queue_state(QueueRole::DeadLetter)
        ),
        within(
            limit,
            "get \"/health\" of the API",
            pipeline.api_health_permitted()
        ),
        history_and_totals,
    );
    Seen {
        queue,
        dead_letters,
        history,
        api,
        totals,
        at: Utc::now(),
    }
}

fn has_stored_lately(history: &History) -> bool {
    let since = Utc::now() - METRIC_RECENT;
    let stored = history.ingest.as_ref().map(|ingest| &ingest.stored);
    stored.is_some_and(|stored| {
        stored
            .iter()
            .any(|point| point.at > since && point.value > 0.0)
    })
}

async fn within<T>(
    limit: Instant,
    operation: &str,
    work: impl Future<Output = Result<T, PipelineError>>,
) -> Result<T, PipelineError> {
    let attempt = Attempt::start(operation, "");
    match timeout_at(limit, work).await {
        Ok(answer) => answer,
        Err(_) => {
            let cause = format!("no answer within {} s", ENVIRONMENT_LIMIT.as_secs());
            let error = attempt.failed(PipelineErrorKind::Unreachable, cause);
            Err(error.with_hint("ask this environment alone: opsconsole --env NAME status"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn part_without_an_answer_ends_with_the_limit_of_its_environment() {
        let never = std::future::pending::<Result<(), PipelineError>>();
        let error = within(Instant::now(), "read metrics", never)
            .await
            .unwrap_err();
        assert!(error.is_unreachable());
        assert!(
            error
                .to_string()
                .starts_with("read metrics: no answer within 10 s"),
            "{error}"
        );
        assert!(error.hint().contains("status"), "{}", error.hint());
    }
}
