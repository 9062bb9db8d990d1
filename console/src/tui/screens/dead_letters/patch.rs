//! Patches messages by a jq program: the line, the answer, the preview.
//!
//! Invariant: nothing is edited before the operator agreed to what is shown.

use std::sync::Arc;

use event::Verdict;

use super::line_input::{LineInput, Purpose};
use super::preview::Preview;
use super::state::{DeadLetters, Open};
use crate::tui::context::UpdateContext;
use crate::tui::format::{count, visible};
use crate::tui::keymap::Action;
use crate::tui::patch::{EditedMessage, Patched, Query, missing_colon};
use crate::tui::remote::Remote;
use crate::tui::request::{Answer, Reply, Request};
use crate::tui::theme::Tone;
use redrive::triage::Program;

impl DeadLetters {
    /// Patches the marked messages, else those that are listed.
    pub(super) fn begin_patch(&mut self, context: &mut UpdateContext<'_>) {
        if context.environment.read_only {
            let name = visible(&context.environment.name);
            let text = format!("{name} is read-only: no edits");
            context.notify(Tone::Warning, text);
            return;
        }
        let (scope, messages) = self.patchable();
        let is_at_rest =
            |message: &&&pipeline::model::DeadLetter| !self.has_operation(&message.message_id);
        let messages: Vec<_> = messages
            .iter()
            .filter(is_at_rest)
            .map(|message| self.patch_input(message))
            .collect();
        if messages.is_empty() {
            context.notify(Tone::Muted, "no messages to patch");
            return;
        }
        let messages = Arc::new(messages);
        let scope = scope.to_string();
        let purpose = Purpose::Patch { scope, messages };
        self.open = Open::Line(Box::new(LineInput::new(purpose, "")));
    }

    pub(super) fn act_on_line(&mut self, action: Action, context: &mut UpdateContext<'_>) {
        let Open::Line(line) = &mut self.open else {
            return;
        };
        #[expect(clippy::wildcard_enum_match_arm, reason = "the other keys write")]
        match action {
            Action::Back => self.open = Open::Nothing,
            Action::Confirm => {
                let text = line.text();
                match line.purpose.clone() {
                    Purpose::Search => {
                        // The line stays open where it cannot be meant: what is typed next would
                        // be read as keys.
                        if let Some(advice) = missing_colon(&text) {
                            line.refuse(advice, context.now);
                            return;
                        }
                        if let Some(Query::Program(program)) = Query::parse(&text)
                            && let Err(error) = Program::compile(&program)
                        {
                            line.refuse(format!("not a jq program: {error}"), context.now);
                            return;
                        }
                        self.open = Open::Nothing;
                        self.begin_query(&text, context);
                    }
                    Purpose::Patch { messages, .. } => {
                        line.progress = None;
                        context
                            .outbox
                            .fetch(&mut line.outcome, Reply::Patched, |to| {
                                Request::Patch(text, messages, to)
                            });
                    }
                    Purpose::Delete { message_ids, .. } => {
                        self.delete(&text, &message_ids, context)
                    }
                }
            }
            _ => {}
        }
    }

    /// A program was run over the messages of a patch.
    pub(crate) fn patched(&mut self, answer: Answer<Patched>, context: &mut UpdateContext<'_>) {
        let Open::Line(line) = &mut self.open else {
            return;
        };
        if !line.outcome.settle(answer, context.now) {
            return;
        }
        let Remote::Ready(fetched) = &line.outcome else {
            return;
        };
        let patched = fetched.value.clone();
        if patched.edited.is_empty() {
            line.refuse(changes_nothing(&patched), context.now);
            return;
        }
        let program = line.text();
        if let Purpose::Patch { scope, messages } = line.purpose.clone() {
            let preview = Preview::new(program, (scope, messages), patched);
            self.open = Open::Preview(Box::new(preview));
        }
    }

    pub(super) fn act_on_preview(&mut self, action: Action, context: &mut UpdateContext<'_>) {
        let Open::Preview(preview) = &mut self.open else {
            return;
        };
        let page = isize::try_from(context.body.height / 2).unwrap_or(1).max(1);
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "only the keys of the preview count"
        )]
        match action {
            Action::NextItem => preview.step(false),
            Action::PreviousItem => preview.step(true),
            Action::Up => preview.scroll(-1),
            Action::Down => preview.scroll(1),
            Action::PageUp => preview.scroll(-page),
            Action::PageDown => preview.scroll(page),
            Action::Patch => self.change_program(),
            Action::Back => {
                self.open = Open::Nothing;
                context.notify(Tone::Muted, "no edits made");
            }
            Action::Confirm => {
                let edited = std::mem::take(&mut preview.patched.edited);
                let number = count(edited.len() as u64);
                let is_ready = |edited: &&EditedMessage| edited.verdict == Verdict::Ready;
                let ready = count(edited.iter().filter(is_ready).count() as u64);
                self.open = Open::Nothing;
                // The next key means what was patched, wherever the focus is.
                self.marks = edited.iter().map(|m| m.message_id.clone()).collect();
                self.apply_edits(edited, context.body);
                let text = format!(
                    "{number} edited, {ready} of them ready, all marked · r plans the redrive, U \
                     undoes all"
                );
                context.notify(Tone::Good, text);
            }
            _ => {}
        }
    }

    /// Back to the program, for the same messages.
    fn change_program(&mut self) {
        let Open::Preview(preview) = &self.open else {
            return;
        };
        let purpose = Purpose::Patch {
            scope: preview.scope.clone(),
            messages: preview.messages.clone(),
        };
        self.open = Open::Line(Box::new(LineInput::new(purpose, &preview.program)));
    }
}

fn changes_nothing(patched: &Patched) -> String {
    let mut message = format!(
        "the program changes no message: {} unchanged",
        count(patched.unchanged as u64)
    );
    if let Some(why) = &patched.failure {
        let failed = count(patched.failed as u64);
        message.push_str(&format!(", {failed} failed: {}", visible(why)));
    }
    message
}
