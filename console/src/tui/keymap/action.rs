//! What keys can do, and where.

use crate::tui::screen_id::ScreenId;

/// Everything that a key, a click or the palette can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    /// Leave the console.
    Quit,
    /// Show or hide the keys.
    Help,
    /// Find an action by name.
    Palette,
    /// Go to a screen.
    Show(ScreenId),
    /// Go to the next screen.
    NextScreen,
    /// Go to the previous screen.
    PreviousScreen,
    /// Ask the pipeline again, now.
    Refresh,
    /// Close what is open, one level.
    Back,
    /// Selection up.
    Up,
    /// Selection down.
    Down,
    /// One page up.
    PageUp,
    /// One page down.
    PageDown,
    /// To the first row.
    First,
    /// To the last row.
    Last,
    /// Open the selected thing.
    Open,
    /// Move the focus to the next pane.
    SwitchPane,
    /// Scroll the detail up.
    DetailUp,
    /// Scroll the detail down.
    DetailDown,
    /// Copy the selected thing to the clipboard.
    CopyItem,
    /// Mark or unmark the selected message.
    Mark,
    /// Mark all messages that are listed.
    MarkAll,
    /// Take all marks away.
    ClearMarks,
    /// Redrive the marked messages, the group or the selected message.
    Redrive,
    /// Give the held messages back.
    Release,
    /// Edit the filter.
    Filter,
    /// Take the filter away.
    ClearFilter,
    /// Follow new records, or stop.
    Follow,
    /// Edit the event.
    Edit,
    /// Start over from the next template.
    NextTemplate,
    /// Send the event to the topic.
    Send,
    /// Agree to what is asked.
    Confirm,
    /// Take in what would be skipped, or leave it out again.
    IncludeSkipped,
    /// Send more messages per second.
    Faster,
    /// Send fewer messages per second.
    Slower,
    /// Take other canary steps.
    NextCanary,
    /// Write down why.
    Reason,
    /// Pause the redrive, or let it go on.
    Pause,
    /// End the redrive.
    CancelRun,
    /// Go on with a redrive that was interrupted.
    Resume,
    /// Search among the messages.
    Search,
    /// Take the search away.
    ClearSearch,
    /// Patch messages by a jq program.
    Patch,
    /// Edit the selected message.
    EditMessage,
    /// Edit the selected message in the operator's own editor.
    EditExternally,
    /// Delete messages for good, with a copy in a file.
    Delete,
    /// Take the edit of the selected message back.
    TakeBack,
    /// Take all edits back.
    TakeAllBack,
    /// Show the next one.
    NextItem,
    /// Show the one before.
    PreviousItem,
}

impl Action {
    /// Whether it acts on what is seen: it is not carried out by name from another screen.
    pub(crate) const fn needs_a_look(self) -> bool {
        matches!(
            self,
            Self::Redrive
                | Self::Mark
                | Self::MarkAll
                | Self::ClearMarks
                | Self::Release
                | Self::Send
                | Self::Pause
                | Self::CancelRun
                | Self::Resume
                | Self::Patch
                | Self::EditMessage
                | Self::Delete
                | Self::EditExternally
                | Self::TakeBack
                | Self::TakeAllBack
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
    /// In front of a question with yes and no.
    Confirm,
    /// In front of the plan of a redrive.
    Plan,
    /// In front of what a patch would do.
    Patch,
    /// In the list of keys.
    Help,
    /// In the palette: other keys write.
    Palette,
}
