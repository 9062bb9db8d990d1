//! Where a run has its messages from: leased dead letters, or records that are read.
//!
//! Invariant: only a redrive has leases, so nothing of a replay can be received, released or deleted.

use std::collections::HashSet;
use std::time::Duration;

use crate::control::Control;
use crate::error::RedriveError;
use crate::lease::{Found, Leases, NoLease, Secured};
use crate::reading::Reading;
use pipeline::Hidden;

pub(super) enum Source<'a> {
    DeadLetters(Box<Leases<'a>>),
    Records(Box<Reading<'a>>),
}

impl<'a> Source<'a> {
    /// The leases of a redrive.
    pub(super) fn leases(&self) -> Option<&Leases<'a>> {
        match self {
            Self::DeadLetters(leases) => Some(leases),
            Self::Records(_) => None,
        }
    }

    /// Gives back what an earlier process hides, and puts on record what the caller received.
    pub(super) async fn begin(&self, hidden: Vec<(usize, String)>) -> Result<(), RedriveError> {
        if let Self::DeadLetters(leases) = self {
            leases.release_hidden(hidden).await;
            leases.record().await?;
        }
        Ok(())
    }

    /// Whether a message is at hand.
    pub(super) fn has(&self, index: usize) -> bool {
        match self {
            Self::DeadLetters(leases) => leases.has(index),
            Self::Records(reading) => reading.has(index),
        }
    }

    /// Size of what is sent for a message; 0 when it is not at hand.
    pub(super) fn bytes(&self, index: usize) -> usize {
        match self {
            Self::DeadLetters(leases) => leases.bytes(index),
            Self::Records(reading) => reading.bytes(index),
        }
    }

    /// Looks for `wanted` messages until `enough` of them are found. Only dead letters are waited for:
    /// nobody hides a record.
    pub(super) async fn find(
        &self,
        wanted: &HashSet<usize>,
        (enough, patience): (usize, Duration),
        control: &Control,
    ) -> Result<Found, RedriveError> {
        match self {
            Self::DeadLetters(leases) => leases.find(wanted, (enough, patience), control).await,
            Self::Records(reading) => reading.find(wanted, enough, control).await,
        }
    }

    /// The messages of a batch as they are now.
    pub(super) async fn secure(&self, indexes: &[usize]) -> Vec<(usize, Result<Secured, NoLease>)> {
        match self {
            Self::DeadLetters(leases) => leases.secure(indexes).await,
            Self::Records(reading) => reading.secure(indexes),
        }
    }

    /// Keeps messages hidden that wait for their turn, for as long as it is polled.
    pub(super) async fn heartbeat(&self) {
        match self {
            Self::DeadLetters(leases) => leases.heartbeat().await,
            Self::Records(_) => std::future::pending().await,
        }
    }

    /// Shows the dead letters again that a search received and did not need.
    pub(super) async fn release_passed(&self) {
        if let Self::DeadLetters(leases) = self {
            leases.release_passed().await;
        }
    }

    /// See [`Leases::release_passed_at_once`].
    pub(super) async fn release_passed_at_once(&self) -> Hidden {
        match self {
            Self::DeadLetters(leases) => leases.release_passed_at_once().await,
            Self::Records(_) => Hidden::default(),
        }
    }

    /// See [`Leases::release`].
    pub(super) async fn release(&self) -> Vec<usize> {
        match self {
            Self::DeadLetters(leases) => leases.release().await,
            Self::Records(_) => Vec::new(),
        }
    }

    /// Whether a dead letter is one that the plan moves.
    pub(super) fn is_planned(&self, message_id: &str) -> bool {
        match self {
            Self::DeadLetters(leases) => leases.is_planned(message_id),
            Self::Records(_) => false,
        }
    }

    /// Why a message stays that was not found; `are_gone` where it never will be.
    pub(super) const fn not_found(&self, are_gone: bool) -> &'static str {
        match self {
            Self::DeadLetters(_) if are_gone => "not among the dead letters any more",
            Self::DeadLetters(_) => "not among the dead letters, or received by another consumer",
            Self::Records(_) => "not where it was read from any more",
        }
    }
}
