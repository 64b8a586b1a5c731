//! What the screen knows beside the snapshots: view, cursors, prompts, pause, what is wanted.
//! Keys change it in `update`; drawing only reads it.

pub mod baseline;
pub mod experiment;
pub mod grouping;
pub mod history;
pub mod pane;
pub mod probes;
pub mod recording;
pub mod update;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use self::baseline::Baseline;
use self::experiment::Experiment;
use self::grouping::Grouping;
use self::history::History;
use self::pane::{Pane, Row};
use self::probes::Probes;
use self::recording::Recording;
use super::input::action::{Action, Effect};
use super::input::keymap::Context;
use super::input::prompt::{Kind, Prompt};
use super::stacks::stack_query::StackQuery;
use super::stacks::tree_state::TreeState;
use super::text::clean;
use super::theme::{THEMES, Theme};
use super::view::{VIEWS, View};
use crate::model::compare::Comparison;
use crate::model::{Finding, Snapshot, Tried, Want, steers};

/// A message leaves after this many snapshots, if no key takes it away before.
const MESSAGE_SNAPSHOTS: u8 = 5;

#[derive(Debug)]
pub struct Options {
    pub want: Want,
    /// What `-e` named.
    pub events: Vec<String>,
    pub theme: &'static Theme,
    /// Draw with plain characters only.
    pub ascii: bool,
    /// Where `w` writes, for the help.
    pub snapshot_dir: String,
    /// Local time, seconds east of Greenwich.
    pub utc_offset_s: i32,
    /// The file whose recording this shows; `None`: a host.
    pub recording: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            want: Want::default(),
            events: Vec::new(),
            theme: &THEMES[0],
            ascii: false,
            snapshot_dir: ".".to_owned(),
            utc_offset_s: 0,
            recording: None,
        }
    }
}

#[derive(Debug)]
pub struct Message {
    pub text: String,
    pub is_error: bool,
    left: u8,
}

#[derive(Debug)]
pub struct UiState {
    pub(super) want: Want,
    pub(super) theme: &'static Theme,
    pub(super) ascii: bool,
    /// Times between events from the start on, whatever is looked at.
    latency: bool,
    pub(super) snapshot_dir: String,
    pub(super) utc_offset_s: i32,
    pub(super) recording: Option<Recording>,
    pub(super) history: History,
    /// Pause when a snapshot is as late, ns since 1970 UTC.
    pause_at: Option<u64>,
    /// Index in `VIEWS`.
    pub(super) view: usize,
    /// One per view.
    pub(super) panes: Vec<Pane>,
    /// Devices whose queues are shown: namespace and ifindex.
    pub(super) opened: BTreeSet<(u64, u32)>,
    pub(super) stack_query: StackQuery,
    /// Of view 9.
    pub(super) grouping: Grouping,
    pub(super) tree_state: TreeState,
    pub(super) prompt: Option<Prompt>,
    pub(super) probes: Probes,
    /// How far the help is scrolled while it is open.
    pub(super) help: Option<usize>,
    pub(super) message: Option<Message>,
    pub(super) size: (u16, u16),
    /// Rules whose findings are not shown any more.
    pub(super) hidden_rules: BTreeSet<&'static str>,
    /// What differences are shown against.
    pub mark: Option<Arc<Snapshot>>,
    /// What the mark's seconds say against the shown ones.
    pub(super) baseline: Baseline,
    /// The finding whose advice is tried out.
    pub(super) experiment: Option<Experiment>,
}

impl UiState {
    pub fn new(options: Options) -> UiState {
        UiState {
            latency: options.want.latency,
            want: options.want,
            theme: options.theme,
            ascii: options.ascii,
            snapshot_dir: options.snapshot_dir,
            utc_offset_s: options.utc_offset_s,
            recording: options.recording.map(Recording::new),
            history: History::default(),
            pause_at: None,
            view: 0,
            panes: vec![Pane::default(); VIEWS.len()],
            opened: BTreeSet::new(),
            stack_query: StackQuery::new(),
            grouping: Grouping::default(),
            tree_state: TreeState::default(),
            prompt: None,
            probes: Probes::new(options.events),
            help: None,
            message: None,
            size: (80, 24),
            hidden_rules: BTreeSet::new(),
            mark: None,
            baseline: Baseline::default(),
            experiment: None,
        }
    }

    /// A new snapshot; while paused it only joins the history.
    pub fn snapshot(&mut self, snapshot: Arc<Snapshot>) {
        let reached = self.pause_at.is_some_and(|at| snapshot.at >= at);
        let usual = self.interval();
        let counts = self.recording.as_mut();
        if counts.is_none_or(|recording| recording.count_interval(&snapshot, usual)) {
            self.history.push(snapshot);
        }
        if reached {
            self.pause_at = None;
            self.history.pause(true);
        }
        if let Some(message) = &mut self.message {
            message.left -= 1;
            if message.left == 0 {
                self.message = None;
            }
        }
        self.settle();
    }

    /// The snapshots are a recording's that is read to its end, and all of them stay; the screen
    /// pauses with the one of the moment `at`, ns since 1970 UTC.
    pub fn recorded(&mut self, at: Option<u64>) {
        self.history.recorded = true;
        self.pause_at = at;
    }

    /// All of the recording, behind its last interval.
    pub fn whole(&mut self, whole: Snapshot) {
        if let Some(recording) = &mut self.recording {
            recording.set_whole(whole, self.history.latest().map(Arc::as_ref));
            self.settle();
        }
    }

    /// Nothing more comes of the recording.
    pub fn recording_is_read(&mut self) {
        if let Some(recording) = &mut self.recording {
            recording.end();
        }
    }

    pub fn is_of_recording(&self) -> bool {
        self.recording.is_some()
    }

    /// Where in the recording the shown snapshot is; `None`: this is a host.
    pub(super) fn place_in_recording(&self, shown: &Snapshot) -> Option<String> {
        let recording = self.recording.as_ref()?;
        Some(recording.place(shown, self.history.paused()))
    }

    /// Why a key does nothing here.
    pub(super) fn only_live(&self, action: Action) -> Option<String> {
        self.recording.as_ref()?.only_live(action)
    }

    /// The terminal's size: how far a page is.
    pub fn resize(&mut self, width: u16, height: u16) {
        self.size = (width, height);
    }

    pub fn message(&mut self, text: &str, is_error: bool) {
        self.message = Some(Message {
            text: clean(text).into_owned(),
            is_error,
            left: MESSAGE_SNAPSHOTS,
        });
    }

    /// Sorts the functions by the column that `key` names or begins; otherwise says which there are.
    pub fn sort_by(&mut self, key: &str) -> Result<(), String> {
        let key = key.to_lowercase();
        let titles = VIEWS[0].sorts();
        match titles
            .iter()
            .position(|title| title.to_lowercase().starts_with(&key))
        {
            Some(column) => {
                self.panes[0].sort = Some(column);
                Ok(())
            }
            None => Err(titles.join(", ").to_lowercase()),
        }
    }

    /// What is on the screen, and what `w` saves.
    pub fn shown(&self) -> Option<&Arc<Snapshot>> {
        let whole = self.recording.as_ref().and_then(Recording::whole);
        let whole = whole.filter(|_| !self.history.paused());
        whole.or_else(|| self.history.shown())
    }

    /// Every snapshot that is kept, oldest first.
    pub fn history(&self) -> impl Iterator<Item = &Arc<Snapshot>> {
        self.history.all()
    }

    /// What changed since the mark.
    pub fn comparison(&self) -> Option<&Comparison> {
        self.baseline.comparison()
    }

    /// What became of the advice that was marked.
    pub fn tried(&self) -> Option<Tried> {
        let experiment = self.experiment.as_ref()?;
        Some(experiment.tried(self.comparison()))
    }

    pub fn want(&self) -> &Want {
        &self.want
    }

    pub fn paused(&self) -> bool {
        self.history.paused()
    }

    pub fn paste(&mut self, text: &str) -> Vec<Effect> {
        match &mut self.prompt {
            Some(prompt) => prompt.paste(text),
            None => return Vec::new(),
        }
        self.typed();
        self.settle();
        self.list_probes().into_iter().collect()
    }

    pub(super) fn view(&self) -> &'static dyn View {
        VIEWS[self.view]
    }

    pub(super) fn pane(&self) -> &Pane {
        &self.panes[self.view]
    }

    pub(super) fn pane_of(&self, context: Context) -> &Pane {
        let at = VIEWS.iter().position(|view| view.context() == context);
        &self.panes[at.unwrap_or(0)]
    }

    pub(super) fn context(&self) -> Context {
        if self.prompt.is_some() {
            Context::Prompt
        } else if self.help.is_some() {
            Context::Help
        } else if self.stack_query.flame && self.view().context() == Context::Stacks {
            Context::Flame
        } else {
            self.view().context()
        }
    }

    /// The rows of the view in their order on the screen.
    pub(super) fn rows(&self) -> Vec<Row> {
        self.shown()
            .map(|snapshot| self.view().rows(self, snapshot))
            .unwrap_or_default()
    }

    pub(super) fn selected(&self) -> Option<Row> {
        self.pane().selected(&self.rows()).cloned()
    }

    pub(super) fn finding(&self) -> Option<Finding> {
        let Some(Row::Finding(rule, subject)) = self.selected() else {
            return None;
        };
        let shown = self.shown()?;
        let mut found = shown.findings.iter();
        found
            .find(|f| f.rule == rule && *f.subject == *subject)
            .cloned()
    }

    /// Is it counted because somebody asked for it?
    pub(super) fn is_added(&self, name: &str) -> bool {
        self.want.exact.contains(name) || self.probes.events.iter().any(|event| event == name)
    }

    /// How many rows PgUp and PgDn move at this size.
    pub(super) fn page(&self) -> usize {
        let rest = self.size.1.saturating_sub(12);
        usize::from(rest.max(3))
    }

    /// Processes to complete names with: always the newest list, also while paused.
    pub(super) fn candidates(&self) -> &[(u32, String)] {
        self.history
            .latest()
            .map_or(&[], |latest| &latest.candidates)
    }

    pub(super) fn interval(&self) -> Duration {
        self.want.interval
    }

    /// Text takes effect while it is typed.
    pub(super) fn typed(&mut self) {
        let text = match &self.prompt {
            Some(prompt) if prompt.kind == Kind::Text => prompt.text().replace(steers, ""),
            _ => return,
        };
        self.panes[self.view].text = text;
    }

    /// Brings what is derived (tree, cursor) in line with what is shown now.
    pub(super) fn settle(&mut self) {
        self.want.processes = self.view().context() == Context::Procs;
        self.want.latency = self.latency || self.view().context() == Context::Latency;
        if let (Some(experiment), Some(latest)) = (&mut self.experiment, self.history.latest()) {
            experiment.see(latest, &mut self.baseline);
        }
        let shown = self.shown().cloned();
        if let Some(shown) = &shown {
            self.baseline.refresh(&self.history, shown);
        }
        self.want.sockets = self.view().context() == Context::Tcp;
        self.want.stacks = self.view().context() == Context::Stacks;
        self.want.list_devices = self.view().context() == Context::Devices;
        // The rules and the experiments with their advice look at the devices' setup.
        self.want.devices = matches!(self.view().context(), Context::Devices | Context::Advice);
        if self.view().context() == Context::Stacks
            && let Some(shown) = &shown
        {
            let text = &self.panes[self.view].text;
            let mark = self.mark.as_deref();
            self.tree_state
                .refresh(shown, mark, &self.stack_query, text);
        }
        let rows = self.rows();
        self.panes[self.view].settle(&rows);
    }
}
