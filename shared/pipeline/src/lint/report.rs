//! The result of all checks. Pure.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::areas::checks;
use super::check::Severity;
use super::facts::Facts;
use super::fix::Fix;

/// What is wrong, with what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Published id of the check.
    pub id: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The values that were seen.
    pub seen: String,
    /// Why it matters.
    pub why: &'static str,
    /// How it is mended.
    pub fix: Fix,
}

/// A check that was not made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unchecked {
    /// Published id of the check.
    pub id: &'static str,
    /// Why it was not made.
    pub reason: String,
    /// Whether something could not be read; otherwise the environment does not have it.
    pub is_failure: bool,
}

/// The result of all checks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LintReport {
    /// Name of the environment.
    pub environment: String,
    /// When the facts were read.
    pub checked_at: DateTime<Utc>,
    /// What is wrong, the worst first.
    pub findings: Vec<Finding>,
    /// Ids of the checks that found nothing.
    pub passed: Vec<&'static str>,
    /// Checks that were not made.
    pub not_checked: Vec<Unchecked>,
}

impl LintReport {
    pub(super) fn of(facts: &Facts) -> Self {
        let mut report = Self {
            environment: facts.subject.environment.clone(),
            checked_at: facts.now,
            findings: Vec::new(),
            passed: Vec::new(),
            not_checked: Vec::new(),
        };
        for check in checks() {
            match (check.judge)(facts) {
                Ok(None) => report.passed.push(check.id),
                Ok(Some(found)) => report.findings.push(Finding {
                    id: check.id,
                    severity: found.severity,
                    seen: found.seen,
                    why: check.why,
                    fix: found.fix,
                }),
                Err(not_checked) => report.not_checked.push(Unchecked {
                    id: check.id,
                    reason: not_checked.reason,
                    is_failure: not_checked.is_failure,
                }),
            }
        }
        // Stable: within a severity the order is that of the checks.
        let worst_first = |finding: &Finding| std::cmp::Reverse(finding.severity);
        report.findings.sort_by_key(worst_first);
        report
    }

    /// The worst finding.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.findings.first().map(|finding| finding.severity)
    }

    /// Whether something that had to be read could not be read.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        self.not_checked.iter().any(|check| check.is_failure)
    }
}

/// The ids of all checks, in the order of the pipeline.
#[must_use]
pub fn check_ids() -> Vec<&'static str> {
    checks().map(|check| check.id).collect()
}
