//! One event that a sampler samples: a perf event of its own on the CPU's ring, or a program of
//! the gate. Its period follows its rate.

use super::period;
use super::period::Draw;
use crate::decode::{EventId, Layout, Windows};
use crate::sys::{NO_SAMPLES, PerfEvent, Switchboard, monotonic_ns};

/// More samples of an event that is sampled whole were not bargained for.
const STORM_PER_S: f64 = 20_000.0;

pub enum Way {
    Perf {
        perf: PerfEvent,
        id: u64,
        /// Start of the open window and the hits before it, of a duty-cycled event.
        window: Option<(u64, u64)>,
        windows: Windows,
    },
    Gate {
        board: Switchboard,
        cpu: u32,
        program: usize,
    },
}

pub struct Slot {
    pub event: EventId,
    pub way: Way,
    pub layout: Layout,
    pub period: u64,
    /// Wanted samples per second; 0: none.
    pub target: u32,
    /// Every hit is a sample, without its stack.
    pub every: bool,
    /// Samples since the last round.
    pub taken: u64,
}

impl Slot {
    pub fn perf(event: EventId, perf: PerfEvent, layout: Layout, every: bool, target: u32) -> Slot {
        let id = perf.id();
        let way = Way::Perf {
            perf,
            id,
            window: None,
            windows: Windows::default(),
        };
        Slot {
            event,
            way,
            layout,
            period: first_period(every, target),
            target,
            every,
            taken: 0,
        }
    }

    /// `interval_s` decides how many samples the program may let through until the next round.
    pub fn gate(
        event: EventId,
        (board, cpu, program): (Switchboard, u32, usize),
        layout: Layout,
        target: u32,
        interval_s: f64,
    ) -> Slot {
        let mut slot = Slot {
            event,
            way: Way::Gate {
                board,
                cpu,
                program,
            },
            layout,
            period: 0,
            target,
            every: false,
            taken: 0,
        };
        slot.set(first_period(false, target));
        slot.allow(interval_s);
        slot
    }

    pub fn perf_id(&self) -> Option<u64> {
        match self.way {
            Way::Perf { id, .. } => Some(id),
            Way::Gate { .. } => None,
        }
    }

    /// What the event itself says it has counted, in a group or not; `None`: it is the gate's.
    pub fn last_count(&self) -> Option<u64> {
        match &self.way {
            Way::Perf { perf, .. } => perf.alone_count().ok().flatten(),
            Way::Gate { .. } => None,
        }
    }

    pub fn program(&self) -> Option<usize> {
        match self.way {
            Way::Gate { program, .. } => Some(program),
            Way::Perf { .. } => None,
        }
    }

    pub fn set(&mut self, period: u64) {
        if self.period == period {
            return;
        }
        let set = match &self.way {
            Way::Perf { perf, .. } => perf.set_period(period).is_ok(),
            Way::Gate {
                board,
                cpu,
                program,
            } => {
                // 0 is the gate's word for no samples.
                let period = u32::try_from(period).unwrap_or(0);
                board.set_period(*cpu, *program, period);
                true
            }
        };
        if set {
            self.period = period;
        }
    }

    pub fn aim(&mut self, target: u32) {
        self.target = target;
        if target == 0 {
            self.set(NO_SAMPLES);
        } else if self.period == NO_SAMPLES {
            self.set(period::FIRST);
        }
    }

    /// Draws a new period from the rate that the interval had.
    pub fn adapt(&mut self, rate: Option<f64>, draw: &mut Draw, interval_s: f64) {
        self.taken = 0;
        if self.every {
            self.set(1);
            return;
        }
        if let (Some(rate), true) = (rate, self.target > 0) {
            self.set(draw.period(rate, self.target));
        }
        self.allow(interval_s);
    }

    /// A burst within the interval must not cost a sample per hit until its end.
    pub fn restrain(&mut self, interval_s: f64) {
        if self.program().is_some() {
            return;
        }
        if self.every {
            if self.taken as f64 > STORM_PER_S * interval_s {
                self.set(NO_SAMPLES);
            }
            return;
        }
        if self.taken as f64 > self.bearable(interval_s) {
            self.taken = 0;
            self.set(period::lengthen(self.period));
        }
    }

    fn bearable(&self, interval_s: f64) -> f64 {
        3.0 * f64::from(self.target) * interval_s + 64.0
    }

    /// The gate itself holds back what would be too many.
    fn allow(&self, interval_s: f64) {
        if let Way::Gate {
            board,
            cpu,
            program,
        } = &self.way
        {
            board.allow(*cpu, *program, self.bearable(interval_s) as u32);
        }
    }

    /// Opens or closes a window of a perf event that is counted a part of the time. `hits` reads
    /// its count.
    pub fn count(&mut self, on: bool, hits: impl Fn(u64) -> Option<u64>) {
        let Way::Perf {
            perf,
            id,
            window,
            windows,
        } = &mut self.way
        else {
            return;
        };
        if on && window.is_none() {
            if let Some(before) = hits(*id) {
                perf.enable();
                *window = Some((monotonic_ns(), before));
            }
        } else if !on {
            let now = monotonic_ns();
            perf.disable();
            if let (Some((began, before)), Some(after)) = (window.take(), hits(*id)) {
                windows.push(
                    after.saturating_sub(before),
                    None,
                    now.saturating_sub(began),
                );
            }
        }
    }

    /// The windows since the last call; `None`: it has none.
    pub fn take_windows(&mut self) -> Option<Windows> {
        match &mut self.way {
            Way::Perf { windows, .. } if windows.span_ns > 0 => Some(std::mem::take(windows)),
            _ => None,
        }
    }
}

/// Until the rate is known.
pub fn first_period(every: bool, target: u32) -> u64 {
    if every {
        1
    } else if target == 0 {
        NO_SAMPLES
    } else {
        period::FIRST
    }
}
