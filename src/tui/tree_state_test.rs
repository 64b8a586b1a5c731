//! Which rows are visible, and what is searched and zoomed.

use super::*;
use crate::tui::fixture::{empty, stack};
use crate::tui::stack_query::Focus;
use crate::tui::widget::tree::guides;

fn unfolded() -> TreeState {
    let profile: Arc<[Stack]> = vec![
        stack("f", 1, "a", 60.0, &["leaf", "hot", "mid", "entry"]),
        stack("f", 2, "b", 30.0, &["leaf", "cold", "entry"]),
        stack("f", 2, "b", 10.0, &["tip", "hot", "mid", "entry"]),
    ]
    .into();
    let mut unfold = TreeState::default();
    refresh(&mut unfold, &profile, None, "");
    unfold
}

fn refresh(unfold: &mut TreeState, profile: &Arc<[Stack]>, mark: Option<&Snapshot>, text: &str) {
    let mut snapshot = empty();
    snapshot.profile = profile.clone();
    snapshot.profile_s = 10.0;
    snapshot.cpu_profile_s = 10.0;
    let lens = StackQuery {
        focus: Focus::Function("f".into()),
        ..StackQuery::new()
    };
    unfold.refresh(&snapshot, mark, &lens, text);
}

fn shown(unfold: &TreeState) -> Vec<String> {
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
    refresh(&mut unfold, &next, None, "");
    assert_eq!(shown(&unfold), ["  f", "▸ entry"]);
    let entry = unfold.rows[1].node;
    unfold.open_below(entry);
    assert_eq!(unfold.rows.len(), 4);
}

fn found(unfold: &mut TreeState, text: &str) {
    let profile = unfold.built.as_ref().expect("a tree").profile.clone();
    refresh(unfold, &profile, None, text);
}

#[test]
fn search_finds_closed_frames_opens_their_way_and_goes_round() {
    let mut unfold = unfolded();
    found(&mut unfold, "leaf");
    let visible = |unfold: &TreeState, id| {
        let mut rows = unfold.rows.iter();
        rows.any(|row| unfold.tree.nodes[row.node].id == id)
    };
    let first = unfold.next_found(None, false).expect("two leaves");
    let id = unfold.tree.nodes[first].id;
    assert!(visible(&unfold, id));
    let second = unfold.next_found(Some(id), false).expect("another");
    assert_ne!(first, second);
    let hidden = unfold.tree.nodes[second].id;
    assert!(!visible(&unfold, hidden));
    unfold.reveal(second);
    assert!(visible(&unfold, hidden));
    assert_eq!(unfold.next_found(Some(hidden), false), Some(first));
    assert_eq!(unfold.next_found(Some(hidden), true), Some(first));
    found(&mut unfold, "nowhere");
    assert_eq!(unfold.next_found(None, false), None);
}

#[test]
fn each_stack_counts_once_however_many_of_its_frames_are_found() {
    let mut unfold = unfolded();
    found(&mut unfold, "leaf|hot|mid");
    assert_eq!((unfold.found.frames, unfold.found.weight), (4, 100.0));
    found(&mut unfold, "^(cold|tip)$");
    assert_eq!((unfold.found.frames, unfold.found.weight), (2, 40.0));
}

#[test]
fn a_zoom_shows_only_what_is_below_and_is_left_step_by_step() {
    let mut unfold = unfolded();
    let node = |unfold: &TreeState, row: usize| unfold.rows[row].node;
    let (mid, hot) = (node(&unfold, 2), node(&unfold, 3));
    assert!(unfold.zoom_in(mid) && !unfold.zoom_in(mid));
    assert!(unfold.zoom_in(hot));
    assert_eq!(shown(&unfold), ["▾ hot", "├─  leaf", "└─  tip"]);
    found(&mut unfold, "cold");
    assert_eq!(unfold.next_found(None, false), None, "it is outside");
    let other: Arc<[Stack]> = vec![stack("f", 1, "a", 5.0, &["x", "mid", "entry"])].into();
    refresh(&mut unfold, &other, None, "");
    assert_eq!(
        shown(&unfold),
        ["  mid", "  x"],
        "the nearest root there is"
    );
    assert!(unfold.zoom_out().is_some() && unfold.zoom_out().is_some());
    assert_eq!(unfold.zoom_out(), None);
    assert_eq!(unfold.rows.len(), 4);
}

#[test]
fn a_mark_is_compared_per_second_of_its_profile() {
    let profile: Arc<[Stack]> = vec![stack("f", 1, "a", 60.0, &["leaf"])].into();
    let mut mark = empty();
    mark.profile = vec![stack("f", 1, "a", 60.0, &["leaf"])].into();
    mark.profile_s = 20.0;
    mark.cpu_profile_s = 20.0;
    let mut unfold = TreeState::default();
    refresh(&mut unfold, &profile, Some(&mark), "");
    assert!(unfold.compares());
    assert!((unfold.tree.then() - 30.0).abs() < 1e-9);
    mark.profile = Arc::from([]);
    refresh(&mut unfold, &profile, Some(&mark), "");
    assert!(!unfold.compares());
}
