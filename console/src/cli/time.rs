//! Times on the command line.

use chrono::{DateTime, Utc};

use crate::tui::filter::{self, INSTANT_FORMS, SPAN_FORMS};

/// A time in any form of the records filter.
pub(super) fn time(text: &str) -> Result<DateTime<Utc>, String> {
    filter::moment(text, Utc::now()).ok_or_else(|| {
        format!(
            "neither a time like {INSTANT_FORMS}, today or yesterday, nor a span back from now like {SPAN_FORMS}"
        )
    })
}
