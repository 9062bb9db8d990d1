//! Texts as a terminal shows them; numbers and ages are those of [`pipeline::text`].

use event::{NamedRecord, RecordId, Verdict};
pub use pipeline::text::*;
use redrive::Replacement;

/// Of a dead letter without a reason: SQS moves it so, and whoever sends to the queue may send it so.
pub const NO_REASON: &str = "no reason is recorded, as when SQS moves a message after its retries";

/// Cuts a text to `columns`, with `…` where something is missing.
#[must_use]
pub fn fit(text: &str, columns: usize) -> String {
    use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut used = 0;
    let mut kept = String::new();
    for character in text.chars() {
        used += character.width().unwrap_or(0);
        if used + 1 > columns {
            break;
        }
        kept.push(character);
    }
    if columns > 0 {
        kept.push('…');
    }
    kept
}

/// Replaces what could steer or mislead a terminal: control characters by their pictures (U+2400
/// block), direction overrides and other invisible format characters by `�`.
#[must_use]
pub fn visible(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'),
            '\u{7f}' => '\u{2421}',
            other if event::is_deceptive(other) => '\u{fffd}',
            other => other,
        })
        .collect()
}

/// `replaces 12 records; 988 have the same text already, 0 are not stored yet`
#[must_use]
pub fn replacement_in_words(planned: Replacement) -> String {
    let (same_text, not_stored) = (planned.same_text as u64, planned.not_stored as u64);
    format!(
        "replaces {}; {same_text} {} the same text already, {not_stored} {} not stored yet",
        in_words(planned.replaces as u64, "record"),
        if same_text == 1 { "has" } else { "have" },
        is_or_are(not_stored)
    )
}

/// What a dead letter would do to the record that it names: `record 17, if the ingest permits it`. Where it is refused,
/// its failure says why.
#[must_use]
pub fn replaces_in_words(
    named: NamedRecord,
    verdict: Verdict,
    stored_as: Option<RecordId>,
) -> String {
    let NamedRecord::Record(record_id) = named else {
        return "no record: the attribute is not the id of one".to_owned();
    };
    match (verdict, stored_as) {
        (Verdict::Ready, _) => format!("record {record_id}, if the ingest permits it"),
        (Verdict::AlreadyStored, Some(stored)) => {
            format!("record {record_id}: record {stored} has its text already")
        }
        (Verdict::AlreadyStored, None) => {
            format!("record {record_id}: its text is stored already")
        }
        (Verdict::StillInvalid | Verdict::Unreadable, _) => format!("record {record_id}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dead_letter_that_replaces_says_what_it_would_do_now() {
        let named = NamedRecord::Record(RecordId(17));
        let text =
            |verdict, stored: Option<i64>| replaces_in_words(named, verdict, stored.map(RecordId));
        assert_eq!(
            text(Verdict::Ready, Some(17)),
            "record 17, if the ingest permits it"
        );
        assert_eq!(
            text(Verdict::AlreadyStored, Some(18)),
            "record 17: record 18 has its text already"
        );
        assert_eq!(
            text(Verdict::AlreadyStored, None),
            "record 17: its text is stored already"
        );
        assert_eq!(text(Verdict::StillInvalid, Some(18)), "record 17");
        let invalid = replaces_in_words(NamedRecord::Invalid, Verdict::StillInvalid, None);
        assert!(invalid.starts_with("no record"), "{invalid}");
    }

    #[test]
    fn cut_texts_say_so() {
        assert_eq!(fit("flight.delayed", 11), "flight.del…");
        assert_eq!(fit("short", 11), "short");
        assert_eq!(fit("日本語", 4), "日…");
        assert_eq!(fit("abc", 0), "");
    }

    #[test]
    fn escape_sequences_become_pictures() {
        assert_eq!(visible("\u{1b}[2J\u{9b}x\u{202e}"), "␛[2J\u{fffd}x\u{fffd}");
    }
}
