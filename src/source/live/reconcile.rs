//! From one demand to the next: what is attached and how, on every CPU, in the gate and for the processes of
//! the filter; and the windows of events that are counted a part of the time, gated or not.

use std::time::Duration;

use super::gate::calibrate;
use super::gate::programs;
use super::gate::windows::{Edge, Member};
use super::gate::{Gated, windowed};
use super::sampler::command::{Answer, SamplerCommand};
use super::sampler::handle::SamplerHandle;
use super::window_edge::WindowEdge;
use super::{Live, RING_BYTES};
use crate::decode::{ALWAYS, Attach, Counts, Demand, Event, EventId, Place, together};
use crate::host::descendants;
use crate::sys::{ErrnoHint, give_back_memory, monotonic_ns};

/// Between two looks at whether the gate is there.
const A_MOMENT: Duration = Duration::from_millis(2);

impl Live {
    /// One sampler per online CPU; a CPU that went away loses its sampler.
    pub(super) fn start_samplers(&mut self) {
        let Some(leader) = self.leader else { return };
        let cpus = self.session.host.cpus.clone();
        self.samplers.retain(|s| cpus.contains(&s.cpu) && !s.dead);
        for cpu in cpus {
            if self.samplers.iter().any(|s| s.cpu == cpu) {
                continue;
            }
            let interval_s = self.demand.interval.as_secs_f64();
            match SamplerHandle::start(cpu, leader, RING_BYTES, interval_s, &self.lines) {
                Ok((sampler, size)) => {
                    if size < RING_BYTES && self.samplers.is_empty() {
                        self.notes.push(format!(
                            "locked memory is short: rings of {} KiB per CPU (give CAP_IPC_LOCK for larger ones)",
                            size / 1024
                        ));
                    }
                    for attach in self.demand.attached.clone() {
                        self.attach_on(&sampler, attach);
                        let gate = self.gate.as_ref().filter(|_| attach.gate);
                        if let Some(command) = gate.and_then(|gate| self.gate_order(gate, &attach))
                        {
                            sampler.send(command);
                        }
                    }
                    if self.demand.clock_hz > 0 {
                        self.start_clock_on(&sampler);
                    }
                    if self.demand.side_band {
                        sampler.send(SamplerCommand::SideBand(true));
                    }
                    self.samplers.push(sampler);
                }
                Err(error) => self
                    .notes
                    .push(format!("cpu {cpu}: {}", ErrnoHint::of(&error))),
            }
        }
    }

    pub(super) fn attach_on(&mut self, sampler: &SamplerHandle, attach: Attach) {
        if !attach.wide || attach.gate {
            return;
        }
        let Some((wanted, layout)) = self
            .catalog
            .wanted(attach.event, self.demand.device.as_deref())
        else {
            return;
        };
        let stacks_per_s = attach.stacks_per_s;
        sampler.send(SamplerCommand::Attach {
            event: attach.event,
            wanted,
            layout,
            stacks_per_s,
            every: attach.every,
        });
        self.pending += 1;
    }

    fn start_clock_on(&mut self, sampler: &SamplerHandle) {
        let hz = self.demand.clock_hz;
        sampler.send(SamplerCommand::Clock { hz });
        self.pending += usize::from(hz > 0);
    }

    /// Samples CPU time at the demand's rate, on every CPU.
    pub(super) fn reconcile_clock(&mut self) {
        let samplers = std::mem::take(&mut self.samplers);
        for sampler in &samplers {
            self.start_clock_on(sampler);
        }
        self.samplers = samplers;
    }

    pub(super) fn reconcile_side_band(&self, old: &Demand) {
        let wanted = self.demand.side_band;
        for sampler in self.samplers.iter().filter(|_| wanted != old.side_band) {
            sampler.send(SamplerCommand::SideBand(wanted));
        }
    }

    /// Opens, closes and re-aims the CPU-wide events: `old` → `self.demand`.
    pub(super) fn reconcile_wide(&mut self, old: &Demand) {
        let now = monotonic_ns();
        let started = self.started.unwrap_or(now);
        let refilter = old.device != self.demand.device;
        let mut samplers = std::mem::take(&mut self.samplers);
        let wide = |d: &Demand, event| {
            let attach = d.attached.iter().find(|a| a.event == event);
            attach.copied().filter(|a| a.wide && !a.gate)
        };
        let kept =
            |before: &Attach, after: &Attach| !refilter && !counted_differently(before, after);
        for attach in old.attached.iter().filter(|a| a.wide && !a.gate) {
            let after = wide(&self.demand, attach.event);
            if after.is_none_or(|after| !kept(attach, &after)) {
                for sampler in &mut samplers {
                    sampler.detach(attach.event, now, started);
                }
            }
        }
        for attach in self.demand.attached.clone() {
            let Attach {
                event,
                stacks_per_s,
                ..
            } = attach;
            match wide(old, event).filter(|before| kept(before, &attach)) {
                None => {
                    for sampler in &samplers {
                        self.attach_on(sampler, attach);
                    }
                }
                Some(before) if before.stacks_per_s != stacks_per_s => {
                    for sampler in &samplers {
                        sampler.send(SamplerCommand::Aim {
                            event,
                            stacks_per_s,
                        });
                    }
                }
                Some(_) => {}
            }
        }
        self.samplers = samplers;
    }

    pub(super) fn reconcile_tasks(&mut self, old: &Demand) {
        if old.device != self.demand.device || old.children != self.demand.children {
            self.tasks.close_all(&self.lines.closer);
        }
        let device = self.demand.device.as_deref();
        let wanted: Vec<_> = (self
            .demand
            .attached
            .iter()
            .filter(|a| a.per_task && !a.gate))
        .filter_map(|a| Some((a.event, self.catalog.wanted(a.event, device)?.0)))
        .collect();
        if old.pids != self.demand.pids || old.children != self.demand.children {
            // Children born later are inherited; listed again, they would be counted twice.
            self.family = if self.demand.children {
                descendants(&self.proc, &self.demand.pids)
            } else {
                Vec::new()
            };
        }
        let pids = &[self.demand.pids.as_slice(), &self.family].concat();
        self.notes.extend(self.tasks.reconcile(
            &wanted,
            pids,
            self.demand.children,
            &self.lines.closer,
        ));
    }

    pub(super) fn take_answer(&mut self, answer: Answer) {
        match answer {
            Answer::Attached {
                cpu,
                event,
                id,
                at,
                reader,
            } => {
                self.pending = self.pending.saturating_sub(1);
                let wanted = self
                    .demand
                    .attached
                    .iter()
                    .any(|a| a.wide && a.event == event);
                if let (true, Some(sampler)) =
                    (wanted, self.samplers.iter_mut().find(|s| s.cpu == cpu))
                {
                    sampler.attached(event, id, at, reader);
                }
            }
            Answer::Refused { cpu, event, error } => {
                self.pending = self.pending.saturating_sub(1);
                // ENODEV: that CPU is going offline, the others are fine.
                if error.raw_os_error() != Some(libc::ENODEV) {
                    let name = self.session.events[event.0 as usize].spec.full_name();
                    self.catalog
                        .refuse(event, format!("{name}: {}", ErrnoHint::of(&error)));
                    self.session.events.clone_from(&self.catalog.events);
                } else if let Some(sampler) = self.samplers.iter_mut().find(|s| s.cpu == cpu) {
                    sampler.dead = true;
                }
            }
            Answer::Clock { cpu, result } => {
                self.pending = self.pending.saturating_sub(1);
                match result {
                    Ok(kind) => self.session.host.clock = Some(kind),
                    Err(error) if error.raw_os_error() == Some(libc::ENODEV) => {}
                    Err(error) => {
                        let why = ErrnoHint::of(&error);
                        self.notes
                            .push(format!("cpu {cpu}: its time is not sampled: {why}"));
                    }
                }
            }
            Answer::NoSideBand { cpu, error } => {
                let why = ErrnoHint::of(&error);
                self.notes.push(format!(
                    "cpu {cpu}: processes that begin there are not told: {why}"
                ));
            }
            Answer::LastCount { cpu, event, hits } => self.last_counts.push((cpu, event, hits)),
            Answer::Windows {
                cpu,
                event,
                windows,
            } => self.windows.push((event, cpu, windows)),
            Answer::Drained { .. } => {}
        }
    }

    /// Waits until the samplers have answered the attach commands, so that the first interval
    /// counts what was asked for.
    pub(super) fn settle(&mut self) {
        let deadline = monotonic_ns() + 200_000_000;
        while self.pending > 0 {
            let left = Duration::from_nanos(deadline.saturating_sub(monotonic_ns()));
            match self.answers.recv_timeout(left) {
                Ok(answer) => self.take_answer(answer),
                Err(_) => return,
            }
        }
    }

    // The gate.

    /// Takes the gate, if it is on its way and there, or due to be waited for.
    pub(super) fn finish_loading(&mut self) {
        while let Some(loading) = &self.loading
            && !loading.thread.is_finished()
        {
            if monotonic_ns() >= loading.until {
                return;
            }
            std::thread::sleep(A_MOMENT);
        }
        if let Some(loading) = self.loading.take() {
            self.session.gate_loading = false;
            let loaded = loading.thread.join();
            self.take_gate(loaded.unwrap_or_else(|_| Err("loading it failed".to_owned())));
            // The kernel's types were many, and are not needed any more.
            give_back_memory();
            self.measure_costs();
        }
    }

    /// When each process of the filter started; 0 where that cannot be told.
    fn starts(&mut self) -> Vec<(u32, u64)> {
        let demand = &self.demand;
        (self.lives).starts(&self.proc, &demand.pids, &demand.start_ticks)
    }

    /// The gate is there, or it is said why not.
    fn take_gate(&mut self, loaded: Result<Gated, String>) {
        match loaded {
            Ok(mut gate) => {
                // What was asked for meanwhile.
                let starts = self.starts();
                self.notes.extend(gate.filter(&self.demand, &starts));
                for (index, event) in (0..).zip(&mut self.catalog.events) {
                    event.gate = gate.program(EventId(index)).is_some();
                }
                self.gate = Some(gate);
                self.session.events.clone_from(&self.catalog.events);
            }
            Err(why) => {
                self.notes
                    .push(format!("counting with perf events, not with BPF: {why}"));
                self.session.no_gate = Some(why);
            }
        }
    }

    /// What a hit costs here, before anything is attached.
    pub(super) fn measure_costs(&mut self) {
        let receive = self.catalog.named("sock", "sock_recv_length");
        let returns = |event: &Event| match event.spec.place {
            Place::User { returns, .. } => Some(returns),
            _ => None,
        };
        // The dearest of them, if there are any.
        let returns = self.catalog.events.iter().filter_map(returns).max();
        let (gate, closer) = (self.gate.as_mut(), &self.lines.closer);
        self.session.costs = calibrate::costs(gate, receive.as_ref(), returns, closer);
    }

    /// Attaches, lets go and re-aims the gated events: `old` → `self.demand`.
    pub(super) fn reconcile_gate(&mut self, old: &Demand) {
        let Some(mut gate) = self.gate.take() else {
            return self.keep_windows(old);
        };
        let asked = |d: &Demand| (d.pids.clone(), d.start_ticks.clone(), d.device.clone());
        if asked(old) != asked(&self.demand) {
            let starts = self.starts();
            self.notes.extend(gate.filter(&self.demand, &starts));
        }
        let now = monotonic_ns();
        let started = self.started.unwrap_or(now);
        let demand = self.demand.clone();
        let gated = |d: &Demand, event: EventId| {
            let attach = d.attached.iter().find(|a| a.event == event);
            attach.copied().filter(|a| a.gate)
        };
        for before in old.attached.iter().filter(|a| a.gate) {
            let after = gated(&demand, before.event);
            if after.is_none_or(|after| counted_differently(before, &after)) {
                gate.detach(before.event, now, started, &mut self.brought);
                self.tell(&SamplerCommand::Detach(before.event));
            }
        }
        for attach in demand.attached.iter().filter(|a| a.gate) {
            let before = gated(old, attach.event);
            match before.filter(|before| !counted_differently(before, attach)) {
                None => {
                    if let Err(why) = gate.attach(attach, &demand, monotonic_ns) {
                        self.refuse_gated(attach.event, &why);
                        continue;
                    }
                    self.sample_gated(&gate, attach);
                }
                Some(before) => {
                    gate.aim(attach, &demand);
                    if before.stacks_per_s != attach.stacks_per_s {
                        self.tell(&SamplerCommand::Aim {
                            event: attach.event,
                            stacks_per_s: attach.stacks_per_s,
                        });
                    }
                }
            }
        }
        gate.keep_choosing(&demand);
        self.gate = Some(gate);
        self.keep_windows(old);
    }

    /// Every sampler takes its CPU's samples of the event.
    fn sample_gated(&self, gate: &Gated, attach: &Attach) {
        for sampler in &self.samplers {
            if let Some(command) = self.gate_order(gate, attach) {
                sampler.send(command);
            }
        }
    }

    pub(super) fn gate_order(&self, gate: &Gated, attach: &Attach) -> Option<SamplerCommand> {
        let program = gate.program(attach.event)?;
        let layout = self
            .catalog
            .gated(attach.event, &programs::format(program))?;
        Some(SamplerCommand::Gate {
            event: attach.event,
            board: gate.board().clone(),
            program,
            layout,
            stacks_per_s: attach.stacks_per_s,
        })
    }

    fn tell(&self, command: &SamplerCommand) {
        for sampler in &self.samplers {
            sampler.send(command.clone());
        }
    }

    /// From now on perf events count it.
    fn refuse_gated(&mut self, event: EventId, why: &str) {
        let event = &mut self.catalog.events[event.0 as usize];
        event.gate = false;
        let name = event.spec.full_name();
        self.notes.push(format!(
            "{name} is counted with perf events, not with BPF: {why}"
        ));
        self.session.events.clone_from(&self.catalog.events);
    }

    // Windows.

    /// What is counted a part of the time has the windows of the new demand.
    fn keep_windows(&mut self, old: &Demand) {
        let parts = |d: &Demand| {
            let part = d.attached.iter();
            let part = part.filter(|a| a.wide && a.duty_permille < ALWAYS);
            part.map(|a| Member {
                event: a.event,
                permille: a.duty_permille,
                gate: a.gate,
            })
            .collect::<Vec<_>>()
        };
        let members = parts(&self.demand);
        if parts(old) == members {
            return;
        }
        if self.schedule.is_open() {
            self.switch_windows(false);
        }
        let (interval, now) = (self.demand.interval.as_nanos() as u64, monotonic_ns());
        self.schedule.set(members, interval, now);
    }

    /// Opens and closes the windows that are due; when the next edge is.
    pub(super) fn turn_windows(&mut self, now: u64) -> u64 {
        let interval = self.demand.interval.as_nanos() as u64;
        if let Some(edge) = self.schedule.turn(interval, now) {
            let chosen = self.schedule.chosen().to_vec();
            self.meter.at(edge, false, self.gate.as_ref(), &chosen);
            if matches!(edge, Edge::Open | Edge::Close) {
                self.switch_windows(edge == Edge::Open);
                self.meter.at(edge, true, self.gate.as_ref(), &chosen);
            }
            self.schedule.late(monotonic_ns().saturating_sub(now));
        }
        self.schedule.due().max(now)
    }

    fn switch_windows(&mut self, on: bool) {
        let chosen = self.schedule.chosen().to_vec();
        for member in chosen.iter().filter(|m| !m.gate || self.gate.is_none()) {
            self.tell(&SamplerCommand::Window {
                event: member.event,
                on,
            });
        }
        let Some(mut gate) = self.gate.take() else {
            return;
        };
        // Each time in this order: attached all the while, softnet, the time, the gate's own counts.
        if on {
            gate.attach_window(&chosen);
            self.opened = self.look_at_window();
            gate.begin_window(&chosen);
        } else {
            let closed = self.look_at_window();
            let packets = closed.packets_since(&self.opened);
            let span_ns = closed.at.saturating_sub(self.opened.at);
            gate.end_window(&chosen, packets, span_ns);
            gate.detach_window(&chosen);
        }
        self.gate = Some(gate);
    }

    pub(super) fn look_at_window(&mut self) -> WindowEdge {
        let fast = self.fast.as_mut();
        let mut softnet = fast.and_then(|fast| fast.softnet().ok());
        if let Some(softnet) = &mut softnet {
            softnet.retain(|(cpu, _)| self.chosen.is_empty() || self.chosen.contains(cpu));
        }
        WindowEdge {
            softnet,
            at: monotonic_ns(),
        }
    }

    /// Of perf events that were counted in windows only those windows count.
    pub(super) fn put_windows(&mut self, counts: &mut Vec<Counts>) {
        let windows = std::mem::take(&mut self.windows);
        let perf = |c: &Counts| !c.gate && c.cpu.is_some();
        let schedule = &self.schedule;
        counts.retain(|c| !perf(c) || !schedule.has(c.event));
        for member in schedule.members() {
            let of_event = || windows.iter().filter(|(event, ..)| *event == member.event);
            // Each sampler has its own: taken as if they always moved together.
            let spread = together(of_event().map(|(.., windows)| windows.spread()));
            counts.extend(
                of_event()
                    .map(|(event, cpu, windows)| windowed(*event, *cpu, false, windows, spread)),
            );
        }
    }
}

/// Must it be let go and attached anew?
fn counted_differently(before: &Attach, after: &Attach) -> bool {
    before.gate != after.gate || (before.duty_permille < ALWAYS) != (after.duty_permille < ALWAYS)
}
