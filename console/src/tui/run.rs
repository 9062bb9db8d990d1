//! The loop: wait for something, update, draw once.
//!
//! Invariant: nothing here waits for the network, so keys and quit answer whatever hangs; nothing
//! is drawn when nothing changed.

use std::io;
use std::time::Duration;

use chrono::Utc;
use color_eyre::eyre::{Result, WrapErr as _};
use crossterm::event::{Event, EventStream};
use futures::{FutureExt as _, StreamExt as _};
use ratatui::layout::Rect;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

use super::message::{Effect, Msg};
use super::model::Model;
use super::sources::Sources;
use super::terminal::{Screen, restore};
use super::theme::Theme;
use super::update::update;
use super::view::view;
use crate::environment::Environment;

/// How often the model is told that time passes.
const TICK: Duration = Duration::from_millis(500);
/// Least time between two frames. The first change after a pause is drawn at once.
const FRAME_FLOOR: Duration = Duration::from_millis(8);
/// Messages that may wait for the loop.
const MESSAGES_WAITING_MAX: usize = 1_024;
/// Messages that are taken before the next frame.
const BURST_MAX: usize = 256;
/// How long the program waits to give held letters back when it ends.
const RELEASE_WITHIN: Duration = Duration::from_millis(1_500);

/// Runs the console until the operator leaves or the terminal goes away. Production takes changes
/// only when `confirmation` is the name of the environment.
///
/// # Errors
/// When there is no terminal to draw on.
pub async fn run(environment: Environment, confirmation: Option<String>) -> Result<()> {
    let mut signals = Signals::listen().wrap_err("listen for signals")?;
    let mut screen = Screen::take().wrap_err(
        "take the terminal over: the console needs one (for scripts there are the commands, see \
         `opsconsole --help`)",
    )?;
    let size = screen
        .terminal
        .size()
        .wrap_err("read the size of the terminal")?;
    let theme = Theme::choose(
        std::env::var("NO_COLOR").ok().as_deref(),
        std::env::var("TERM").ok().as_deref(),
    );
    let area = Rect::new(0, 0, size.width, size.height);
    let mut model = Model::new(environment.clone(), theme, area, Utc::now());
    let (sender, mut replies) = mpsc::channel(MESSAGES_WAITING_MAX);
    let mut sources = Sources::new(environment, confirmation, sender);

    let ended = drive(
        &mut model,
        &mut screen,
        &mut sources,
        &mut replies,
        &mut signals,
    )
    .await;
    drop(screen);
    restore();
    release(&model, &sources).await;
    ended
}

async fn drive(
    model: &mut Model,
    screen: &mut Screen,
    sources: &mut Sources,
    replies: &mut mpsc::Receiver<Msg>,
    signals: &mut Signals,
) -> Result<()> {
    // The first frame comes before the first question.
    if draw(model, screen).is_err() {
        return Ok(());
    }
    let mut events = EventStream::new();
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut drawn_at = Instant::now();
    let mut is_dirty = false;
    loop {
        let frame_at = drawn_at + FRAME_FLOOR;
        let happened = tokio::select! {
            biased;
            () = signals.any() => return Ok(()),
            event = events.next() => match event {
                Some(Ok(event)) => Happened::Event(event),
                // The terminal is gone.
                Some(Err(_)) | None => return Ok(()),
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
        for _ in 0..BURST_MAX {
            if let Some(Some(Ok(event))) = events.next().now_or_never() {
                is_dirty |= apply_event(model, event, screen, sources);
            } else if let Ok(msg) = replies.try_recv() {
                is_dirty |= apply(model, msg, screen, sources);
            } else {
                break;
            }
        }
        if model.is_leaving {
            return Ok(());
        }
        if is_dirty && drawn_at.elapsed() >= FRAME_FLOOR {
            if draw(model, screen).is_err() {
                return Ok(());
            }
            drawn_at = Instant::now();
            is_dirty = false;
        }
    }
}

enum Happened {
    Event(Event),
    Msg(Msg),
    FrameDue,
}

fn draw(model: &Model, screen: &mut Screen) -> io::Result<()> {
    screen
        .terminal
        .draw(|canvas| view(model, canvas))
        .map(|_| ())
}

fn apply_event(
    model: &mut Model,
    event: Event,
    screen: &mut Screen,
    sources: &mut Sources,
) -> bool {
    let msg = match event {
        Event::Key(key) => Msg::Key(key),
        Event::Mouse(mouse) => {
            // Movement alone means nothing here; it would only wake the screen.
            if matches!(
                mouse.kind,
                crossterm::event::MouseEventKind::Moved | crossterm::event::MouseEventKind::Drag(_)
            ) {
                return false;
            }
            Msg::Mouse(mouse)
        }
        Event::Paste(text) => Msg::Paste(text),
        Event::Resize(width, height) => Msg::Resize { width, height },
        Event::FocusGained | Event::FocusLost => return false,
    };
    apply(model, msg, screen, sources)
}

/// Applies a message and starts what it wants. Whether something may look different now.
fn apply(model: &mut Model, msg: Msg, screen: &mut Screen, sources: &mut Sources) -> bool {
    let was = matches!(msg, Msg::Tick).then(|| stamp(model));
    let effects = update(model, Utc::now(), msg);
    for effect in effects {
        match effect {
            Effect::Ask { id, request } => sources.ask(id, request),
            // A terminal that is gone shows itself at the next frame.
            Effect::Copy(text) => drop(screen.copy(&text)),
            Effect::Quit => model.is_leaving = true,
        }
    }
    was.is_none_or(|was| was != stamp(model))
}

/// What of the passing time can be seen: while something is awaited for long, its seconds; else
/// minutes.
fn stamp(model: &Model) -> (i64, bool, u64) {
    (
        model.now.timestamp() / 60,
        model.notice.is_some(),
        model.visible_wait_secs(),
    )
}

/// Gives held letters back, so that others see them at once and not only when the hold ends.
async fn release(model: &Model, sources: &Sources) {
    let handles = model.held_handles();
    if handles.is_empty() {
        return;
    }
    if let Some(world) = sources.world() {
        // Late or failed, the hold ends by itself.
        let _ = tokio::time::timeout(RELEASE_WITHIN, world.release_dead_letters(&handles)).await;
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    quit: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            quit: signal(SignalKind::quit())?,
        })
    }

    /// Waits for a signal that ends the program.
    async fn any(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = self.hang_up.recv() => {}
            _ = self.quit.recv() => {}
        }
    }
}
