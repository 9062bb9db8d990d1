//! What several test files need.

#![expect(
    clippy::allow_attributes,
    reason = "each test file uses another part, so an expectation would fail in some of them"
)]

#[allow(dead_code, reason = "each test file uses a part of it")]
pub(crate) mod configuration;
#[allow(dead_code, reason = "each test file uses a part of it")]
pub(crate) mod pty;
#[allow(dead_code, reason = "each test file uses a part of it")]
pub(crate) mod queues;
#[allow(dead_code, reason = "each test file uses a part of it")]
pub(crate) mod stack;
