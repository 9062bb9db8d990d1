//! What the tasks of the sources share.

use std::sync::{Arc, OnceLock};

use tokio::sync::{Mutex, Semaphore, mpsc};

use crate::tui::fault::Fault;
use crate::tui::message::Msg;
use pipeline::environment::Environment;
use pipeline::{Authority, Pipeline, PipelineError};
use redrive::Control;
use redrive::operations::history::HistoryReader;

#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) environment: Environment,
    pub(super) authority: Authority,
    /// Controls the redrive that the task runs; of no use to other requests.
    pub(super) control: Control,
    /// The permit of the one program that may run.
    pub(super) programs: Arc<Semaphore>,
    /// The turn of the one read of journals, and what the earlier ones found.
    pub(super) journals: Arc<Mutex<HistoryReader>>,
    pub(super) replies: mpsc::Sender<Msg>,
    connection: Arc<OnceLock<Pipeline>>,
}

impl Shared {
    pub(super) fn new(
        environment: Environment,
        authority: Authority,
        replies: mpsc::Sender<Msg>,
    ) -> Self {
        Self {
            environment,
            authority,
            control: Control::new(None),
            programs: Arc::new(Semaphore::new(1)),
            journals: Arc::default(),
            replies,
            connection: Arc::default(),
        }
    }

    /// The connection; made by the task that needs it first.
    pub(super) fn pipeline(&self) -> Result<Pipeline, Fault> {
        if let Some(pipeline) = self.connection.get() {
            return Ok(pipeline.clone());
        }
        let made = Pipeline::connect(&self.environment).map_err(|error| fault(&error))?;
        let made = made.with_authority(self.authority.clone());
        Ok(self.connection.get_or_init(|| made).clone())
    }
}

pub(super) fn fault(error: &PipelineError) -> Fault {
    Fault {
        message: error.to_string(),
        hint: Some(error.hint()),
    }
}
