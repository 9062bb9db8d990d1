//! A redrive that runs: its keys, its counts and what it waits for.

use super::*;
use crate::tui::effect::RunControl;
use crate::tui::theme::Tone;

#[test]
fn second_redrive_cannot_begin_while_one_runs() {
    let (mut harness, _) = begun();
    harness.press('2');
    harness.answer_messages(fixtures::messages());
    harness.keys("ar");
    assert!(!harness.is_reviewing());
    assert!(
        harness.notice().contains("one at a time"),
        "{}",
        harness.notice()
    );
}

#[test]
fn keys_control_the_redrive_and_its_progress_is_shown() {
    let (mut harness, to) = begun();
    let counts = Counts {
        moved: 12,
        stored: 10,
        waiting: 25,
        ..Counts::default()
    };
    report(&mut harness, to.id(), running(counts));
    assert!(harness.text().contains("12 of 37 sent"));
    harness.keys("+- c");
    let id = to.id();
    let expected = [
        (id, RunControl::Rate(Some(50.0))),
        (id, RunControl::Rate(Some(10.0))),
        (id, RunControl::Pause),
        (id, RunControl::Cancel),
    ];
    assert_eq!(harness.controls, expected);
    let command = RunCommand::Pause(Pause::Operator);
    report(
        &mut harness,
        id,
        Progress {
            command,
            ..running(counts)
        },
    );
    let text = harness.text();
    assert!(text.contains("paused by you"), "{text}");
    assert!(
        !text.contains("anyway"),
        "nothing speaks against it: {text}"
    );
    harness.press(' ');
    assert_eq!(harness.controls.last(), Some(&(id, RunControl::Continue)));
}

#[test]
fn progress_of_another_request_is_ignored() {
    let (mut harness, _) = begun();
    let counts = Counts {
        moved: 30,
        waiting: 7,
        ..Counts::default()
    };
    report(&mut harness, RequestId(9_999), running(counts));
    assert!(harness.text().contains("0 of 37 sent"));
}

#[test]
fn failed_canary_shows_its_reason_and_the_choices() {
    let (mut harness, to) = begun();
    let counts = Counts {
        moved: 1,
        dead_again: 1,
        waiting: 36,
        ..Counts::default()
    };
    let command = RunCommand::Pause(Pause::Redrive(
        "1 of 1 sent event failed again: not-json".to_owned(),
    ));
    report(
        &mut harness,
        to.id(),
        Progress {
            command,
            ..running(counts)
        },
    );
    let text = harness.text();
    for expected in [
        "1 ✖",
        "failed again: not-json",
        "continues anyway",
        "ends it with 36 not sent",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

/// The database stopped answering after the last step was proved.
#[test]
fn step_before_those_that_were_sent_since_did_not_fail() {
    let (mut harness, to) = begun();
    let counts = Counts {
        moved: 12,
        stored: 8,
        waiting: 25,
        ..Counts::default()
    };
    let why = "the ledger gave no answer for 5 batches in a row".to_owned();
    let progress = Progress {
        command: RunCommand::Pause(Pause::Redrive(why)),
        ..running(counts)
    };
    report(&mut harness, to.id(), progress);
    let text = harness.text();
    assert!(text.contains("1 ● → 10 ● → all 37"), "{text}");
}

#[test]
fn time_of_a_pause_or_of_a_proof_makes_no_rate() {
    let counts = |moved| Counts {
        moved,
        waiting: 37 - moved,
        ..Counts::default()
    };
    let paused = Progress {
        command: RunCommand::Pause(Pause::Operator),
        ..running(counts(12))
    };
    let until = fixtures::now() + chrono::Duration::seconds(90);
    let proving = Progress {
        wait: Some(Wait::Proof {
            until,
            is_last: false,
        }),
        ..running(counts(12))
    };
    for stop in [paused, proving] {
        let (mut harness, to) = begun();
        report(&mut harness, to.id(), running(counts(12)));
        report(&mut harness, to.id(), stop);
        harness.now += chrono::Duration::seconds(60);
        for moved in [12, 17] {
            report(&mut harness, to.id(), running(counts(moved)));
            harness.now += chrono::Duration::seconds(1);
        }
        harness.tick();
        let text = harness.text();
        assert!(
            text.contains("2.5/s now") && text.contains("about 8 s left"),
            "{text}"
        );
    }
}

/// Nothing waits: each may have been sent, and how many of them are to be sent again is not known before.
#[test]
fn rate_is_shown_while_messages_in_doubt_are_sent_again() {
    let (mut harness, to) = begun();
    for moved in [2, 7, 12, 17] {
        let counts = Counts {
            moved,
            unknown: 37 - moved,
            ..Counts::default()
        };
        report(&mut harness, to.id(), running(counts));
        harness.now += chrono::Duration::seconds(1);
    }
    harness.tick();
    let text = harness.text();
    assert!(text.contains("/s now"), "{text}");
    assert!(!text.contains(" left"), "{text}");
}

#[test]
fn rate_is_measured_and_the_time_left_shown() {
    let (mut harness, to) = begun();
    for moved in [2, 7, 12, 17] {
        let counts = Counts {
            moved,
            waiting: 37 - moved,
            ..Counts::default()
        };
        report(&mut harness, to.id(), running(counts));
        harness.now += chrono::Duration::seconds(1);
    }
    harness.tick();
    let text = harness.text();
    assert!(text.contains("3.8/s now, at most 20"), "{text}");
    assert!(text.contains("about 6 s left"), "{text}");
}

#[test]
fn canary_that_is_stored_did_not_fail_where_the_ledger_stops_the_next_step() {
    let failed = |stored| {
        let (mut harness, to) = begun();
        let counts = Counts {
            moved: 1,
            stored,
            waiting: 36,
            ..Counts::default()
        };
        let command = RunCommand::Pause(Pause::Redrive("the ledger does not answer".to_owned()));
        let progress = Progress {
            command,
            ..running(counts)
        };
        report(&mut harness, to.id(), progress);
        harness.text().contains("1 ✖")
    };
    assert!(failed(0), "nobody knows of it");
    assert!(!failed(1));
}

#[test]
fn silence_that_is_over_makes_no_rate() {
    let (mut harness, to) = begun();
    let begin = harness.now;
    for (secs, moved) in [(0, 2), (1, 3), (34, 4), (35, 9), (36, 14)] {
        let counts = Counts {
            moved,
            waiting: 37 - moved,
            ..Counts::default()
        };
        harness.now = begin + chrono::Duration::seconds(secs);
        report(&mut harness, to.id(), running(counts));
    }
    let text = harness.text();
    assert!(text.contains("5.0/s now, at most 20"), "{text}");
    assert!(text.contains("about 5 s left"), "{text}");
}

#[test]
fn redrive_that_confirms_nothing_has_no_rate_and_no_time_left() {
    let (mut harness, to) = begun();
    for moved in [2, 7, 12] {
        let counts = Counts {
            moved,
            waiting: 37 - moved,
            ..Counts::default()
        };
        harness.now += chrono::Duration::seconds(1);
        report(&mut harness, to.id(), running(counts));
    }
    harness.now += chrono::Duration::seconds(1);
    harness.tick();
    assert!(harness.text().contains(" left"), "{}", harness.text());
    harness.now += chrono::Duration::seconds(2);
    harness.tick();
    let text = harness.text();
    assert!(
        text.contains("nothing confirmed for 3 s, at most 20"),
        "{text}"
    );
    assert!(
        !text.contains("/s now") && !text.contains(" left"),
        "{text}"
    );
}

#[test]
fn messages_that_were_not_sent_make_no_rate_and_a_resume_may_try_them_again() {
    let (mut harness, to) = begun();
    let mut shown = |moved, not_sent| {
        let counts = Counts {
            moved,
            not_sent,
            waiting: 37 - moved - not_sent,
            ..Counts::default()
        };
        harness.now += chrono::Duration::seconds(1);
        report(&mut harness, to.id(), running(counts));
        harness.text()
    };
    shown(10, 0);
    shown(10, 10);
    let text = shown(10, 20);
    assert!(!text.contains("/s now"), "{text}");
    let text = shown(10, 0);
    assert!(!text.contains("/s now"), "{text}");
    let text = shown(13, 0);
    assert!(text.contains("/s now"), "{text}");
}

#[test]
fn slow_rate_is_no_standstill() {
    let (mut harness, to) = begun();
    for moved in [1, 2] {
        let counts = Counts {
            moved,
            waiting: 37 - moved,
            ..Counts::default()
        };
        let rate_per_sec = Some(0.5);
        let progress = Progress {
            rate_per_sec,
            ..running(counts)
        };
        harness.now += chrono::Duration::seconds(2);
        report(&mut harness, to.id(), progress);
    }
    harness.now += chrono::Duration::seconds(3);
    harness.tick();
    let text = harness.text();
    assert!(
        text.contains("/s now") && !text.contains("nothing confirmed"),
        "{text}"
    );
}

#[test]
fn time_left_is_never_below_what_the_limit_allows() {
    let (mut harness, to) = begun();
    for moved in [0, 5, 10] {
        let counts = Counts {
            moved,
            waiting: 37 - moved,
            ..Counts::default()
        };
        let progress = Progress {
            rate_per_sec: Some(2.0),
            ..running(counts)
        };
        report(&mut harness, to.id(), progress);
        harness.now += chrono::Duration::seconds(1);
    }
    harness.tick();
    let text = harness.text();
    assert!(text.contains("about 14 s left"), "{text}");
}

#[test]
fn messages_that_are_older_than_the_summary_show_of_when_they_are() {
    let (mut harness, to) = begun();
    let counts = Counts {
        moved: 12,
        stored: 4,
        waiting: 25,
        ..Counts::default()
    };
    report(&mut harness, to.id(), running(counts));
    harness.pass(1);
    let mut rows = every_outcome();
    rows.counts = Counts {
        stored: 3,
        ..counts
    };
    answer_report(&mut harness, rows.clone());
    let of = format!(
        "messages as of {} UTC",
        crate::tui::format::clock(harness.now)
    );
    harness.now += chrono::Duration::seconds(1);
    assert!(harness.text().contains(&of), "{}", harness.text());
    harness.pass(3);
    rows.counts = counts;
    answer_report(&mut harness, rows);
    assert!(
        !harness.text().contains("messages as of"),
        "{}",
        harness.text()
    );
}

#[test]
fn end_of_a_redrive_does_not_say_that_messages_which_are_gone_stay() {
    let (mut harness, to) = begun();
    let counts = Counts {
        moved: 18,
        not_sent: 5,
        unsendable: 5,
        waiting: 14,
        ..Counts::default()
    };
    let command = RunCommand::Pause(Pause::Operator);
    let paused = Progress {
        command,
        ..running(counts)
    };
    report(&mut harness, to.id(), paused);
    let text = harness.text();
    assert!(text.contains("ends it with 19 not sent"), "{text}");
    harness.press('c');
    let said = harness.notice();
    assert_eq!(
        said,
        "cancelled: started batches finish, the rest is not sent"
    );
    let cancelled = Progress {
        command: RunCommand::Cancel,
        ..running(counts)
    };
    report(&mut harness, to.id(), cancelled);
    let text = harness.text();
    assert!(text.contains("finish, the rest is not sent"), "{text}");
    let mut harness = console();
    harness.press('3');
    let past = Past {
        redrives: vec![past(0, 37, counts, Some(Ending::Cancelled))],
        ..Past::default()
    };
    answer_history(&mut harness, past);
    harness.code(KeyCode::Enter);
    let text = harness.text();
    assert!(text.contains("cancelled: the rest was not sent"), "{text}");
}

#[test]
fn failed_again_is_no_good_news() {
    let mut harness = console();
    harness.keys("ar");
    let (to, _) = harness.agree();
    let mut end = fixtures::run_end(&[]);
    end.report.planned = 3;
    end.report.counts = Counts {
        moved: 3,
        stored: 1,
        dead_again: 2,
        ..Counts::default()
    };
    harness.reply(to, Ok(end));
    assert_eq!(
        harness.notice(),
        "redriven: 3 of 3 sent · 1 stored · 2 failed again"
    );
    assert_eq!(harness.model.notice.as_ref().unwrap().tone, Tone::Bad);
}

#[test]
fn end_is_shown_on_other_screens_too() {
    let (mut harness, to) = begun();
    harness.press('1');
    assert!(
        harness.notice().contains("the redrive continues: 0 of 37"),
        "{}",
        harness.notice()
    );
    harness.reply(to, Ok(fixtures::run_end(&[])));
    assert!(
        harness.notice().contains("redriven"),
        "{}",
        harness.notice()
    );
}

#[test]
fn hints_offer_only_keys_that_do_something() {
    let hints = |harness: &Harness| -> Vec<String> {
        let hints = harness.model.footer().hints.into_iter();
        hints.map(|(_, label)| label.into_owned()).collect()
    };
    let mut harness = console();
    harness.press('3');
    answer_history(&mut harness, history());
    assert!(!hints(&harness).contains(&"pause".to_owned()));
    assert!(!hints(&harness).contains(&"resume".to_owned()));
    harness.press('j');
    assert!(hints(&harness).contains(&"resume".to_owned()));
    let (harness, _) = begun();
    assert!(hints(&harness).contains(&"pause".to_owned()));
}

#[test]
fn wait_has_a_countdown_and_no_time_until_the_last_message() {
    let (mut harness, to) = begun();
    for moved in [2, 7, 12, 17] {
        let counts = Counts {
            moved,
            waiting: 37 - moved,
            ..Counts::default()
        };
        report(&mut harness, to.id(), running(counts));
        harness.now += chrono::Duration::seconds(1);
    }
    let counts = Counts {
        moved: 17,
        stored: 3,
        waiting: 20,
        ..Counts::default()
    };
    let until = harness.now + chrono::Duration::seconds(90);
    let waits = [
        (
            Wait::Proof {
                until,
                is_last: false,
            },
            "waiting for proof, 1 min 30 s at most",
        ),
        (
            Wait::Messages { missing: 3, until },
            "waiting for 3 messages that others may have received, 1 min 30 s",
        ),
    ];
    for (wait, expected) in waits {
        let progress = Progress {
            wait: Some(wait),
            ..running(counts)
        };
        report(&mut harness, to.id(), progress);
        let text = harness.text();
        assert!(text.contains(expected), "{text}");
        assert!(!text.contains(" left"), "{text}");
    }
    harness.now += chrono::Duration::seconds(60);
    harness.tick();
    assert!(
        harness.text().contains("30 s at most"),
        "{}",
        harness.text()
    );
}

#[test]
fn one_set_of_words_counts_what_was_sent_and_what_was_proved() {
    let (mut harness, to) = begun();
    let counts = Counts {
        moved: 30,
        stored: 1,
        not_sent: 2,
        waiting: 5,
        ..Counts::default()
    };
    report(&mut harness, to.id(), running(counts));
    let text = harness.text();
    let words = [
        "30 of 37 sent",
        "1 stored",
        "29 waiting for proof",
        "2 not sent",
        "5 not sent yet",
    ];
    for expected in words {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    for wrong in ["done", "all sent", "pending", "moved"] {
        assert!(!text.contains(wrong), "{wrong}: {text}");
    }
}

#[test]
fn paused_run_that_has_nothing_left_to_send_says_that_it_ends_by_itself() {
    let counts = Counts {
        moved: 15,
        stored: 12,
        not_sent: 22,
        ..Counts::default()
    };
    let why = "5 batches in a row were refused: no such queue".to_owned();
    let until = fixtures::now() + chrono::Duration::seconds(42);
    let text = |is_last| {
        let (mut harness, to) = begun();
        harness.resize(160, 45);
        let progress = Progress {
            command: RunCommand::Pause(Pause::Redrive(why.clone())),
            wait: Some(Wait::Proof { until, is_last }),
            ..running(counts)
        };
        report(&mut harness, to.id(), progress);
        let is_stopped = harness.model.pipeline.stopped_redrive.is_some();
        assert_eq!(is_stopped, !is_last, "whether somebody must decide");
        harness.screen_text()
    };
    let (more, last) = (text(false), text(true));
    assert!(more.contains("space continues anyway"), "{more}");
    assert!(more.contains("ends it with 22 not sent"), "{more}");
    assert!(!last.contains("continues anyway"), "{last}");
    for expected in ["it ends by itself with 22", "42 s at most"] {
        assert!(last.contains(expected), "{expected}: {last}");
    }
}

#[test]
fn redrive_that_ends_by_itself_with_nothing_left_offers_no_resume() {
    let (mut harness, to) = begun();
    let mut text = |not_sent| {
        let counts = Counts {
            moved: 37 - not_sent,
            not_sent,
            ..Counts::default()
        };
        let ending = Progress {
            command: RunCommand::Pause(Pause::Operator),
            wait: Some(Wait::Proof {
                until: harness.now + chrono::Duration::seconds(30),
                is_last: true,
            }),
            ..running(counts)
        };
        report(&mut harness, to.id(), ending);
        let text = harness.text();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let all = text(0);
    assert!(
        all.contains("it ends by itself; waiting for proof"),
        "{all}"
    );
    let some = text(2);
    assert!(some.contains("it ends by itself with 2 not sent"), "{some}");
}
