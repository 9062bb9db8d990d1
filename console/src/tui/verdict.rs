//! How verdicts look, and what an edit must warn of.

use event::Verdict;

use super::theme::{Tone, sign};

pub(crate) const fn verdict_tone(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Ready => Tone::Good,
        Verdict::AlreadyStored => Tone::Muted,
        Verdict::StillInvalid | Verdict::Unreadable => Tone::Bad,
    }
}

pub(crate) const fn verdict_sign(verdict: Verdict) -> &'static str {
    sign(verdict_tone(verdict))
}
