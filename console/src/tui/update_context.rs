//! What one update may do besides changing its own state.

use chrono::{DateTime, Duration, Utc};
use ratatui::layout::Rect;

use super::message::{Effect, Notice, Request, RequestId, Tone};
use super::redrives::{Reviewed, Selection};
use super::remote::Remote;
use super::screens::ScreenId;

/// How long a notice stays.
const NOTICE_SECS: i64 = 8;

/// One run of `update`: the time, the room on the screen, and what is wanted.
#[derive(Debug)]
pub struct UpdateContext<'a> {
    /// The time of the message.
    pub now: DateTime<Utc>,
    /// Where the screen is drawn.
    pub body: Rect,
    /// What is wanted of the pipeline, in order.
    pub effects: Vec<Effect>,
    /// A line for the operator.
    pub notice: Option<Notice>,
    /// The screen to go to.
    pub go_to: Option<ScreenId>,
    /// Messages that the operator wants to redrive.
    pub review: Option<Selection>,
    /// What came of looking at them.
    pub reviewed: Option<Reviewed>,
    next_request: &'a mut u64,
}

impl<'a> UpdateContext<'a> {
    /// A turn at `now` for a screen of `body`.
    pub const fn new(now: DateTime<Utc>, body: Rect, next_request: &'a mut u64) -> Self {
        Self {
            now,
            body,
            effects: Vec::new(),
            notice: None,
            go_to: None,
            review: None,
            reviewed: None,
            next_request,
        }
    }

    /// Asks the pipeline; the answer carries the id.
    pub fn ask(&mut self, request: Request) -> RequestId {
        *self.next_request += 1;
        let id = RequestId(*self.next_request);
        self.effects.push(Effect::Ask { id, request });
        id
    }

    /// Asks the pipeline for the value of `remote`.
    pub fn fetch<T>(&mut self, remote: &mut Remote<T>, request: Request) {
        let id = self.ask(request);
        remote.begin(id, self.now);
    }

    /// Tells the operator something.
    pub fn say(&mut self, tone: Tone, text: impl Into<String>) {
        self.notice = Some(Notice {
            text: text.into(),
            tone,
            until: self.now + Duration::seconds(NOTICE_SECS),
        });
    }

    /// Copies a text to the terminal's clipboard and says so.
    pub fn copy(&mut self, what: &str, text: String) {
        self.effects.push(Effect::Copy(text));
        self.say(Tone::Good, format!("copied {what}"));
    }
}
