//! The only room with `unsafe`: perf events and their rings, clocks, limits, capabilities, the
//! terminal's line. Knows no function of the network stack.
#![expect(
    unsafe_code,
    reason = "system calls live here; everything else denies unsafe"
)]

mod affinity;
mod background;
mod bpf;
mod bpf_name;
mod caps;
mod clock;
mod close_in_child;
mod cpu_clock;
mod errno_hint;
mod ethtool;
mod file;
mod group;
mod lockdown;
mod memory;
mod netns;
mod own;
mod perf;
mod rights;
mod signal;
mod tracefs;
mod tty;
mod uprobe_cost;
mod wake;
mod wanted;

pub use affinity::{allowed_cpus, run_on};
pub use background::run_in_background;
pub use bpf::{
    BUCKETS, BY_ADDRESS, CELLS, DeviceTally, Fates, Gate, PAIRS, Pairs, Program, SocketTally,
    Switchboard, Switches, Tally, Timed,
};
pub use bpf_name::bpf_names;
pub use caps::{Permissions, raise_open_files};
pub use clock::{monotonic_ns, wall_ns};
pub use close_in_child::{close_in_child, exit_now};
pub use cpu_clock::cpu_clock;
pub use errno_hint::{ErrnoHint, SETCAP, UNPATCHED_LEVEL};
pub use ethtool::{Driver, Ethtool, Strings};
pub use file::{OwnDir, allocate, create_own_file, open_own_file, open_regular, read_regular};
pub use group::GroupReader;
pub use lockdown::{chosen as chosen_lockdown, lockdown};
pub use memory::{Allocator, before_out_of_memory, expect_room, held_by_thread};
pub use netns::in_netns;
pub use own::{Own, OwnByCpu, Surplus, bound_allocator, give_back_memory, own_tid, thread_cpu_ns};
pub use perf::{
    Leader, NO_SAMPLES, PerfEvent, Ring, Target, readings_count_loss, settle_read_format,
};
pub use rights::{Raised, effective_uid, set_aside_rights, with_callers_rights};
pub use signal::{Signals, stop_self, terminate};
pub use tracefs::Tracefs;
pub use tty::{Tty, TtyState, is_terminal};
pub use uprobe_cost::uprobe_hit_ns;
pub use wake::{WakeFd, wait_readable};
pub use wanted::{Wanted, What};
