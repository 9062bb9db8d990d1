//! Which key does what, where. Invariant: help, hints and palette are made from this table, so a
//! key that works is always shown and a key that is shown always works.

mod action;
mod binding;
mod bindings;
mod key;
mod lookup;

/// What a key does, as the hint line shows it.
pub(crate) type Label = std::borrow::Cow<'static, str>;

pub(crate) use self::action::{Action, KeyContext};
pub(crate) use self::binding::Binding;
pub(crate) use self::bindings::BINDINGS;
pub(crate) use self::lookup::{hints, lookup};
