//! Stacks as a tree: a function or "cpu" on top, below it the frames in the order of the picture.
//! Beside every weight of now stands that of the mark. Built once per snapshot.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;

use super::stack_query::Picture;
use crate::model::Stack;
use crate::tui::text::clean;

/// A hash of the names from the top to the node: the same place in the next snapshot's tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(u64);

#[derive(Debug)]
pub struct Node {
    pub id: NodeId,
    pub name: Arc<str>,
    /// Hits, or ns: `own` and the children's.
    pub weight: f64,
    /// What ended here.
    pub own: f64,
    /// Weight in the mark, over a time as long as the profile's.
    pub then: f64,
    pub samples: u64,
    /// How often the frame stands here in a row at most, where recursion is folded.
    pub repeats: u32,
    pub parent: Option<usize>,
    /// Heaviest first.
    pub children: Vec<usize>,
}

/// Where a stack ended, and whose it was.
#[derive(Debug)]
struct End {
    node: usize,
    pid: u32,
    comm: Arc<str>,
    weight: f64,
}

#[derive(Debug, Default)]
pub struct CallTree {
    pub nodes: Vec<Node>,
    /// One per function, heaviest first; of CPU time only "cpu".
    pub tops: Vec<usize>,
    index: HashMap<NodeId, usize>,
    ends: Vec<End>,
}

impl CallTree {
    /// `then`: the mark's stacks, and what their weights are multiplied with to stand for a time
    /// as long as that of `now`.
    pub fn build(picture: &Picture, now: &[Stack], then: Option<(&[Stack], f64)>) -> CallTree {
        let mut tree = CallTree::default();
        for stack in now {
            let Some(path) = tree.enter(picture, stack) else {
                continue;
            };
            for &node in &path {
                tree.nodes[node].weight += stack.weight;
                tree.nodes[node].samples += stack.samples;
            }
            if let Some(&node) = path.last() {
                tree.nodes[node].own += stack.weight;
                tree.ends.push(End {
                    node,
                    pid: stack.pid,
                    comm: stack.comm.clone(),
                    weight: stack.weight,
                });
            }
        }
        let (stacks, scale) = then.unwrap_or_default();
        for stack in stacks {
            for node in tree.enter(picture, stack).unwrap_or_default() {
                tree.nodes[node].then += stack.weight * scale;
            }
        }
        tree.sort();
        tree
    }

    pub fn find(&self, id: NodeId) -> Option<usize> {
        self.index.get(&id).copied()
    }

    /// The node, its parent, and so on to the top.
    pub fn way_up(&self, node: usize) -> impl Iterator<Item = usize> + '_ {
        std::iter::successors(Some(node), |&node| self.nodes[node].parent)
    }

    pub fn weight(&self) -> f64 {
        self.tops.iter().map(|&top| self.nodes[top].weight).sum()
    }

    /// The mark's weight of the same.
    pub fn then(&self) -> f64 {
        self.tops.iter().map(|&top| self.nodes[top].then).sum()
    }

    /// Every node below and with `roots` as if all were open.
    pub fn walk<'a>(&'a self, roots: &[usize]) -> impl Iterator<Item = usize> + 'a {
        let mut next: Vec<usize> = roots.iter().rev().copied().collect();
        std::iter::from_fn(move || {
            let node = next.pop()?;
            next.extend(self.nodes[node].children.iter().rev());
            Some(node)
        })
    }

    /// Which processes a node's weight belongs to, heaviest first.
    pub fn processes(&self, node: usize) -> Vec<(u32, Arc<str>, f64)> {
        let mut found: HashMap<u32, (Arc<str>, f64)> = HashMap::new();
        for end in &self.ends {
            if self.way_up(end.node).any(|above| above == node) {
                let process = found
                    .entry(end.pid)
                    .or_insert_with(|| (end.comm.clone(), 0.0));
                process.1 += end.weight;
            }
        }
        let mut list: Vec<_> = found
            .into_iter()
            .map(|(pid, (comm, weight))| (pid, comm, weight))
            .collect();
        list.sort_by(|a, b| b.2.total_cmp(&a.2).then(a.0.cmp(&b.0)));
        list
    }

    /// The nodes of a stack's way, made where they are not there yet.
    fn enter(&mut self, picture: &Picture, stack: &Stack) -> Option<Vec<usize>> {
        let way = picture.way(stack)?;
        let mut at = self.child(None, &stack.function);
        let mut path = vec![at];
        for step in way {
            at = self.child(Some(at), &step.name);
            let repeats = &mut self.nodes[at].repeats;
            *repeats = step.repeats.max(*repeats);
            path.push(at);
        }
        Some(path)
    }

    fn child(&mut self, parent: Option<usize>, name: &Arc<str>) -> usize {
        let above = parent.map_or(NodeId(0), |parent| self.nodes[parent].id);
        let id = child_id(above, name);
        if let Some(&node) = self.index.get(&id) {
            return node;
        }
        let node = self.nodes.len();
        self.nodes.push(Node {
            id,
            name: match clean(name) {
                std::borrow::Cow::Borrowed(_) => name.clone(),
                std::borrow::Cow::Owned(safe) => safe.into(),
            },
            weight: 0.0,
            own: 0.0,
            then: 0.0,
            samples: 0,
            repeats: 1,
            parent,
            children: Vec::new(),
        });
        self.index.insert(id, node);
        match parent {
            Some(parent) => self.nodes[parent].children.push(node),
            None => self.tops.push(node),
        }
        node
    }

    /// Equal weights stand by name, so that rows do not swap places without reason.
    fn sort(&mut self) {
        let order: Vec<(f64, f64, Arc<str>)> = self
            .nodes
            .iter()
            .map(|node| (node.weight, node.then, node.name.clone()))
            .collect();
        let heavier = |a: &usize, b: &usize| {
            let (a, b) = (&order[*a], &order[*b]);
            let weight = b.0.total_cmp(&a.0).then(b.1.total_cmp(&a.1));
            weight.then_with(|| a.2.cmp(&b.2))
        };
        self.tops.sort_by(heavier);
        for node in &mut self.nodes {
            node.children.sort_by(heavier);
        }
    }
}

fn child_id(parent: NodeId, name: &str) -> NodeId {
    let mut hasher = DefaultHasher::new();
    hasher.write_u64(parent.0);
    hasher.write(name.as_bytes());
    NodeId(hasher.finish())
}

#[cfg(test)]
#[path = "call_tree_test.rs"]
mod tests;
