//! The rows of the list: which columns there is room for, and what they hold.

use pipeline::fleet::{FleetRow, FleetState};
use pipeline::rules::Severity;
use unicode_width::UnicodeWidthStr as _;

use crate::fleet_words::{ago, last_stored, messages, oldest, per_minute, place};
use crate::text::{UNKNOWN, count, visible};
use crate::tui::lines::{left, right, whole_words};
use crate::tui::theme::Tone;

/// The longest name that is shown whole.
const NAME_MAX: usize = 24;
/// What the reason must have to be worth its column.
const REASON_MIN: usize = 24;
const GAP: usize = 2;

/// A column of numbers.
struct Column {
    title: &'static str,
    width: usize,
    /// Where there is little room, those with the smallest ranks stay.
    rank: usize,
    text: fn(&FleetRow) -> String,
}

/// In the order of the screen.
const COLUMNS: [Column; 7] = [
    Column {
        title: "QUEUE",
        width: 9,
        rank: 0,
        text: |row| number(row.queue.map(messages)),
    },
    Column {
        title: "OLDEST",
        width: 14,
        rank: 3,
        text: |row| oldest(row.queue),
    },
    Column {
        title: "DLQ",
        width: 9,
        rank: 1,
        text: |row| {
            number(
                row.dead_letters
                    .map(|queue| queue.visible + queue.in_flight),
            )
        },
    },
    Column {
        title: "LAST STORED",
        width: 18,
        rank: 2,
        text: last_stored,
    },
    Column {
        title: "PER MIN",
        width: 22,
        rank: 4,
        text: |row| {
            let until = row.stored_per_minute_until;
            per_minute(row.stored_per_minute, until, row.read_at)
        },
    },
    Column {
        title: "METRICS OF",
        width: 14,
        rank: 5,
        text: |row| ago(row.metrics_age_secs),
    },
    Column {
        title: "WHERE",
        width: 28,
        rank: 6,
        text: place,
    },
];

fn number(number: Option<u64>) -> String {
    number.map_or_else(|| UNKNOWN.to_owned(), count)
}

/// The columns of a list of this width.
pub(super) struct Columns {
    name: usize,
    /// The first rank that has no room.
    rank_end: usize,
    reason: usize,
}

/// `not-permitted`
const STATE: usize = 13;
/// A sign before the state.
const SIGN: usize = 2;

impl Columns {
    pub(super) fn fitting(rows: &[FleetRow], width: usize) -> Self {
        let longest = rows.iter().map(|row| visible(&row.environment).width());
        let name = longest.max().unwrap_or(0).clamp(11, NAME_MAX);
        let fixed = name + GAP + SIGN + STATE;
        let used = |rank_end| {
            let shown = COLUMNS.iter().filter(move |column| column.rank < rank_end);
            fixed + shown.map(|column| GAP + column.width).sum::<usize>()
        };
        let mut ends = (0..=COLUMNS.len()).rev();
        let rank_end = ends.find(|end| used(*end) <= width).unwrap_or(0);
        let reason = width.saturating_sub(used(rank_end) + GAP);
        Self {
            name,
            rank_end,
            reason: if reason < REASON_MIN { 0 } else { reason },
        }
    }

    pub(super) fn header(&self) -> String {
        let mut header = left("ENVIRONMENT", self.name);
        header += &format!("  {}", left("STATE", SIGN + STATE));
        for column in self.shown() {
            header += &format!("  {}", right(column.title, column.width));
        }
        if self.reason > 0 {
            header += "  WHY";
        }
        header
    }

    pub(super) fn name(&self, row: &FleetRow) -> String {
        left(&visible(&row.environment), self.name)
    }

    pub(super) fn numbers(&self, row: &FleetRow) -> String {
        let mut numbers = String::new();
        for column in self.shown() {
            numbers += &format!("  {}", right(&visible(&(column.text)(row)), column.width));
        }
        numbers
    }

    pub(super) fn reason(&self, row: &FleetRow) -> String {
        match row.reason.as_deref().filter(|_| self.reason > 0) {
            Some(reason) => format!("  {}", whole_words(&visible(reason), self.reason)),
            None => String::new(),
        }
    }

    fn shown(&self) -> impl Iterator<Item = &'static Column> {
        let rank_end = self.rank_end;
        COLUMNS.iter().filter(move |column| column.rank < rank_end)
    }
}

pub(super) fn state(row: &FleetRow) -> String {
    left(row.state.as_str(), STATE)
}

/// What loses data or does not answer is bad; what nobody could look at is not good.
pub(super) fn tone(row: &FleetRow) -> Tone {
    let loses = row.findings.iter().any(|it| it.severity == Severity::Bad);
    match row.state {
        FleetState::Unreachable => Tone::Bad,
        FleetState::NotPermitted | FleetState::Invalid | FleetState::Attention if loses => {
            Tone::Bad
        }
        FleetState::NotPermitted | FleetState::Invalid | FleetState::Attention => Tone::Warning,
        FleetState::Ok => Tone::Good,
    }
}
