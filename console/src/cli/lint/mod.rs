//! `lint`: how a pipeline is set up.
//!
//! Invariant: exit code 0 says that nothing as severe as asked for was found, and that everything that the environment
//! has was checked.

pub(crate) mod arguments;

use chrono::Utc;
use pipeline::lint::{Fix, LintReport, Severity};
use pipeline::printable;

use self::arguments::LintArguments;
use super::causes::by_cause;
use super::{CommandError, Exit, Session};

pub(super) async fn run(
    session: &Session,
    arguments: &LintArguments,
) -> Result<Exit, CommandError> {
    let report = session.pipeline.lint(Utc::now()).await;
    let output = session.output;
    if output.is_json() {
        output.json(&report)?;
    } else {
        output.text(&text(&report))?;
    }
    Ok(exit(&report, arguments.fail_on.severity()))
}

/// A finding is certain, so it comes before what could not be read.
fn exit(report: &LintReport, fail_on: Severity) -> Exit {
    if report.worst().is_some_and(|worst| worst >= fail_on) {
        Exit::Failed
    } else if report.is_incomplete() {
        Exit::Unreachable
    } else {
        Exit::Done
    }
}

/// Findings, what was not checked, and a sum. A fix is on one line, so that it can be copied. What kept several checks
/// from being made is told once.
fn text(report: &LintReport) -> String {
    let line = |name: &str, value: &str| format!("  {name:<9}  {}\n", printable(value));
    let mut text = String::new();
    for finding in &report.findings {
        let Fix { command, terraform } = &finding.fix;
        let lines = [
            (finding.severity.as_str(), Some(finding.id)),
            ("seen", Some(finding.seen.as_str())),
            ("why", Some(finding.why)),
            ("fix", command.as_deref()),
            ("terraform", terraform.as_deref()),
        ];
        let lines = lines.into_iter();
        text.extend(lines.filter_map(|(name, value)| Some(line(name, value?))));
        text.push('\n');
    }
    for checks in by_cause(&report.not_checked, |check| check.reason.as_str()) {
        let ids: Vec<&str> = checks.iter().map(|check| check.id).collect();
        let reason = checks.first().map_or("", |check| check.reason.as_str());
        text += &line("unchecked", &format!("{}: {reason}", ids.join(", ")));
    }
    if !report.not_checked.is_empty() {
        text.push('\n');
    }
    text + &sum(report) + "\n"
}

/// `1 error, 2 warnings; 39 passed, 4 not checked`
fn sum(report: &LintReport) -> String {
    let of = |severity| {
        let findings = report.findings.iter();
        let number = findings.filter(|one| one.severity == severity).count();
        counted(number, severity.as_str())
    };
    let parts: Vec<String> = [Severity::Error, Severity::Warning, Severity::Note]
        .into_iter()
        .filter_map(of)
        .collect();
    let findings = if parts.is_empty() {
        "no findings".to_owned()
    } else {
        parts.join(", ")
    };
    format!(
        "{findings}; {} passed, {} not checked",
        report.passed.len(),
        report.not_checked.len()
    )
}

fn counted(number: usize, what: &str) -> Option<String> {
    match number {
        0 => None,
        1 => Some(format!("1 {what}")),
        several => Some(format!("{several} {what}s")),
    }
}

#[cfg(test)]
mod tests {
    use pipeline::lint::{Finding, Unchecked};

    use super::*;

    fn report() -> LintReport {
        LintReport {
            environment: "pilot".to_owned(),
            checked_at: chrono::DateTime::from_timestamp(1_795_000_000, 0).unwrap(),
            findings: vec![Finding {
                id: "mapping-disabled",
                severity: Severity::Warning,
                seen: "the mapping a\u{1b}[2J is Disabled".to_owned(),
                why: "Lambda reads nothing",
                fix: Fix {
                    command: Some("aws lambda update-event-source-mapping".to_owned()),
                    terraform: Some("terraform apply".to_owned()),
                },
            }],
            passed: vec!["topic-open"],
            not_checked: vec![Unchecked {
                id: "cluster-not-encrypted",
                reason: "no cluster".to_owned(),
                is_failure: false,
            }],
        }
    }

    #[test]
    fn exit_is_of_the_worst_finding_then_of_what_could_not_be_read() {
        let mut found = report();
        assert_eq!(exit(&found, Severity::Warning), Exit::Failed);
        assert_eq!(exit(&found, Severity::Error), Exit::Done);
        found.not_checked[0].is_failure = true;
        assert_eq!(exit(&found, Severity::Warning), Exit::Failed);
        assert_eq!(exit(&found, Severity::Error), Exit::Unreachable);
        found.findings[0].severity = Severity::Note;
        assert_eq!(exit(&found, Severity::Warning), Exit::Unreachable);
    }

    #[test]
    fn one_reason_is_told_once() {
        let mut unread = report();
        let failed = |id| Unchecked {
            id,
            reason: "connection refused".to_owned(),
            is_failure: true,
        };
        unread.not_checked.insert(0, failed("topic-open"));
        unread.not_checked.push(failed("queue-open"));
        let text = text(&unread);
        let lines = text.lines().filter(|line| line.contains("unchecked"));
        let expected = [
            "  unchecked  topic-open, queue-open: connection refused",
            "  unchecked  cluster-not-encrypted: no cluster",
        ];
        assert_eq!(lines.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn report_is_text_that_controls_no_terminal_and_json_with_published_names() {
        insta::assert_snapshot!("lint_text", text(&report()));
        let json = serde_json::to_string_pretty(&report()).unwrap();
        insta::assert_snapshot!("lint_json", json);
    }
}
