//! jq programs over events: one that selects, one that patches.
//!
//! Invariant: a program can neither read the environment of this process nor write to the terminal;
//! a patch gives exactly one event or an error. Compiling has a stack for any text that is short
//! enough; what running may use is limited by the worker alone.

use std::thread;

use event::unwrap_envelope;
use jaq_core::load::{Arena, File, Loader};
use jaq_core::native::Fun;
use jaq_core::{Compiler, Ctx, Vars, data, load};
use jaq_json::{Val, read, write};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::limits::{EVENT_TIME_MAX, MEMORY_BYTES_MAX, STACK_BYTES_MAX};
use pipeline::BodyError;

/// Natives and definitions of the standard library that reach beyond the event.
const WITHHELD: [&str; 9] = [
    "debug",
    "debug_empty",
    "env",
    "halt",
    "halt_error",
    "input_line_number",
    "repl",
    "stderr",
    "stderr_empty",
];
/// Longest program, in bytes.
const PROGRAM_BYTES_MAX: usize = 16 * 1024;
/// Stack for the compilation, in bytes: as much, and for each byte of the program.
const STACK_BYTES_MIN: usize = 1024 * 1024;
const STACK_BYTES_PER_BYTE: usize = 16 * 1024;
/// Longest error of a program, in characters.
const ERROR_CHARS_MAX: usize = 80;
/// Longest quote of a program's text, in characters.
const PLACE_CHARS_MAX: usize = 24;

type Data = data::JustLut<Val>;
type Filter = jaq_core::Filter<Data>;

/// A jq program that compiles. It runs in an [`Interpreter`](super::Interpreter).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    text: String,
}

/// A compiled program. Running it may end the process: only a worker does.
pub(super) struct Compiled {
    filter: Filter,
}

/// Why a text is no program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}{}", place(.near))]
pub struct ProgramError {
    /// What is wrong.
    pub detail: String,
    /// The text where it is wrong; empty at the end of the program.
    pub near: Option<String>,
}

/// What a program may use no more of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Limit {
    /// Memory, e.g. for a list without end.
    #[error("more than {} MB of memory", MEMORY_BYTES_MAX / (1024 * 1024))]
    Memory,
    /// Stack, e.g. for a recursion without end.
    #[error("more than {} MB of stack", STACK_BYTES_MAX / (1024 * 1024))]
    Stack,
    /// Time.
    #[error("more than {} s for one message", EVENT_TIME_MAX.as_secs())]
    Time,
    /// The process ended without showing why.
    #[error("more than its process may use")]
    Unknown,
}

/// Why a program gave no result for one event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum RunError {
    /// The body is no JSON, or has an escape of half a surrogate pair, which JSON permits (RFC 8259, section 8.2) and
    /// no text of jq can hold.
    #[error(
        "jq cannot read the body: it is not JSON, or a text in it has half of a surrogate pair"
    )]
    NotJson,
    /// The program itself failed, e.g. a number was added to a text.
    #[error("the program fails: {0}")]
    Failed(String),
    /// The body is in the spool and cannot be read.
    #[error("{0}")]
    NoBody(String),
    /// A patch has to give one event.
    #[error("the program gives {0} results; a patch gives exactly one")]
    NotOne(usize),
    /// The program reached a limit.
    #[error("the program needed {0}")]
    Limit(Limit),
    /// It reached a limit on so many messages that it is not run on the others.
    #[error("the program was not run: it reached a limit on {0} other messages")]
    NotRun(usize),
}

impl From<BodyError> for RunError {
    fn from(error: BodyError) -> Self {
        Self::NoBody(error.to_string())
    }
}

fn place(near: &Option<String>) -> String {
    match near.as_deref() {
        None => String::new(),
        Some("") => " at the end of the program".to_owned(),
        Some(near) => format!(" at {near:?}"),
    }
}

impl Program {
    /// Checks a jq program (jq 1.7 manual; the dialect is that of jaq).
    ///
    /// # Errors
    /// When the text is no program, or uses what is not there.
    pub fn compile(text: &str) -> Result<Self, ProgramError> {
        Compiled::of(text).map(|_| Self {
            text: text.to_owned(),
        })
    }

    /// The program as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl Compiled {
    pub(super) fn of(text: &str) -> Result<Self, ProgramError> {
        let refused = |detail: String| ProgramError { detail, near: None };
        if text.len() > PROGRAM_BYTES_MAX {
            let detail = format!("a program has at most {PROGRAM_BYTES_MAX} bytes");
            return Err(refused(detail));
        }
        // The compiler calls itself for what is nested, which is at most each byte of the text.
        let stack_bytes = STACK_BYTES_MIN + text.len() * STACK_BYTES_PER_BYTE;
        let thread = thread::Builder::new().stack_size(stack_bytes);
        thread::scope(|scope| {
            let thread = thread.spawn_scoped(scope, || Self::on_this_stack(text));
            match thread.map(thread::ScopedJoinHandle::join) {
                Ok(Ok(compiled)) => compiled,
                Ok(Err(_)) => Err(refused("the compiler fails on it".to_owned())),
                Err(error) => Err(refused(format!("no thread compiles it: {error}"))),
            }
        })
    }

    fn on_this_stack(text: &str) -> Result<Self, ProgramError> {
        let definitions = jaq_core::defs()
            .chain(jaq_std::defs())
            .chain(jaq_json::defs())
            .filter(|definition| !WITHHELD.contains(&definition.name));
        let arena = Arena::default();
        let file = File {
            code: text,
            path: (),
        };
        let modules = Loader::new(definitions)
            .load(&arena, file)
            .map_err(|errors| not_loaded(text, &errors))?;
        let filter = Compiler::default()
            .with_funs(natives())
            .compile(modules)
            .map_err(|errors| not_compiled(&errors))?;
        Ok(Self { filter })
    }

    /// Whether the program's first result on the event is neither `false` nor `null`. A body in an
    /// SNS envelope is looked into.
    ///
    /// # Errors
    /// When the body is no JSON or the program fails on it.
    pub(super) fn selects(&self, body: &str) -> Result<bool, RunError> {
        let first = self.results(body)?.next();
        match first {
            None => Ok(false),
            Some(Ok(value)) => Ok(!matches!(value, Val::Null | Val::Bool(false))),
            Some(Err(error)) => Err(error),
        }
    }

    /// The event as the program changes it: compact JSON, members in their order, numbers that
    /// were not touched as they were written. Out of an SNS envelope comes the bare event.
    ///
    /// # Errors
    /// When the body is no JSON, or the program fails on it or gives not exactly one result.
    pub(super) fn patch(&self, body: &str) -> Result<String, RunError> {
        let mut results = self.results(body)?;
        let Some(first) = results.next().transpose()? else {
            return Err(RunError::NotOne(0));
        };
        if results.next().transpose()?.is_some() {
            // More than two are not counted: there may be no end of them.
            return Err(RunError::NotOne(2));
        }
        let mut text = Vec::new();
        write::write(&mut text, &write::Pp::default(), 0, &first)
            .map_err(|error| RunError::Failed(error.to_string()))?;
        // The writer writes more than JSON: NaN, bytes, objects with any keys.
        let is_json = |text: &String| serde_json::from_str::<&RawValue>(text).is_ok();
        String::from_utf8(text)
            .ok()
            .filter(is_json)
            .ok_or_else(|| RunError::Failed("the result is not JSON".to_owned()))
    }

    fn results(&self, body: &str) -> Result<impl Iterator<Item = Result<Val, RunError>>, RunError> {
        let event = unwrap_envelope(body);
        // The reader takes more than JSON does: comments, NaN, bytes.
        serde_json::from_str::<&RawValue>(&event).map_err(|_| RunError::NotJson)?;
        let input = read::parse_single(event.as_bytes()).map_err(|_| RunError::NotJson)?;
        let context = Ctx::<Data>::new(&self.filter.lut, Vars::new([]));
        Ok(self.filter.id.run((context, input)).map(|result| {
            result.map_err(|exception| match exception.get_err() {
                // It quotes the value that it failed on, which may be the whole event.
                Ok(error) => RunError::Failed(excerpt(&error.to_string(), ERROR_CHARS_MAX)),
                Err(_) => RunError::Failed("`break` is used outside its `label`".to_owned()),
            })
        }))
    }
}

fn natives() -> impl Iterator<Item = Fun<Data>> {
    jaq_core::funs::<Data>()
        .chain(jaq_std::funs())
        .chain(jaq_json::funs())
        .filter(|(name, ..)| !WITHHELD.contains(name))
}

fn not_loaded(text: &str, errors: &load::Errors<&str, ()>) -> ProgramError {
    let wrong = |expected: &str, near: &str| ProgramError {
        detail: format!("expected {expected}"),
        near: Some(excerpt(near, PLACE_CHARS_MAX)),
    };
    match errors.first().map(|(_, error)| error) {
        Some(load::Error::Lex(errors)) => match errors.first() {
            Some((expected, near)) => wrong(expected.as_str(), near),
            None => wrong("a program", text),
        },
        Some(load::Error::Parse(errors)) => match errors.first() {
            Some((expected, near)) => wrong(expected.as_str(), near),
            None => wrong("a program", text),
        },
        Some(load::Error::Io(errors)) => ProgramError {
            detail: "modules cannot be loaded".to_owned(),
            near: errors
                .first()
                .map(|(path, _)| excerpt(path, PLACE_CHARS_MAX)),
        },
        None => wrong("a program", text),
    }
}

fn not_compiled(errors: &jaq_core::compile::Errors<&str, ()>) -> ProgramError {
    let first = errors.first().and_then(|(_, errors)| errors.first());
    match first {
        Some((name, undefined)) => ProgramError {
            detail: format!("unknown {}", undefined.as_str()),
            near: Some(excerpt(name, PLACE_CHARS_MAX)),
        },
        None => ProgramError {
            detail: "it does not compile".to_owned(),
            near: None,
        },
    }
}

/// The beginning of a text, for an error of one line.
fn excerpt(text: &str, chars_max: usize) -> String {
    let line = text.lines().next().unwrap_or_default();
    let mut excerpt: String = line.chars().take(chars_max).collect();
    if excerpt.len() < line.len() {
        excerpt.push('…');
    }
    excerpt
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#"{"type":"flight.delayed","data":{"minutes":35,"price":10.10,"big":12345678901234567890123},"id":"a"}"#;

    fn patch(program: &str, body: &str) -> Result<String, RunError> {
        Compiled::of(program).unwrap().patch(body)
    }

    #[test]
    fn selects_by_truth_of_the_first_result() {
        for (program, expected) in [
            (r#".type | startswith("flight.")"#, true),
            (".data.minutes > 60", false),
            (".absent", false),
            ("empty", false),
            (".data.minutes", true),
        ] {
            let compiled = Compiled::of(program).unwrap();
            assert_eq!(compiled.selects(EVENT), Ok(expected), "{program}");
        }
    }

    #[test]
    fn patch_keeps_order_and_untouched_numbers() {
        assert_eq!(
            patch(".time = \"2026-01-31T12:00:00Z\"", EVENT).unwrap(),
            r#"{"type":"flight.delayed","data":{"minutes":35,"price":10.10,"big":12345678901234567890123},"id":"a","time":"2026-01-31T12:00:00Z"}"#
        );
    }

    #[test]
    fn patch_sees_the_event_in_its_envelope() {
        let envelope = serde_json::json!({
            "Type": "Notification",
            "MessageId": "m",
            "TopicArn": "arn:aws:sns:us-east-1:000000000000:events",
            "Message": EVENT,
            "Timestamp": "2026-01-31T12:00:00.000Z",
        });
        assert_eq!(
            patch("{id}", &envelope.to_string()).unwrap(),
            r#"{"id":"a"}"#
        );
    }

    #[test]
    fn patch_gives_exactly_one_result() {
        assert_eq!(patch("empty", EVENT), Err(RunError::NotOne(0)));
        assert_eq!(patch("., .", EVENT), Err(RunError::NotOne(2)));
        assert_eq!(patch("repeat(.)", EVENT), Err(RunError::NotOne(2)));
    }

    #[test]
    fn failures_are_told() {
        assert_eq!(patch(".", "not json"), Err(RunError::NotJson));
        assert_eq!(patch(".", "NaN"), Err(RunError::NotJson));
        let half = patch(".", r#"{"remark":"\ud83d"}"#).unwrap_err();
        assert!(half.to_string().contains("surrogate"), "{half}");
        assert!(matches!(patch(".id + 1", EVENT), Err(RunError::Failed(_))));
        for not_json in [
            ".data.price = nan",
            "{(1, 2 | tostring): 1}, 3 | nan",
            "{(1): 2}",
        ] {
            assert!(patch(not_json, EVENT).is_err(), "{not_json}");
        }
        let long = patch("[.] | .time", EVENT).unwrap_err().to_string();
        assert!(
            long.chars().count() < 120 && !long.contains("12345"),
            "{long}"
        );
        assert_eq!(
            patch("error(\"no way\")", EVENT),
            Err(RunError::Failed("\"no way\"".to_owned()))
        );
    }

    #[test]
    fn time_of_now_is_one_that_an_event_takes() {
        let patched = patch(
            r#".time = (now | todate) | .specversion = "1.0" | .source = "/a""#,
            EVENT,
        )
        .unwrap();
        assert!(event::parse_body(&patched).is_ok(), "{patched}");
    }

    #[test]
    fn wrong_programs_name_the_place() {
        for (program, message) in [
            (".data |", " at the end of the program"),
            (".data | foo", r#"unknown filter at "foo""#),
            ("$x", "at \"$x\""),
            ("\"open", "expected closing quote"),
        ] {
            let error = Program::compile(program).unwrap_err().to_string();
            assert!(error.contains(message), "{program}: {error}");
        }
    }

    #[test]
    fn deeply_nested_program_of_any_kind_does_not_overflow_the_compiler() {
        for (open, inner, close) in [
            ("[", ".", "]"),
            ("(", ".", ")"),
            ("{a:", ".", "}"),
            ("-", "1", ""),
            (".|", ".", ""),
            (".,", ".", ""),
            ("1+", "1", ""),
            ("try ", ".", ""),
            ("if . then ", ".", " end"),
            (". as $x|", ".", ""),
            ("def f:", ".;.", ";."),
            (".[", "0", "]"),
            ("\"\\(", ".", ")\""),
        ] {
            let times = PROGRAM_BYTES_MAX / (open.len() + close.len() + 1);
            let text = format!("{}{inner}{}", open.repeat(times), close.repeat(times));
            // Whether it compiles is all one, if only this process is still there.
            let _ = Program::compile(&text);
        }
    }

    #[test]
    fn nothing_beyond_the_event_is_reached() {
        for program in [
            "env",
            "$ENV",
            "halt",
            "halt(3)",
            "halt_error",
            "debug",
            "debug(1)",
            "stderr",
            "input",
            "inputs",
            "import \"a\" as a; .",
            "include \"a\"; .",
            "get_search_list",
            "input_filename",
            "$__prog_args",
        ] {
            let compiled = Program::compile(program);
            assert!(compiled.is_err(), "{program}: {compiled:?}");
        }
    }
}
