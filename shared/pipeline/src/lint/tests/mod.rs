//! Each check on facts that have its fault. Those that the emulator and PostgreSQL can have are set there too, in
//! `console/tests/cli/lint`.

mod faults;
mod sound;

use std::collections::BTreeSet;

use self::faults::FAULTS;
use self::sound::{OPEN, alarm, alarm_of, dead, healthy, known, schema_of, source};
use super::check::Severity;
use super::collect::subject;
use super::fact::Fact;
use super::facts::{AlarmFacts, Facts, UpkeepFacts};
use super::report::{LintReport, check_ids};
use crate::environment::Environment;
use Severity::{Error, Note, Warning};

#[test]
fn healthy_pipeline_has_no_finding_and_every_check_was_made() {
    let report = LintReport::of(&healthy());
    assert_eq!((&report.findings, report.worst()), (&Vec::new(), None));
    assert_eq!(report.not_checked, []);
    assert_eq!(report.passed, check_ids());
}

#[test]
fn every_fault_is_found_by_its_check_alone() {
    for (id, severity, part, fault) in FAULTS {
        let mut facts = healthy();
        fault(&mut facts);
        let report = LintReport::of(&facts);
        let [finding] = report.findings.as_slice() else {
            panic!("{id}: {:#?}", report.findings);
        };
        assert_eq!((finding.id, finding.severity), (*id, *severity));
        assert!(finding.seen.contains(part), "{id}: {}", finding.seen);
        assert!(!finding.fix.text().is_empty(), "{id}");
        assert!(!report.is_incomplete(), "{id}: {:?}", report.not_checked);
    }
}

#[test]
fn every_check_has_a_fault_that_triggers_it() {
    let triggered: BTreeSet<&str> = FAULTS.iter().map(|(id, ..)| *id).collect();
    let ids: BTreeSet<&str> = check_ids().into_iter().collect();
    assert_eq!(triggered, ids);
    assert_eq!(ids.len(), check_ids().len(), "an id is given twice");
    let is_kebab = |id: &&str| id.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    assert!(ids.iter().all(is_kebab), "{ids:?}");
}

#[test]
fn what_could_not_be_read_is_not_checked_and_never_passed() {
    fn unread<T>() -> Fact<T> {
        Fact::Unknown("connection refused".to_owned())
    }
    let facts = Facts {
        queue: unread(),
        dead_letter_queue: unread(),
        dead_letter_age_secs: unread(),
        topic: unread(),
        subscriptions: unread(),
        function: unread(),
        reserved_concurrency: unread(),
        mappings: unread(),
        log_group: unread(),
        alarms: unread(),
        schema: unread(),
        horizon: unread(),
        cluster: unread(),
        aws_clock_ahead_secs: unread(),
        database_clock_ahead_secs: unread(),
        ..healthy()
    };
    let report = LintReport::of(&facts);
    assert!(report.findings.is_empty() && report.passed.is_empty());
    let ids: Vec<&str> = report.not_checked.iter().map(|check| check.id).collect();
    assert_eq!(ids, check_ids());
    for check in &report.not_checked {
        assert!(check.is_failure, "{check:?}");
        assert_eq!(check.reason, "connection refused");
    }
}

#[test]
fn what_the_environment_does_not_have_is_no_failure() {
    let absent = || "the environment's entry names no cluster".to_owned();
    let mut facts = healthy();
    facts.cluster = Fact::NotApplicable(absent());
    let report = LintReport::of(&facts);
    assert!(!report.is_incomplete());
    let ids: Vec<&str> = report.not_checked.iter().map(|check| check.id).collect();
    assert_eq!(
        ids,
        [
            "cluster-deletion-protection-off",
            "cluster-backups-short",
            "cluster-not-encrypted",
            "cluster-cannot-pause",
        ]
    );
}

/// Without a database_url the schema is read by the API, which does not say everything.
#[test]
fn part_of_the_schema_that_could_not_be_read_is_a_failure_of_its_checks_alone() {
    let mut facts = healthy();
    schema_of(&mut facts).upkeep = Fact::Unknown("the API does not say it".to_owned());
    let report = LintReport::of(&facts);
    assert!(report.is_incomplete());
    let ids: Vec<&str> = report.not_checked.iter().map(|check| check.id).collect();
    assert_eq!(ids, ["upkeep-behind"]);
    assert_eq!(report.findings, []);
}

#[test]
fn alarm_of_dead_letters_that_notifies_nobody_is_none() {
    let mut facts = healthy();
    alarm_of(&mut facts, "events-dead-letters").actions_enabled = false;
    let report = LintReport::of(&facts);
    let ids: Vec<&str> = report.findings.iter().map(|finding| finding.id).collect();
    assert_eq!(ids, ["dead-letters-without-alarm", "alarm-without-actions"]);
    // Below a composite alarm it notifies by that.
    let composite = alarm_of(&mut facts, "events-slo-freshness-fast");
    composite.children.push("events-dead-letters".to_owned());
    assert_eq!(LintReport::of(&facts).findings, []);
}

#[test]
fn composite_alarms_that_name_each_other_end_the_search() {
    let mut facts = healthy();
    let own = "events-slo-freshness-fast";
    let composite = alarm_of(&mut facts, own);
    composite.actions = 0;
    composite.children.push("other".to_owned());
    known(&mut facts.alarms).push(AlarmFacts {
        children: vec![own.to_owned()],
        ..alarm("other", 0)
    });
    let report = LintReport::of(&facts);
    let seen: Vec<&str> = report.findings.iter().map(|one| &*one.seen).collect();
    assert_eq!(
        seen,
        ["the alarm other has no actions, or they are disabled"]
    );
}

#[test]
fn few_hours_of_late_events_do_not_say_that_upkeep_is_behind() {
    let mut facts = healthy();
    schema_of(&mut facts).upkeep = Fact::Known(UpkeepFacts {
        counted_hours: 5,
        unfolded_hours: 5,
    });
    assert_eq!(LintReport::of(&facts).findings, []);
}

/// The names are the same in every account.
#[test]
fn every_command_acts_in_the_account_of_the_environment() {
    let environment = Environment {
        profile: Some("orders".to_owned()),
        ..Environment::example()
    };
    let mut commands = 0;
    for (id, _, _, fault) in FAULTS {
        let mut facts = healthy();
        facts.subject.aws = subject(&environment).aws;
        fault(&mut facts);
        for finding in LintReport::of(&facts).findings {
            let command = finding.fix.command.unwrap_or_default();
            let calls = command.matches("aws --").count();
            let named = command.matches(" --profile orders ").count();
            assert_eq!(named, calls, "{id}: {command}");
            assert!(calls > 0 || !command.contains("aws "), "{id}: {command}");
            commands += calls;
        }
    }
    assert!(commands > 20, "the check sees only {commands} commands");
}

/// Whoever may write an alarm on a metric of this pipeline chooses its name, and the command is pasted.
#[test]
fn names_of_alarms_are_words_for_the_shell_and_nothing_more() {
    fn silent(alarm: &mut AlarmFacts) {
        alarm.actions = 0;
    }
    fn unknown(alarm: &mut AlarmFacts) {
        alarm.state = "INSUFFICIENT_DATA".to_owned();
    }
    fn raised(alarm: &mut AlarmFacts) {
        alarm.state = "ALARM".to_owned();
    }
    let faults = [
        ("alarm-without-actions", silent as fn(&mut AlarmFacts)),
        ("alarm-insufficient-data", unknown),
        ("alarm-raised", raised),
    ];
    for (name, option) in [
        ("a b; $(id)", "--alarm-names 'a b; $(id)'"),
        ("a`id`", "--alarm-names 'a`id`'"),
        ("it's", "--alarm-names 'it'\\''s'"),
        ("a!rm", "--alarm-names 'a!rm'"),
        ("a-b_c.d", "--alarm-names a-b_c.d"),
        // Of these the AWS CLI would take each for more than a name.
        (
            "--endpoint-url=http://evil",
            "--cli-input-json '{\"AlarmNames\":[\"--endpoint-url=http://evil\"]}'",
        ),
        ("-x", "--cli-input-json '{\"AlarmNames\":[\"-x\"]}'"),
        (
            "file:///etc/passwd",
            "--cli-input-json '{\"AlarmNames\":[\"file:///etc/passwd\"]}'",
        ),
        ("[a]'", "--cli-input-json '{\"AlarmNames\":[\"[a]'\\''\"]}'"),
        ("{a,b}", "--cli-input-json '{\"AlarmNames\":[\"{a,b}\"]}'"),
    ] {
        for (id, fault) in faults {
            let mut facts = healthy();
            let alarm = alarm_of(&mut facts, "events-ingest-errors");
            name.clone_into(&mut alarm.name);
            fault(alarm);
            let report = LintReport::of(&facts);
            let finding = report.findings.first().unwrap();
            assert_eq!(finding.id, id, "{name}");
            let command = finding.fix.command.as_deref().unwrap();
            let end = format!(" {option}");
            assert!(command.ends_with(&end), "{id}: {command}");
        }
    }
}

/// The command that is pasted has them as the environment's entry has them.
#[test]
fn profile_and_endpoint_are_words_for_the_shell() {
    let environment = Environment {
        region: "us-east-1".to_owned(),
        profile: Some("a!rm {x,y}".to_owned()),
        endpoint_url: Some("http://127.0.0.1:4566/$(id)".to_owned()),
        ..Environment::example()
    };
    assert_eq!(
        subject(&environment).aws,
        "aws --region us-east-1 --profile 'a!rm {x,y}' --endpoint-url 'http://127.0.0.1:4566/$(id)'"
    );
    let environment = Environment {
        profile: Some("a!rm".to_owned()),
        endpoint_url: None,
        ..environment
    };
    let aws = subject(&environment).aws;
    assert_eq!(aws, "aws --region us-east-1 --profile 'a!rm'");
}

#[test]
fn worst_findings_come_first() {
    let mut facts = healthy();
    known(&mut facts.topic).is_encrypted = false;
    source(&mut facts).max_receive_count = Some(2);
    dead(&mut facts).policy = Some(OPEN.to_owned());
    let severities: Vec<Severity> = LintReport::of(&facts)
        .findings
        .iter()
        .map(|finding| finding.severity)
        .collect();
    assert_eq!(severities, [Error, Warning, Note]);
}

#[test]
fn rules_of_production_are_not_applied_elsewhere() {
    let mut facts = healthy();
    facts.subject.is_production = false;
    known(&mut facts.function).replacements_allowed = true;
    known(&mut facts.cluster).deletion_protection = false;
    known(&mut facts.cluster).backup_days = 1;
    assert_eq!(LintReport::of(&facts).findings, []);
}

#[test]
fn fix_is_a_command_for_the_shell_with_the_names_of_this_pipeline() {
    let mut facts = healthy();
    source(&mut facts).visibility_timeout_secs = 60;
    let report = LintReport::of(&facts);
    let fix = &report.findings.first().unwrap().fix;
    assert_eq!(
        fix.text(),
        "aws --region us-east-1 sqs set-queue-attributes --queue-url \
         https://sqs.us-east-1.amazonaws.com/123456789012/events-queue --attributes \
         '{\"VisibilityTimeout\":\"361\"}'"
    );
    let terraform = fix.terraform.as_deref();
    assert_eq!(terraform, Some("queue = { visibility_timeout_secs = 361 }"));
}
