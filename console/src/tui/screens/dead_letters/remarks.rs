//! What must be known before anything else on the screen, most urgent first.

use super::state::DeadLetters;
use crate::tui::format::{clock, count, visible};
use crate::tui::lines::{failed_at, message_count, wrapped};
use crate::tui::theme::Tone;
use redrive::operations::Progress;

/// One row of a message.
#[derive(Debug)]
pub(super) struct RemarkRow {
    pub(super) tone: Tone,
    pub(super) text: String,
    /// Whether the message begins here.
    pub(super) is_first: bool,
}

impl DeadLetters {
    /// The remarks, broken into rows.
    pub(super) fn remark_rows(&self, width: u16) -> Vec<RemarkRow> {
        // A space, the sign, a space; and one at the end.
        let width = usize::from(width).saturating_sub(4);
        self.remarks()
            .into_iter()
            .flat_map(|(tone, text)| {
                wrapped(&text, width)
                    .into_iter()
                    .enumerate()
                    .map(move |(number, text)| RemarkRow {
                        tone,
                        text,
                        is_first: number == 0,
                    })
            })
            .collect()
    }

    /// Lines below the title.
    fn remarks(&self) -> Vec<(Tone, String)> {
        let mut remarks = Vec::new();
        if !self.moving.is_empty() {
            let messages = message_count(self.moving.len());
            remarks.push((
                Tone::Good,
                format!("{messages} being redriven · 3 shows the progress"),
            ));
        }
        if let Some(Progress { done, total }) = self.deletion_progress() {
            let (done, total) = (count(done as u64), count(total as u64));
            remarks.push((Tone::Good, format!("deleting: {done} of {total} tried")));
        }
        let unanswered = self.lease.unanswered_text();
        remarks.extend(unanswered.map(|text| (Tone::Warning, text)));
        if let Some(result) = &self.last_result {
            remarks.push((
                result.tone,
                format!("{} · {} UTC", visible(&result.text), clock(result.at)),
            ));
        }
        if self.messages.is_empty() {
            return remarks;
        }
        remarks.extend(self.search_remark());
        if let Some(fault) = self.received.error() {
            remarks.push((
                Tone::Bad,
                format!(
                    "{} · ^r tries again",
                    failed_at(fault, self.received.failed_at())
                ),
            ));
        }
        if self.lease.is_extension_failing {
            remarks.push((
                Tone::Warning,
                "the visibility timeout could not be extended; retrying · ^r receives the messages again"
                    .to_owned(),
            ));
        }
        if !self.lease.lost.is_empty() {
            let messages = message_count(self.lease.lost.len());
            remarks.push((
                Tone::Warning,
                format!(
                    "{messages} no longer held: gone, received by others, or visible to them · ^r receives what is left"
                ),
            ));
        }
        let Some(facts) = self.received.value() else {
            return remarks;
        };
        if let Some(error) = &facts.ledger_error {
            remarks.push((
                Tone::Warning,
                format!(
                    "ledger not reachable: ready may be stored already · R, then ^r checks again · {}",
                    visible(error)
                ),
            ));
        }
        if facts.is_truncated && self.is_full() {
            let received = count(self.messages.len() as u64);
            let text = format!(
                "the queue has more than the {received} that are received at once: redrive these, then ^r"
            );
            remarks.push((Tone::Warning, text));
        }
        remarks
    }
}
