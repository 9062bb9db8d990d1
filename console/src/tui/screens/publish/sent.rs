//! The event that was sent last, and how far it came.
//!
//! Invariant: every answer belongs to this event; a failed request never ends the search before
//! its time, and the time in which no request was answered is not counted, [`OUTAGE_MAX`] at most.

use chrono::{DateTime, Duration, Utc};
use event::EventKey;

use crate::tui::context::UpdateContext;
use crate::tui::remote::Remote;
use crate::tui::request::{Answer, Reply, Request, Sought};
use pipeline::model::{Published, TraceState};

/// How long an event is searched for.
pub(super) const LOOK_FOR: Duration = Duration::seconds(60);
/// How much longer, where look-ups failed meanwhile.
const OUTAGE_MAX: Duration = Duration::minutes(10);
/// How often a valid event is searched for at first.
const LOOK_EVERY: Duration = Duration::milliseconds(300);
/// How often later, and for events that will be rejected: each of these searches receives dead
/// letters, and that counts as a receive of each.
const LOOK_LATER_EVERY: Duration = Duration::milliseconds(1_500);
/// When later begins.
const LATER: Duration = Duration::seconds(3);

/// A search receives all dead letters and hides them from others. A valid event is usually stored late, and seldom
/// among them: it is searched there in a part of each turn, and others can receive them in the rest.
const SEARCH_TURN: Duration = Duration::seconds(20);
/// How much of a turn is searched.
const SEARCH_PART: Duration = Duration::seconds(5);

/// The last event that was sent from here.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) body: String,
    /// Its identity, where it is valid.
    pub(super) key: Option<EventKey>,
    /// What it is called on the screen.
    pub(super) name: String,
    /// Whether the environment has an API that could read it.
    pub(super) has_api: bool,
    /// Whether the same identity was sent from here before.
    pub(super) is_again: bool,
    /// When the operator sent it.
    pub(super) sent_at: DateTime<Utc>,
    /// The acknowledgement.
    pub(super) published: Remote<Published>,
    pub(super) state: Remote<TraceState>,
    /// When the search stops.
    pub(super) until: DateTime<Utc>,
    /// Whether the search stopped before its end was seen.
    pub(super) is_given_up: bool,
    /// Dead letters that the last search received, and until when they may be hidden from others.
    hidden: Option<(usize, DateTime<Utc>)>,
    /// When the operator last wanted it to be looked for.
    asked_at: Option<DateTime<Utc>>,
    /// When this search began.
    looked_from: Option<DateTime<Utc>>,
}

impl Sent {
    pub(super) fn send(
        body: String,
        key: Option<EventKey>,
        name: String,
        is_again: bool,
        context: &mut UpdateContext<'_>,
    ) -> Self {
        let mut published = Remote::Idle;
        let text = body.clone();
        context
            .outbox
            .fetch(&mut published, Reply::Published, |to| {
                Request::Publish(text, to)
            });
        Self {
            body,
            key,
            name,
            has_api: context.environment.api_url.is_some(),
            is_again,
            sent_at: context.now,
            published,
            state: Remote::Idle,
            until: context.now + LOOK_FOR,
            is_given_up: false,
            hidden: None,
            asked_at: None,
            looked_from: None,
        }
    }

    /// The acknowledgement came, or did not.
    pub(super) fn acknowledged(&mut self, context: &mut UpdateContext<'_>) {
        self.until = context.now + LOOK_FOR;
        self.looked_from = Some(context.now);
        self.look(context);
    }

    /// Looks where it is, if it is time to.
    pub(super) fn tick(&mut self, context: &mut UpdateContext<'_>) {
        if self.is_searching() && (context.now >= self.until || self.is_beyond_reach()) {
            self.is_given_up = true;
        }
        if self.is_searching() && self.state.is_due(self.look_every(context.now), context.now) {
            self.look(context);
        }
    }

    /// Looks again now, and for a while.
    pub(super) fn look_again(&mut self, context: &mut UpdateContext<'_>) {
        self.until = context.now + LOOK_FOR;
        self.asked_at = Some(context.now);
        self.looked_from = Some(context.now);
        self.is_given_up = false;
        if !self.state.is_loading() {
            self.look(context);
        }
    }

    fn look(&mut self, context: &mut UpdateContext<'_>) {
        if let Remote::Ready(published) = &self.published {
            let sought = Sought {
                key: self.key.clone(),
                body: self.body.clone(),
                published: published.value.clone(),
                // A redrive that is being resumed would wait for what a search receives.
                searches_dead_letters: !context.is_resuming && self.may_hide(context.now),
            };
            context.outbox.fetch(&mut self.state, Reply::Traced, |to| {
                Request::Trace(sought, to)
            });
        }
    }

    /// An answer came. What its search received stays hidden also while later looks receive nothing.
    pub(super) fn traced(&mut self, answer: Answer<TraceState>, now: DateTime<Utc>) {
        let is_settled = self.state.settle(answer, now);
        if is_settled && self.state.error().is_some() {
            let until = now + LOOK_FOR;
            let longest = self.looked_from.map(|from| from + LOOK_FOR + OUTAGE_MAX);
            self.until = longest.map_or(until, |longest| until.min(longest).max(self.until));
        }
        if is_settled
            && let Some(TraceState::Searched {
                messages,
                hidden_until,
            }) = self.state.value()
        {
            self.hidden = Some((*messages, *hidden_until));
        }
    }

    /// Dead letters that may be hidden from others at `now`, and until when.
    pub(super) fn hidden(&self, now: DateTime<Utc>) -> Option<(usize, DateTime<Utc>)> {
        self.hidden.filter(|(_, until)| now < *until)
    }

    /// Whether a look may receive dead letters, see [`SEARCH_TURN`]. What the ingest rejects can be nowhere else.
    fn may_hide(&self, now: DateTime<Utc>) -> bool {
        let begun = match self.asked_at {
            Some(at) => Some(at),
            None => self.acknowledged_at().map(|at| at + LATER),
        };
        let Some(begun) = begun else { return true };
        let turn_ms = (now - begun).num_milliseconds() % SEARCH_TURN.num_milliseconds();
        self.key.is_none() || turn_ms < SEARCH_PART.num_milliseconds()
    }

    fn look_every(&self, now: DateTime<Utc>) -> Duration {
        let age = self
            .acknowledged_at()
            .map_or(Duration::zero(), |at| now - at);
        if self.key.is_some() && age < LATER {
            LOOK_EVERY
        } else {
            LOOK_LATER_EVERY
        }
    }

    /// When SNS accepted it.
    pub(super) fn acknowledged_at(&self) -> Option<DateTime<Utc>> {
        self.published
            .value()
            .map(|published| published.acknowledged_at)
    }

    /// Whether there is nothing more to come.
    pub(super) fn is_over(&self) -> bool {
        match self.state.value() {
            Some(TraceState::Stored { readable, .. }) => readable.is_some() || !self.has_api,
            Some(TraceState::Dead { .. }) => true,
            Some(
                TraceState::Pending
                | TraceState::Searched { .. }
                | TraceState::SearchTruncated { .. },
            )
            | None => false,
        }
    }

    /// Whether it can only be among the dead letters that no further look receives.
    fn is_beyond_reach(&self) -> bool {
        let is_truncated = matches!(self.state.value(), Some(TraceState::SearchTruncated { .. }));
        is_truncated && self.key.is_none() && !self.state.is_loading()
    }

    /// When the search stopped, where it did before its end was seen.
    pub(super) fn given_up_at(&self) -> Option<DateTime<Utc>> {
        self.is_given_up.then_some(self.until)
    }

    /// Whether it is being searched for.
    pub(super) fn is_searching(&self) -> bool {
        self.acknowledged_at().is_some() && !self.is_over() && !self.is_given_up
    }

    /// Since when something is awaited.
    pub(super) fn waiting_since(&self) -> Option<DateTime<Utc>> {
        self.published
            .loading_since()
            .or_else(|| self.acknowledged_at().filter(|_| self.is_searching()))
    }
}
