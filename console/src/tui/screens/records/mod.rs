//! The records of the database: newest first, filtered, followed, paged both ways, read in full.
//!
//! Invariant: the selection stays on its record while rows come; one page is requested at a time; what is kept is
//! bounded.

mod columns;
mod compare;
mod detail;
mod export_command;
mod history;
mod known;
mod layout;
mod over;
mod paging;
mod rows;
mod saving;
mod sql;
mod state;
mod suggestions;
mod typing;
mod update;
mod view;

pub(crate) use self::state::Records;

#[cfg(test)]
mod tests;
