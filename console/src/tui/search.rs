//! What a search among messages looks at. Pure; the sources look, since a console may hold very many messages.

use std::sync::Arc;

use event::Failure;

use super::failure_text::{failure_text, reason_text, request_text};
use pipeline::Body;
use pipeline::model::Reason;

/// The messages of one search.
pub(crate) type SearchInputs = Arc<Vec<SearchInput>>;

/// A message: what would be sent of it, and what the screen shows beside that. Texts are shared with the screen: a
/// search looks at very many messages.
#[derive(Clone, Debug)]
pub(crate) struct SearchInput {
    pub(crate) message_id: String,
    /// That of its edit where it is edited.
    pub(crate) body: Body,
    /// The name of its group, as the screen shows it.
    pub(crate) title: Arc<str>,
    /// Why the ingest rejected it, or why SNS did not deliver it.
    pub(crate) reason: Option<Arc<Reason>>,
    /// Why it would be refused now; that of its edit where it is edited.
    pub(crate) failure: Option<Arc<Failure>>,
}

/// A text that is searched for beside the bodies.
pub(crate) struct Shown(String);

impl Shown {
    pub(crate) fn new(text: &str) -> Self {
        Self(plain(text))
    }

    /// Whether the screen shows it of a message beside its body: in the name of its group, in its failure, or as an
    /// id.
    pub(crate) fn is_of(&self, input: &SearchInput) -> bool {
        let has = |shown: &str| plain(shown).contains(&self.0);
        let reason = input.reason.as_deref();
        has(&input.title)
            || has(&input.message_id)
            || reason.is_some_and(|reason| has(&reason_text(reason)))
            || reason.and_then(request_text).is_some_and(|id| has(&id))
            || input
                .failure
                .as_deref()
                .is_some_and(|it| has(&failure_text(it)))
    }
}

/// A text in lower case with single blanks: where the screen breaks its lines does not matter.
fn plain(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").to_lowercase()
}
