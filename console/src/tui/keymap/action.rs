//! What keys can do, and where.

use crate::tui::chart_range::ChartRange;
use crate::tui::screen_id::ScreenId;

/// Everything that a key, a click or the palette can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    /// Leave the console.
    Quit,
    /// Show or hide the keys.
    Help,
    /// Show what was reported.
    Notices,
    Palette,
    Show(ScreenId),
    NextScreen,
    PreviousScreen,
    /// Ask the pipeline again, now.
    Refresh,
    /// Close what is open, one level.
    Back,
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    Open,
    /// Show the next page of the screen.
    NextPage,
    PreviousPage,
    /// Show charts of this time.
    ShowRange(ChartRange),
    /// Move the cursor of the charts to an earlier moment.
    Earlier,
    Later,
    /// Move the focus to the next pane.
    SwitchPane,
    DetailUp,
    DetailDown,
    CopyItem,
    /// Mark or unmark the selected message.
    Mark,
    /// Mark all listed messages.
    MarkAll,
    ClearMarks,
    /// Redrive the marked messages, the group or the selected message.
    Redrive,
    /// Release the received messages.
    Release,
    Filter,
    ClearFilter,
    /// Take what fits at the cursor of a line.
    Complete,
    /// Choose what has a column of its own.
    Columns,
    /// Keep the filter under a name.
    SaveFilter,
    /// Compare two records.
    Compare,
    /// Show how what is listed is exported.
    Export,
    /// Ask the database in SQL.
    Sql,
    /// Follow new records, or stop.
    Follow,
    Edit,
    /// Start over from the next template.
    NextTemplate,
    Send,
    /// Answer the open question with yes.
    Confirm,
    /// Take in what would be skipped, or leave it out again.
    IncludeSkipped,
    Faster,
    Slower,
    /// Take other canary steps.
    NextCanary,
    /// Write down why.
    Reason,
    /// Pause the redrive, or continue it.
    Pause,
    CancelRun,
    /// Continue a redrive that was interrupted.
    Resume,
    Search,
    ClearSearch,
    Patch,
    EditMessage,
    EditExternally,
    /// Delete messages for good, with a copy in a file.
    Delete,
    UndoEdit,
    UndoAllEdits,
    NextItem,
    PreviousItem,
    /// Show the time line of the selected event, or of one that is typed.
    Trace,
    /// Start or stop a series of probes.
    ToggleProbes,
    /// Publish one probe.
    ProbeOnce,
    /// Ask whether to receive messages of the source queue, to look at them.
    Peek,
    /// Receive the dead letters to search them for the event, or for the request.
    SearchDeadLetters,
    /// Show the log lines of the request that refused the message.
    ShowLogs,
    /// Show the lines of the request of the selected one alone, or all again.
    ShowRequest,
    /// Show lines of the next level.
    NextLevel,
    /// Read further back.
    LookBack,
    /// Send a call to the API several times.
    Repeat,
    /// Send the call whose answer follows the one that is shown.
    SendNextPage,
    /// Show what was sent from here.
    ShowHistory,
    CopyCurl,
    /// Show or hide the headers of an answer.
    ToggleHeaders,
}

impl Action {
    /// Whether it only moves what is seen.
    pub(crate) const fn is_movement(self) -> bool {
        matches!(
            self,
            Self::Up
                | Self::Down
                | Self::PageUp
                | Self::PageDown
                | Self::First
                | Self::Last
                | Self::DetailUp
                | Self::DetailDown
                | Self::NextItem
                | Self::PreviousItem
                | Self::NextPage
                | Self::PreviousPage
                | Self::ShowRange(_)
                | Self::Earlier
                | Self::Later
                | Self::SwitchPane
                | Self::Help
                | Self::Notices
                | Self::Palette
        )
    }

    /// Whether it acts on what is seen: it is not executed by name from another screen.
    pub(crate) const fn needs_a_look(self) -> bool {
        matches!(
            self,
            Self::Redrive
                | Self::Mark
                | Self::MarkAll
                | Self::ClearMarks
                | Self::Release
                | Self::Send
                | Self::ToggleProbes
                | Self::ProbeOnce
                | Self::Repeat
                | Self::SendNextPage
                | Self::CopyCurl
                | Self::Peek
                | Self::Pause
                | Self::CancelRun
                | Self::Resume
                | Self::Patch
                | Self::EditMessage
                | Self::Delete
                | Self::EditExternally
                | Self::UndoEdit
                | Self::UndoAllEdits
                | Self::SearchDeadLetters
                | Self::ShowLogs
                | Self::ShowRequest
                | Self::Compare
        )
    }
}

/// Where a binding works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum KeyContext {
    /// On a screen, nothing open.
    Screen(ScreenId),
    /// In the editor of an event: other keys write.
    Editor,
    /// In a line of input: other keys write.
    Input,
    /// In a line of input that is completed: other keys write.
    Query,
    /// In front of a question with yes and no.
    Confirm,
    /// In front of the plan of a redrive.
    Plan,
    /// In front of what a patch would do.
    Patch,
    /// In front of the question whether to quit.
    Quit,
    /// In the time line of an event.
    Trace,
    /// In the list of keys.
    Help,
    /// In the palette: other keys write.
    Palette,
}
