//! What one counted hit costs in a loop, by way of counting: a receive call on an empty socket (one
//! hit of sock:sock_recv_length) and a datagram over loopback (one of net:net_dev_queue), with
//! nobody, the gate in its variants, and a perf event. `sudo -E cargo bench --bench hit`

use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;
use std::time::Instant;

use netop::decode::Format;
use netop::source::live::{GATE_OBJECT, GATE_PROGRAMS};
use netop::sys::{Gate, PerfEvent, Switches, Target, Tracefs, Wanted, What, own_tid};

fn main() {
    let number = |tracepoint| {
        let found = GATE_PROGRAMS
            .iter()
            .position(|p| p.tracepoint == tracepoint);
        found.expect("a program of the gate")
    };
    let (queue, receive) = (number("net_dev_queue"), number("sock_recv_length"));
    let wanted = |program| program == queue || program == receive;
    let mut gate = match Gate::load(GATE_OBJECT, &GATE_PROGRAMS, wanted) {
        Ok(gate) => gate,
        Err(why) => return println!("no gate here: {why}"),
    };
    let tracefs = Tracefs::find_or_mount().expect("tracefs");
    let empty = UnixDatagram::unbound().expect("a socket");
    empty.set_nonblocking(true).expect("its option");
    let mut byte = [0];
    row(
        &mut gate,
        &tracefs,
        receive,
        ("sock", "sock_recv_length"),
        || {
            let _nothing_there = empty.recv(&mut byte);
        },
    );
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let own = socket.local_addr().expect("its address");
    let mut bytes = [0; 64];
    row(&mut gate, &tracefs, queue, ("net", "net_dev_queue"), || {
        socket.send_to(&[0; 16], own).expect("sent");
        socket.recv(&mut bytes).expect("received");
    });
}

/// ns above nobody, each way measured next to nobody, the median of all rounds.
fn row(
    gate: &mut Gate,
    tracefs: &Tracefs,
    program: usize,
    (group, name): (&str, &str),
    mut call: impl FnMut(),
) {
    let variants = [
        ("gate", Switches::default()),
        ("gate, per device", Switches::BY_DEVICE),
        ("gate, per process", Switches::BY_PROCESS),
        ("gate, chosen processes", Switches::SOME_PIDS),
    ];
    let format = tracefs.format(group, name).expect("an event");
    let wanted = Wanted {
        what: What::Tracepoint(Format::parse(&format).expect("a format").id),
        filter: None,
    };
    let target = || Target::Thread {
        tid: own_tid(),
        children: false,
        cpu: None,
    };
    let mut more = vec![Vec::new(); variants.len() + 2];
    let mut nobody = Vec::new();
    for _ in 0..40 {
        for (way, (_, switches)) in variants.iter().enumerate() {
            for cpu in 0..gate.board.possible() {
                gate.board.switch(cpu, program, *switches);
            }
            let before = least(&mut call);
            gate.attach(program).expect("attached");
            more[way].push(least(&mut call) - before);
            gate.detach(program);
            nobody.push(before);
        }
    }
    for _ in 0..10 {
        let before = least(&mut call);
        let mut event = PerfEvent::open(&wanted, target()).expect("opened");
        more[variants.len()].push(least(&mut call) - before);
        event.disable();
        more[variants.len() + 1].push(least(&mut call) - before);
        drop(event);
    }
    println!(
        "{group}:{name}: a call takes {:.0} ns, and with",
        median(&mut nobody)
    );
    let names = variants.iter().map(|(name, _)| *name);
    let perf = ["a perf event", "a disabled perf event"];
    for (name, more) in names.chain(perf).zip(&mut more) {
        println!("  {name:24} {:5.0} ns more", median(more));
    }
}

/// The least of some short runs: what is left when nothing interrupts.
fn least(call: &mut impl FnMut()) -> f64 {
    let runs = (0..20).map(|_| {
        let began = Instant::now();
        for _ in 0..200 {
            call();
        }
        began.elapsed().as_secs_f64() * 1e9 / 200.0
    });
    runs.fold(f64::INFINITY, f64::min)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
