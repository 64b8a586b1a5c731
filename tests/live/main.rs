//! netop against the real kernel, in namespaces of the tests' own. Needs root and iproute2; says
//! why when it skips, and fails instead when NETOP_REQUIRE_LIVE is set.

mod advice;
mod attach;
mod breakpoints;
#[path = "../net/buffer.rs"]
mod buffer;
mod chosen_cpus;
mod cost;
mod counts;
mod cpu;
mod devices;
mod diff;
mod drops;
mod flight;
mod gate;
#[path = "../net/installed.rs"]
mod installed;
mod late;
mod latency;
mod leave;
mod lives;
mod many;
mod module;
#[path = "../net/mod.rs"]
mod net;
#[path = "../net/netop.rs"]
mod netop;
#[path = "../net/offloads.rs"]
mod offloads;
mod owners;
mod owners_sampled;
mod owners_sent;
mod owners_streams;
mod probing;
#[path = "../net/programs.rs"]
mod programs;
mod record;
mod recorded_breakpoints;
mod recorded_budget;
mod replay;
#[path = "../skip/mod.rs"]
mod skip;
mod steering;
#[path = "../tape/mod.rs"]
mod tape;
mod tcp;
#[path = "../net/traffic.rs"]
mod traffic_program;
mod xdp;
#[path = "../net/xdp.rs"]
mod xdp_program;

/// Not a test: the traffic program, when a test starts this binary inside a namespace.
#[test]
fn traffic() {
    offloads::obey();
    xdp_program::obey();
    traffic_program::obey();
}
