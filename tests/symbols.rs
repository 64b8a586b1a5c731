//! Names of the frames of real processes: a C program with known inlining is built in the ways
//! programs are shipped, run, and asked about.

mod skip;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use netop::model::Names;
use netop::symbol::HostNames;
use rustc_hash::FxHashSet;

use skip::skip;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/inlined.c");

/// Innermost first.
const INLINED: [&str; 4] = [
    "inner (prog)",
    "middle (prog)",
    "outer (prog)",
    "work (prog)",
];

fn has(tool: &str) -> bool {
    let found = Command::new(tool).arg("--version").output().is_ok();
    if !found {
        skip(&format!("no {tool} here"));
    }
    found
}

fn run(program: &str, arguments: &[&str]) {
    let status = Command::new(program).args(arguments).status();
    assert!(status.expect(program).success(), "{program} {arguments:?}");
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// A folder with the program in it, built with these flags.
struct Built {
    dir: tempfile::TempDir,
}

impl Built {
    /// `None`, and the reason said, where nothing can be built.
    fn with(flags: &[&str]) -> Option<Built> {
        if !has("cc") || !has("objcopy") {
            return None;
        }
        let built = Built {
            dir: tempfile::tempdir().expect("a temporary directory"),
        };
        built.compile("prog", flags);
        Some(built)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn compile(&self, name: &str, flags: &[&str]) {
        let path = self.path(name);
        let flags = [&["-O1", SOURCE, "-o", text(&path)], flags].concat();
        run("cc", &flags);
    }

    fn objcopy(&self, arguments: &[&str], from: &str, to: &str) {
        let (from, to) = (self.path(from), self.path(to));
        run("objcopy", &[arguments, &[text(&from), text(&to)]].concat());
    }

    /// Leaves the program stripped and its debug information in `prog.debug`.
    fn strip(&self) {
        self.objcopy(&["--only-keep-debug"], "prog", "prog.debug");
        self.objcopy(&["--strip-all"], "prog", "prog");
    }

    fn link_debug_file(&self) {
        let link = format!("--add-gnu-debuglink={}", text(&self.path("prog.debug")));
        self.objcopy(&[&link], "prog", "prog");
    }

    fn start(&self) -> Running {
        Running::start(&mut Command::new(self.path("prog")))
    }
}

/// Ends with the value.
struct Running {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
    pid: u32,
    /// Inside `inner`.
    address: u64,
    /// Of executable memory without a file.
    code: u64,
}

impl Running {
    fn start(command: &mut Command) -> Running {
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = piped.spawn().expect("a process");
        let lines = BufReader::new(child.stdout.take().expect("its output"));
        let mut running = Running {
            child,
            lines,
            pid: 0,
            address: 0,
            code: 0,
        };
        running.listen();
        running
    }

    fn listen(&mut self) {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("a line");
        let words: Vec<&str> = line.split_whitespace().collect();
        let hex = |word| u64::from_str_radix(word, 16).expect("hex");
        self.pid = words[0].parse().expect("a pid");
        // A return address: the call is just before.
        self.address = hex(words[1]) - 1;
        self.code = hex(words[2]);
    }

    fn exec(&mut self, program: &Path) {
        let to = self.child.stdin.as_mut().expect("its input");
        writeln!(to, "{}", text(program)).expect("told");
        self.listen();
    }

    fn frames(&self) -> Vec<String> {
        settled(&mut host(), self.pid, self.address)
    }

    /// `prog+0x…`.
    fn unnamed(&self, object: &str) -> String {
        let maps = fs::read_to_string(format!("/proc/{}/maps", self.pid)).expect("maps");
        let offset = maps.lines().find_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (start, end) = words[0].split_once('-')?;
            let hex = |word| u64::from_str_radix(word, 16).expect("hex");
            (hex(start)..hex(end))
                .contains(&self.address)
                .then(|| self.address - hex(start) + hex(words[2]))
        });
        format!("{object}+{:#x}", offset.expect("a mapping"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn host() -> HostNames {
    HostNames::start(FxHashSet::default())
}

/// Asks until the answer is settled.
fn settled(names: &mut HostNames, pid: u32, address: u64) -> Vec<String> {
    let began = Instant::now();
    loop {
        let mut frames: Vec<Arc<str>> = Vec::new();
        if names.user(pid, address, &mut frames) {
            return frames.iter().map(ToString::to_string).collect();
        }
        assert!(began.elapsed() < Duration::from_secs(60), "not settled");
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

/// A host whose debug files lie below `root`, and whose processes are this one's.
fn host_at(root: &Path) -> HostNames {
    std::os::unix::fs::symlink("/proc", root.join("proc")).expect("link");
    HostNames::at(root, FxHashSet::default())
}

fn build_id(path: &Path) -> String {
    let output = Command::new("readelf").args(["-n", text(path)]).output();
    let output = String::from_utf8(output.expect("readelf").stdout).expect("UTF-8");
    let (_, id) = output.split_once("Build ID: ").expect("a build id");
    id.split_whitespace().next().expect("a build id").to_owned()
}

#[test]
fn inlined_functions_are_frames_of_their_own_with_their_lines() {
    for flags in [&["-g"][..], &["-gdwarf-4"], &["-g", "-gz"]] {
        let Some(built) = Built::with(flags) else {
            return;
        };
        let running = built.start();
        let mut names = host();
        let frames = settled(&mut names, running.pid, running.address);
        assert_eq!(frames, INLINED, "{flags:?}");
        let source = fs::read_to_string(SOURCE).expect("the source");
        for (frame, code) in frames.iter().zip([
            "capture();",
            "return inner(x) * 3;",
            "return middle(x) - 7;",
            "int y = outer(x);",
        ]) {
            let lines = source.lines();
            let line = lines.enumerate().position(|(_, line)| line.trim() == code);
            let expected = format!("{SOURCE}:{}", line.expect("a line") + 1);
            assert_eq!(names.location(frame).as_deref(), Some(&*expected));
        }
        assert_eq!(names.location("nobody (prog)"), None);
    }
}

#[test]
fn without_debug_information_the_symbol_is_named_and_has_no_line() {
    let Some(built) = Built::with(&[]) else {
        return;
    };
    let running = built.start();
    let mut names = host();
    let frames = settled(&mut names, running.pid, running.address);
    assert_eq!(frames, ["work (prog)"]);
    assert_eq!(names.location("work (prog)"), None);
}

#[test]
fn a_stripped_program_is_named_by_its_dynamic_symbols_or_by_offsets() {
    let Some(built) = Built::with(&["-g", "-rdynamic"]) else {
        return;
    };
    built.strip();
    assert_eq!(built.start().frames(), ["work (prog)"]);
    built.compile("prog", &["-s"]);
    let running = built.start();
    assert_eq!(running.frames(), [running.unnamed("prog")]);
}

#[test]
fn a_debug_file_is_found_by_its_link_and_one_of_another_build_is_not_taken() {
    let Some(built) = Built::with(&["-g", "-Wl,--build-id=none"]) else {
        return;
    };
    built.strip();
    built.link_debug_file();
    assert_eq!(built.start().frames(), INLINED);
    let folder = built.path(".debug");
    fs::create_dir(&folder).expect("directory");
    let debug = built.path("prog.debug");
    fs::rename(&debug, folder.join("prog.debug")).expect("moved");
    assert_eq!(built.start().frames(), INLINED);
    fs::remove_dir_all(&folder).expect("gone");
    let other = Built::with(&["-g", "-DWORK=other"]).expect("built before");
    other.strip();
    fs::copy(other.path("prog.debug"), &debug).expect("copied");
    let running = built.start();
    assert_eq!(running.frames(), [running.unnamed("prog")]);
}

#[test]
fn a_debug_file_is_found_by_the_build_id() {
    let Some(built) = Built::with(&["-g", "-Wl,--build-id"]) else {
        return;
    };
    built.strip();
    let id = build_id(&built.path("prog"));
    let root = tempfile::tempdir().expect("a temporary directory");
    let folder = root.path().join("usr/lib/debug/.build-id").join(&id[..2]);
    fs::create_dir_all(&folder).expect("directory");
    fs::copy(
        built.path("prog.debug"),
        folder.join(format!("{}.debug", &id[2..])),
    )
    .expect("copied");
    let running = built.start();
    let frames = settled(&mut host_at(root.path()), running.pid, running.address);
    assert_eq!(frames, INLINED);
}

#[test]
fn a_program_that_was_deleted_or_replaced_keeps_its_own_names() {
    let Some(built) = Built::with(&["-g"]) else {
        return;
    };
    let running = built.start();
    built.compile("new", &["-g", "-DWORK=other"]);
    fs::rename(built.path("new"), built.path("prog")).expect("replaced");
    let frames = running.frames();
    let right = frames == INLINED;
    // Without the right to open the mapped file itself.
    let honest = frames == [running.unnamed("prog")];
    assert!(right || honest, "{frames:?}");
    let replaced = built.start();
    assert_eq!(replaced.frames()[3], "other (prog)");
    fs::remove_file(built.path("prog")).expect("deleted");
    let frames = replaced.frames();
    assert!(
        frames == [replaced.unnamed("prog")] || frames[3] == "other (prog)",
        "{frames:?}"
    );
    assert!(right || !am_root(), "{frames:?}");
}

#[test]
fn a_new_program_in_the_same_process_is_noticed() {
    // Linked at fixed addresses: both have their code at the same place.
    let flags = ["-g", "-no-pie"];
    let Some(built) = Built::with(&flags) else {
        return;
    };
    built.compile("next", &[&flags[..], &["-DWORK=other"]].concat());
    let mut running = built.start();
    let mut names = host();
    let before = settled(&mut names, running.pid, running.address);
    assert_eq!(before, INLINED);
    let address = running.address;
    running.exec(&built.path("next"));
    assert_eq!(running.address, address, "the programs differ in layout");
    let began = Instant::now();
    while settled(&mut names, running.pid, address)[3] != "other (next)" {
        assert!(began.elapsed() < Duration::from_secs(20), "not noticed");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

#[test]
fn jitted_code_is_named_by_the_map_its_compiler_wrote() {
    let Some(built) = Built::with(&[]) else {
        return;
    };
    let running = built.start();
    let map = format!("/tmp/perf-{}.map", running.pid);
    fs::write(&map, format!("{:x} 40 fast_path\n", running.code)).expect("a map");
    let frames = settled(&mut host(), running.pid, running.code + 0x20);
    fs::remove_file(&map).expect("removed");
    assert_eq!(frames, ["fast_path [jit]"]);
}

#[test]
fn a_program_that_only_its_mount_namespace_shows_is_named_with_its_debug_file() {
    if !am_root() || !has("unshare") {
        skip("a mount namespace needs root and unshare");
        return;
    }
    let Some(built) = Built::with(&["-g", "-Wl,--build-id=none"]) else {
        return;
    };
    built.strip();
    built.link_debug_file();
    let inside = built.path("inside");
    fs::create_dir(&inside).expect("directory");
    let script = "mount -t tmpfs none inside && cp prog prog.debug inside && exec $PWD/inside/prog";
    let running = Running::start(
        Command::new("unshare")
            .args(["-m", "sh", "-c", script])
            .current_dir(built.dir.path()),
    );
    assert!(!inside.join("prog").exists(), "the namespace leaks");
    assert_eq!(running.frames(), INLINED);
}

#[test]
fn functions_of_the_vdso_have_their_names() {
    let maps = fs::read_to_string("/proc/self/maps").expect("maps");
    let Some(line) = maps.lines().find(|line| line.ends_with("[vdso]")) else {
        skip("this kernel maps no vDSO");
        return;
    };
    let (start, _) = line.split_once('-').expect("a range");
    let start = u64::from_str_radix(start, 16).expect("hex");
    let mut names = host();
    let found: Vec<String> = (start..start + 0x2000)
        .step_by(32)
        .flat_map(|address| settled(&mut names, std::process::id(), address))
        .collect();
    let expected = |name: &&String| name.ends_with("clock_gettime ([vdso])");
    assert!(found.iter().any(|name| expected(&name)), "{found:?}");
    assert!(found[0].starts_with("[vdso]+0x"), "{found:?}");
}

fn am_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|data| std::os::unix::fs::MetadataExt::uid(&data) == 0)
}
