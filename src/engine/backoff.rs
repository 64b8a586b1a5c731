//! Drops that rise right after an attach: what was attached is let go again. If they stay, they
//! were not netop's doing and it is counted again.

use std::collections::VecDeque;

use crate::decode::EventId;

/// Intervals without a change that say how much is lost ordinarily.
const HISTORY: usize = 8;

/// Intervals after an attach in which a rise is laid to it.
const SUSPECT: u32 = 2;

/// Intervals after letting go in which the drops must fall again.
const TRIAL: u32 = 3;

/// Intervals for which what made drops rise is left alone.
const BANNED: u32 = 180;

/// A rise below this many per second is no reason to count less.
const LEAST: f64 = 50.0;

#[derive(Debug, Default)]
pub struct Backoff {
    /// Losses per second while nothing was attached anew.
    ordinary: VecDeque<f64>,
    suspects: Option<Suspects>,
    banned: Vec<(EventId, u32)>,
}

#[derive(Debug)]
struct Suspects {
    events: Vec<EventId>,
    /// Losses per second above which they are guilty.
    limit: f64,
    left: u32,
    /// They were let go; it is seen whether that helped.
    on_trial: bool,
}

impl Backoff {
    /// Events that netop (not the user) has attached just now.
    pub fn attached(&mut self, events: &[EventId]) {
        if events.is_empty() || self.ordinary.is_empty() {
            return;
        }
        match &mut self.suspects {
            Some(suspects) if !suspects.on_trial => suspects.events.extend(events),
            Some(_) => {}
            none => {
                *none = Some(Suspects {
                    events: events.to_vec(),
                    limit: limit(&self.ordinary),
                    left: SUSPECT,
                    on_trial: false,
                });
            }
        }
    }

    pub fn banned(&self, event: EventId) -> bool {
        self.banned.iter().any(|(banned, _)| *banned == event)
    }

    /// An interval has passed, so much was lost per second. A sentence when that had consequences.
    pub fn learn(&mut self, lost: Option<f64>) -> Option<String> {
        for (_, left) in &mut self.banned {
            *left -= 1;
        }
        self.banned.retain(|(_, left)| *left > 0);
        let lost = lost?;
        let Some(suspects) = &mut self.suspects else {
            self.ordinary.push_back(lost);
            if self.ordinary.len() > HISTORY {
                self.ordinary.pop_front();
            }
            return None;
        };
        suspects.left -= 1;
        let risen = lost > suspects.limit;
        let (limit, over) = (suspects.limit, suspects.left == 0);
        match (suspects.on_trial, risen) {
            (false, true) => {
                suspects.on_trial = true;
                suspects.left = TRIAL;
                let events = suspects.events.iter();
                self.banned.extend(events.map(|event| (*event, BANNED)));
                Some(format!(
                    "drops rose to {lost:.0}/s right after counting began (below {limit:.0}/s before): what was attached is let go"
                ))
            }
            (true, false) => {
                self.suspects = None;
                None
            }
            (true, true) if over => {
                let events = std::mem::take(&mut suspects.events);
                self.suspects = None;
                self.ordinary.clear();
                self.banned.retain(|(event, _)| !events.contains(event));
                Some(format!(
                    "drops stayed at {lost:.0}/s without counting, it was not netop: counting again"
                ))
            }
            (false, false) if over => {
                self.suspects = None;
                None
            }
            _ => None,
        }
    }
}

/// Three standard deviations above what is ordinary, be it measured or that of rare events, and
/// never less than [`LEAST`] above.
fn limit(ordinary: &VecDeque<f64>) -> f64 {
    let n = ordinary.len() as f64;
    let mean = ordinary.iter().sum::<f64>() / n;
    let squares: f64 = ordinary.iter().map(|rate| (rate - mean).powi(2)).sum();
    let spread = (squares / (n - 1.0).max(1.0)).sqrt().max(mean.sqrt());
    // One or two intervals say little about their spread.
    let unsure = if n < 3.0 { mean } else { 0.0 };
    mean + (3.0 * spread).max(LEAST) + unsure
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: EventId = EventId(3);

    fn settled(rates: &[f64]) -> Backoff {
        let mut backoff = Backoff::default();
        for rate in rates {
            assert_eq!(backoff.learn(Some(*rate)), None);
        }
        backoff
    }

    #[test]
    fn drops_that_rise_after_an_attach_let_it_go_for_minutes() {
        let mut backoff = settled(&[10.0, 14.0, 8.0, 12.0]);
        backoff.attached(&[EVENT]);
        let said = backoff.learn(Some(4000.0)).unwrap();
        assert!(said.contains("4000/s"), "{said}");
        assert!(backoff.banned(EVENT));
        assert_eq!(backoff.learn(Some(11.0)), None, "they fell again");
        for _ in 0..100 {
            assert_eq!(backoff.learn(Some(11.0)), None);
            assert!(backoff.banned(EVENT));
        }
        for _ in 0..100 {
            backoff.learn(Some(11.0));
        }
        assert!(!backoff.banned(EVENT), "it may be tried again");
    }

    #[test]
    fn drops_that_stay_were_not_netops_doing() {
        let mut backoff = settled(&[0.0]);
        backoff.attached(&[EVENT]);
        assert!(backoff.learn(Some(500.0)).is_some());
        assert!(backoff.learn(Some(510.0)).is_none());
        assert!(backoff.learn(Some(505.0)).is_none());
        let said = backoff.learn(Some(520.0)).unwrap();
        assert!(said.contains("not netop"), "{said}");
        assert!(!backoff.banned(EVENT));
    }

    #[test]
    fn ordinary_drops_and_rises_long_after_are_laid_to_nobody() {
        let mut backoff = settled(&[900.0, 1100.0, 1000.0, 950.0]);
        backoff.attached(&[EVENT]);
        assert_eq!(backoff.learn(Some(1150.0)), None);
        assert_eq!(backoff.learn(Some(1150.0)), None);
        assert_eq!(backoff.learn(Some(90_000.0)), None);
        assert!(!backoff.banned(EVENT));
    }
}
