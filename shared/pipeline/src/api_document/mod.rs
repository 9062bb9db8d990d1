//! The OpenAPI document of the HTTP API, as far as a caller needs it: operations, what they take, and what is wrong
//! with a value before it is sent.
//!
//! Invariant: a document is bounded, and what of it is not understood is left out, never guessed.

mod body;
mod document;
mod operation;
mod parameter;
mod read;

pub use self::body::ApiBody;
pub use self::document::ApiDocument;
pub use self::operation::{ApiOperation, InputError, NextPage};
pub use self::parameter::{ApiParameter, ParameterPlace, ValueKind};
