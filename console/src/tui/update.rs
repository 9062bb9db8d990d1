//! The only code that changes the model. Invariant: a function of its arguments; no clock, no IO.

use chrono::{DateTime, Utc};
use crossterm::event::{KeyEvent, KeyEventKind, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

use super::footer;
use super::format::visible;
use super::keymap::{self, Action, Context};
use super::message::{Effect, Msg, Reply, Tone, Topic};
use super::model::{Model, Overlay, frame};
use super::palette::{Entry, Palette};
use super::redrives::Reviewed;
use super::screens::ScreenId;
use super::update_context::UpdateContext;
use super::view;

/// Lines that one turn of the wheel moves.
const WHEEL_LINES: isize = 3;

/// Applies one message that happened at `now`. Returns what is wanted of the pipeline, in order.
pub fn update(model: &mut Model, now: DateTime<Utc>, msg: Msg) -> Vec<Effect> {
    model.now = now;
    let mut next_request = model.next_request;
    let mut turn = UpdateContext::new(now, frame(model.area).body, &mut next_request);
    match msg {
        Msg::Key(key) if key.kind != KeyEventKind::Release => on_key(model, key, &mut turn),
        Msg::Key(_) => {}
        Msg::Mouse(mouse) => on_mouse(model, mouse, &mut turn),
        Msg::Paste(text) => on_paste(model, &text, &mut turn),
        Msg::Resize { width, height } => {
            model.area = Rect::new(0, 0, width, height);
            turn.body = frame(model.area).body;
            on_resize(model, &turn);
        }
        Msg::Tick => on_tick(model, &mut turn),
        Msg::Reply(reply) => on_reply(model, reply, &mut turn),
        Msg::EditedOutside(result) => model.dead_letters.edited_outside(result, &mut turn),
        Msg::PipelineFailed(failure) => model.pipeline.failure = Some(visible(&failure)),
        Msg::Progress { id, progress } => model.redrives.progressed(id, *progress, now),
    }
    on_review(model, &mut turn);
    if let Some(screen) = turn.go_to.take() {
        show(model, screen, &mut turn);
    }
    model.dead_letters.read_body(&mut turn);
    if let Some(notice) = turn.notice.take() {
        model.notice = Some(notice);
    }
    let effects = std::mem::take(&mut turn.effects);
    model.next_request = next_request;
    effects
}

fn on_key(model: &mut Model, key: KeyEvent, turn: &mut UpdateContext<'_>) {
    let context = model.context();
    if let Some(action) = keymap::lookup(context, key) {
        act(model, action, turn);
        return;
    }
    match context {
        Context::Palette => {
            if let Some(Overlay::Palette(palette)) = &mut model.overlay {
                palette.input.input(key);
                palette.list = super::list::ListState::default();
            }
        }
        Context::Editor | Context::Input => match model.screen {
            ScreenId::Publish => model.publish.key(key, turn),
            ScreenId::DeadLetters => model.dead_letters.key(key, turn),
            ScreenId::Redrives => model.redrives.key(key),
            ScreenId::Records => model.records.key(key, turn),
            ScreenId::Overview => {}
        },
        Context::Confirm | Context::Plan | Context::Patch => turn.say(Tone::Muted, answers(model)),
        Context::Screen(_) | Context::Help => {}
    }
}

/// The keys that answer the question that is open.
fn answers(model: &Model) -> String {
    let keys: Vec<_> = keymap::hints(model.context())
        .into_iter()
        .filter_map(|hint| {
            let label = model.hint_label(hint)?;
            let keys: Vec<_> = hint.keys.iter().map(|key| key.label()).collect();
            Some(format!("{} {label}", keys.join(" or ")))
        })
        .collect();
    format!("a question is open: {}", keys.join(" · "))
}

fn on_paste(model: &mut Model, text: &str, turn: &mut UpdateContext<'_>) {
    match model.context() {
        Context::Palette => {
            if let Some(Overlay::Palette(palette)) = &mut model.overlay {
                palette.input.insert_str(text.replace(['\r', '\n'], " "));
            }
        }
        Context::Input | Context::Editor => match model.screen {
            ScreenId::DeadLetters => model.dead_letters.paste(text, turn),
            ScreenId::Redrives => model.redrives.paste(text),
            ScreenId::Publish => model.publish.paste(text, turn),
            ScreenId::Records => model.records.paste(text),
            ScreenId::Overview => {}
        },
        Context::Screen(ScreenId::Publish) => model.publish.paste_unasked(text, turn),
        Context::Screen(_) | Context::Confirm | Context::Plan | Context::Patch | Context::Help => {}
    }
}

/// Carries out an action, whoever asked for it: a key, a click or the palette.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the other actions belong to what is open"
)]
fn act(model: &mut Model, action: Action, turn: &mut UpdateContext<'_>) {
    match action {
        Action::Quit => {
            model.is_leaving = true;
            turn.effects.push(Effect::Quit);
            return;
        }
        Action::Help => {
            model.overlay = match model.overlay {
                Some(Overlay::Help { .. }) => None,
                _ => Some(Overlay::Help { scroll: 0 }),
            };
            return;
        }
        Action::Palette => {
            model.overlay = Some(Overlay::Palette(Box::new(Palette::open(
                model.screen_context(),
            ))));
            return;
        }
        _ => {}
    }
    match &mut model.overlay {
        Some(Overlay::Help { scroll }) => match help_scroll(action, *scroll) {
            Some(lines) => *scroll = lines,
            None => model.overlay = None,
        },
        Some(Overlay::Palette(_)) => act_in_palette(model, action, turn),
        None => act_on_screen(model, action, turn),
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "every other action closes the list of keys"
)]
fn help_scroll(action: Action, scroll: u16) -> Option<u16> {
    match action {
        Action::Up => Some(scroll.saturating_sub(1)),
        Action::Down => Some(scroll.saturating_add(1).min(view::help_lines_max())),
        _ => None,
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "every other action closes the palette"
)]
fn act_in_palette(model: &mut Model, action: Action, turn: &mut UpdateContext<'_>) {
    let Some(Overlay::Palette(palette)) = &mut model.overlay else {
        return;
    };
    let entries = palette.entries();
    match action {
        Action::Up => palette.list.move_by(-1, entries.len(), view::PALETTE_ROWS),
        Action::Down => palette.list.move_by(1, entries.len(), view::PALETTE_ROWS),
        Action::Confirm => {
            let chosen = entries.into_iter().nth(palette.list.selected);
            model.overlay = None;
            if let Some(chosen) = chosen {
                choose(model, &chosen, turn);
            }
        }
        _ => model.overlay = None,
    }
}

/// Carries out what was chosen by name. What belongs to another screen and acts on what is seen
/// there is only shown: nobody has looked at it yet.
fn choose(model: &mut Model, chosen: &Entry, turn: &mut UpdateContext<'_>) {
    let Some(screen) = chosen.elsewhere else {
        act(model, chosen.action, turn);
        return;
    };
    show(model, screen, turn);
    if chosen.action.needs_a_look() {
        let text = format!("{} is key {} here", chosen.label, chosen.key);
        turn.say(Tone::Muted, text);
    } else {
        act(model, chosen.action, turn);
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the other actions belong to the screen"
)]
fn act_on_screen(model: &mut Model, action: Action, turn: &mut UpdateContext<'_>) {
    match action {
        Action::Show(screen) => show(model, screen, turn),
        Action::NextScreen => show(model, model.screen.step(1), turn),
        Action::PreviousScreen => show(model, model.screen.step(ScreenId::ALL.len() - 1), turn),
        Action::Refresh => {
            model.pipeline.refresh(turn);
            act_on_current(model, action, turn);
        }
        other => act_on_current(model, other, turn),
    }
}

fn act_on_current(model: &mut Model, action: Action, turn: &mut UpdateContext<'_>) {
    match model.screen {
        ScreenId::Overview => {
            model
                .overview
                .act(action, &model.pipeline, &model.environment, turn);
        }
        ScreenId::DeadLetters => model.dead_letters.act(action, turn),
        ScreenId::Redrives => model.redrives.act(action, turn),
        ScreenId::Records => model.records.act(action, turn),
        ScreenId::Publish => model.publish.act(action, &model.environment, turn),
    }
}

fn show(model: &mut Model, screen: ScreenId, turn: &mut UpdateContext<'_>) {
    if screen == model.screen {
        return;
    }
    match model.screen {
        ScreenId::DeadLetters => model.dead_letters.leave(turn),
        ScreenId::Redrives => model.redrives.leave(turn),
        ScreenId::Overview | ScreenId::Records | ScreenId::Publish => {}
    }
    model.screen = screen;
    // What was said there was about that screen.
    model.notice = None;
    match screen {
        ScreenId::Overview => {}
        ScreenId::DeadLetters => model.dead_letters.enter(turn),
        ScreenId::Redrives => model.redrives.enter(turn),
        ScreenId::Records => model.records.enter(turn),
        ScreenId::Publish => model.publish.enter(turn),
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the mouse means nothing else here"
)]
fn on_mouse(model: &mut Model, mouse: MouseEvent, turn: &mut UpdateContext<'_>) {
    let position = Position::new(mouse.column, mouse.row);
    if model.overlay.is_some() {
        let action = match mouse.kind {
            MouseEventKind::ScrollUp => Action::Up,
            MouseEventKind::ScrollDown => Action::Down,
            MouseEventKind::Down(_) => Action::Back,
            _ => return,
        };
        act(model, action, turn);
        return;
    }
    match mouse.kind {
        MouseEventKind::ScrollUp => scroll(model, position, -WHEEL_LINES, turn),
        MouseEventKind::ScrollDown => scroll(model, position, WHEEL_LINES, turn),
        MouseEventKind::Down(MouseButton::Left) => click(model, position, turn),
        _ => {}
    }
}

fn click(model: &mut Model, position: Position, turn: &mut UpdateContext<'_>) {
    let frame = frame(model.area);
    if frame.footer.contains(position) {
        if let Some(action) = footer::action_at(model, position.x) {
            act(model, action, turn);
        }
    } else if frame.body.contains(position) {
        match model.screen {
            ScreenId::Overview => {
                model
                    .overview
                    .click(position, &model.pipeline, &model.environment, turn);
            }
            ScreenId::DeadLetters => model.dead_letters.click(position, turn),
            ScreenId::Redrives => model.redrives.click(position, turn),
            ScreenId::Records => model.records.click(position, turn),
            ScreenId::Publish => model.publish.click(position, turn),
        }
    }
}

fn scroll(model: &mut Model, position: Position, lines: isize, turn: &mut UpdateContext<'_>) {
    match model.screen {
        ScreenId::Overview => {}
        ScreenId::DeadLetters => model.dead_letters.scroll(position, lines, turn),
        ScreenId::Redrives => model.redrives.scroll(position, lines, turn.body),
        ScreenId::Records => model.records.scroll(position, lines, turn),
        ScreenId::Publish => model.publish.scroll(position, lines, turn),
    }
}

fn on_resize(model: &mut Model, turn: &UpdateContext<'_>) {
    model.dead_letters.resize(turn.body);
    model.redrives.resize(turn.body);
    model.records.resize(turn.body);
    model.publish.resize(turn.body);
}

fn on_tick(model: &mut Model, turn: &mut UpdateContext<'_>) {
    if model
        .notice
        .as_ref()
        .is_some_and(|notice| notice.until <= turn.now)
    {
        model.notice = None;
    }
    model.pipeline.tick(turn);
    let screen = model.screen;
    let is_held = screen == ScreenId::DeadLetters || model.redrives.is_reviewing();
    model.dead_letters.tick(is_held, turn);
    model.redrives.tick(turn);
    model.records.tick(screen == ScreenId::Records, turn);
    model.publish.tick(turn);
}

fn on_reply(model: &mut Model, reply: Reply, turn: &mut UpdateContext<'_>) {
    match reply.topic {
        Topic::SourceQueue
        | Topic::DeadLetterQueue
        | Topic::History
        | Topic::Totals
        | Topic::ApiHealth => model.pipeline.reply(reply, turn.now),
        Topic::Messages
        | Topic::Hold
        | Topic::Release
        | Topic::Deletion
        | Topic::Body
        | Topic::Patch
        | Topic::Judge
        | Topic::Search => model.dead_letters.reply(reply, turn),
        Topic::Redrive => {
            if let Some(ended) = model.redrives.redrive_ended(reply, turn) {
                model.dead_letters.redrive_ended(ended, turn);
            }
        }
        Topic::DryRun | Topic::Redrives | Topic::RedriveReport => {
            model.redrives.reply(reply, turn);
        }
        Topic::Records => model.records.reply(reply, turn),
        Topic::Publish | Topic::Trace | Topic::Template => model.publish.reply(reply, turn),
    }
}

/// Messages go from their screen to the review of their redrive. They stay held while it is open.
fn on_review(model: &mut Model, turn: &mut UpdateContext<'_>) {
    if let Some(selection) = turn.review.take() {
        if let Some((done, planned)) = model.redrives.progress() {
            let text = format!("a redrive runs: {done} of {planned} done · 3 shows it");
            turn.say(Tone::Warning, text);
        } else {
            model.redrives.review(selection, turn);
            model.screen = ScreenId::Redrives;
            model.notice = None;
        }
    }
    match turn.reviewed.take() {
        Some(Reviewed::Begun(ids)) => {
            model.dead_letters.redrive_began(ids);
            model.dead_letters.leave(turn);
        }
        Some(Reviewed::Dropped) => model.screen = ScreenId::DeadLetters,
        None => {}
    }
}
