//! Who may change a pipeline, and where the change is recorded.

use crate::audit::AuditLog;
use crate::environment::Environment;

/// Why an environment may not be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeRefusal {
    /// What forbids it.
    pub cause: String,
    /// The way out.
    pub hint: String,
}

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

impl Authority {
    /// Why `environment` may not be changed with this authority, if so.
    #[must_use]
    pub fn refusal(&self, environment: &Environment) -> Option<ChangeRefusal> {
        let name = &environment.name;
        if environment.read_only {
            return Some(ChangeRefusal {
                cause: format!("environment {name:?} is read-only"),
                hint: "leave out --read-only, or change read_only in the environment's entry"
                    .to_owned(),
            });
        }
        if !environment.is_production {
            return None;
        }
        let has_reason = self
            .reason
            .as_deref()
            .is_some_and(|reason| !reason.is_empty());
        let is_confirmed = self.confirmation.as_deref() == Some(name);
        let (cause, hint) = match (is_confirmed, has_reason) {
            (true, true) => return None,
            (true, false) => (
                "the reason is missing",
                "give the reason for the audit log: --reason TEXT".to_owned(),
            ),
            (false, true) => (
                "the change was not confirmed",
                format!("confirm it by name: --confirm {name}"),
            ),
            (false, false) => (
                "the change was not confirmed",
                format!("confirm it by name, with the reason: --confirm {name} --reason TEXT"),
            ),
        };
        Some(ChangeRefusal {
            cause: format!("environment {name:?} is production and {cause}"),
            hint,
        })
    }
}
