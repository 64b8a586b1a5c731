//! The sampler thread of one CPU: owns the CPU's ring and the events that write into it, drains
//! it when it is an eighth full or when the interval ends, and keeps the periods.
//!
//! ```text
//!  commands ─►│ poll(ring, wake) ─► drain ring ─► decode ─► outbox ─► batches
//!           │ Round: drain, answer, draw new periods from the exact hits
//! ```

pub mod command;
pub mod handle;
pub mod outbox;
pub mod period;
pub mod side_band;
pub mod slot;

use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};

use self::command::{Answer, SamplerCommand};
use self::outbox::Outbox;
use self::period::Draw;
use self::side_band::happened;
use self::slot::{Slot, Way, first_period};
use crate::decode::{
    Batch, Binding, Cursor, EventId, Layout, RECORD_LOST, RECORD_LOST_SAMPLES, RECORD_SAMPLE,
    RECORD_THROTTLE, decode_gated, decode_lost, decode_sample, lost_event,
};
use crate::sys::{
    GroupReader, NO_SAMPLES, PerfEvent, Ring, Switchboard, Target, WakeFd, monotonic_ns,
    readings_count_loss, wait_readable,
};

/// Samples per batch: small enough to be prompt, large enough that the channel is cheap.
const BATCH: usize = 1024;

pub struct Sampler {
    pub cpu: u32,
    pub ring: Ring,
    pub commands: Receiver<SamplerCommand>,
    pub wake: Arc<WakeFd>,
    pub answers: Sender<Answer>,
    pub outbox: Outbox,
    /// Takes closed events: closing waits for RCU, which this thread has no time for.
    pub closer: Sender<PerfEvent>,
    pub interval_s: f64,
    /// What samples CPU time.
    pub clock: Option<PerfEvent>,
    /// Where the gate's samples of this CPU are written.
    pub output: Option<PerfEvent>,
    /// What tells what happens to processes.
    pub side_band: Option<PerfEvent>,
    /// Reads the counts at the edges of windows.
    pub reader: GroupReader,
    /// Ids of events that were closed lately.
    pub closed: Vec<u64>,
}

impl Sampler {
    /// Runs until told to stop.
    pub fn run(mut self) {
        let mut slots: Vec<Slot> = Vec::new();
        let mut batch = self.outbox.empty();
        let mut draw = Draw::new(monotonic_ns() ^ u64::from(self.cpu));
        loop {
            let [_ring, woken] = wait_readable([self.ring.as_raw_fd(), self.wake.as_raw_fd()], -1);
            self.drain(&mut slots, &mut batch);
            self.outbox.send(&mut batch);
            if woken {
                self.wake.clear();
            }
            while let Ok(command) = self.commands.try_recv() {
                match command {
                    SamplerCommand::Stop => {
                        for slot in slots {
                            self.close_slot(slot);
                        }
                        self.stop_clock();
                        self.tell_processes(false);
                        return;
                    }
                    SamplerCommand::Round { number, rates } => {
                        self.drain(&mut slots, &mut batch);
                        self.outbox.send(&mut batch);
                        self.send_windows(&mut slots);
                        self.answer(Answer::Drained { round: number });
                        for slot in &mut slots {
                            let rate = rates.iter().find(|(event, _)| *event == slot.event);
                            slot.adapt(rate.map(|(_, rate)| *rate), &mut draw, self.interval_s);
                        }
                    }
                    other => self.obey(other, &mut slots),
                }
            }
            for slot in &mut slots {
                slot.restrain(self.interval_s);
            }
        }
    }

    fn obey(&mut self, command: SamplerCommand, slots: &mut Vec<Slot>) {
        match command {
            SamplerCommand::Attach {
                event,
                wanted,
                layout,
                stacks_per_s,
                every,
            } => {
                let target = Target::Cpu {
                    ring: &mut self.ring,
                    period: first_period(every, stacks_per_s),
                    stacks: !every,
                };
                let opened = PerfEvent::open(&wanted, target).and_then(|perf| {
                    let reader = perf.reader().transpose()?;
                    Ok((perf, reader))
                });
                match opened {
                    Ok((perf, reader)) => {
                        let (id, at) = (perf.id(), monotonic_ns());
                        slots.push(Slot::perf(event, perf, layout, every, stacks_per_s));
                        self.answer(Answer::Attached {
                            cpu: self.cpu,
                            event,
                            id,
                            at,
                            reader,
                        });
                    }
                    Err(error) => self.answer(Answer::Refused {
                        cpu: self.cpu,
                        event,
                        error,
                    }),
                }
            }
            SamplerCommand::Detach(event) => {
                while let Some(index) = slots.iter().position(|s| s.event == event) {
                    let slot = slots.swap_remove(index);
                    self.close_slot(slot);
                }
            }
            SamplerCommand::Gate {
                event,
                board,
                program,
                layout,
                stacks_per_s,
            } => {
                if let Err(error) = self.open_output(&board) {
                    let cpu = self.cpu;
                    self.answer(Answer::Refused { cpu, event, error });
                    return;
                }
                let place = (board, self.cpu, program);
                let slot = Slot::gate(event, place, layout, stacks_per_s, self.interval_s);
                slots.push(slot);
            }
            SamplerCommand::Window { event, on } => {
                let mut readings = Vec::new();
                let _gone = self.reader.read(&mut readings);
                for slot in slots.iter_mut().filter(|s| s.event == event) {
                    slot.count(on, |id| {
                        readings.iter().find(|r| r.id == id).map(|r| r.value)
                    });
                }
            }
            SamplerCommand::Clock { hz } => self.start_clock(hz),
            SamplerCommand::SideBand(on) => self.tell_processes(on),
            SamplerCommand::Aim {
                event,
                stacks_per_s,
            } => {
                for slot in slots.iter_mut().filter(|s| s.event == event) {
                    slot.aim(stacks_per_s);
                }
            }
            SamplerCommand::LastCounts => {
                for slot in slots {
                    if let Some(hits) = slot.last_count() {
                        let (cpu, event) = (self.cpu, slot.event);
                        self.answer(Answer::LastCount { cpu, event, hits });
                    }
                }
            }
            SamplerCommand::Round { .. } | SamplerCommand::Stop => {}
        }
    }

    fn start_clock(&mut self, hz: u32) {
        self.stop_clock();
        if hz == 0 {
            return;
        }
        let opened = PerfEvent::open_clock(&mut self.ring, hz);
        let result = opened.map(|(clock, kind)| {
            self.clock = Some(clock);
            kind
        });
        self.answer(Answer::Clock {
            cpu: self.cpu,
            result,
        });
    }

    fn tell_processes(&mut self, on: bool) {
        if let Some(open) = self.side_band.take() {
            self.close(open);
        }
        if on {
            match PerfEvent::open_side_band(&mut self.ring) {
                Ok(open) => self.side_band = Some(open),
                Err(error) => {
                    let cpu = self.cpu;
                    self.answer(Answer::NoSideBand { cpu, error });
                }
            }
        }
    }

    /// The gate's samples of this CPU come into its ring from now on.
    fn open_output(&mut self, board: &Switchboard) -> io::Result<()> {
        if self.output.is_none() {
            let output = PerfEvent::open_bpf_output(&mut self.ring)?;
            board.put_ring(self.cpu, &output)?;
            self.output = Some(output);
        }
        Ok(())
    }

    fn send_windows(&self, slots: &mut [Slot]) {
        for slot in slots {
            if let Some(windows) = slot.take_windows() {
                self.answer(Answer::Windows {
                    cpu: self.cpu,
                    event: slot.event,
                    windows,
                });
            }
        }
    }

    fn stop_clock(&mut self) {
        if let Some(clock) = self.clock.take() {
            self.close(clock);
        }
    }

    fn drain(&mut self, slots: &mut [Slot], batch: &mut Batch) {
        let outbox = &mut self.outbox;
        let closed = &self.closed;
        let clock = self.clock.as_ref().map(PerfEvent::id);
        let output = self.output.as_ref().map(PerfEvent::id);
        let side_band = self.side_band.as_ref().map(PerfEvent::id);
        self.ring.drain(|kind, misc, body| {
            match kind {
                RECORD_SAMPLE if output.is_some() && Cursor::new(body).u64() == output => {
                    let mut late = false;
                    let bind = |program| {
                        let program = Some(usize::from(program));
                        let slot = slots.iter_mut().find(|s| s.program() == program);
                        late = slot.is_none();
                        let slot = slot?;
                        slot.taken += 1;
                        Some(Binding {
                            event: slot.event,
                            layout: slot.layout,
                            period: None,
                        })
                    };
                    if decode_gated(body, bind, batch).is_none() && !late {
                        batch.loss.undecodable += 1;
                    }
                }
                RECORD_SAMPLE => {
                    let mut late = false;
                    let bind = |id| {
                        if Some(id) == clock {
                            return Some(Binding {
                                event: EventId::CLOCK,
                                layout: Layout::default(),
                                period: None,
                            });
                        }
                        late = closed.contains(&id);
                        let slot = slots.iter_mut().find(|s| s.perf_id() == Some(id))?;
                        slot.taken += 1;
                        Some(Binding {
                            event: slot.event,
                            layout: slot.layout,
                            period: Some(slot.period),
                        })
                    };
                    if decode_sample(body, bind, batch).is_none() && !late {
                        batch.loss.undecodable += 1;
                    }
                }
                // The counts that are read say how many samples of theirs were lost; nobody
                // reads the clock, nor where the gate writes to, nor the side band.
                RECORD_LOST | RECORD_LOST_SAMPLES
                    if !readings_count_loss()
                        || lost_event(kind, body)
                            .is_some_and(|id| [clock, output, side_band].contains(&Some(id))) =>
                {
                    batch.loss.lose(decode_lost(kind, body).unwrap_or(0));
                }
                RECORD_THROTTLE => batch.loss.throttled += 1,
                _ if side_band.is_some() => batch.side.extend(happened(kind, misc, body)),
                _ => {}
            }
            if batch.samples.len() >= BATCH {
                outbox.send(batch);
            }
        });
    }

    fn close_slot(&mut self, mut slot: Slot) {
        slot.set(NO_SAMPLES);
        if let Way::Perf { perf, .. } = slot.way {
            self.close(perf);
        }
    }

    fn close(&mut self, mut perf: PerfEvent) {
        perf.disable();
        // Records it has left in the ring are no decode errors.
        self.closed.push(perf.id());
        if self.closed.len() > 64 {
            self.closed.remove(0);
        }
        // The closer is gone only when the whole source is; then the event closes here.
        let _closed_here = self.closer.send(perf);
    }

    fn answer(&self, answer: Answer) {
        // Nobody listens any more only when the source is being dropped.
        let _source_gone = self.answers.send(answer);
    }
}
