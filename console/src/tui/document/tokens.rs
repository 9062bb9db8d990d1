//! Cuts JSON text into tokens. Invariant: the tokens in order are the text without its white space.

use std::ops::Range;

/// A token of JSON text: bytes that stay as they were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    Open,
    Close,
    Comma,
    Colon,
    Text,
    Literal,
}

#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) range: Range<usize>,
}

/// Cuts JSON text (or a prefix of it) into tokens. What is no JSON becomes literals.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let mut start = 0;
    while let Some(byte) = bytes.get(start) {
        let (kind, length) = match byte {
            b' ' | b'\t' | b'\n' | b'\r' => {
                start += 1;
                continue;
            }
            b'{' | b'[' => (TokenKind::Open, 1),
            b'}' | b']' => (TokenKind::Close, 1),
            b',' => (TokenKind::Comma, 1),
            b':' => (TokenKind::Colon, 1),
            b'"' => (
                TokenKind::Text,
                string_length(bytes.get(start..).unwrap_or_default()),
            ),
            _ => (
                TokenKind::Literal,
                literal_length(bytes.get(start..).unwrap_or_default()),
            ),
        };
        tokens.push(Token {
            kind,
            range: start..start + length,
        });
        start += length;
    }
    tokens
}

/// Bytes of the string that starts here, with its quotes; all there is where it does not end.
fn string_length(bytes: &[u8]) -> usize {
    let mut is_escaped = false;
    bytes
        .iter()
        .skip(1)
        .position(|byte| {
            let ends = *byte == b'"' && !is_escaped;
            is_escaped = *byte == b'\\' && !is_escaped;
            ends
        })
        .map_or(bytes.len(), |position| position + 2)
}

fn literal_length(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .position(|byte| b" \t\n\r{}[],:\"".contains(byte))
        .map_or(bytes.len(), |length| length.max(1))
}
