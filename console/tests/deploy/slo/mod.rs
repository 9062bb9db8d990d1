//! The alarms of the objectives, as Terraform renders them, replay incidents minute by minute against the arithmetic of
//! the SRE workbook ("Alerting on SLOs", 6: multiwindow, multi-burn-rate alerts).

mod alarm_keys;
mod incident;
mod metric_math;
mod rendered;
mod workbook;

use std::collections::BTreeSet;

use event::ingest_metrics::LATE_AFTER_SECS;
use libtest_mimic::{Failed, Trial};
use pipeline::slo::{EVENTS_MIN, Objective, SLO_WINDOW_DAYS};

use self::incident::{DAY, HOUR, Incident};
use self::metric_math::follows_cloudwatch;
use self::rendered::Rendered;
use self::workbook::Workbook;
use crate::scripts::trial;

/// How much later the metrics of one service come than those of another: as long as `opsconsole account` waits for
/// them.
const LAG_MINUTES: usize = 3;

/// The tests; most need Terraform to evaluate the rules.
pub(crate) fn trials(terraform: &Result<(), String>) -> [Trial; 9] {
    [
        trial(
            "metric_math_is_computed_as_cloudwatch_does",
            &Ok(()),
            follows_cloudwatch,
        ),
        trial(
            "alarms_of_objectives_are_raised_when_the_workbook_says",
            terraform,
            incidents,
        ),
        trial(
            "alarms_of_objectives_detect_and_reset_by_the_workbooks_figures",
            terraform,
            figures,
        ),
        trial(
            "durability_counts_what_is_missing_and_not_what_waits",
            terraform,
            balance,
        ),
        trial(
            "ingest_that_does_not_count_late_events_is_not_judged_by_them",
            terraform,
            upgrade,
        ),
        trial(
            "pause_that_is_announced_until_the_queue_is_empty_notifies_nobody",
            terraform,
            pause,
        ),
        trial(
            "objectives_are_those_of_the_console",
            terraform,
            objectives_agree,
        ),
        trial(
            "lint_sees_above_every_window_the_alarm_that_notifies",
            terraform,
            windows_are_below_alarms,
        ),
        trial(
            "alarms_that_notify_are_known_by_their_keys",
            terraform,
            alarm_keys::agree,
        ),
    ]
}

/// Every incident, every objective, every minute: each alarm is raised exactly when the workbook says so.
async fn incidents() -> Result<(), Failed> {
    let rendered = Rendered::of_checkout().await?;
    let mut raised = 0;
    for (objective, percent) in rendered.objectives() {
        let workbook = Workbook::of(&objective, percent, EVENTS_MIN);
        for incident in Incident::all(percent) {
            for urgency in ["fast", "slow"] {
                let alarm = rendered.alarm(&format!("slo-{objective}-{urgency}"));
                for minute in 1..=incident.minutes() {
                    let is_raised = alarm.is_raised(&incident, minute)?;
                    let expected = workbook.is_raised(urgency, &incident, minute);
                    assert_eq!(
                        is_raised, expected,
                        "{objective} {urgency}, {}: minute {minute}",
                        incident.name
                    );
                    raised += usize::from(is_raised);
                }
            }
        }
    }
    assert!(
        raised > 10_000,
        "incidents that nobody is called for: {raised}"
    );
    Ok(())
}

/// The workbook's own figures, by the rendered alarms alone.
async fn figures() -> Result<(), Failed> {
    let rendered = Rendered::of_checkout().await?;
    let first = |alarm: &str, incident: &Incident| -> Result<Option<usize>, Failed> {
        let alarm = rendered.alarm(alarm);
        for minute in 1..=incident.minutes() {
            if alarm.is_raised(incident, minute)? {
                return Ok(Some(minute));
            }
        }
        Ok(None)
    };
    let began = 2 * DAY;
    for (objective, percent) in rendered.objectives() {
        let [fast, slow] = ["fast", "slow"].map(|urgency| format!("slo-{objective}-{urgency}"));
        // Detected when 2 %, 5 % and 10 % of the budget of 30 days are spent: window × rate / the incident's rate.
        let has_hour = objective != "durability";
        let of_hour = if has_hour { 60.0 * 14.4 } else { 360.0 * 6.0 };
        for (rate, alarm, minutes) in [
            (20.0, &fast, of_hour / 20.0),
            (8.1, &fast, 360.0 * 6.0 / 8.1),
            (4.1, &slow, 1_440.0 * 3.0 / 4.1),
        ] {
            let incident = Incident::of_rate("lasts", percent, rate, began..began + DAY);
            let seen = first(alarm, &incident)?.map(|minute| minute - began);
            // The first whole minute after it.
            assert_eq!(seen, Some(whole_after(minutes)), "{objective} {rate}");
        }
        let gentle = Incident::of_rate("gentle", percent, 2.9, began..began + 2 * DAY);
        assert_eq!(first(&fast, &gentle)?, None, "{objective}");
        assert_eq!(first(&slow, &gentle)?, None, "{objective}");
        let medium = Incident::of_rate("medium", percent, 5.9, began..began + DAY);
        assert_eq!(first(&fast, &medium)?, None, "{objective}: nobody is woken");
        // An outage that has ended calls nobody any more after its shortest window.
        let outage = Incident::outage("outage", 10, began..began + 15);
        let alarm = rendered.alarm(&fast);
        let last = (began..began + HOUR).rev().find(|minute| {
            let is_raised = alarm.is_raised(&outage, *minute);
            is_raised.is_ok_and(|is_raised| is_raised)
        });
        let until = match percent {
            // Two thirds of half an hour.
            _ if !has_hour => 20,
            percent if percent > 99.5 => 30,
            _ => 5,
        };
        assert_eq!(
            last.map(|minute| minute - began - 15),
            Some(until - 1),
            "{objective}"
        );
    }
    Ok(())
}

/// Messages that wait, are dead or were published twice are not missing; those that are purged are: also while the
/// metrics of one service are late.
async fn balance() -> Result<(), Failed> {
    let rendered = Rendered::of_checkout().await?;
    let raised = |alarm: &str, incident: &Incident| -> Result<usize, Failed> {
        let alarm = rendered.alarm(alarm);
        let mut raised = 0;
        for minute in 1..=incident.minutes() {
            raised += usize::from(alarm.is_raised(incident, minute)?);
        }
        Ok(raised)
    };
    let services = ["OpsConsole/Ingest", "AWS/SNS", "AWS/SQS"];
    for late in std::iter::once(None).chain(services.map(Some)) {
        for incident in Incident::without_loss() {
            let incident = incident.seen_late(late, LAG_MINUTES);
            for alarm in ["slo-durability-fast", "slo-durability-slow"] {
                let raised = raised(alarm, &incident)?;
                assert_eq!(raised, 0, "{alarm}, {}, {late:?}", incident.name);
            }
        }
        for incident in Incident::with_loss() {
            let incident = incident.seen_late(late, LAG_MINUTES);
            for alarm in ["slo-durability-fast", "slo-durability-slow"] {
                let raised = raised(alarm, &incident)?;
                assert!(raised > 0, "{alarm}, {}, {late:?}", incident.name);
            }
        }
    }
    Ok(())
}

/// What an earlier version stored was neither late nor in time.
async fn upgrade() -> Result<(), Failed> {
    let rendered = Rendered::of_checkout().await?;
    let incident = Incident::upgrade();
    for urgency in ["fast", "slow"] {
        let alarm = rendered.alarm(&format!("slo-freshness-{urgency}"));
        for minute in 1..=incident.minutes() {
            assert!(!alarm.is_raised(&incident, minute)?, "{urgency}: {minute}");
        }
    }
    Ok(())
}

/// Events of a pause are late when they are stored, which is after it.
async fn pause() -> Result<(), Failed> {
    let rendered = Rendered::of_checkout().await?;
    let paused = 2 * DAY..2 * DAY + 2 * HOUR;
    let (incident, drained) = Incident::pause(paused.clone());
    for urgency in ["fast", "slow"] {
        let name = format!("slo-freshness-{urgency}");
        let alarm = rendered.alarm(&name);
        let mut raised = Vec::new();
        for minute in 1..=incident.minutes() {
            if alarm.is_raised(&incident, minute)? {
                raised.push(minute);
            }
        }
        let (first, last) = (raised.first(), raised.last());
        let (first, last) = first.zip(last).ok_or("it is never raised")?;
        assert!(*first > paused.end, "{urgency}: {first}");
        // The suppressor holds it back so long after the last announcement.
        let extended = drained + rendered.pause_extension_minutes(&name);
        assert!(*last < extended, "{urgency}: {last}, and {extended}");
        assert!(
            *last > paused.end + rendered.pause_extension_minutes(&name),
            "{urgency}: {last}"
        );
    }
    Ok(())
}

/// The console computes budgets from the objectives by which the alarms are raised.
async fn objectives_agree() -> Result<(), Failed> {
    let rendered = Rendered::of_checkout().await?;
    let mut declared = rendered.objectives();
    let mut known = Objective::ALL
        .map(|it| (it.name().to_owned(), it.percent()))
        .to_vec();
    declared.sort_by(|one, other| one.0.cmp(&other.0));
    known.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(declared, known);
    assert_eq!(rendered.window_days(), u64::from(SLO_WINDOW_DAYS));
    assert_eq!(rendered.events_min(), EVENTS_MIN);
    for objective in Objective::ALL {
        let promise = rendered.promise(objective.name());
        let figure = match objective {
            Objective::Freshness => format!("within {LATE_AFTER_SECS} s"),
            Objective::ApiLatency => "within 1 s".to_owned(),
            Objective::ApiAvailability => "5xx".to_owned(),
            Objective::Durability => "pending".to_owned(),
        };
        assert!(promise.contains(&figure), "{promise}");
    }
    Ok(())
}

/// A window has no actions: `lint` must read in the rules that a composite alarm notifies for it.
async fn windows_are_below_alarms() -> Result<(), Failed> {
    let rendered = Rendered::of_checkout().await?;
    let windows = rendered.window_names();
    assert!(windows.len() >= 22, "{windows:?}");
    let rules = rendered.rules();
    let named: BTreeSet<String> = rules.flat_map(pipeline::lint::alarms_in_rule).collect();
    assert_eq!(named, windows);
    Ok(())
}

fn whole_after(minutes: f64) -> usize {
    let mut whole = 0;
    while f64::from(whole) <= minutes + 1e-9 {
        whole += 1;
    }
    usize::try_from(whole).unwrap()
}
