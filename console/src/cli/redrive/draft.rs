//! A plan with its messages, before anything is sent: made of a selection, or loaded.
//!
//! Invariant: the messages of a draft stay leased until [`Draft::release`], which is due also after
//! an error.

use std::sync::Arc;
use std::time::Duration;

use crate::cli::redrive::arguments::DraftArguments;
use crate::cli::selection::by_verdict;
use crate::cli::walk::{self, RELEASING};
use crate::cli::{CommandError, Exit, Interrupt, Session, progress};
use crate::text::messages_in_words;
use pipeline::model::DeadLetter;
use pipeline::{LeaseSet, printable};
use redrive::operations::replay::PlannedReplay;
use redrive::operations::{
    self, EditCounts, PatchInput, Patched, PlanRequest, Planned, Selection, Walk, WalkOptions,
    select,
};
use redrive::{Kind, Plan};

/// Visibility timeout while messages are checked and somebody decides; extended meanwhile.
pub(crate) const VISIBILITY: Duration = Duration::from_secs(120);
/// How long a patch may take over all messages, which are hidden from others meanwhile.
const PATCH_LIMIT: Duration = Duration::from_secs(600);
/// While a patch runs, messages are extended that end within this.
const EXTENDED_BELOW: Duration = Duration::from_secs(90);
/// Between two extensions.
const EXTENSION_INTERVAL: Duration = Duration::from_secs(20);
/// Skipped messages that are named; the rest is counted.
const SKIPPED_SHOWN_MAX: usize = 20;

/// A plan with the messages that it was made of.
pub(crate) struct Draft {
    pub(crate) plan: Arc<Plan>,
    /// The received messages of the plan; none for a plan that was loaded to be run.
    pub(crate) messages: Vec<DeadLetter>,
    walk: Option<Walk>,
    /// Whether more messages wait than were looked at.
    pub(crate) is_truncated: bool,
    pub(crate) selected: usize,
    /// Message ids that were named and not found.
    pub(crate) missing: Vec<String>,
    pub(crate) edits: EditCounts,
    /// Messages of the selection whose events would be lost if they were sent.
    pub(crate) would_be_lost: usize,
    /// How the command ends if everything is sent.
    pub(crate) exit: Exit,
}

impl Draft {
    /// Receives the selected messages and freezes a plan for them.
    pub(crate) async fn select(
        session: &Session,
        arguments: &DraftArguments,
        rate_per_sec: Option<f64>,
        interrupt: &mut Interrupt,
    ) -> Result<Self, CommandError> {
        let selection = arguments.selection.clone().into();
        let mut walk = receive(session, selection, interrupt).await?;
        let planned = async {
            let selecting = select(&mut walk);
            let (messages, hidden) = interrupt
                .cancels(session.output, RELEASING, selecting)
                .await?;
            walk::hidden_remark(session, hidden);
            // A signal in the last phase of the walk has been received: nothing follows it.
            if interrupt.cancellation().is_cancelled() {
                return Err(CommandError::Interrupted);
            }
            let selected = messages.len();
            let planned = tokio::select! {
                planned = plan(session, messages, arguments, rate_per_sec) => planned?,
                never = walk.leases.keep(EXTENSION_INTERVAL, EXTENDED_BELOW) => match never {},
                () = interrupt.received() => return Err(CommandError::Interrupted),
            };
            Ok((selected, planned))
        };
        let (selected, planned) = match planned.await {
            Ok(planned) => planned,
            Err(error) => {
                walk::release_all(session, &walk.leases, interrupt).await;
                return Err(error);
            }
        };
        walk::remarks(session, &walk);
        let mut draft = Self {
            plan: Arc::new(planned.plan),
            messages: planned.messages,
            selected,
            missing: walk.missing(),
            is_truncated: walk.truncation().is_some(),
            edits: planned.edits,
            would_be_lost: planned.would_be_lost,
            exit: Exit::Failed,
            walk: Some(walk),
        };
        draft.exit = draft.exit_of(session, arguments);
        draft.remarks(session, arguments);
        Ok(draft)
    }

    /// A plan that was made before. Its messages are received only for a dry run: a run searches
    /// them itself.
    pub(crate) async fn of_plan(
        session: &Session,
        plan: Plan,
        is_dry_run: bool,
        interrupt: &mut Interrupt,
    ) -> Result<Self, CommandError> {
        let mut draft = Self {
            selected: plan.entries.len()
                + plan.skipped.len()
                + plan.replacement().map_or(0, |planned| planned.same_text),
            plan: Arc::new(plan),
            messages: Vec::new(),
            walk: None,
            missing: Vec::new(),
            is_truncated: false,
            edits: EditCounts::default(),
            would_be_lost: 0,
            exit: Exit::Done,
        };
        if is_dry_run && draft.plan.kind() == Kind::Redrive {
            let mut walk = receive(session, Selection::default(), interrupt).await?;
            let selecting = select(&mut walk);
            let selected = interrupt
                .cancels(session.output, RELEASING, selecting)
                .await;
            let is_cancelled = interrupt.cancellation().is_cancelled();
            match selected {
                Ok((messages, _)) if !is_cancelled => draft.messages = messages,
                Ok(_) => {
                    walk::release_all(session, &walk.leases, interrupt).await;
                    return Err(CommandError::Interrupted);
                }
                Err(error) => {
                    walk::release_all(session, &walk.leases, interrupt).await;
                    return Err(error.into());
                }
            }
            walk::remarks(session, &walk);
            draft.walk = Some(walk);
        }
        Ok(draft)
    }

    /// A replay. Its records are read again when they are sent, so it has no messages here.
    pub(crate) fn of_replay(planned: PlannedReplay) -> Self {
        let (edits, would_be_lost) = (planned.edits, planned.would_be_lost);
        let replacement = planned.plan.replacement();
        let is_right_already = replacement.is_some_and(|planned| planned.same_text > 0);
        let is_planned = !planned.plan.entries.is_empty() || is_right_already;
        let is_as_asked = is_planned && edits.failed == 0 && would_be_lost == 0;
        Self {
            plan: Arc::new(planned.plan),
            messages: Vec::new(),
            walk: None,
            is_truncated: false,
            selected: planned.selected,
            missing: Vec::new(),
            edits,
            would_be_lost,
            exit: match is_as_asked {
                true => Exit::Done,
                false => Exit::Failed,
            },
        }
    }

    /// The leases of its messages, where some were received.
    pub(crate) fn leases(&self) -> Option<&LeaseSet> {
        self.walk.as_ref().map(|walk| &walk.leases)
    }

    /// Releases the messages that were not moved.
    pub(crate) async fn release(&self, session: &Session, interrupt: &mut Interrupt) {
        if let Some(leases) = self.leases() {
            walk::release_all(session, leases, interrupt).await;
        }
    }

    /// Whether everything that the arguments ask for is planned.
    fn exit_of(&self, session: &Session, arguments: &DraftArguments) -> Exit {
        let selection = &arguments.selection;
        let names_messages = !selection.message_ids.is_empty();
        let is_whole = names_messages || !self.is_truncated;
        let skipped = !self.plan.skipped.is_empty();
        let is_skipping_right = !skipped || (!self.plan.entries.is_empty() && !names_messages);
        // `--all` is also satisfied by an empty queue.
        let is_found = self.selected > 0 || selection.all;
        let is_as_asked = self.missing.is_empty()
            && self.edits.failed == 0
            && self.would_be_lost == 0
            && is_whole
            && is_skipping_right
            && is_found;
        match &self.walk {
            Some(walk) if is_as_asked => walk::ledger_exit(session, walk),
            Some(_) | None => Exit::Failed,
        }
    }

    /// Shows what is left out, and why.
    fn remarks(&self, session: &Session, arguments: &DraftArguments) {
        let note = |text: &str| session.output.note(text);
        let skipped = &self.plan.skipped;
        let names_all = !arguments.selection.message_ids.is_empty() || arguments.patch.is_some();
        if names_all || self.would_be_lost > 0 {
            self.skipped_remarks(session);
        }
        if self.would_be_lost > 0 {
            note(&format!(
                "{} would be lost if they were sent: no option sends them",
                messages_in_words(self.would_be_lost as u64)
            ));
        }
        if skipped.len() > self.would_be_lost + self.edits.failed {
            note(&format!(
                "skipped {}: --include-not-ready moves those that are not ready too",
                by_verdict(skipped.iter().map(|message| message.verdict))
            ));
        } else if skipped.is_empty() && self.plan.entries.is_empty() && self.missing.is_empty() {
            walk::nothing_remark(session, &arguments.selection.clone().into());
        }
        self.edit_remarks(session);
    }

    /// Names messages that are left out, with the reason of each.
    pub(crate) fn skipped_remarks(&self, session: &Session) {
        let skipped = &self.plan.skipped;
        for message in skipped.iter().take(SKIPPED_SHOWN_MAX) {
            let note = format!("{}: skipped, {}", message.message_id, message.reason);
            session.output.note(&printable(&note));
        }
        if skipped.len() > SKIPPED_SHOWN_MAX {
            session.output.note("…; --output json names all");
        }
    }

    /// Shows what the patch did.
    pub(crate) fn edit_remarks(&self, session: &Session) {
        let note = |text: &str| session.output.note(text);
        let edits = self.edits;
        if edits.changed + edits.failed > 0 {
            let become_valid = match edits.become_valid {
                1 => "1 becomes valid".to_owned(),
                several => format!("{several} become valid"),
            };
            note(&format!(
                "the patch changes {} ({become_valid}) and fails on {}",
                messages_in_words(edits.changed as u64),
                edits.failed
            ));
        }
        if edits.change_identity > 0 {
            note(&format!(
                "another source or id, so another identity for the ledger: {}",
                messages_in_words(edits.change_identity as u64)
            ));
        }
    }
}

async fn receive(
    session: &Session,
    selection: Selection,
    interrupt: &mut Interrupt,
) -> Result<Walk, CommandError> {
    let options = WalkOptions::of(VISIBILITY, None);
    walk::begin(session, selection, options, "receiving", interrupt).await
}

async fn plan(
    session: &Session,
    messages: Vec<DeadLetter>,
    arguments: &DraftArguments,
    rate_per_sec: Option<f64>,
) -> Result<Planned, CommandError> {
    let patched = match &arguments.patch {
        Some(program) => {
            let inputs = messages.iter().map(PatchInput::from).collect();
            let bar = progress::reported("patching");
            operations::patch(program, inputs, PATCH_LIMIT, bar)
                .await
                .map_err(|error| CommandError::Failed(error.to_string()))?
        }
        None => Patched::default(),
    };
    let request = PlanRequest {
        patched,
        includes_not_ready: arguments.include_not_ready,
        rate_per_sec,
        canary_steps: arguments
            .canary
            .clone()
            .map_or_else(Vec::new, |steps| steps.0),
    };
    let planned = operations::plan(&session.pipeline, messages, request).await?;
    if let Some(error) = &planned.ledger_error {
        session.output.note(&printable(&format!(
            "patched events may be \"already-stored\": {error}"
        )));
    }
    Ok(planned)
}
