//! Which frames of the call tree are open, and the rows that are visible because of it.

use std::collections::HashMap;
use std::sync::Arc;

use super::call_tree::{CallTree, NodeId};
use super::widget::tree::{Mark, Place};
use crate::model::Stack;

/// A first child with at least this share of its parent belongs to the hot path.
const HOT: f64 = 0.2;

#[derive(Debug, Clone, Copy)]
pub struct Visible {
    pub node: usize,
    pub place: Place,
}

#[derive(Debug, Default)]
pub struct Unfold {
    pub tree: CallTree,
    pub rows: Vec<Visible>,
    /// What the user opened and closed; the rest follows the hot path.
    choices: HashMap<NodeId, bool>,
    built: Option<(Arc<[Stack]>, Option<String>)>,
}

impl Unfold {
    /// Builds the tree if it is not the one of this profile and function already.
    pub fn refresh(&mut self, profile: &Arc<[Stack]>, only: Option<&str>) {
        let same = self
            .built
            .as_ref()
            .is_some_and(|(built, of)| Arc::ptr_eq(built, profile) && of.as_deref() == only);
        if same {
            return;
        }
        if self
            .built
            .as_ref()
            .is_none_or(|(_, of)| of.as_deref() != only)
        {
            self.choices.clear();
        }
        self.tree = CallTree::build(profile, only);
        self.built = Some((profile.clone(), only.map(str::to_owned)));
        self.spread();
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
        let mut next = vec![node];
        while let Some(node) = next.pop() {
            self.choices.insert(self.tree.nodes[node].id, true);
            next.extend(&self.tree.nodes[node].children);
        }
        self.spread();
    }

    /// Makes a node visible.
    pub fn reveal(&mut self, node: usize) {
        let path = self.tree.path(node);
        for &above in &path[..path.len() - 1] {
            self.choices.insert(self.tree.nodes[above].id, true);
        }
        self.spread();
    }

    /// The next node whose name holds `text`, after `from` and around the end; itself the last.
    pub fn search(&self, text: &str, from: Option<NodeId>, back: bool) -> Option<usize> {
        let text = text.to_lowercase();
        let mut order: Vec<usize> = self.tree.walk().collect();
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
            .find(|&&node| self.tree.nodes[node].name.to_lowercase().contains(&text))
            .copied()
    }

    fn spread(&mut self) {
        let mut rows = Vec::new();
        let mut next: Vec<(usize, u32, u128, bool)> = self
            .tree
            .tops
            .iter()
            .rev()
            .map(|&n| (n, 0, 0, true))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::fixture::stack;
    use crate::tui::widget::tree::guides;

    fn unfolded() -> Unfold {
        let profile: Arc<[Stack]> = vec![
            stack("f", 1, "a", 60.0, &["leaf", "hot", "mid", "entry"]),
            stack("f", 2, "b", 30.0, &["leaf", "cold", "entry"]),
            stack("f", 2, "b", 10.0, &["tip", "hot", "mid", "entry"]),
        ]
        .into();
        let mut unfold = Unfold::default();
        unfold.refresh(&profile, Some("f"));
        unfold
    }

    fn shown(unfold: &Unfold) -> Vec<String> {
        unfold
            .rows
            .iter()
            .map(|row| format!("{}{}", guides(row.place), unfold.tree.nodes[row.node].name))
            .collect()
    }

    #[test]
    fn chains_and_the_hot_path_are_open_and_the_rest_is_not() {
        let want = [
            "  f",
            "▾ entry",
            "├─  mid",
            "│ ▾ hot",
            "│ ├─  leaf",
            "│ └─  tip",
            "└─▸ cold",
        ];
        assert_eq!(shown(&unfolded()), want);
    }

    #[test]
    fn what_the_user_closed_stays_closed_in_the_next_snapshot() {
        let mut unfold = unfolded();
        let entry = unfold.rows[1].node;
        unfold.set_open(entry, false);
        assert_eq!(shown(&unfold), ["  f", "▸ entry"]);
        let next: Arc<[Stack]> = vec![stack("f", 1, "a", 5.0, &["leaf", "x", "entry"])].into();
        unfold.refresh(&next, Some("f"));
        assert_eq!(shown(&unfold), ["  f", "▸ entry"]);
        let entry = unfold.rows[1].node;
        unfold.open_below(entry);
        assert_eq!(unfold.rows.len(), 4);
    }

    #[test]
    fn search_finds_closed_frames_opens_their_way_and_goes_round() {
        let mut unfold = unfolded();
        let name = |unfold: &Unfold, node: usize| unfold.tree.nodes[node].name.to_string();
        let first = unfold.search("LEAF", None, false).expect("two leaves");
        let id = unfold.tree.nodes[first].id;
        let visible = |unfold: &Unfold, id| {
            let mut rows = unfold.rows.iter();
            rows.any(|row| unfold.tree.nodes[row.node].id == id)
        };
        assert!(visible(&unfold, id));
        let second = unfold.search("leaf", Some(id), false).expect("another");
        assert_ne!(first, second);
        let hidden = unfold.tree.nodes[second].id;
        assert!(!visible(&unfold, hidden));
        unfold.reveal(second);
        assert!(visible(&unfold, hidden));
        assert_eq!(unfold.search("leaf", Some(hidden), false), Some(first));
        assert_eq!(unfold.search("leaf", Some(hidden), true), Some(first));
        assert_eq!(name(&unfold, first), "leaf");
        assert_eq!(unfold.search("nowhere", None, false), None);
    }
}
