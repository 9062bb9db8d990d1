//! What a run does, in words. Invariant: what replaces records is never called anything else.

use redrive::Kind;

/// What a run does: a replay that replaces records destroys them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Redrive,
    Replay,
    Replacement,
}

impl Purpose {
    pub(super) const fn of(kind: Kind, replaces: usize) -> Self {
        match (kind, replaces) {
            (Kind::Redrive, _) => Self::Redrive,
            (Kind::Replay, 0) => Self::Replay,
            (Kind::Replay, _) => Self::Replacement,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Redrive => "redrive",
            Self::Replay => "replay",
            Self::Replacement => "replacement",
        }
    }

    /// As the first word of a title.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Redrive => "Redrive",
            Self::Replay => "Replay",
            Self::Replacement => "Replacement",
        }
    }
}
