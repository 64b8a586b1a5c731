//! Which rows are visible, and what is searched and zoomed.

use super::*;
use crate::tui::fixture::{empty, stack};
use crate::tui::stacks::stack_query::Focus;
use crate::tui::widget::tree::guides;

fn unfolded() -> TreeState {
    let profile: Arc<[Stack]> = vec![
        stack("f", 1, "a", 60.0, &["leaf", "hot", "mid", "entry"]),
        stack("f", 2, "b", 30.0, &["leaf", "cold", "entry"]),
        stack("f", 2, "b", 10.0, &["tip", "hot", "mid", "entry"]),
    ]
    .into();
    let mut tree_state = TreeState::default();
    refresh(&mut tree_state, &profile, None, "");
    tree_state
}

fn refresh(
    tree_state: &mut TreeState,
    profile: &Arc<[Stack]>,
    mark: Option<&Snapshot>,
    text: &str,
) {
    let mut snapshot = empty();
    snapshot.profile = profile.clone();
    snapshot.profile_s = 10.0;
    snapshot.cpu_profile_s = 10.0;
    let stack_query = StackQuery {
        focus: Focus::Function("f".into()),
        ..StackQuery::new()
    };
    tree_state.refresh(&snapshot, mark, &stack_query, text);
}

fn shown(tree_state: &TreeState) -> Vec<String> {
    tree_state
        .rows
        .iter()
        .map(|row| {
            format!(
                "{}{}",
                guides(row.place),
                tree_state.tree.nodes[row.node].name
            )
        })
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
    let mut tree_state = unfolded();
    let entry = tree_state.rows[1].node;
    tree_state.set_open(entry, false);
    assert_eq!(shown(&tree_state), ["  f", "▸ entry"]);
    let next: Arc<[Stack]> = vec![stack("f", 1, "a", 5.0, &["leaf", "x", "entry"])].into();
    refresh(&mut tree_state, &next, None, "");
    assert_eq!(shown(&tree_state), ["  f", "▸ entry"]);
    let entry = tree_state.rows[1].node;
    tree_state.open_below(entry);
    assert_eq!(tree_state.rows.len(), 4);
}

fn found(tree_state: &mut TreeState, text: &str) {
    let profile = tree_state.built.as_ref().expect("a tree").profile.clone();
    refresh(tree_state, &profile, None, text);
}

#[test]
fn search_finds_closed_frames_opens_their_way_and_goes_round() {
    let mut tree_state = unfolded();
    found(&mut tree_state, "leaf");
    let visible = |tree_state: &TreeState, id| {
        let mut rows = tree_state.rows.iter();
        rows.any(|row| tree_state.tree.nodes[row.node].id == id)
    };
    let first = tree_state.next_found(None, false).expect("two leaves");
    let id = tree_state.tree.nodes[first].id;
    assert!(visible(&tree_state, id));
    let second = tree_state.next_found(Some(id), false).expect("another");
    assert_ne!(first, second);
    let hidden = tree_state.tree.nodes[second].id;
    assert!(!visible(&tree_state, hidden));
    tree_state.reveal(second);
    assert!(visible(&tree_state, hidden));
    assert_eq!(tree_state.next_found(Some(hidden), false), Some(first));
    assert_eq!(tree_state.next_found(Some(hidden), true), Some(first));
    found(&mut tree_state, "nowhere");
    assert_eq!(tree_state.next_found(None, false), None);
}

#[test]
fn each_stack_counts_once_however_many_of_its_frames_are_found() {
    let mut tree_state = unfolded();
    found(&mut tree_state, "leaf|hot|mid");
    assert_eq!(
        (tree_state.found.frames, tree_state.found.weight),
        (4, 100.0)
    );
    found(&mut tree_state, "^(cold|tip)$");
    assert_eq!(
        (tree_state.found.frames, tree_state.found.weight),
        (2, 40.0)
    );
}

#[test]
fn a_zoom_shows_only_what_is_below_and_is_left_step_by_step() {
    let mut tree_state = unfolded();
    let node = |tree_state: &TreeState, row: usize| tree_state.rows[row].node;
    let (mid, hot) = (node(&tree_state, 2), node(&tree_state, 3));
    assert!(tree_state.zoom_in(mid) && !tree_state.zoom_in(mid));
    assert!(tree_state.zoom_in(hot));
    assert_eq!(shown(&tree_state), ["▾ hot", "├─  leaf", "└─  tip"]);
    found(&mut tree_state, "cold");
    assert_eq!(tree_state.next_found(None, false), None, "it is outside");
    let other: Arc<[Stack]> = vec![stack("f", 1, "a", 5.0, &["x", "mid", "entry"])].into();
    refresh(&mut tree_state, &other, None, "");
    assert_eq!(
        shown(&tree_state),
        ["  mid", "  x"],
        "the nearest root there is"
    );
    assert!(tree_state.zoom_out().is_some() && tree_state.zoom_out().is_some());
    assert_eq!(tree_state.zoom_out(), None);
    assert_eq!(tree_state.rows.len(), 4);
}

#[test]
fn a_mark_is_compared_per_second_of_its_profile() {
    let profile: Arc<[Stack]> = vec![stack("f", 1, "a", 60.0, &["leaf"])].into();
    let mut mark = empty();
    mark.profile = vec![stack("f", 1, "a", 60.0, &["leaf"])].into();
    mark.profile_s = 20.0;
    mark.cpu_profile_s = 20.0;
    let mut tree_state = TreeState::default();
    refresh(&mut tree_state, &profile, Some(&mark), "");
    assert!(tree_state.compares());
    assert!((tree_state.tree.then() - 30.0).abs() < 1e-9);
    mark.profile = Arc::from([]);
    refresh(&mut tree_state, &profile, Some(&mark), "");
    assert!(!tree_state.compares());
}
