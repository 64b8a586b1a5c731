//! What a gated hit costs on the live traffic, measured: in windows in which events are attached a
//! packet takes longer than in the stretches right before and after (src/source/live/gate/meter.rs).
//! That difference, divided by what the hits in the window would have cost at the price that was
//! measured in a loop at the start, is by how much that price is wrong here: caches are cold, and
//! how a host's processor calls a program differs from host to host.
//!
//! One window says little: a packet's time differs by some percent from one 50 ms to the next. The
//! median of the last windows, each weighed by how much its events weigh in it, is right to a few
//! percent after some seconds; until then the loop's price stands.

use std::collections::VecDeque;

use crate::decode::{Compared, Costs};
use crate::model::t95;

/// Windows that have a say.
const WINDOWS: usize = 96;

/// With fewer the loop's price stands alone.
const FEWEST: usize = 4;

/// A stretch with fewer packets says nothing of what one takes.
const PACKETS: u64 = 200;

/// Nor does a window whose events take less than this share of it.
const LEAST_SHARE: f64 = 0.004;

/// How far the price of the loop may be off, as a share of itself: one standard deviation.
const LOOP_IS_OFF: f64 = 0.5;

/// The standard deviation of a median is so many times that of a mean (1.2533), and a little more
/// where a neighbour disturbs some windows to one side only; of the median of the deviations from
/// it, this is the standard deviation.
const MEDIAN: f64 = 1.28;
const DEVIATION: f64 = 1.4826;

/// By what the loop's price of a hit is to be multiplied.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Factor {
    pub value: f64,
    /// 95 % half-width.
    pub bound: f64,
    /// Windows that said so; 0: nothing was measured yet.
    pub windows: usize,
}

#[derive(Debug, Default)]
pub struct LivePrice {
    windows: VecDeque<Window>,
    /// Those in which everything that is counted was attached and let go, before everything is counted
    /// all the time. One tracepoint in windows beside many that stay said 12.8 of 17.2 % of a CPU (lab, tcp,
    /// `--max-overhead 100`), so where there are such windows they alone count.
    whole: VecDeque<Window>,
}

/// By how much the loop's price is wrong in one window, and the share of the window's time that its
/// hits would have taken at that price.
#[derive(Debug, Clone, Copy)]
struct Window {
    factor: f64,
    share: f64,
}

impl LivePrice {
    /// `hit_ns`: the loop's price; `whole`: everything that is counted was in these windows.
    pub fn learn(&mut self, compared: &[Compared], hit_ns: f64, whole: bool) {
        let known = if whole {
            &mut self.whole
        } else {
            &mut self.windows
        };
        known.extend(compared.iter().filter_map(|c| window(c, hit_ns)));
        let old = known.len().saturating_sub(WINDOWS);
        known.drain(..old);
    }

    /// What the windows alone say; `None`: too few of them.
    pub fn measured(&self) -> Option<Factor> {
        let known = if self.whole.len() < FEWEST {
            &self.windows
        } else {
            &self.whole
        };
        let windows = known.len();
        if windows < FEWEST {
            return None;
        }
        let weighed = known.iter().map(|w| (w.factor, w.share));
        let value = weighted_median(weighed.collect())?;
        let off = |w: &Window| ((w.factor - value) * w.share).abs();
        let mut off: Vec<f64> = known.iter().map(off).collect();
        off.sort_by(f64::total_cmp);
        // Of an even number the upper one: of few windows deviations from their own median are short.
        let noise = DEVIATION * off[windows / 2];
        let shares: f64 = known.iter().map(|w| w.share).sum();
        let deviation = MEDIAN * noise * (windows as f64).sqrt() / shares;
        Some(Factor {
            value,
            bound: t95(windows - 1) * deviation,
            windows,
        })
    }

    /// The best there is: what was measured, and the loop's price as far as that is unsure.
    pub fn factor(&self) -> Factor {
        let loops = 1.0 / LOOP_IS_OFF.powi(2);
        let Some(measured) = self.measured() else {
            return Factor {
                value: 1.0,
                bound: 1.96 * LOOP_IS_OFF,
                windows: 0,
            };
        };
        let deviation = (measured.bound / 1.96).max(1e-3);
        let sure = 1.0 / deviation.powi(2);
        Factor {
            // No hit is for nothing.
            value: ((measured.value * sure + loops) / (sure + loops)).max(0.1),
            bound: 1.96 / (sure + loops).sqrt(),
            windows: measured.windows,
        }
    }

    /// The costs of the loop with what was measured since.
    pub fn corrected(&self, costs: Costs) -> Costs {
        let gate_ns = f64::from(costs.gate_ns) * self.factor().value;
        Costs {
            gate_ns: gate_ns.round().clamp(1.0, 100_000.0) as u32,
            ..costs
        }
    }
}

fn window(compared: &Compared, hit_ns: f64) -> Option<Window> {
    let Compared { with, without, .. } = compared;
    if with.packets < PACKETS || without.packets < PACKETS || with.busy_ns == 0 {
        return None;
    }
    let expected = compared.hits as f64 * hit_ns;
    let packet_ns = without.busy_ns as f64 / without.packets as f64;
    let more = with.busy_ns as f64 - packet_ns * with.packets as f64;
    let share = expected / with.busy_ns as f64;
    (share >= LEAST_SHARE).then_some(Window {
        factor: more / expected,
        share,
    })
}

/// The value up to which half of the weight lies; `None`: there is none.
fn weighted_median(mut values: Vec<(f64, f64)>) -> Option<f64> {
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let half = values.iter().map(|(_, weight)| weight).sum::<f64>() / 2.0;
    let mut below = 0.0;
    for (value, weight) in &values {
        below += weight;
        if below >= half {
            return Some(*value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Stretch;

    /// A small generator: each test has the same numbers every time.
    struct Chance(u64);

    impl Chance {
        fn even(&mut self) -> f64 {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (self.0 >> 11) as f64 / (1u64 << 53) as f64
        }

        /// About normal, of variance 1.
        fn normal(&mut self) -> f64 {
            (0..12).map(|_| self.even()).sum::<f64>() - 6.0
        }
    }

    /// A CPU that is full: a packet takes about 2 us, some percent more or less in each stretch,
    /// and drifts; now and then a neighbour takes a third of the machine.
    fn stretches(chance: &mut Chance, drift: &mut f64, hits: f64, factor: f64) -> Compared {
        *drift *= 1.0 + 0.01 * chance.normal();
        let mut stretch = |extra_ns: f64| {
            let outlier = if chance.even() < 0.03 { 1.5 } else { 1.0 };
            let packet_ns = (2000.0 * *drift + extra_ns) * (1.0 + 0.03 * chance.normal()) * outlier;
            (50e6 / packet_ns) as u64
        };
        let (before, with, after) = (stretch(0.0), stretch(hits * 60.0 * factor), stretch(0.0));
        Compared {
            cpu: 0,
            with: Stretch {
                busy_ns: 50_000_000,
                packets: with,
            },
            without: Stretch {
                busy_ns: 100_000_000,
                packets: before + after,
            },
            hits: (hits * with as f64) as u64,
            ..Compared::default()
        }
    }

    /// Percent of runs in which the truth is within what is stated.
    fn coverage(hits: f64, truth: f64, windows: usize) -> f64 {
        let mut chance = Chance(hits as u64 + 7);
        let runs = 2000;
        let held = (0..runs).filter(|_| {
            let (mut price, mut drift) = (LivePrice::default(), 1.0);
            let compared: Vec<Compared> = (0..windows)
                .map(|_| stretches(&mut chance, &mut drift, hits, truth))
                .collect();
            price.learn(&compared, 60.0, false);
            let measured = price.measured().expect("enough windows");
            (measured.value - truth).abs() <= measured.bound
        });
        100.0 * held.count() as f64 / f64::from(runs)
    }

    #[test]
    fn the_stated_bound_holds_the_true_price_in_19_of_20_runs() {
        for (hits, truth, windows) in [
            (8.0, 1.0, 20),
            (8.0, 3.0, 20),
            (2.0, 1.0, 90),
            (4.0, 1.5, 40),
        ] {
            let held = coverage(hits, truth, windows);
            assert!(
                (93.0..=97.0).contains(&held),
                "{held} % with {hits} hits a packet, {windows} windows, a price {truth} times the loop's"
            );
        }
    }

    #[test]
    fn some_windows_of_many_hits_are_right_to_a_tenth() {
        let (mut chance, mut drift) = (Chance(3), 1.0);
        let mut price = LivePrice::default();
        for _ in 0..20 {
            let compared = stretches(&mut chance, &mut drift, 8.0, 4.0);
            price.learn(&[compared], 60.0, false);
        }
        let factor = price.factor();
        assert!((3.6..4.4).contains(&factor.value), "{factor:?}");
        let corrected = price.corrected(Costs {
            gate_ns: 60,
            ..Costs::default()
        });
        assert!((216..264).contains(&corrected.gate_ns), "{corrected:?}");
    }

    #[test]
    fn without_windows_the_price_of_the_loop_stands_and_says_how_unsure_it_is() {
        let factor = LivePrice::default().factor();
        assert_eq!((factor.value, factor.windows), (1.0, 0));
        assert!((factor.bound - 0.98).abs() < 1e-9);
        let costs = Costs::default();
        assert_eq!(LivePrice::default().corrected(costs), costs);
    }

    #[test]
    fn a_window_that_is_nearly_idle_or_has_hardly_a_hit_says_nothing() {
        let full = Stretch {
            busy_ns: 50_000_000,
            packets: 25_000,
        };
        let quiet = Stretch {
            packets: 10,
            ..full
        };
        let compared = |with, without, hits| Compared {
            cpu: 0,
            with,
            without,
            hits,
            ..Compared::default()
        };
        assert!(window(&compared(full, full, 25_000), 60.0).is_some());
        assert!(window(&compared(quiet, full, 25_000), 60.0).is_none());
        assert!(window(&compared(full, quiet, 25_000), 60.0).is_none());
        assert!(window(&compared(full, full, 100), 60.0).is_none());
    }

    #[test]
    fn one_tracepoint_beside_all_does_not_say_what_all_of_them_cost() {
        let (mut chance, mut drift) = (Chance(9), 1.0);
        let mut price = LivePrice::default();
        let mut learn = |price: &mut LivePrice, times, hits, factor, whole| {
            for _ in 0..times {
                let compared = stretches(&mut chance, &mut drift, hits, factor);
                price.learn(&[compared], 60.0, whole);
            }
        };
        learn(&mut price, FEWEST - 1, 8.0, 3.0, true);
        learn(&mut price, 2 * WINDOWS, 1.0, 1.0, false);
        let few = price.measured().unwrap();
        assert!((few.value - 1.0).abs() < 0.5, "{few:?}");
        learn(&mut price, 17, 8.0, 3.0, true);
        learn(&mut price, 2 * WINDOWS, 1.0, 1.0, false);
        let measured = price.measured().unwrap();
        assert_eq!(measured.windows, 20);
        assert!((measured.value - 3.0).abs() < 0.4, "{measured:?}");
    }

    #[test]
    fn an_old_price_is_forgotten_when_the_traffic_changes() {
        let (mut chance, mut drift) = (Chance(5), 1.0);
        let mut price = LivePrice::default();
        for truth in [4.0, 1.0] {
            for _ in 0..2 * WINDOWS {
                let compared = stretches(&mut chance, &mut drift, 4.0, truth);
                price.learn(&[compared], 60.0, false);
            }
        }
        let factor = price.factor();
        assert!((factor.value - 1.0).abs() < 0.2, "{factor:?}");
    }
}
