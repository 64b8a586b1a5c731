//! Hits by socket, as the gate counts them: everybody's for the table of processes, or, under a PID
//! filter that means owners, those of the filter's processes, whoever ran.

use rustc_hash::FxHashMap;

use super::programs;
use super::{Brought, Open};
use crate::decode::{Counts, Demand, SocketCounts};
use crate::sys::{Gate, SocketTally, Switches};

/// Ticks after which a socket without traffic makes room for another.
const IDLE_TICKS: u32 = 5;

/// Ticks for which the hits of a socket that is nobody's so far are kept: a new socket is known when
/// its process has called it, or /proc/PID/fd was read.
const WAIT_TICKS: u32 = 3;

/// Sockets told per tick; those with the fewest hits are told as one.
const MOST: usize = 1024;

/// Chosen sockets, beyond which closed ones are let go: three quarters of the map.
const CROWDED: usize = 12_288;

#[derive(Default)]
pub struct BySocket {
    /// By socket, program and CPU.
    known: FxHashMap<(u64, usize, u32), Known>,
    /// Programs that count by socket, as bits.
    programs: u64,
    /// Programs that are attached only to choose sockets, as bits.
    choosing: u64,
}

#[derive(Default)]
struct Known {
    /// As of the last tick that told it: hits, packets, bytes.
    told: [u64; 3],
    seen: u64,
    idle: u32,
    waited: u32,
}

impl BySocket {
    /// The program counts by socket from now on, or not: what was counted before is not told.
    pub fn count(&mut self, gate: &mut Gate, program: usize, on: bool) {
        let bit = 1 << program;
        if on && self.programs & bit == 0 {
            self.forget(gate, 1 << program);
        }
        let programs = &mut self.programs;
        *programs = if on {
            *programs | bit
        } else {
            *programs & !bit
        };
    }

    /// What programs (as bits) counted until now is not told any more.
    pub fn forget(&mut self, gate: &mut Gate, programs: u64) {
        let known = &mut self.known;
        gate.sockets(|tally| {
            if programs & 1 << tally.program != 0 {
                let known = known.entry(key(&tally)).or_default();
                known.told = sums(&tally);
                known.seen = tally.hits;
            }
            true
        });
    }

    pub fn read(
        &mut self,
        (gate, open): (&mut Gate, &[Open]),
        (now, from): (u64, u64),
        demand: &Demand,
        brought: &mut Brought,
    ) {
        if self.programs == 0 {
            return;
        }
        let filtered = !demand.pids.is_empty();
        let owners: FxHashMap<u64, u32> = if filtered {
            gate.chosen().into_iter().collect()
        } else {
            FxHashMap::default()
        };
        let all = &mut self.known;
        let mut told: Vec<SocketCounts> = Vec::new();
        gate.sockets(|tally| {
            let known = all.entry(key(&tally)).or_default();
            let still = tally.hits == known.seen;
            known.idle = if still { known.idle + 1 } else { 0 };
            known.seen = tally.hits;
            let attached = open.iter().find(|o| o.program == tally.program);
            let owner = owners.get(&tally.socket).copied();
            let new = since(&tally, known.told);
            // For whom a softirq worked is a share of all.
            let receives = attached.is_some_and(Open::receives);
            let unknown = filtered && owner.is_none() && !receives;
            known.waited = if unknown && new[0] > 0 {
                known.waited + 1
            } else {
                0
            };
            if !unknown || known.waited > WAIT_TICKS {
                known.told = sums(&tally);
            }
            if let Some(open) = attached.filter(|_| !unknown && new[0] > 0) {
                told.push(SocketCounts {
                    event: open.event,
                    socket: tally.socket,
                    cpu: receives.then_some(tally.cpu),
                    hits: new[0],
                    packets: new[1],
                    bytes: new[2],
                });
                if let Some(pid) = owner.filter(|_| !receives) {
                    brought.counts.push(Counts {
                        event: open.event,
                        cpu: None,
                        pid: Some(pid),
                        hits: new[0],
                        bytes: 0,
                        span_ns: now.saturating_sub(open.since.max(from)),
                        gate: true,
                        spread: None,
                    });
                }
            }
            let kept = known.idle < IDLE_TICKS;
            if !kept {
                all.remove(&key(&tally));
            }
            kept
        });
        bound(&mut told);
        brought.sockets.append(&mut told);
    }

    /// A new socket is chosen with its first call, also where calls have no row (with a device
    /// filter): short-lived ones are in /proc too briefly.
    pub fn keep_choosing(&mut self, (gate, open): (&mut Gate, &[Open]), demand: &Demand) {
        let wanted = !demand.pids.is_empty() && demand.attached.iter().any(|a| a.by_socket);
        for program in programs::calls() {
            let bit = 1 << program;
            let choosing = self.choosing & bit != 0;
            if open.iter().any(|open| open.program == program) {
                self.choosing &= !bit;
            } else if wanted {
                let switches = Switches::default()
                    .with(Switches::SOME_PIDS, true)
                    .with(Switches::CHOOSE, true);
                for cpu in 0..gate.board.possible() {
                    gate.board.switch(cpu, program, switches);
                }
                // A refused one is a row's matter.
                let _attached = gate.attach(program);
                self.choosing |= bit;
            } else if choosing {
                gate.detach(program);
                self.choosing &= !bit;
            }
        }
    }

    /// The sockets that the filter's processes have open, as /proc/PID/fd said.
    pub fn choose(&mut self, gate: &mut Gate, open: &[(u64, u32)], demand: &Demand) {
        if self.programs == 0 && open.is_empty() && demand.pids.is_empty() {
            return;
        }
        let chosen: FxHashMap<u64, u32> = gate.chosen().into_iter().collect();
        let wanted = |(_, pid): &&(u64, u32)| demand.pids.contains(pid);
        let open: FxHashMap<u64, u32> = open.iter().filter(wanted).copied().collect();
        let more: Vec<(u64, u32)> = (open.iter())
            .filter(|(socket, _)| !chosen.contains_key(socket))
            .map(|(&socket, &pid)| (socket, pid))
            .collect();
        let crowded = chosen.len() + more.len() > CROWDED;
        let gone: Vec<u64> = (chosen.iter())
            .filter(|(socket, pid)| {
                !demand.pids.contains(pid) || crowded && !open.contains_key(socket)
            })
            .map(|(&socket, _)| socket)
            .collect();
        gate.choose(&more, &gone);
    }
}

fn key(tally: &SocketTally) -> (u64, usize, u32) {
    (tally.socket, tally.program, tally.cpu)
}

fn sums(tally: &SocketTally) -> [u64; 3] {
    [tally.hits, tally.packets, tally.bytes]
}

/// An entry that was made anew meanwhile begins at 0.
fn since(tally: &SocketTally, told: [u64; 3]) -> [u64; 3] {
    let now = sums(tally);
    if now[0] < told[0] {
        return now;
    }
    [0, 1, 2].map(|i: usize| now[i].saturating_sub(told[i]))
}

/// The rest of each event and CPU becomes one line without a socket.
fn bound(told: &mut Vec<SocketCounts>) {
    if told.len() <= MOST {
        return;
    }
    told.sort_by(|a, b| b.hits.cmp(&a.hits).then(a.socket.cmp(&b.socket)));
    let mut rest: Vec<SocketCounts> = Vec::new();
    for few in told.split_off(MOST) {
        let same = |r: &&mut SocketCounts| (r.event, r.cpu) == (few.event, few.cpu);
        match rest.iter_mut().find(same) {
            Some(sum) => {
                sum.hits += few.hits;
                sum.packets += few.packets;
                sum.bytes += few.bytes;
            }
            None => rest.push(SocketCounts { socket: 0, ..few }),
        }
    }
    told.append(&mut rest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::EventId;

    #[test]
    fn the_busiest_sockets_are_told_one_by_one_and_the_rest_as_one() {
        let line = |socket, hits| SocketCounts {
            event: EventId(3),
            socket,
            cpu: None,
            hits,
            packets: 2 * hits,
            bytes: 0,
        };
        let mut told: Vec<SocketCounts> = (1..=2000).map(|n| line(n, n)).collect();
        bound(&mut told);
        assert_eq!(told.len(), MOST + 1);
        assert_eq!(told[0], line(2000, 2000));
        assert_eq!(told[MOST], line(0, (1..=976).sum()));
    }

    #[test]
    fn an_entry_that_was_made_anew_is_told_from_its_beginning() {
        let tally = |hits| SocketTally {
            socket: 9,
            program: 1,
            cpu: 0,
            hits,
            packets: hits,
            bytes: 10 * hits,
        };
        assert_eq!(since(&tally(7), [5, 5, 50]), [2, 2, 20]);
        assert_eq!(since(&tally(3), [5, 5, 50]), [3, 3, 30]);
    }
}
