//! What can be selected on the first page, and where each leads.
//!
//! Invariant: from every number there is a way to what explains it.

use strum::VariantArray;

use super::page::Page;
use crate::tui::screen_id::ScreenId;

/// Where a number leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    Page(Page),
    Screen(ScreenId),
}

/// A hop, in the order of the narrow list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray)]
pub(super) enum HopId {
    Topic,
    Queue,
    DeadLetters,
    Ingest,
    PerMinute,
    Database,
    Api,
    Budgets,
}

impl HopId {
    pub(super) const fn goal(self) -> Goal {
        match self {
            Self::Topic => Goal::Page(Page::Charts),
            Self::Queue => Goal::Screen(ScreenId::Queue),
            Self::DeadLetters => Goal::Screen(ScreenId::DeadLetters),
            Self::Ingest | Self::PerMinute => Goal::Page(Page::Functions),
            Self::Database => Goal::Screen(ScreenId::Records),
            Self::Api => Goal::Page(Page::Api),
            Self::Budgets => Goal::Page(Page::Alarms),
        }
    }

    /// Those that are listed.
    pub(super) fn listed(has_budgets: bool) -> &'static [Self] {
        let all = Self::VARIANTS;
        if has_budgets {
            all
        } else {
            all.split_last().map_or(all, |(_, rest)| rest)
        }
    }
}

/// What is selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Selected {
    /// A finding, by its place.
    Finding(usize),
    Hop(HopId),
}

impl Default for Selected {
    fn default() -> Self {
        Self::Finding(0)
    }
}

impl Selected {
    /// So many rows further in the list of findings and hops.
    pub(super) fn moved(self, rows: isize, findings: usize, has_budgets: bool) -> Self {
        let hops = HopId::listed(has_budgets);
        let last = (findings + hops.len()).saturating_sub(1);
        let row = match self {
            // Where nothing is listed, the first key selects the first hop.
            Self::Finding(_) if findings == 0 => rows.max(1) - 1,
            Self::Finding(row) => {
                let row = row.min(findings.saturating_sub(1));
                isize::try_from(row).unwrap_or(0).saturating_add(rows)
            }
            Self::Hop(hop) => {
                let place = hops.iter().position(|other| *other == hop).unwrap_or(0);
                isize::try_from(findings + place)
                    .unwrap_or(0)
                    .saturating_add(rows)
            }
        };
        let row = usize::try_from(row).unwrap_or(0).min(last);
        match row.checked_sub(findings).and_then(|place| hops.get(place)) {
            Some(hop) => Self::Hop(*hop),
            None => Self::Finding(row),
        }
    }

    /// The selected finding, for its place in the list.
    pub(super) const fn finding(self) -> Option<usize> {
        match self {
            Self::Finding(row) => Some(row),
            Self::Hop(_) => None,
        }
    }

    pub(super) const fn hop(self) -> Option<HopId> {
        match self {
            Self::Finding(_) => None,
            Self::Hop(hop) => Some(hop),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queue_leads_to_its_messages() {
        assert_eq!(HopId::Queue.goal(), Goal::Screen(ScreenId::Queue));
    }

    #[test]
    fn hops_follow_the_findings_and_the_ends_hold() {
        let first = Selected::default();
        assert_eq!(first.moved(1, 2, false), Selected::Finding(1));
        assert_eq!(first.moved(2, 2, false), Selected::Hop(HopId::Topic));
        assert_eq!(first.moved(100, 2, false), Selected::Hop(HopId::Api));
        assert_eq!(first.moved(100, 2, true), Selected::Hop(HopId::Budgets));
        let topic = Selected::Hop(HopId::Topic);
        assert_eq!(topic.moved(-1, 2, false), Selected::Finding(1));
        assert_eq!(topic.moved(-1, 0, false), topic);
        assert_eq!(first.moved(1, 0, false), topic);
        assert_eq!(topic.moved(isize::MIN / 2, 3, false), Selected::Finding(0));
    }
}
