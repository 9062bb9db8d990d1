//! What keys, clicks, time and answers do to the screen.

use chrono::{DateTime, Utc};
use pipeline::probe::{Measure, Probe};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};

use super::layout::parts;
use super::state::{Probes, Wanted};
use crate::tui::context::{ScreenContext, UpdateContext};
use crate::tui::fault::Fault;
use crate::tui::format::{span_secs, visible};
use crate::tui::handover::Handover;
use crate::tui::keymap::{Action, Binding, KeyContext, Label};
use crate::tui::limits::IDLE_LIMIT;
use crate::tui::request::{Answer, Reply, Request};
use crate::tui::screen_id::ScreenId;
use crate::tui::screens::screen::{Screen, ScreenEvent};
use crate::tui::theme::Tone;
use crate::tui::trace::subject::Traceable;

impl Screen for Probes {
    fn update(&mut self, event: ScreenEvent<'_>, context: &mut UpdateContext<'_>) {
        match event {
            ScreenEvent::Act(action) => self.act(action, context),
            ScreenEvent::Click(position) => self.click(position, context),
            ScreenEvent::Scroll(_, lines) => self.move_by(lines, context.body),
            ScreenEvent::Resize => self.select(self.list.selected, context.body),
            ScreenEvent::Tick => self.tick(context),
            // The question was asked of somebody who looked at it.
            ScreenEvent::Leave => self.question = None,
            ScreenEvent::Drag(_)
            | ScreenEvent::Enter
            | ScreenEvent::Key(_)
            | ScreenEvent::Paste(_) => {}
        }
    }

    fn view(&self, context: &ScreenContext<'_>, canvas: &mut Frame<'_>) {
        self.draw(context, canvas);
    }

    fn key_context(&self) -> KeyContext {
        match self.question {
            Some(_) => KeyContext::Confirm,
            None => KeyContext::Screen(ScreenId::Probe),
        }
    }

    fn hint(&self, binding: &Binding, _: &ScreenContext<'_>) -> Option<Label> {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the other keys always do the same"
        )]
        match binding.action {
            Action::ToggleProbes if self.is_running => Some("stop".into()),
            Action::ToggleProbes => Some("start".into()),
            Action::ProbeOnce if self.is_running => None,
            Action::Open if self.selected_failure().is_none() => None,
            Action::Open => Some("trace the failed one".into()),
            Action::Refresh => None,
            _ => Some(binding.label.into()),
        }
    }

    /// The failed one that is selected, else the newest.
    fn traceable(&self) -> Traceable {
        let selected = self.selected_failure().map(|(probe, _)| probe);
        let probe = selected.or_else(|| self.ring.iter().next_back());
        probe.map_or(Traceable::Nothing, |probe| {
            Traceable::One(probe.key.clone())
        })
    }

    fn waiting_since(&self) -> Option<DateTime<Utc>> {
        self.probing.loading_since()
    }
}

impl Probes {
    fn tick(&mut self, context: &mut UpdateContext<'_>) {
        if self.is_running && context.is_untouched() {
            // Nobody looks at it, and it writes and keeps a database awake.
            self.is_running = false;
            self.abandoned_at = Some(context.now);
            let name = visible(&context.environment.name);
            let idle = span_secs(IDLE_LIMIT.as_secs());
            let text = format!("the probes of {name} were stopped: no key for {idle}");
            context.notify(Tone::Warning, text);
        }
        let is_due = self.next_at().is_some_and(|next| context.now >= next);
        if is_due && !self.probing.is_loading() {
            self.probe(context);
        }
    }

    fn act(&mut self, action: Action, context: &mut UpdateContext<'_>) {
        let body = context.body;
        let page = isize::try_from(parts(body).list.height.max(1)).unwrap_or(1);
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "actions of other screens reach only their own"
        )]
        match action {
            Action::ToggleProbes if self.is_running => self.stop(context),
            Action::ToggleProbes => self.want(Wanted::Series, context),
            Action::ProbeOnce => self.want(Wanted::Once, context),
            Action::Confirm => {
                if let Some(wanted) = self.question.take() {
                    self.begin(wanted, context);
                }
            }
            Action::Back if self.question.take().is_some() => {
                context.notify(Tone::Muted, "nothing was published");
            }
            Action::Faster if self.is_running && context.environment.is_production => {
                let text = "stop the series first: what was confirmed is its interval";
                context.notify(Tone::Warning, text);
            }
            Action::Faster => self.change_interval(-1),
            Action::Slower => self.change_interval(1),
            Action::SwitchPane => self.measure = next(self.measure),
            Action::Open if self.selected_failure().is_some() => {
                context.outbox.handovers.push(Handover::Trace);
            }
            Action::Up => self.move_by(-1, body),
            Action::Down => self.move_by(1, body),
            Action::PageUp => self.move_by(-page, body),
            Action::PageDown => self.move_by(page, body),
            Action::First => self.select(0, body),
            Action::Last => self.select(usize::MAX, body),
            _ => {}
        }
    }

    fn want(&mut self, wanted: Wanted, context: &mut UpdateContext<'_>) {
        if let Some(refusal) = context.change_refusal("no probes") {
            context.notify(Tone::Warning, refusal);
        } else if self.probing.is_loading() && wanted == Wanted::Once {
            context.notify(Tone::Muted, "a probe is under way");
        } else if context.environment.is_production {
            self.question = Some(wanted);
        } else {
            self.begin(wanted, context);
        }
    }

    fn begin(&mut self, wanted: Wanted, context: &mut UpdateContext<'_>) {
        self.is_running |= wanted == Wanted::Series;
        self.abandoned_at = None;
        // One that is under way is the first of the series.
        if !self.probing.is_loading() {
            self.probe(context);
        }
    }

    fn stop(&mut self, context: &mut UpdateContext<'_>) {
        self.is_running = false;
        let text = if self.probing.is_loading() {
            "stopped; the probe under way is brought to its end"
        } else {
            "stopped"
        };
        context.notify(Tone::Muted, text);
    }

    fn probe(&mut self, context: &mut UpdateContext<'_>) {
        self.begun_at = Some(context.now);
        context
            .outbox
            .fetch(&mut self.probing, Reply::Probed, Request::Probe);
    }

    pub(crate) fn probed(&mut self, answer: Answer<Box<Probe>>, context: &mut UpdateContext<'_>) {
        if !self.probing.awaits(&answer) {
            return;
        }
        let ring = &mut self.ring;
        let kept = answer.map(|probe| ring.push(*probe));
        self.probing.settle(kept, context.now);
        self.summary = self.ring.summary(None);
        // Then the next one would not be published either.
        let is_forbidden = |fault: &Fault| fault.is_not_permitted || fault.is_not_configured;
        if self.probing.error().is_some_and(is_forbidden) {
            self.is_running = false;
        }
        // The selection stays on its probe.
        let wanted = self.selected.clone();
        let place = wanted.and_then(|id| self.failures().position(|(one, _)| one.key.id == id));
        match place {
            Some(place) => self.select(place, context.body),
            None => {
                self.list.select(0, self.failures().count(), 1);
                self.selected = None;
            }
        }
    }

    fn click(&mut self, position: Position, context: &mut UpdateContext<'_>) {
        let parts = parts(context.body);
        if self.question.is_some() || !parts.list.contains(position) {
            return;
        }
        let line = usize::from(position.y - parts.list.y);
        let Some(row) = self.list.row_at(line, self.failures().count()) else {
            return;
        };
        if row == self.list.selected {
            self.act(Action::Open, context);
        } else {
            self.select(row, context.body);
        }
    }

    fn move_by(&mut self, rows: isize, body: Rect) {
        self.select(self.list.selected.saturating_add_signed(rows), body);
    }

    fn select(&mut self, row: usize, body: Rect) {
        let (length, height) = (self.failures().count(), parts(body).list.height);
        self.list.select(row, length, usize::from(height));
        self.selected = self
            .selected_failure()
            .map(|(probe, _)| probe.key.id.clone());
    }

    /// `every 30 s`
    pub(super) fn interval_in_words(&self) -> String {
        format!("every {}", span_secs(self.every().as_secs()))
    }
}

/// The measure after this one, around the end.
fn next(measure: Measure) -> Measure {
    let mut around = Measure::ALL.into_iter().cycle();
    around.find(|one| *one == measure);
    around.next().unwrap_or(measure)
}
