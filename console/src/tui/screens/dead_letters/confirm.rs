//! The question before a redrive: what changes, how many, and how to back out.

use event::Verdict;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear};
use unicode_width::UnicodeWidthStr as _;

use super::DeadLetters;
use super::detail::{verdict_sign, verdict_tone};
use super::redriving::Plan;
use super::view::rows;
use crate::tui::format::{count, fit, visible};
use crate::tui::message::Tone;
use crate::tui::model::Model;
use crate::tui::theme::{Theme, sign};

/// From this width on, the question says why.
const WIDE_ENOUGH: u16 = 72;

impl DeadLetters {
    pub(super) fn draw_question(
        &self,
        plan: &Plan,
        model: &Model,
        canvas: &mut Frame<'_>,
        area: Rect,
    ) {
        let theme = model.theme;
        let lines = self.question_lines(plan, theme, area.width < WIDE_ENOUGH);
        let height = u16::try_from(lines.len())
            .unwrap_or(u16::MAX)
            .saturating_add(2);
        let place = Self::question_place(area, height);
        let lines = shortened(lines, usize::from(place.height.saturating_sub(2)));
        let title = format!(
            " Redrive to {} in {}{} ",
            visible(&self.destination),
            visible(&self.environment),
            if self.is_production {
                " PRODUCTION"
            } else {
                ""
            },
        );
        let title = fit(&title, usize::from(place.width).saturating_sub(2));
        let title_style = if self.is_production {
            theme.tone(Tone::Bad).add_modifier(Modifier::REVERSED)
        } else {
            theme.strong()
        };
        let block = Block::bordered()
            .title(Span::styled(title, title_style))
            .border_style(theme.frame(true, self.is_production));
        let inner = block.inner(place);
        canvas.render_widget(Clear, place);
        canvas.render_widget(block, place);
        for (line, row) in lines.into_iter().zip(rows(inner)) {
            canvas.render_widget(line, row);
        }
    }

    fn question_lines(&self, plan: &Plan, theme: Theme, is_narrow: bool) -> Vec<Line<'static>> {
        let sent = plan.sent();
        let all = plan.letters.len();
        let summary = format!(
            " {} of {} {} sent",
            count(sent as u64),
            Self::letters_in_words(all),
            if sent == 1 { "is" } else { "are" },
        );
        let rest = if is_narrow {
            "."
        } else {
            ", and deleted here once confirmed."
        };
        let mut lines = vec![
            Line::styled(format!("{summary}{rest}"), theme.strong()),
            Line::raw(format!(" From {}.", visible(&plan.scope))),
            Line::default(),
        ];
        let digits = count(all as u64).width();
        for verdict in Verdict::ALL {
            let number = plan.with(verdict);
            if number > 0 {
                let is_sent = plan.sends(verdict);
                let fate = if is_narrow {
                    fate_word(is_sent)
                } else {
                    fate(verdict, is_sent)
                };
                let look = (number, digits, is_sent);
                lines.push(verdict_line(verdict, look, fate, theme));
            }
        }
        let has_ledger = self
            .hold
            .value()
            .is_none_or(|facts| facts.ledger_error.is_none());
        if !has_ledger {
            lines.push(Line::styled(
                format!(
                    " {} the ledger was not reachable: ready may be already stored",
                    sign(Tone::Warning)
                ),
                theme.tone(Tone::Warning),
            ));
        }
        lines.push(Line::default());
        lines.push(keys_line(plan, sent, theme, is_narrow));
        lines
    }
}

/// The summary and the keys stay; blank lines go first, then what is between.
fn shortened(mut lines: Vec<Line<'static>>, height: usize) -> Vec<Line<'static>> {
    if lines.len() > height {
        lines.retain(|line| line.width() > 0);
    }
    while lines.len() > height.max(1) {
        lines.remove(lines.len().saturating_sub(2));
    }
    lines
}

const fn fate_word(is_sent: bool) -> &'static str {
    if is_sent { "sent" } else { "stay" }
}

const fn fate(verdict: Verdict, is_sent: bool) -> &'static str {
    match (verdict, is_sent) {
        (Verdict::Ready, _) => "sent: the ingest would store them",
        (Verdict::AlreadyStored, false) => "stay: they would only become duplicates",
        (Verdict::AlreadyStored, true) => "sent all the same: they become duplicates",
        (Verdict::StillInvalid, false) => "stay: the ingest would refuse them again",
        (Verdict::Unreadable, false) => "stay: they are not even JSON",
        (Verdict::StillInvalid | Verdict::Unreadable, true) => {
            "sent all the same: the ingest will refuse them"
        }
    }
}

fn verdict_line(
    verdict: Verdict,
    (number, digits, is_sent): (usize, usize, bool),
    fate: &str,
    theme: Theme,
) -> Line<'static> {
    let number = count(number as u64);
    let tone = verdict_tone(verdict);
    let fate_style = if is_sent && verdict != Verdict::Ready {
        theme.tone(Tone::Warning)
    } else {
        Style::new()
    };
    Line::from(vec![
        Span::styled(
            format!(
                "  {} {number:>digits$} {:<15}",
                verdict_sign(verdict),
                verdict.as_str()
            ),
            theme.tone(tone),
        ),
        Span::styled(format!(" {fate}"), fate_style),
    ])
}

fn keys_line(plan: &Plan, sent: usize, theme: Theme, is_narrow: bool) -> Line<'static> {
    let mut spans = Vec::new();
    let mut key = |key: &'static str, text: String| {
        spans.push(Span::styled(format!(" {key} "), theme.key()));
        spans.push(Span::raw(format!("{text}  ")));
    };
    if sent > 0 {
        key("y", format!("send {}", count(sent as u64)));
    }
    let skipped = plan.letters.len() - plan.with(Verdict::Ready);
    let others = count(skipped as u64);
    match (skipped > 0, plan.includes_all, is_narrow) {
        (false, _, _) => {}
        (true, true, true) => key("f", "ready only".to_owned()),
        (true, false, true) => key("f", format!("+{others}")),
        (true, true, false) => key("f", format!("leave out the {others} that are not ready")),
        (true, false, false) => key("f", format!("send the other {others} too")),
    }
    key(
        "esc",
        if is_narrow { "none" } else { "send nothing" }.to_owned(),
    );
    Line::from(spans)
}
