//! Tries the access to a bucket, as [`pipeline::Pipeline::check_access`] does for the rest.
//!
//! Invariant: nothing is written: not even an object that does not exist is deleted, because in a bucket with versions
//! that leaves a mark.

use std::time::{Duration, Instant};

use object_store::Error;
use pipeline::{
    AccessCheck, AccessName, AccessOutcome, Attempt, Pipeline, PipelineError, PipelineErrorKind,
};
use tokio::time::timeout;

use crate::bucket::Bucket;
use crate::error::ExportError;

/// Time limit of one attempt.
const CHECK_LIMIT: Duration = Duration::from_secs(10);

const LIST: AccessName = AccessName {
    name: "list-exports",
    permissions: &["s3:ListBucket"],
};
const READ: AccessName = AccessName {
    name: "read-exports",
    permissions: &["s3:GetObject"],
};
const UNTRIED: [AccessName; 3] = [
    AccessName {
        name: "write-exports",
        permissions: &["s3:PutObject"],
    },
    AccessName {
        name: "end-uploads",
        permissions: &["s3:AbortMultipartUpload"],
    },
    AccessName {
        name: "delete-exports",
        permissions: &["s3:DeleteObject"],
    },
];
/// Amazon S3 API Reference, "GetObject".
const ONLY_AFTER_LIST: &str =
    "to whom may not list the bucket, S3 answers that a missing object is forbidden";
const FIRST_LIST: &str = "first see to list-exports";
const REASON: &str = "only a written object would show it";
const NEXT_STEP: &str =
    "export a short range: opsconsole export --since 1m --into s3://BUCKET/PREFIX";

/// Tries what an export into the bucket needs, as far as it can be tried without a change.
///
/// # Errors
/// When the name of the bucket or the prefix cannot be one.
pub async fn check_bucket(
    pipeline: &Pipeline,
    bucket: &str,
    prefix: &str,
) -> Result<Vec<AccessCheck>, ExportError> {
    let target = format!("s3://{bucket}");
    let opened = Bucket::open(pipeline, bucket, prefix).await?;
    let list = tried(LIST, &target, opened.try_list()).await;
    let read = match list.outcome {
        AccessOutcome::Allowed => tried(READ, &target, opened.try_read()).await,
        AccessOutcome::Denied
        | AccessOutcome::Failed
        | AccessOutcome::Unreachable
        | AccessOutcome::NotTried
        | AccessOutcome::Absent => {
            AccessCheck::not_tried(READ, target.clone(), ONLY_AFTER_LIST, FIRST_LIST)
        }
    };
    let untried =
        UNTRIED.map(|access| AccessCheck::not_tried(access, target.clone(), REASON, NEXT_STEP));
    Ok([list, read].into_iter().chain(untried).collect())
}

/// The names of all that is tried or listed, with their permissions.
pub const BUCKET_ACCESS: [AccessName; 5] = [LIST, READ, UNTRIED[0], UNTRIED[1], UNTRIED[2]];

async fn tried(
    access: AccessName,
    target: &str,
    question: impl Future<Output = Result<(), Error>>,
) -> AccessCheck {
    let attempt = Attempt::start(format!("try {}", access.name), target);
    let begun = Instant::now();
    let answer = match timeout(CHECK_LIMIT, question).await {
        Ok(Ok(())) => Ok(None),
        Ok(Err(error)) => Err(reported(&attempt, &error)),
        Err(_) => Err(attempt.timed_out(CHECK_LIMIT)),
    };
    AccessCheck::tried(access, target.to_owned(), begun.elapsed(), answer)
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the crate may add variants, and most of them are of changes"
)]
fn reported(attempt: &Attempt, error: &Error) -> PipelineError {
    let status = match error {
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => Some(FORBIDDEN),
        Error::NotFound { .. } => Some(NOT_FOUND),
        _ => status_of(&error.to_string()),
    };
    match status {
        Some(FORBIDDEN) => attempt.denied("AccessDenied", None),
        Some(NOT_FOUND) => attempt.refused("the bucket does not exist"),
        Some(status) => attempt.refused(format!("status {status}")),
        None => attempt.failed(PipelineErrorKind::Unreachable, error.to_string()),
    }
}

const FORBIDDEN: u16 = 403;
const NOT_FOUND: u16 = 404;

/// The status of a response, from the text of an error: for a list the crate has no type that says it. What the server
/// wrote comes after the first one.
fn status_of(error: &str) -> Option<u16> {
    let (_, rest) = error.split_once("status code: ")?;
    rest.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_is_the_one_of_the_response_and_not_one_that_it_names() {
        for (error, expected) in [
            (
                "Generic S3 error: Error performing list request: Error performing GET \
                 http://127.0.0.1:1/x?list-type=2 in 1.5ms - Server returned non-2xx status code: \
                 403 Forbidden: <Error>status code: 404 </Error>",
                Some(403),
            ),
            ("Generic S3 error: error sending request", None),
        ] {
            assert_eq!(status_of(error), expected);
        }
    }
}
