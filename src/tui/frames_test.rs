//! Golden frames of view 5 with CPU samples made by hand: keys in, frames out, compared with
//! tests/golden. `UPDATE_GOLDEN=1 cargo test --lib frames_test` writes them anew.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::fixture::{cpu_time, cpu_time_before};
use super::input::key::parse_keys;
use super::screen::{frame_text, render};
use super::state::{Options, UiState};
use super::theme::THEMES;

fn drawn(keys: &str, (w, h): (u16, u16), options: Options) -> Buffer {
    let mut ui = UiState::new(options);
    ui.resize(w, h);
    ui.snapshot(Arc::new(cpu_time_before()));
    for part in keys.split_inclusive('d') {
        for key in parse_keys(part).expect("valid keys") {
            ui.key(key);
        }
        ui.snapshot(Arc::new(cpu_time()));
    }
    let area = Rect::new(0, 0, w, h);
    let mut buf = Buffer::empty(area);
    render(&ui, area, &mut buf);
    buf
}

fn check(name: &str, keys: &[&str]) {
    let mut now = String::new();
    for keys in keys {
        for size in [(80, 24), (120, 40)] {
            let frame = frame_text(&drawn(keys, size, Options::default()));
            let _ = writeln!(now, "$ {keys} {}x{}\n{frame}", size.0, size.1);
        }
    }
    compare(name, &now);
}

fn compare(name: &str, now: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let path = folder.join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, now).expect("tests/golden can be written");
        return;
    }
    let then = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(now == then, "{name}:\n── then ──\n{then}\n── now ──\n{now}");
}

#[test]
fn cpu_tree() {
    check("cpu_tree", &["5jjj", "5*G", "5/qdisc|_rcv$<enter>", "4s"]);
}

#[test]
fn cpu_flame() {
    check(
        "cpu_flame",
        &["5f", "5fjjjl", "5fjz", "5f/tcp<enter>", "5fG"],
    );
}

#[test]
fn cpu_inverted() {
    check("cpu_inverted", &["5i", "5ifj", "5R*G"]);
}

#[test]
fn cpu_difference() {
    check("cpu_difference", &["d5jj", "d5G", "d5fjj", "d5cjj"]);
}

/// The selected box is told by its sign, so that it is seen without colours too.
#[test]
fn a_flame_graph_says_the_same_in_every_theme_and_in_ascii() {
    for keys in ["5fjjj", "5fj/tcp<enter>", "d5fj"] {
        let text = |theme: usize| {
            let options = Options {
                theme: &THEMES[theme],
                ..Options::default()
            };
            frame_text(&drawn(keys, (80, 24), options))
        };
        assert_eq!(text(0), text(2));
        assert_eq!(text(0).matches('▶').count(), 1, "{}", text(0));
        let options = Options {
            ascii: true,
            ..Options::default()
        };
        let plain = frame_text(&drawn(keys, (80, 24), options));
        assert!(plain.is_ascii() && plain.contains('|'), "{plain}");
    }
}

#[test]
fn devices() {
    check("devices", &["3", "3<right>jj", "3j", "3jj"]);
}

/// One hot CPU among many is seen without going through the list, and every CPU has a place.
#[test]
fn many_cpus() {
    let mut snapshot = super::fixture::busy();
    for cpu in 4..512 {
        let mut other = snapshot.cpus[0].clone();
        other.cpu = cpu;
        other.node = Some(cpu / 256);
        other.softirq_pct = Some(if cpu == 300 { 97.0 } else { f64::from(cpu % 5) });
        snapshot.cpus.push(other);
    }
    let mut now = String::new();
    for (w, h) in [(80, 24), (120, 40)] {
        let mut ui = UiState::new(Options::default());
        ui.resize(w, h);
        ui.snapshot(Arc::new(snapshot.clone()));
        for key in parse_keys("2").expect("valid keys") {
            ui.key(key);
        }
        let area = Rect::new(0, 0, w, h);
        let mut buf = Buffer::empty(area);
        render(&ui, area, &mut buf);
        let _ = writeln!(now, "$ 2 {w}x{h}\n{}", frame_text(&buf));
    }
    compare("many_cpus", &now);
}
