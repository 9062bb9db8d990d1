//! The table of all keys. Invariant: its order is the order of the help.

use crossterm::event::KeyCode;

use super::action::{Action, KeyContext};
use super::binding::{Binding, Place};
use super::key::KeyPress as K;
use crate::tui::chart_range::ChartRange;
use crate::tui::screen_id::ScreenId;

const QUESTIONS: &[KeyContext] = &[KeyContext::Confirm, KeyContext::Plan, KeyContext::Quit];
const PLAN: &[KeyContext] = &[KeyContext::Plan];
const PATCH: &[KeyContext] = &[KeyContext::Patch];
const TRACE: &[KeyContext] = &[KeyContext::Trace];
const QUERY: &[KeyContext] = &[KeyContext::Query];
const LISTS: &[ScreenId] = &[
    ScreenId::Overview,
    ScreenId::DeadLetters,
    ScreenId::Redrives,
    ScreenId::Records,
    ScreenId::Lint,
    ScreenId::Logs,
    ScreenId::Probe,
    ScreenId::Fleet,
    ScreenId::Api,
    ScreenId::Queue,
];
const OVERVIEW: &[ScreenId] = &[ScreenId::Overview];
const MESSAGES: &[ScreenId] = &[ScreenId::DeadLetters];
const REDRIVES: &[ScreenId] = &[ScreenId::Redrives];
const EVENTS: &[ScreenId] = &[
    ScreenId::DeadLetters,
    ScreenId::Redrives,
    ScreenId::Publish,
    ScreenId::Records,
    ScreenId::Probe,
    ScreenId::Queue,
];
const LOGS: &[ScreenId] = &[ScreenId::Logs];
const PROBE: &[ScreenId] = &[ScreenId::Probe];
const API: &[ScreenId] = &[ScreenId::Api];
const QUEUE: &[ScreenId] = &[ScreenId::Queue];
const WITHOUT_EVENTS: &[ScreenId] = &[
    ScreenId::Overview,
    ScreenId::Lint,
    ScreenId::Logs,
    ScreenId::Fleet,
    ScreenId::Api,
];
const RECORDS: &[ScreenId] = &[ScreenId::Records];
const PUBLISH: &[ScreenId] = &[ScreenId::Publish];
const DETAILS: &[ScreenId] = &[
    ScreenId::DeadLetters,
    ScreenId::Redrives,
    ScreenId::Records,
    ScreenId::Publish,
    ScreenId::Lint,
    ScreenId::Logs,
    ScreenId::Fleet,
    ScreenId::Api,
    ScreenId::Queue,
];

macro_rules! bind {
    ($action:expr, [$($key:expr),+], $label:literal, $hint:literal, $place:expr) => {
        Binding { action: $action, keys: &[$($key),+], label: $label, hint: $hint, place: $place }
    };
}

/// The keymap. Order is the order of the help.
pub(crate) const BINDINGS: &[Binding] = &[
    bind!(
        Action::NextPage,
        [K::plain(KeyCode::Tab)],
        "next page",
        1,
        Place::Some(OVERVIEW)
    ),
    bind!(
        Action::PreviousPage,
        [K::plain(KeyCode::BackTab)],
        "previous page",
        0,
        Place::Some(OVERVIEW)
    ),
    bind!(
        Action::Earlier,
        [K::plain(KeyCode::Left)],
        "read the values of an earlier time",
        2,
        Place::Some(OVERVIEW)
    ),
    bind!(
        Action::Later,
        [K::plain(KeyCode::Right)],
        "read the values of a later moment",
        0,
        Place::Some(OVERVIEW)
    ),
    bind!(
        Action::ShowRange(ChartRange::Minutes5),
        [K::char('m')],
        "show the last 5 minutes",
        0,
        Place::Some(OVERVIEW)
    ),
    bind!(
        Action::ShowRange(ChartRange::Hour),
        [K::char('h')],
        "show the last hour",
        0,
        Place::Some(OVERVIEW)
    ),
    bind!(
        Action::ShowRange(ChartRange::Hours6),
        [K::char('H')],
        "show the last 6 hours",
        0,
        Place::Some(OVERVIEW)
    ),
    bind!(
        Action::ShowRange(ChartRange::Day),
        [K::char('d')],
        "show the last day",
        0,
        Place::Some(OVERVIEW)
    ),
    bind!(
        Action::ShowRange(ChartRange::Week),
        [K::char('w')],
        "show the last 7 days",
        0,
        Place::Some(OVERVIEW)
    ),
    bind!(
        Action::Redrive,
        [K::char('r')],
        "redrive",
        1,
        Place::Some(MESSAGES)
    ),
    bind!(
        Action::Mark,
        [K::char(' ')],
        "mark",
        3,
        Place::Some(MESSAGES)
    ),
    bind!(
        Action::MarkAll,
        [K::char('a')],
        "mark all listed",
        0,
        Place::Some(MESSAGES)
    ),
    bind!(
        Action::ClearMarks,
        [K::char('A')],
        "clear marks",
        0,
        Place::Some(MESSAGES)
    ),
    bind!(
        Action::Release,
        [K::char('R')],
        "release the received messages",
        0,
        Place::Some(MESSAGES)
    ),
    bind!(
        Action::EditMessage,
        [K::char('e')],
        "edit",
        4,
        Place::Some(MESSAGES)
    ),
    bind!(
        Action::EditExternally,
        [K::char('E')],
        "edit in your editor ($EDITOR)",
        0,
        Place::Some(MESSAGES)
    ),
    bind!(
        Action::Patch,
        [K::char('p')],
        "patch",
        2,
        Place::Some(MESSAGES)
    ),
    bind!(
        Action::Delete,
        [K::char('D')],
        "delete for good",
        0,
        Place::Some(MESSAGES)
    ),
    bind!(
        Action::UndoEdit,
        [K::char('u')],
        "undo the edit",
        0,
        Place::Some(MESSAGES)
    ),
    bind!(
        Action::UndoAllEdits,
        [K::char('U')],
        "undo all edits",
        0,
        Place::Some(MESSAGES)
    ),
    bind!(
        Action::Search,
        [K::char('/')],
        "search",
        6,
        Place::Some(MESSAGES)
    ),
    bind!(
        Action::ClearSearch,
        [K::char('x')],
        "clear the search",
        0,
        Place::Some(MESSAGES)
    ),
    bind!(
        Action::Pause,
        [K::char(' ')],
        "pause or continue",
        1,
        Place::Some(REDRIVES)
    ),
    bind!(
        Action::CancelRun,
        [K::char('c')],
        "cancel",
        2,
        Place::Some(REDRIVES)
    ),
    bind!(
        Action::Faster,
        [K::char('+'), K::char('=')],
        "faster",
        3,
        Place::Some(REDRIVES)
    ),
    bind!(
        Action::Slower,
        [K::char('-')],
        "slower",
        4,
        Place::Some(REDRIVES)
    ),
    bind!(
        Action::Resume,
        [K::char('r')],
        "resume",
        1,
        Place::Some(REDRIVES)
    ),
    bind!(
        Action::Filter,
        [K::char('/')],
        "filter",
        1,
        Place::Some(RECORDS)
    ),
    bind!(
        Action::ClearFilter,
        [K::char('x')],
        "clear the filter",
        4,
        Place::Some(RECORDS)
    ),
    bind!(
        Action::Follow,
        [K::char('f')],
        "follow",
        2,
        Place::Some(RECORDS)
    ),
    bind!(
        Action::Columns,
        [K::char('c')],
        "columns",
        5,
        Place::Some(RECORDS)
    ),
    bind!(
        Action::Compare,
        [K::char('d')],
        "compare two records",
        0,
        Place::Some(RECORDS)
    ),
    bind!(
        Action::SaveFilter,
        [K::char('s')],
        "save the filter",
        0,
        Place::Some(RECORDS)
    ),
    bind!(
        Action::Export,
        [K::char('e')],
        "export: the command",
        0,
        Place::Some(RECORDS)
    ),
    bind!(
        Action::Sql,
        [K::char('S')],
        "SQL, read-only",
        0,
        Place::Some(RECORDS)
    ),
    bind!(
        Action::Filter,
        [K::char('/')],
        "filter",
        1,
        Place::Some(LOGS)
    ),
    bind!(
        Action::NextLevel,
        [K::char('l')],
        "level",
        3,
        Place::Some(LOGS)
    ),
    bind!(
        Action::Follow,
        [K::char('f')],
        "follow, or pause",
        2,
        Place::Some(LOGS)
    ),
    bind!(
        Action::ShowRequest,
        [K::char('i')],
        "its request",
        4,
        Place::Some(LOGS)
    ),
    bind!(
        Action::SearchDeadLetters,
        [K::char('d')],
        "its dead letters",
        5,
        Place::Some(LOGS)
    ),
    bind!(
        Action::ClearFilter,
        [K::char('x')],
        "clear the filter",
        7,
        Place::Some(LOGS)
    ),
    bind!(
        Action::LookBack,
        [K::char('b')],
        "look further back",
        8,
        Place::Some(LOGS)
    ),
    bind!(
        Action::ShowLogs,
        [K::char('L')],
        "log lines of its request",
        0,
        Place::Some(MESSAGES)
    ),
    bind!(
        Action::Edit,
        [K::char('e'), K::plain(KeyCode::Enter)],
        "edit",
        1,
        Place::Some(PUBLISH)
    ),
    bind!(
        Action::Send,
        [K::char('s')],
        "send",
        2,
        Place::Some(PUBLISH)
    ),
    bind!(
        Action::NextTemplate,
        [K::char('t')],
        "next template",
        3,
        Place::Some(PUBLISH)
    ),
    bind!(
        Action::ToggleProbes,
        [K::char('s')],
        "start or stop",
        1,
        Place::Some(PROBE)
    ),
    bind!(
        Action::ProbeOnce,
        [K::char('p')],
        "probe once",
        2,
        Place::Some(PROBE)
    ),
    bind!(
        Action::SwitchPane,
        [K::plain(KeyCode::Tab)],
        "next hop",
        4,
        Place::Some(PROBE)
    ),
    bind!(
        Action::Faster,
        [K::char('+'), K::char('=')],
        "shorter interval",
        5,
        Place::Some(PROBE)
    ),
    bind!(
        Action::Slower,
        [K::char('-')],
        "longer interval",
        6,
        Place::Some(PROBE)
    ),
    bind!(Action::Send, [K::char('s')], "send", 1, Place::Some(API)),
    bind!(
        Action::Edit,
        [K::char('e')],
        "edit the value",
        2,
        Place::Some(API)
    ),
    bind!(
        Action::SwitchPane,
        [K::plain(KeyCode::Tab)],
        "next pane",
        4,
        Place::Some(API)
    ),
    bind!(
        Action::SendNextPage,
        [K::char('n')],
        "next page",
        3,
        Place::Some(API)
    ),
    bind!(
        Action::Repeat,
        [K::char('r')],
        "repeat, with percentiles",
        5,
        Place::Some(API)
    ),
    bind!(
        Action::CopyCurl,
        [K::char('c')],
        "copy as curl",
        6,
        Place::Some(API)
    ),
    bind!(
        Action::ShowHistory,
        [K::char('h')],
        "history of calls",
        8,
        Place::Some(API)
    ),
    bind!(
        Action::ToggleHeaders,
        [K::char('H')],
        "headers of the answer",
        0,
        Place::Some(API)
    ),
    bind!(
        Action::EditExternally,
        [K::char('E')],
        "edit the body in your editor ($EDITOR)",
        0,
        Place::Some(API)
    ),
    bind!(
        Action::ClearFilter,
        [K::char('x')],
        "clear the form",
        0,
        Place::Some(API)
    ),
    bind!(
        Action::Peek,
        [K::char('p')],
        "peek: receive messages",
        1,
        Place::Some(QUEUE)
    ),
    bind!(
        Action::Release,
        [K::char('R')],
        "release what is hidden",
        2,
        Place::Some(QUEUE)
    ),
    bind!(
        Action::Faster,
        [K::char('+'), K::char('=')],
        "more messages",
        4,
        Place::Some(QUEUE)
    ),
    bind!(
        Action::Slower,
        [K::char('-')],
        "fewer messages",
        5,
        Place::Some(QUEUE)
    ),
    bind!(
        Action::Send,
        [K::ctrl('s')],
        "send",
        1,
        Place::In(&[KeyContext::Editor])
    ),
    bind!(
        Action::Open,
        [K::plain(KeyCode::Enter)],
        "open",
        3,
        Place::Some(LISTS)
    ),
    bind!(
        Action::Up,
        [K::plain(KeyCode::Up), K::char('k')],
        "up",
        0,
        Place::Some(LISTS)
    ),
    bind!(
        Action::Down,
        [K::plain(KeyCode::Down), K::char('j')],
        "down",
        0,
        Place::Some(LISTS)
    ),
    bind!(
        Action::PageUp,
        [K::plain(KeyCode::PageUp), K::ctrl('b')],
        "page up",
        0,
        Place::Some(LISTS)
    ),
    bind!(
        Action::PageDown,
        [K::plain(KeyCode::PageDown), K::ctrl('f')],
        "page down",
        0,
        Place::Some(LISTS)
    ),
    bind!(
        Action::First,
        [K::plain(KeyCode::Home), K::char('g')],
        "first",
        0,
        Place::Some(LISTS)
    ),
    bind!(
        Action::Last,
        [K::plain(KeyCode::End), K::char('G')],
        "last",
        0,
        Place::Some(LISTS)
    ),
    bind!(
        Action::SwitchPane,
        [K::plain(KeyCode::Tab)],
        "other pane",
        5,
        Place::Some(MESSAGES)
    ),
    bind!(
        Action::DetailDown,
        [K::char('J')],
        "scroll the detail down",
        0,
        Place::Some(DETAILS)
    ),
    bind!(
        Action::DetailUp,
        [K::char('K')],
        "scroll the detail up",
        0,
        Place::Some(DETAILS)
    ),
    bind!(
        Action::CopyItem,
        [K::char('y')],
        "copy",
        6,
        Place::Some(DETAILS)
    ),
    bind!(
        Action::Confirm,
        [K::char('y')],
        "yes",
        1,
        Place::In(&[KeyContext::Confirm])
    ),
    bind!(
        Action::Confirm,
        [K::char('y')],
        "quit",
        1,
        Place::In(&[KeyContext::Quit])
    ),
    bind!(
        Action::Confirm,
        [K::char('y'), K::plain(KeyCode::Enter)],
        "send",
        1,
        Place::In(PLAN)
    ),
    bind!(
        Action::IncludeSkipped,
        [K::char('f')],
        "include skipped",
        2,
        Place::In(PLAN)
    ),
    bind!(
        Action::Faster,
        [K::char('+'), K::char('=')],
        "faster",
        4,
        Place::In(PLAN)
    ),
    bind!(Action::Slower, [K::char('-')], "slower", 5, Place::In(PLAN)),
    bind!(
        Action::NextCanary,
        [K::char('t')],
        "canary",
        6,
        Place::In(PLAN)
    ),
    bind!(Action::Reason, [K::char('w')], "reason", 7, Place::In(PLAN)),
    bind!(
        Action::Confirm,
        [K::char('y'), K::plain(KeyCode::Enter)],
        "accept",
        1,
        Place::In(PATCH)
    ),
    bind!(
        Action::NextItem,
        [K::char('n')],
        "next message",
        2,
        Place::In(PATCH)
    ),
    bind!(
        Action::PreviousItem,
        [K::char('N')],
        "previous message",
        3,
        Place::In(PATCH)
    ),
    bind!(
        Action::Patch,
        [K::char('e'), K::char('p')],
        "change the program",
        4,
        Place::In(PATCH)
    ),
    bind!(
        Action::Up,
        [K::plain(KeyCode::Up), K::char('k'), K::char('K')],
        "up",
        0,
        Place::In(PATCH)
    ),
    bind!(
        Action::Down,
        [K::plain(KeyCode::Down), K::char('j'), K::char('J')],
        "down",
        0,
        Place::In(PATCH)
    ),
    bind!(
        Action::PageUp,
        [K::plain(KeyCode::PageUp), K::ctrl('b')],
        "page up",
        0,
        Place::In(PATCH)
    ),
    bind!(
        Action::PageDown,
        [K::plain(KeyCode::PageDown), K::ctrl('f')],
        "page down",
        0,
        Place::In(PATCH)
    ),
    bind!(
        Action::Back,
        [K::plain(KeyCode::Esc)],
        "discard",
        5,
        Place::In(PATCH)
    ),
    bind!(
        Action::Refresh,
        [K::ctrl('r'), K::plain(KeyCode::F(5))],
        "dry run again",
        0,
        Place::In(PLAN)
    ),
    bind!(
        Action::Back,
        [K::plain(KeyCode::Esc), K::char('n')],
        "no",
        3,
        Place::In(QUESTIONS)
    ),
    bind!(
        Action::Back,
        [K::plain(KeyCode::Esc)],
        "back",
        1,
        Place::In(TRACE)
    ),
    bind!(
        Action::Open,
        [K::plain(KeyCode::Enter)],
        "trace the event",
        2,
        Place::In(TRACE)
    ),
    bind!(
        Action::SearchDeadLetters,
        [K::char('d')],
        "search the dead letters",
        3,
        Place::In(TRACE)
    ),
    bind!(
        Action::Refresh,
        [K::ctrl('r'), K::plain(KeyCode::F(5))],
        "trace again",
        4,
        Place::In(TRACE)
    ),
    bind!(
        Action::Filter,
        [K::char('/')],
        "another event",
        5,
        Place::In(TRACE)
    ),
    bind!(
        Action::CopyItem,
        [K::char('y')],
        "copy",
        6,
        Place::In(TRACE)
    ),
    bind!(
        Action::ShowLogs,
        [K::char('L')],
        "its log lines",
        7,
        Place::In(TRACE)
    ),
    bind!(
        Action::Up,
        [K::plain(KeyCode::Up), K::char('k'), K::char('K')],
        "up",
        0,
        Place::In(TRACE)
    ),
    bind!(
        Action::Down,
        [K::plain(KeyCode::Down), K::char('j'), K::char('J')],
        "down",
        0,
        Place::In(TRACE)
    ),
    bind!(
        Action::PageUp,
        [K::plain(KeyCode::PageUp), K::ctrl('b')],
        "page up",
        0,
        Place::In(TRACE)
    ),
    bind!(
        Action::PageDown,
        [K::plain(KeyCode::PageDown), K::ctrl('f')],
        "page down",
        0,
        Place::In(TRACE)
    ),
    bind!(
        Action::First,
        [K::plain(KeyCode::Home), K::char('g')],
        "first",
        0,
        Place::In(TRACE)
    ),
    bind!(
        Action::Last,
        [K::plain(KeyCode::End), K::char('G')],
        "last",
        0,
        Place::In(TRACE)
    ),
    bind!(
        Action::Confirm,
        [K::plain(KeyCode::Enter)],
        "apply",
        1,
        Place::In(&[KeyContext::Input, KeyContext::Palette, KeyContext::Query])
    ),
    bind!(
        Action::Complete,
        [K::plain(KeyCode::Tab)],
        "complete",
        2,
        Place::In(QUERY)
    ),
    bind!(
        Action::Down,
        [K::plain(KeyCode::Down)],
        "choose",
        3,
        Place::In(QUERY)
    ),
    bind!(
        Action::Up,
        [K::plain(KeyCode::Up)],
        "earlier filters",
        4,
        Place::In(QUERY)
    ),
    bind!(
        Action::Up,
        [K::plain(KeyCode::Up)],
        "the applied filter",
        2,
        Place::In(&[KeyContext::Input])
    ),
    bind!(
        Action::Up,
        [K::plain(KeyCode::Up)],
        "up",
        0,
        Place::In(&[KeyContext::Help, KeyContext::Palette])
    ),
    bind!(
        Action::Down,
        [K::plain(KeyCode::Down)],
        "down",
        0,
        Place::In(&[KeyContext::Help, KeyContext::Palette])
    ),
    bind!(
        Action::Back,
        [K::plain(KeyCode::Esc)],
        "close",
        9,
        Place::In(&[
            KeyContext::Editor,
            KeyContext::Input,
            KeyContext::Query,
            KeyContext::Palette,
            KeyContext::Help
        ])
    ),
    bind!(
        Action::Trace,
        [K::char('T')],
        "trace the event",
        8,
        Place::Some(EVENTS)
    ),
    bind!(
        Action::Trace,
        [K::char('T')],
        "trace an event",
        0,
        Place::Some(WITHOUT_EVENTS)
    ),
    bind!(
        Action::Back,
        [K::plain(KeyCode::Esc)],
        "back",
        0,
        Place::Screens
    ),
    bind!(
        Action::Refresh,
        [K::ctrl('r'), K::plain(KeyCode::F(5))],
        "refresh",
        7,
        Place::Screens
    ),
    bind!(
        Action::Show(ScreenId::Overview),
        [K::char('1')],
        "Overview",
        0,
        Place::Screens
    ),
    bind!(
        Action::Show(ScreenId::DeadLetters),
        [K::char('2')],
        "Dead letters",
        0,
        Place::Screens
    ),
    bind!(
        Action::Show(ScreenId::Redrives),
        [K::char('3')],
        "Redrives",
        0,
        Place::Screens
    ),
    bind!(
        Action::Show(ScreenId::Publish),
        [K::char('4')],
        "Publish",
        0,
        Place::Screens
    ),
    bind!(
        Action::Show(ScreenId::Records),
        [K::char('5')],
        "Records",
        0,
        Place::Screens
    ),
    bind!(
        Action::Show(ScreenId::Lint),
        [K::char('6')],
        "Lint",
        0,
        Place::Screens
    ),
    bind!(
        Action::Show(ScreenId::Logs),
        [K::char('7')],
        "Logs",
        0,
        Place::Screens
    ),
    bind!(
        Action::Show(ScreenId::Probe),
        [K::char('8')],
        "Probe",
        0,
        Place::Screens
    ),
    bind!(
        Action::Show(ScreenId::Fleet),
        [K::char('9')],
        "Fleet",
        0,
        Place::Screens
    ),
    bind!(
        Action::Show(ScreenId::Api),
        [K::char('0')],
        "API",
        0,
        Place::Screens
    ),
    bind!(
        Action::Show(ScreenId::Queue),
        [K::char('Q')],
        "Queue",
        0,
        Place::Screens
    ),
    bind!(
        Action::NextScreen,
        [K::char(']')],
        "next screen",
        0,
        Place::Screens
    ),
    bind!(
        Action::PreviousScreen,
        [K::char('[')],
        "previous screen",
        0,
        Place::Screens
    ),
    bind!(
        Action::Palette,
        [K::char(':'), K::ctrl('p')],
        "palette",
        0,
        Place::Screens
    ),
    bind!(
        Action::Notices,
        [K::char('!')],
        "notices: what was reported",
        0,
        Place::Screens
    ),
    bind!(
        Action::Help,
        [K::char('?'), K::plain(KeyCode::F(1))],
        "help",
        0,
        Place::NotTyping
    ),
    bind!(
        Action::Help,
        [K::plain(KeyCode::F(1))],
        "help",
        0,
        Place::In(&[KeyContext::Editor, KeyContext::Input, KeyContext::Query])
    ),
    bind!(Action::Quit, [K::char('q')], "quit", 0, Place::NotTyping),
    bind!(Action::Quit, [K::ctrl('c')], "quit", 0, Place::Everywhere),
];
