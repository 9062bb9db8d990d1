//! An answer, laid out once. Pure; invariant: what is cut is said, and what the API sent cannot control the terminal.

use pipeline::api_document::{ApiOperation, NextPage};
use pipeline::model::ApiAnswer;
use serde::Deserialize;

use crate::tui::document::Document;
use crate::tui::theme::Tone;

const PROBLEM: &str = "application/problem+json";

/// What an answer says.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) answer: ApiAnswer,
    pub(super) document: Document,
    pub(super) problem: Option<Problem>,
    /// What helps, where it failed.
    pub(super) next_step: Option<String>,
    pub(super) next_page: Option<NextPage>,
}

/// A problem document (RFC 9457).
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) title: String,
    #[serde(default)]
    pub(super) detail: String,
    #[serde(default)]
    pub(super) parameter: Option<String>,
}

impl Shown {
    /// Lays an answer to an operation out.
    pub(super) fn new(answer: ApiAnswer, operation: Option<&ApiOperation>) -> Self {
        let is_problem = answer
            .content_type
            .as_deref()
            .is_some_and(|kind| kind.starts_with(PROBLEM));
        let problem = serde_json::from_str(&answer.body).ok();
        let problem: Option<Problem> = problem.filter(|_| is_problem);
        let is_page = answer.status == 200 && !answer.is_cut;
        let next_page = operation
            .filter(|_| is_page)
            .and_then(|one| one.next_page(&answer.body));
        let pointer = problem.as_ref().map(|_| "/detail");
        Self {
            document: Document::new(&answer.body, pointer),
            next_step: next_step(&answer, problem.as_ref(), operation),
            problem,
            next_page,
            answer,
        }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        header(&self.answer, name)
    }
}

fn header<'a>(answer: &'a ApiAnswer, name: &str) -> Option<&'a str> {
    let mut headers = answer.headers.iter();
    let found = headers.find(|(one, _)| one.eq_ignore_ascii_case(name));
    found.map(|(_, value)| &**value)
}

/// What to do about an answer that is an error.
fn next_step(
    answer: &ApiAnswer,
    problem: Option<&Problem>,
    operation: Option<&ApiOperation>,
) -> Option<String> {
    let of_gateway = match (answer.status, problem) {
        (0..=399, _) => return None,
        (_, Some(_)) => None,
        (401 | 403, None) => {
            Some("the gateway refused it: `opsconsole env check` says what is missing")
        }
        (429, None) => Some("the gateway limits the rate of requests: send it again later"),
        (_, None) => None,
    };
    let meaning = operation.and_then(|one| one.answers.get(&answer.status));
    // What follows the title.
    let meaning = meaning.map(|text| text.split_once(": ").map_or(&**text, |(_, rest)| rest));
    let parameter = problem.and_then(|problem| problem.parameter.as_deref());
    let parameter = parameter.map(|name| format!("change {name} and send it again"));
    let wait = header(answer, "retry-after").map(|wait| match wait.parse::<u64>() {
        Ok(secs) => format!("try again after {secs} s"),
        Err(_) => format!("try again after {wait}"),
    });
    let steps = [
        of_gateway.map(str::to_owned),
        meaning.map(str::to_owned),
        parameter,
        wait,
    ];
    let steps: Vec<String> = steps.into_iter().flatten().collect();
    (!steps.is_empty()).then(|| steps.join(" · "))
}

/// The tone of the class of a status.
pub(super) const fn status_tone(status: u16) -> Tone {
    match status {
        200..=299 => Tone::Good,
        0..=399 => Tone::Muted,
        400..=499 => Tone::Warning,
        500.. => Tone::Bad,
    }
}
