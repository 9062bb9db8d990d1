//! The terminal console: `update` and `view` are pure, `run` and `sources` touch the pipeline.
//!
//! Invariants: the task that draws never waits for the network, the database or a file. Imports go
//! down only: run, sources → update, view, model → screens → context, pipeline view, requests →
//! theme, keys, texts and the other vocabulary.

mod basic_colours;
mod changed_cells;
mod chart_range;
mod check_settings;
mod configuration;
mod context;
mod dialog;
pub(crate) mod difference;
mod document;
mod effect;
mod event_editor;
mod external_editor;
mod failure_text;
mod fault;
pub(crate) mod filter;
mod finding;
mod footer;
mod handover;
mod header;
mod health;
mod help;
mod keymap;
mod layout;
mod limits;
mod lines;
mod list;
mod live_samples;
mod message;
mod model;
mod notices;
mod outbox;
mod palette;
mod patch;
mod pipeline_view;
mod plot;
mod polling;
mod queue_looks;
mod queue_trend;
mod quit_question;
mod rate;
mod rates;
mod received;
mod redrives;
mod remote;
mod request;
mod run;
mod screen_id;
mod screens;
mod search;
mod signals;
mod sources;
mod templates;
mod terminal;
#[cfg(test)]
mod testing;
mod theme;
mod trace;
mod update;
mod verdict;
mod view;

use crate::text as format;
pub(crate) use configuration::Configuration;
pub(crate) use run::{Ended, run};
pub(crate) use terminal::cannot_draw_on;
