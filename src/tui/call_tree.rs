//! The stacks of a profile as a tree: a function on top, below it the frames from the outermost
//! (system call, interrupt) down to the function itself. Built once per snapshot.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;

use super::text::clean;
use crate::model::Stack;

/// A hash of the names from the top to the node: the same place in the next snapshot's tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(u64);

#[derive(Debug)]
pub struct Node {
    pub id: NodeId,
    pub name: Arc<str>,
    /// Hits; the children's and those that ended here.
    pub weight: f64,
    pub samples: u64,
    pub parent: Option<usize>,
    /// Heaviest first.
    pub children: Vec<usize>,
}

#[derive(Debug, Default)]
pub struct CallTree {
    pub nodes: Vec<Node>,
    /// One per function, heaviest first.
    pub tops: Vec<usize>,
    index: HashMap<NodeId, usize>,
}

impl CallTree {
    /// Of one function, or of all.
    pub fn build(profile: &[Stack], only: Option<&str>) -> CallTree {
        let mut tree = CallTree::default();
        for stack in profile {
            if only.is_some_and(|only| only != &*stack.function) || !sound(stack) {
                continue;
            }
            let mut at = tree.child(None, &stack.function);
            tree.add(at, stack);
            for frame in stack.frames.iter().rev() {
                at = tree.child(Some(at), frame);
                tree.add(at, stack);
            }
        }
        tree.sort();
        tree
    }

    pub fn find(&self, id: NodeId) -> Option<usize> {
        self.index.get(&id).copied()
    }

    /// From the top down to the node.
    pub fn path(&self, node: usize) -> Vec<usize> {
        let mut path: Vec<usize> =
            std::iter::successors(Some(node), |&node| self.nodes[node].parent).collect();
        path.reverse();
        path
    }

    /// The function a node belongs to.
    pub fn top(&self, node: usize) -> usize {
        self.path(node)[0]
    }

    /// Hits of all functions in it.
    pub fn weight(&self) -> f64 {
        self.tops.iter().map(|&top| self.nodes[top].weight).sum()
    }

    /// Every node as if all were open.
    pub fn walk(&self) -> impl Iterator<Item = usize> + '_ {
        let mut next: Vec<usize> = self.tops.iter().rev().copied().collect();
        std::iter::from_fn(move || {
            let node = next.pop()?;
            next.extend(self.nodes[node].children.iter().rev());
            Some(node)
        })
    }

    /// Which processes a node's hits ran in, heaviest first.
    pub fn processes(&self, profile: &[Stack], node: usize) -> Vec<(u32, Arc<str>, f64)> {
        let path = self.path(node);
        let mut found: HashMap<u32, (Arc<str>, f64)> = HashMap::new();
        for stack in profile.iter().filter(|stack| sound(stack)) {
            let mut id = top_id(&stack.function);
            for frame in stack.frames.iter().rev().take(path.len() - 1) {
                id = child_id(id, frame);
            }
            if id == self.nodes[node].id && stack.frames.len() + 1 >= path.len() {
                let process = found
                    .entry(stack.pid)
                    .or_insert_with(|| (stack.comm.clone(), 0.0));
                process.1 += stack.weight;
            }
        }
        let mut list: Vec<_> = found
            .into_iter()
            .map(|(pid, (comm, weight))| (pid, comm, weight))
            .collect();
        list.sort_by(|a, b| b.2.total_cmp(&a.2).then(a.0.cmp(&b.0)));
        list
    }

    fn child(&mut self, parent: Option<usize>, name: &Arc<str>) -> usize {
        let id = parent.map_or_else(
            || top_id(name),
            |parent| child_id(self.nodes[parent].id, name),
        );
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
            samples: 0,
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

    fn add(&mut self, node: usize, stack: &Stack) {
        self.nodes[node].weight += stack.weight;
        self.nodes[node].samples += stack.samples;
    }

    /// Equal weights stand by name, so that rows do not swap places without reason.
    fn sort(&mut self) {
        let order: Vec<(f64, Arc<str>)> = self
            .nodes
            .iter()
            .map(|node| (node.weight, node.name.clone()))
            .collect();
        let heavier = |a: &usize, b: &usize| {
            let (a, b) = (&order[*a], &order[*b]);
            b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1))
        };
        self.tops.sort_by(heavier);
        for node in &mut self.nodes {
            node.children.sort_by(heavier);
        }
    }
}

fn sound(stack: &Stack) -> bool {
    stack.weight.is_finite() && stack.weight >= 0.0
}

fn top_id(name: &str) -> NodeId {
    child_id(NodeId(0), name)
}

fn child_id(parent: NodeId, name: &str) -> NodeId {
    let mut hasher = DefaultHasher::new();
    hasher.write_u64(parent.0);
    hasher.write(name.as_bytes());
    NodeId(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::fixture::stack;

    fn profile() -> Vec<Stack> {
        vec![
            stack("f", 1, "a", 60.0, &["leaf", "mid", "entry"]),
            stack("f", 2, "b", 30.0, &["leaf", "other", "entry"]),
            stack("f", 2, "b", 10.0, &["leaf", "mid", "entry"]),
            stack("g", 3, "c", 5.0, &["leaf"]),
        ]
    }

    fn shape(tree: &CallTree) -> Vec<String> {
        tree.walk()
            .map(|node| {
                let depth = tree.path(node).len() - 1;
                let node = &tree.nodes[node];
                format!("{}{} {}", " ".repeat(depth), node.name, node.weight)
            })
            .collect()
    }

    #[test]
    fn a_tree_goes_from_the_function_over_the_entry_to_the_leaf() {
        let want = [
            "f 100",
            " entry 100",
            "  mid 70",
            "   leaf 70",
            "  other 30",
            "   leaf 30",
        ];
        assert_eq!(shape(&CallTree::build(&profile(), Some("f"))), want);
        assert_eq!(CallTree::build(&profile(), None).tops.len(), 2);
        assert!(CallTree::build(&[], None).walk().next().is_none());
    }

    #[test]
    fn a_place_is_found_again_in_another_snapshots_tree() {
        let first = CallTree::build(&profile(), Some("f"));
        let mid = first.walk().nth(2).expect("six nodes");
        let mut later = profile();
        later.reverse();
        later.push(stack("f", 9, "z", 500.0, &["leaf", "new", "entry"]));
        let second = CallTree::build(&later, None);
        let again = second.find(first.nodes[mid].id).expect("still there");
        assert_eq!(&*second.nodes[again].name, "mid");
        assert_eq!(&*second.nodes[second.top(again)].name, "f");
    }

    #[test]
    fn a_frames_processes_add_up_to_its_weight() {
        let tree = CallTree::build(&profile(), Some("f"));
        for node in tree.walk() {
            let split = tree.processes(&profile(), node);
            let sum: f64 = split.iter().map(|(_, _, weight)| weight).sum();
            assert!((sum - tree.nodes[node].weight).abs() < 1e-9);
        }
        let mid = tree.walk().nth(2).expect("six nodes");
        let pids: Vec<_> = tree
            .processes(&profile(), mid)
            .iter()
            .map(|p| p.0)
            .collect();
        assert_eq!(pids, [1, 2]);
    }
}
