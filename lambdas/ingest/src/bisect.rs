//! Finds the bad items of a batch that can only be written as a whole, by cutting it up.
//!
//! Invariant: every item gets exactly one answer; no good item is lost to a bad neighbour; b bad
//! items among n cost at most `1 + 4·b·⌈log4 n⌉` writes, and n bad ones fewer than `2·n`.
//!
//! Quarters cost as many writes as halves for one bad item (`4·log4 n = 2·log2 n`) and a third less
//! for nothing but bad ones, and what is written in vain, and rolled back, is 1.33 times the batch
//! instead of twice. Eighths would save little of that for a third more round trips.
//!
//! The first, refused write cannot be saved: PostgreSQL tells neither the row nor its place (the
//! position in an error is one in the statement; only a check quotes the row, cut short and
//! unquoted; `pg_input_is_valid` needs PostgreSQL 16 and knows no constraint), and a savepoint for
//! each row costs every clean batch. So one event in a thousand that only the database refuses
//! takes 2.2 times the clean batch (measured; halves 2.9, eighths 2.3), once: it is in the
//! dead-letter queue afterwards. What the validator finds costs nothing, which is why it knows every
//! rule of the schema. A batch of nothing but refusals that does not end in time ends at the write
//! deadline: what was found is sent to the dead-letter queue, the rest is reported, and the next
//! delivery goes on with it.

use std::ops::Range;

/// Parts that a refused range is cut into.
const PARTS: usize = 4;

/// What became of one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Isolated<O> {
    /// It was written.
    Written(O),
    /// It was refused when it was written alone, and why.
    Refused(String),
    /// It was not written: the world failed before.
    Unwritten,
}

/// Why a write of several items failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteError {
    /// One of the items is at fault.
    Item(String),
    /// None of them is; there is no use in going on.
    World,
}

/// Writes all items with as few writes as it can. `write` writes all it is given or nothing, and
/// answers in the order of its input.
pub async fn isolate<T, O, W>(items: &[T], mut write: W) -> Vec<Isolated<O>>
where
    W: AsyncFnMut(&[T]) -> Result<Vec<O>, WriteError>,
{
    let mut fates: Vec<Isolated<O>> = items.iter().map(|_| Isolated::Unwritten).collect();
    // Last in, first out, and the first part is put last: the order of the items is kept.
    let mut open: Vec<Range<usize>> = std::iter::once(0..items.len()).collect();
    while let Some(range) = open.pop() {
        let (Some(some), Some(slots)) = (items.get(range.clone()), fates.get_mut(range.clone()))
        else {
            break;
        };
        if some.is_empty() {
            continue;
        }
        match write(some).await {
            Ok(answers) => {
                for (slot, answer) in slots.iter_mut().zip(answers) {
                    *slot = Isolated::Written(answer);
                }
            }
            Err(WriteError::World) => break,
            Err(WriteError::Item(reason)) => match slots {
                [alone] => *alone = Isolated::Refused(reason),
                _ => {
                    let size = some.len().div_ceil(PARTS);
                    let starts = range.clone().step_by(size);
                    open.extend(starts.rev().map(|start| start..range.end.min(start + size)));
                }
            },
        }
    }
    fates
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Runs `isolate` over 0..count with a writer that refuses `bad` and fails from call number
    /// `away_from` on; returns the fates, the calls and what was written, in order.
    async fn run(
        count: usize,
        bad: &BTreeSet<usize>,
        away_from: usize,
    ) -> (Vec<Isolated<usize>>, usize, Vec<usize>) {
        let items: Vec<usize> = (0..count).collect();
        let mut calls = 0;
        let mut written = Vec::new();
        let fates = isolate(&items, async |some: &[usize]| {
            calls += 1;
            if calls > away_from {
                return Err(WriteError::World);
            }
            match some.iter().find(|item| bad.contains(item)) {
                Some(item) => Err(WriteError::Item(format!("bad {item}"))),
                None => {
                    written.extend_from_slice(some);
                    Ok(some.to_vec())
                }
            }
        })
        .await;
        (fates, calls, written)
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
    }

    #[test]
    fn good_batch_is_one_write_and_an_empty_one_is_none() {
        let (fates, calls, _) = runtime().block_on(run(1_000, &BTreeSet::new(), usize::MAX));
        assert_eq!((fates.len(), calls), (1_000, 1));
        let (fates, calls, _) = runtime().block_on(run(0, &BTreeSet::new(), usize::MAX));
        assert_eq!((fates.len(), calls), (0, 0));
    }

    #[test]
    fn one_bad_item_costs_few_writes_and_nothing_but_bad_ones_less_than_two_each() {
        for (bad, calls_max) in [(0..1, 21), (999..1_000, 21), (0..1_000, 1_400)] {
            let bad = bad.collect();
            let (_, calls, _) = runtime().block_on(run(1_000, &bad, usize::MAX));
            assert!(calls <= calls_max, "{calls} calls for {}", bad.len());
        }
    }

    proptest! {
        #[test]
        fn isolates_every_bad_item_and_writes_every_good_one_once_in_few_calls(
            count in 1_usize..200,
            bad in prop::collection::btree_set(0_usize..200, 0..12),
        ) {
            let bad: BTreeSet<usize> = bad.into_iter().filter(|item| *item < count).collect();
            let (fates, calls, written) = runtime().block_on(run(count, &bad, usize::MAX));
            for (item, fate) in fates.iter().enumerate() {
                let expected = if bad.contains(&item) {
                    Isolated::Refused(format!("bad {item}"))
                } else {
                    Isolated::Written(item)
                };
                prop_assert_eq!(fate, &expected);
            }
            let good: Vec<usize> = (0..count).filter(|item| !bad.contains(item)).collect();
            prop_assert_eq!(written, good);
            let depth = (0..).find(|depth| PARTS.pow(*depth) >= count).unwrap() as usize;
            prop_assert!(calls <= 1 + PARTS * bad.len() * depth, "{calls} calls");
            prop_assert!(calls <= 2 * count, "{calls} calls");
        }

        #[test]
        fn what_was_not_written_before_the_world_failed_is_said_to_be_unwritten(
            count in 1_usize..100,
            bad in prop::collection::btree_set(0_usize..100, 0..5),
            away_from in 0_usize..20,
        ) {
            let (fates, _, written) = runtime().block_on(run(count, &bad, away_from));
            prop_assert_eq!(fates.len(), count);
            let said: Vec<usize> = fates
                .iter()
                .filter_map(|fate| match fate {
                    Isolated::Written(item) => Some(*item),
                    Isolated::Refused(_) | Isolated::Unwritten => None,
                })
                .collect();
            prop_assert_eq!(said, written);
        }
    }
}
