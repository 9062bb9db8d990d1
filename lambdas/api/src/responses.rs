//! The problems of operations, for their documentation.
//!
//! Invariant: each kind of problem is documented with the status that it has.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Content, Ref, RefOr, Response, ResponseBuilder};

use crate::problem::ProblemKind;

/// What every operation can answer.
pub(crate) struct Always;

impl IntoResponses for Always {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        references(is_everywhere)
    }
}

/// What a path to one thing can answer.
pub(crate) struct OrNotFound;

impl IntoResponses for OrNotFound {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        references(|kind| kind == ProblemKind::NotFound)
    }
}

/// What an operation with a body can answer.
pub(crate) struct OrTooLarge;

impl IntoResponses for OrTooLarge {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        references(|kind| kind == ProblemKind::BodyTooLarge)
    }
}

fn is_everywhere(kind: ProblemKind) -> bool {
    match kind {
        ProblemKind::NotFound | ProblemKind::MethodNotAllowed | ProblemKind::BodyTooLarge => false,
        ProblemKind::InvalidParameter
        | ProblemKind::UriTooLong
        | ProblemKind::HeadersTooLarge
        | ProblemKind::TooSlow
        | ProblemKind::Unavailable
        | ProblemKind::Internal => true,
    }
}

fn references(is_chosen: impl Fn(ProblemKind) -> bool) -> BTreeMap<String, RefOr<Response>> {
    ProblemKind::ALL
        .into_iter()
        .filter(|kind| is_chosen(*kind))
        .map(|kind| {
            let reference = Ref::from_response_name(component(kind));
            (kind.status().as_str().to_owned(), RefOr::Ref(reference))
        })
        .collect()
}

/// The responses to which the operations refer.
pub(crate) fn components() -> BTreeMap<String, RefOr<Response>> {
    let mut responses: BTreeMap<String, RefOr<Response>> = BTreeMap::new();
    for kind in ProblemKind::ALL {
        // Kinds with the same status share a response.
        let alike: Vec<String> = ProblemKind::ALL
            .into_iter()
            .filter(|other| other.status() == kind.status())
            .map(|kind| format!("{}: {}", kind.title(), kind.meaning()))
            .collect();
        let content = Content::new(Some(RefOr::Ref(Ref::from_schema_name("Problem"))));
        let mut response = ResponseBuilder::new()
            .description(alike.join("\n\n"))
            .content("application/problem+json", content)
            .build();
        if kind == ProblemKind::Unavailable {
            response.headers.insert(
                "retry-after".to_owned(),
                header_with_text("Seconds until another attempt makes sense."),
            );
        }
        responses.insert(component(kind), response.into());
    }
    responses
}

fn component(kind: ProblemKind) -> String {
    format!("Problem{}", kind.status().as_u16())
}

/// A header with text.
pub(crate) fn header_with_text(description: &str) -> RefOr<Header> {
    let text = ObjectBuilder::new().schema_type(Type::String);
    HeaderBuilder::new()
        .schema(Some(text))
        .description(Some(description))
        .build()
        .into()
}
