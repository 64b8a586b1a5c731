//! What the keys of view 5 do: what is looked at and from which side, and moving about in the tree
//! and the flame graph.

use super::action::{Action, Step};
use super::keymap::Context;
use super::pane::Row;
use super::stack_query::{Focus, Source};
use super::state::UiState;
use super::view;
use crate::model::{Function, Role};

impl UiState {
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

    pub(super) fn explore(&mut self, action: Action) {
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
            Action::Beside(back) => self.beside(back),
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
        for stage in stages.unwrap_or_default() {
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

    pub(super) fn select(&mut self, node: usize) {
        let id = self.tree_state.tree.nodes[node].id;
        self.panes[self.view].select(Row::Frame(id));
    }

    pub(super) fn search(&mut self, back: bool) {
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
    pub(super) fn zoom_out(&mut self) -> bool {
        let Some(root) = self.tree_state.zoom_out() else {
            return false;
        };
        if let Some(node) = self.tree_state.tree.find(root) {
            self.tree_state.reveal(node);
            self.select(node);
        }
        true
    }

    /// Up and down the boxes of the flame graph: callers above, the heaviest callee below.
    pub(super) fn climb(&mut self, step: Step, page: usize) {
        let Some(mut node) = self.frame() else { return };
        let roots = self.tree_state.roots();
        let tree = &self.tree_state.tree;
        let (up, steps) = match step {
            Step::Up => (true, 1),
            Step::Down => (false, 1),
            Step::PageUp => (true, page),
            Step::PageDown => (false, page),
            Step::First => (true, usize::MAX),
            Step::Last => (false, usize::MAX),
        };
        for _ in 0..steps {
            let this = &tree.nodes[node];
            let next = if up {
                this.parent.filter(|_| !roots.contains(&node))
            } else {
                let first = this.children.first().copied();
                first.filter(|&child| tree.nodes[child].weight > 0.0)
            };
            match next {
                Some(next) => node = next,
                None => break,
            }
        }
        self.select(node);
    }

    /// The next box of the same row, whoever its caller is.
    fn beside(&mut self, back: bool) {
        let Some(node) = self.frame() else { return };
        let tree = &self.tree_state.tree;
        let depth = tree.way_up(node).count();
        let drawn =
            |&other: &usize| tree.nodes[other].weight > 0.0 && tree.way_up(other).count() == depth;
        let row: Vec<usize> = tree.walk(&self.tree_state.roots()).filter(drawn).collect();
        let Some(here) = row.iter().position(|&other| other == node) else {
            return;
        };
        let there = if back {
            here.checked_sub(1)
        } else {
            Some(here + 1)
        };
        if let Some(&next) = there.and_then(|at| row.get(at)) {
            self.select(next);
        }
    }
}

#[cfg(test)]
#[path = "explore_test.rs"]
mod tests;
