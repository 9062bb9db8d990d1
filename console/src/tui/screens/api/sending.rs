//! What is sent, and what comes back.
//!
//! Invariant: one call is under way at a time; the next one of a series is sent when the one before was answered, and
//! an answer to a call that was cancelled changes nothing.

use pipeline::api_call::{ApiCall, CurlCommand};
use pipeline::api_document::{ApiDocument, InputError};
use pipeline::model::ApiAnswer;

use super::answer::Shown;
use super::form::rows;
use super::past::{Past, Sent, keep};
use super::state::{Api, Calling, Outcome, Over, Pane, Series};
use crate::tui::context::UpdateContext;
use crate::tui::effect::Effect;
use crate::tui::format::visible;
use crate::tui::layout::is_wide;
use crate::tui::request::{Answer, Reply, Request};
use crate::tui::theme::Tone;

impl Api {
    /// Reads the document of the deployed API.
    pub(super) fn read_document(&mut self, context: &mut UpdateContext<'_>) {
        if !self.deployed.is_loading() {
            context
                .outbox
                .fetch(&mut self.deployed, Reply::ApiDocument, Request::ApiDocument);
        }
    }

    pub(crate) fn document_came(
        &mut self,
        answer: Answer<Box<ApiDocument>>,
        context: &mut UpdateContext<'_>,
    ) {
        self.deployed.settle(answer, context.now);
        // The selection stays on its operation.
        self.find_selected(context.body);
    }

    /// Sends the selected operation so often.
    pub(super) fn send(&mut self, calls: u32, context: &mut UpdateContext<'_>) {
        if self.calling.is_some() {
            context.notify(Tone::Muted, "a call is under way; esc cancels it");
            return;
        }
        let Some(sent) = self.composed(context) else {
            return;
        };
        self.series = (calls > 1).then(|| Series {
            wanted: calls,
            calls: pipeline::api_call::CallSeries::default(),
            stopped: None,
        });
        if !is_wide(context.body) {
            self.focus = Pane::Answer;
        }
        self.call(sent, calls.saturating_sub(1), context);
    }

    /// The call as it is typed; says what is wrong with it, where it is.
    fn composed(&mut self, context: &mut UpdateContext<'_>) -> Option<Sent> {
        let (operation, form) = self.form_mut()?;
        let values = form.values.clone();
        match operation.call(&values, &form.body) {
            Ok(call) => Some(Sent {
                key: operation.key(),
                values,
                call,
            }),
            Err(errors) => {
                let InputError { name, text } = errors.into_iter().next()?;
                let row = rows(&operation).iter().position(|row| *row == name);
                form.list.selected = row.unwrap_or_default();
                self.focus = Pane::Form;
                self.reveal(context.body);
                let text = visible(&format!("nothing was sent: {name} {text}"));
                context.notify(Tone::Warning, text);
                None
            }
        }
    }

    fn call(&mut self, sent: Sent, left: u32, context: &mut UpdateContext<'_>) {
        let call: Box<ApiCall> = Box::new(sent.call.clone());
        let request = context
            .outbox
            .request(Reply::ApiAnswered, |to| Request::ApiCall(call, to));
        self.calling = Some(Calling {
            request,
            since: context.now,
            sent,
            left,
        });
    }

    pub(crate) fn answered(
        &mut self,
        answer: Answer<Option<Box<ApiAnswer>>>,
        context: &mut UpdateContext<'_>,
    ) {
        let is_it = |calling: &mut Calling| answer.is_to(calling.request);
        let Some(Calling { sent, left, .. }) = self.calling.take_if(is_it) else {
            return;
        };
        let result = match answer.into_result() {
            Ok(Some(answer)) => {
                let operation = self.document().operation(&sent.key);
                Ok(Box::new(Shown::new(*answer, operation)))
            }
            Ok(None) => return,
            Err(fault) => Err(fault),
        };
        if let Some(series) = &mut self.series {
            match &result {
                Ok(shown) => series.calls.answered(&shown.answer),
                Err(_) => {
                    series.calls.unanswered();
                    series.stopped = (left > 0).then_some("the last one had no answer");
                }
            }
        }
        let is_next = left > 0 && result.is_ok();
        if !is_next {
            let calls = self
                .series
                .as_ref()
                .map_or(1, |series| series.calls.calls());
            let past = Past {
                at: context.now,
                sent: sent.clone(),
                result: match &result {
                    Ok(shown) => Ok((shown.answer.status, shown.answer.latency)),
                    Err(fault) => Err(fault.message.clone()),
                },
                calls,
                has_lost_body: false,
            };
            keep(&mut self.history, past);
        }
        self.answer_offset = 0;
        self.outcome = Some(Outcome {
            at: context.now,
            sent: sent.clone(),
            result,
        });
        if is_next {
            self.call(sent, left - 1, context);
        }
    }

    /// Whether a call was cancelled.
    pub(super) fn cancel(&mut self, context: &mut UpdateContext<'_>) -> bool {
        let Some(calling) = self.calling.take() else {
            return false;
        };
        let effect = Effect::CancelCall(calling.request);
        context.outbox.effects.push(effect);
        let calls = self
            .series
            .as_ref()
            .map_or(0, |series| series.calls.calls());
        let past = Past {
            at: context.now,
            sent: calling.sent,
            result: Err("cancelled".to_owned()),
            calls: calls + 1,
            has_lost_body: false,
        };
        keep(&mut self.history, past);
        if let Some(series) = &mut self.series {
            series.stopped = Some("it was cancelled");
        }
        context.notify(Tone::Muted, "cancelled: its answer is not waited for");
        true
    }

    /// Fills in where the next page begins, and sends that.
    pub(super) fn send_next_page(&mut self, context: &mut UpdateContext<'_>) {
        let next = self.shown().and_then(|shown| shown.next_page.clone());
        let sent = self.outcome.as_ref().map(|outcome| outcome.sent.clone());
        let (Some(next), Some(sent)) = (next, sent) else {
            context.notify(Tone::Muted, "this answer has no next page");
            return;
        };
        if self.calling.is_some() || !self.fill(sent, context) {
            return;
        }
        if let Some((_, form)) = self.form_mut() {
            form.values.insert(next.parameter, next.value);
        }
        self.send(1, context);
    }

    /// Fills the form as a call was typed; `false` where the document has no such operation.
    pub(super) fn fill(&mut self, sent: Sent, context: &mut UpdateContext<'_>) -> bool {
        let key = sent.key;
        if self.document().operation(&key).is_none() {
            let text = format!("the document of the API has no {}", visible(&key));
            context.notify(Tone::Warning, text);
            return false;
        }
        self.selected = Some(key);
        self.find_selected(context.body);
        if let Some((_, form)) = self.form_mut() {
            form.values = sent.values;
            if let Some(body) = sent.call.body {
                form.body = body;
            }
        }
        true
    }

    /// Copies the call as it is typed, and shows what was copied.
    pub(super) fn copy_curl(&mut self, context: &mut UpdateContext<'_>) {
        let Some(sent) = self.composed(context) else {
            return;
        };
        match CurlCommand::of(context.environment, &sent.call) {
            Some(command) => {
                let text = command.text.clone();
                context.outbox.copy("the curl command", text);
                self.over = Some(Over::Curl(command));
            }
            None => context.notify(Tone::Warning, "the environment has no API"),
        }
    }
}
