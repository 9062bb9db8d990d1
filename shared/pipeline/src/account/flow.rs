//! What passed the hops in a time. Pure.

/// A counted flow of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Flow {
    pub(super) total: f64,
    /// What the first and the last period have of it.
    pub(super) edges: f64,
}

/// The flows of a time; `None` where a service sent no metric at all.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Flows {
    pub(super) published: Option<Flow>,
    pub(super) queued: Option<Flow>,
    pub(super) consumed: Option<Flow>,
    /// What SNS could not deliver and sent to the dead-letter queue itself, by the subscription's redrive policy.
    pub(super) undelivered: Option<Flow>,
    /// Messages in the source queue at the begin and at the end.
    pub(super) waiting_before: f64,
    pub(super) waiting_after: f64,
    pub(super) stored: Option<Flow>,
    pub(super) duplicates: Option<Flow>,
    pub(super) expired: Option<Flow>,
    pub(super) dead_lettered: Option<Flow>,
    /// Dead letters at the begin and at the end.
    pub(super) dead_before: f64,
    pub(super) dead_after: f64,
    /// Sent to the dead-letter queue by the ingest, SNS or somebody else, as that queue counts them. Moves by the
    /// redrive policy are not in it (Amazon SQS developer guide, "Available CloudWatch metrics",
    /// `NumberOfMessagesSent`).
    pub(super) dead_sent: Option<Flow>,
    /// Deleted from the dead-letter queue, after a redrive or without.
    pub(super) dead_removed: Option<Flow>,
    /// Messages that the redrive policy may have moved between the seconds at which the two queues were looked at, so
    /// that they are in both depths or in none, at the begin and at the end; at most.
    pub(super) moved_unseen: f64,
}

impl Flows {
    /// Dead letters that arrived, by the change of their number. Moves by the redrive policy are in no metric.
    pub(super) fn dead_arrivals(&self) -> Option<f64> {
        let removed = self.dead_removed?.total;
        Some(self.dead_after - self.dead_before + removed)
    }

    /// Dead letters that nobody sent. Its own counts alone: the ingest counts one send of a dead letter that it had to
    /// send twice, because the answer to the first was lost.
    pub(super) fn moved_by_policy(&self) -> Option<f64> {
        let sent = self.dead_sent?.total;
        Some((self.dead_arrivals()? - sent).max(0.0))
    }

    /// Dead letters that the ingest and SNS report beyond what the queue took.
    pub(super) fn untaken(&self) -> f64 {
        let reported = self.dead_lettered.map_or(0.0, |flow| flow.total) + self.undelivered();
        let taken = self.dead_sent.map_or(reported, |flow| flow.total);
        (reported - taken).max(0.0)
    }

    /// Messages that SNS sent to the dead-letter queue.
    pub(super) fn undelivered(&self) -> f64 {
        self.undelivered.map_or(0.0, |flow| flow.total)
    }

    /// What the ingest does with a message to end it.
    pub(super) const fn of_ingest(&self) -> [Option<Flow>; 4] {
        [
            self.stored,
            self.duplicates,
            self.expired,
            self.dead_lettered,
        ]
    }

    /// Outcomes of the ingest that end a message.
    pub(super) fn outcomes(&self) -> Option<f64> {
        let known = self.of_ingest().into_iter().flatten();
        known
            .map(|flow| flow.total)
            .reduce(|one, other| one + other)
    }
}
