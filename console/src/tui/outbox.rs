//! What one update wants besides changing its own state: effects, a notice, handovers.

use chrono::{DateTime, Duration, Utc};

use super::effect::Effect;
use super::handover::Handover;
use super::remote::Remote;
use super::request::{Answer, Reply, ReplyTo, Request, RequestId};
use super::theme::Tone;

/// How long a notice stays.
const NOTICE_SECS: i64 = 8;

/// A line for the operator that goes away by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) text: String,
    pub(crate) tone: Tone,
    /// When it goes away.
    pub(crate) until: DateTime<Utc>,
}

#[derive(Debug)]
pub(crate) struct Outbox {
    /// The time of the message that is being applied.
    pub(crate) now: DateTime<Utc>,
    /// In the order in which they happen.
    pub(crate) effects: Vec<Effect>,
    pub(crate) notice: Option<Notice>,
    pub(crate) handovers: Vec<Handover>,
    /// The number of the newest request.
    pub(crate) last_request: u64,
}

impl Outbox {
    pub(crate) const fn new(now: DateTime<Utc>, last_request: u64) -> Self {
        Self {
            now,
            effects: Vec::new(),
            notice: None,
            handovers: Vec::new(),
            last_request,
        }
    }

    /// Sends a request; its answer arrives as this reply.
    pub(crate) fn request<T>(
        &mut self,
        reply: fn(Answer<T>) -> Reply,
        request: impl FnOnce(ReplyTo<T>) -> Request,
    ) -> RequestId {
        self.last_request += 1;
        let id = RequestId(self.last_request);
        let request = request(ReplyTo::new(id, reply));
        self.effects.push(Effect::Request(request));
        id
    }

    /// Sends a request whose answer `remote` waits for.
    pub(crate) fn fetch<T, V>(
        &mut self,
        remote: &mut Remote<V>,
        reply: fn(Answer<T>) -> Reply,
        request: impl FnOnce(ReplyTo<T>) -> Request,
    ) {
        let id = self.request(reply, request);
        remote.begin(id, self.now);
    }

    /// Shows a line to the operator.
    pub(crate) fn notify(&mut self, tone: Tone, text: impl Into<String>) {
        self.notice = Some(Notice {
            text: text.into(),
            tone,
            until: self.now + Duration::seconds(NOTICE_SECS),
        });
    }

    /// Copies a text to the terminal's clipboard and shows that it did.
    pub(crate) fn copy(&mut self, what: &str, text: String) {
        self.effects.push(Effect::Copy(text));
        self.notify(Tone::Good, format!("copied {what}"));
    }
}
