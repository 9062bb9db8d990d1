//! The rows of the list: findings, then what was not checked.

use pipeline::lint::{Finding, LintReport, Severity, Unchecked};

use crate::tui::theme::Tone;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Row<'a> {
    Found(&'a Finding),
    Unchecked(&'a Unchecked),
}

impl<'a> Row<'a> {
    pub(super) const fn id(self) -> &'static str {
        match self {
            Self::Found(finding) => finding.id,
            Self::Unchecked(check) => check.id,
        }
    }

    /// What is shown beside the id.
    pub(super) fn text(self) -> &'a str {
        match self {
            Self::Found(finding) => &finding.seen,
            Self::Unchecked(check) => &check.reason,
        }
    }

    pub(super) const fn tone(self) -> Tone {
        match self {
            Self::Found(finding) => match finding.severity {
                Severity::Note => Tone::Muted,
                Severity::Warning => Tone::Warning,
                Severity::Error => Tone::Bad,
            },
            Self::Unchecked(_) => Tone::Muted,
        }
    }

    /// The word for its tone.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Found(finding) => finding.severity.as_str(),
            Self::Unchecked(check) if check.is_failure => "unread",
            Self::Unchecked(_) => "absent",
        }
    }
}

/// What could not be read comes before what the environment does not have.
pub(super) fn rows(report: &LintReport) -> Vec<Row<'_>> {
    let unchecked = |is_failure| {
        let checks = report.not_checked.iter();
        checks.filter(move |check| check.is_failure == is_failure)
    };
    let found = report.findings.iter().map(Row::Found);
    let rest = unchecked(true).chain(unchecked(false)).map(Row::Unchecked);
    found.chain(rest).collect()
}
