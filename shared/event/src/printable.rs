//! Which characters can control a terminal or mislead its reader.
//!
//! Invariant: this is the only rule for them; whatever prints text of the pipeline asks it.

use icu_properties::CodePointSetData;
use icu_properties::props::DefaultIgnorableCodePoint;

/// Whether a character must not be printed as it is: a control character (C0, DEL, C1), a line or
/// paragraph separator, an interlinear annotation mark, or a character that has no glyph of its own,
/// so that two different texts look the same (`Default_Ignorable_Code_Point` of the Unicode Character
/// Database, which includes the characters that change the writing direction; Unicode TR 36).
#[must_use]
pub fn is_deceptive(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_control();
    }
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{fff9}'..='\u{fffb}')
        || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_without_a_glyph_of_their_own_are_deceptive() {
        let invisible = [
            '\u{ad}',
            '\u{61c}',
            '\u{180e}',
            '\u{200b}',
            '\u{202e}',
            '\u{2060}',
            '\u{3164}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{e0001}',
            '\u{e0041}',
            '\u{e007f}',
            '\u{e0100}',
        ];
        let control = [
            '\u{0}', '\u{1b}', '\u{7f}', '\u{9b}', '\u{2028}', '\u{fff9}', '\u{fffb}',
        ];
        for character in invisible.into_iter().chain(control) {
            assert!(is_deceptive(character), "{:04x}", u32::from(character));
        }
        for character in ['a', ' ', 'ñ', '漢', '😀', '\u{301}', '\u{fffd}'] {
            assert!(!is_deceptive(character), "{:04x}", u32::from(character));
        }
    }
}
