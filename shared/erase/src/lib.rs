//! Erases what belongs to a subject, or matches a jq program or a text, wherever the console can reach it.
//!
//! Invariant: nothing is erased before the plan shows what was found where, and the audit log has the erasure
//! on the disk. The audit log names a subject, a program or a text by its digest alone. What was found and
//! stays is in the report, with the reason.
//!
//! | place | how it is erased |
//! |---|---|
//! | records | in steps of 500, each a transaction; then the partitions are rewritten |
//! | dead letters | received, and deleted by [`redrive::operations::delete`] |
//! | plans, journals of redrives that ended | removed whole: a journal without a frame would be damaged |
//! | copies of messages (`dlq export`, `dlq delete`) | rewritten without the lines |
//! | exports of records | rewritten without the rows, file by file |
//! | files of the external editor | removed |
//! | audit log | the details of a change go, e.g. the bodies of edits; who, when, where and why stay |

mod audit_log;
mod dead_letters;
mod error;
mod exports;
mod finding;
mod local;
mod matcher;
mod plan;
mod records;
mod report;
mod request;
mod resumed;
mod run;

pub use error::EraseError;
pub use finding::{Action, Finding, Place};
pub use plan::{ErasePlan, plan};
pub use report::{PartitionOutcome, PartitionReport, Report};
pub use request::{Request, What};
pub use run::execute;
