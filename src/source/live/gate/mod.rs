//! Counting with the gate: which programs are attached, what each has counted per CPU, device and
//! process since the last tick. Its samples come through the rings like any event's.

pub mod by_device;
pub mod by_process;
pub mod by_socket;
pub mod calibrate;
pub mod latency;
pub mod meter;
pub mod programs;
pub mod windows;

use std::sync::Arc;

use rustc_hash::FxHashMap;

use self::by_device::ByDevice;
use self::by_process::ByProcess;
use self::by_socket::BySocket;
use self::programs::{OBJECT, PROGRAMS, observing};
use self::windows::Member;
use crate::decode::{
    ALWAYS, Attach, Carried, Counts, Demand, DeviceCounts, EventId, EventSpec, Place, SocketCounts,
    Spread, Windows,
};
use crate::sys::{Gate, Switchboard, Switches, Tally};

pub struct Gated {
    pub(super) gate: Gate,
    /// By event: the program that counts it.
    programs: Vec<Option<usize>>,
    /// By event: its samples bring the caller.
    called: Vec<bool>,
    pub(super) open: Vec<Open>,
    processes: ByProcess,
    by_socket: BySocket,
    /// CPUs whose counts are told: those online.
    pub cpus: Vec<u32>,
    /// On others nothing is counted; empty: on all.
    chosen: Arc<[u32]>,
    /// Not every hit counts.
    filtered: bool,
}

/// Tracepoints whose programs do not load on this host and why, or why none does.
pub fn gate_refusals() -> Result<Vec<(&'static str, String)>, String> {
    let gate = Gate::load(OBJECT, &PROGRAMS, |_| true)?;
    let tracepoints = PROGRAMS.iter().map(|program| program.tracepoint);
    let refused = tracepoints.zip(gate.refused.iter());
    Ok(refused
        .filter_map(|(event, why)| Some((event, why.clone()?)))
        .collect())
}

/// An attached program; everything counted is cumulative, as of the last tick.
pub struct Open {
    pub event: EventId,
    pub program: usize,
    /// When it was attached, CLOCK_MONOTONIC, ns.
    pub since: u64,
    /// By CPU.
    counted: Vec<Tally>,
    /// `None`: not counted per device.
    devices: Option<ByDevice>,
    misses: u64,
    /// Counted a part of the time: whether a window is open, each CPU's windows, and all CPUs'.
    windows: Option<(bool, Vec<Windows>, Windows)>,
}

/// Where a tick's figures go.
#[derive(Default)]
pub struct Brought {
    pub counts: Vec<Counts>,
    pub carried: Vec<Carried>,
    pub devices: Vec<DeviceCounts>,
    /// What events had on devices in their windows: about how busy these are.
    pub in_windows: Vec<DeviceCounts>,
    pub sockets: Vec<SocketCounts>,
    pub overflow: u64,
}

impl Gated {
    /// `Err`: one sentence why this host counts without.
    pub fn load(specs: &[EventSpec], chosen: Arc<[u32]>) -> Result<Gated, String> {
        let wanted: Vec<usize> = specs.iter().filter_map(observing).collect();
        let mut gate = Gate::load(OBJECT, &PROGRAMS, |program| wanted.contains(&program))?;
        let mut programs = Vec::new();
        for spec in specs {
            programs.push(match &spec.place {
                Place::Tracepoint => observing(spec).filter(|&p| gate.refused[p].is_none()),
                Place::User {
                    file,
                    offset,
                    returns,
                    ..
                } => gate.add_breakpoint(file, *offset, *returns).ok(),
                Place::Kernel { .. } => None,
            });
        }
        Ok(Gated {
            gate,
            programs,
            called: specs.iter().map(|s| s.place.brings_caller()).collect(),
            open: Vec::new(),
            processes: ByProcess::default(),
            by_socket: BySocket::default(),
            cpus: Vec::new(),
            chosen,
            filtered: false,
        })
    }

    pub fn program(&self, event: EventId) -> Option<usize> {
        self.programs.get(event.0 as usize).copied().flatten()
    }

    pub fn board(&self) -> &Switchboard {
        &self.gate.board
    }

    /// Has every receive call counted during `measure`, before anything else is.
    pub fn while_receives_are_counted<T>(&mut self, measure: impl Fn() -> Option<T>) -> Option<T> {
        let program = programs::priced()?;
        let attached = self.gate.attach(program).ok();
        let result = attached.and_then(|()| measure());
        self.gate.detach(program);
        result
    }

    /// Counts the event from `now` on, on every CPU.
    pub fn attach(
        &mut self,
        attach: &Attach,
        demand: &Demand,
        now: impl Fn() -> u64,
    ) -> Result<(), String> {
        let program = self.program(attach.event).ok_or("no program")?;
        self.aim(attach, demand);
        let board = &self.gate.board;
        let counted: Vec<Tally> = (0..board.possible())
            .map(|cpu| board.tally(cpu, program))
            .collect();
        let devices = programs::counts_devices(program).then(|| ByDevice::start(board, program));
        let windows = (attach.duty_permille < ALWAYS).then(|| {
            (
                false,
                vec![Windows::default(); board.possible() as usize],
                Windows::default(),
            )
        });
        if windows.is_none() {
            self.gate.attach(program).map_err(|e| e.to_string())?;
        }
        self.open.push(Open {
            event: attach.event,
            program,
            since: now(),
            counted,
            devices,
            misses: self.gate.misses(program),
            windows,
        });
        Ok(())
    }

    /// Whose hits count and are sampled, from now on.
    pub fn aim(&mut self, attach: &Attach, demand: &Demand) {
        let Some(program) = self.program(attach.event) else {
            return;
        };
        let owned = attach.by_socket;
        self.by_socket.count(&mut self.gate, program, owned);
        let filtered = !demand.pids.is_empty();
        // Sockets are chosen for the events that are counted by them.
        let choose = programs::is_call(program) && demand.attached.iter().any(|a| a.by_socket);
        let switches = Switches::default()
            .with(Switches::BY_DEVICE, programs::counts_devices(program))
            .with(
                Switches::BY_PROCESS,
                demand.by_process || (filtered && !owned && attach.per_task),
            )
            .with(Switches::SOME_PIDS, filtered && !owned)
            .with(
                Switches::SAMPLE_PIDS,
                filtered && !owned && !attach.everyone,
            )
            .with(Switches::BY_SOCKET, owned)
            .with(
                Switches::SAMPLE_CHOSEN,
                filtered && owned && !attach.everyone,
            )
            .with(Switches::CHOOSE, filtered && choose)
            .with(
                Switches::CALLED,
                self.called.get(attach.event.0 as usize) == Some(&true),
            )
            .with(Switches::ONE_DEVICE, demand.device.is_some());
        for cpu in 0..self.gate.board.possible() {
            let chosen = self.chosen.is_empty() || self.chosen.contains(&cpu);
            let switches = switches.with(Switches::ELSEWHERE, !chosen);
            self.gate.board.switch(cpu, program, switches);
        }
    }

    /// Sets the filters that [`Gated::aim`] switches on. `starts`: when each process of the demand started,
    /// in clock ticks since boot; 0: not known.
    pub fn filter(&mut self, demand: &Demand, starts: &[(u32, u64)]) -> Option<String> {
        self.filtered = demand.device.is_some() || !demand.pids.is_empty();
        self.gate.set_device(demand.device.as_deref().unwrap_or(""));
        let result = self.gate.set_pids(starts);
        // Those of another filter.
        self.by_socket.forget(&mut self.gate, u64::MAX);
        self.choose_sockets(&[], demand);
        result.err().map(|why| {
            format!(
                "the filter of {} processes is incomplete: {why}",
                demand.pids.len()
            )
        })
    }

    /// Lets the event go; what it counted since the last tick is brought.
    pub fn detach(&mut self, event: EventId, now: u64, from: u64, brought: &mut Brought) {
        let Some(index) = self.open.iter().position(|open| open.event == event) else {
            return;
        };
        let mut open = self.open.swap_remove(index);
        open.read(
            &mut self.gate,
            (&self.cpus, self.filtered),
            (now, from),
            brought,
        );
        self.gate.detach(open.program);
    }

    /// Attaches the events of a window.
    pub fn attach_window(&mut self, members: &[Member]) {
        for open in in_windows(&mut self.open, members) {
            let attached = self.gate.attach(open.program).is_ok();
            if let Some((is_open, ..)) = &mut open.windows {
                *is_open = attached;
            }
        }
    }

    /// Their hits count from now on.
    pub fn begin_window(&mut self, members: &[Member]) {
        for open in in_windows(&mut self.open, members) {
            for (cpu, counted) in (0..).zip(&mut open.counted) {
                *counted = self.gate.board.tally(cpu, open.program);
            }
        }
    }

    /// Takes what they had in the window. `packets` as in [`Windows::push`].
    pub fn end_window(&mut self, members: &[Member], packets: Option<u64>, span_ns: u64) {
        for open in in_windows(&mut self.open, members) {
            let Some((true, windows, all)) = &mut open.windows else {
                continue;
            };
            let mut sum = 0;
            for (cpu, (counted, windows)) in (0..).zip(open.counted.iter().zip(windows)) {
                let tally = self.gate.board.tally(cpu, open.program);
                let hits = tally.hits.saturating_sub(counted.hits);
                windows.push(hits, packets, span_ns);
                sum += hits;
            }
            all.push(sum, packets, span_ns);
        }
    }

    pub fn detach_window(&mut self, members: &[Member]) {
        for open in in_windows(&mut self.open, members) {
            if let Some((is_open, ..)) = &mut open.windows
                && std::mem::take(is_open)
            {
                self.gate.detach(open.program);
            }
        }
    }

    /// Hits so far of these events on a CPU.
    pub fn hits_of(&self, members: &[Member], cpu: u32) -> u64 {
        let gated = members.iter().filter(|member| member.gate);
        let programs = gated.filter_map(|member| self.program(member.event));
        programs.map(|p| self.gate.board.tally(cpu, p).hits).sum()
    }

    /// It counts what softnet counts.
    pub fn receives_skbs(&self, member: Member) -> bool {
        member.gate && self.program(member.event).is_some_and(programs::receives)
    }

    /// Packets that a CPU has handed to devices, if those are counted all the time.
    pub fn sent_always(&self, cpu: u32) -> u64 {
        let sends = |open: &&Open| programs::sends(open.program) && open.windows.is_none();
        let open = self.open.iter().find(sends);
        open.map_or(0, |open| self.gate.board.tally(cpu, open.program).hits)
    }

    /// Of each event that is counted all the time its hits since the look before, on the CPU that had
    /// the most of them; `before` becomes what they are now. An event that was not counted all the
    /// time at the look before has none: what its windows had is no burst.
    pub fn hits_since(&self, before: &mut FxHashMap<EventId, Vec<u64>>) -> Vec<(EventId, u64)> {
        let board = &self.gate.board;
        let last = std::mem::take(before);
        let mut grown = Vec::new();
        for open in self.open.iter().filter(|open| open.windows.is_none()) {
            let tally = |&cpu: &u32| board.tally(cpu, open.program).hits;
            let now: Vec<u64> = self.cpus.iter().map(tally).collect();
            let more = (last.get(&open.event).into_iter().flatten().zip(&now))
                .map(|(before, now)| now.saturating_sub(*before))
                .max();
            grown.push((open.event, more.unwrap_or(0)));
            before.insert(open.event, now);
        }
        grown
    }

    /// Everything since the last tick.
    pub fn read(&mut self, now: u64, from: u64, demand: &Demand, brought: &mut Brought) {
        for open in &mut self.open {
            open.read(
                &mut self.gate,
                (&self.cpus, self.filtered),
                (now, from),
                brought,
            );
        }
        if demand.by_process || !demand.pids.is_empty() {
            let gate = (&mut self.gate, &self.open[..]);
            self.processes
                .read(gate, (now, from), &demand.pids, brought);
        }
        let gate = (&mut self.gate, &self.open[..]);
        self.by_socket.read(gate, (now, from), demand, brought);
    }

    /// Calls choose their sockets also where they have no row.
    pub fn keep_choosing(&mut self, demand: &Demand) {
        self.by_socket
            .keep_choosing((&mut self.gate, &self.open), demand);
    }

    /// The sockets that the filter's processes have open, as /proc/PID/fd said.
    pub fn choose_sockets(&mut self, open: &[(u64, u32)], demand: &Demand) {
        self.by_socket.choose(&mut self.gate, open, demand);
    }
}

fn in_windows<'a>(
    open: &'a mut [Open],
    members: &'a [Member],
) -> impl Iterator<Item = &'a mut Open> {
    let chosen = |event| members.iter().any(|m| m.gate && m.event == event);
    open.iter_mut()
        .filter(move |open| open.windows.is_some() && chosen(open.event))
}

impl Open {
    /// It says for whom the softirq of a CPU works.
    pub fn receives(&self) -> bool {
        programs::is_for_a_socket(self.program)
    }

    fn read(
        &mut self,
        gate: &mut Gate,
        (cpus, filtered): (&[u32], bool),
        (now, from): (u64, u64),
        brought: &mut Brought,
    ) {
        let first = brought.counts.len();
        if let Some((_, windows, all)) = &mut self.windows {
            let spread = std::mem::take(all).spread();
            for (cpu, windows) in (0..).zip(windows) {
                let taken = std::mem::take(windows);
                if taken.span_ns > 0 && cpus.contains(&cpu) {
                    let counts = windowed(self.event, cpu, true, &taken, spread);
                    brought.counts.push(counts);
                    if let Some(devices) = &mut self.devices {
                        let place = (self.event, self.program);
                        devices.read(place, &gate.board, cpu, &mut brought.in_windows);
                    }
                }
            }
            return;
        }
        let span_ns = now.saturating_sub(self.since.max(from));
        let mut all = Tally::default();
        for &cpu in cpus {
            let Some(counted) = self.counted.get_mut(cpu as usize) else {
                continue;
            };
            let tally = gate.board.tally(cpu, self.program);
            let hits = tally.hits.saturating_sub(counted.hits);
            brought.counts.push(Counts {
                event: self.event,
                cpu: Some(cpu),
                pid: None,
                hits,
                bytes: 0,
                span_ns,
                gate: true,
                spread: None,
            });
            all.hits += hits;
            all.packets += tally.packets.saturating_sub(counted.packets);
            all.bytes += tally.bytes.saturating_sub(counted.bytes);
            brought.overflow += tally.overflow.saturating_sub(counted.overflow);
            *counted = tally;
            if hits > 0
                && let Some(devices) = &mut self.devices
            {
                let place = (self.event, self.program);
                devices.read(place, &gate.board, cpu, &mut brought.devices);
            }
        }
        brought.carried.push(Carried {
            event: self.event,
            hits: all.hits,
            packets: all.packets,
            bytes: all.bytes,
        });
        // Which CPU left a run out is not told: most likely the busiest.
        // A run that is left out finds another one running, which is a hit unless a filter says no.
        if all.hits == 0 && !filtered {
            return;
        }
        let misses = gate.misses(self.program);
        let left_out = misses.saturating_sub(self.misses);
        self.misses = misses;
        if let Some(busiest) = brought.counts[first..].iter_mut().max_by_key(|c| c.hits) {
            busiest.hits += left_out;
        }
    }
}

/// Counts of an event that was counted in windows.
pub fn windowed(event: EventId, cpu: u32, gate: bool, windows: &Windows, spread: Spread) -> Counts {
    Counts {
        event,
        cpu: Some(cpu),
        pid: None,
        hits: windows.hits,
        bytes: 0,
        span_ns: windows.span_ns,
        gate,
        spread: Some(spread),
    }
}
