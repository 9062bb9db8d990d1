//! What several test files need.

#[allow(dead_code, reason = "each test file uses a part of it")]
pub(crate) mod pty;
#[allow(dead_code, reason = "each test file uses a part of it")]
pub(crate) mod screen;
#[allow(dead_code, reason = "each test file uses a part of it")]
pub(crate) mod stack;
