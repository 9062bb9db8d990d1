//! Messages that died of the same fault.
//!
//! Invariant: the same message always falls into the same group, whatever else is in the queue; a
//! group keeps no body.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use event::Verdict;
use uuid::Uuid;

use pipeline::model::DeadLetter;

/// Stands for what differs between messages of one group.
const ANY: &str = "*";
/// Longest detail that tells groups apart, in characters.
const DETAIL_CHARS_MAX: usize = 160;

/// What died at the same place of the same cause.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupKey {
    /// [`DeadLetter::cause`].
    pub cause: String,
    /// JSON pointer to what is at fault, with `*` for item numbers.
    pub place: Option<String>,
    /// Where no place is known: what was wrong, with `*` for numbers, UUIDs and what is quoted.
    pub detail: Option<String>,
}

impl GroupKey {
    /// The key of a message.
    #[must_use]
    pub fn of(message: &DeadLetter) -> Self {
        let place = pointer(message).map(|pointer| generalized(&pointer));
        let detail = match place {
            Some(_) => None,
            None => detail(message).map(normalized),
        };
        Self {
            cause: message.cause(),
            place,
            detail,
        }
    }

    /// `missing-attribute /time`, or `not-json: expected value at line *`.
    #[must_use]
    pub fn title(&self) -> String {
        match (&self.place, &self.detail) {
            (Some(place), _) => format!("{} {place}", self.cause),
            (None, Some(detail)) => format!("{}: {detail}", self.cause),
            (None, None) => self.cause.clone(),
        }
    }
}

/// Messages of one fault, counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Cause, and place or detail.
    pub key: GroupKey,
    /// How many they are.
    pub messages: usize,
    /// How many there are of each verdict; those that do not occur are left out.
    pub verdicts: BTreeMap<Verdict, usize>,
    /// First send of the oldest one.
    pub first_sent_at: DateTime<Utc>,
    /// First send of the newest one.
    pub last_sent_at: DateTime<Utc>,
    /// When SQS drops the first one.
    pub first_expires_at: DateTime<Utc>,
    /// Messages that were sent within the hour before now.
    pub sent_last_hour: usize,
    /// Messages that were sent within the hour before that one.
    pub sent_hour_before: usize,
    /// Message id of the newest one.
    pub example: String,
}

/// All groups of the messages that were added.
#[derive(Clone, Debug)]
pub struct Groups {
    now: DateTime<Utc>,
    groups: HashMap<GroupKey, Group>,
}

impl Groups {
    /// No groups yet; trends count from `now`.
    #[must_use]
    pub fn new(now: DateTime<Utc>) -> Self {
        Self {
            now,
            groups: HashMap::new(),
        }
    }

    /// Adds a message to its group.
    pub fn add(&mut self, message: &DeadLetter) {
        let group = self
            .groups
            .entry(GroupKey::of(message))
            .or_insert_with_key(|key| Group {
                key: key.clone(),
                messages: 0,
                verdicts: BTreeMap::new(),
                first_sent_at: message.sent_at,
                last_sent_at: message.sent_at,
                first_expires_at: message.expires_at,
                sent_last_hour: 0,
                sent_hour_before: 0,
                example: message.message_id.clone(),
            });
        group.add(message, self.now);
    }

    /// The groups, the largest first.
    #[must_use]
    pub fn into_sorted(self) -> Vec<Group> {
        let mut groups: Vec<Group> = self.groups.into_values().collect();
        groups.sort_by(|a, b| b.messages.cmp(&a.messages).then_with(|| a.key.cmp(&b.key)));
        groups
    }
}

impl Group {
    fn add(&mut self, message: &DeadLetter, now: DateTime<Utc>) {
        self.messages += 1;
        *self.verdicts.entry(message.verdict).or_default() += 1;
        self.first_sent_at = self.first_sent_at.min(message.sent_at);
        self.first_expires_at = self.first_expires_at.min(message.expires_at);
        if message.sent_at > self.last_sent_at {
            self.last_sent_at = message.sent_at;
            self.example.clone_from(&message.message_id);
        }
        let hour = TimeDelta::hours(1);
        if message.sent_at > now - hour {
            self.sent_last_hour += 1;
        } else if message.sent_at > now - hour * 2 {
            self.sent_hour_before += 1;
        }
    }
}

/// The place that is at fault: what the ingest named, else what the validator names now.
#[must_use]
pub fn pointer(message: &DeadLetter) -> Option<String> {
    let of_now = message.failure.as_ref();
    match &message.reason {
        None => of_now?.pointer.clone(),
        Some(reason) => pointer_in(&reason.message).map(str::to_owned).or_else(|| {
            of_now
                .filter(|failure| failure.code.as_str() == reason.code)?
                .pointer
                .clone()
        }),
    }
}

/// The pointer at the end of an error message of the ingest: `… (at /time)`.
fn pointer_in(message: &str) -> Option<&str> {
    let (_, pointer) = message.strip_suffix(')')?.rsplit_once("(at ")?;
    Some(pointer).filter(|pointer| pointer.starts_with('/'))
}

/// The same place in any item of a list.
fn generalized(pointer: &str) -> String {
    let is_number =
        |segment: &str| !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit());
    pointer
        .split('/')
        .map(|segment| if is_number(segment) { ANY } else { segment })
        .collect::<Vec<_>>()
        .join("/")
}

/// What was wrong: what the ingest said, else what the validator says now.
fn detail(message: &DeadLetter) -> Option<&str> {
    let detail = match (&message.reason, &message.failure) {
        (Some(reason), _) => reason.message.as_str(),
        (None, Some(failure)) => failure.detail.as_str(),
        (None, None) => "",
    };
    Some(detail).filter(|detail| !detail.is_empty())
}

/// The same detail for any numbers, UUIDs and quoted texts.
fn normalized(detail: &str) -> String {
    let is_of_word = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    let mut text = String::new();
    let mut rest = detail;
    while let Some(first) = rest.chars().next() {
        if first == '"' {
            let quoted = quoted_bytes(rest);
            text.extend(["\"", ANY, "\""]);
            rest = rest.get(quoted..).unwrap_or_default();
            continue;
        }
        let end = rest.find(|c| !is_of_word(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end.max(first.len_utf8()));
        if Uuid::try_parse(word).is_ok() {
            text.push_str(ANY);
        } else {
            without_numbers(word, &mut text);
        }
        rest = after;
    }
    match text.char_indices().nth(DETAIL_CHARS_MAX) {
        Some((end, _)) => text.get(..end).unwrap_or(&text).to_owned(),
        None => text,
    }
}

/// Bytes of the quoted text at the beginning, both quotes included; all where it has no end.
fn quoted_bytes(text: &str) -> usize {
    let mut is_escaped = false;
    for (index, c) in text.char_indices().skip(1) {
        if c == '"' && !is_escaped {
            return index + c.len_utf8();
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    text.len()
}

fn without_numbers(word: &str, text: &mut String) {
    let mut was_digit = false;
    for c in word.chars() {
        let is_digit = c.is_ascii_digit();
        if !is_digit {
            text.push(c);
        } else if !was_digit {
            text.push_str(ANY);
        }
        was_digit = is_digit;
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap as Map;
    use std::sync::Arc;

    use event::{Failure, FailureCode, PartialIdentity};

    use super::*;
    use pipeline::model::Reason;

    fn at(minutes_ago: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(1) - TimeDelta::minutes(minutes_ago)
    }

    pub(crate) fn message(id: &str, minutes_ago: i64, verdict: Verdict) -> DeadLetter {
        DeadLetter {
            message_id: id.to_owned(),
            receipt_handle: String::new(),
            body: String::new().into(),
            attributes: Map::new(),
            sent_at: at(minutes_ago),
            first_received_at: None,
            receive_count: 1,
            expires_at: at(minutes_ago - 1_000),
            hidden_until: at(0),
            group_id: None,
            trace_header: None,
            reason: None,
            replaces: None,
            verdict,
            failure: None,
            identity: PartialIdentity::default(),
            stored_as: None,
            judged_at: at(0),
        }
    }

    fn died(message: &str) -> Option<Arc<Reason>> {
        let reason = Reason {
            code: "not-json".to_owned(),
            message: message.to_owned(),
            request_id: None,
        };
        Some(reason.into())
    }

    #[test]
    fn pointer_is_read_from_the_end_of_the_message() {
        assert_eq!(pointer_in("\"time\" is required (at /time)"), Some("/time"));
        assert_eq!(pointer_in("at noon (at once)"), None);
        assert_eq!(pointer_in("no place"), None);
    }

    #[test]
    fn items_of_a_list_are_one_place() {
        assert_eq!(generalized("/data/12/id"), "/data/*/id");
        assert_eq!(generalized("/time"), "/time");
    }

    #[test]
    fn details_are_the_same_but_for_their_values() {
        for (detail, expected) in [
            (
                "expected value at line 1 column 25",
                "expected value at line * column *",
            ),
            ("no \"a\\\"1\" in \"b\"", "no \"*\" in \"*\""),
            ("open \"end 1", "open \"*\""),
            (
                "key 3c4f0c1e-8a52-4d3c-9d0e-6c1f5a7b9e10 of ord-77a",
                "key * of ord-*a",
            ),
            ("1.50 ñ – 7", "*.* ñ – *"),
            ("", ""),
        ] {
            assert_eq!(normalized(detail), expected);
        }
        assert_eq!(
            normalized(&"ñ".repeat(1_000)).chars().count(),
            DETAIL_CHARS_MAX
        );
    }

    #[test]
    fn messages_of_one_fault_are_counted_together() {
        let mut groups = Groups::new(at(0));
        let mut ready = message("a", 90, Verdict::Ready);
        ready.reason = died("expected value at line 1");
        let mut unreadable = message("b", 5, Verdict::Unreadable);
        unreadable.reason = died("expected value at line 22");
        let mut placed = message("c", 300, Verdict::StillInvalid);
        let failure = Failure::at(FailureCode::InvalidTime, "not a time", "/data/3");
        placed.failure = Some(failure.into());
        let mut placed_again = message("d", 301, Verdict::StillInvalid);
        let failure = Failure::at(FailureCode::InvalidTime, "other", "/data/4");
        placed_again.failure = Some(failure.into());
        let exhausted = message("e", 30, Verdict::Ready);
        let mut third = message("f", 61, Verdict::Unreadable);
        third.reason = died("expected value at line 3");
        for message in [
            &ready,
            &unreadable,
            &placed,
            &placed_again,
            &exhausted,
            &third,
        ] {
            groups.add(message);
        }
        let groups = groups.into_sorted();
        let [syntax, time, retries] = groups.as_slice() else {
            panic!("{groups:?}");
        };
        assert_eq!(
            syntax.key.detail.as_deref(),
            Some("expected value at line *")
        );
        assert_eq!(syntax.messages, 3);
        assert_eq!(
            syntax.verdicts,
            Map::from([(Verdict::Ready, 1), (Verdict::Unreadable, 2)])
        );
        assert_eq!((syntax.first_sent_at, syntax.last_sent_at), (at(90), at(5)));
        assert_eq!(syntax.first_expires_at, at(90 - 1_000));
        assert_eq!((syntax.sent_last_hour, syntax.sent_hour_before), (1, 2));
        assert_eq!(syntax.example, "b");
        assert_eq!(time.key.title(), "invalid-time /data/*");
        assert_eq!((time.messages, &time.key.detail), (2, &None));
        assert_eq!(
            (retries.key.cause.as_str(), retries.messages),
            ("retries-exhausted", 1)
        );
    }
}
