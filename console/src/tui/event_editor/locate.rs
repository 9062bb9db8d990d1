//! Which line of a text a failure speaks of. Pure; invariant: only a place that exists is returned.

use event::{Failure, FailureCode};

/// The line, counted from 0, where it is known.
pub(crate) fn line_of(text: &str, failure: &Failure) -> Option<usize> {
    if let Some(pointer) = &failure.pointer {
        let offset = offset_of(text, pointer)?;
        return Some(text.get(..offset)?.matches('\n').count());
    }
    // Syntax errors name their line in words: `expected value at line 3 column 5`.
    if failure.code != FailureCode::NotJson {
        return None;
    }
    let (_, tail) = failure.detail.rsplit_once(" at line ")?;
    let number: usize = tail.split(' ').next()?.parse().ok()?;
    Some(number.saturating_sub(1))
}

/// Byte offset of the member or element that a JSON pointer (RFC 6901) names, in valid JSON.
fn offset_of(text: &str, pointer: &str) -> Option<usize> {
    let mut scan = Scan { text, at: 0 };
    scan.skip_blanks();
    let mut found = scan.at;
    for segment in pointer.split('/').skip(1) {
        let segment = segment.replace("~1", "/").replace("~0", "~");
        let value = match scan.byte()? {
            b'{' => {
                let (name, value) = scan.member(&segment)?;
                found = name;
                value
            }
            b'[' => {
                let value = scan.element(segment.parse().ok()?)?;
                found = value;
                value
            }
            _ => return None,
        };
        scan.at = value;
    }
    Some(found)
}

/// Walks over JSON text that is known to be valid.
struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl Scan<'_> {
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Offsets of the name and the value of a member of the object that starts here. The last one
    /// of that name: it is the one too many where a name is given twice.
    fn member(&mut self, wanted: &str) -> Option<(usize, usize)> {
        let mut found = None;
        self.at += 1;
        loop {
            self.skip_blanks();
            if self.byte()? == b'}' {
                return found;
            }
            let start = self.at;
            self.skip_value()?;
            let name = self.text.get(start..self.at)?;
            self.skip_blanks();
            self.at += 1;
            self.skip_blanks();
            if is_named(name, wanted) {
                found = Some((start, self.at));
            }
            self.skip_value()?;
            self.skip_blanks();
            if self.byte()? == b',' {
                self.at += 1;
            }
        }
    }

    /// Offset of an element of the array that starts here.
    fn element(&mut self, wanted: usize) -> Option<usize> {
        self.at += 1;
        for number in 0.. {
            self.skip_blanks();
            if self.byte()? == b']' {
                return None;
            }
            if number == wanted {
                return Some(self.at);
            }
            self.skip_value()?;
            self.skip_blanks();
            if self.byte()? == b',' {
                self.at += 1;
            }
        }
        None
    }

    /// Goes behind the value that starts here.
    fn skip_value(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            self.skip_blanks();
            match self.byte()? {
                b'"' => self.skip_string()?,
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1)?;
                    self.at += 1;
                }
                b',' | b':' => self.at += 1,
                _ => {
                    while self.byte().is_some_and(|b| !b" \t\r\n,:]}".contains(&b)) {
                        self.at += 1;
                    }
                }
            }
            if depth == 0 {
                return Some(());
            }
        }
    }

    fn skip_string(&mut self) -> Option<()> {
        self.at += 1;
        loop {
            match self.byte()? {
                b'"' => {
                    self.at += 1;
                    return Some(());
                }
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
    }
}

/// Whether a name, quotes included, is the wanted one, as it was written or decoded.
fn is_named(quoted: &str, wanted: &str) -> bool {
    let raw = quoted.trim_matches('"');
    raw == wanted || serde_json::from_str::<String>(quoted).is_ok_and(|name| name == wanted)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "{\n  \"a\": 1,\n  \"b\": {\n    \"c/d\": [\n      true,\n      \"x\"\n    ]\n  \
                        },\n  \"a\": 2\n}";

    fn line(pointer: &str) -> Option<usize> {
        line_of(
            TEXT,
            &Failure::at(FailureCode::InvalidAttribute, "x", pointer),
        )
    }

    #[test]
    fn pointers_lead_to_their_line() {
        assert_eq!(line(""), Some(0));
        assert_eq!(line("/b"), Some(2));
        assert_eq!(line("/b/c~1d"), Some(3));
        assert_eq!(line("/b/c~1d/1"), Some(5));
        assert_eq!(line("/a"), Some(8), "the second one is one too many");
        assert_eq!(line("/b/e"), None);
        assert_eq!(line("/b/c~1d/2"), None);
        assert_eq!(line("/b/c~1d/x"), None);
        assert_eq!(line("/a/x"), None);
    }

    #[test]
    fn syntax_errors_lead_to_their_line() {
        let text = "{\n  \"id\": 1,\n  oops\n}";
        let failure = event::parse_event(text).unwrap_err();
        assert_eq!(line_of(text, &failure), Some(2));
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "[{}\\[\\]\",:a1\\\\ \n]{0,60}", pointer in "[/a1]{0,8}") {
            let failure = Failure::at(FailureCode::InvalidAttribute, "x", pointer);
            let line = line_of(&text, &failure);
            prop_assert!(line.is_none_or(|line| line < text.split('\n').count()));
        }
    }
}
