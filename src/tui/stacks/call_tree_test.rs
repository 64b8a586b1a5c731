//! Shapes of small trees, and what every tree conserves.

use proptest::prelude::*;

use super::*;
use crate::tui::fixture::stack;
use crate::tui::stacks::stack_query::{Focus, Source};

fn picture(only: Option<&str>) -> Picture {
    Picture {
        source: Source::Hits,
        focus: only.map_or(Focus::All, |name| Focus::Function(name.into())),
        symbols: [].into(),
        observers: false,
        inverted: false,
        unrolled: false,
    }
}

fn built(profile: &[Stack], only: Option<&str>) -> CallTree {
    CallTree::build(&picture(only), profile, None)
}

fn profile() -> Vec<Stack> {
    vec![
        stack("f", 1, "a", 60.0, &["leaf", "mid", "entry"]),
        stack("f", 2, "b", 30.0, &["leaf", "other", "entry"]),
        stack("f", 2, "b", 10.0, &["leaf", "mid", "entry"]),
        stack("g", 3, "c", 5.0, &["leaf"]),
    ]
}

fn all(tree: &CallTree) -> Vec<usize> {
    tree.walk(&tree.tops).collect()
}

fn shape(tree: &CallTree) -> Vec<String> {
    let line = |node| {
        let depth = tree.way_up(node).count() - 1;
        let node = &tree.nodes[node];
        format!("{}{} {}", " ".repeat(depth), node.name, node.weight)
    };
    all(tree).into_iter().map(line).collect()
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
    assert_eq!(shape(&built(&profile(), Some("f"))), want);
    assert_eq!(built(&profile(), None).tops.len(), 2);
    assert!(all(&built(&[], None)).is_empty());
}

#[test]
fn turned_round_it_goes_from_the_leaf_outwards() {
    let turned = Picture {
        inverted: true,
        ..picture(Some("f"))
    };
    let want = [
        "f 100",
        " leaf 100",
        "  mid 70",
        "   entry 70",
        "  other 30",
        "   entry 30",
    ];
    assert_eq!(shape(&CallTree::build(&turned, &profile(), None)), want);
}

#[test]
fn what_only_the_mark_has_stays_with_no_weight_and_is_last() {
    let then = [stack("f", 1, "a", 50.0, &["gone", "entry"])];
    let tree = CallTree::build(&picture(Some("f")), &profile(), Some((&then, 2.0)));
    let gone = all(&tree).pop().expect("nodes");
    let node = &tree.nodes[gone];
    assert_eq!((&*node.name, node.weight, node.then), ("gone", 0.0, 100.0));
    assert_eq!((tree.weight(), tree.then()), (100.0, 100.0));
}

#[test]
fn a_place_is_found_again_in_another_snapshots_tree() {
    let first = built(&profile(), Some("f"));
    let mid = all(&first)[2];
    let mut later = profile();
    later.reverse();
    later.push(stack("f", 9, "z", 500.0, &["leaf", "new", "entry"]));
    let second = built(&later, None);
    let again = second.find(first.nodes[mid].id).expect("still there");
    assert_eq!(&*second.nodes[again].name, "mid");
    assert_eq!(
        &*second.nodes[second.way_up(again).last().expect("a top")].name,
        "f"
    );
}

#[test]
fn a_frames_processes_add_up_to_its_weight() {
    let tree = built(&profile(), Some("f"));
    for node in all(&tree) {
        let split = tree.processes(node);
        let sum: f64 = split.iter().map(|(_, _, weight)| weight).sum();
        assert!((sum - tree.nodes[node].weight).abs() < 1e-9);
    }
    let mid = all(&tree)[2];
    let pids: Vec<_> = tree.processes(mid).iter().map(|p| p.0).collect();
    assert_eq!(pids, [1, 2]);
}

/// Whole numbers as weights, so that sums are exact.
fn stacks() -> impl Strategy<Value = Vec<Stack>> {
    let one = ("[fg]", 1..4_u32, 0..1000_u32, "[abc]{0,12}");
    prop::collection::vec(one, 0..40).prop_map(|list| {
        let made = list.iter().map(|(function, pid, weight, frames)| {
            let frames: Vec<String> = frames.chars().map(String::from).collect();
            let frames: Vec<&str> = frames.iter().map(String::as_str).collect();
            stack(function, *pid, "p", f64::from(*weight), &frames)
        });
        made.collect()
    })
}

fn pictures() -> impl Strategy<Value = Picture> {
    (any::<bool>(), any::<bool>()).prop_map(|(inverted, unrolled)| Picture {
        inverted,
        unrolled,
        ..picture(None)
    })
}

fn total(stacks: &[Stack]) -> f64 {
    stacks.iter().map(|stack| stack.weight).sum()
}

fn of(tree: &CallTree, node: usize, value: fn(&Node) -> f64) -> f64 {
    let children = tree.nodes[node].children.iter();
    children.map(|&child| value(&tree.nodes[child])).sum()
}

proptest! {
    #[test]
    fn totals_are_conserved_whichever_way_one_looks(now in stacks(), picture in pictures()) {
        let tree = CallTree::build(&picture, &now, None);
        prop_assert!((tree.weight() - total(&now)).abs() < 1e-9);
        for (i, node) in tree.nodes.iter().enumerate() {
            let below = of(&tree, i, |child| child.weight);
            prop_assert!((node.weight - node.own - below).abs() < 1e-9);
        }
        let own: f64 = tree.nodes.iter().map(|node| node.own).sum();
        prop_assert!((own - total(&now)).abs() < 1e-9);
    }

    #[test]
    fn two_profiles_in_one_tree_are_the_sum_of_two_trees(
        a in stacks(), b in stacks(), picture in pictures()
    ) {
        let both = [a.clone(), b.clone()].concat();
        let both = CallTree::build(&picture, &both, None);
        let parts = [a, b].map(|stacks| CallTree::build(&picture, &stacks, None));
        for node in &both.nodes {
            let weight = |tree: &CallTree| tree.find(node.id).map_or(0.0, |at| tree.nodes[at].weight);
            let sum: f64 = parts.iter().map(weight).sum();
            prop_assert!((sum - node.weight).abs() < 1e-9);
        }
    }

    #[test]
    fn differences_add_up_at_every_level(
        now in stacks(), then in stacks(), picture in pictures()
    ) {
        let tree = CallTree::build(&picture, &now, Some((&then, 1.0)));
        let change = total(&now) - total(&then);
        prop_assert!((tree.weight() - tree.then() - change).abs() < 1e-9);
        // What ended above a level and what passes through it is the whole, now and then.
        let alone = CallTree::build(&picture, &then, None);
        for (i, node) in tree.nodes.iter().enumerate() {
            let own_then = alone.find(node.id).map_or(0.0, |at| alone.nodes[at].own);
            let change = node.weight - node.then;
            let below = of(&tree, i, |child| child.weight - child.then);
            prop_assert!((change - below - (node.own - own_then)).abs() < 1e-9);
        }
    }
}
