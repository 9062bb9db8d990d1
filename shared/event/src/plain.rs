//! The fast path for plain events: each byte is read once and nothing is copied.
//!
//! Invariant: the fast path never accepts an event that the full parser (`event`, `jsonb`) rejects or
//! reads otherwise. It decides nothing about all others, whether invalid or only unusual (a number
//! with an exponent, an escape in an attribute, `data_base64`): the full parser reads them.

use std::borrow::Cow;

use crate::event::{self, Event};
use crate::jsonb::{NESTING_MAX, NUMERIC_SCALE_MAX};

/// Reads an event that is plain. The caller has checked its size.
pub(crate) fn read(json: &str) -> Option<Event<'_>> {
    let mut text = Text {
        json,
        bytes: json.as_bytes(),
        at: 0,
    };
    let mut version = None;
    let mut id = None;
    let mut source = None;
    let mut event_type = None;
    let mut time = None;
    let mut subject = None;
    let mut content_type = None;
    let mut traceparent = None;
    text.space();
    text.expect(b'{')?;
    loop {
        text.space();
        let name = text.plain_string()?;
        text.space();
        text.expect(b':')?;
        text.space();
        let slot = match name {
            "specversion" => Some(&mut version),
            "id" => Some(&mut id),
            "source" => Some(&mut source),
            "type" => Some(&mut event_type),
            "time" => Some(&mut time),
            "subject" => Some(&mut subject),
            "datacontenttype" => Some(&mut content_type),
            "traceparent" => Some(&mut traceparent),
            "dataschema" | "data_base64" => return None,
            "data" => None,
            _ if event::is_attribute_name(name) && !matches!(text.peek()?, b'{' | b'[') => None,
            _ => return None,
        };
        match slot {
            Some(unset @ None) => *unset = Some(text.plain_string()?),
            Some(Some(_)) => return None,
            None => text.value()?,
        }
        if !text.next_member()? {
            break;
        }
    }
    text.space();
    if text.at != text.bytes.len() || version != Some("1.0") {
        return None;
    }
    let source = attribute(source?)?;
    event::uri_reference("source", source).ok()?;
    if let Some(content_type) = content_type {
        event::media_type(attribute(content_type)?).ok()?;
    }
    Some(Event {
        id: Cow::Borrowed(attribute(id?)?),
        source: Cow::Borrowed(source),
        event_type: Cow::Borrowed(attribute(event_type?)?),
        time: event::read_timestamp(time?)?,
        subject: match subject {
            Some(subject) => Some(Cow::Borrowed(attribute(subject)?)),
            None => None,
        },
        traceparent: traceparent.map(Cow::Borrowed),
        json: Cow::Borrowed(json),
    })
}

fn attribute(text: &str) -> Option<&str> {
    event::attribute_rules("", text).ok().map(|()| text)
}

/// JSON text (RFC 8259) and how far it has been read.
struct Text<'a> {
    json: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Text<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// After a member of the event: whether there is another.
    fn next_member(&mut self) -> Option<bool> {
        self.space();
        let byte = self.peek()?;
        self.at += 1;
        match byte {
            b',' => Some(true),
            b'}' => Some(false),
            _ => None,
        }
    }

    /// A string without escapes.
    fn plain_string(&mut self) -> Option<&'a str> {
        self.expect(b'"')?;
        let start = self.at;
        self.run();
        let end = self.at;
        self.expect(b'"')?;
        self.json.get(start..end)
    }

    /// The rest of a string whose first quote was read. An escaped zero and halves of surrogate
    /// pairs are legal here, but not for `jsonb`.
    fn string(&mut self) -> Option<()> {
        loop {
            self.run();
            let byte = self.peek()?;
            self.at += 1;
            match byte {
                b'"' => return Some(()),
                b'\\' => {}
                _ => return None,
            }
            let escape = self.peek()?;
            self.at += 1;
            match escape {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                b'u' => match self.unit()? {
                    0 | 0xdc00..=0xdfff => return None,
                    0xd800..=0xdbff => {
                        self.expect(b'\\')?;
                        self.expect(b'u')?;
                        (0xdc00..=0xdfff).contains(&self.unit()?).then_some(())?;
                    }
                    _ => {}
                },
                _ => return None,
            }
        }
    }

    /// Four hexadecimal digits.
    fn unit(&mut self) -> Option<u16> {
        let digits = self.json.get(self.at..self.at + 4)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        self.at += 4;
        u16::from_str_radix(digits, 16).ok()
    }

    /// Moves to the next quote, backslash or control character, eight bytes at a time.
    fn run(&mut self) {
        const ONES: u64 = 0x0101_0101_0101_0101;
        const HIGHS: u64 = 0x8080_8080_8080_8080;
        // The highest bit of each byte that is zero; above the first of them it may lie.
        let zeros = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
        while let Some(&chunk) = self
            .bytes
            .get(self.at..)
            .and_then(|rest| rest.first_chunk())
        {
            let word = u64::from_le_bytes(chunk);
            let quotes = zeros(word ^ (ONES * u64::from(b'"')));
            let escapes = zeros(word ^ (ONES * u64::from(b'\\')));
            let controls = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
            let found = quotes | escapes | controls;
            if found != 0 {
                self.at += (found.trailing_zeros() / 8) as usize;
                return;
            }
            self.at += chunk.len();
        }
        while let Some(byte) = self.peek() {
            if matches!(byte, b'"' | b'\\' | 0..0x20) {
                return;
            }
            self.at += 1;
        }
    }

    /// A member's value, whatever it is.
    fn value(&mut self) -> Option<()> {
        // One bit for each open object (1) or array (0); the event itself is one level more.
        let mut objects: u128 = 0;
        let mut depth = 0;
        loop {
            self.space();
            match self.peek()? {
                opening @ (b'{' | b'[') => {
                    self.at += 1;
                    self.space();
                    if depth + 1 >= NESTING_MAX {
                        return None;
                    }
                    let is_object = opening == b'{';
                    // In ASCII each closing bracket stands two places behind its opening one.
                    if self.peek()? == opening + 2 {
                        self.at += 1;
                    } else {
                        depth += 1;
                        objects = objects << 1 | u128::from(is_object);
                        if is_object {
                            self.name()?;
                        }
                        continue;
                    }
                }
                b'"' => {
                    self.at += 1;
                    self.string()?;
                }
                b'-' | b'0'..=b'9' => self.number()?,
                b't' => self.literal("true")?,
                b'f' => self.literal("false")?,
                b'n' => self.literal("null")?,
                _ => return None,
            }
            loop {
                if depth == 0 {
                    return Some(());
                }
                self.space();
                let byte = self.peek()?;
                self.at += 1;
                match (byte, objects & 1) {
                    (b',', 1) => {
                        self.space();
                        self.name()?;
                        break;
                    }
                    (b',', _) => break,
                    (b'}', 1) | (b']', 0) => {
                        depth -= 1;
                        objects >>= 1;
                    }
                    _ => return None,
                }
            }
        }
    }

    /// The name of a member and its colon.
    fn name(&mut self) -> Option<()> {
        self.expect(b'"')?;
        self.string()?;
        self.space();
        self.expect(b':')
    }

    fn literal(&mut self, literal: &str) -> Option<()> {
        let is_there = self.bytes.get(self.at..)?.starts_with(literal.as_bytes());
        is_there.then(|| self.at += literal.len())
    }

    /// A number without an exponent, and not so long that `numeric` could not hold it.
    fn number(&mut self) -> Option<()> {
        let start = self.at;
        if self.peek()? == b'-' {
            self.at += 1;
        }
        if self.peek()? == b'0' {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        let is_short = i64::try_from(self.at - start).is_ok_and(|it| it <= NUMERIC_SCALE_MAX);
        let is_over = !matches!(self.peek(), Some(b'0'..=b'9' | b'e' | b'E' | b'.'));
        (is_short && is_over).then_some(())
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;
    use proptest::test_runner::{Config, TestRunner};

    use super::*;
    use crate::event::parse_fully;

    const GOOD: &str = r#"{"specversion":"1.0","id":"1","source":"/crew","type":"a.b","time":"2026-01-31T12:00:00Z","datacontenttype":"application/json","subject":"s","tenant":7,"traceparent":"00-1","data":{"x":[1,-2.5,{},[],{"a":"\"\u00c4\ud83d\ude00"},null,true,false]}}"#;

    fn depth(levels: usize) -> String {
        let data = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        GOOD.replace("null", &data)
    }

    fn both(json: &str) -> (Option<Event<'_>>, Option<Event<'_>>) {
        (read(json), parse_fully(json).ok())
    }

    #[test]
    fn plain_events_are_read_as_the_careful_way_reads_them() {
        let spaced = GOOD.replace(':', " :\n").replace(',', "\t,\r ");
        for json in [
            GOOD,
            // Times and names hold colons and commas too.
            &spaced.replace("12 :\n00 :\n00Z", "12:00:00Z"),
            &GOOD.replace(r#""subject":"s","#, ""),
            &GOOD.replace("7", "\"x\\n\""),
            &GOOD.replace("-2.5", &"9".repeat(400)),
            // With the event, its data and the list around: a hundred levels.
            &depth(97),
        ] {
            let (plain, careful) = both(json);
            assert!(plain.is_some(), "{json}");
            assert_eq!(plain, careful, "{json}");
        }
    }

    #[test]
    fn what_is_wrong_or_unusual_is_left_to_the_careful_way() {
        for (from, to) in [
            ("{\"spec", "x{\"spec"),
            ("]}}", "]}}x"),
            ("]}}", "]}"),
            ("]}}", "],}}"),
            ("\"1.0\"", "\"1.1\""),
            ("\"id\":\"1\"", "\"id\":\"\""),
            ("\"id\":\"1\"", "\"id\":\"1\",\"id\":\"2\""),
            ("\"id\":\"1\"", "\"id\":1"),
            ("\"id\":\"1\"", "\"id\":null"),
            ("\"id\":\"1\"", "\"id\":\"\\n\""),
            ("/crew", "a b"),
            ("application/json", "json"),
            ("\"s\"", "\"s\",\"datacontenttype\":\"a/b\""),
            ("T12", " 12"),
            ("tenant", "Tenant"),
            ("00-1\"", "00-1\",\"traceparent\":\"00-2\""),
            ("\"00-1\"", "7"),
            (":7", ":[7]"),
            (":7", ":{}"),
            (":7", ":07"),
            (":7", ":1e400000"),
            (":7", ":-"),
            (":7", ":1."),
            ("null", "nul"),
            ("\\u00c4", "\\u0000"),
            ("\\u00c4", "\\ud800"),
            ("\\u00c4", "\\u00g4"),
            ("\\u00c4", "\\x"),
            ("\\u00c4", "\u{1}"),
            ("\\ude00", "\\u0041"),
            ("{},[]", "{],[}"),
            ("{},[]", "{,},[]"),
            ("\"data\"", "\"dataschema\":\"/s\",\"data\""),
        ] {
            let json = GOOD.replace(from, to);
            assert_ne!(json, GOOD, "{from}");
            assert_eq!(read(&json), None, "{json}");
        }
        assert_eq!(both(&depth(98)), (None, None));
        let long = GOOD.replace("-2.5", &format!("0.{}", "1".repeat(20_000)));
        assert_eq!(read(&long), None);
    }

    /// Bytes of a good event are replaced, inserted or removed: the fast path never accepts an event that
    /// the full parser rejects or reads otherwise, and it accepts most of those that are still valid.
    #[test]
    fn accepts_only_what_the_full_parser_accepts() {
        let piece = r#"[\[\]{}",:\\/0-9eE.+\-a-z \n\x01\x7fÄ]{0,3}|\\u[0-9a-fD]{4}|null|1e9"#;
        let edit = (0..GOOD.len(), piece, 0_usize..4);
        let edits = prop::collection::vec(edit, 0..4);
        let (plain_events, events) = (Cell::new(0), Cell::new(0));
        let mut runner = TestRunner::new(Config::with_source_file(file!()));
        let law = |edits: Vec<(usize, String, usize)>| {
            let mut json = GOOD.to_owned();
            for (at, text, removed) in edits {
                let start = json.floor_char_boundary(at);
                let end = json.ceil_char_boundary(start + removed);
                json.replace_range(start..end, &text);
            }
            let (plain, careful) = both(&json);
            events.set(events.get() + u32::from(careful.is_some()));
            if plain.is_some() {
                plain_events.set(plain_events.get() + 1);
                prop_assert_eq!(plain, careful);
            }
            Ok(())
        };
        runner.run(&edits, law).unwrap();
        assert!(events.get() > 0);
        assert!(plain_events.get() * 2 > events.get());
    }
}
