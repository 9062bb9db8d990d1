//! Which characters can steer a terminal or mislead its reader. Invariant: the one table of them.

/// Whether a character must not be printed as it is: a control character (C0, DEL, C1), or one that
/// is invisible or changes the direction of what follows (Unicode TR 36, "Bidirectional text
/// spoofing").
#[must_use]
pub const fn is_deceptive(character: char) -> bool {
    matches!(
        character,
        '\u{0}'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
    )
}
