//! The call tree of view 5 with what the user did to it: opened, closed, zoomed, searched; and the
//! rows that are visible because of it.

use std::collections::HashMap;
use std::sync::Arc;

use super::call_tree::{CallTree, NodeId};
use super::frame_pointers;
use super::search::Search;
use super::stack_query::{Picture, Source, StackQuery};
use crate::model::{Snapshot, Stack};
use crate::tui::input::action::Step;
use crate::tui::widget::tree::{Mark, Place};

/// A first child with at least this share of its parent belongs to the hot path.
const HOT: f64 = 0.2;

#[derive(Debug, Clone, Copy)]
pub struct Visible {
    pub node: usize,
    pub place: Place,
}

/// What a tree was built from.
#[derive(Debug)]
struct Built {
    picture: Picture,
    profile: Arc<[Stack]>,
    mark: Option<Arc<[Stack]>>,
}

#[derive(Debug, Default)]
pub struct TreeState {
    pub tree: CallTree,
    pub rows: Vec<Visible>,
    pub search: Search,
    pub found: Found,
    /// Programs that keep no frame pointers.
    pub blind: Vec<Arc<str>>,
    /// Roots one inside the other; of the last that is there, the rest is not shown.
    pub zoom: Vec<NodeId>,
    /// What the user opened and closed; the rest follows the hot path.
    choices: HashMap<NodeId, bool>,
    built: Option<Built>,
}

/// What the search found in the tree.
#[derive(Debug, Default)]
pub struct Found {
    /// By node.
    pub hits: Vec<bool>,
    pub frames: usize,
    /// Of all stacks with such a frame, each once.
    pub weight: f64,
}

impl TreeState {
    /// Builds the tree if it is not the one of this picture already, and searches it anew if the
    /// text is another.
    pub fn refresh(
        &mut self,
        snapshot: &Snapshot,
        mark: Option<&Snapshot>,
        stack_query: &StackQuery,
        text: &str,
    ) {
        let built = Built {
            picture: stack_query.picture(snapshot),
            profile: stack_query.picture(snapshot).profile(snapshot).clone(),
            mark: mark.map(|mark| stack_query.picture(snapshot).profile(mark).clone()),
        };
        let same = self.built.as_ref().is_some_and(|old| old.is(&built));
        let same_text = text == self.search.text();
        if !same_text {
            self.search = Search::new(text);
        }
        if !same {
            let turned = self.built.as_ref();
            if turned.is_none_or(|old| old.picture != built.picture) {
                self.choices.clear();
                self.zoom.clear();
            }
            // The same time for both: weights are compared per second.
            let scale = mark.map_or(0.0, |mark| {
                let source = built.picture.source;
                source.seconds(snapshot) / source.seconds(mark)
            });
            let then = built.mark.as_deref().filter(|_| scale.is_finite());
            let then = then.map(|then| (then, scale));
            self.tree = CallTree::build(&built.picture, &built.profile, then);
            self.blind = frame_pointers::without(&snapshot.cpu_profile);
            self.built = Some(built);
            self.spread();
        }
        if !same || !same_text {
            self.look();
        }
    }

    pub fn source(&self) -> Source {
        let built = self.built.as_ref();
        built.map_or(Source::Hits, |built| built.picture.source)
    }

    pub fn picture(&self) -> Option<&Picture> {
        self.built.as_ref().map(|built| &built.picture)
    }

    /// There is something of the mark to compare with.
    pub fn compares(&self) -> bool {
        self.tree.then() > 0.0
    }

    /// The zoomed node, or the tops.
    pub fn roots(&self) -> Vec<usize> {
        match self.zoomed() {
            Some(node) => vec![node],
            None => self.tree.tops.clone(),
        }
    }

    pub fn zoomed(&self) -> Option<usize> {
        let mut innermost = self.zoom.iter().rev();
        innermost.find_map(|id| self.tree.find(*id))
    }

    /// False: it is the root already.
    pub fn zoom_in(&mut self, node: usize) -> bool {
        if self.roots() == [node] {
            return false;
        }
        // What could not be found is left for good.
        let zoomed = self.zoomed().map(|node| self.tree.nodes[node].id);
        let keep = self.zoom.iter().position(|id| Some(*id) == zoomed);
        self.zoom.truncate(keep.map_or(0, |at| at + 1));
        self.zoom.push(self.tree.nodes[node].id);
        self.choices.insert(self.tree.nodes[node].id, true);
        self.spread();
        true
    }

    /// The node that was the root; none: nothing was zoomed.
    pub fn zoom_out(&mut self) -> Option<NodeId> {
        let root = self.zoom.pop();
        self.spread();
        root
    }

    pub fn zoom_off(&mut self) {
        self.zoom.clear();
        self.spread();
    }

    fn look(&mut self) {
        let is_frame =
            |node: usize| self.source() == Source::Hits || self.tree.nodes[node].parent.is_some();
        let finds = |node: usize| is_frame(node) && self.search.finds(&self.tree.nodes[node].name);
        let hits: Vec<bool> = (0..self.tree.nodes.len()).map(finds).collect();
        let mut weight = 0.0;
        let mut next = self.tree.tops.clone();
        while let Some(node) = next.pop() {
            if hits[node] {
                weight += self.tree.nodes[node].weight;
            } else {
                next.extend(&self.tree.nodes[node].children);
            }
        }
        let frames = hits.iter().filter(|hit| **hit).count();
        self.found = Found {
            hits,
            frames,
            weight,
        };
    }

    pub fn is_open(&self, node: usize) -> bool {
        let this = &self.tree.nodes[node];
        if let Some(choice) = self.choices.get(&this.id) {
            return *choice;
        }
        match this.parent {
            None => self.tree.tops.len() == 1,
            Some(parent) => {
                let parent = &self.tree.nodes[parent];
                let first = parent.children.first() == Some(&node);
                parent.children.len() == 1 || first && this.weight >= HOT * parent.weight
            }
        }
    }

    pub fn set_open(&mut self, node: usize, open: bool) {
        self.choices.insert(self.tree.nodes[node].id, open);
        self.spread();
    }

    pub fn open_below(&mut self, node: usize) {
        let below: Vec<usize> = self.tree.walk(&[node]).collect();
        for node in below {
            self.choices.insert(self.tree.nodes[node].id, true);
        }
        self.spread();
    }

    /// Makes a node visible.
    pub fn reveal(&mut self, node: usize) {
        let above: Vec<usize> = self.tree.way_up(node).skip(1).collect();
        for node in above {
            self.choices.insert(self.tree.nodes[node].id, true);
        }
        self.spread();
    }

    /// The next node below the root that the search finds, after `from` and around the end; itself
    /// the last.
    pub fn next_found(&self, from: Option<NodeId>, back: bool) -> Option<usize> {
        let mut order: Vec<usize> = self.tree.walk(&self.roots()).collect();
        if back {
            order.reverse();
        }
        let here = from
            .and_then(|id| order.iter().position(|&n| self.tree.nodes[n].id == id))
            .map_or(0, |at| at + 1);
        order
            .iter()
            .cycle()
            .skip(here)
            .take(order.len())
            .find(|&&node| self.found.hits[node])
            .copied()
    }

    /// From a box of the flame graph up or down by so many (`page` of them for one page): callers
    /// above, the heaviest callee below.
    pub fn climb(&self, mut node: usize, step: Step, page: usize) -> usize {
        let roots = self.roots();
        let nodes = &self.tree.nodes;
        let (up, steps) = match step {
            Step::Up => (true, 1),
            Step::Down => (false, 1),
            Step::PageUp => (true, page),
            Step::PageDown => (false, page),
            Step::First => (true, usize::MAX),
            Step::Last => (false, usize::MAX),
        };
        for _ in 0..steps {
            let this = &nodes[node];
            let next = if up {
                this.parent.filter(|_| !roots.contains(&node))
            } else {
                let first = this.children.first().copied();
                first.filter(|&child| nodes[child].weight > 0.0)
            };
            match next {
                Some(next) => node = next,
                None => break,
            }
        }
        node
    }

    /// The next box of the same row of the flame graph, whoever its caller is.
    pub fn beside(&self, node: usize, back: bool) -> Option<usize> {
        let tree = &self.tree;
        let depth = tree.way_up(node).count();
        let drawn =
            |&other: &usize| tree.nodes[other].weight > 0.0 && tree.way_up(other).count() == depth;
        let row: Vec<usize> = tree.walk(&self.roots()).filter(drawn).collect();
        let here = row.iter().position(|&other| other == node)?;
        let there = if back {
            here.checked_sub(1)
        } else {
            Some(here + 1)
        };
        row.get(there?).copied()
    }

    fn spread(&mut self) {
        let mut rows = Vec::new();
        let mut next: Vec<(usize, u32, u128, bool)> = self
            .roots()
            .into_iter()
            .rev()
            .map(|n| (n, 0, 0, true))
            .collect();
        while let Some((node, depth, more, head)) = next.pop() {
            let children = &self.tree.nodes[node].children;
            let mark = match children.as_slice() {
                [] => Mark::Leaf,
                _ if !self.is_open(node) => Mark::Closed,
                [_] => Mark::Chain,
                _ => Mark::Open,
            };
            let place = Place {
                depth,
                more,
                head,
                mark,
            };
            rows.push(Visible { node, place });
            match mark {
                Mark::Leaf | Mark::Closed => {}
                Mark::Chain => next.push((children[0], depth, more, false)),
                Mark::Open => {
                    let bit = 1_u128.checked_shl(depth).unwrap_or(0);
                    for (i, &child) in children.iter().enumerate().rev() {
                        let last = i + 1 == children.len();
                        let more = if last { more } else { more | bit };
                        next.push((child, depth + 1, more, true));
                    }
                }
            }
        }
        self.rows = rows;
    }
}

impl Built {
    fn is(&self, other: &Built) -> bool {
        let same_mark = match (&self.mark, &other.mark) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (None, None) => true,
            _ => false,
        };
        same_mark && Arc::ptr_eq(&self.profile, &other.profile) && self.picture == other.picture
    }
}

#[cfg(test)]
#[path = "tree_state_test.rs"]
mod tests;
