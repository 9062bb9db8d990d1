//! The state of the screen.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, Utc};
use pipeline::api_call::{CallSeries, CurlCommand};
use pipeline::api_document::{ApiDocument, ApiOperation};

use super::answer::Shown;
use super::body::BodyEditing;
use super::form::{Form, rows};
use super::past::{Past, Sent};
use super::typing::Typing;
use crate::tui::fault::Fault;
use crate::tui::list::ListState;
use crate::tui::remote::Remote;
use crate::tui::request::RequestId;

#[derive(Debug, Default)]
pub(crate) struct Api {
    /// The document of this release; read when the screen is shown first.
    pub(super) own: ApiDocument,
    pub(super) deployed: Remote<Box<ApiDocument>>,
    pub(super) focus: Pane,
    pub(super) operations: ListState,
    /// The selected operation; `None` for the first.
    pub(super) selected: Option<String>,
    /// By operation.
    pub(super) forms: BTreeMap<String, Form>,
    pub(super) typing: Option<Typing>,
    pub(super) editing: Option<BodyEditing>,
    /// Whether the operator's own editor has the body.
    pub(super) is_edited_elsewhere: bool,
    pub(super) calling: Option<Calling>,
    pub(super) outcome: Option<Outcome>,
    pub(super) series: Option<Series>,
    pub(super) history: VecDeque<Past>,
    pub(super) over: Option<Over>,
    pub(super) shows_headers: bool,
    /// First visible line of the answer.
    pub(super) answer_offset: usize,
}

/// Where the arrow keys go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Pane {
    #[default]
    Operations,
    Form,
    Answer,
}

impl Pane {
    pub(super) const fn next(self) -> Self {
        match self {
            Self::Operations => Self::Form,
            Self::Form => Self::Answer,
            Self::Answer => Self::Operations,
        }
    }
}

/// A call under way.
#[derive(Debug)]
pub(super) struct Calling {
    pub(super) request: RequestId,
    pub(super) since: DateTime<Utc>,
    pub(super) sent: Sent,
    /// How many calls of the series follow it.
    pub(super) left: u32,
}

/// What the last call came to.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) at: DateTime<Utc>,
    pub(super) sent: Sent,
    pub(super) result: Result<Box<Shown>, Fault>,
}

/// A call that is repeated.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) wanted: u32,
    pub(super) calls: CallSeries,
    /// Why it ended before.
    pub(super) stopped: Option<&'static str>,
}

/// What lies over the panes.
#[derive(Debug)]
pub(super) enum Over {
    History(ListState),
    Curl(CurlCommand),
}

impl Api {
    /// The document of the deployed API, where it could be read, else the one of this release.
    pub(super) fn document(&self) -> &ApiDocument {
        self.deployed.value().map_or(&self.own, |deployed| deployed)
    }

    pub(super) fn operation(&self) -> Option<&ApiOperation> {
        self.document().operations.get(self.operations.selected)
    }

    pub(super) fn form(&self) -> Option<&Form> {
        self.forms.get(&self.operation()?.key())
    }

    /// The form of the selected operation, and what it takes.
    pub(super) fn form_mut(&mut self) -> Option<(ApiOperation, &mut Form)> {
        let operation = self.operation()?.clone();
        let form = self.forms.entry(operation.key());
        let form = form.or_insert_with(|| Form::of(&operation));
        Some((operation, form))
    }

    /// The selected row of the form.
    pub(super) fn row(&self) -> Option<&str> {
        let (operation, form) = (self.operation()?, self.form()?);
        rows(operation).get(form.list.selected).copied()
    }

    /// The answer, where the last call had one.
    pub(super) fn shown(&self) -> Option<&Shown> {
        self.outcome.as_ref()?.result.as_deref().ok()
    }
}
