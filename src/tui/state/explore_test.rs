//! Keys of view 5 in, what is looked at out.

use std::sync::Arc;

use super::*;
use crate::model::Snapshot;
use crate::tui::fixture::{busy, cpu_time};
use crate::tui::input::action::Effect;
use crate::tui::input::key::parse_keys;
use crate::tui::state::Options;

fn started() -> UiState {
    let mut ui = UiState::new(Options::default());
    ui.snapshot(Arc::new(cpu_time()));
    ui
}

fn press(ui: &mut UiState, script: &str) -> Vec<Effect> {
    let keys = parse_keys(script).expect("valid keys");
    keys.into_iter().flat_map(|key| ui.key(key)).collect()
}

fn next(ui: &mut UiState, change: impl Fn(&mut Snapshot)) {
    let mut snapshot = cpu_time();
    snapshot.sequence += 1;
    change(&mut snapshot);
    ui.snapshot(Arc::new(snapshot));
}

fn here(ui: &UiState) -> String {
    let node = ui.frame().expect("a frame");
    ui.tree_state.tree.nodes[node].name.to_string()
}

fn names(ui: &UiState) -> Vec<String> {
    let rows = ui.tree_state.rows.iter();
    let name = |row: &crate::tui::stacks::tree_state::Visible| {
        ui.tree_state.tree.nodes[row.node].name.to_string()
    };
    rows.map(name).collect()
}

#[test]
fn the_view_begins_with_cpu_time_and_c_changes_to_hits_and_back() {
    let mut ui = started();
    press(&mut ui, "5");
    assert_eq!(
        (ui.tree_state.source(), here(&ui)),
        (Source::Cpu, "cpu".into())
    );
    press(&mut ui, "c");
    assert_eq!(ui.tree_state.source(), Source::Hits);
    assert_eq!(here(&ui), "dev_queue_xmit");
    press(&mut ui, "c");
    assert_eq!(ui.tree_state.source(), Source::Cpu);
    press(&mut ui, "c15");
    assert_eq!(ui.tree_state.source(), Source::Cpu, "a new visit");
    let mut hits = UiState::new(Options::default());
    hits.snapshot(Arc::new(busy()));
    press(&mut hits, "5");
    assert_eq!(
        hits.tree_state.source(),
        Source::Hits,
        "nothing else is there"
    );
}

#[test]
fn a_drilled_function_shows_its_hits_and_then_its_cpu_time() {
    let mut ui = started();
    next(&mut ui, |s| {
        s.functions[2].symbols = ["__dev_queue_xmit".into()].into();
    });
    press(&mut ui, "jj<enter>");
    assert_eq!(ui.tree_state.source(), Source::Hits);
    assert_eq!(press(&mut ui, "c"), [], "the kernel is asked for no more");
    let names = names(&ui);
    assert!(names.contains(&"process flood".into()), "{names:?}");
    assert!(!names.contains(&"softirq".into()), "what it interrupted");
    assert_eq!(ui.want().drill.as_deref(), Some("dev_queue_xmit"));
}

#[test]
fn s_on_a_process_shows_its_cpu_time_and_esc_returns_to_it() {
    let mut ui = started();
    press(&mut ui, "4j");
    press(&mut ui, "s");
    assert!(ui.want().pids.is_empty(), "the kernel is asked for no more");
    assert_eq!(ui.stack_query.focus, Focus::Process(812));
    let pids = ui.tree_state.tree.processes(ui.tree_state.tree.tops[0]);
    assert_eq!(pids.len(), 1);
    press(&mut ui, "<esc>");
    assert_eq!(ui.selected(), Some(Row::Process(812)));
    ui.look_at(Focus::Stage("tcp".into()));
    ui.settle();
    assert!((ui.tree_state.tree.weight() - 900e6).abs() < 1.0);
}

#[test]
fn the_flame_graph_is_walked_by_arrows_and_letters_and_h_is_no_help_there() {
    let mut ui = started();
    press(&mut ui, "5fj");
    assert_eq!(here(&ui), "process flood");
    press(&mut ui, "l");
    assert_eq!(here(&ui), "softirq");
    press(&mut ui, "<left>");
    assert_eq!(here(&ui), "process flood");
    press(&mut ui, "hhh");
    assert_eq!((here(&ui), ui.help), ("process flood".into(), None));
    press(&mut ui, "kkk");
    assert_eq!(here(&ui), "cpu");
    press(&mut ui, "G");
    assert_eq!(here(&ui), "__dev_queue_xmit", "down the hottest way");
    press(&mut ui, "g");
    assert_eq!(here(&ui), "cpu");
    press(&mut ui, "?");
    assert!(ui.help.is_some());
}

#[test]
fn enter_zooms_into_a_box_and_esc_comes_back_step_by_step() {
    let mut ui = started();
    press(&mut ui, "5fj<enter>jjz");
    assert_eq!(ui.tree_state.zoom.len(), 2);
    let root = here(&ui);
    press(&mut ui, "jkkk");
    assert_eq!(here(&ui), root, "nothing is above the root");
    press(&mut ui, "<enter>");
    assert!(ui.message.is_some(), "the root already");
    press(&mut ui, "<esc>");
    assert_eq!(ui.tree_state.zoom.len(), 1);
    press(&mut ui, "<bs>");
    assert_eq!(
        (ui.tree_state.zoom.len(), here(&ui)),
        (0, "process flood".into())
    );
    press(&mut ui, "<esc>");
    assert_eq!(ui.view().context(), Context::Path);
}

#[test]
fn z_works_in_the_tree_and_new_snapshots_keep_root_and_cursor() {
    for keys in ["5jzj", "5fjzj", "5ijzj"] {
        let mut ui = started();
        press(&mut ui, keys);
        let (zoomed, selected) = (ui.tree_state.zoomed(), here(&ui));
        assert!(zoomed.is_some());
        next(&mut ui, |s| {
            let mut stacks = s.cpu_profile.to_vec();
            stacks.reverse();
            stacks[5].weight *= 9.0;
            s.cpu_profile = stacks.into();
        });
        let root = ui.tree_state.zoomed().expect("still zoomed");
        assert_eq!(ui.tree_state.tree.nodes[root].id, ui.tree_state.zoom[0]);
        assert_eq!(here(&ui), selected, "{keys}");
    }
}

#[test]
fn i_turns_the_tree_and_r_unfolds_recursion() {
    let mut ui = started();
    press(&mut ui, "5*");
    let count = |ui: &UiState, name: &str| names(ui).iter().filter(|n| *n == name).count();
    assert_eq!(count(&ui, "__qdisc_run"), 1);
    press(&mut ui, "R*");
    assert_eq!(count(&ui, "__qdisc_run"), 3);
    press(&mut ui, "Ri");
    let first = &ui.tree_state.tree.nodes[ui.tree_state.tree.tops[0]];
    assert_eq!(
        &*ui.tree_state.tree.nodes[first.children[0]].name,
        "__dev_queue_xmit"
    );
}

#[test]
fn a_search_goes_from_match_to_match_in_both_shapes() {
    for keys in ["5/^tcp_.*(rcv|msg)$<enter>", "5f/^tcp_.*(rcv|msg)$<enter>"] {
        let mut ui = started();
        press(&mut ui, keys);
        let mut seen = vec![here(&ui)];
        for _ in 0..3 {
            press(&mut ui, "n");
            seen.push(here(&ui));
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen, ["tcp_recvmsg", "tcp_v4_rcv"], "{keys}");
    }
    let mut ui = started();
    press(&mut ui, "5/libc.so(<enter>");
    let said = ui.message.take().expect("nothing is called so");
    assert!(said.is_error && said.text.contains("no valid pattern"));
}

#[test]
fn s_goes_from_stage_to_stage_and_round_to_all() {
    let mut ui = started();
    press(&mut ui, "2s");
    assert_eq!(
        ui.stack_query.focus,
        Focus::Stage("driver".into()),
        "the heaviest"
    );
    press(&mut ui, "s");
    assert_eq!(ui.stack_query.focus, Focus::Stage("copy".into()));
    press(&mut ui, "SS");
    assert_eq!(ui.stack_query.focus, Focus::All);
    press(&mut ui, "sss");
    assert_eq!(ui.stack_query.focus, Focus::Stage("gro".into()));
    press(&mut ui, "s");
    assert_eq!(ui.stack_query.focus, Focus::Stage("tcp".into()));
    assert!(names(&ui).iter().any(|name| name == "tcp_v4_rcv"));
    press(&mut ui, "<esc>");
    assert_eq!(ui.view().context(), Context::Cpus);
    let mut without = UiState::new(Options::default());
    let mut snapshot = cpu_time();
    snapshot.stages.clear();
    without.snapshot(Arc::new(snapshot));
    press(&mut without, "5s");
    assert_eq!(without.stack_query.focus, Focus::All);
}
