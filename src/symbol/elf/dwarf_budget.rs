//! CPU time for reading debug information of a live host: that of a C library takes 100 ms each time it is
//! opened, more than all else that netop does on an idle host in half a minute. Without it frames have
//! the names of the tables of symbols.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A nanosecond of reading for so many: 0.05 % of a CPU.
const NS_PER_NS: u64 = 2000;

/// Read at first, and after a long rest, before any waiting, ns: a screen shows the programs of a host within
/// the first minute.
const CREDIT_NS: u64 = 200_000_000;

/// However much one file has cost.
const LONGEST: Duration = Duration::from_secs(300);

#[derive(Clone)]
pub struct DwarfBudget(Arc<Budget>);

struct Budget {
    start: Instant,
    /// Somebody looks at what it says.
    wanted: AtomicBool,
    /// Not before, ns since the start.
    from_ns: AtomicU64,
    /// Where reading stands on the time axis, ns since the start; [`CREDIT_NS`] of reading in advance.
    /// `None`: reading is not limited.
    spent_ns: Option<AtomicU64>,
}

impl DwarfBudget {
    /// For what is read once and waited for: a recording.
    pub fn unlimited() -> DwarfBudget {
        DwarfBudget::new(Duration::ZERO, None)
    }

    /// Nothing is read for `after`, then for 200 ms and 0.05 % of the time.
    pub fn live(after: Duration) -> DwarfBudget {
        DwarfBudget::new(after, Some(AtomicU64::new(0)))
    }

    fn new(after: Duration, spent_ns: Option<AtomicU64>) -> DwarfBudget {
        DwarfBudget(Arc::new(Budget {
            start: Instant::now(),
            wanted: AtomicBool::new(true),
            from_ns: AtomicU64::new(ns(after)),
            spent_ns,
        }))
    }

    pub fn is_open(&self) -> bool {
        self.0.wanted.load(Ordering::Relaxed) && Instant::now() >= self.opens_at()
    }

    /// It is read while somebody looks at it.
    pub fn want(&self, wanted: bool) {
        self.0.wanted.store(wanted, Ordering::Relaxed);
    }

    /// A file may be read from then on, if somebody looks; its questions are answered to the end.
    pub fn opens_at(&self) -> Instant {
        let spent = self.0.spent_ns.as_ref();
        let spent = spent.map_or(0, |spent| spent.load(Ordering::Relaxed));
        let after_credit = spent.saturating_sub(CREDIT_NS * NS_PER_NS);
        let from = self.0.from_ns.load(Ordering::Relaxed).max(after_credit);
        self.0.start + Duration::from_nanos(from)
    }

    /// So much CPU time went into reading.
    pub fn spend(&self, cpu_ns: u64) {
        let now = ns(self.0.start.elapsed());
        let most = now + CREDIT_NS * NS_PER_NS + ns(LONGEST);
        if let Some(spent) = &self.0.spent_ns {
            let axis_ns = cpu_ns.saturating_mul(NS_PER_NS);
            let after = |spent: u64| spent.max(now).saturating_add(axis_ns).min(most);
            let _always = spent.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |spent| {
                Some(after(spent))
            });
        }
    }

    /// Nothing is read for `pause`, where reading is limited at all.
    pub fn rest(&self, pause: Duration) {
        if self.0.spent_ns.is_none() {
            return;
        }
        let until = ns(self.0.start.elapsed() + pause);
        self.0.from_ns.fetch_max(until, Ordering::Relaxed);
    }
}

fn ns(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn opens_in(budget: &DwarfBudget) -> Duration {
        budget.opens_at().duration_since(Instant::now())
    }

    #[test]
    fn reading_is_free_at_first_and_then_waits_two_thousand_times_as_long_as_it_took() {
        let budget = DwarfBudget::live(Duration::ZERO);
        budget.spend(199 * MS);
        assert!(budget.is_open());
        budget.spend(101 * MS);
        let wait = opens_in(&budget).as_secs_f64();
        assert!((198.0..=200.0).contains(&wait), "{wait} s");
    }

    #[test]
    fn a_file_however_dear_closes_it_for_minutes_only_and_a_recording_never() {
        let budget = DwarfBudget::live(Duration::ZERO);
        budget.spend(u64::MAX);
        let wait = opens_in(&budget);
        assert!(wait <= LONGEST && wait > LONGEST / 2, "{wait:?}");
        let budget = DwarfBudget::unlimited();
        budget.spend(u64::MAX);
        assert!(budget.is_open());
    }

    #[test]
    fn nothing_is_read_while_nobody_looks() {
        let budget = DwarfBudget::live(Duration::ZERO);
        assert!(budget.is_open());
        budget.want(false);
        assert!(!budget.is_open());
        budget.want(true);
        assert!(budget.is_open());
    }

    #[test]
    fn nothing_is_read_before_its_time_or_during_a_rest() {
        let budget = DwarfBudget::live(Duration::from_secs(5));
        assert!(!budget.is_open() && opens_in(&budget) > Duration::from_secs(4));
        budget.rest(Duration::from_secs(9));
        assert!(opens_in(&budget) > Duration::from_secs(8));
    }
}
