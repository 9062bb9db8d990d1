//! Bodies of messages in the files of an item.
//!
//! Invariant: one body is in memory at a time, however large a file is. A body is found wherever this program
//! writes one: before and after an edit in a plan, as received in a journal, in a line of an export.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// Names of the members whose value is a body.
const BODY_NAMES: [&str; 3] = ["body", "old_body", "new_body"];
/// `llllllll cccccccc ` in front of each frame of a journal.
const FRAME_PREFIX_BYTES: u64 = 18;

/// Gives each body of a plan, a journal or an export to `take`, until that returns false.
///
/// # Errors
/// When the file cannot be read, or when it is none of these.
pub fn bodies(path: &Path, mut take: impl FnMut(String) -> bool) -> io::Result<()> {
    let mut reader = BufReader::new(File::open(path)?);
    let is_journal = path.extension().is_some_and(|end| end == "journal");
    let mut is_ended = false;
    while !is_ended {
        if is_journal {
            io::copy(
                &mut reader.by_ref().take(FRAME_PREFIX_BYTES),
                &mut io::sink(),
            )?;
        }
        if !skip_space(&mut reader)? {
            return Ok(());
        }
        let mut deserializer = serde_json::Deserializer::from_reader(&mut reader);
        Bodies {
            is_body: false,
            take: &mut take,
            is_ended: &mut is_ended,
        }
        .deserialize(&mut deserializer)?;
    }
    Ok(())
}

/// Skips white space; whether anything follows.
fn skip_space(reader: &mut BufReader<File>) -> io::Result<bool> {
    loop {
        let buffered = reader.fill_buf()?;
        if buffered.is_empty() {
            return Ok(false);
        }
        let space = buffered
            .iter()
            .take_while(|byte| byte.is_ascii_whitespace());
        let (space, all) = (space.count(), buffered.len());
        reader.consume(space);
        if space < all {
            return Ok(true);
        }
    }
}

/// Walks through a JSON value.
struct Bodies<'a, F> {
    is_body: bool,
    take: &'a mut F,
    is_ended: &'a mut bool,
}

impl<F: FnMut(String) -> bool> Bodies<'_, F> {
    fn give(self, text: String) {
        if self.is_body && !*self.is_ended {
            *self.is_ended = !(self.take)(text);
        }
    }
}

impl<'de, F: FnMut(String) -> bool> DeserializeSeed<'de> for Bodies<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: FnMut(String) -> bool> Visitor<'de> for Bodies<'_, F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            map.next_value_seed(Bodies {
                is_body: BODY_NAMES.contains(&name.as_str()),
                take: &mut *self.take,
                is_ended: &mut *self.is_ended,
            })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        loop {
            let item = Bodies {
                is_body: false,
                take: &mut *self.take,
                is_ended: &mut *self.is_ended,
            };
            if items.next_element_seed(item)?.is_none() {
                return Ok(());
            }
        }
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.give(text.to_owned());
        Ok(())
    }

    fn visit_string<E>(self, text: String) -> Result<(), E> {
        self.give(text);
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::journal::{Journal, plan_file};
    use crate::message::{Original, body_sha256};
    use crate::plan::{Edit, example};
    use crate::state::fact::{Fact, Intended};

    fn found(path: &Path) -> Vec<String> {
        let mut found = Vec::new();
        let take = |body| {
            found.push(body);
            true
        };
        bodies(path, take).unwrap();
        found
    }

    #[test]
    fn bodies_of_a_plan_a_journal_and_an_export_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let mut plan = example(2);
        let (old, new) = ("a \"quoted\"\nbody".to_owned(), "edited".to_owned());
        plan.entries[1].body_sha256 = body_sha256(&old);
        plan.entries[1].edit = Some(Edit {
            old_body: old.clone(),
            new_body: new.clone(),
        });
        let path = plan_file::write_in(folder.path(), &plan).unwrap();
        assert_eq!(found(&path), [old.clone(), new.clone()]);

        let (mut journal, _) = Journal::create(folder.path(), plan).unwrap();
        let original = Original {
            body: "body 0".to_owned(),
            attributes: BTreeMap::new(),
            group_id: None,
            trace_header: None,
        };
        let intended = Intended {
            index: 0,
            receipt_handle: Some("r".to_owned()),
            original,
        };
        let fact = Fact::Intended {
            messages: vec![intended],
        };
        journal.append(&[fact]).unwrap();
        assert_eq!(found(journal.path()), [old, new, "body 0".to_owned()]);

        let export = folder.path().join("q.jsonl");
        std::fs::write(
            &export,
            "{\"body\":\"1\",\"n\":[1.5,null]}\n{\"body\":\"2\"}\n",
        )
        .unwrap();
        assert_eq!(found(&export), ["1", "2"]);
        let mut first = Vec::new();
        let take = |body| {
            first.push(body);
            false
        };
        bodies(&export, take).unwrap();
        assert_eq!(first, ["1"]);
        std::fs::write(&export, "{\"body\":").unwrap();
        assert!(bodies(&export, |_| true).is_err());
    }
}
