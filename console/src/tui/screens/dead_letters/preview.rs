//! What a patch would do: counts for all messages, and the difference of one after the other.
//!
//! Invariant: nothing is edited before the operator agreed to what is shown; one difference is laid
//! out at a time.

use event::unwrap_envelope;
use ratatui::Frame;
use ratatui::text::{Line, Span};
use ratatui::widgets::Clear;
use similar::ChangeTag;

use crate::tui::context::ScreenContext;
use crate::tui::difference::{diff_line, difference};
use crate::tui::format::{count, visible};
use crate::tui::layout::{area_rows, take_rows};
use crate::tui::lines::{hanging, title, whole_words};
use crate::tui::patch::{EditedMessage, PatchInputs, Patched, warnings};
use crate::tui::request::RequestId;
use crate::tui::theme::{Theme, Tone, sign};
use crate::tui::verdict::{verdict_sign, verdict_tone};
use pipeline::Body;

/// A patch that waits for confirmation.
#[derive(Debug)]
pub(super) struct Preview {
    pub(super) program: String,
    pub(super) scope: String,
    /// All messages that the program ran over.
    pub(super) messages: PatchInputs,
    pub(super) patched: Patched,
    /// Which of the edited messages is shown.
    at: usize,
    /// Its difference; `None` until both bodies are read.
    diff: Option<Vec<(ChangeTag, String)>>,
    pub(super) reading: Option<RequestId>,
    offset: usize,
}

impl Preview {
    pub(super) fn new(
        program: String,
        (scope, messages): (String, PatchInputs),
        patched: Patched,
    ) -> Self {
        let mut preview = Self {
            program,
            scope,
            messages,
            patched,
            at: 0,
            diff: None,
            reading: None,
            offset: 0,
        };
        preview.show(0);
        preview
    }

    /// Messages that the ingest would store.
    fn ready(&self) -> usize {
        let is_ready = |edited: &&EditedMessage| edited.would_be_stored();
        self.patched.edited.iter().filter(is_ready).count()
    }

    /// `3 messages get the same identity /crew / x1: only one would be stored`, and what to do.
    fn same_identity(&self) -> Option<String> {
        let edited = &self.patched.edited;
        let is_later = |edited: &&EditedMessage| edited.same_identity_as.is_some();
        let later = edited.iter().find(is_later)?;
        let holder = later.same_identity_as.as_deref();
        let number = edited.iter().filter(|edited| {
            edited.same_identity_as.as_deref() == holder
                || Some(edited.message_id.as_str()) == holder
        });
        let part = |part: &Option<String>| visible(part.as_deref().unwrap_or_default());
        Some(format!(
            "{} messages get the same identity {} / {}: only one would be stored. Give each its own \
             id, e.g. .id = .data.tag",
            count(number.count() as u64),
            part(&later.identity.source),
            part(&later.identity.id),
        ))
    }

    fn show(&mut self, at: usize) {
        self.at = at.min(self.patched.edited.len().saturating_sub(1));
        self.offset = 0;
        self.reading = None;
        let edited = self.patched.edited.get(self.at);
        let texts = edited.and_then(|edited| {
            let (old, new) = (edited.old_body.at_hand()?, edited.new_body.at_hand()?);
            Some(of_bodies(old, new))
        });
        self.diff = texts;
    }

    /// The bodies whose difference is to be shown, where they are not read or requested yet.
    pub(super) fn unread(&self) -> Option<Vec<Body>> {
        if self.diff.is_some() || self.reading.is_some() {
            return None;
        }
        let edited = self.patched.edited.get(self.at)?;
        Some(vec![edited.old_body.clone(), edited.new_body.clone()])
    }

    /// Both bodies were read.
    pub(super) fn show_difference(&mut self, texts: &[String]) {
        if let [old, new] = texts {
            self.diff = Some(of_bodies(old, new));
        }
    }

    pub(super) fn step(&mut self, back: bool) {
        let length = self.patched.edited.len().max(1);
        let parts = if back { length - 1 } else { 1 };
        self.show((self.at + parts) % length);
    }

    pub(super) fn scroll(&mut self, lines: isize) {
        let length = self.diff.as_ref().map_or(0, Vec::len);
        let most = length.saturating_sub(1);
        self.offset = self.offset.saturating_add_signed(lines).min(most);
    }

    pub(super) fn draw(&self, context: &ScreenContext<'_>, canvas: &mut Frame<'_>) {
        let (theme, area) = (context.theme, context.body);
        canvas.render_widget(Clear, area);
        let mut rest = area;
        let width = usize::from(area.width);
        let name = format!("Patch of {}", visible(&self.scope));
        canvas.render_widget(title(theme, &name, width), take_rows(&mut rest, 1));
        let head = head_lines(self, theme, width);
        let rows = u16::try_from(head.len()).unwrap_or(u16::MAX);
        let rows = rows.min(rest.height / 2);
        for (row, line) in area_rows(take_rows(&mut rest, rows)).zip(head) {
            canvas.render_widget(line, row);
        }
        let Some(diff) = &self.diff else {
            let text = whole_words(" loading the bodies", width);
            canvas.render_widget(Line::styled(text, theme.muted()), take_rows(&mut rest, 1));
            return;
        };
        let lines = diff.iter().skip(self.offset);
        for (row, (tag, text)) in area_rows(rest).zip(lines) {
            canvas.render_widget(diff_line(*tag, text, theme, width), row);
        }
    }
}

/// The difference of both bodies.
fn of_bodies(old: &str, new: &str) -> Vec<(ChangeTag, String)> {
    difference(&unwrap_envelope(old), &unwrap_envelope(new))
}

fn head_lines(preview: &Preview, theme: Theme, width: usize) -> Vec<Line<'static>> {
    let patched = &preview.patched;
    let program = format!(" {}", visible(&preview.program));
    let mut lines = vec![Line::styled(whole_words(&program, width), theme.key())];
    let changed = patched.edited.len();
    let ready = preview.ready();
    let mut spans = vec![Span::styled(
        format!(" {} changed", count(changed as u64)),
        theme.strong(),
    )];
    let parts = [
        (ready, Tone::Good, "become ready"),
        (changed - ready, Tone::Warning, "still not ready"),
        (patched.unchanged, Tone::Muted, "unchanged"),
        (patched.failed, Tone::Bad, "failed"),
    ];
    for (number, tone, what) in parts.into_iter().filter(|(number, ..)| *number > 0) {
        let text = format!("   {} {} {what}", sign(tone), count(number as u64));
        spans.push(Span::styled(text, theme.tone(tone)));
    }
    lines.push(Line::from(spans));
    if let Some(why) = &patched.failure {
        let text = if patched.failed > 1 {
            format!("fails on the first of them: {}", visible(why))
        } else {
            format!("fails: {}", visible(why))
        };
        lines.extend(hanging(Tone::Bad, &text, theme, width));
    }
    if let Some(text) = preview.same_identity() {
        lines.extend(hanging(Tone::Bad, &text, theme, width));
    }
    if let Some(edited) = patched.edited.get(preview.at) {
        lines.push(Line::default());
        lines.extend(message_lines(preview, edited, theme, width));
    }
    lines
}

fn message_lines(
    preview: &Preview,
    edited: &EditedMessage,
    theme: Theme,
    width: usize,
) -> Vec<Line<'static>> {
    let verdict = edited.verdict;
    let mut text = format!("{} {verdict}", verdict_sign(verdict));
    if let Some(failure) = &edited.failure {
        text.push_str(&format!("  {}: {}", failure.code, visible(&failure.detail)));
    }
    let place = format!(
        " {} / {}  {}  ",
        count(preview.at as u64 + 1),
        count(preview.patched.edited.len() as u64),
        visible(&edited.message_id)
    );
    let room = width.saturating_sub(place.chars().count());
    let mut lines = vec![Line::from(vec![
        Span::styled(place, theme.muted()),
        Span::styled(whole_words(&text, room), theme.tone(verdict_tone(verdict))),
    ])];
    for warning in warnings(edited) {
        lines.extend(hanging(Tone::Warning, warning, theme, width));
    }
    lines
}
