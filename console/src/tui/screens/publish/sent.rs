//! The event that was sent last, and how far it came.
//!
//! Invariant: every answer belongs to this event; a failed request never ends the search before
//! its time.

use chrono::{DateTime, Duration, Utc};
use event::EventKey;

use crate::tui::context::UpdateContext;
use crate::tui::remote::Remote;
use crate::tui::request::{Reply, Request, Sought};
use pipeline::model::{Published, TraceState};

/// How long an event is searched for.
pub(super) const LOOK_FOR: Duration = Duration::seconds(60);
/// How often a valid event is searched for at first.
const LOOK_EVERY: Duration = Duration::milliseconds(300);
/// How often later, and for events that will be rejected: each of these searches receives dead
/// letters, and that counts as a receive of each.
const LOOK_LATER_EVERY: Duration = Duration::milliseconds(1_500);
/// When later begins.
const LATER: Duration = Duration::seconds(3);

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
        }
    }

    /// The acknowledgement came, or did not.
    pub(super) fn acknowledged(&mut self, context: &mut UpdateContext<'_>) {
        self.until = context.now + LOOK_FOR;
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
                searches_dead_letters: !context.is_resuming,
            };
            context.outbox.fetch(&mut self.state, Reply::Traced, |to| {
                Request::Trace(sought, to)
            });
        }
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
            Some(TraceState::Pending | TraceState::SearchTruncated { .. }) | None => false,
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
