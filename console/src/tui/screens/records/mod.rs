//! The records of the database: newest first, filtered, followed, read in full.
//!
//! Invariant: the selection stays on its record while rows come; one page is requested at a time.

mod columns;
mod detail;
mod layout;
mod paging;
mod rows;
mod state;
mod typing;
mod update;
mod view;

pub(crate) use self::state::Records;

#[cfg(test)]
mod tests;
