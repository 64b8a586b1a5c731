//! What counting a hit costs on this host: a receive call on an empty socket, which is one hit of
//! sock:sock_recv_length, timed with nobody counting, with the gate and with a perf event.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use crossbeam_channel::Sender;

use super::Gated;
use crate::decode::Costs;
use crate::sys::{PerfEvent, Target, Wanted, monotonic_ns, own_tid, uprobe_hit_ns};

/// The least of so many runs of so many calls: what is left when nothing interrupts.
const RUNS: usize = 4;
const CALLS: u32 = 200;

/// With and without counting, so many times.
const PAIRS: usize = 5;

/// The least that a counted hit is believed to cost, ns.
const LEAST_NS: f64 = 40.0;

/// Under traffic the counter's own memory is not in the nearest cache as it is in a loop:
/// 193 ns (docs/measuring.md) where the loop says 120.
const OUTSIDE_A_LOOP: f64 = 1.5;

/// Measured costs, or the assumed ones of what cannot be measured here. Takes some 5 ms. `returns`:
/// breakpoints in user space are wanted, and some of them on a function's return.
pub fn costs(
    gate: Option<&mut Gated>,
    receive: Option<&Wanted>,
    returns: Option<bool>,
    closer: &Sender<PerfEvent>,
) -> Costs {
    let mut costs = Costs::default();
    if let Some(ns) = returns.and_then(uprobe_hit_ns) {
        costs.probe_ns = ns;
    }
    let gated = gate.and_then(|gate| {
        median(|| {
            let nobody = per_call()?;
            Some(gate.while_receives_are_counted(per_call)? - nobody)
        })
    });
    if let Some(ns) = gated {
        costs.gate_ns = outside_a_loop(ns);
        costs.measured = true;
    }
    let counted = receive.and_then(|receive| {
        // Opened once: the kernel closes an event for 31-43 ms and opens none meanwhile.
        let nobody = median(per_call)?;
        let target = Target::Thread {
            tid: own_tid(),
            children: false,
            cpu: None,
        };
        let event = PerfEvent::open(receive, target).ok()?;
        let with = median(per_call);
        // Closing waits for RCU; without a closer the source is gone too.
        let _closed_here = closer.send(event);
        Some(outside_a_loop(with? - nobody))
    });
    if let Some(ns) = counted {
        // A sample is the same kind of work, and more of it: as much dearer as on other hosts.
        let assumed = Costs::default();
        costs.sample_ns = (u64::from(assumed.sample_ns) * u64::from(ns)
            / u64::from(assumed.perf_ns))
        .clamp(2_000, 50_000) as u32;
        costs.perf_ns = ns;
        costs.measured = true;
    }
    costs
}

/// The machine is faster in one moment than in the next.
fn median(mut measure: impl FnMut() -> Option<f64>) -> Option<f64> {
    let mut all = (0..PAIRS)
        .map(|_| measure())
        .collect::<Option<Vec<f64>>>()?;
    all.sort_by(f64::total_cmp);
    Some(all[PAIRS / 2])
}

fn outside_a_loop(ns: f64) -> u32 {
    // Less is the machine's noise: no processor that runs Linux is as fast.
    (ns * OUTSIDE_A_LOOP).clamp(LEAST_NS, 5_000.0) as u32
}

/// ns of one call.
fn per_call() -> Option<f64> {
    let socket = UnixDatagram::unbound().ok()?;
    socket.set_nonblocking(true).ok()?;
    let mut byte = [0];
    let least = (0..RUNS)
        .map(|_| {
            let began = monotonic_ns();
            for _ in 0..CALLS {
                // There is nothing to receive, which is what is timed.
                let _empty = socket.recv(&mut byte);
            }
            monotonic_ns() - began
        })
        .min()?;
    Some(Duration::from_nanos(least).as_secs_f64() * 1e9 / f64::from(CALLS))
}
