//! What is open: from one demand to the next, on every CPU and for the processes of the filter.

use std::time::Duration;

use super::command::{Answer, SamplerCommand};
use super::gating::counted_differently;
use super::sampler_handle::SamplerHandle;
use super::{Live, RING_BYTES};
use crate::decode::{Attach, Demand};
use crate::host::descendants;
use crate::sys::{ErrnoHint, monotonic_ns};

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
}
