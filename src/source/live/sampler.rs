//! The sampler thread of one CPU: owns the CPU's ring and the events that write into it, drains
//! it when it is an eighth full or when the interval ends, and keeps the periods.
//!
//! ```text
//!  orders ─►│ poll(ring, wake) ─► drain ring ─► decode ─► outbox ─► batches
//!           │ Round: drain, answer, draw new periods from the exact hits
//! ```

use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};

use super::outbox::Outbox;
use super::period::{self, Draw};
use crate::decode::{
    Batch, Binding, ClockKind, EventId, Layout, RECORD_LOST, RECORD_LOST_SAMPLES, RECORD_SAMPLE,
    RECORD_THROTTLE, decode_lost, decode_sample, lost_event,
};
use crate::sys::{
    NO_SAMPLES, PerfEvent, Ring, Target, WakeFd, Wanted, monotonic_ns, readings_count_loss,
    wait_readable,
};

/// Samples per batch: small enough to be prompt, large enough that the channel is cheap.
const BATCH: usize = 1024;

/// More samples of an event that is sampled whole were not bargained for.
const STORM_PER_S: f64 = 20_000.0;

#[derive(Debug)]
pub enum Order {
    Attach {
        event: EventId,
        wanted: Wanted,
        layout: Layout,
        stacks_per_s: u32,
        every: bool,
    },
    Detach(EventId),
    /// A new target of samples per second.
    Aim {
        event: EventId,
        stacks_per_s: u32,
    },
    /// CPU samples per second from now on; 0: none.
    Clock {
        hz: u32,
    },
    /// The interval is over: drain, answer, and adapt to the rates (hits/s) it had.
    Round {
        number: u64,
        rates: Vec<(EventId, f64)>,
    },
    Stop,
}

pub enum Answer {
    Attached {
        cpu: u32,
        event: EventId,
        id: u64,
        at: u64,
    },
    Refused {
        cpu: u32,
        event: EventId,
        error: io::Error,
    },
    /// CPU time is sampled now, by this; or why not.
    Clock {
        cpu: u32,
        result: io::Result<ClockKind>,
    },
    Drained {
        round: u64,
    },
}

struct Slot {
    event: EventId,
    perf: PerfEvent,
    id: u64,
    layout: Layout,
    period: u64,
    /// Wanted samples per second; 0: none.
    target: u32,
    /// Every hit is a sample, without its stack.
    every: bool,
    /// Samples since the last round.
    taken: u64,
}

pub struct Sampler {
    pub cpu: u32,
    pub ring: Ring,
    pub orders: Receiver<Order>,
    pub wake: Arc<WakeFd>,
    pub answers: Sender<Answer>,
    pub outbox: Outbox,
    /// Takes closed events: closing waits for RCU, which this thread has no time for.
    pub closer: Sender<PerfEvent>,
    pub interval_s: f64,
    /// What samples CPU time.
    pub clock: Option<PerfEvent>,
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
            while let Ok(order) = self.orders.try_recv() {
                match order {
                    Order::Stop => {
                        for slot in slots {
                            self.close(slot.perf);
                        }
                        self.stop_clock();
                        return;
                    }
                    Order::Round { number, rates } => {
                        self.drain(&mut slots, &mut batch);
                        self.outbox.send(&mut batch);
                        self.answer(Answer::Drained { round: number });
                        adapt(&mut slots, &rates, &mut draw);
                    }
                    other => self.obey(other, &mut slots),
                }
            }
            restrain(&mut slots, self.interval_s);
        }
    }

    fn obey(&mut self, order: Order, slots: &mut Vec<Slot>) {
        match order {
            Order::Attach {
                event,
                wanted,
                layout,
                stacks_per_s,
                every,
            } => {
                let period = if every {
                    1
                } else if stacks_per_s == 0 {
                    NO_SAMPLES
                } else {
                    period::FIRST
                };
                match PerfEvent::open(
                    &wanted,
                    Target::Cpu {
                        ring: &mut self.ring,
                        period,
                        stacks: !every,
                    },
                ) {
                    Ok(perf) => {
                        let (id, at) = (perf.id(), monotonic_ns());
                        slots.push(Slot {
                            event,
                            id,
                            perf,
                            layout,
                            period,
                            target: stacks_per_s,
                            every,
                            taken: 0,
                        });
                        self.answer(Answer::Attached {
                            cpu: self.cpu,
                            event,
                            id,
                            at,
                        });
                    }
                    Err(error) => self.answer(Answer::Refused {
                        cpu: self.cpu,
                        event,
                        error,
                    }),
                }
            }
            Order::Detach(event) => {
                while let Some(index) = slots.iter().position(|s| s.event == event) {
                    let slot = slots.swap_remove(index);
                    self.close(slot.perf);
                }
            }
            Order::Clock { hz } => self.start_clock(hz),
            Order::Aim {
                event,
                stacks_per_s,
            } => {
                for slot in slots.iter_mut().filter(|s| s.event == event) {
                    slot.target = stacks_per_s;
                    if stacks_per_s == 0 {
                        slot.set(NO_SAMPLES);
                    } else if slot.period == NO_SAMPLES {
                        slot.set(period::FIRST);
                    }
                }
            }
            Order::Round { .. } | Order::Stop => {}
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

    fn stop_clock(&mut self) {
        if let Some(clock) = self.clock.take() {
            self.close(clock);
        }
    }

    fn drain(&mut self, slots: &mut [Slot], batch: &mut Batch) {
        let outbox = &mut self.outbox;
        let closed = &self.closed;
        let clock = self.clock.as_ref().map(PerfEvent::id);
        self.ring.drain(|kind, body| {
            match kind {
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
                        let slot = slots.iter_mut().find(|s| s.id == id)?;
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
                // reads the clock.
                RECORD_LOST | RECORD_LOST_SAMPLES
                    if !readings_count_loss() || lost_event(kind, body) == clock =>
                {
                    batch.loss.lost += decode_lost(kind, body).unwrap_or(0);
                }
                RECORD_THROTTLE => batch.loss.throttled += 1,
                _ => {}
            }
            if batch.samples.len() >= BATCH {
                outbox.send(batch);
            }
        });
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

impl Slot {
    fn set(&mut self, period: u64) {
        if self.period != period && self.perf.set_period(period).is_ok() {
            self.period = period;
        }
    }
}

/// Draws new periods from the rates that the interval had.
fn adapt(slots: &mut [Slot], rates: &[(EventId, f64)], draw: &mut Draw) {
    for slot in slots {
        slot.taken = 0;
        if slot.every {
            slot.set(1);
            continue;
        }
        let rate = rates
            .iter()
            .find(|(event, _)| *event == slot.event)
            .map(|(_, rate)| *rate);
        if let (Some(rate), true) = (rate, slot.target > 0) {
            slot.set(draw.period(rate, slot.target));
        }
    }
}

/// A burst within the interval must not cost a sample per hit until its end.
fn restrain(slots: &mut [Slot], interval_s: f64) {
    for slot in slots {
        if slot.every {
            if slot.taken as f64 > STORM_PER_S * interval_s {
                slot.set(NO_SAMPLES);
            }
            continue;
        }
        let wanted = f64::from(slot.target) * interval_s;
        if slot.taken as f64 > 3.0 * wanted + 64.0 {
            slot.taken = 0;
            slot.set(period::lengthen(slot.period));
        }
    }
}
