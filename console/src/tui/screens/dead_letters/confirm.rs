//! The question before a redrive: what changes, how many, and how to back out.

use event::Verdict;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr as _;

use super::DeadLetters;
use super::detail::{verdict_sign, verdict_tone};
use super::redriving::Plan;
use crate::tui::format::{count, visible};
use crate::tui::message::Tone;
use crate::tui::model::Model;
use crate::tui::screens::question::Question;
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
        let production = if self.is_production {
            " PRODUCTION"
        } else {
            ""
        };
        let title = format!(
            "Redrive to {} in {}{production}",
            visible(&self.destination),
            visible(&self.environment),
        );
        Question {
            title,
            lines: self.question_lines(plan, model.theme, area.width < WIDE_ENOUGH),
            is_danger: self.is_production,
        }
        .draw(model.theme, canvas, area);
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
    let skipped = plan.skipped();
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
