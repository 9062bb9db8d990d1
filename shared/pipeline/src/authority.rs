//! Who may change a pipeline, and where the change is recorded.

use crate::audit::AuditLog;

/// What authorises changes of the pipeline, and the log that records them.
#[derive(Clone, Debug, Default)]
pub struct Authority {
    /// Name of the environment, as the operator typed it again. Production requires it for each change.
    pub confirmation: Option<String>,
    /// The operator's reason. Production requires it for each change.
    pub reason: Option<String>,
    /// The audit log; `None` records nothing.
    pub log: Option<AuditLog>,
}
