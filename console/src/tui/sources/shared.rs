//! What the tasks of the sources share.

use std::sync::{Arc, Mutex, OnceLock};

use tokio::sync::mpsc;

use super::leases::Leases;
use crate::tui::configuration::Configuration;
use crate::tui::fault::Fault;
use crate::tui::message::Msg;
use pipeline::environment::Environment;
use pipeline::{Authority, BodySpool, LeaseSet, Pipeline};
use redrive::Control;
use redrive::operations::history::HistoryReader;

/// Reads of journals, one at a time: a read that is late ends before the next one begins, so that
/// no threads pile up.
pub(super) type Journals = Arc<tokio::sync::Mutex<HistoryReader>>;

#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) environment: Environment,
    pub(super) authority: Authority,
    pub(super) configuration: Configuration,
    /// Controls the redrive that the task runs; of no use to other requests.
    pub(super) control: Control,
    /// The turn of the one read of journals, and what the earlier ones found.
    pub(super) journals: Journals,
    pub(super) replies: mpsc::Sender<Msg>,
    /// Bodies that were edited by hand.
    pub(super) edits: Arc<Mutex<Option<BodySpool>>>,
    connection: Arc<OnceLock<Pipeline>>,
    leases: Arc<OnceLock<Leases>>,
    peeked: Arc<OnceLock<Arc<LeaseSet>>>,
}

impl Shared {
    pub(super) fn new(
        environment: Environment,
        authority: Authority,
        configuration: Configuration,
        replies: mpsc::Sender<Msg>,
    ) -> Self {
        Self {
            environment,
            authority,
            configuration,
            control: Control::new(None),
            journals: Arc::default(),
            replies,
            edits: Arc::default(),
            connection: Arc::default(),
            leases: Arc::default(),
            peeked: Arc::default(),
        }
    }

    /// The connection; made by the task that needs it first.
    pub(super) fn pipeline(&self) -> Result<Pipeline, Fault> {
        if let Some(pipeline) = self.connection.get() {
            return Ok(pipeline.clone());
        }
        let made = Pipeline::connect(&self.environment).map_err(|error| Fault::from(&error))?;
        let made = made.with_authority(self.authority.clone());
        Ok(self.connection.get_or_init(|| made).clone())
    }

    /// The received messages.
    pub(super) fn leases(&self) -> Result<&Leases, Fault> {
        let pipeline = self.pipeline()?;
        Ok(self.leases.get_or_init(|| Leases::new(&pipeline)))
    }

    /// The messages of the source queue that a peek received and could not release yet.
    pub(super) fn peeked(&self) -> Result<Arc<LeaseSet>, Fault> {
        let pipeline = self.pipeline()?;
        let leases = || Arc::new(pipeline.peek_leases());
        Ok(Arc::clone(self.peeked.get_or_init(leases)))
    }
}
