//! Makes screenshots/*.svg: the real program in a pty, on the real kernel, under real traffic in
//! namespaces of its own. `sudo -E cargo bench --bench screenshots`

#[path = "../net/buffer.rs"]
mod buffer;
#[path = "../net/mod.rs"]
mod net;
#[path = "svg.rs"]
mod svg;
#[path = "../net/traffic.rs"]
mod traffic_program;

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use net::{B, Net, Traffic, may_run};
use portable_pty::{CommandBuilder, PtySize, native_pty_system};

/// (file, columns, rows, keys with pauses of a second where there is a dot, what to send)
const SHOTS: [(&str, u16, u16, &str, Load); 11] = [
    ("path-udp-flood", 100, 26, "......jj..", Load::Udp),
    ("stacks-udp-flood", 100, 34, "...jj\r.......", Load::Udp),
    ("path-tcp-stream", 120, 32, "........jj.", Load::Tcp),
    ("cpus-tcp-stream", 100, 30, ".........2...", Load::Tcp),
    ("flame-tcp-stream", 120, 32, "..........5f.", Load::Tcp),
    ("processes-tcp-stream", 100, 18, "......4..", Load::Tcp),
    ("devices-tcp-stream", 100, 26, "......3.j...", Load::Tcp),
    ("latency-tcp-stream", 100, 24, "...7.......", Load::Tcp),
    ("connections-tcp-stream", 100, 20, "......9...", Load::Tcp),
    ("drops-slow-reader", 100, 24, "......6...", Load::Slow),
    ("advice-slow-reader", 100, 26, "......8........", Load::Slow),
];

#[derive(Clone, Copy)]
enum Load {
    Udp,
    Tcp,
    /// A reader that sleeps, so that its buffer overflows.
    Slow,
}

fn main() {
    if std::env::var_os("NETOP_TRAFFIC").is_some() {
        return traffic_program::obey();
    }
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    for (name, columns, rows, keys, load) in SHOTS {
        let (receive, send) = match load {
            Load::Udp => (
                format!("udp-receive {B}:9200"),
                format!("udp-flood 0.0.0.0:0 {B}:9200 20"),
            ),
            Load::Slow => (
                format!("udp-sleepy {B}:9202 5"),
                format!("udp-flood 0.0.0.0:0 {B}:9202 20"),
            ),
            Load::Tcp => (
                format!("tcp-receive {B}:9201"),
                format!("tcp-send {B}:9201 200000000000"),
            ),
        };
        let receiver = Traffic::start(&net.b, &receive);
        let mut sender = Traffic::start(&net.a, &send);
        sender.go();
        let screen = run(columns, rows, keys);
        let path = format!("{}/screenshots/{name}.svg", env!("CARGO_MANIFEST_DIR"));
        std::fs::write(&path, svg::draw(screen.screen())).expect("screenshots/ is there");
        println!("{path}");
        drop(sender);
        receiver.finish();
    }
}

/// What the screen shows after `keys`.
fn run(columns: u16, rows: u16, keys: &str) -> vt100::Parser {
    let size = PtySize {
        rows,
        cols: columns,
        pixel_width: 0,
        pixel_height: 0,
    };
    let pty = native_pty_system().openpty(size).expect("a pty");
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_netop"));
    command.env("LANG", "C.UTF-8");
    command.env("TERM", "xterm-256color");
    let mut child = pty.slave.spawn_command(command).expect("netop starts");
    drop(pty.slave);
    let parser = Arc::new(Mutex::new(screen_of(rows, columns)));
    let mut output = pty.master.try_clone_reader().expect("a reader");
    let theirs = Arc::clone(&parser);
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(len @ 1..) = output.read(&mut bytes) {
            theirs.lock().expect("nobody panics").process(&bytes[..len]);
        }
    });
    let mut input = pty.master.take_writer().expect("a writer");
    for key in keys.chars() {
        match key {
            '.' => std::thread::sleep(Duration::from_secs(1)),
            key => write!(input, "{key}").expect("netop reads"),
        }
    }
    let mut shown = screen_of(rows, columns);
    shown.process(
        parser
            .lock()
            .expect("nobody panics")
            .screen()
            .contents_formatted()
            .as_bytes(),
    );
    input.write_all(b"q").expect("netop reads");
    child.wait().expect("netop ends");
    shown
}

fn screen_of(rows: u16, columns: u16) -> vt100::Parser {
    let size = |cells| NonZeroU16::new(cells).expect("a size");
    vt100::Parser::new(size(rows), size(columns), 0)
}
