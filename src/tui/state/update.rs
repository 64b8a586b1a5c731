//! What each action does to the state. Moving the cursor only moves the cursor: what the kernel is
//! asked for (`Want`) changes by the actions that say so.
//!
//! long because every action of every view, prompt and graph is an arm of two matches, with what it does below.

use std::collections::BTreeSet;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind};

use super::UiState;
use super::experiment::Experiment;
use super::pane::{Row, moved};
use super::probes::refusal;
use crate::model::{
    Function, NO_SOCKET, OUTSIDE, Observable, ObservableKind, Process, Role, Stage,
};
use crate::tui::input::action::{Action, Effect, Step};
use crate::tui::input::keymap::{Context, lookup};
use crate::tui::input::prompt::{IDLE_TASK, Kind, Prompt};
use crate::tui::stacks::stack_query::{Focus, Source};
use crate::tui::view;
use crate::tui::view::VIEWS;
use crate::tui::view::help;

/// Intervals that `+` and `-` go through, milliseconds.
const INTERVALS: [u64; 8] = [250, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000];

impl UiState {
    pub fn key(&mut self, key: KeyEvent) -> Vec<Effect> {
        if key.kind == KeyEventKind::Release {
            return Vec::new();
        }
        self.message = None;
        let before = self.want.clone();
        let mut effects = Vec::new();
        match lookup(self.context(), key) {
            Some(action) => effects.extend(self.apply(action)),
            None => {
                if let Some(prompt) = &mut self.prompt {
                    prompt.key(key);
                    self.typed();
                    effects.extend(self.list_probes());
                } else if self.help.is_none()
                    && let KeyCode::Char(digit @ '1'..='9') = key.code
                {
                    self.message(&format!("view {digit} is not in this version"), false);
                }
            }
        }
        self.settle();
        if self.want != before {
            effects.push(Effect::Want(self.want.clone()));
        }
        effects
    }

    fn apply(&mut self, action: Action) -> Option<Effect> {
        if let Some(why) = self.only_live(action) {
            self.message(&why, false);
            return None;
        }
        match action {
            Action::Quit => return Some(Effect::Quit),
            Action::Suspend => return Some(Effect::Suspend),
            Action::Redraw => return Some(Effect::Redraw),
            Action::Save if self.shown().is_some() => return Some(Effect::SaveSnapshot),
            Action::Bundle if self.shown().is_some() => return Some(Effect::SaveBundle),
            Action::Save | Action::Bundle => self.message("there is no snapshot yet", true),
            Action::Help => self.help = if self.help.is_none() { Some(0) } else { None },
            Action::Pause => self.history.pause(!self.history.paused()),
            Action::Older => self.step_time(true),
            Action::Newer => self.step_time(false),
            Action::Theme => {
                self.theme = self.theme.next();
                self.message(&format!("theme {}", self.theme.name), false);
            }
            Action::Move(step) => self.go(step),
            Action::View(digit) => {
                if let Some(view) = VIEWS.iter().position(|view| view.digit() == digit) {
                    self.visit(view);
                }
            }
            Action::NextView => self.visit((self.view + 1) % VIEWS.len()),
            Action::PreviousView => self.visit((self.view + VIEWS.len() - 1) % VIEWS.len()),
            Action::SortNext => self.sort(false),
            Action::SortPrevious => self.sort(true),
            Action::Reverse => {
                let pane = &mut self.panes[self.view];
                pane.reverse = !pane.reverse;
            }
            Action::Slower => self.change_interval(true),
            Action::Faster => self.change_interval(false),
            Action::Detach => self.want.detached = !self.want.detached,
            Action::Mark => self.toggle_mark(),
            Action::Exact => self.toggle_exact(),
            Action::PickProcess => {
                if let Some(pid) = self.selected_pid() {
                    self.pick_process(pid);
                }
            }
            Action::Grouping(back) => {
                self.grouping = self.grouping.next(back);
                self.panes[self.view].cursor = None;
                self.message(self.grouping.name(), false);
            }
            Action::Whose => {
                self.want.by_owner = !self.want.by_owner;
                let said = if self.want.by_owner {
                    "a PID means whose socket the work is for"
                } else {
                    "a PID means in whose context the work ran"
                };
                self.message(said, false);
            }
            Action::Text => {
                let text = self.pane().text.clone();
                self.prompt = Some(Prompt::new(Kind::Text, &text));
            }
            Action::Pids => {
                self.prompt = Some(Prompt::new(Kind::Pids, ""));
                self.want.list_tasks = true;
            }
            Action::Probes => return self.open_probes(),
            Action::Copy => return self.copy(),
            Action::HideRule => self.hide_rule(),
            Action::Back => self.back(),
            Action::Accept => return self.accept(),
            Action::Complete => return self.complete(),
            _ => self.explore(action),
        }
        None
    }

    fn go(&mut self, step: Step) {
        let page = self.page();
        if let Some(scroll) = self.help {
            self.help = Some(moved(scroll, help::last(self), step, page));
        } else if self.prompt.is_some() {
            self.pick(step);
        } else if self.context() == Context::Flame {
            if let Some(node) = self.frame() {
                self.select(self.tree_state.climb(node, step, page));
            }
        } else {
            let rows = self.rows();
            self.panes[self.view].step(&rows, step, page);
        }
    }

    /// The process of the selected row, or of its socket.
    fn selected_pid(&self) -> Option<u32> {
        let selected = self.selected()?;
        if let Row::Process(pid) = selected {
            return Some(pid);
        }
        let sockets = view::sockets(self.shown()?, self.grouping);
        let mut sockets = sockets.into_iter();
        sockets.find(|entry| entry.row() == selected)?.pid()
    }

    fn pick_process(&mut self, pid: u32) {
        if pid == NO_SOCKET {
            self.message("these packets are no process's", true);
        } else if pid == 0 {
            self.message(IDLE_TASK, true);
        } else {
            // The row may be minutes old: whoever has its pid by now is not meant.
            let row = self.process(pid);
            let start = row.and_then(|row| Some((pid, row.start_ticks?)));
            self.filter(vec![pid]);
            self.want.start_ticks = start.into_iter().collect();
        }
    }

    /// Says what is counted from now on; the same filter again changes nothing.
    fn filter(&mut self, pids: Vec<u32>) {
        if pids == self.want.pids {
            return;
        }
        let said = match pids.as_slice() {
            [] => "counting all processes again".to_owned(),
            [pid] => format!("counting only {}", self.called(*pid)),
            pids => format!("counting only {} processes", pids.len()),
        };
        self.message(&format!("{said}; totals restart"), false);
        self.want.pids = pids;
        self.want.start_ticks.clear();
        self.want.cgroup = None;
    }

    /// The row of the process on screen.
    fn process(&self, pid: u32) -> Option<&Process> {
        let mut processes = self.shown()?.processes.iter();
        processes.find(|process| process.pid == pid)
    }

    /// `statsd(9127)`
    fn called(&self, pid: u32) -> String {
        let known = self.candidates().iter().find(|(other, _)| *other == pid);
        known
            .map(|(_, name)| name.as_str())
            .or(self.process(pid).map(|process| process.comm.as_str()))
            .map_or_else(|| format!("process {pid}"), |name| format!("{name}({pid})"))
    }

    /// Leaving the stacks lets go what was attached for them.
    fn visit(&mut self, view: usize) {
        if view != self.view && self.view().context() == Context::Stacks {
            self.want.drill = None;
            self.stack_query.focus = Focus::All;
            self.stack_query.source = None;
            self.tree_state.zoom_off();
            self.panes[self.view].text.clear();
            self.panes[self.view].cursor = None;
        }
        self.view = view;
    }

    fn back(&mut self) {
        let home = view::index(match self.stack_query.focus {
            Focus::Process(_) => Context::Procs,
            Focus::Stage(_) => Context::Cpus,
            Focus::All | Focus::Function(_) => Context::Path,
        });
        if let Some(prompt) = self.prompt.take() {
            self.want.list_tasks = false;
            if prompt.kind == Kind::Text {
                self.panes[self.view].text = prompt.before;
            }
        } else if self.help.is_some() {
            self.help = None;
        } else if self.view().context() == Context::Stacks && self.zoom_out() {
        } else if !self.pane().text.is_empty() {
            self.panes[self.view].text.clear();
        } else if self.view().context() == Context::Stacks {
            self.visit(home);
        } else if !self.want.pids.is_empty() {
            self.filter(Vec::new());
        } else {
            self.visit(home);
        }
    }

    fn accept(&mut self) -> Option<Effect> {
        let mut prompt = self.prompt.take()?;
        match prompt.kind {
            Kind::Text if self.view().context() == Context::Stacks => self.search(false),
            Kind::Text => {}
            Kind::Probes => return self.accept_probe(prompt),
            Kind::Pids => {
                if prompt.pick.is_some() {
                    prompt.complete(self.candidates());
                }
                match prompt.pids(self.candidates()) {
                    Ok(pids) => {
                        self.filter(pids);
                        self.want.list_tasks = false;
                    }
                    Err(why) => {
                        self.message(&why, true);
                        self.prompt = Some(prompt);
                    }
                }
            }
        }
        None
    }

    fn complete(&mut self) -> Option<Effect> {
        let mut prompt = self.prompt.take()?;
        match prompt.kind {
            Kind::Text => {}
            Kind::Pids => prompt.complete(self.candidates()),
            Kind::Probes => self.complete_probe(&mut prompt),
        }
        self.prompt = Some(prompt);
        self.list_probes()
    }

    fn pick(&mut self, step: Step) {
        let Some(prompt) = &self.prompt else { return };
        let found = match prompt.kind {
            Kind::Text => return,
            Kind::Pids => prompt.completions(self.candidates()).len(),
            Kind::Probes => self.probes.matching(prompt.text()).len(),
        };
        let Some(last) = found.checked_sub(1) else {
            return;
        };
        let pick = match (prompt.pick, step) {
            (None, _) => Some(0),
            (Some(0), Step::Up) => None,
            (Some(here), step) => Some(moved(here, last, step, 1)),
        };
        if let Some(prompt) = &mut self.prompt {
            prompt.pick = pick;
        }
    }

    fn step_time(&mut self, back: bool) {
        if self.recording.is_some() && !self.history.paused() {
            // From the whole to its last interval.
            self.history.pause(true);
        } else if !self.history.paused() {
            self.message("Space pauses; then one can step through time", false);
        } else if !self.history.step(back) {
            let end = if back {
                "nothing older is kept"
            } else {
                "this is the newest"
            };
            self.message(end, false);
        }
    }

    fn sort(&mut self, back: bool) {
        let columns = self.view().sorts().len();
        self.panes[self.view].sort_by_next(columns, back);
    }

    fn change_interval(&mut self, slower: bool) {
        let now = self.want.interval;
        let mut steps = INTERVALS.map(Duration::from_millis).into_iter();
        let next = if slower {
            steps.find(|step| *step > now)
        } else {
            steps.rfind(|step| *step < now)
        };
        self.want.interval = next.unwrap_or(now);
    }

    fn toggle_mark(&mut self) {
        if let Some(experiment) = self
            .experiment
            .as_mut()
            .filter(|experiment| experiment.waits())
        {
            experiment.told(&mut self.baseline);
            self.message("so it is changed: measuring the same load", false);
        } else if self.mark.take().is_some() {
            self.baseline.forget();
            self.experiment = None;
            self.message("the mark is gone", false);
        } else if let Some(shown) = self.shown().cloned() {
            self.baseline.mark(&self.history, &shown);
            self.experiment = self
                .finding()
                .map(|finding| Experiment::new(finding, &shown));
            let said = match &self.experiment {
                Some(_) => "marked; change the setting, netop says whether it helped",
                None => "marked; from now on differences are shown",
            };
            self.message(said, false);
            self.mark = Some(shown);
        } else {
            self.message("there is no snapshot yet", true);
        }
    }

    fn toggle_exact(&mut self) {
        if let Some(Row::Function(name)) = self.selected() {
            self.toggle_function(&name);
        }
    }

    fn toggle_function(&mut self, name: &str) {
        let shown = self.shown();
        let row = shown.and_then(|s| s.functions.iter().find(|f| *f.name == *name).cloned());
        if let Some(row) = row.filter(|row| !row.has_event()) {
            let reason = row.reason.as_deref().unwrap_or("no event is at it");
            self.message(&format!("{name} cannot be counted: {reason}"), true);
            return;
        }
        if self.want.exact.remove(name) {
            self.message(&format!("{name} is counted as the budget allows"), false);
        } else {
            self.message(&format!("{name} is counted exactly; e lets it go"), false);
            self.want.exact.insert(name.to_owned());
        }
    }

    fn open_probes(&mut self) -> Option<Effect> {
        self.prompt = Some(Prompt::new(Kind::Probes, ""));
        self.probes.forget();
        self.list_probes()
    }

    /// Asks for the list that belongs to what is typed now.
    pub(in crate::tui) fn list_probes(&mut self) -> Option<Effect> {
        let prompt = self.prompt.as_ref().filter(|p| p.kind == Kind::Probes)?;
        self.probes.ask(prompt.text()).map(Effect::ListProbes)
    }

    /// The answer to [`Effect::ListProbes`].
    pub fn probes_listed(&mut self, place: &str, list: Result<Vec<Observable>, String>) {
        self.probes.answer(place, list);
    }

    fn accept_probe(&mut self, mut prompt: Prompt) -> Option<Effect> {
        let typed = prompt.text().trim().to_owned();
        let meant = match prompt.pick {
            Some(pick) => self.probes.matching(prompt.text()).get(pick).copied(),
            None => self.probes.named(&typed),
        };
        let Some(Observable { name, kind, about }) = meant.cloned() else {
            return self.toggle_event(typed);
        };
        match kind {
            ObservableKind::Function => self.toggle_function(&name),
            ObservableKind::Same => self.toggle_function(&about),
            ObservableKind::Field => {
                prompt.set(&name);
                self.message("a field is compared, as in len>1000", false);
                self.prompt = Some(prompt);
            }
            ObservableKind::Tracepoint | ObservableKind::Symbol => return self.toggle_event(name),
        }
        None
    }

    /// The chosen name, without a choice the first, takes the place of what was typed.
    fn complete_probe(&self, prompt: &mut Prompt) {
        let found = self.probes.matching(prompt.text());
        if let Some(one) = found.get(prompt.pick.unwrap_or(0)) {
            prompt.set(&one.name);
        }
    }

    fn toggle_event(&mut self, name: String) -> Option<Effect> {
        (!name.is_empty()).then(|| Effect::Probes(self.probes.toggled(name)))
    }

    /// These are counted from now on: what [`Effect::Probes`] asked for. `notes`: what to know.
    pub fn probes_taken(&mut self, events: Vec<String>, exact: BTreeSet<String>, notes: &[String]) {
        let said = self.probes.set(events, notes);
        self.message(&said, false);
        self.want.exact = exact;
        self.want.drill = None;
    }

    /// Why they cannot be: what was typed stays, to be mended.
    pub fn probes_refused(&mut self, events: &[String], why: &str) {
        if let Some(new) = self.probes.added_by(events) {
            self.prompt = Some(Prompt::new(Kind::Probes, new));
        }
        self.message(&refusal(why, usize::from(self.size.0)), true);
    }

    fn copy(&mut self) -> Option<Effect> {
        let finding = self.finding()?;
        let command = [finding.attempt, finding.check]
            .into_iter()
            .find(|text| !text.is_empty())?;
        // Not every terminal takes it: the text stands there to be selected too.
        self.message(
            &format!("copied, where the terminal allows it: {command}"),
            false,
        );
        Some(Effect::Copy(command))
    }

    fn hide_rule(&mut self) {
        if let Some(finding) = self.finding() {
            self.hidden_rules.insert(finding.rule);
            self.message(
                &format!(
                    "{} {} is hidden until netop ends",
                    finding.rule, finding.name
                ),
                false,
            );
        }
    }

    // View 5: what is looked at and from which side, and the cursor in the tree and the flame graph.

    /// Opens view 5 on the stacks of something.
    pub fn look_at(&mut self, focus: Focus) {
        self.visit(view::index(Context::Stacks));
        self.want.drill = match &focus {
            Focus::Function(name) => Some(name.clone()),
            _ => None,
        };
        self.stack_query.focus = focus;
        self.stack_query.source = None;
        self.forget_cursor();
    }

    fn explore(&mut self, action: Action) {
        match action {
            Action::Drill => match self.selected() {
                Some(Row::Function(name)) => self.look_at(Focus::Function(name.to_string())),
                Some(Row::Drop(key)) => self.stacks_of(&key),
                _ => {}
            },
            Action::ProcessStacks => {
                if let Some(Row::Process(pid)) = self.selected() {
                    self.look_at(Focus::Process(pid));
                }
            }
            Action::StageStacks(back) => self.other_stage(back),
            Action::Toggle if self.open_device(|open| !open) => {}
            Action::Expand if self.open_device(|_| true) => {}
            Action::Collapse if self.open_device(|_| false) => {}
            Action::Toggle => self.open(|open| !open),
            Action::Expand => self.expand(),
            Action::Collapse => self.collapse(),
            Action::ExpandAll => {
                if let Some(node) = self.frame() {
                    self.tree_state.open_below(node);
                }
            }
            Action::NextMatch => self.search(false),
            Action::PreviousMatch => self.search(true),
            Action::Source => {
                self.stack_query.source = Some(match self.tree_state.source() {
                    Source::Cpu => Source::Hits,
                    Source::Hits => Source::Cpu,
                });
                self.forget_cursor();
            }
            Action::Invert => {
                self.stack_query.inverted = !self.stack_query.inverted;
                self.forget_cursor();
            }
            Action::Unroll => self.stack_query.unrolled = !self.stack_query.unrolled,
            Action::Flame => self.toggle_flame(),
            Action::Zoom => {
                if let Some(node) = self.frame()
                    && !self.tree_state.zoom_in(node)
                {
                    self.message("this is the root already; Esc leaves the zoom", false);
                }
            }
            Action::Beside(back) => {
                let beside = self
                    .frame()
                    .and_then(|node| self.tree_state.beside(node, back));
                if let Some(node) = beside {
                    self.select(node);
                }
            }
            _ => {}
        }
    }

    /// The stacks of dropped packets, searched for the function that dropped these.
    fn stacks_of(&mut self, key: &str) {
        let Some(shown) = self.shown() else { return };
        let Some(drop) = shown.drops.iter().find(|drop| *drop.key == *key) else {
            return;
        };
        let mut rows = shown.functions.iter();
        let row = rows.find(|f| f.role == Some(Role::Drops));
        let seen = |f: &&Function| drop.witnesses.iter().any(|w| w.name.starts_with(&*f.name));
        let row = row.filter(seen).map(|f| f.name.to_string());
        let location = drop.location.clone();
        let Some(function) = row else {
            self.message(
                "no stack leads there: only a counter saw it, see what it says below",
                false,
            );
            return;
        };
        self.look_at(Focus::Function(function));
        if let Some(location) = location {
            let function = location.split(' ').next().unwrap_or_default();
            self.panes[self.view].text = format!("^{function}");
        }
    }

    /// All, then each stage, heaviest first, and round again.
    fn other_stage(&mut self, back: bool) {
        let mut focuses = vec![Focus::All];
        let stages = self.shown().map(|snapshot| snapshot.stages.as_slice());
        let of_network = |stage: &&Stage| stage.stage != OUTSIDE;
        for stage in stages.unwrap_or_default().iter().filter(of_network) {
            let focus = Focus::Stage(stage.stage.to_owned());
            if !focuses.contains(&focus) {
                focuses.push(focus);
            }
        }
        if focuses.len() == 1 {
            self.message(
                "no CPU sample has met a stage of the network stack yet",
                false,
            );
            return;
        }
        let here = focuses
            .iter()
            .position(|focus| *focus == self.stack_query.focus);
        let step = if back { focuses.len() - 1 } else { 1 };
        let next = (here.unwrap_or(0) + step) % focuses.len();
        self.tree_state.zoom_off();
        self.look_at(focuses.swap_remove(next));
    }

    fn toggle_flame(&mut self) {
        self.stack_query.flame = !self.stack_query.flame;
        if let Some(node) = self.frame() {
            self.tree_state.reveal(node);
        }
    }

    /// Another question has another tree: the cursor begins at its root.
    fn forget_cursor(&mut self) {
        self.panes[view::index(Context::Stacks)].cursor = None;
    }

    /// The selected node.
    fn frame(&self) -> Option<usize> {
        match self.selected()? {
            Row::Frame(id) => self.tree_state.tree.find(id),
            _ => None,
        }
    }

    fn open(&mut self, change: impl Fn(bool) -> bool) {
        if let Some(node) = self.frame() {
            let open = change(self.tree_state.is_open(node));
            self.tree_state.set_open(node, open);
        }
    }

    /// Shows or hides the queues of the selected device; false: no device is selected.
    fn open_device(&mut self, change: impl Fn(bool) -> bool) -> bool {
        let Some(Row::Device(device) | Row::Queue(device, ..)) = self.selected() else {
            return false;
        };
        if change(self.opened.remove(&device)) {
            self.opened.insert(device);
        } else {
            self.panes[self.view].select(Row::Device(device));
        }
        true
    }

    fn expand(&mut self) {
        let Some(node) = self.frame() else { return };
        if self.tree_state.is_open(node)
            && let Some(&child) = self.tree_state.tree.nodes[node].children.first()
        {
            self.select(child);
        } else {
            self.open(|_| true);
        }
    }

    fn collapse(&mut self) {
        let Some(node) = self.frame() else { return };
        let this = &self.tree_state.tree.nodes[node];
        if self.tree_state.is_open(node) && !this.children.is_empty() {
            self.open(|_| false);
        } else if let Some(parent) = this.parent
            && !self.tree_state.roots().contains(&node)
        {
            self.select(parent);
        }
    }

    fn select(&mut self, node: usize) {
        let id = self.tree_state.tree.nodes[node].id;
        self.panes[self.view].select(Row::Frame(id));
    }

    fn search(&mut self, back: bool) {
        if self.pane().text.is_empty() {
            self.message("type / and what to look for", false);
            return;
        }
        let from = self.frame().map(|node| self.tree_state.tree.nodes[node].id);
        if let Some(node) = self.tree_state.next_found(from, back) {
            self.tree_state.reveal(node);
            self.select(node);
        } else {
            let text = self.pane().text.clone();
            let said = if self.tree_state.search.literal {
                format!("no frame holds '{text}' (as plain text: it is no valid pattern)")
            } else {
                format!("no frame here matches '{text}'")
            };
            self.message(&said, true);
        }
    }

    /// One step out of the zoom; false: nothing was zoomed.
    fn zoom_out(&mut self) -> bool {
        let Some(root) = self.tree_state.zoom_out() else {
            return false;
        };
        if let Some(node) = self.tree_state.tree.find(root) {
            self.tree_state.reveal(node);
            self.select(node);
        }
        true
    }
}

#[cfg(test)]
#[path = "explore_test.rs"]
mod explore_tests;
#[cfg(test)]
#[path = "probes_test.rs"]
mod probes_tests;
#[cfg(test)]
#[path = "update_test.rs"]
mod tests;
