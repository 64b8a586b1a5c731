//! The end of an interval: every sampler gives what its ring holds, and learns the rates that its
//! next periods are drawn from.

use std::time::Duration;

use crossbeam_channel::select;

use super::super::Step;
use super::command::{Answer, SamplerCommand};
use super::{Live, RATE_SPAN_NS, ROUND_PATIENCE};
use crate::decode::{Counts, Loss};
use crate::sys::monotonic_ns;

/// Traffic moves from CPU to CPU at once: a quiet CPU's period is drawn for at least this share of
/// the busiest one's rate, so that not every hit is a sample when it moves there.
const MIGRATION: f64 = 16.0;

impl Live {
    /// Has every sampler drain its ring, and collects what comes. Returns the loss that the
    /// kernel counted beyond the LOST records that were read.
    pub(super) fn drain_samplers(&mut self, counts: &[Counts], kernel_lost: u64) -> Loss {
        self.round += 1;
        let rate = |c: &Counts| c.hits as f64 * 1e9 / c.span_ns as f64;
        let wide = |c: &&Counts| c.cpu.is_some() && c.span_ns >= RATE_SPAN_NS;
        let highest = |event| {
            let same = counts.iter().filter(wide).filter(|c| c.event == event);
            same.map(rate).fold(0.0, f64::max)
        };
        for sampler in &self.samplers {
            let rates = counts
                .iter()
                .filter(|c| c.cpu == Some(sampler.cpu) && c.span_ns >= RATE_SPAN_NS)
                .map(|c| (c.event, rate(c).max(highest(c.event) / MIGRATION)))
                .collect();
            sampler.send(SamplerCommand::Round {
                number: self.round,
                rates,
            });
        }
        let deadline = monotonic_ns() + ROUND_PATIENCE.as_nanos() as u64;
        let mut waiting = self.samplers.len();
        let mut recorded_lost = 0;
        while waiting > 0 {
            let left = Duration::from_nanos(deadline.saturating_sub(monotonic_ns()));
            select! {
                recv(self.batches) -> batch => if let Ok(batch) = batch {
                    recorded_lost += batch.loss.lost;
                    self.ready.push_back(Step::Batch(batch));
                },
                recv(self.answers) -> answer => match answer {
                    Ok(Answer::Drained { round }) if round == self.round => waiting -= 1,
                    Ok(other) => self.take_answer(other),
                    Err(_) => break,
                },
                default(left) => break,
            }
        }
        while let Ok(batch) = self.batches.try_recv() {
            recorded_lost += batch.loss.lost;
            self.ready.push_back(Step::Batch(batch));
        }
        Loss {
            lost: kernel_lost.saturating_sub(recorded_lost),
            ..Loss::default()
        }
    }
}
