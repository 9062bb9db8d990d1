//! The loop: wait for something, update, draw once.
//!
//! Invariant: nothing here waits for the network, so keys and quit answer whatever hangs; nothing
//! is drawn when nothing changed. Changes are finished within a limit before the program ends.

use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use color_eyre::eyre::{Result, WrapErr as _};
use crossterm::event::{Event, EventStream};
use futures::StreamExt as _;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

use super::configuration::Configuration;
use super::effect::Effect;
use super::external_editor::ExternalEditor;
use super::limits::VISIBILITY_TIMEOUT;
use super::lines::message_count;
use super::message::Msg;
use super::model::Model;
use super::request::Request;
use super::signals::{Signals, watch};
use super::sources::Sources;
use super::terminal::{TerminalSession, restore};
use super::theme::Theme;
use super::update::{leave, update};
use super::view::view;
use pipeline::Authority;
use pipeline::environment::Environment;
use pipeline::queue_peek::PEEK_VISIBILITY;

/// How often the model gets a tick.
const TICK: Duration = Duration::from_millis(500);
/// Least time between two frames. The first change after a pause is drawn at once.
const FRAME_FLOOR: Duration = Duration::from_millis(8);
/// Messages that may wait for the loop.
const MESSAGES_WAITING_MAX: usize = 1_024;
/// Messages that are applied before the next frame.
const BURST_MAX: usize = 256;
/// How long the program waits for the release of messages when it ends. Those that are not released
/// until then become visible when their timeouts end.
const RELEASE_WITHIN: Duration = Duration::from_secs(5);
/// How long it waits for changes under way and their ends in the audit log: a step of a redrive, a
/// block of a deletion, an event that is published.
const FINISH_WITHIN: Duration = Duration::from_secs(30);
/// How long the end of a redrive that is stopped at once may take until it is in the journal.
const STOP_WITHIN: Duration = Duration::from_secs(2);
/// A wait longer than this is explained.
const EXPLAIN_AFTER: Duration = Duration::from_millis(300);

/// What ended the console.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Ended {
    /// The operator left.
    Left,
    /// The operator wants to see this environment.
    Switched(Box<Environment>),
    /// A signal came.
    Signalled,
    TerminalGone,
}

/// Runs the console until the operator leaves or wants another environment, a signal comes or the terminal goes away.
/// Every change is authorised by `authority`. Where this program started the pipeline, `failure`
/// resolves when the pipeline is not whole.
///
/// # Errors
/// When there is no terminal to draw on.
pub(crate) async fn run(
    environment: Environment,
    authority: Authority,
    configuration: Configuration,
    failure: impl Future<Output = String>,
) -> Result<Ended> {
    let mut signals = Signals::listen().wrap_err("listen for signals")?;
    let (watcher, is_lent) = watch().wrap_err("listen for signals")?;
    let mut screen = TerminalSession::open().wrap_err(
        "open the terminal: the console needs one (for scripts use the commands, see \
         `opsconsole --help`)",
    )?;
    // What was typed while another environment was finished is not for this one.
    forget_keys();
    // It notices a new size from here on; the size is read afterwards, so that none is missed.
    let events = EventStream::new();
    let area = screen.fit().wrap_err("read the size of the terminal")?;
    let theme = Theme::choose(std::env::var("NO_COLOR").ok().as_deref());
    let mut model = Model::new(environment.clone(), theme, area, Utc::now());
    model.change_refusal = authority.refusal(&environment).map(|_| {
        let name = &environment.name;
        format!("{name} is production: start with --confirm {name} --reason TEXT")
    });
    let (sender, mut replies) = mpsc::channel(MESSAGES_WAITING_MAX);
    let mut sources = Sources::new(environment, authority, configuration, sender.clone());
    let report_failure = async {
        // Nobody listens any more where the console is being left.
        let _ = sender.send(Msg::PipelineFailed(failure.await)).await;
        std::future::pending().await
    };
    let driven = drive(
        &mut model,
        &mut screen,
        events,
        &mut sources,
        &mut replies,
        (&mut signals, &is_lent),
    );
    let ended = tokio::select! {
        ended = driven => ended,
        never = report_failure => never,
    };
    drop(screen);
    restore();
    drop(watcher);
    let is_signalled = finish(&mut model, &mut sources, &mut replies, &mut signals).await;
    // Whoever ends the program while it waits does not want the next environment.
    if is_signalled && matches!(ended, Ended::Switched(_)) {
        return Ok(Ended::Signalled);
    }
    Ok(ended)
}

/// Reads the keys that were typed before the first frame, at most a burst of them.
fn forget_keys() {
    for _ in 0..BURST_MAX {
        if !matches!(crossterm::event::poll(Duration::ZERO), Ok(true)) {
            return;
        }
        // A terminal that is gone shows itself at the first frame.
        drop(crossterm::event::read());
    }
}

async fn drive(
    model: &mut Model,
    screen: &mut TerminalSession,
    mut events: EventStream,
    sources: &mut Sources,
    replies: &mut mpsc::Receiver<Msg>,
    (signals, is_lent): (&mut Signals, &AtomicBool),
) -> Ended {
    // The first frame comes before the first question.
    if draw(model, screen).is_err() {
        return Ended::TerminalGone;
    }
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut drawn_at = Instant::now();
    let mut is_dirty = false;
    loop {
        let frame_at = drawn_at + FRAME_FLOOR;
        let happened = tokio::select! {
            biased;
            _ = signals.any() => return Ended::Signalled,
            event = events.next() => match event {
                Some(Ok(event)) => Happened::Event(event),
                Some(Err(_)) | None => return Ended::TerminalGone,
            },
            () = tokio::time::sleep_until(frame_at), if is_dirty => Happened::FrameDue,
            Some(msg) = replies.recv() => Happened::Msg(msg),
            _ = tick.tick() => Happened::Msg(Msg::Tick),
        };
        is_dirty |= match happened {
            Happened::FrameDue => false,
            Happened::Event(event) => apply_event(model, event, screen, sources),
            Happened::Msg(msg) => apply(model, msg, screen, sources),
        };
        // Events are read one by one above: a stream that is polled without a waker would not wake
        // this loop for the next one.
        for _ in 0..BURST_MAX {
            let Ok(msg) = replies.try_recv() else { break };
            is_dirty |= apply(model, msg, screen, sources);
        }
        if model.is_leaving {
            return model
                .switching_to
                .take()
                .map_or(Ended::Left, Ended::Switched);
        }
        if let Some(text) = screen.requested_editor.take() {
            // It reads the keys, which are the editor's now.
            drop(events);
            restore();
            is_lent.store(true, Ordering::Relaxed);
            let text =
                edit_externally(&text, model, screen, sources, (replies, &mut *signals)).await;
            is_lent.store(false, Ordering::Relaxed);
            let Some(text) = text else {
                return Ended::Signalled;
            };
            let Ok(area) = screen.reopen() else {
                return Ended::TerminalGone;
            };
            events = EventStream::new();
            let (width, height) = (area.width, area.height);
            apply(model, Msg::Resize { width, height }, screen, sources);
            is_dirty = apply(model, Msg::EditorEnded(text), screen, sources);
        }
        if is_dirty && drawn_at.elapsed() >= FRAME_FLOOR {
            if draw(model, screen).is_err() {
                return Ended::TerminalGone;
            }
            drawn_at = Instant::now();
            is_dirty = false;
        }
    }
}

/// Waits for the operator's own editor. Nothing is drawn meanwhile, but time passes and answers are
/// processed: visibility timeouts are extended. An interrupt from the keyboard is the editor's.
/// `None` when another signal came.
async fn edit_externally(
    text: &str,
    model: &mut Model,
    screen: &mut TerminalSession,
    sources: &mut Sources,
    (replies, signals): (&mut mpsc::Receiver<Msg>, &mut Signals),
) -> Option<Result<String, String>> {
    let mut editor = match ExternalEditor::open(text) {
        Ok(editor) => editor,
        Err(why) => return Some(Err(why)),
    };
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let msg = tokio::select! {
            biased;
            () = signals.but_from_keyboard() => return None,
            ended = editor.ended() => {
                signals.forget_keyboard();
                return Some(editor.text(ended));
            }
            Some(msg) = replies.recv() => msg,
            _ = tick.tick() => Msg::Tick,
        };
        apply(model, msg, screen, sources);
    }
}

enum Happened {
    Event(Event),
    Msg(Msg),
    FrameDue,
}

fn draw(model: &Model, screen: &mut TerminalSession) -> io::Result<()> {
    screen.draw(|canvas| view(model, canvas))
}

fn apply_event(
    model: &mut Model,
    event: Event,
    screen: &mut TerminalSession,
    sources: &mut Sources,
) -> bool {
    let msg = match event {
        Event::Key(key) => Msg::Key(key),
        Event::Mouse(mouse) => {
            // Movement alone means nothing here; it would only wake the screen.
            if mouse.kind == crossterm::event::MouseEventKind::Moved {
                return false;
            }
            Msg::Mouse(mouse)
        }
        Event::Paste(text) => Msg::Paste(text),
        Event::Resize(width, height) => {
            // A terminal that is gone shows itself at the next frame.
            drop(screen.resize(width, height));
            Msg::Resize { width, height }
        }
        Event::FocusGained | Event::FocusLost => return false,
    };
    apply(model, msg, screen, sources)
}

/// Applies a message and starts its effects. Returns whether the picture may have changed.
fn apply(model: &mut Model, msg: Msg, screen: &mut TerminalSession, sources: &mut Sources) -> bool {
    let was = matches!(msg, Msg::Tick).then(|| stamp(model));
    let effects = update(model, Utc::now(), msg);
    for effect in effects {
        match effect {
            Effect::Request(request) => sources.start(request),
            Effect::Control(id, change) => sources.control(id, change),
            Effect::CancelSql(id) => sources.cancel_sql(id),
            Effect::CancelCall(id) => sources.cancel_call(id),
            Effect::OpenEditor(text) => screen.requested_editor = Some(text),
            // A terminal that is gone shows itself at the next frame.
            Effect::Copy(text) => drop(screen.copy(&text)),
            Effect::Quit => model.is_leaving = true,
        }
    }
    was.is_none_or(|was| was != stamp(model))
}

/// What of the passing time can be seen: while something is awaited for long, its seconds; else
/// minutes, of the clock and since the last key.
fn stamp(model: &Model) -> (i64, i64, bool, u64) {
    (
        model.now.timestamp() / 60,
        (model.now - model.input_at).num_minutes(),
        model.notice.is_some(),
        model.visible_wait_secs(),
    )
}

/// Finishes changes, then releases messages, each within a limit. Returns at once where nothing was
/// received and nothing runs, and when a signal comes. Returns whether one came.
async fn finish(
    model: &mut Model,
    sources: &mut Sources,
    replies: &mut mpsc::Receiver<Msg>,
    signals: &mut Signals,
) -> bool {
    sources.stop();
    let begun = Instant::now();
    let hidden = (
        model.screens.dead_letters.received_count(),
        model.screens.queue.hidden_messages(),
    );
    model.notice = None;
    release(sources, leave(model, Utc::now()));
    let mut explanation = Some(explanation(model.work()));
    let mut is_changing = sources.is_changing();
    let mut deadline = begun + limit_of_finishing(is_changing);
    let mut is_stopped = false;
    let mut is_signalled = false;
    let is_finished = loop {
        while let Ok(msg) = replies.try_recv() {
            release(sources, update(model, Utc::now(), msg));
        }
        if is_changing && !sources.is_changing() {
            is_changing = false;
            deadline = Instant::now() + limit_of_finishing(false);
        }
        if !sources.is_changing() && !sources.is_leasing() {
            break true;
        }
        tokio::select! {
            biased;
            _ = signals.any() => {
                is_signalled = true;
                if is_stopped || !is_changing {
                    break false;
                }
                is_stopped = true;
                sources.stop_at_once();
                deadline = Instant::now() + STOP_WITHIN;
            }
            () = tokio::time::sleep_until(deadline) => break false,
            () = tokio::time::sleep_until(begun + EXPLAIN_AFTER), if explanation.is_some() => {
                report(&explanation.take().unwrap_or_default());
            }
            Some(msg) = replies.recv() => release(sources, update(model, Utc::now(), msg)),
            () = sources.work_ended() => {}
        }
    };
    // How a redrive or a deletion ended, or what could not be released.
    if let Some(notice) = &model.notice {
        report(&notice.text);
    }
    if !is_finished {
        report(&unfinished(is_changing, hidden, Utc::now()));
    }
    is_signalled
}

const fn limit_of_finishing(is_changing: bool) -> Duration {
    if is_changing {
        FINISH_WITHIN
    } else {
        RELEASE_WITHIN
    }
}

fn explanation(work: Option<(&str, usize, usize)>) -> String {
    match work {
        Some((what, done, total)) => format!(
            "finishing the {what}: {done} of {total} done, no new batch starts; ^C quits at once"
        ),
        None => "finishing; ^C quits at once".to_owned(),
    }
}

/// What may be left of a console that did not wait for its end.
fn unfinished(
    is_changing: bool,
    (dead_letters, peeked): (usize, usize),
    now: DateTime<Utc>,
) -> String {
    let messages = dead_letters + peeked;
    let timeout = match (dead_letters, peeked) {
        (0, 1..) => PEEK_VISIBILITY,
        _ => VISIBILITY_TIMEOUT,
    };
    let latest = now.checked_add_signed(chrono::Duration::from_std(timeout).unwrap_or_default());
    let until = latest.map_or_else(String::new, |at| {
        format!(" until {} UTC", at.format("%H:%M:%S"))
    });
    let change = if is_changing {
        "a change has no end in the audit log; "
    } else {
        ""
    };
    let messages = match messages {
        0 => "messages that were being received".to_owned(),
        _ => format!("up to {}", message_count(messages)),
    };
    format!("not everything was finished in time: {change}{messages} may stay hidden{until}")
}

/// Of what is wanted while leaving, only releasing messages is still done.
fn release(sources: &mut Sources, effects: Vec<Effect>) {
    for request in releases(effects) {
        sources.start(request);
    }
}

fn releases(effects: Vec<Effect>) -> impl Iterator<Item = Request> {
    effects.into_iter().filter_map(|effect| match effect {
        Effect::Request(request @ (Request::ReleaseMessages(_) | Request::ReleasePeeked(_))) => {
            Some(request)
        }
        Effect::Request(_)
        | Effect::Control(..)
        | Effect::CancelSql(_)
        | Effect::CancelCall(_)
        | Effect::OpenEditor(_)
        | Effect::Copy(_)
        | Effect::Quit => None,
    })
}

/// One line for whoever watches; the terminal may be gone.
fn report(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::outbox::Outbox;
    use crate::tui::request::Reply;

    #[test]
    fn only_releases_are_executed_while_leaving() {
        let mut outbox = Outbox::new(Utc::now(), 0);
        let last = |outbox: &mut Outbox| outbox.request(Reply::Totals, Request::Totals);
        last(&mut outbox);
        let release = outbox.request(Reply::Released, Request::ReleaseMessages);
        last(&mut outbox);
        let peeked = outbox.request(Reply::PeekReleased, Request::ReleasePeeked);
        outbox.effects.push(Effect::Quit);
        let ids: Vec<_> = releases(outbox.effects)
            .map(|request| {
                let (Request::ReleaseMessages(to) | Request::ReleasePeeked(to)) = request else {
                    panic!("{request:?}")
                };
                to.id()
            })
            .collect();
        assert_eq!(ids, [release, peeked]);
    }

    #[test]
    fn change_gets_more_time_than_a_release_and_its_progress_is_named() {
        assert!(limit_of_finishing(true) > limit_of_finishing(false));
        let text = explanation(Some(("deletion", 40, 120)));
        assert!(text.contains("deletion: 40 of 120"), "{text}");
    }

    #[test]
    fn unfinished_end_names_the_messages_and_until_when() {
        let now = "2026-11-24T14:00:10Z".parse().unwrap();
        let text = unfinished(true, (12, 0), now);
        for part in ["audit log", "up to 12 messages", "until 14:05:10 UTC"] {
            assert!(text.contains(part), "{text}");
        }
        let text = unfinished(false, (0, 0), now);
        assert!(!text.contains("audit"), "{text}");
        assert!(text.contains("messages that were being received"), "{text}");
        let text = unfinished(false, (0, 3), now);
        for part in ["up to 3 messages", "until 14:00:40 UTC"] {
            assert!(text.contains(part), "{text}");
        }
    }
}
