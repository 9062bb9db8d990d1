//! Finds the bad items of a batch that can only be written as a whole, by bisecting it.
//!
//! Invariant: every item gets exactly one result; no good item is lost to a bad neighbour; b bad
//! items among n cost at most `1 + 4·b·⌈log4 n⌉` writes, and n bad ones fewer than `2·n`.
//!
//! Each refused range is cut into quarters. For one bad item quarters cost as many writes as halves
//! (`4·log4 n = 2·log2 n`), for a batch of bad items a third less, and they write and roll back 1.33
//! times the batch instead of twice. Eighths would save little more for a third more round trips.
//!
//! The first, refused write is unavoidable. PostgreSQL does not name the bad row: the position in an
//! error is one in the statement, only a check quotes the row, cut short and unquoted, and
//! `pg_input_is_valid` needs PostgreSQL 16 and knows no constraint. A savepoint per row would slow
//! every clean batch. So one event in a thousand that only the database refuses costs 2.2 times the
//! clean batch (measured; halves 2.9, eighths 2.3), once: then it is in the dead-letter queue. An
//! event that the validator refuses costs nothing, so the validator knows every rule of the schema. A
//! batch of refusals that takes too long ends at the write deadline: the refusals found so far go to
//! the dead-letter queue, the rest is reported, and the next delivery continues.

use std::ops::Range;

const PARTS: usize = 4;

/// The result of one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ItemResult<O> {
    Written(O),
    /// Refused when it was written alone, with the reason.
    Refused(String),
    /// Not written: an earlier write failed through no fault of an item.
    Unwritten,
}

/// Why a write of several items failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WriteError {
    /// At least one item is bad: the reason.
    BadItem(String),
    /// No item is at fault; further writes would fail too.
    Unavailable,
}

/// Writes all items with few writes. `write` writes all items of its input or none, and returns
/// their results in order.
pub(crate) async fn bisect<T, O, W>(items: &[T], mut write: W) -> Vec<ItemResult<O>>
where
    W: AsyncFnMut(&[T]) -> Result<Vec<O>, WriteError>,
{
    let mut results: Vec<ItemResult<O>> = items.iter().map(|_| ItemResult::Unwritten).collect();
    // Last in, first out; the first part is pushed last, so items are written in order.
    let mut open: Vec<Range<usize>> = std::iter::once(0..items.len()).collect();
    while let Some(range) = open.pop() {
        let (Some(some), Some(slots)) = (items.get(range.clone()), results.get_mut(range.clone()))
        else {
            break;
        };
        if some.is_empty() {
            continue;
        }
        match write(some).await {
            Ok(written) => {
                for (slot, item) in slots.iter_mut().zip(written) {
                    *slot = ItemResult::Written(item);
                }
            }
            Err(WriteError::Unavailable) => break,
            Err(WriteError::BadItem(reason)) => match slots {
                [alone] => *alone = ItemResult::Refused(reason),
                _ => {
                    let size = some.len().div_ceil(PARTS);
                    let starts = range.clone().step_by(size);
                    open.extend(starts.rev().map(|start| start..range.end.min(start + size)));
                }
            },
        }
    }
    results
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Runs `bisect` over 0..count with a writer that refuses `bad` and is unavailable after
    /// `calls_max` calls; returns the results, the number of calls and the written items in order.
    async fn run(
        count: usize,
        bad: &BTreeSet<usize>,
        calls_max: usize,
    ) -> (Vec<ItemResult<usize>>, usize, Vec<usize>) {
        let items: Vec<usize> = (0..count).collect();
        let mut calls = 0;
        let mut written = Vec::new();
        let results = bisect(&items, async |some: &[usize]| {
            calls += 1;
            if calls > calls_max {
                return Err(WriteError::Unavailable);
            }
            match some.iter().find(|item| bad.contains(item)) {
                Some(item) => Err(WriteError::BadItem(format!("bad {item}"))),
                None => {
                    written.extend_from_slice(some);
                    Ok(some.to_vec())
                }
            }
        })
        .await;
        (results, calls, written)
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
    }

    #[test]
    fn good_batch_is_one_write_and_an_empty_one_is_none() {
        let (results, calls, _) = runtime().block_on(run(1_000, &BTreeSet::new(), usize::MAX));
        assert_eq!((results.len(), calls), (1_000, 1));
        let (results, calls, _) = runtime().block_on(run(0, &BTreeSet::new(), usize::MAX));
        assert_eq!((results.len(), calls), (0, 0));
    }

    #[test]
    fn one_bad_item_costs_few_writes_and_many_cost_fewer_than_two_each() {
        for (bad, limit) in [(0..1, 21), (999..1_000, 21), (0..1_000, 1_400)] {
            let bad = bad.collect();
            let (_, calls, _) = runtime().block_on(run(1_000, &bad, usize::MAX));
            assert!(calls <= limit, "{calls} calls for {}", bad.len());
        }
    }

    proptest! {
        #[test]
        fn every_bad_item_is_found_and_every_good_one_written_once_in_few_calls(
            count in 1_usize..200,
            bad in prop::collection::btree_set(0_usize..200, 0..12),
        ) {
            let bad: BTreeSet<usize> = bad.into_iter().filter(|item| *item < count).collect();
            let (results, calls, written) = runtime().block_on(run(count, &bad, usize::MAX));
            for (item, result) in results.iter().enumerate() {
                let expected = if bad.contains(&item) {
                    ItemResult::Refused(format!("bad {item}"))
                } else {
                    ItemResult::Written(item)
                };
                prop_assert_eq!(result, &expected);
            }
            let good: Vec<usize> = (0..count).filter(|item| !bad.contains(item)).collect();
            prop_assert_eq!(written, good);
            let depth = (0..).find(|depth| PARTS.pow(*depth) >= count).unwrap() as usize;
            prop_assert!(calls <= 1 + PARTS * bad.len() * depth, "{calls} calls");
            prop_assert!(calls <= 2 * count, "{calls} calls");
        }

        #[test]
        fn results_name_exactly_the_items_written_before_the_database_became_unavailable(
            count in 1_usize..100,
            bad in prop::collection::btree_set(0_usize..100, 0..5),
            calls_max in 0_usize..20,
        ) {
            let (results, _, written) = runtime().block_on(run(count, &bad, calls_max));
            prop_assert_eq!(results.len(), count);
            let reported: Vec<usize> = results
                .iter()
                .filter_map(|result| match result {
                    ItemResult::Written(item) => Some(*item),
                    ItemResult::Refused(_) | ItemResult::Unwritten => None,
                })
                .collect();
            prop_assert_eq!(reported, written);
        }
    }
}
