//! A value that lives elsewhere. Invariant: what was once seen stays visible beside its error, and
//! an answer to anything but the latest question changes nothing.

use chrono::{DateTime, Duration, Utc};

use super::fault::Fault;
use super::request::{Answer, RequestId};

/// A value and when it was true.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fetched<T> {
    pub(crate) value: T,
    /// When the answer came.
    pub(crate) fetched_at: DateTime<Utc>,
}

/// Why a question failed, and when.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Failure {
    error: Fault,
    at: DateTime<Utc>,
}

/// What is known of a value that lives elsewhere.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Remote<T> {
    /// Not requested yet.
    #[default]
    Idle,
    /// A question is under way.
    Loading {
        /// The question whose answer counts.
        request: RequestId,
        /// When it was requested.
        since: DateTime<Utc>,
        /// What was known before.
        previous: Option<Fetched<T>>,
        /// Why the question before this one failed.
        last_error: Option<Failure>,
    },
    /// The last question was answered.
    Ready(Fetched<T>),
    /// The last question failed.
    Failed {
        /// Why.
        error: Fault,
        failed_at: DateTime<Utc>,
        /// What was known before.
        previous: Option<Fetched<T>>,
    },
}

impl<T> Remote<T> {
    /// The newest known value with its age.
    pub(crate) const fn fetched(&self) -> Option<&Fetched<T>> {
        match self {
            Self::Idle => None,
            Self::Ready(fetched) => Some(fetched),
            Self::Loading { previous, .. } | Self::Failed { previous, .. } => previous.as_ref(),
        }
    }

    /// The newest known value.
    pub(crate) fn value(&self) -> Option<&T> {
        self.fetched().map(|fetched| &fetched.value)
    }

    /// The newest known value, to change it in place.
    pub(crate) fn value_mut(&mut self) -> Option<&mut T> {
        match self {
            Self::Idle => None,
            Self::Ready(fetched) => Some(&mut fetched.value),
            Self::Loading { previous, .. } | Self::Failed { previous, .. } => {
                previous.as_mut().map(|fetched| &mut fetched.value)
            }
        }
    }

    /// The newest known value was brought up to date by another question.
    pub(crate) const fn seen_again(&mut self, now: DateTime<Utc>) {
        match self {
            Self::Ready(fetched)
            | Self::Loading {
                previous: Some(fetched),
                ..
            }
            | Self::Failed {
                previous: Some(fetched),
                ..
            } => fetched.fetched_at = now,
            Self::Idle
            | Self::Loading { previous: None, .. }
            | Self::Failed { previous: None, .. } => {}
        }
    }

    /// Why the latest finished question failed.
    pub(crate) const fn error(&self) -> Option<&Fault> {
        match self {
            Self::Failed { error, .. } => Some(error),
            Self::Loading { last_error, .. } => match last_error {
                Some(failure) => Some(&failure.error),
                None => None,
            },
            Self::Idle | Self::Ready(_) => None,
        }
    }

    /// When the latest finished question failed.
    pub(crate) fn failed_at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Failed { failed_at, .. } => Some(*failed_at),
            Self::Loading { last_error, .. } => last_error.as_ref().map(|failure| failure.at),
            Self::Idle | Self::Ready(_) => None,
        }
    }

    /// Whether the environment does not have it.
    pub(crate) fn is_not_configured(&self) -> bool {
        self.error().is_some_and(|error| error.is_not_configured)
    }

    /// Since when an answer is awaited.
    pub(crate) const fn loading_since(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Loading { since, .. } => Some(*since),
            Self::Idle | Self::Ready(_) | Self::Failed { .. } => None,
        }
    }

    /// Whether this is the answer to the latest request.
    pub(crate) fn awaits<A>(&self, answer: &Answer<A>) -> bool {
        matches!(self, Self::Loading { request, .. } if answer.is_to(*request))
    }

    /// Whether this waits for the answer to a request.
    pub(crate) fn is_waiting_for(&self, id: RequestId) -> bool {
        matches!(self, Self::Loading { request, .. } if *request == id)
    }

    /// Since when the value shown has been old: it is older than `limit`, or its successor was requested
    /// more than `late` ago and has not come. `None` while it is fresh, and where there is none.
    pub(crate) fn stale_since(
        &self,
        (limit, late): (Duration, Duration),
        now: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let fetched_at = self.fetched()?.fetched_at;
        let is_late = self.loading_since().is_some_and(|since| now - since > late);
        (is_late || now - fetched_at > limit).then_some(fetched_at)
    }

    /// Whether an answer is awaited.
    pub(crate) const fn is_loading(&self) -> bool {
        matches!(self, Self::Loading { .. })
    }

    /// A new question is under way.
    pub(crate) fn begin(&mut self, request: RequestId, now: DateTime<Utc>) {
        let (previous, last_error) = match std::mem::take(self) {
            Self::Idle => (None, None),
            Self::Ready(fetched) => (Some(fetched), None),
            Self::Loading {
                previous,
                last_error,
                ..
            } => (previous, last_error),
            Self::Failed {
                error,
                failed_at,
                previous,
            } => {
                let failure = Failure {
                    error,
                    at: failed_at,
                };
                (previous, Some(failure))
            }
        };
        *self = Self::Loading {
            request,
            since: now,
            previous,
            last_error,
        };
    }

    /// Applies an answer. `false`, and nothing changed, where it is not to the latest request.
    pub(crate) fn settle(&mut self, answer: Answer<T>, now: DateTime<Utc>) -> bool {
        let previous = match self {
            Self::Loading {
                request, previous, ..
            } if answer.is_to(*request) => previous.take(),
            Self::Loading { .. } | Self::Idle | Self::Ready(_) | Self::Failed { .. } => {
                return false;
            }
        };
        *self = match answer.into_result() {
            Ok(value) => Self::Ready(Fetched {
                value,
                fetched_at: now,
            }),
            Err(error) => Self::Failed {
                error,
                failed_at: now,
                previous,
            },
        };
        true
    }

    /// Whether it is time to request it (again): nothing is under way and the last answer is older than
    /// `interval`.
    pub(crate) fn is_due(&self, interval: Duration, now: DateTime<Utc>) -> bool {
        match self {
            Self::Idle => true,
            Self::Loading { .. } => false,
            Self::Ready(fetched) => now - fetched.fetched_at >= interval,
            Self::Failed { failed_at, .. } => now - *failed_at >= interval,
        }
    }

    /// Forgets everything; an answer under way will be ignored.
    pub(crate) fn reset(&mut self) {
        *self = Self::Idle;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(secs, 0).unwrap()
    }

    fn fault() -> Fault {
        Fault::new("read it: refused")
    }

    #[test]
    fn late_reply_is_ignored() {
        let mut remote = Remote::Idle;
        remote.begin(RequestId(1), at(0));
        remote.begin(RequestId(2), at(1));
        assert!(!remote.settle(Answer::new(RequestId(1), Ok(1)), at(2)));
        assert!(remote.settle(Answer::new(RequestId(2), Ok(2)), at(3)));
        assert!(!remote.settle(Answer::new(RequestId(2), Ok(3)), at(4)));
        assert_eq!(remote.value(), Some(&2));
    }

    #[test]
    fn value_stays_beside_its_error() {
        let mut remote = Remote::Idle;
        remote.begin(RequestId(1), at(0));
        remote.settle(Answer::new(RequestId(1), Ok(7)), at(1));
        remote.begin(RequestId(2), at(2));
        remote.settle(Answer::new(RequestId(2), Err(fault())), at(3));
        assert_eq!((remote.value(), remote.error()), (Some(&7), Some(&fault())));
        assert_eq!(remote.failed_at(), Some(at(3)));
        remote.begin(RequestId(3), at(4));
        assert_eq!((remote.value(), remote.error()), (Some(&7), Some(&fault())));
        assert_eq!(
            remote.failed_at(),
            Some(at(3)),
            "not when it was asked again"
        );
    }

    #[test]
    fn value_is_stale_when_it_is_old_or_its_successor_is_late() {
        let limits = (Duration::seconds(10), Duration::seconds(3));
        let mut remote = Remote::Idle;
        assert_eq!(remote.stale_since(limits, at(0)), None);
        remote.begin(RequestId(1), at(0));
        remote.settle(Answer::new(RequestId(1), Ok(7)), at(1));
        assert_eq!(remote.stale_since(limits, at(11)), None);
        assert_eq!(remote.stale_since(limits, at(12)), Some(at(1)));
        remote.begin(RequestId(2), at(5));
        assert_eq!(remote.stale_since(limits, at(8)), None);
        assert_eq!(remote.stale_since(limits, at(9)), Some(at(1)));
    }

    #[test]
    fn asks_again_only_when_due_and_never_twice_at_once() {
        let interval = Duration::seconds(5);
        let mut remote: Remote<u8> = Remote::Idle;
        assert!(remote.is_due(interval, at(0)));
        remote.begin(RequestId(1), at(0));
        assert!(!remote.is_due(interval, at(100)));
        remote.settle(Answer::new(RequestId(1), Err(fault())), at(100));
        assert!(!remote.is_due(interval, at(104)));
        assert!(remote.is_due(interval, at(105)));
    }
}
