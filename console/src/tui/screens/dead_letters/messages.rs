//! What must be known before anything else on the screen, most urgent first.

use super::DeadLetters;
use crate::tui::format::{clock, count, visible};
use crate::tui::message::Tone;
use crate::tui::screens::lines::wrapped;

/// One row of a message.
#[derive(Debug)]
pub(super) struct MessageRow {
    pub(super) tone: Tone,
    pub(super) text: String,
    /// Whether the message begins here.
    pub(super) is_first: bool,
}

impl DeadLetters {
    /// The messages, broken into rows.
    pub(super) fn message_rows(&self, width: u16) -> Vec<MessageRow> {
        // A space, the sign, a space; and one at the end.
        let width = usize::from(width).saturating_sub(4);
        self.messages()
            .into_iter()
            .flat_map(|(tone, text)| {
                wrapped(&text, width)
                    .into_iter()
                    .enumerate()
                    .map(move |(number, text)| MessageRow {
                        tone,
                        text,
                        is_first: number == 0,
                    })
            })
            .collect()
    }

    /// Lines below the title.
    fn messages(&self) -> Vec<(Tone, String)> {
        let mut messages = Vec::new();
        if !self.moving.is_empty() {
            let letters = Self::letters_in_words(self.moving.len());
            messages.push((
                Tone::Good,
                format!(
                    "{letters} being redriven to {} · 3 shows how far it is",
                    visible(&self.destination)
                ),
            ));
        }
        if let Some(told) = &self.told {
            messages.push((
                told.tone,
                format!("{} · {} UTC", visible(&told.text), clock(told.at)),
            ));
        }
        if self.letters.is_empty() {
            return messages;
        }
        messages.extend(self.search_message());
        if let Some(fault) = self.hold.error() {
            messages.push((
                Tone::Bad,
                format!("{} · ^r tries again", visible(&fault.message)),
            ));
        }
        if self.extension_failed_at.is_some() {
            messages.push((
                Tone::Warning,
                "the hold could not be extended; it is tried again · ^r takes the letters anew"
                    .to_owned(),
            ));
        }
        if self.lost_holds > 0 {
            let letters = Self::letters_in_words(self.lost_holds);
            messages.push((
                Tone::Warning,
                format!("{letters} no longer held, others may have them · ^r takes them again"),
            ));
        }
        let Some(facts) = self.hold.value() else {
            return messages;
        };
        if let Some(error) = &facts.ledger_error {
            messages.push((
                Tone::Warning,
                format!(
                    "ledger not reachable: ready may be already stored · R, then ^r judges again · {}",
                    visible(error)
                ),
            ));
        }
        if facts.is_truncated && self.is_full() {
            let held = count(self.letters.len() as u64);
            let text =
                format!("more letters wait than the {held} held at once: redrive these, then ^r");
            messages.push((Tone::Warning, text));
        }
        messages
    }
}
