//! Colours in the form that terminals of 8 and 16 colours understand.
//!
//! Invariant: only the form of a colour changes: `38;5;N` and `48;5;N`, with which the library sends all
//! colours, become `30` to `37`, `90` to `97`, `40` to `47` and `100` to `107` for N below 16 (ECMA-48, 8.3.117;
//! ctlseqs of xterm, "Character Attributes"). A terminal that does not know the long form reads `5` in it as
//! "blink".

use std::io::{self, Write};

const ESCAPE: u8 = 0x1b;

/// Whether a kind of terminal (`TERM`) may know no other colours than those.
pub(super) fn has_basic_colours(term: Option<&str>) -> bool {
    !term.is_some_and(|term| term.contains("256color") || term.contains("direct"))
}

/// Writes what it gets, with the colours in their short form if that is wanted.
#[derive(Debug)]
pub(super) struct BasicColours<W> {
    inner: W,
    is_wanted: bool,
    /// The beginning of a sequence whose end was not written yet.
    begun: Vec<u8>,
}

impl<W> BasicColours<W> {
    pub(super) const fn new(inner: W, is_wanted: bool) -> Self {
        Self {
            inner,
            is_wanted,
            begun: Vec::new(),
        }
    }
}

impl<W: Write> Write for BasicColours<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.is_wanted {
            return self.inner.write(bytes);
        }
        let mut text = std::mem::take(&mut self.begun);
        text.extend_from_slice(bytes);
        let mut rest = text.as_slice();
        let mut changed = Vec::with_capacity(text.len());
        while let Some(start) = rest.iter().position(|byte| *byte == ESCAPE) {
            let (before, sequence) = rest.split_at(start);
            changed.extend_from_slice(before);
            rest = sequence;
            // A control sequence ends with a byte of `@` to `~` after its `[` (ECMA-48, 5.4).
            let end = match sequence {
                [_, b'[', parameters @ ..] => parameters
                    .iter()
                    .position(|byte| (b'@'..=b'~').contains(byte))
                    .map(|end| end + 2),
                [_, _, ..] => Some(1),
                _ => None,
            };
            let Some(end) = end else {
                self.begun = rest.to_vec();
                rest = &[];
                break;
            };
            let (sequence, after) = rest.split_at((end + 1).min(rest.len()));
            changed.extend(short(sequence));
            rest = after;
        }
        changed.extend_from_slice(rest);
        self.inner.write_all(&changed)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let begun = std::mem::take(&mut self.begun);
        self.inner.write_all(&begun)?;
        self.inner.flush()
    }
}

/// A sequence with its colours in the short form; what sets no colour stays as it is.
fn short(sequence: &[u8]) -> Vec<u8> {
    let parameters = std::str::from_utf8(sequence)
        .ok()
        .and_then(|text| text.strip_prefix("\u{1b}[")?.strip_suffix('m'));
    let Some(parameters) = parameters else {
        return sequence.to_vec();
    };
    let mut parts = parameters.split(';');
    let mut changed: Vec<String> = Vec::new();
    while let Some(part) = parts.next() {
        let mut ahead = parts.clone();
        let colour = match (part, ahead.next(), ahead.next()) {
            ("38" | "48", Some("5"), Some(number)) => number.parse::<u8>().ok(),
            _ => None,
        };
        match colour {
            Some(number) if number < 16 => {
                let first = if number < 8 { 30 } else { 82 };
                let ground = if part == "38" { 0 } else { 10 };
                changed.push((first + ground + number).to_string());
                parts = ahead;
            }
            // What follows is part of this colour, whatever its numbers look like.
            Some(number) => {
                changed.push(format!("{part};5;{number}"));
                parts = ahead;
            }
            None => {
                changed.push(part.to_owned());
                // The numbers of red, green and blue are none of these.
                if matches!((part, parts.clone().next()), ("38" | "48", Some("2"))) {
                    changed.extend(parts.by_ref().take(4).map(str::to_owned));
                }
            }
        }
    }
    format!("\u{1b}[{}m", changed.join(";")).into_bytes()
}

#[cfg(test)]
mod tests {
    use crossterm::queue;
    use crossterm::style::{Attribute, Color, Colors, Print, SetAttribute, SetColors};
    use proptest::prelude::*;

    use super::*;

    fn written(is_wanted: bool) -> String {
        let mut out = BasicColours::new(Vec::new(), is_wanted);
        queue!(
            out,
            SetAttribute(Attribute::Bold),
            SetColors(Colors::new(Color::DarkRed, Color::Reset)),
            Print("漢"),
            SetColors(Colors::new(Color::White, Color::DarkGrey)),
            SetColors(Colors::new(Color::AnsiValue(200), Color::DarkCyan)),
            SetColors(Colors::new(Color::Rgb { r: 38, g: 5, b: 1 }, Color::Reset)),
        )
        .unwrap();
        out.flush().unwrap();
        String::from_utf8(out.inner).unwrap()
    }

    #[test]
    fn basic_colours_have_the_form_that_every_terminal_knows() {
        assert_eq!(
            written(true),
            "\u{1b}[1m\u{1b}[31;49m漢\u{1b}[97;100m\u{1b}[38;5;200;46m\u{1b}[38;2;38;5;1;49m"
        );
        assert!(written(false).contains("\u{1b}[38;5;1;49m"));
    }

    #[test]
    fn kind_of_terminal_decides() {
        for (term, expected) in [
            (None, true),
            (Some("linux"), true),
            (Some("ansi"), true),
            (Some("xterm"), true),
            (Some("xterm-256color"), false),
            (Some("xterm-direct"), false),
        ] {
            assert_eq!(has_basic_colours(term), expected, "{term:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_else_changes_however_it_is_cut(
            parts in prop::collection::vec(prop_oneof![
                Just("\u{1b}[38;5;200m"), Just("\u{1b}[2;5H"), Just("\u{1b}[?2026h"), Just("\u{1b}]52;c;YQ==\u{7}"),
                Just("\u{1b}[38;2;38;5;1m"), Just("text 38;5;1m"), Just("漢"), Just("\u{1b}[0m"),
            ], 0..20),
            cuts in prop::collection::vec(0usize..200, 0..6),
        ) {
            let text = parts.concat();
            let mut out = BasicColours::new(Vec::new(), true);
            let mut places: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            places.sort_unstable();
            let mut from = 0;
            for to in places.into_iter().chain([text.len()]) {
                out.write_all(&text.as_bytes()[from..to]).unwrap();
                from = to;
            }
            out.flush().unwrap();
            prop_assert_eq!(String::from_utf8(out.inner).unwrap(), text);
        }
    }
}
