//! What a key means (`Action`), and the few things that leave the screen (`Effect`).

use crate::model::Want;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Quit,
    Suspend,
    Redraw,
    Help,
    Pause,
    /// Open the prompt for the text filter, in Stacks for the search.
    Text,
    /// Open the prompt for the PID filter.
    Pids,
    /// Open the prompt that adds and removes what is counted.
    Probes,
    /// The stacks of the selected function.
    Drill,
    /// The selected process becomes the PID filter.
    PickProcess,
    Back,
    /// The view with this digit.
    View(char),
    NextView,
    PreviousView,
    Exact,
    Detach,
    /// What is shown becomes the baseline of differences, or there is none any more.
    Mark,
    SortNext,
    SortPrevious,
    /// What a PID means: the owner of the socket, or the context.
    Whose,
    Reverse,
    Slower,
    Faster,
    Save,
    /// Everything, for a ticket.
    Bundle,
    Older,
    Newer,
    Move(Step),
    Theme,
    Toggle,
    Expand,
    Collapse,
    ExpandAll,
    NextMatch,
    PreviousMatch,
    /// CPU time instead of hits, or the other way round.
    Source,
    Invert,
    /// Recursion not folded.
    Unroll,
    Flame,
    Zoom,
    /// In the flame graph; true: to the left.
    Beside(bool),
    /// The CPU samples of the selected process.
    ProcessStacks,
    /// The command of the selected finding.
    Copy,
    /// No more findings of the selected one's rule.
    HideRule,
    /// Those of the next stage; true: of the one before.
    StageStacks(bool),
    /// View 9 by something else; true: the grouping before.
    Grouping(bool),
    Accept,
    Complete,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    Quit,
    Suspend,
    /// Draw everything anew: something else wrote to the terminal.
    Redraw,
    /// What the user wants to see has changed.
    Want(Want),
    /// Say with `UiState::probes_listed` what can be observed here.
    ListProbes(String),
    /// Count these beside the functions, as `-e` says them, and say so with `UiState::probes_taken`
    /// or why not with `UiState::probes_refused`.
    Probes(Vec<String>),
    /// Write `UiState::shown` to a file and say so with `UiState::message`.
    SaveSnapshot,
    /// Write the shown snapshot, its history, stacks and settings to a directory.
    SaveBundle,
    /// To the clipboard of the terminal.
    Copy(String),
}
