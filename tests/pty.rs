//! The real program in a real pseudo-terminal: what it draws, what it answers to keys and
//! signals, and what is left of it and of the terminal afterwards.

mod skip;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{
    Child, CommandBuilder, MasterPty, PtyPair, PtySize, SlavePty, native_pty_system,
};

use skip::skip;

/// Longer than anything here may take; what has a limit of its own is measured.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two looks at something that cannot be waited for.
const LOOK: Duration = Duration::from_millis(5);

fn size(cols: u16, rows: u16) -> PtySize {
    PtySize {
        rows,
        cols,
        pixel_width: 0,
        pixel_height: 0,
    }
}

fn open(cols: u16, rows: u16) -> PtyPair {
    let system = native_pty_system();
    system.openpty(size(cols, rows)).expect("a pseudo-terminal")
}

/// `mark` is in the environment of every process that comes of it.
fn netop(words: &[&str], folder: &Path, mark: &str) -> CommandBuilder {
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_netop"));
    command.args(words);
    command.cwd(folder);
    command.env_clear();
    command.env("LANG", "C.UTF-8");
    command.env("TERM", "xterm-256color");
    command.env("NETOP_TEST", mark);
    command
}

/// A terminal with a program in it.
struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    pid: u32,
    keys: Box<dyn Write + Send>,
    master: Box<dyn MasterPty + Send>,
    /// Held open so that the line's settings can be asked for when the program is gone.
    _line: Box<dyn SlavePty + Send>,
    shown: Arc<(Mutex<vt100::Parser>, Condvar)>,
    started: Instant,
    settings_before: String,
}

impl Terminal {
    fn run(command: CommandBuilder, (cols, rows): (u16, u16)) -> Terminal {
        let PtyPair { master, slave } = open(cols, rows);
        let settings_before = settings(&*master);
        let mut output = master.try_clone_reader().expect("a reader");
        let keys = master.take_writer().expect("a writer");
        let parser = vt100::Parser::new(dimension(rows), dimension(cols), 0);
        let shown = Arc::new((Mutex::new(parser), Condvar::new()));
        let screen = Arc::clone(&shown);
        let started = Instant::now();
        let child = slave.spawn_command(command).expect("netop starts");
        // Ends with the test process: the line is held open.
        thread::spawn(move || {
            let mut bytes = [0; 16384];
            while let Ok(n @ 1..) = output.read(&mut bytes) {
                lock(&screen.0).process(&bytes[..n]);
                screen.1.notify_all();
            }
        });
        Terminal {
            pid: child.process_id().expect("it runs"),
            child,
            keys,
            master,
            _line: slave,
            shown,
            started,
            settings_before,
        }
    }

    fn press(&mut self, keys: &str) {
        self.keys
            .write_all(keys.as_bytes())
            .expect("the line takes keys");
        self.keys.flush().expect("the line takes keys");
    }

    fn text(&self) -> String {
        lock(&self.shown.0).screen().contents()
    }

    /// Waits until the screen is as wanted and says how long that took.
    fn until(&self, what: &str, wanted: impl Fn(&vt100::Screen) -> bool) -> Duration {
        let began = Instant::now();
        let mut parser = lock(&self.shown.0);
        while !wanted(parser.screen()) {
            let left = PATIENCE.saturating_sub(began.elapsed());
            assert!(
                !left.is_zero(),
                "{what} did not come:\n{}",
                parser.screen().contents()
            );
            parser = self.shown.1.wait_timeout(parser, left).expect("no panic").0;
        }
        began.elapsed()
    }

    fn until_shown(&self, text: &str) -> Duration {
        self.until(text, |screen| screen.contents().contains(text))
    }

    /// Waits for the first frame: since the start.
    fn first_frame(&self) -> Duration {
        self.until_shown("RATE/s");
        self.started.elapsed()
    }

    /// Waits for the end; exit code, and how long it took.
    fn ended(&mut self) -> (u32, Duration) {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                assert!(status.signal().is_none(), "killed by {:?}", status.signal());
                return (status.exit_code(), began.elapsed());
            }
            assert!(
                began.elapsed() < PATIENCE,
                "it does not end:\n{}",
                self.text()
            );
            thread::sleep(LOOK);
        }
    }

    /// The terminal is as it was before the program.
    fn is_restored(&self) {
        self.until("the terminal's restoration", |screen| {
            !screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste()
        });
        assert_eq!(
            settings(&*self.master),
            self.settings_before,
            "raw mode is left on"
        );
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A test that failed leaves nothing running.
        let _gone_already = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Also when a test failed while it held the lock.
fn lock(parser: &Mutex<vt100::Parser>) -> MutexGuard<'_, vt100::Parser> {
    parser.lock().unwrap_or_else(PoisonError::into_inner)
}

fn dimension(n: u16) -> std::num::NonZeroU16 {
    std::num::NonZeroU16::new(n).expect("a size")
}

/// All settings of the line.
fn settings(master: &(dyn MasterPty + Send)) -> String {
    format!(
        "{:?}",
        master.get_termios().expect("a terminal has settings")
    )
}

fn signal(pid: u32, name: &str) {
    let status = Command::new("sh")
        .args(["-c", &format!("kill -{name} {pid}")])
        .status();
    assert!(status.expect("sh is there").success(), "kill -{name} {pid}");
}

/// The state letter of proc(5); `None`: there is no such process.
fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

fn wait_for_state(pid: u32, wanted: impl Fn(Option<char>) -> bool) -> Duration {
    let began = Instant::now();
    while !wanted(state(pid)) {
        assert!(
            began.elapsed() < PATIENCE,
            "process {pid} is in state {:?}",
            state(pid)
        );
        thread::sleep(LOOK);
    }
    began.elapsed()
}

/// Processes with this mark that still run (a zombie has no environment left).
fn running(mark: &str) -> Vec<String> {
    let wanted = format!("NETOP_TEST={mark}\0");
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("/proc").flatten() {
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        if String::from_utf8_lossy(&environment).contains(&wanted) {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    found
}

fn nothing_runs(mark: &str, within: Duration) {
    let began = Instant::now();
    while !running(mark).is_empty() {
        assert!(
            began.elapsed() < within,
            "still running: {:?}",
            running(mark)
        );
        thread::sleep(LOOK);
    }
}

fn demo(mark: &str) -> (Terminal, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let words = ["demo", "--seed", "1", "-d", "0.2"];
    let terminal = Terminal::run(netop(&words, folder.path(), mark), (80, 24));
    (terminal, folder)
}

#[test]
fn the_first_frame_comes_at_once_and_q_gives_the_terminal_back() {
    let (mut terminal, _folder) = demo("quit");
    let frame = terminal.first_frame();
    let during = settings(&*terminal.master);
    assert_ne!(during, terminal.settings_before, "keys would be echoed");
    terminal.until("the alternate screen", |s| {
        s.alternate_screen() && s.hide_cursor()
    });
    terminal.press("q");
    let (code, took) = terminal.ended();
    println!("demo: first frame after {frame:?}, ended {took:?} after q");
    assert_eq!(code, 0);
    assert!(frame < Duration::from_secs(1), "{frame:?}");
    assert!(took < Duration::from_millis(500), "{took:?}");
    terminal.is_restored();
    assert_eq!(
        terminal.text().trim(),
        "",
        "something is left on the screen"
    );
    nothing_runs("quit", Duration::from_secs(2));
}

#[test]
fn keys_do_what_they_say() {
    let (mut terminal, _folder) = demo("keys");
    terminal.first_frame();
    terminal.until_shown("▶net_rx_action");
    for (keys, shows) in [
        ("j", "▶napi_gro_receive"),
        ("j", "▶dev_queue_xmit"),
        ("\r", "[5 Stacks]"),
        ("", "handle_request (kafka)"),
        ("\x1b", "[1 Path]"),
        ("2", "[2 CPUs]"),
        ("4", "[4 Procs]"),
        ("?", "HELP"),
        ("\x1b", "[4 Procs]"),
        ("\t", "[5 Stacks]"),
        ("1", "[1 Path]"),
        ("/skb\r", "ONLY text 'skb'"),
        ("", "▶consume_skb"),
        ("\x1b", "▶dev_queue_xmit"),
        ("p9127\r", "ONLY pid 9127(statsd)"),
        (" ", "PAUSED"),
        (" ", "DEMO"),
    ] {
        terminal.press(keys);
        terminal.until_shown(shows);
    }
}

#[test]
fn a_paused_screen_stands_still() {
    let (mut terminal, _folder) = demo("pause");
    terminal.first_frame();
    terminal.press(" ");
    terminal.until_shown("PAUSED");
    // The age of what is shown may grow; figures may not.
    let figures = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    let before = figures(&terminal.text());
    thread::sleep(Duration::from_millis(700));
    assert_eq!(figures(&terminal.text()), before);
    terminal.press(" ");
    terminal.until("news", |screen| figures(&screen.contents()) != before);
}

#[test]
fn w_writes_what_is_shown_for_its_owner_only() {
    let (mut terminal, folder) = demo("save");
    terminal.first_frame();
    terminal.press("w");
    terminal.until_shown("saved ./netop-");
    let files: Vec<_> = fs::read_dir(folder.path())
        .expect("the folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let mode = fs::metadata(&files[0])
        .expect("the file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o600, "{mode:o}");
    let text = fs::read_to_string(&files[0]).expect("the file");
    let saved: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(saved["schema"], "netop.snapshot/1");
    assert_eq!(saved["host"]["source"], "demo");
    assert!(saved["functions"].as_array().is_some_and(|f| f.len() >= 13));
}

#[test]
fn a_new_size_is_followed() {
    let (terminal, _folder) = demo("resize");
    terminal.first_frame();
    for (cols, rows) in [(120, 40), (40, 10), (80, 24)] {
        {
            let mut parser = lock(&terminal.shown.0);
            parser
                .screen_mut()
                .set_size(dimension(rows), dimension(cols));
        }
        terminal
            .master
            .resize(size(cols, rows))
            .expect("a new size");
        let took = terminal.until("a frame of the new size", |screen| {
            let lines: Vec<String> = screen.rows(0, cols).collect();
            let clock = lines[0].trim_end().chars().count();
            lines[usize::from(rows) - 1].starts_with("q quit")
                && lines[0].trim_end().ends_with('Z')
                && clock + 8 >= usize::from(cols)
        });
        println!("{cols}x{rows} was drawn after {took:?}");
        assert!(took < Duration::from_secs(1), "{took:?}");
    }
}

#[test]
fn a_key_that_comes_with_a_new_size_is_obeyed() {
    let (mut terminal, _folder) = demo("resize-key");
    terminal.first_frame();
    for (more, (key, tab)) in (1..).zip([("6", "[6 Drops"), ("9", "[9 TCP"), ("3", "[3 Dev")]) {
        let cols = 80 + 8 * more;
        {
            let mut parser = lock(&terminal.shown.0);
            parser.screen_mut().set_size(dimension(24), dimension(cols));
        }
        let wider = size(cols, 24);
        terminal.master.resize(wider).expect("a new size");
        terminal.press(key);
        terminal.until(tab, |screen| screen.contents().contains(tab));
    }
}

#[test]
fn ctrl_c_and_the_polite_signals_end_it_and_restore_the_terminal() {
    for name in ["ctrl-c", "TERM", "INT", "QUIT", "USR1", "ALRM", "XCPU"] {
        let (mut terminal, _folder) = demo(name);
        terminal.first_frame();
        if name == "ctrl-c" {
            terminal.press("\x03");
        } else {
            signal(terminal.pid, name);
        }
        let (code, took) = terminal.ended();
        println!("{name}: ended after {took:?} with {code}");
        assert!(took < Duration::from_secs(1), "{name}: {took:?}");
        terminal.is_restored();
        nothing_runs(name, Duration::from_secs(2));
    }
}

#[test]
fn a_hangup_signal_ends_it_within_a_second() {
    let (mut terminal, _folder) = demo("hup");
    terminal.first_frame();
    signal(terminal.pid, "HUP");
    let (_, took) = terminal.ended();
    assert!(took < Duration::from_secs(1), "{took:?}");
    // The signal alone: the terminal is still somebody's.
    terminal.is_restored();
    nothing_runs("hup", Duration::from_secs(2));
}

/// As the leader of its session it gets SIGHUP; without a controlling terminal nobody tells it.
#[test]
fn a_terminal_that_goes_away_leaves_no_process_behind() {
    for (mark, controlling) in [("gone", true), ("gone-unsaid", false)] {
        let folder = tempfile::tempdir().expect("a folder");
        let PtyPair { master, slave } = open(80, 24);
        let mut command = netop(&["demo"], folder.path(), mark);
        command.set_controlling_tty(controlling);
        let mut child = slave.spawn_command(command).expect("netop starts");
        drop(slave);
        // No reader thread: it would hold the terminal open.
        let mut output = master.try_clone_reader().expect("a reader");
        let mut seen = Vec::new();
        let mut bytes = [0; 4096];
        while !String::from_utf8_lossy(&seen).contains("RATE/s") {
            let n = output.read(&mut bytes).expect("it draws");
            seen.extend_from_slice(&bytes[..n]);
        }
        let pid = child.process_id().expect("it runs");
        drop(output);
        drop(master);
        let took = wait_for_state(pid, |state| matches!(state, None | Some('Z')));
        println!("{mark}: ended {took:?} after its terminal went away");
        assert!(took < Duration::from_secs(1), "{mark}: {took:?}");
        child.wait().expect("it is our child");
        assert_eq!(state(pid), None);
        nothing_runs(mark, Duration::from_secs(2));
    }
}

#[test]
fn ctrl_z_stops_it_and_a_continue_brings_the_screen_back() {
    stops_and_comes_back("stop", |terminal| terminal.press("\x1a"));
}

/// `kill -TSTP`: the shell would have a raw terminal else.
#[test]
fn a_stop_signal_gives_the_terminal_back_as_ctrl_z_does() {
    stops_and_comes_back("tstp", |terminal| signal(terminal.pid, "TSTP"));
}

fn stops_and_comes_back(mark: &str, stop: impl Fn(&mut Terminal)) {
    let (mut terminal, _folder) = demo(mark);
    terminal.first_frame();
    stop(&mut terminal);
    wait_for_state(terminal.pid, |state| state == Some('T'));
    terminal.is_restored();
    signal(terminal.pid, "CONT");
    terminal.until("the screen", |screen| {
        screen.alternate_screen()
            && screen.hide_cursor()
            && screen.contents().contains("▶net_rx_action")
            && screen.contents().contains("q quit")
    });
    assert_ne!(settings(&*terminal.master), terminal.settings_before);
    terminal.press("q");
    assert_eq!(terminal.ended().0, 0);
    terminal.is_restored();
}

/// Is a row of the path table there with a figure in it?
fn has_figures(screen: &vt100::Screen) -> bool {
    screen.contents().lines().any(|line| {
        let mut words = line.trim_start_matches(['▶', ' ']).split_whitespace();
        words.next() == Some("net_rx_action")
            && words
                .next()
                .is_some_and(|rate| rate.starts_with(|c: char| c.is_ascii_digit()))
    })
}

/// Live on the real kernel: as root only.
#[test]
fn live_numbers_come_within_a_second_and_the_prompt_at_once() {
    let root = fs::metadata("/proc/self").expect("/proc").uid() == 0;
    if !root {
        skip("only root may open kernel events; run it with sudo -E");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut terminal = Terminal::run(netop(&[], folder.path(), "live"), (80, 24));
    terminal.until("a figure", has_figures);
    let figures = terminal.started.elapsed();
    terminal.until_shown("LIVE");
    // By whichever way this kernel has.
    terminal.until("who counts", |screen| {
        let text = screen.contents();
        text.contains("bpf") || text.contains("perf")
    });
    terminal.press("jj\r");
    terminal.until_shown("[5 Stacks]");
    terminal.press("q");
    let (code, took) = terminal.ended();
    println!("live: first figures after {figures:?}, the prompt {took:?} after q");
    assert_eq!(code, 0);
    assert!(figures < Duration::from_secs(1), "{figures:?}");
    assert!(took < Duration::from_millis(500), "{took:?}");
    terminal.is_restored();
    nothing_runs("live", Duration::from_secs(2));
}
