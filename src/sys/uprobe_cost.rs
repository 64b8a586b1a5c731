//! What a breakpoint in user space costs here: an exception and back, which on virtual machines is
//! several times what it is on the same processor without one. Measured on a function of netop's own,
//! of this thread alone.

use std::fs;
use std::hint::black_box;
use std::sync::OnceLock;

use super::clock::monotonic_ns;
use super::perf::{PerfEvent, Target};
use super::wanted::{Wanted, What};

/// The middle one of so many runs of so many calls: the first hits are cheaper than those of a process
/// that goes on being hit.
const RUNS: usize = 15;
const CALLS: u64 = 100;

/// ns of one hit of a function's beginning, or of its return, counted and not sampled; `None`: no
/// breakpoint can be set here. The first call takes some 30 ms.
pub fn uprobe_hit_ns(returns: bool) -> Option<u32> {
    static MEASURED: [OnceLock<Option<u32>>; 2] = [OnceLock::new(), OnceLock::new()];
    *MEASURED[usize::from(returns)].get_or_init(|| measure(returns))
}

#[inline(never)]
extern "C" fn struck(n: u64) -> u64 {
    black_box(n)
}

fn measure(returns: bool) -> Option<u32> {
    let code = struck as extern "C" fn(u64) -> u64;
    let offset = in_executable(code as usize as u64)?;
    let what = What::User {
        file: "/proc/self/exe".to_owned(),
        offset,
        returns,
        top: false,
    };
    let wanted = Wanted { what, filter: None };
    let nobody = per_call(code);
    let mut event = PerfEvent::open(&wanted, Target::Own).ok()?;
    let with = per_call(code);
    // Where it never hit nothing was measured.
    let hits = event.hits().ok()?;
    (hits >= CALLS).then(|| with.saturating_sub(nobody).max(1) as u32)
}

fn per_call(code: extern "C" fn(u64) -> u64) -> u64 {
    let run = |_| {
        let began = monotonic_ns();
        for n in 0..CALLS {
            black_box(black_box(code)(n));
        }
        monotonic_ns() - began
    };
    let mut runs: Vec<u64> = (0..RUNS).map(run).collect();
    runs.sort_unstable();
    runs[RUNS / 2] / CALLS
}

/// Where this process's code at `address` lies in its executable file (/proc/PID/maps, proc(5)).
fn in_executable(address: u64) -> Option<u64> {
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    maps.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let (start, end) = words.next()?.split_once('-')?;
        let offset = words.nth(1)?;
        let number = |text| u64::from_str_radix(text, 16).ok();
        let (start, end) = (number(start)?, number(end)?);
        let inside = (start..end).contains(&address);
        inside.then_some(number(offset)? + (address - start))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exception_costs_between_a_tenth_of_a_microsecond_and_a_millisecond() {
        for returns in [false, true] {
            match uprobe_hit_ns(returns) {
                Some(ns) => assert!((100..1_000_000).contains(&ns), "{ns}"),
                None => println!("skipped: no breakpoint can be set here"),
            }
        }
    }
}
