//! A whole pipeline for one test file, with the functions of this build.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

use devstack::functions::{self, BuildProfile};
use devstack::{ProgressSender, Stack, StackOptions};

/// Starts it. Compiles the functions first; in a test run they are compiled already.
pub(crate) async fn start() -> Stack {
    let progress = ProgressSender::default();
    let functions = functions::build(BuildProfile::Debug, &progress)
        .await
        .unwrap();
    Stack::start(StackOptions::new(functions)).await.unwrap()
}
