//! Keys in, state and effects out.

use std::sync::Arc;

use super::*;
use crate::model::{Snapshot, Want};
use crate::tui::fixture;
use crate::tui::input::key::parse_keys;
use crate::tui::state::Options;
use crate::tui::state::grouping::Grouping;

fn started() -> UiState {
    let mut ui = UiState::new(Options::default());
    ui.snapshot(Arc::new(fixture::busy()));
    ui
}

fn press(ui: &mut UiState, script: &str) -> Vec<Effect> {
    let keys = parse_keys(script).expect("valid keys");
    keys.into_iter().flat_map(|key| ui.key(key)).collect()
}

fn wanted(effects: &[Effect]) -> Vec<&Want> {
    let wants = effects.iter().filter_map(|effect| match effect {
        Effect::Want(want) => Some(want),
        _ => None,
    });
    wants.collect()
}

fn next(ui: &mut UiState, change: impl Fn(&mut Snapshot)) {
    let latest = ui.history.latest();
    let mut snapshot = latest.map_or_else(fixture::busy, |latest| (**latest).clone());
    snapshot.sequence += 1;
    snapshot.elapsed_s += 1.0;
    change(&mut snapshot);
    ui.snapshot(Arc::new(snapshot));
}

fn selected_function(ui: &UiState) -> String {
    match ui.selected() {
        Some(Row::Function(name)) => name.to_string(),
        other => panic!("{other:?}"),
    }
}

/// Without those that only say whether somebody looks at stacks: names are for them.
fn of_the_kernel(effects: Vec<Effect>) -> Vec<Effect> {
    let names = |effect: &Effect| match effect {
        Effect::Want(want) => {
            let stacks = want.stacks;
            *want
                == Want {
                    stacks,
                    ..Want::default()
                }
        }
        _ => false,
    };
    effects
        .into_iter()
        .filter(|effect| !names(effect))
        .collect()
}

#[test]
fn moving_the_cursor_sorting_and_looking_around_ask_the_kernel_for_nothing() {
    let moves = "jjjkGg<pgdn><pgup><down><up><home><end>>><lt>r152<backtab><tab>t?jj?/tcp<enter>";
    assert_eq!(of_the_kernel(press(&mut started(), moves)), []);
    let mut ui = started();
    let open = Want {
        stacks: true,
        ..Want::default()
    };
    assert_eq!(wanted(&press(&mut ui, "5")), [&open]);
    assert_eq!(
        press(&mut ui, "jjj<right><left><enter>*Gg/udp<enter>nN"),
        []
    );
    assert_eq!(ui.want(), &open);
}

#[test]
fn the_table_of_processes_asks_for_exact_counts_while_it_is_open_and_for_nothing_else() {
    let mut ui = started();
    let open = Want {
        processes: true,
        ..Want::default()
    };
    assert_eq!(wanted(&press(&mut ui, "4jjk")), [&open]);
    assert_eq!(wanted(&press(&mut ui, "1")), [&Want::default()]);
}

#[test]
fn view_9_asks_for_sockets_while_it_is_open_and_b_only_puts_them_together_otherwise() {
    let mut ui = started();
    let open = Want {
        sockets: true,
        ..Want::default()
    };
    assert_eq!(wanted(&press(&mut ui, "9bbjkB")), [&open]);
    assert_eq!(ui.grouping, Grouping::Network);
    assert_eq!(wanted(&press(&mut ui, "1")), [&Want::default()]);
}

#[test]
fn enter_on_a_socket_counts_only_its_process() {
    let mut ui = started();
    let want = press(&mut ui, "9<enter>");
    assert_eq!(
        wanted(&want).last().map(|want| want.pids.as_slice()),
        Some(&[812][..])
    );
}

#[test]
fn enter_asks_for_stacks_and_leaving_in_any_way_lets_the_row_go() {
    for leave in ["<esc>", "<bs>", "1", "<tab>", "2"] {
        let mut ui = started();
        let effects = press(&mut ui, "jj<enter>");
        assert_eq!(wanted(&effects)[0].drill.as_deref(), Some("dev_queue_xmit"));
        assert_eq!(ui.view().context(), Context::Stacks);
        let effects = press(&mut ui, leave);
        assert_eq!(wanted(&effects)[0].drill, None, "{leave}");
    }
}

#[test]
fn esc_in_stacks_clears_the_search_first_and_returns_to_the_same_row() {
    let mut ui = started();
    press(&mut ui, "jj<enter>/udp<enter><esc>");
    assert_eq!(ui.view().context(), Context::Stacks);
    press(&mut ui, "<esc>");
    assert_eq!(selected_function(&ui), "dev_queue_xmit");
}

#[test]
fn e_makes_the_row_exact_and_again_lets_it_go() {
    let mut ui = started();
    let effects = press(&mut ui, "je");
    assert!(wanted(&effects)[0].exact.contains("napi_gro_receive"));
    let effects = press(&mut ui, "e");
    assert!(wanted(&effects)[0].exact.is_empty());
}

#[test]
fn detach_works_everywhere_and_toggles() {
    for place in ["", "2", "4", "5"] {
        let mut ui = started();
        press(&mut ui, place);
        assert!(wanted(&press(&mut ui, "!"))[0].detached);
        assert!(!wanted(&press(&mut ui, "!"))[0].detached);
    }
}

#[test]
fn the_pid_prompt_lists_tasks_only_while_it_is_open() {
    let mut ui = started();
    assert!(wanted(&press(&mut ui, "p"))[0].list_tasks);
    assert!(!wanted(&press(&mut ui, "<esc>"))[0].list_tasks);
    let effects = press(&mut ui, "pngin<enter>");
    let last = wanted(&effects).pop().expect("a filter");
    assert_eq!((last.pids.as_slice(), last.list_tasks), (&[812][..], false));
    let effects = press(&mut ui, "p9127,812<enter>");
    assert_eq!(wanted(&effects).pop().expect("two").pids, [812, 9127]);
    let effects = press(&mut ui, "p<enter>");
    assert!(wanted(&effects).pop().expect("none").pids.is_empty());
}

#[test]
fn a_name_nobody_has_keeps_the_prompt_and_says_so() {
    let mut ui = started();
    press(&mut ui, "pnobody<enter>");
    assert!(ui.prompt.is_some() && ui.want().list_tasks);
    assert!(ui.message.as_ref().is_some_and(|message| message.is_error));
    press(&mut ui, "<bs>");
    assert!(ui.message.is_none());
    assert_eq!(ui.prompt.as_ref().map(Prompt::text), Some("nobod"));
}

#[test]
fn a_completion_is_chosen_with_arrows_and_tab() {
    let mut ui = started();
    let effects = press(&mut ui, "p<down><down><enter>");
    assert_eq!(wanted(&effects).pop().expect("chosen").pids, [812]);
    press(&mut ui, "pflo<tab>");
    assert_eq!(ui.prompt.as_ref().map(Prompt::text), Some("9127"));
}

#[test]
fn enter_on_a_process_is_a_pid_filter_and_esc_ends_it() {
    let mut ui = started();
    let effects = press(&mut ui, "4j<enter>");
    assert_eq!(wanted(&effects).pop().expect("picked").pids, [812]);
    let said = |ui: &mut UiState| ui.message.take().map_or(String::new(), |said| said.text);
    assert_eq!(said(&mut ui), "counting only nginx(812); totals restart");
    assert!(wanted(&press(&mut ui, "<esc>"))[0].pids.is_empty());
    assert_eq!(
        said(&mut ui),
        "counting all processes again; totals restart"
    );
}

#[test]
fn the_idle_task_is_refused_with_the_reason() {
    let mut ui = started();
    next(&mut ui, |s| s.processes[0].pid = 0);
    press(&mut ui, "4");
    assert_eq!(press(&mut ui, "g<enter>"), []);
    let message = ui.message.take().expect("a reason");
    assert!(message.is_error && message.text.contains("cannot be counted alone"));
}

#[test]
fn keys_typed_into_a_prompt_are_text_and_ctrl_c_still_quits() {
    let mut ui = started();
    assert_eq!(press(&mut ui, "/q!w"), []);
    assert_eq!(ui.pane().text, "q!w");
    ui.paste("\x1b[2J");
    assert_eq!(ui.pane().text, "q!w[2J");
    assert_eq!(press(&mut ui, "<c-c>"), [Effect::Quit]);
    press(&mut ui, "<esc>");
    assert_eq!(ui.pane().text, "", "Esc brings back what was there");
    assert_eq!(press(&mut ui, "q"), [Effect::Quit]);
    assert_eq!(
        press(&mut ui, "<c-z><c-l>"),
        [Effect::Suspend, Effect::Redraw]
    );
}

#[test]
fn a_pause_holds_the_snapshot_and_all_but_time_goes_on() {
    let mut ui = started();
    let frozen = ui.shown().expect("one").clone();
    press(&mut ui, " ");
    next(&mut ui, |s| s.functions.clear());
    assert!(Arc::ptr_eq(ui.shown().expect("frozen"), &frozen));
    press(&mut ui, "jj");
    assert_eq!(selected_function(&ui), "dev_queue_xmit");
    assert_eq!(press(&mut ui, "w"), [Effect::SaveSnapshot]);
    assert!(Arc::ptr_eq(ui.shown().expect("what w saves"), &frozen));
    press(&mut ui, "<right>");
    assert_eq!(ui.shown().map(|s| s.sequence), Some(61));
    press(&mut ui, "<left>");
    assert!(Arc::ptr_eq(ui.shown().expect("back"), &frozen));
    press(&mut ui, " ");
    assert!(!ui.paused());
    assert_eq!(ui.shown().map(|s| s.sequence), Some(61));
}

#[test]
fn stepping_through_time_needs_a_pause_and_says_where_it_ends() {
    let mut ui = started();
    let said = |ui: &mut UiState| ui.message.take().map(|message| message.text);
    press(&mut ui, "<left>");
    assert!(said(&mut ui).is_some_and(|text| text.contains("Space")));
    press(&mut ui, " <left>");
    assert!(said(&mut ui).is_some_and(|text| text.contains("older")));
}

#[test]
fn the_selection_is_a_row_and_not_a_place() {
    let mut ui = started();
    press(&mut ui, "jj");
    next(&mut ui, |s| s.functions.reverse());
    assert_eq!(selected_function(&ui), "dev_queue_xmit");
    press(&mut ui, ">>");
    assert_eq!(selected_function(&ui), "dev_queue_xmit");
    press(&mut ui, "4j");
    next(&mut ui, |s| s.processes.rotate_left(1));
    assert_eq!(ui.selected(), Some(Row::Process(812)));
}

#[test]
fn the_row_under_the_finger_is_the_one_that_was_seen_even_untouched() {
    let mut ui = started();
    press(&mut ui, "4");
    next(&mut ui, |s| s.processes.rotate_left(1));
    let effects = press(&mut ui, "<enter>");
    assert_eq!(wanted(&effects)[0].pids, [9127]);
}

#[test]
fn a_frame_stays_selected_while_weights_change() {
    let mut ui = started();
    press(&mut ui, "jj<enter>/sendmsg<enter>");
    let before = ui.selected().expect("found");
    next(&mut ui, |s| {
        let mut profile = s.profile.to_vec();
        profile[1].weight *= 100.0;
        s.profile = profile.into();
    });
    assert_eq!(ui.selected(), Some(before));
}

#[test]
fn the_tree_is_built_once_per_snapshot() {
    let mut ui = started();
    press(&mut ui, "5");
    let built = ui.tree_state.tree.nodes.as_ptr();
    press(&mut ui, "jjkGgt?<esc>");
    assert_eq!(ui.tree_state.tree.nodes.as_ptr(), built);
}

#[test]
fn intervals_go_up_and_down_and_stop_at_the_ends() {
    let mut ui = started();
    press(&mut ui, "+");
    assert_eq!(ui.want().interval, Duration::from_secs(2));
    press(&mut ui, "++++++++++");
    assert_eq!(ui.want().interval, Duration::from_secs(60));
    press(&mut ui, "--------------");
    assert_eq!(ui.want().interval, Duration::from_millis(250));
    assert_eq!(press(&mut ui, "-"), []);
}

#[test]
fn a_message_lives_until_a_key_or_five_snapshots() {
    let mut ui = started();
    ui.message("saved /tmp/\x1bx", false);
    let text = ui.message.as_ref().map(|message| message.text.as_str());
    assert_eq!(text, Some("saved /tmp/\u{fffd}x"));
    (0..4).for_each(|_| next(&mut ui, |_| ()));
    assert!(ui.message.is_some());
    next(&mut ui, |_| ());
    assert!(ui.message.is_none());
    ui.message("again", true);
    press(&mut ui, "j");
    assert!(ui.message.is_none());
}

#[test]
fn digits_without_a_view_say_so_and_nothing_is_saved_before_the_first_snapshot() {
    let mut ui = started();
    assert_eq!(press(&mut ui, "0"), []);
    assert!(ui.message.is_none());
    assert_eq!(press(&mut ui, "?3?"), []);
    assert!(ui.message.is_none());
    assert_eq!(ui.view().context(), Context::Path);
    let mut blank = UiState::new(Options::default());
    let effects = press(&mut blank, "jk<enter>5G<enter>w");
    assert_eq!(of_the_kernel(effects), []);
    assert!(blank.message.is_some_and(|message| message.is_error));
}

#[test]
fn d_marks_what_is_shown_and_again_forgets_it() {
    let mut ui = started();
    let shown = ui.shown().expect("one").clone();
    assert_eq!(press(&mut ui, "d"), []);
    next(&mut ui, |_| ());
    assert!(Arc::ptr_eq(ui.mark.as_ref().expect("marked"), &shown));
    press(&mut ui, "4d");
    assert!(ui.mark.is_none());
}

#[test]
fn of_a_recording_the_whole_is_shown_behind_its_intervals_and_keys_for_a_live_host_say_why_not() {
    let mut ui = UiState::new(Options {
        recording: Some("perf.data".to_owned()),
        ..Options::default()
    });
    let mut interval = fixture::busy();
    interval.host.source = "replay";
    for sequence in 1..=3 {
        interval.sequence = sequence;
        interval.elapsed_s = sequence as f64;
        ui.snapshot(Arc::new(interval.clone()));
    }
    let state = |ui: &UiState| ui.place_in_recording(ui.shown().expect("one"));
    assert_eq!(state(&ui).as_deref(), Some("READING 3s"));
    let mut whole = interval.clone();
    whole.functions[0].history.clear();
    whole.sequence = 1;
    ui.whole(whole);
    ui.recording_is_read();
    assert_eq!(state(&ui).as_deref(), Some("REPLAY whole 3s"));
    let bars = |snapshot: &Snapshot| snapshot.functions[0].history.clone();
    assert_eq!(bars(ui.shown().expect("the whole")), bars(&interval));
    press(&mut ui, "<left>");
    assert_eq!(state(&ui).as_deref(), Some("REPLAY 3/3 at 3s"));
    press(&mut ui, "<left>");
    assert_eq!(state(&ui).as_deref(), Some("REPLAY 2/3 at 2s"));
    for (key, why) in [
        ("p", "-p PID"),
        ("+", "-d SECS"),
        ("e", "exact"),
        ("!", "attached"),
    ] {
        assert_eq!(press(&mut ui, key), [], "{key}");
        let said = ui.message.take().expect(key).text;
        assert!(said.contains(why), "{key}: {said}");
    }
    assert!(ui.prompt.is_none());
    press(&mut ui, " ");
    assert_eq!(state(&ui).as_deref(), Some("REPLAY whole 3s"));
}
