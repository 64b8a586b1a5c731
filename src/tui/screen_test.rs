//! Every view at every size, from snapshots made by hand.

use std::sync::Arc;

use super::*;
use crate::tui::input::key::parse_keys;
use crate::tui::state::Options;
use crate::tui::text::width;
use crate::tui::{figure, fixture};

const SIZES: [(u16, u16); 10] = [
    (0, 0),
    (1, 1),
    (10, 3),
    (40, 10),
    (60, 15),
    (80, 24),
    (120, 40),
    (250, 70),
    (300, 100),
    (20, 100),
];

fn drawn(snapshot: Snapshot, keys: &str, (w, h): (u16, u16), ascii: bool) -> Buffer {
    let mut ui = UiState::new(Options {
        ascii,
        ..Options::default()
    });
    ui.want.pids.clone_from(&snapshot.filter.pids);
    ui.resize(w, h);
    ui.snapshot(Arc::new(snapshot));
    for key in parse_keys(keys).expect("valid keys") {
        ui.key(key);
    }
    let area = Rect::new(0, 0, w, h);
    let mut buf = Buffer::empty(area);
    render(&ui, area, &mut buf);
    buf
}

pub fn frame(snapshot: Snapshot, keys: &str, size: (u16, u16)) -> String {
    frame_text(&drawn(snapshot, keys, size, false))
}

fn snapshots() -> [Snapshot; 4] {
    [
        fixture::empty(),
        fixture::busy(),
        fixture::lossy(),
        fixture::cpu_time(),
    ]
}

/// Keys that bring every view and every overlay to the screen.
const PLACES: &str = "|2|3|3<enter>jj|4|5|jj<enter>jjjj|5/udp<enter>n|?|?<end>|p|pn<down>|/xmit| |5f|jj<enter>fjj|d5|d5fjz|5i/rcv<enter>R|4sc";

#[test]
fn nothing_panics_or_leaves_its_place_at_any_size() {
    for snapshot in snapshots() {
        for keys in PLACES.split('|') {
            for size in SIZES {
                let text = frame(snapshot.clone(), keys, size);
                assert_eq!(text.lines().count(), usize::from(size.1), "{keys} {size:?}");
                for line in text.lines() {
                    assert!(
                        width(line) <= usize::from(size.0),
                        "{keys} {size:?}: {line}"
                    );
                }
            }
        }
    }
}

#[test]
fn the_smallest_screens_have_something_to_say_and_each_size_in_between_works() {
    for w in 0..90 {
        for h in 0..30 {
            let text = frame(fixture::lossy(), "", (w, h));
            assert_eq!(text.trim().is_empty(), w == 0 || h == 0, "{w}x{h}");
        }
    }
}

#[test]
fn at_80_by_24_no_word_of_the_frame_is_cut() {
    for keys in ["", "2", "3", "3<enter>j", "4", "jj<enter>", "5", "?", "p"] {
        let text = frame(fixture::busy(), keys, (80, 24));
        assert!(!text.contains('…'), "{keys}\n{text}");
    }
}

#[test]
fn the_first_screen_says_loss_heat_traffic_then_every_function() {
    let text = frame(fixture::busy(), "", (80, 24));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[..6],
        [
            "edge-12 6.18.0 4cpu LIVE 1s perf+proc  cost cpu1 0.9% all 0.3% lost 0  15:45:01Z",
            "LOSS none",
            "HOT  cpu1 62% softirq · 71% of RX · next cpu0 12%",
            "NET  rx 71.4G 6.90Mpps · tx 3.10G 900.0kpps · 2.29/4 cores · 289 ns/pkt ±5%",
            "[1 Path] 2 CPUs 3 Devs 4 Procs 5 Stacks 6 Drops 7 Lat 8 Advice 9 TCP        1/13",
            " FUNCTION             RATE/s 60s        PKT/HIT  CPU% SELF% NS/PKT  ±% SOURCE",
        ]
    );
    for f in &fixture::busy().functions {
        assert!(text.contains(&*f.name), "{} is missing\n{text}", f.name);
    }
    assert!(text.contains("kfree_skb drops"));
}

#[test]
fn a_filter_of_many_processes_still_says_what_it_means_at_80_columns() {
    let mut snapshot = fixture::busy();
    snapshot.filter.pids = vec![27331, 27334, 27400, 27401];
    snapshot.filter.by = Some("context");
    let text = frame(snapshot, "", (80, 24));
    let only = text
        .lines()
        .find(|line| line.starts_with("ONLY "))
        .expect("the filter's line");
    assert!(
        only.contains("27334") && only.contains("and 2 more"),
        "{only}"
    );
    assert!(only.contains("by context"), "{only}");
}

#[test]
fn trouble_is_said_in_words_and_not_in_colour_alone() {
    let text = frame(fixture::lossy(), "", (80, 24));
    for words in [
        "OVER 5%",
        "lost 412",
        "LOSS 1.8k/s ring ens1f0 (rx_missed_errors)  since 15:44:21Z",
        "sudo setcap",
        "/usr/local/bin/netop",
        "process 9127(flood) has ended",
        "by context: counts what ran in its context",
        "≈431.2k",
        "governor: stacks off",
    ] {
        assert!(text.contains(words), "{words} is missing\n{text}");
    }
    let shed = frame(fixture::lossy(), "jjjjj", (80, 24));
    assert!(shed.contains("not counted: shed by the governor"), "{shed}");
    assert!(
        shed.lines()
            .any(|line| line.starts_with("▶napi_poll") && line.contains(" – "))
    );
}

#[test]
fn what_is_not_known_is_a_dash() {
    let text = frame(fixture::empty(), "", (80, 24));
    assert!(text.contains("LOSS –") && text.contains("HOT  –") && text.contains("cost –"));
    assert!(!text.contains("LOSS none") && !text.contains("NaN"));
    let area = Rect::new(0, 0, 80, 24);
    let mut buf = Buffer::empty(area);
    render(&UiState::new(Options::default()), area, &mut buf);
    let text = frame_text(&buf);
    assert!(text.contains("first interval") && text.contains("q quit"));
}

#[test]
fn names_of_strangers_cannot_reach_the_terminal_raw() {
    let evil = "\x1b]0;own\x07\u{202e}x\r\n\u{9b}31m";
    let mut s = fixture::lossy();
    s.host.hostname = evil.into();
    s.summary.loss_where = Some(evil.into());
    s.summary.hot_cause = Some(evil.into());
    s.health.banner = Some(evil.into());
    s.health.notes = vec![evil.into()];
    s.filter.device = Some(evil.into());
    s.functions[0].name = evil.into();
    s.functions[0].doc = evil.into();
    s.functions[0].label = evil.into();
    s.processes[0].comm = evil.into();
    s.processes[0].container = Some(evil.into());
    s.profile = vec![fixture::stack(evil, 1, evil, 9.0, &[evil, "ok"])].into();
    s.candidates = vec![(1, evil.into())].into();
    for keys in PLACES.split('|') {
        for size in [(80, 24), (250, 70)] {
            let buf = drawn(s.clone(), keys, size, false);
            for cell in buf.content() {
                let raw = |c: char| c.is_control() || c == '\u{202e}';
                assert!(!cell.symbol().contains(raw), "{keys}: {cell:?}");
            }
        }
    }
}

#[test]
fn ascii_means_ascii_in_every_view() {
    let mut s = fixture::lossy();
    s.processes[0].comm = "日本語é".into();
    for keys in PLACES.split('|') {
        let text = frame_text(&drawn(s.clone(), keys, (120, 40), true));
        assert!(text.is_ascii(), "{keys}\n{text}");
    }
    let plain = drawn(fixture::busy(), "", (80, 24), true);
    assert!(frame_text(&plain).contains(">net_rx_action"));
}

#[test]
fn every_sign_that_is_drawn_has_a_plain_one() {
    // Keys have longer names where there is no Unicode.
    let keys_only = ['␣', '⏎'];
    for snapshot in snapshots() {
        for keys in PLACES.split('|') {
            let text = frame(snapshot.clone(), keys, (120, 40));
            for sign in text.chars().filter(|c| !keys_only.contains(c) && *c != '?') {
                assert!(
                    sign == '\n' || theme::ascii(sign) != '?',
                    "{sign} in {keys}"
                );
            }
        }
    }
}

#[test]
fn a_process_with_a_wide_name_does_not_push_its_figures_aside() {
    let mut s = fixture::busy();
    s.processes[0].comm = "日本語日本語日本語日本語日本語日本語日本語".into();
    let text = frame(s, "4", (80, 24));
    let ends: Vec<usize> = text.lines().skip(6).take(3).map(width).collect();
    assert!(ends.windows(2).all(|pair| pair[0] == pair[1]), "{text}");
}

#[test]
fn a_filter_a_text_and_a_pause_are_always_visible() {
    let text = frame(fixture::lossy(), "/xmit<enter> ", (80, 24));
    assert!(
        text.contains("ONLY") && text.contains("text 'xmit'"),
        "{text}"
    );
    assert!(text.contains("PAUSED"), "{text}");
    assert!(!text.contains("napi_gro_receive"), "{text}");
}

#[test]
fn a_wide_screen_brings_more_columns_and_the_longest_sparkline() {
    let text = frame(fixture::busy(), "", (250, 70));
    for title in ["CALLS", "CPUS", "EVENT"] {
        assert!(text.contains(title));
    }
    let row = text.lines().nth(6).expect("the first function");
    let cells = row.chars().filter(|c| ('▁'..='▇').contains(c)).count();
    assert_eq!(cells, 60);
}

#[test]
fn an_empty_table_says_why_at_every_size() {
    for (keys, words) in [
        ("/zzz<enter>", ["No", "function", "text"]),
        ("2/zzz<enter>", ["No", "CPU", "text"]),
        ("4/zzz<enter>", ["No", "process", "text"]),
    ] {
        for size in [(20, 6), (40, 10), (80, 24), (120, 40), (250, 70)] {
            let text = frame(fixture::busy(), keys, size);
            for word in words {
                assert!(text.contains(word), "{word} {size:?}\n{text}");
            }
            let filter = text.lines().find(|line| line.starts_with("ONLY"));
            let esc = filter.is_some_and(|line| line.contains("Esc clears"));
            assert!(esc || size.0 < 40, "{size:?}\n{text}");
        }
    }
}

#[test]
fn the_command_of_the_banner_is_whole_or_not_there() {
    let command: Vec<&str> = "sudo setcap cap_perfmon,cap_dac_read_search+ep /usr/local/bin/netop"
        .split(' ')
        .collect();
    for w in (20..130).step_by(3) {
        for h in [10, 15, 24, 40] {
            let text = frame(fixture::lossy(), "", (w, h));
            let words: Vec<&str> = text.split_whitespace().collect();
            let whole = words.windows(command.len()).any(|some| some == command);
            assert!(whole || !text.contains("setcap"), "{w}x{h}\n{text}");
            assert!(whole || w < 80 || h < 24, "{w}x{h}\n{text}");
        }
    }
}

#[test]
fn the_help_is_never_cut_and_its_last_page_promises_no_more() {
    for size in [(80, 24), (40, 10), (30, 12)] {
        let mut text = String::new();
        for page in 0..60 {
            let keys = format!("?{}", "<pgdn>".repeat(page));
            text.push_str(&frame(fixture::busy(), &keys, size));
        }
        assert!(!text.contains('…'), "{size:?}\n{text}");
        let last = frame(fixture::busy(), "?<end>", size);
        assert!(
            !last.contains("for more") && last.contains("saves to"),
            "{last}"
        );
    }
}

#[test]
fn an_error_stands_above_the_line_that_is_still_being_typed() {
    let text = frame(fixture::busy(), "pnosuch<enter>", (80, 24));
    let mut lines = text.lines().rev();
    assert!(lines.next().is_some_and(|line| line.contains("nosuch")));
    let error = "error: no process is called 'nosuch'";
    assert_eq!(lines.next(), Some(error));
}

#[test]
fn the_footer_names_what_a_key_does_now() {
    let foot = |keys| {
        let text = frame(fixture::busy(), keys, (80, 24));
        text.lines().last().map(str::to_owned).unwrap_or_default()
    };
    assert!(foot("").contains("␣ pause") && foot("").contains("! detach all"));
    assert!(foot(" ").contains("␣ resume") && foot(" ").contains("← → step"));
    assert!(foot("5 ").contains("[ ] step"));
    assert!(foot("!").contains("! attach"));
}

#[test]
fn a_quiet_host_has_no_hot_cpu() {
    let mut s = fixture::busy();
    s.summary.hot_softirq_pct = Some(0.3);
    let text = frame(s, "", (80, 24));
    assert!(
        text.contains("HOT  none: no CPU above 1% softirq"),
        "{text}"
    );
}

#[test]
fn a_small_screen_gives_its_lines_to_the_rows() {
    let text = frame(fixture::busy(), "", (40, 10));
    let rows = fixture::busy().functions;
    let shown = rows.iter().filter(|f| text.contains(&*f.name)).count();
    assert!(shown >= 5 && text.contains("HOT"), "{text}");
    assert!(
        !text.contains("[1 Path]") && !text.contains("NET"),
        "{text}"
    );
}

#[test]
fn the_cpus_begin_with_the_whole_host_and_explain_only_columns_that_are_there() {
    for sort in ["", ">", ">r"] {
        let text = frame(fixture::busy(), &format!("2{sort}"), (80, 40));
        assert!(
            text.lines()
                .nth(6)
                .is_some_and(|row| row.starts_with("▶all "))
        );
        assert!(!text.contains("QLEN") && text.contains("SQUEEZE runs"));
    }
    let wide = frame(fixture::busy(), "2", (120, 50));
    assert!(wide.contains("QLEN packets"), "{wide}");
    let single = frame(fixture::busy(), "2/cpu<enter>", (80, 24));
    assert!(single.contains("▶cpu0"), "{single}");
}

#[test]
fn a_reason_of_many_rows_is_said_once() {
    let mut s = fixture::busy();
    let why = "kernel profiling is not allowed for this user";
    for f in &mut s.functions[1..6] {
        f.calls = None;
        f.reason = Some(why.into());
        s.health.notes.push(format!("{}: {why}", f.name));
    }
    let text = frame(s.clone(), "j", (120, 40));
    assert_eq!(text.matches(why).count(), 1, "{text}");
    assert!(text.contains("4 other rows are not counted for the same reason"));
    let text = frame(s, "", (120, 40));
    assert!(text.contains(&format!("napi_gro_receive and 4 more: {why}")));
}

#[test]
fn netop_names_itself_and_the_nameless() {
    let mut s = fixture::busy();
    s.processes[0].comm = "netop".into();
    s.processes[1].comm = figure::NONE.into();
    let text = frame(s, "4", (80, 24));
    assert!(text.contains("netop (itself)") && text.contains("unnamed"));
}
