//! Decides which events and messages are erased.
//!
//! Invariant: what cannot be decided is counted and never erased: a body that is no event, and an event on which
//! the program fails.

use std::fmt;

use event::{Record, unwrap_envelope};
use pipeline::Body;
use redrive::operations::ProgramFailures;
use redrive::triage::{Interpreter, RunError};
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::EraseError;
use crate::request::{Request, What};

/// Whether a message is erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Yes,
    No,
    /// It is no JSON object, so it has no subject, source or type, and no program can look at it.
    Unreadable,
}

pub(crate) struct Matcher {
    request: Request,
    interpreter: Option<Interpreter<bool>>,
    /// Events on which the program failed.
    pub(crate) failures: ProgramFailures,
}

impl Matcher {
    pub(crate) fn new(request: &Request) -> Self {
        Self {
            interpreter: match &request.what {
                What::Where(program) => Some(Interpreter::selecting(program)),
                What::Subject(_) | What::Containing(_) => None,
            },
            request: request.clone(),
            failures: ProgramFailures::default(),
        }
    }

    /// Decides about messages.
    pub(crate) async fn messages(&mut self, bodies: &[Body]) -> Result<Vec<Answer>, EraseError> {
        let mut answers = Vec::with_capacity(bodies.len());
        for body in bodies {
            answers.push(self.by_fields(&body.text()?));
        }
        self.ask_program(bodies, &mut answers).await?;
        Ok(answers)
    }

    /// Decides about records. The range of time is compared too.
    pub(crate) async fn records(&mut self, records: &[Record]) -> Result<Vec<bool>, EraseError> {
        let mut answers: Vec<Answer> = records
            .iter()
            .map(|record| self.of_record(record))
            .collect();
        if self.interpreter.is_some() {
            let payloads = records.iter().map(|record| record.payload.get().into());
            let payloads: Vec<Body> = payloads.collect();
            self.ask_program(&payloads, &mut answers).await?;
        }
        Ok(answers
            .into_iter()
            .map(|answer| answer == Answer::Yes)
            .collect())
    }

    /// The text that identifies what is erased, where it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        self.request.text()
    }

    /// Whether that text is anywhere in a value.
    pub(crate) fn is_text_in(&self, value: &impl Serialize) -> bool {
        let Some(text) = self.text() else {
            return false;
        };
        serde_json::to_string(value).is_ok_and(|value| contains(&value, text))
    }

    /// The same of a question in SQL, in which a quote within a text is written twice.
    pub(crate) fn is_text_in_query(&self, json: &str) -> bool {
        self.text().is_some_and(|text| {
            contains(json, text)
                || (text.contains('\'') && contains(json, &text.replace('\'', "''")))
        })
    }

    fn of_record(&self, record: &Record) -> Answer {
        let is_wanted = |wanted: &Option<String>, value: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == value)
        };
        let is_narrow = is_wanted(&self.request.source, &record.source)
            && is_wanted(&self.request.event_type, &record.event_type)
            && self.request.is_in_range(record.occurred_at);
        let is_it = match &self.request.what {
            What::Subject(subject) => record.subject.as_ref() == Some(subject),
            What::Containing(text) => contains(record.payload.get(), text),
            What::Where(_) => true,
        };
        if is_narrow && is_it {
            Answer::Yes
        } else {
            Answer::No
        }
    }

    /// The answer without the program.
    fn by_fields(&self, body: &str) -> Answer {
        let request = &self.request;
        if let What::Containing(text) = &request.what
            && !contains(body, text)
        {
            return Answer::No;
        }
        let is_narrowed = request.source.is_some() || request.event_type.is_some();
        if !is_narrowed && !matches!(request.what, What::Subject(_)) {
            return Answer::Yes;
        }
        let Ok(fields) = serde_json::from_str::<Fields>(&unwrap_envelope(body)) else {
            return Answer::Unreadable;
        };
        let is_wanted = |wanted: &Option<String>, values: &[Value]| {
            wanted.as_ref().is_none_or(|wanted| has(values, wanted))
        };
        let is_it = match &request.what {
            What::Subject(subject) => has(&fields.subject, subject),
            What::Where(_) | What::Containing(_) => true,
        };
        let is_narrow = is_wanted(&request.source, &fields.source)
            && is_wanted(&request.event_type, &fields.event_type);
        if is_narrow && is_it {
            Answer::Yes
        } else {
            Answer::No
        }
    }

    /// Asks the program, if there is one, about those that it alone can decide about.
    async fn ask_program(
        &mut self,
        bodies: &[Body],
        answers: &mut [Answer],
    ) -> Result<(), EraseError> {
        let Some(interpreter) = &mut self.interpreter else {
            return Ok(());
        };
        let chosen = bodies.iter().zip(answers.iter());
        let chosen = chosen.filter(|(_, answer)| **answer == Answer::Yes);
        let chosen: Vec<Body> = chosen.map(|(body, _)| body.clone()).collect();
        let given = interpreter.run(chosen).await?;
        let open = answers.iter_mut().filter(|answer| **answer == Answer::Yes);
        for (answer, given) in open.zip(given) {
            *answer = match given {
                Ok(true) => Answer::Yes,
                Ok(false) => Answer::No,
                Err(RunError::NotJson) => Answer::Unreadable,
                Err(error) => {
                    self.failures.messages += 1;
                    self.failures.first.get_or_insert_with(|| error.to_string());
                    Answer::No
                }
            };
        }
        Ok(())
    }
}

fn has(values: &[Value], wanted: &str) -> bool {
    values.iter().any(|value| value.as_str() == Some(wanted))
}

/// Whether a text is in a body, as it is or as JSON escapes it, also within an SNS envelope.
fn contains(body: &str, text: &str) -> bool {
    if body.contains(text) {
        return true;
    }
    if !body.contains('\\') {
        return false;
    }
    // An envelope has the event as a text, which is escaped once more.
    let once = unescaped(body);
    once.contains(text) || unescaped(&once).contains(text)
}

/// A text without the escapes of JSON strings (RFC 8259, section 7). What is no escape stays as it is.
fn unescaped(text: &str) -> String {
    let mut units = Vec::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        let mut plain = [0; 2];
        if letter != '\\' {
            units.extend_from_slice(letter.encode_utf16(&mut plain));
            continue;
        }
        let rest = letters.as_str();
        let code = rest.strip_prefix('u').and_then(|digits| digits.get(..4));
        if let Some(unit) = code.and_then(|digits| u16::from_str_radix(digits, 16).ok()) {
            units.push(unit);
            letters.by_ref().take(5).for_each(drop);
            continue;
        }
        let escaped = match letters.next() {
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some(other) => other,
            None => '\\',
        };
        units.extend_from_slice(escaped.encode_utf16(&mut plain));
    }
    String::from_utf16_lossy(&units)
}

/// The members of an event by which it is recognized. A name that is there twice has all its values: readers
/// differ in which one they take.
#[derive(Debug, Default)]
struct Fields {
    subject: Vec<Value>,
    source: Vec<Value>,
    event_type: Vec<Value>,
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Fields::default();
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "subject" => fields.subject.push(map.next_value()?),
                "source" => fields.source.push(map.next_value()?),
                "type" => fields.event_type.push(map.next_value()?),
                _ => {
                    // Not read: `1e400000` is JSON and no number of Rust.
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(fields)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::request::tests::request;

    fn subject(text: &str) -> Matcher {
        Matcher::new(&request(What::Subject(text.to_owned())))
    }

    #[test]
    fn subject_is_compared_exactly_in_a_body_and_in_an_envelope() {
        let matcher = subject("a\"b");
        let event = r#"{"subject":"a\"b","data":1e400000}"#;
        let envelope = serde_json::json!({
            "Type": "Notification", "MessageId": "1", "TopicArn": "arn:aws:sns:x", "Message": event,
        });
        for (body, expected) in [
            (event, Answer::Yes),
            (&*envelope.to_string(), Answer::Yes),
            (r#"{"subject":"x","subject":"\u0061\"b"}"#, Answer::Yes),
            (r#"{"subject":"a"}"#, Answer::No),
            (r#"{"data":{"subject":"a\"b"}}"#, Answer::No),
            (r#"{"subject":["a\"b"]}"#, Answer::No),
            (r#"{"subject":"a\"b""#, Answer::Unreadable),
            (r#"["a\"b"]"#, Answer::Unreadable),
            ("a\"b", Answer::Unreadable),
        ] {
            assert_eq!(matcher.by_fields(body), expected, "{body}");
        }
    }

    #[test]
    fn source_and_type_narrow_what_is_found() {
        let mut narrowed = request(What::Containing("Marker".to_owned()));
        narrowed.source = Some("/a".to_owned());
        narrowed.event_type = Some("t".to_owned());
        let matcher = Matcher::new(&narrowed);
        for (body, expected) in [
            (r#"{"source":"/a","type":"t","data":"Marker"}"#, Answer::Yes),
            (r#"{"source":"/b","type":"t","data":"Marker"}"#, Answer::No),
            (r#"{"source":"/a","data":"Marker"}"#, Answer::No),
            (r#"{"source":"/a","type":"t"}"#, Answer::No),
            ("Marker", Answer::Unreadable),
        ] {
            assert_eq!(matcher.by_fields(body), expected, "{body}");
        }
        let matcher = Matcher::new(&request(What::Containing("Marker".to_owned())));
        assert_eq!(matcher.by_fields("{\"Marker"), Answer::Yes);
    }

    #[test]
    fn quote_of_a_subject_is_found_as_sql_writes_it() {
        let matcher = subject("O'Brien");
        for sql in ["subject = 'O''Brien'", "subject=O'Brien"] {
            let json = serde_json::json!({ "sql": sql }).to_string();
            assert!(matcher.is_text_in_query(&json), "{json}");
        }
        assert!(!matcher.is_text_in_query(r#"{"sql":"O'Bryan"}"#));
    }

    proptest! {
        #[test]
        fn text_is_found_however_json_escapes_it(text in "\\PC{4,12}", around in "\\PC{0,9}") {
            let event = serde_json::json!({"data": format!("{around}{text}{around}")}).to_string();
            prop_assert!(contains(&event, &text));
            let envelope = serde_json::json!({"Message": event}).to_string();
            prop_assert!(contains(&envelope, &text));
            let escaped: String = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
            prop_assert!(contains(&escaped, &text));
        }
    }
}
