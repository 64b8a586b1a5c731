//! What a packet costs now against what it cost at the mark. Cost depends on load: two figures are
//! compared only under packet rates that agree (design.md 5).

use crate::model::{Bounded, Function, Snapshot, differ};
use crate::tui::figure;

/// Packet rates farther apart than this, of the greater one, make costs not comparable.
const RATE_TOLERANCE: f64 = 0.1;

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Difference {
    /// Neither has a cost.
    Unknown,
    /// Only one of the two has a cost, or the packet rates differ.
    NotComparable,
    Percent {
        pct: f64,
        /// It is more than both 95 % half-widths together make likely.
        significant: bool,
    },
}

pub fn of(now: &Snapshot, mark: &Snapshot, f: &Function) -> Difference {
    let then = before(mark, f);
    let cost = |f: &Function| f.ns_per_packet.filter(|ns| ns.is_finite());
    let (after, before) = match (cost(f), then.and_then(cost)) {
        (None, None) => return Difference::Unknown,
        (Some(after), Some(before)) if before > 0.0 && same_load(now, mark) => (after, before),
        _ => return Difference::NotComparable,
    };
    let bounded = |value, error| Bounded { value, error };
    let now_cost = bounded(after, f.ns_error);
    let then_cost = bounded(before, then.and_then(|then| then.ns_error));
    Difference::Percent {
        pct: (after - before) * 100.0 / before,
        significant: overlap_s(now, mark) == 0.0 && differ(now_cost, then_cost) == Some(true),
    }
}

/// Seconds that the windows of the two snapshots share: what they share cannot differ.
pub fn overlap_s(now: &Snapshot, mark: &Snapshot) -> f64 {
    let (first, last) = if now.at < mark.at {
        (now, mark)
    } else {
        (mark, now)
    };
    let apart = (last.at - first.at) as f64 / 1e9;
    let overlap = last.summary.cpu_window_s.unwrap_or(0.0) - apart;
    // A tick is not to the microsecond.
    if overlap < 0.05 { 0.0 } else { overlap }
}

/// The same function at the mark.
pub fn before<'a>(mark: &'a Snapshot, f: &Function) -> Option<&'a Function> {
    mark.functions.iter().find(|then| then.name == f.name)
}

pub fn same_load(now: &Snapshot, mark: &Snapshot) -> bool {
    let rates = now.summary.wire_pps.zip(mark.summary.wire_pps);
    rates.is_some_and(|(a, b)| (a - b).abs() <= RATE_TOLERANCE * a.max(b))
}

impl Difference {
    /// `+12%!` is significant, `+12%` is within the errors, `n/c` is not comparable; at most six
    /// cells.
    pub fn text(self) -> String {
        match self {
            Difference::Unknown => figure::NONE.to_owned(),
            Difference::NotComparable => "n/c".to_owned(),
            Difference::Percent { pct, significant } => {
                let sign = if significant { "!" } else { "" };
                format!("{}{sign}", figure::change(pct))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::fixture;

    fn at(pps: Option<f64>, ns: Option<f64>, error: Option<f64>) -> Snapshot {
        let mut s = fixture::empty();
        s.summary.wire_pps = pps;
        let mut f = fixture::function("ip_rcv", Some(1));
        f.ns_per_packet = ns;
        f.ns_error = error;
        s.functions = vec![f];
        s
    }

    fn compared(now: &Snapshot, mark: &Snapshot) -> String {
        of(now, mark, &now.functions[0]).text()
    }

    #[test]
    fn a_difference_is_significant_beyond_both_errors_together() {
        let mark = at(Some(1e6), Some(400.0), Some(30.0));
        // √(30² + 40²) = 50.
        let more = |ns| compared(&at(Some(1e6), Some(ns), Some(40.0)), &mark);
        assert_eq!(more(448.0), "+12%");
        assert_eq!(more(450.0), "+12%");
        assert_eq!(more(452.0), "+13%!");
        assert_eq!(more(300.0), "-25%!");
        assert_eq!(more(400.0), "0%");
        let unknown = at(Some(1e6), Some(4000.0), None);
        assert_eq!(compared(&unknown, &mark), "+900%");
    }

    #[test]
    fn only_equal_loads_are_compared() {
        let mark = at(Some(1e6), Some(400.0), Some(1.0));
        let under = |pps| compared(&at(pps, Some(500.0), Some(1.0)), &mark);
        assert_eq!(under(Some(1.1e6)), "+25%!");
        assert_eq!(under(Some(1.12e6)), "n/c");
        assert_eq!(under(Some(0.89e6)), "n/c");
        assert_eq!(under(Some(f64::NAN)), "n/c");
        assert_eq!(under(None), "n/c");
    }

    #[test]
    fn a_cost_that_one_side_lacks_is_not_comparable_and_one_that_both_lack_is_unknown() {
        let with = at(Some(1e6), Some(400.0), Some(1.0));
        let without = at(Some(1e6), None, None);
        let nothing = at(Some(1e6), Some(0.0), Some(0.0));
        assert_eq!(compared(&with, &without), "n/c");
        assert_eq!(compared(&without, &with), "n/c");
        assert_eq!(compared(&with, &nothing), "n/c");
        assert_eq!(compared(&without, &without), "–");
        let mut other = with.clone();
        other.functions[0].name = "tcp_ack".into();
        assert_eq!(compared(&with, &other), "n/c");
    }
}
