//! The balance of each hop. Pure.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::flow::{Flow, Flows};

/// What the metrics say of a hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HopState {
    /// Nothing is missing and nothing is doubled, within the uncertainty.
    Balanced,
    /// More came than left, by more than the uncertainty.
    Missing,
    /// More left than came, by more than the uncertainty.
    Doubled,
    /// There are no metrics, whatever came could be missing within the uncertainty, or two services report numbers of
    /// the same messages that differ.
    Unknown,
}

/// The balance of one hop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HopAccount {
    /// The hop, after what its messages pass: `topic`, `queue`, `ingest`, `dead letters`.
    pub hop: &'static str,
    /// Its state.
    pub state: HopState,
    /// Messages that came to it; those that waited before the time included.
    pub came: Option<u64>,
    /// Messages that left it; those that wait after the time included.
    pub left: Option<u64>,
    /// `came` less `left`, and less what is explained.
    pub difference: Option<i64>,
    /// By how much the difference may be wrong: the messages of the first and the last period, which one side may
    /// count and the other not, and those that are reported in one place and not counted in another.
    pub uncertainty: u64,
    /// What is explained, and what to look for where it is not.
    pub note: String,
}

/// The account of a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Account {
    /// Its begin.
    pub from: DateTime<Utc>,
    /// Its end, before which metrics are complete.
    pub until: DateTime<Utc>,
    /// Length of a period of the metrics in seconds.
    pub period_secs: u32,
    /// The hops in the order that messages pass them.
    pub hops: Vec<HopAccount>,
}

impl Account {
    pub(super) fn of(
        (from, until): (DateTime<Utc>, DateTime<Utc>),
        period_secs: u32,
        flows: &Flows,
    ) -> Self {
        Self {
            from,
            until,
            period_secs,
            hops: vec![
                topic(flows),
                queue(flows),
                ingest(flows),
                dead_letters(flows),
            ],
        }
    }

    /// The worst state of a hop.
    #[must_use]
    pub fn worst(&self) -> HopState {
        let has = |state| self.hops.iter().any(|hop| hop.state == state);
        [HopState::Missing, HopState::Doubled, HopState::Unknown]
            .into_iter()
            .find(|state| has(*state))
            .unwrap_or(HopState::Balanced)
    }
}

/// From the topic into the queue, or, where SNS cannot deliver, into the dead-letter queue. A redrive sends to the
/// queue as well, at most what was deleted from the dead-letter queue.
fn topic(flows: &Flows) -> HopAccount {
    let redriven = flows.dead_removed.map_or(0.0, |flow| flow.total);
    let sides = flows.published.zip(flows.queued);
    let sides = sides.map(|(came, queued)| (came.total, queued.total + flows.undelivered()));
    let difference = sides.map(|(came, left)| {
        let surplus = left - came;
        if surplus > 0.0 {
            -(surplus - redriven).max(0.0)
        } else {
            -surplus
        }
    });
    hop(
        "topic",
        sides,
        difference,
        edges([
            flows.published,
            flows.queued,
            flows.undelivered,
            flows.dead_removed,
        ]),
        Texts {
            balanced: "every published message was queued, or SNS sent it to the dead-letter queue; up to as many more as left that queue",
            missing: "published and not queued: is the subscription there, and does the queue's policy allow it?",
            doubled: "queued and not published: sent to the queue directly, or by a second subscription",
        },
    )
}

/// Through the queue to a consumer that deletes them, or by its redrive policy to the dead-letter queue.
fn queue(flows: &Flows) -> HopAccount {
    let sides = flows.queued.zip(flows.consumed).map(|(queued, consumed)| {
        let moved = flows.moved_by_policy().unwrap_or(0.0);
        (
            queued.total + flows.waiting_before,
            consumed.total + moved + flows.waiting_after,
        )
    });
    let difference = sides.map(|(came, left)| came - left);
    // Those of the dead letters too: what was moved is the change of their number.
    let edges = edges([
        flows.queued,
        flows.consumed,
        flows.dead_sent,
        flows.dead_removed,
    ]);
    // A queue that balances without these has no need of them, and a loss is seen the earlier.
    let is_balanced = difference.is_some_and(|difference| difference.abs() <= edges);
    let unseen = if is_balanced { 0.0 } else { flows.moved_unseen };
    hop(
        "queue",
        sides,
        difference,
        edges + unseen,
        Texts {
            balanced: "every queued message was deleted by a consumer, moved to the dead-letter queue, or waits",
            missing: "neither consumed nor waiting: purged, or older than the queue's retention",
            doubled: "consumed more often than queued: deleted twice by slow consumers",
        },
    )
}

/// Through the ingest: every message that it deletes has one outcome.
fn ingest(flows: &Flows) -> HopAccount {
    let sides = flows.consumed.zip(flows.outcomes());
    hop(
        "ingest",
        sides.map(|(consumed, outcomes)| (consumed.total, outcomes)),
        sides.map(|(consumed, outcomes)| consumed.total - outcomes),
        edges([flows.consumed]) + edges(flows.of_ingest()),
        Texts {
            balanced: "every consumed message is stored, a duplicate, expired or a dead letter",
            missing: "deleted without an outcome: another consumer reads the queue, or the function's log is missing",
            doubled: "more outcomes than messages: batches that were redelivered after they had been stored",
        },
    )
}

/// Into the dead-letter queue, by its own counts; its redrive policy brings more. The ingest and SNS count in other
/// places, where a metric that came twice is no dead letter more. So what they report beyond the queue's counts is
/// neither missing nor there, however many dead letters lie in it.
fn dead_letters(flows: &Flows) -> HopAccount {
    let untaken = flows.untaken();
    let sides = flows.dead_sent.zip(flows.dead_removed);
    let sides = sides.map(|(sent, removed)| {
        let came = flows.dead_before + sent.total + untaken;
        (came, removed.total + flows.dead_after)
    });
    let reported = edges([flows.dead_lettered, flows.undelivered]);
    let taken = edges([flows.dead_sent]);
    let account = hop(
        "dead letters",
        sides,
        sides.map(|(came, left)| (came - left).max(0.0)),
        edges([flows.dead_sent, flows.dead_removed])
            + untaken
            + if untaken > 0.0 { reported } else { 0.0 },
        Texts {
            balanced: "the queue has at least as many as were sent to it and not deleted; others may have come by retries, and what was purged or expired may be hidden among them",
            missing: "sent to the dead-letter queue and not in it: purged, or expired",
            doubled: "",
        },
    );
    let is_told = matches!(account.state, HopState::Missing | HopState::Doubled);
    if is_told || untaken <= reported + taken {
        return account;
    }
    HopAccount {
        state: HopState::Unknown,
        note: "the ingest and SNS report more dead letters than the queue took: is it the queue that they send to?"
            .to_owned(),
        ..account
    }
}

struct Texts {
    balanced: &'static str,
    missing: &'static str,
    doubled: &'static str,
}

fn hop(
    name: &'static str,
    sides: Option<(f64, f64)>,
    difference: Option<f64>,
    uncertainty: f64,
    texts: Texts,
) -> HopAccount {
    let is_within = difference.is_some_and(|difference| difference.abs() <= uncertainty);
    let came = sides.map_or(0.0, |(came, _)| came);
    let state = match difference {
        None => HopState::Unknown,
        Some(_) if is_within && came > 0.0 && uncertainty >= came => HopState::Unknown,
        Some(_) if is_within => HopState::Balanced,
        Some(difference) if difference > 0.0 => HopState::Missing,
        Some(_) => HopState::Doubled,
    };
    // Fewer than the uncertainty may be missing all the same.
    let within = match state {
        HopState::Balanced if count(uncertainty) > 0 => "within the uncertainty, ",
        HopState::Balanced | HopState::Missing | HopState::Doubled | HopState::Unknown => "",
    };
    let note = match state {
        HopState::Balanced => texts.balanced,
        HopState::Missing => texts.missing,
        HopState::Doubled => texts.doubled,
        HopState::Unknown if is_within => {
            "no less passed in the first and the last period than in all of the time: choose a longer one"
        }
        HopState::Unknown => "one side has no metrics in this time",
    };
    HopAccount {
        hop: name,
        state,
        came: sides.map(|(came, _)| count(came)),
        left: sides.map(|(_, left)| count(left)),
        difference: difference.map(signed),
        uncertainty: count(uncertainty),
        note: format!("{within}{note}"),
    }
}

/// What the first and the last period have of these flows.
fn edges<const N: usize>(flows: [Option<Flow>; N]) -> f64 {
    flows.into_iter().flatten().map(|flow| flow.edges).sum()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sums of counts"
)]
fn count(value: f64) -> u64 {
    value.round().max(0.0) as u64
}

#[expect(clippy::cast_possible_truncation, reason = "a difference of counts")]
fn signed(value: f64) -> i64 {
    value.round() as i64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn flow(total: u32) -> Option<Flow> {
        Some(Flow {
            total: total.into(),
            edges: 0.0,
        })
    }

    /// Messages by what happens to them.
    #[derive(Clone, Copy, Debug)]
    struct Traffic {
        undelivered: u32,
        stored: u32,
        duplicates: u32,
        dead_lettered: u32,
        retried_out: u32,
        waiting: u32,
        redriven: u32,
    }

    impl Traffic {
        fn flows(self) -> Flows {
            let consumed = self.stored + self.duplicates + self.dead_lettered;
            let delivered = consumed + self.retried_out + self.waiting;
            Flows {
                published: flow(delivered + self.undelivered),
                queued: flow(delivered + self.redriven),
                undelivered: flow(self.undelivered),
                consumed: flow(consumed + self.redriven),
                waiting_before: 0.0,
                waiting_after: self.waiting.into(),
                stored: flow(self.stored + self.redriven),
                duplicates: flow(self.duplicates),
                expired: flow(0),
                dead_lettered: flow(self.dead_lettered),
                dead_before: f64::from(self.redriven),
                dead_after: f64::from(self.undelivered + self.dead_lettered + self.retried_out),
                dead_sent: flow(self.undelivered + self.dead_lettered),
                dead_removed: flow(self.redriven),
                moved_unseen: 0.0,
            }
        }
    }

    fn account(flows: &Flows) -> Account {
        let at = DateTime::from_timestamp(1_795_000_000, 0).unwrap();
        Account::of((at, at), 60, flows)
    }

    fn states(flows: &Flows) -> Vec<(HopState, i64)> {
        let hops = account(flows).hops.into_iter();
        hops.map(|hop| (hop.state, hop.difference.unwrap()))
            .collect()
    }

    const BALANCED: (HopState, i64) = (HopState::Balanced, 0);

    fn traffic() -> impl Strategy<Value = Traffic> {
        (
            0..50_u32,
            0..500_u32,
            0..50_u32,
            0..50_u32,
            0..50_u32,
            0..50_u32,
            0..50_u32,
        )
            .prop_map(
                |(
                    undelivered,
                    stored,
                    duplicates,
                    dead_lettered,
                    retried_out,
                    waiting,
                    redriven,
                )| Traffic {
                    undelivered,
                    stored,
                    duplicates,
                    dead_lettered,
                    retried_out,
                    waiting,
                    redriven,
                },
            )
    }

    fn plus(flow: &mut Option<Flow>, number: f64) {
        if let Some(flow) = flow {
            flow.total += number;
        }
    }

    proptest! {
        #[test]
        fn traffic_without_a_fault_is_balanced_at_every_hop(traffic in traffic()) {
            prop_assert_eq!(states(&traffic.flows()), vec![BALANCED; 4]);
        }

        #[test]
        fn loss_is_named_at_its_hop_with_its_number(mut traffic in traffic(), lost in 1..40_u32) {
            traffic.redriven = 0;
            let n = i64::from(lost);
            let missing = (HopState::Missing, n);
            let minus = -f64::from(lost);
            // Never queued: what would have been stored is not.
            let mut flows = traffic.flows();
            plus(&mut flows.published, f64::from(lost));
            prop_assert_eq!(states(&flows), vec![missing, BALANCED, BALANCED, BALANCED]);
            // Purged from the queue.
            let mut flows = traffic.flows();
            plus(&mut flows.published, f64::from(lost));
            plus(&mut flows.queued, f64::from(lost));
            prop_assert_eq!(states(&flows), vec![BALANCED, missing, BALANCED, BALANCED]);
            // Deleted by another consumer.
            let mut flows = traffic.flows();
            for flow in [&mut flows.published, &mut flows.queued, &mut flows.consumed] {
                plus(flow, f64::from(lost));
            }
            prop_assert_eq!(states(&flows), vec![BALANCED, BALANCED, missing, BALANCED]);
            // Purged from the dead-letter queue, which has no retried ones.
            traffic.retried_out = 0;
            traffic.dead_lettered += lost;
            let mut flows = traffic.flows();
            flows.dead_after += minus;
            prop_assert_eq!(states(&flows), vec![BALANCED, BALANCED, BALANCED, missing]);
        }

        #[test]
        fn doubling_is_named_at_its_hop(traffic in traffic(), more in 1..40_u32) {
            let n = -i64::from(more);
            let doubled = (HopState::Doubled, n);
            // A second subscription: more than the redrives explain.
            let mut flows = traffic.flows();
            for flow in [&mut flows.queued, &mut flows.consumed, &mut flows.duplicates] {
                plus(flow, f64::from(more));
            }
            prop_assert_eq!(states(&flows), vec![doubled, BALANCED, BALANCED, BALANCED]);
            // Redelivered after its outcome.
            let mut flows = traffic.flows();
            plus(&mut flows.duplicates, f64::from(more));
            prop_assert_eq!(states(&flows), vec![BALANCED, BALANCED, doubled, BALANCED]);
        }

        /// Of a batch that was delivered again, or by a metric that came twice.
        #[test]
        fn dead_letter_that_the_ingest_counts_twice_is_not_missing(mut traffic in traffic(), more in 1..40_u32) {
            traffic.retried_out = 0;
            traffic.dead_lettered += more + 1;
            let mut flows = traffic.flows();
            plus(&mut flows.dead_lettered, f64::from(more));
            let hops = account(&flows).hops;
            prop_assert_eq!(hops[2].state, HopState::Doubled, "more outcomes than messages");
            prop_assert_eq!(hops[3].state, HopState::Unknown);
            prop_assert_eq!((hops[1].state, hops[3].difference), (HopState::Balanced, Some(i64::from(more))));
            prop_assert_eq!(hops[3].uncertainty, u64::from(more));
            // What the queue itself counted and does not have is missing all the same.
            flows.dead_after -= f64::from(more + 1);
            let hop = &account(&flows).hops[3];
            prop_assert_eq!((hop.state, hop.difference), (HopState::Missing, Some(2 * i64::from(more) + 1)));
        }

        /// The answer to the first send was lost: it is in the queue twice, and reported once.
        #[test]
        fn dead_letter_that_was_sent_twice_doubles_nothing_in_the_queue(traffic in traffic(), more in 1..40_u32) {
            let mut flows = traffic.flows();
            plus(&mut flows.dead_sent, f64::from(more));
            flows.dead_after += f64::from(more);
            prop_assert_eq!(states(&flows), vec![BALANCED; 4]);
        }

        #[test]
        fn dead_letters_that_no_queue_took_are_in_doubt(sent in 1..40_u32) {
            let flows = Flows {
                dead_lettered: flow(sent),
                dead_sent: flow(0),
                dead_removed: flow(0),
                ..Flows::default()
            };
            let hop = account(&flows).hops[3].clone();
            prop_assert_eq!((hop.state, hop.came, hop.left), (HopState::Unknown, Some(sent.into()), Some(0)));
            prop_assert!(hop.note.contains("is it the queue that they send to"), "{}", hop.note);
        }

        /// However many lie there from before, and whatever was redriven meanwhile.
        #[test]
        fn old_dead_letters_hide_none_that_no_queue_took(
            mut traffic in traffic(),
            untaken in 1..40_u32,
            old in 0..100_000_u32,
        ) {
            traffic.dead_lettered += untaken;
            let mut flows = traffic.flows();
            plus(&mut flows.dead_sent, -f64::from(untaken));
            flows.dead_after += f64::from(old) - f64::from(untaken);
            flows.dead_before += f64::from(old);
            if let Some(removed) = &mut flows.dead_removed {
                removed.edges = removed.total;
            }
            let hops = account(&flows).hops;
            prop_assert_eq!(hops[3].state, HopState::Unknown, "{:?}", hops);
            prop_assert!(hops[3].note.contains("is it the queue that they send to"), "{:?}", hops);
            let is_fault = |hop: &HopAccount| matches!(hop.state, HopState::Missing | HopState::Doubled);
            prop_assert!(!hops.iter().any(is_fault), "{:?}", hops);
        }

        #[test]
        fn reports_within_the_edges_are_no_doubt(untaken in 0..40_u32, old in 100..1_000_u32) {
            let flows = Flows {
                dead_lettered: Some(Flow { total: f64::from(untaken), edges: f64::from(untaken) }),
                dead_sent: flow(0),
                dead_removed: flow(0),
                dead_before: old.into(),
                dead_after: old.into(),
                ..Flows::default()
            };
            prop_assert_eq!(account(&flows).hops[3].state, HopState::Balanced);
        }

        #[test]
        fn difference_within_the_edges_is_balanced(traffic in traffic(), lost in 1..40_u32) {
            let mut flows = traffic.flows();
            let edges = f64::from(lost + traffic.redriven);
            plus(&mut flows.published, edges + 1.0);
            plus(&mut flows.queued, 1.0);
            if let Some(flow) = &mut flows.published {
                flow.edges = edges;
            }
            prop_assert_eq!(states(&flows)[0].0, HopState::Balanced);
            let within = "within the uncertainty, every published message";
            prop_assert!(account(&flows).hops[0].note.starts_with(within));
            let certain = account(&Traffic { redriven: 0, ..traffic }.flows());
            prop_assert!(certain.hops[0].note.starts_with("every published message"));
        }

        #[test]
        fn what_the_uncertainty_could_hide_as_a_whole_is_unknown(came in 1..500_u32) {
            let all = Some(Flow { total: f64::from(came), edges: f64::from(came) });
            let flows = Flows { published: all, queued: all, ..Flows::default() };
            let account = account(&flows);
            prop_assert_eq!(account.hops[0].state, HopState::Unknown);
            prop_assert!(account.hops[0].note.contains("choose a longer one"));
        }
    }

    #[test]
    fn time_without_traffic_is_balanced() {
        let none = Some(Flow::default());
        let flows = Flows {
            published: none,
            queued: none,
            consumed: none,
            stored: none,
            dead_lettered: none,
            dead_sent: none,
            dead_removed: none,
            ..Flows::default()
        };
        assert_eq!(account(&flows).worst(), HopState::Balanced);
    }

    #[test]
    fn hop_without_metrics_is_unknown_and_the_worst_state_decides() {
        let account = account(&Flows::default());
        assert!(
            account
                .hops
                .iter()
                .all(|hop| hop.state == HopState::Unknown)
        );
        assert_eq!(account.worst(), HopState::Unknown);
    }
}
