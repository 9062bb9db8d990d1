//! An event is written, judged as the ingest would, sent, and followed to its end.
//!
//! Invariant: nothing is sent that the operator did not see judged; what is refused, and anything in
//! production, is sent only after a question.

mod layout;
mod question;
mod sent;
mod state;
mod timeline;
mod update;
mod view;

pub(crate) use self::state::Publish;

#[cfg(test)]
mod tests;
