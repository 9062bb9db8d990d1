//! The requests to the database, and what their answers change.
//!
//! Invariant: one page is requested at a time, an answer to an earlier list changes nothing, and no more than
//! [`PAGES_IN_A_ROW_MAX`] pages are read without a key.

use chrono::{DateTime, Duration, Utc};
use event::{Cursor, LIMIT_MAX, Order, Page, Record, RecordQuery};
use pipeline::RecordNames;

use super::known::gathered;
use super::rows::{PAYLOAD_BYTES_MAX, ROWS_MAX, Rows, other};
use super::state::{Records, Way};
use crate::tui::context::UpdateContext;
use crate::tui::filter;
use crate::tui::format::count;
use crate::tui::list::ListState;
use crate::tui::remote::Remote;
use crate::tui::request::{Answer, Reply, Request};
use crate::tui::theme::Tone;

const PAGE_ROWS: u16 = 100;
/// Rows of one read of what is new.
const NEWER_ROWS: u16 = LIMIT_MAX;
/// How often following reads.
const FOLLOW_EVERY: Duration = Duration::seconds(2);
/// How soon rows that could not be read are read again once their database answers.
const RELOAD_EVERY: Duration = Duration::seconds(10);
/// How soon a page that failed is requested again by moving.
const MORE_RETRY: Duration = Duration::seconds(3);
/// The page below or above is requested when the selection comes so near to the last or the first row.
const MORE_AHEAD_ROWS: usize = 30;
/// Pages that are read without a key. The database visits a limited number of records for each, so that one may be
/// short, or empty, before the end of the list.
const PAGES_IN_A_ROW_MAX: usize = 20;
/// How old the names of completion may be when a filter is typed.
const NAMES_EVERY: Duration = Duration::seconds(60);

impl Records {
    pub(super) fn tick(&mut self, context: &mut UpdateContext<'_>) {
        if !self.is_shown || self.rows.is_loading() {
            return;
        }
        if self.outage_is_over(context) {
            self.reload(context);
            return;
        }
        if !self.is_following {
            return;
        }
        if context.environment.database_pauses && context.is_untouched() {
            self.is_following = false;
            context.notify(
                Tone::Warning,
                "paused: nobody has used the console for 10 min",
            );
            return;
        }
        if self.rows.error().is_some() && self.rows.is_due(FOLLOW_EVERY, context.now) {
            self.reload(context);
        } else if self.rows.value().is_some()
            && self.has_the_top()
            && self.newer.is_due(FOLLOW_EVERY, context.now)
        {
            let Some(query) = self.query_of_now(context) else {
                return;
            };
            // A page below ends where the list does.
            (self.query.from, self.query.to) = (query.from, query.to);
            let query = RecordQuery {
                limit: NEWER_ROWS,
                ..query
            };
            context.outbox.fetch(&mut self.newer, Reply::Records, |to| {
                Request::Records(query, to)
            });
        }
    }

    /// Whether the rows could not be read, and their database was read since.
    fn outage_is_over(&self, context: &UpdateContext<'_>) -> bool {
        let totals = &context.pipeline.totals;
        let read_at = totals.fetched().map(|fetched| fetched.fetched_at);
        self.rows.failed_at() < read_at
            && self.rows.failed_at().is_some()
            && totals.error().is_none()
            && self.rows.is_due(RELOAD_EVERY, context.now)
    }

    pub(crate) fn page_came(
        &mut self,
        answer: Answer<Page<Record>>,
        context: &mut UpdateContext<'_>,
    ) {
        let now = context.now;
        if self.rows.awaits(&answer) {
            let order = self.query.order;
            // On the first row the operator watches what comes.
            let is_kept = self.list.selected > 0 || self.is_open;
            let kept = self.selected_id().filter(|_| is_kept);
            self.rows
                .settle(answer.map(|page| Rows::new(page, order)), now);
            let row = kept.and_then(|id| self.rows.value().and_then(|rows| rows.row_of(id)));
            self.select(row.unwrap_or(0), context);
        } else if self.more.awaits(&answer) {
            let is_ok = answer.is_ok();
            let added = answer.map(|page| self.take_page(page, context));
            self.more.settle(added, now);
            self.settle_layout(context.body);
            if is_ok && self.pages_in_a_row < PAGES_IN_A_ROW_MAX {
                self.fetch_more(context);
            }
        } else if self.newer.awaits(&answer) {
            let added = answer.map(|page| {
                let added = self.merge(page, context);
                self.leave_the_span(context);
                added
            });
            self.newer.settle(added, now);
        }
    }

    /// Puts a page in its place, and lets go of rows at the other end. What is seen stays where it is.
    fn take_page(&mut self, page: Page<Record>, context: &mut UpdateContext<'_>) -> usize {
        let height = usize::from(self.parts(context.body).rows.height);
        let order = self.query.order;
        let list = &mut self.list;
        let Some(rows) = self.rows.value_mut() else {
            return 0;
        };
        match self.way {
            Way::Below => {
                let added = page.items.len();
                rows.append(page);
                let gone = rows.trim_top(list.offset.saturating_sub(MORE_AHEAD_ROWS));
                list.selected -= gone;
                list.offset -= gone;
                if gone > 0 {
                    // What was asked for the top would put rows in twice that are read again from there.
                    self.newer.reset();
                }
                if gone > 0 && self.is_following {
                    self.is_following = false;
                    context.notify(Tone::Warning, "paused: reading further down; f follows");
                }
                added
            }
            Way::Above => {
                let added = rows.prepend(page);
                list.selected += added;
                list.offset += added;
                rows.trim(list.offset + height + MORE_AHEAD_ROWS);
                added
            }
            Way::End => {
                *rows = Rows::from_the_end(page, order);
                let length = rows.len();
                *list = ListState::default();
                list.select(length.saturating_sub(1), length, height);
                length
            }
        }
    }

    /// Rows that were within `since` when they came, and are no longer, go; not while one is open to be read.
    fn leave_the_span(&mut self, context: &mut UpdateContext<'_>) {
        let Some(from) = self.query.from.filter(|_| !self.is_open) else {
            return;
        };
        if self.rows.value_mut().is_some_and(|rows| rows.end_at(from)) {
            self.more.reset();
            self.settle_layout(context.body);
        }
    }

    /// Puts what is new on top. The selected row stays where it is on the screen, but for the
    /// first one: there the operator watches what comes, unless a record is open to be read.
    fn merge(&mut self, page: Page<Record>, context: &mut UpdateContext<'_>) -> usize {
        let selected = self.selected_id();
        let was = self.list;
        let order = self.query.order;
        let Some(rows) = self.rows.value_mut() else {
            return 0;
        };
        if rows.leaves_hole(&page) {
            if was.selected > 0 || self.is_open {
                self.is_following = false;
                context.notify(
                    Tone::Warning,
                    format!("paused: more than {NEWER_ROWS} new records at once; ^r reloads"),
                );
                return 0;
            }
            *rows = Rows::new(page, order);
            self.rows.seen_again(context.now);
            self.more.reset();
            self.settle_layout(context.body);
            return self.len();
        }
        let added = rows.merge(page);
        if added > 0 {
            if (was.selected > 0 || self.is_open)
                && let Some(row) = selected.and_then(|id| rows.row_of(id))
            {
                self.list.selected = row;
                self.list.offset = was.offset + row.saturating_sub(was.selected);
            }
            if rows.trim(self.list.selected + MORE_AHEAD_ROWS) {
                self.more.reset();
            }
            if rows.is_full() {
                self.is_following = false;
                context.notify(
                    Tone::Warning,
                    format!("paused: limit of {} reached; ^r reloads", kept_at_most()),
                );
            }
            self.settle_layout(context.body);
        }
        self.rows.seen_again(context.now);
        added
    }

    /// What the filter selects now: `since` and `until` move on with the clock, and may come to a time that ends before
    /// it begins. No filter would select everything.
    fn query_of_now(&mut self, context: &mut UpdateContext<'_>) -> Option<RecordQuery> {
        match filter::parse(&self.filter, context.now) {
            Ok(query) => Some(query),
            Err(error) => {
                self.is_following = false;
                let text = format!("the filter selects nothing any more: {error}");
                context.notify(Tone::Warning, text);
                None
            }
        }
    }

    pub(super) fn reload(&mut self, context: &mut UpdateContext<'_>) {
        let Some(query) = self.query_of_now(context) else {
            return;
        };
        self.query = RecordQuery {
            limit: PAGE_ROWS,
            ..query
        };
        self.more.reset();
        self.newer.reset();
        let query = self.query.clone();
        context.outbox.fetch(&mut self.rows, Reply::Records, |to| {
            Request::Records(query, to)
        });
    }

    pub(super) fn follow(&mut self, context: &mut UpdateContext<'_>) {
        if !self.is_following && self.query.order == Order::Asc {
            context.notify(
                Tone::Warning,
                "following needs the newest first; remove order=asc (/)",
            );
            return;
        }
        self.is_following = !self.is_following;
        if self.is_following {
            // What comes is on top.
            self.first(context);
            self.newer.reset();
            self.tick(context);
        }
    }

    /// Goes to the first record of the list, also where it was let go.
    pub(super) fn first(&mut self, context: &mut UpdateContext<'_>) {
        let has_the_top = self.has_the_top();
        self.select(0, context);
        if !has_the_top && !self.rows.is_loading() {
            self.reload(context);
        }
    }

    /// Goes to the last record of the list, also where it is not read yet: the list is then read from its end.
    pub(super) fn last(&mut self, context: &mut UpdateContext<'_>) {
        let rows = self.rows.value();
        let is_below = rows.is_some_and(|rows| rows.next_cursor().is_some());
        if !is_below || self.rows.is_loading() {
            self.select(usize::MAX, context);
            return;
        }
        if self.is_following {
            self.is_following = false;
            context.notify(Tone::Warning, "paused: going to the end; f follows");
        }
        self.pages_in_a_row = 0;
        // Its rows would stand beside others than those that they were asked for.
        self.newer.reset();
        self.fetch_page(Way::End, None, context);
    }

    /// Whether the page at the end of the list is awaited.
    pub(super) fn is_going_to_the_end(&self) -> bool {
        self.way == Way::End && self.more.is_loading()
    }

    /// Requests the page below or above, where the selection is near to it.
    pub(super) fn fetch_more(&mut self, context: &mut UpdateContext<'_>) {
        if self.rows.is_loading() || !self.more_is_due(context.now) {
            return;
        }
        let Some(rows) = self.rows.value() else {
            return;
        };
        let selected = self.list.selected;
        let below = rows
            .next_cursor()
            .filter(|_| selected + MORE_AHEAD_ROWS >= rows.len());
        let above = rows
            .previous_cursor()
            .filter(|_| selected < MORE_AHEAD_ROWS);
        match (below, above) {
            (Some(cursor), _) => self.fetch_page(Way::Below, Some(cursor), context),
            (None, Some(cursor)) => self.fetch_page(Way::Above, Some(cursor), context),
            (None, None) => {}
        }
    }

    fn fetch_page(&mut self, way: Way, cursor: Option<Cursor>, context: &mut UpdateContext<'_>) {
        let order = self.query.order;
        let query = RecordQuery {
            cursor,
            order: match way {
                Way::Below => order,
                Way::Above | Way::End => other(order),
            },
            ..self.query.clone()
        };
        self.way = way;
        self.pages_in_a_row += 1;
        context.outbox.fetch(&mut self.more, Reply::Records, |to| {
            Request::Records(query, to)
        });
    }

    /// Requests the names for completion, where they are not known or old.
    pub(super) fn fetch_names(&mut self, context: &mut UpdateContext<'_>) {
        if self.names.is_due(NAMES_EVERY, context.now) {
            context
                .outbox
                .fetch(&mut self.names, Reply::RecordNames, Request::RecordNames);
        }
    }

    pub(crate) fn names_came(&mut self, answer: Answer<RecordNames>, context: &UpdateContext<'_>) {
        if self.names.settle(answer, context.now) {
            self.relearn(context.now);
        }
    }

    /// Gathers what completion offers.
    pub(super) fn learn(&mut self) {
        let saved = self.saved.value().map_or(&[][..], Vec::as_slice);
        let (names, rows) = (self.names.value(), self.rows.value());
        self.known = gathered(names, rows, self.selected(), saved);
    }

    /// The same while a line is typed.
    pub(super) fn relearn(&mut self, now: DateTime<Utc>) {
        if self.typing.is_some() {
            self.learn();
        }
        if let Some(typing) = &mut self.typing {
            typing.check(&self.known, now);
        }
    }

    fn more_is_due(&self, now: DateTime<Utc>) -> bool {
        match &self.more {
            Remote::Idle | Remote::Ready(_) => true,
            Remote::Loading { .. } => false,
            Remote::Failed { failed_at, .. } => now - *failed_at >= MORE_RETRY,
        }
    }
}

/// `10,000 rows or 32 MiB`
pub(super) fn kept_at_most() -> String {
    format!(
        "{} rows or {} MiB",
        count(ROWS_MAX as u64),
        PAYLOAD_BYTES_MAX / 1_024 / 1_024
    )
}
