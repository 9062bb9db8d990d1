//! The only code that changes the model. Invariant: a function of its arguments; no clock, no IO.

use chrono::{DateTime, Utc};
use crossterm::event::{KeyEvent, KeyEventKind, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

use super::context::UpdateContext;
use super::effect::Effect;
use super::format::visible;
use super::handover::Handover;
use super::help;
use super::keymap::{self, Action, KeyContext};
use super::layout::frame;
use super::message::Msg;
use super::model::{Model, Overlay};
use super::outbox::Outbox;
use super::palette::{Entry, Palette};
use super::polling::Polling;
use super::quit_question::losses;
use super::request::Reply;
use super::screen_id::ScreenId;
use super::screens::all::Screens;
use super::screens::screen::ScreenEvent;
use super::theme::Tone;
use super::trace::TimeLine;
use super::trace::subject::Held;

/// Lines that one step of the wheel moves.
const WHEEL_LINES: isize = 3;

/// Applies one message that happened at `now`. Returns the effects that it wants, in order.
pub(crate) fn update(model: &mut Model, now: DateTime<Utc>, msg: Msg) -> Vec<Effect> {
    let is_input = match &msg {
        Msg::Key(key) => key.kind != KeyEventKind::Release,
        Msg::Mouse(_) | Msg::Paste(_) | Msg::EditorEnded(_) => true,
        Msg::Resize { .. }
        | Msg::Tick
        | Msg::Reply(_)
        | Msg::PipelineFailed(_)
        | Msg::WorkProgress(..)
        | Msg::Progress(..) => false,
    };
    if is_input {
        model.input_at = now;
    }
    with_outbox(model, now, |model, outbox| {
        match msg {
            Msg::Key(key) if key.kind != KeyEventKind::Release => on_key(model, key, outbox),
            Msg::Key(_) => {}
            Msg::Mouse(mouse) => on_mouse(model, mouse, outbox),
            Msg::Paste(text) => on_paste(model, &text, outbox),
            Msg::Resize { width, height } => {
                model.area = Rect::new(0, 0, width, height);
                for &screen in ScreenId::ALL {
                    send(model, screen, ScreenEvent::Resize, outbox);
                }
                on_time_line(model, outbox, |time_line, _, context| {
                    time_line.resized(context)
                });
            }
            Msg::Tick => on_tick(model, outbox),
            Msg::Reply(reply) => on_reply(model, *reply, outbox),
            Msg::EditorEnded(result) => on(model, outbox, |screens, context| {
                if screens.api.awaits_editor() {
                    screens.api.editor_ended(result, context);
                } else {
                    screens.dead_letters.editor_ended(result, context);
                }
            }),
            Msg::PipelineFailed(failure) => model.pipeline.failure = Some(visible(&failure)),
            Msg::WorkProgress(id, progress) => {
                model.screens.dead_letters.work_advanced(id, progress);
            }
            Msg::Progress(id, progress) => model.screens.redrives.progressed(id, *progress, now),
        }
        route(model, outbox);
        model.pipeline.stopped_redrive = model.screens.redrives.stopped();
        on(model, outbox, |screens, context| {
            if is_input {
                screens.dead_letters.operator_came_back(context);
            }
            screens.dead_letters.read_bodies(context);
            screens.overview.prepare(context);
        });
    })
}

/// Releases what no redrive needs: the console is being left.
pub(crate) fn leave(model: &mut Model, now: DateTime<Utc>) -> Vec<Effect> {
    with_outbox(model, now, |model, outbox| {
        model.screens.redrives.drop_review();
        send(model, ScreenId::DeadLetters, ScreenEvent::Leave, outbox);
        send(model, ScreenId::Queue, ScreenEvent::Leave, outbox);
    })
}

fn with_outbox(
    model: &mut Model,
    now: DateTime<Utc>,
    apply: impl FnOnce(&mut Model, &mut Outbox),
) -> Vec<Effect> {
    model.now = now;
    let mut outbox = Outbox::new(now, model.last_request);
    apply(model, &mut outbox);
    model.last_request = outbox.last_request;
    if let Some(notice) = outbox.notice {
        model.notices.keep(notice.clone(), now);
        model.notice = Some(notice);
    }
    outbox.effects
}

fn send(model: &mut Model, screen: ScreenId, event: ScreenEvent<'_>, outbox: &mut Outbox) {
    on(model, outbox, |screens, context| {
        screens.update(screen, event, context);
    });
}

fn on_key(model: &mut Model, key: KeyEvent, outbox: &mut Outbox) {
    let context = model.key_context();
    if let Some(action) = keymap::lookup(context, key) {
        if !action.is_movement() {
            // What was reported of an earlier action may be untrue after this one; `!` keeps it.
            model.notice = None;
        }
        act(model, action, outbox);
        return;
    }
    match context {
        KeyContext::Palette => {
            if let Some(Overlay::Palette(palette)) = &mut model.overlay {
                palette.key(key);
            }
        }
        KeyContext::Editor | KeyContext::Input | KeyContext::Query => match &mut model.time_line {
            Some(time_line) => time_line.key(key),
            None => send(model, model.screen, ScreenEvent::Key(key), outbox),
        },
        KeyContext::Confirm | KeyContext::Plan | KeyContext::Patch | KeyContext::Quit => {
            outbox.notify(Tone::Muted, model.footer().open_question());
        }
        KeyContext::Screen(_) | KeyContext::Help | KeyContext::Trace => {}
    }
}

fn on_paste(model: &mut Model, text: &str, outbox: &mut Outbox) {
    match &mut model.overlay {
        Some(Overlay::Palette(palette)) => palette.paste(text),
        Some(Overlay::Help(_) | Overlay::Notices(_) | Overlay::Quit) => {}
        None => match &mut model.time_line {
            Some(time_line) => time_line.paste(text),
            None => send(model, model.screen, ScreenEvent::Paste(text), outbox),
        },
    }
}

/// Executes an action, triggered by a key, a click or the palette.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the other actions belong to what is open"
)]
fn act(model: &mut Model, action: Action, outbox: &mut Outbox) {
    match action {
        Action::Quit => {
            model.switching_to = None;
            quit(model, outbox);
            return;
        }
        Action::Help => {
            model.overlay = match model.overlay {
                Some(Overlay::Help(_)) => None,
                _ => Some(Overlay::Help(0)),
            };
            return;
        }
        Action::Notices => {
            model.overlay = Some(Overlay::Notices(0));
            return;
        }
        Action::Palette => {
            let context = model.key_context_below();
            model.overlay = Some(Overlay::Palette(Box::new(Palette::open(
                context,
                model.recent.clone(),
            ))));
            return;
        }
        _ => {}
    }
    match &mut model.overlay {
        Some(Overlay::Help(line) | Overlay::Notices(line)) => match help::scrolled(action, *line) {
            Some(scrolled) => *line = scrolled,
            None => model.overlay = None,
        },
        Some(Overlay::Palette(_)) => act_in_palette(model, action, outbox),
        Some(Overlay::Quit) => match action {
            Action::Confirm => quit(model, outbox),
            Action::Back => {
                model.overlay = None;
                model.switching_to = None;
            }
            _ => {}
        },
        None if model.time_line.is_some() => act_on_time_line(model, action, outbox),
        None => act_on_screen(model, action, outbox),
    }
}

fn act_on_time_line(model: &mut Model, action: Action, outbox: &mut Outbox) {
    let mut stays_open = true;
    on_time_line(model, outbox, |time_line, held, context| {
        stays_open = time_line.act(action, held, context);
    });
    if !stays_open {
        model.time_line = None;
    }
}

fn on_time_line(
    model: &mut Model,
    outbox: &mut Outbox,
    apply: impl FnOnce(&mut TimeLine, Held<'_>, &mut UpdateContext<'_>),
) {
    let Some(mut time_line) = model.time_line.take() else {
        return;
    };
    let (screens, mut context) = model.parts(outbox);
    apply(&mut time_line, screens.dead_letters.held(), &mut context);
    model.time_line = Some(time_line);
}

/// Traces what is selected on the screen.
fn open_time_line(model: &mut Model, outbox: &mut Outbox) {
    let traceable = model.screens.traceable(model.screen);
    let (screens, mut context) = model.parts(outbox);
    let time_line = TimeLine::open(traceable, screens.dead_letters.held(), &mut context);
    model.time_line = Some(Box::new(time_line));
}

/// Leaves the console, or this environment; asks first where that would end a redrive or lose edits.
fn quit(model: &mut Model, outbox: &mut Outbox) {
    let is_asked = matches!(model.overlay, Some(Overlay::Quit));
    if !is_asked && !losses(&model.screens).is_empty() {
        model.overlay = Some(Overlay::Quit);
        return;
    }
    model.is_leaving = true;
    outbox.effects.push(Effect::Quit);
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "every other action closes the palette"
)]
fn act_in_palette(model: &mut Model, action: Action, outbox: &mut Outbox) {
    let Some(Overlay::Palette(palette)) = &mut model.overlay else {
        return;
    };
    match action {
        Action::Up => palette.move_by(-1),
        Action::Down => palette.move_by(1),
        Action::Confirm => {
            let chosen = palette.chosen();
            model.overlay = None;
            if let Some(chosen) = chosen {
                model.recent.chosen(chosen.action);
                choose(model, &chosen, outbox);
            }
        }
        _ => model.overlay = None,
    }
}

/// Executes what was chosen by name. An action of another screen that acts on what is visible there
/// only shows that screen: the operator has not seen it yet.
fn choose(model: &mut Model, chosen: &Entry, outbox: &mut Outbox) {
    let Some(screen) = chosen.elsewhere else {
        act(model, chosen.action, outbox);
        return;
    };
    show(model, screen, outbox);
    if chosen.action.needs_a_look() {
        let text = format!("{} is key {} here", chosen.label, chosen.key);
        outbox.notify(Tone::Muted, text);
    } else {
        act(model, chosen.action, outbox);
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the other actions belong to the screen"
)]
fn act_on_screen(model: &mut Model, action: Action, outbox: &mut Outbox) {
    match action {
        Action::Show(screen) => show(model, screen, outbox),
        Action::NextScreen => show(model, model.screen.step(1), outbox),
        Action::PreviousScreen => {
            show(model, model.screen.step(ScreenId::ALL.len() - 1), outbox);
        }
        Action::Trace => open_time_line(model, outbox),
        other => {
            if other == Action::Refresh {
                model.pipeline.refresh(outbox);
            }
            send(model, model.screen, ScreenEvent::Act(other), outbox);
        }
    }
}

fn show(model: &mut Model, screen: ScreenId, outbox: &mut Outbox) {
    model.time_line = None;
    if screen == model.screen {
        return;
    }
    send(model, model.screen, ScreenEvent::Leave, outbox);
    model.screen = screen;
    // The old notice was about the other screen.
    model.notice = None;
    send(model, screen, ScreenEvent::Enter, outbox);
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the mouse means nothing else here"
)]
fn on_mouse(model: &mut Model, mouse: MouseEvent, outbox: &mut Outbox) {
    let position = Position::new(mouse.column, mouse.row);
    if model.overlay.is_some() {
        let action = match mouse.kind {
            MouseEventKind::ScrollUp => Action::Up,
            MouseEventKind::ScrollDown => Action::Down,
            MouseEventKind::Down(_) => Action::Back,
            _ => return,
        };
        act(model, action, outbox);
        return;
    }
    if model.time_line.is_some() {
        on_mouse_in_time_line(model, mouse, outbox);
        return;
    }
    let event = match mouse.kind {
        MouseEventKind::ScrollUp => ScreenEvent::Scroll(position, -WHEEL_LINES),
        MouseEventKind::ScrollDown => ScreenEvent::Scroll(position, WHEEL_LINES),
        MouseEventKind::Down(MouseButton::Left) => {
            let frame = frame(model.area);
            if frame.footer.contains(position) {
                let action = model.footer().action_at(model.area.width, position.x);
                if let Some(action) = action {
                    act(model, action, outbox);
                }
                return;
            }
            if !frame.body.contains(position) {
                return;
            }
            ScreenEvent::Click(position)
        }
        MouseEventKind::Drag(MouseButton::Left) => ScreenEvent::Drag(position),
        _ => return,
    };
    send(model, model.screen, event, outbox);
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the mouse means nothing else here"
)]
fn on_mouse_in_time_line(model: &mut Model, mouse: MouseEvent, outbox: &mut Outbox) {
    let position = Position::new(mouse.column, mouse.row);
    match mouse.kind {
        MouseEventKind::ScrollUp => act(model, Action::Up, outbox),
        MouseEventKind::ScrollDown => act(model, Action::Down, outbox),
        MouseEventKind::Down(MouseButton::Left) => {
            let frame = frame(model.area);
            if frame.footer.contains(position) {
                let action = model.footer().action_at(model.area.width, position.x);
                if let Some(action) = action {
                    act(model, action, outbox);
                }
            } else if frame.body.contains(position) {
                on_time_line(model, outbox, |time_line, held, context| {
                    time_line.click(position.y, held, context);
                });
            }
        }
        _ => {}
    }
}

fn on_tick(model: &mut Model, outbox: &mut Outbox) {
    let has_ended = |until| until <= outbox.now;
    if model.notice.as_ref().is_some_and(|n| has_ended(n.until)) {
        model.notice = None;
    }
    let untouched = model.now - model.input_at;
    model.pipeline.polling = Polling::of(&model.environment, untouched);
    model.pipeline.tick(outbox);
    for &screen in ScreenId::ALL {
        send(model, screen, ScreenEvent::Tick, outbox);
    }
}

fn on_reply(model: &mut Model, reply: Reply, outbox: &mut Outbox) {
    let now = model.now;
    let pipeline = &mut model.pipeline;
    match reply {
        Reply::SourceQueue(answer) => pipeline.source_queue_came(answer, now),
        Reply::DeadLetterQueue(answer) => pipeline.dead_letter_queue_came(answer, now),
        Reply::History(answer) => pipeline.history_came(answer, now),
        Reply::Totals(answer) => pipeline.totals_came(answer, now),
        Reply::ApiHealth(answer) => pipeline.api_came(answer, now),
        Reply::RaisedAlarms(answer) => _ = pipeline.alarms.settle(answer, now),
        Reply::ErrorBudgets(answer) => _ = pipeline.budgets.settle(answer, now),
        Reply::LongHistory(answer) => model.screens.overview.history_came(answer, now),
        Reply::Changes(answer) => model.screens.overview.changes_came(answer, now),
        Reply::Deployment(answer) => model.screens.overview.deployment_came(answer, now),
        Reply::AlarmStates(answer) => model.screens.overview.alarms_came(answer, now),
        Reply::Storage(answer) => model.screens.overview.storage_came(answer, now),
        Reply::Received(answer) => on(model, outbox, |screens, context| {
            screens.dead_letters.messages_came(answer, context);
        }),
        Reply::Extended(answer) => model.screens.dead_letters.visibility_was_extended(answer),
        Reply::Released(answer) => on(model, outbox, |screens, context| {
            screens.dead_letters.messages_were_released(answer, context);
        }),
        Reply::PeekPrice(answer) => on(model, outbox, |screens, context| {
            screens.queue.price_came(answer, context);
        }),
        Reply::Peeked(answer) => on(model, outbox, |screens, context| {
            screens.queue.peeked(answer, context);
        }),
        Reply::PeekReleased(answer) => on(model, outbox, |screens, context| {
            screens.queue.was_released(answer, context);
        }),
        Reply::Difference(answer) => on(model, outbox, |screens, context| {
            screens.dead_letters.difference_was_read(answer, context);
        }),
        Reply::Bodies(answer) => on(model, outbox, |screens, context| {
            screens.dead_letters.bodies_were_read(answer, context);
        }),
        Reply::Deleted(answer) => on(model, outbox, |screens, context| {
            screens.dead_letters.messages_were_deleted(answer, context);
        }),
        Reply::Patched(answer) => on(model, outbox, |screens, context| {
            screens.dead_letters.patched(answer, context);
        }),
        Reply::Judged(answer) => on(model, outbox, |screens, context| {
            screens.dead_letters.judged(answer, context);
        }),
        Reply::Found(answer) => on(model, outbox, |screens, context| {
            screens.dead_letters.found(answer, context);
        }),
        Reply::DryRun(answer) => on(model, outbox, |screens, context| {
            let judged = screens.redrives.dry_run_came(answer, context.now);
            screens.dead_letters.judged_again(&judged, context);
        }),
        Reply::RedriveEnded(answer) => on(model, outbox, |screens, context| {
            screens.redrives.redrive_ended(answer, context);
        }),
        Reply::Redrives(answer) => on(model, outbox, |screens, context| {
            screens.redrives.history_came(answer, context);
        }),
        Reply::RedriveReport(answer) => on(model, outbox, |screens, context| {
            screens.redrives.report_came(answer, context);
        }),
        Reply::Records(answer) => on(model, outbox, |screens, context| {
            screens.records.page_came(answer, context);
        }),
        Reply::Fleet(answer) => on(model, outbox, |screens, context| {
            screens.fleet.rows_came(answer, context);
        }),
        Reply::Environment(answer) => on(model, outbox, |screens, context| {
            screens.fleet.environment_came(answer, context);
        }),
        Reply::RecordNames(answer) => on(model, outbox, |screens, context| {
            screens.records.names_came(answer, context);
        }),
        Reply::SavedFilters(answer) => on(model, outbox, |screens, context| {
            screens.records.saved_filters_came(answer, context);
        }),
        Reply::SqlAnswered(answer) => on(model, outbox, |screens, context| {
            screens.records.sql_answered(answer, context);
        }),
        Reply::Lint(answer) => on(model, outbox, |screens, context| {
            screens.lint.report_came(answer, context);
        }),
        Reply::Logs(answer) => on(model, outbox, |screens, context| {
            screens.logs.lines_came(answer, context);
        }),
        Reply::LogsOfRequest(answer) => on(model, outbox, |screens, context| {
            screens.logs.lines_of_request_came(answer, context);
        }),
        Reply::LogsTurn(answer) => on(model, outbox, |screens, context| {
            screens.logs.turn_came(answer, context);
        }),
        Reply::Published(answer) => on(model, outbox, |screens, context| {
            screens.publish.acknowledged(answer, context);
        }),
        Reply::Probed(answer) => on(model, outbox, |screens, context| {
            screens.probe.probed(answer, context);
        }),
        Reply::Traced(answer) => model.screens.publish.traced(answer, now),
        Reply::TimeLine(answer) => on_time_line(model, outbox, |time_line, _, context| {
            time_line.came(answer, context);
        }),
        Reply::ApiDocument(answer) => on(model, outbox, |screens, context| {
            screens.api.document_came(answer, context);
        }),
        Reply::ApiAnswered(answer) => on(model, outbox, |screens, context| {
            screens.api.answered(answer, context);
        }),
        Reply::Template(answer) => on(model, outbox, |screens, context| {
            screens.publish.template_came(answer, context);
        }),
    }
}

fn on(
    model: &mut Model,
    outbox: &mut Outbox,
    apply: impl FnOnce(&mut Screens, &mut UpdateContext<'_>),
) {
    let (screens, mut context) = model.parts(outbox);
    apply(screens, &mut context);
}

/// Brings what one screen hands over to the other.
fn route(model: &mut Model, outbox: &mut Outbox) {
    // One may lead to another.
    while !outbox.handovers.is_empty() {
        for handover in std::mem::take(&mut outbox.handovers) {
            apply_handover(model, handover, outbox);
        }
    }
}

fn apply_handover(model: &mut Model, handover: Handover, outbox: &mut Outbox) {
    match handover {
        Handover::GoTo(screen) => show(model, screen, outbox),
        Handover::LogsOf(request_id, around) => {
            on(model, outbox, |screens, context| {
                screens.logs.open_request(request_id, around, context);
            });
            show(model, ScreenId::Logs, outbox);
        }
        Handover::DeadLettersOf(request_id) => {
            show(model, ScreenId::DeadLetters, outbox);
            on(model, outbox, |screens, context| {
                screens.dead_letters.search_for(&request_id, context);
            });
        }
        Handover::Trace => open_time_line(model, outbox),
        // It came late: what is open now is another question.
        Handover::SwitchTo(_) if model.overlay.is_some() => {}
        Handover::SwitchTo(environment) => {
            model.switching_to = Some(environment);
            quit(model, outbox);
        }
        Handover::Review(selection) => {
            let (screens, mut context) = model.parts(outbox);
            // Its messages stay received while the review is open.
            if screens.redrives.review(selection, &mut context) {
                model.screen = ScreenId::Redrives;
                model.notice = None;
            }
        }
        Handover::LeasesEnded => drop_review(model, outbox),
        Handover::ReviewDropped => model.screen = ScreenId::DeadLetters,
        Handover::RedriveBegan(ids) => {
            model.screens.dead_letters.redrive_began(ids);
            send(model, ScreenId::DeadLetters, ScreenEvent::Leave, outbox);
        }
        Handover::RedriveEnded(ended) => {
            on(model, outbox, |screens, context| {
                screens.dead_letters.redrive_ended(ended, context);
            });
        }
    }
}

/// The messages under review were released: what was reviewed cannot be sent any more.
fn drop_review(model: &mut Model, outbox: &mut Outbox) {
    // A reason that is being typed is closed before.
    for _ in 0..2 {
        let context = model.screens.key_context(ScreenId::Redrives);
        if matches!(context, KeyContext::Plan | KeyContext::Input) {
            let back = ScreenEvent::Act(Action::Back);
            send(model, ScreenId::Redrives, back, outbox);
        }
    }
}
