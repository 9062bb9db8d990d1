//! The identity of an event in the ledger: a digest of its source and id.
//!
//! Invariant: it is computed here as the function `event_identity` of the database computes it.
//!
//! A digest takes 16 bytes where the texts take up to 2,048, twice. Its first part depends on the id alone,
//! so that an event is also found by its id. To store an event in place of another one, a publisher would
//! have to find a source whose digest has the same 80 bits; two events of others meet by chance as rarely.

use std::ops::RangeInclusive;

use event::EventKey;
use sha2::{Digest as _, Sha256};
use sqlx::types::Uuid;

/// Bytes of the part that depends on the id alone.
const ID_BYTES: usize = 6;

/// The identity of an event.
pub(crate) fn identity(source: &str, id: &str) -> Uuid {
    // The validator refuses longer ones by far; the length of any other text is still a number.
    let source_bytes = u32::try_from(source.len()).unwrap_or(u32::MAX);
    let both = Sha256::new()
        .chain_update(source_bytes.to_be_bytes())
        .chain_update(source)
        .chain_update(id)
        .finalize();
    let mut bytes = [0; 16];
    let parts = Sha256::digest(id).into_iter().take(ID_BYTES).chain(both);
    for (byte, value) in bytes.iter_mut().zip(parts) {
        *byte = value;
    }
    Uuid::from_bytes(bytes)
}

/// The identity of an event as the function `event_identity` of the database shows it.
#[must_use]
pub fn ledger_identity(key: &EventKey) -> String {
    identity(&key.source, &key.id).to_string()
}

/// Where the identities of all events with the id are. Events with other ids can be there too.
pub(crate) fn identities_of_id(id: &str) -> RangeInclusive<Uuid> {
    let mut first = [u8::MIN; 16];
    let mut last = [u8::MAX; 16];
    let digest = Sha256::digest(id).into_iter().take(ID_BYTES);
    for ((low, high), value) in first.iter_mut().zip(&mut last).zip(digest) {
        (*low, *high) = (value, value);
    }
    Uuid::from_bytes(first)..=Uuid::from_bytes(last)
}

#[cfg(test)]
mod tests {
    use devstack::TestDatabase;

    use super::*;
    use crate::migrate;

    /// Texts where two ways to compute a digest could differ.
    fn texts() -> Vec<String> {
        let mut texts: Vec<String> = [
            "",
            "a",
            "ab",
            "\\",
            "\\x41",
            "\\\\",
            "'",
            "\"",
            "%",
            "é",
            "e\u{301}",
            "\u{1}",
            "\n",
            "\u{feff}",
            "\u{10ffff}",
            "日本",
            "🦀",
            " a",
            "a ",
            "A",
        ]
        .map(str::to_owned)
        .to_vec();
        texts.extend([55, 56, 63, 64, 1_024].map(|length| "x".repeat(length)));
        texts
    }

    #[tokio::test]
    async fn database_computes_the_same_identity_of_hostile_texts() {
        let database = TestDatabase::create().await.unwrap();
        migrate(database.pool()).await.unwrap();
        let texts = texts();
        let pairs = texts
            .iter()
            .flat_map(|source| texts.iter().map(move |id| (source.as_str(), id.as_str())));
        let (sources, ids): (Vec<&str>, Vec<&str>) = pairs.unzip();
        let computed: Vec<Uuid> = sqlx::query_scalar(
            "select event_identity(source, id)
             from unnest($1::text[], $2::text[]) with ordinality as pairs (source, id, position)
             order by position",
        )
        .bind(&sources)
        .bind(&ids)
        .fetch_all(database.pool())
        .await
        .unwrap();
        let expected: Vec<Uuid> = sources
            .iter()
            .zip(&ids)
            .map(|(source, id)| identity(source, id))
            .collect();
        assert_eq!(computed, expected);
        let distinct: std::collections::HashSet<&Uuid> = computed.iter().collect();
        assert_eq!(distinct.len(), texts.len() * texts.len());
    }

    #[test]
    fn identity_is_in_the_range_of_its_id_alone() {
        let texts = texts();
        for (number, id) in texts.iter().enumerate() {
            let range = identities_of_id(id);
            for source in &texts {
                assert!(range.contains(&identity(source, id)), "{source:?} {id:?}");
                let other = &texts[(number + 1) % texts.len()];
                assert!(!range.contains(&identity(source, other)), "{other:?}");
            }
        }
    }
}
