//! Golden frames: keys in, frames out, through the real program on the made-up machine.
//! `UPDATE_GOLDEN=1 cargo test --test golden` writes them anew; read the difference before it is
//! committed.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use netop::cli::{Cli, Command as Typed};
use netop::engine::{Engine, Progress};
use netop::model::{KernelFunction, Name, Names, StageId};
use netop::source::demo::{self, Demo, Pace};
use netop::tui::{THEMES, UiState, parse_keys, render};
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};

const SIZES: [&str; 3] = ["80x24", "120x40", "40x10"];

/// One test per line: the golden file's name, the keys, further flags.
macro_rules! frames {
    ($($name:ident: $keys:literal $($flag:literal)*;)*) => {
        const FRAMES: &[&str] = &[$(stringify!($name)),*];
        $(
            #[test]
            fn $name() {
                check(stringify!($name), &frames($keys, &[$($flag),*]));
            }
        )*
    };
}

frames! {
    view_1_path: "";
    view_2_cpus: "2";
    view_2_second_cpu_selected: "2jj";
    view_3_devices: "3";
    view_3_queues: "3<enter>jj";
    view_4_procs: "4";
    view_5_stacks: "5";
    view_5_flame: "5f";
    view_6_drops: "6";
    view_6_second_loss_selected: "6j";
    view_7_latency: "7++";
    view_7_reader_selected: "7jjjj++";
    ascii_latency: "7jjjj++" "--ascii";
    stacks_of_a_loss: "6<enter>";
    view_9_tcp: "9jj";
    view_9_networks: "9b";
    view_9_listening: "9B";
    view_9_filtered: "9/nginx<enter>";
    flame_of_a_function: "jj<enter>fjj";
    flame_zoomed_and_searched: "jj<enter>fjjz/tcp<enter>";
    a_difference_in_stacks: "djj<enter>*";
    a_difference_in_path: "djjjjjjjjjjjj";
    a_difference_in_cpus: "2djjjkkkjjjkkk";
    a_difference_in_procs: "4djjjkkkjjjkkk";
    a_moved_selection: "jjjjj";
    drilled_down_on_dev_queue_xmit: "jj<enter>";
    drilled_down_and_opened: "jj<enter>*jjjjjjjj";
    a_search_in_stacks: "jj<enter>/tcp<enter>n";
    a_search_without_a_match: "5/zzz<enter>";
    a_text_filter: "/skb<enter>";
    a_text_filter_without_a_match: "/zzz<enter>";
    a_pid_filter: "p9127<enter>";
    a_process_picked: "4jj<enter>";
    the_pid_prompt_with_completions: "pk";
    the_prompt_of_probes: "<c-p>queue<down>";
    an_unknown_process: "pnosuch<enter>";
    paused_and_two_steps_back: "<space><left><left>";
    help: "?";
    the_end_of_help: "?<end>";
    sorted_by_rate: ">>";
    sorted_by_rate_reversed: ">>r";
    a_row_made_exact: "je";
    a_module: "" "--module" "ice";
    a_function_of_a_module: "jj<enter>*" "--module" "ice";
    stacks_of_a_module: "5*" "--module" "ice";
    a_module_in_cpus: "2" "--module" "ice";
    all_detached: "!";
    ascii_path: "" "--ascii";
    ascii_stacks: "jj<enter>*" "--ascii";
    a_longer_interval: "++";
}

/// The program's environment is this and nothing else.
fn netop(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netop"));
    command
        .env_clear()
        .env("LANG", "C.UTF-8")
        .env("TERM", "xterm-256color")
        .env("TZ", "UTC")
        .current_dir(folder);
    command
}

fn frame(folder: &Path, keys: &str, size: &str, flags: &[&str]) -> String {
    let output = netop(folder)
        .args(["demo", "--seed", "1", "--keys", keys, "--size", size])
        .args(flags)
        .output()
        .expect("netop starts");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{keys} {size}: {complaint}");
    assert!(complaint.is_empty(), "{keys} {size}: {complaint}");
    String::from_utf8(output.stdout).expect("frames are text")
}

fn frames(keys: &str, flags: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let mut text = String::new();
    for size in SIZES {
        let rest = [&["--size", size], flags].concat().join(" ");
        let _ = writeln!(text, "$ netop demo --seed 1 --keys '{keys}' {rest}");
        let _ = writeln!(text, "{}", frame(folder.path(), keys, size, flags));
    }
    text
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(format!("{name}.txt"))
}

fn updating() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some()
}

fn check(name: &str, now: &str) {
    let path = golden(name);
    if updating() {
        fs::write(&path, now).expect("tests/golden can be written");
        return;
    }
    let then = fs::read_to_string(&path).unwrap_or_default();
    let first = now
        .lines()
        .zip(then.lines())
        .position(|(now, then)| now != then);
    assert!(
        now == then,
        "{name} is not as in {}, first in line {}.\n\
         ── then ──\n{then}\n── now ──\n{now}\n\
         If the new one is right: UPDATE_GOLDEN=1 cargo test --test golden",
        path.display(),
        first.unwrap_or(0) + 1,
    );
}

#[test]
fn a_saved_snapshot_says_its_path_and_is_there() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("out")).expect("a folder");
    let flags = ["--snapshot-dir", "out"];
    let text = frame(folder.path(), "jw", "80x24", &flags);
    check("a_saved_snapshot", &text);
    let said = text.lines().last().expect("a footer");
    let file = said.strip_prefix("saved ").expect("the path is said");
    let saved = fs::read_to_string(folder.path().join(file)).expect("what is said is there");
    let saved: serde_json::Value = serde_json::from_str(&saved).expect("JSON");
    assert_eq!(saved["schema"], "netop.snapshot/1");
}

#[test]
fn a_folder_that_cannot_be_written_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let flags = ["--snapshot-dir", "nowhere"];
    check(
        "a_snapshot_not_saved",
        &frame(folder.path(), "w", "120x40", &flags),
    );
}

#[test]
fn one_seed_one_picture_and_another_seed_another_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let picture = |seed: &str| {
        let output = netop(folder.path())
            .args(["demo", "--seed", seed, "--keys", "jj<enter>*"])
            .output();
        output.expect("netop starts").stdout
    };
    assert!(
        picture("1") == picture("1"),
        "the demo is not deterministic"
    );
    assert!(picture("1") != picture("2"), "the seed changes nothing");
}

#[test]
fn no_colour_and_the_theme_change_no_character() {
    let folder = tempfile::tempdir().expect("a folder");
    let plain = frame(folder.path(), "j", "80x24", &[]);
    assert!(!plain.contains('\x1b'));
    assert_eq!(
        plain,
        frame(folder.path(), "j", "80x24", &["--color", "never"])
    );
    for theme in THEMES {
        let themed = frame(folder.path(), "j", "80x24", &["--theme", theme.name]);
        assert_eq!(plain, themed, "{}", theme.name);
    }
}

#[test]
fn no_golden_file_is_left_over() {
    if updating() {
        return;
    }
    let mut written = vec!["a_saved_snapshot", "a_snapshot_not_saved", "colours"];
    // Of src/tui/frames_test.rs, from snapshots made by hand.
    written.extend(["cpu_tree", "cpu_flame", "cpu_inverted", "cpu_difference"]);
    written.extend(["devices", "many_cpus"]);
    let expected: BTreeSet<String> = FRAMES
        .iter()
        .chain(&written)
        .map(|n| format!("{n}.txt"))
        .collect();
    let folder = golden("x");
    let found: BTreeSet<String> = fs::read_dir(folder.parent().expect("a folder"))
        .expect("tests/golden")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("plain names")
        })
        .collect();
    assert_eq!(found, expected);
}

/// The demo's kernel names; its users' are of no interest to the colours.
struct KernelNames;

impl Names for KernelNames {
    fn kernel(&mut self, address: u64) -> Name {
        let text = demo::symbol(address).unwrap_or_default().into();
        Name {
            text,
            settled: true,
        }
    }

    fn function(&mut self, _: u64) -> Option<KernelFunction> {
        None
    }

    fn stage(&self, _: StageId) -> &'static str {
        ""
    }

    fn user(&mut self, _: u32, address: u64, frames: &mut Vec<Arc<str>>) -> bool {
        frames.push(self.kernel(address).text);
        true
    }
}

#[test]
fn colours() {
    let cli = Cli::from_words(["netop", "demo"]).expect("valid");
    let Some(Typed::Demo(typed)) = cli.command else {
        unreachable!("demo was typed");
    };
    let plan = netop::plan::demo(&typed.live).expect("the demo needs nothing");
    let source = Box::new(Demo::new(1, Pace::AsFastAsPossible, plan.registry.specs()));
    let names = Box::new(KernelNames);
    let mut engine = Engine::new(source, names, plan.registry, plan.settings, plan.want);
    let mut ui = UiState::new(netop::tui::Options::default());
    ui.resize(80, 24);
    let mut shown = 0;
    while shown < 25 {
        if let Progress::Snapshot(snapshot) = engine.step(Duration::ZERO).expect("a step") {
            ui.snapshot(Arc::clone(&snapshot));
            shown += 1;
        }
    }
    for key in parse_keys("j").expect("valid") {
        ui.key(key);
    }
    let area = Rect::new(0, 0, 80, 24);
    let mut buffer = Buffer::empty(area);
    render(&ui, area, &mut buffer);
    check("colours", &style_runs(&buffer));
}

/// Every run of cells of one style that is not the terminal's own, as `row column style text`.
fn style_runs(buffer: &Buffer) -> String {
    let style = |cell: &Cell| (cell.fg, cell.bg, cell.modifier);
    let own = (Color::Reset, Color::Reset, Modifier::empty());
    let width = usize::from(buffer.area.width);
    let mut text = String::new();
    for (y, row) in buffer.content.chunks(width).enumerate() {
        let mut x = 0;
        for run in row.chunk_by(|a, b| style(a) == style(b)) {
            let (fg, bg, modifier) = style(&run[0]);
            let symbols: String = run.iter().map(Cell::symbol).collect();
            if (fg, bg, modifier) != own && !(symbols.trim().is_empty() && bg == Color::Reset) {
                let _ = write!(text, "{y:2} {x:2} {fg}");
                if bg != Color::Reset {
                    let _ = write!(text, " on {bg}");
                }
                if !modifier.is_empty() {
                    let _ = write!(text, " {modifier:?}");
                }
                let _ = writeln!(text, " {:?}", symbols.trim_end());
            }
            x += run.len();
        }
    }
    text
}
