//! Signals to programs under test.

use std::process::Command;

/// Sends a signal, such as `INT`, as Ctrl-C does.
pub(crate) fn signal(process_id: u32, name: &str) {
    let arguments = ["-s", name, &process_id.to_string()];
    let status = Command::new("kill").args(arguments).status().unwrap();
    assert!(status.success());
}
