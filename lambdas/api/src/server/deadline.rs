//! Time limits of a connection.
//!
//! Invariant: a connection is always in one phase, and each phase has a limit that no byte extends.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::{Instant, sleep_until};

use super::limits::ServerLimits;

/// What a connection is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing of the next request has come.
    Idle,
    /// A part of the next request's head has come.
    Head,
    /// A request is read, worked on or answered.
    Request,
    /// The last byte of the answer waits for being sent.
    Answered,
}

/// The phase of a connection and its limit.
#[derive(Debug)]
pub(super) struct Deadline {
    limits: ServerLimits,
    phase: Mutex<(Phase, Instant)>,
}

impl Deadline {
    /// A new connection.
    pub(super) fn new(limits: ServerLimits) -> Self {
        Self {
            limits,
            phase: Mutex::new((Phase::Idle, Instant::now())),
        }
    }

    /// Bytes came.
    pub(super) fn received(&self) {
        let mut phase = self.lock();
        if phase.0 == Phase::Idle {
            *phase = (Phase::Head, Instant::now());
        }
    }

    /// A request has begun.
    pub(super) fn requested(&self) {
        *self.lock() = (Phase::Request, Instant::now());
    }

    /// The answer is complete; some of it may not be sent. Its time still belongs to the request.
    pub(super) fn answered(&self) {
        let mut phase = self.lock();
        if phase.0 == Phase::Request {
            phase.0 = Phase::Answered;
        }
    }

    /// Nothing waits for being sent.
    pub(super) fn sent(&self) {
        let mut phase = self.lock();
        if phase.0 == Phase::Answered {
            *phase = (Phase::Idle, Instant::now());
        }
    }

    /// Waits until the phase that the connection is in has reached its limit.
    pub(super) async fn passed(&self) -> Phase {
        loop {
            let (phase, since) = *self.lock();
            let limit = match phase {
                Phase::Idle => self.limits.idle,
                Phase::Head => self.limits.head,
                Phase::Request | Phase::Answered => self.limits.request,
            };
            let (deadline, now) = (since + limit, Instant::now());
            if now >= deadline {
                return phase;
            }
            // A later phase can end sooner, but not before the shortest limit.
            sleep_until(deadline.min(now + self.limits.shortest())).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, (Phase, Instant)> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
