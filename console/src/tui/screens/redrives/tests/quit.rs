//! Leaving the console while a redrive is stopped.

use super::*;
use crate::tui::keymap::KeyContext;
use crate::tui::screen_id::ScreenId;
use crate::tui::theme::Tone;

#[test]
fn quit_asks_while_a_redrive_is_stopped() {
    let (mut harness, to) = begun();
    report(&mut harness, to.id(), stopped());
    harness.press('q');
    assert!(!harness.model.is_leaving, "nothing is ended unasked");
    let text = harness.text();
    for expected in ["Quit?", "The redrive is stopped: 1 of 37 sent", "y quits"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    harness.code(KeyCode::Esc);
    assert_eq!(
        harness.model.key_context(),
        KeyContext::Screen(ScreenId::Redrives)
    );
    assert!(!harness.model.is_leaving);
    harness.keys("qy");
    assert!(harness.model.is_leaving);
}

#[test]
fn quit_asks_nothing_when_nothing_would_be_lost() {
    let mut harness = console();
    harness.press('3');
    harness.press('q');
    assert!(harness.model.is_leaving);
}

#[test]
fn stopped_redrive_needs_attention_and_is_not_said_to_continue() {
    let (mut harness, to) = begun();
    report(&mut harness, to.id(), stopped());
    harness.press('1');
    let notice = harness.model.notice.as_ref().unwrap();
    assert_eq!(notice.tone, Tone::Bad);
    assert!(
        notice
            .text
            .starts_with("the redrive is stopped: 1 of 37 sent"),
        "{notice:?}"
    );
    let stopped = harness.model.pipeline.stopped_redrive.clone();
    assert_eq!(
        stopped.as_deref(),
        Some("the redrive is stopped: 1 of 37 sent: 1 of 1 sent event failed again: not-json")
    );
    let findings = crate::tui::health::findings(
        &harness.model.pipeline,
        &harness.model.environment,
        harness.now,
    );
    let finding = findings
        .iter()
        .find(|finding| finding.screen == Some(ScreenId::Redrives));
    assert_eq!(finding.unwrap().tone, Tone::Warning);
    harness.reply(to, Ok(fixtures::run_end(&[])));
    assert_eq!(harness.model.pipeline.stopped_redrive, None);
}

#[test]
fn redrive_that_the_operator_paused_needs_attention_until_it_continues() {
    let (mut harness, to) = begun();
    let waiting = Progress {
        command: RunCommand::Pause(Pause::Operator),
        ..stopped()
    };
    report(&mut harness, to.id(), waiting);
    assert_eq!(
        harness.model.pipeline.stopped_redrive.as_deref(),
        Some("the redrive is paused: 1 of 37 sent")
    );
    harness.reply(to, Ok(fixtures::run_end(&[])));
    assert_eq!(harness.model.pipeline.stopped_redrive, None);
}

#[test]
fn question_whether_to_quit_is_drawn_at_every_size() {
    let (mut harness, to) = begun();
    report(&mut harness, to.id(), stopped());
    harness.press('q');
    for (width, height) in [(0, 0), (1, 1), (2, 40), (12, 3), (40, 10), (300, 2)] {
        harness.resize(width, height);
        harness.picture();
    }
}

#[test]
fn question_whether_to_quit_speaks_of_no_rest_where_everything_is_sent() {
    let (mut harness, to) = begun();
    let counts = Counts {
        moved: 37,
        ..Counts::default()
    };
    report(&mut harness, to.id(), running(counts));
    harness.press('q');
    let text = harness.text();
    assert!(text.contains("Leaving ends the look-up"), "{text}");
    assert!(!text.contains("what is not sent"), "{text}");
}

/// Quitting ends more than a look-up where messages had no answer, or are sent and still to be deleted.
#[test]
fn question_whether_to_quit_speaks_of_a_rest_where_not_everything_is_sent_and_deleted() {
    let unknown = Counts {
        moved: 32,
        unknown: 5,
        ..Counts::default()
    };
    let undeleted = Counts {
        moved: 32,
        sent_not_deleted: 5,
        ..Counts::default()
    };
    for counts in [unknown, undeleted] {
        let (mut harness, to) = begun();
        report(&mut harness, to.id(), running(counts));
        harness.press('q');
        let text = harness.text();
        assert!(!text.contains("Leaving ends the look-up"), "{text}");
        assert!(text.contains("what is not sent stays"), "{text}");
    }
}

#[test]
fn question_whether_to_quit_says_when_what_it_asked_about_has_ended() {
    let (mut harness, to) = begun();
    report(&mut harness, to.id(), stopped());
    harness.press('q');
    let ended = "What it asked about has ended: nothing would be lost";
    assert!(!harness.text().contains(ended));
    harness.end_redrive(to, &[]);
    let text = harness.text();
    assert!(text.contains("Quit?") && text.contains(ended), "{text}");
}
