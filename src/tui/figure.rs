//! Numbers as short text of a known greatest width. What could not be measured is `–`, never 0.

use std::time::Duration;

use crate::model::format_time;

pub const NONE: &str = "–";

/// Widest results, for the columns that hold them.
pub const RATE: u16 = 6;
pub const ESTIMATE: u16 = RATE + 1;
pub const BYTES: u16 = 6;
pub const PERCENT: u16 = 5;
pub const SHARE: u16 = 5;
pub const COST: u16 = 6;
pub const ERROR: u16 = 3;
pub const CORES: u16 = 4;

const UNITS: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];

/// `2`, `0.4`, `412`, `61.0k`, `6.90M`; at most [`RATE`] cells.
pub fn rate(value: Option<f64>) -> String {
    measured(value).map_or_else(none, |value| {
        let (value, unit) = scale(value, |unit| if unit == 1 { 999.95 } else { 999.5 });
        let decimals = match unit {
            0 if value < 9.95 => return trimmed(value),
            0 => 0,
            1 => 1,
            _ if value < 9.995 => 2,
            _ if value < 99.95 => 1,
            _ => 0,
        };
        format!("{value:.decimals$}{}", UNITS[unit])
    })
}

/// A figure that was estimated says so; at most [`ESTIMATE`] cells.
pub fn estimate(value: Option<f64>, estimated: bool) -> String {
    let text = rate(value);
    if estimated && text != NONE {
        format!("≈{text}")
    } else {
        text
    }
}

pub fn count(value: Option<u64>) -> String {
    rate(value.map(|value| value as f64))
}

/// `32B`, `1.4kB`, `101kB`; at most [`BYTES`] cells.
pub fn bytes(value: Option<f64>) -> String {
    measured(value).map_or_else(none, |value| {
        let (value, unit) = scale(value, |_| 999.5);
        let decimals = usize::from(unit > 0 && value < 99.95);
        format!("{value:.decimals$}{}B", UNITS[unit])
    })
}

pub fn bits(value: Option<f64>) -> String {
    measured(value).map_or_else(none, |value| format!("{}b/s", rate(Some(value))))
}

/// `0.9%`, `98%`; at most [`PERCENT`] cells.
pub fn percent(value: Option<f64>) -> String {
    measured(value).map_or_else(none, |value| match value {
        _ if value < 0.05 && value > 0.0 => "<0.1%".to_owned(),
        _ if value < 0.05 => "0%".to_owned(),
        _ if value < 9.95 => format!("{}%", trimmed(value)),
        _ => format!("{:.0}%", value.min(9999.0)),
    })
}

/// Percent of one CPU in a column whose title says so: `0.0`, `46.2`, `310`; at most [`SHARE`]
/// cells, and always one decimal below 100, so that nothing jumps.
pub fn share(value: Option<f64>) -> String {
    measured(value).map_or_else(none, |value| match value {
        _ if value > 0.0 && value < 0.05 => "<0.1".to_owned(),
        _ if value < 99.95 => format!("{value:.1}"),
        _ => format!("{:.0}", value.min(99_999.0)),
    })
}

/// CPUs' worth of time: `0.43`, `4.77`, `31.2`; at most [`CORES`] cells.
pub fn cores(value: Option<f64>) -> String {
    measured(value).map_or_else(none, |value| match value {
        _ if value < 9.995 => format!("{value:.2}"),
        _ if value < 99.95 => format!("{value:.1}"),
        _ => format!("{:.0}", value.min(9999.0)),
    })
}

/// Nanoseconds in a column whose title says so, others with their unit: `449`, `9999`, `12.3µs`;
/// at most [`COST`] cells.
pub fn cost(value: Option<f64>) -> String {
    measured(value).map_or_else(none, |value| match time(value) {
        (number, "ns") => number,
        (number, unit) => format!("{number}{unit}"),
    })
}

/// Nanoseconds with their unit: `449ns`, `12.3µs`, `2.8ms`; at most [`COST`] cells.
pub fn duration(value: Option<u64>) -> String {
    value.map_or_else(none, |value| {
        let (number, unit) = time(value as f64);
        format!("{number}{unit}")
    })
}

/// The same in a sentence: `612 ns`, `12.3 µs`.
pub fn cost_words(value: Option<f64>) -> String {
    measured(value).map_or_else(none, |value| {
        let (number, unit) = time(value);
        format!("{number} {unit}")
    })
}

/// A half-width in percent of its figure, without the sign: `4`, `<1`, `>1k`; at most [`ERROR`]
/// cells.
pub fn error(half_width: Option<f64>, of: Option<f64>) -> String {
    let of = measured(of).filter(|of| *of > 0.0);
    let pct = measured(half_width)
        .zip(of)
        .map(|(half, of)| half * 100.0 / of);
    measured(pct).map_or_else(none, |pct| match pct {
        _ if pct > 0.0 && pct < 0.5 => "<1".to_owned(),
        _ if pct < 999.5 => format!("{pct:.0}"),
        _ => ">1k".to_owned(),
    })
}

/// `+12%`, `-7%`, `0%`, `>999%`; at most five cells.
pub fn change(pct: f64) -> String {
    match pct {
        _ if !pct.is_finite() => none(),
        _ if pct > 999.5 => ">999%".to_owned(),
        _ if pct.abs() < 0.5 => "0%".to_owned(),
        _ => format!("{:+.0}%", pct.max(-999.0)),
    }
}

/// `0.4ms`, `412ms`, `1.2s`.
pub fn milliseconds(value: Option<f64>) -> String {
    measured(value).map_or_else(none, |value| match value {
        _ if value < 99.95 => format!("{}ms", trimmed(value)),
        _ if value < 999.5 => format!("{value:.0}ms"),
        _ => format!("{}s", rate(Some(value / 1000.0))),
    })
}

/// `250ms`, `1s`, `1.5s`, `2min`.
pub fn span(length: Duration) -> String {
    let seconds = length.as_secs_f64();
    match seconds {
        _ if seconds < 0.9995 => format!("{:.0}ms", seconds * 1000.0),
        _ if seconds <= 120.0 => format!("{}s", trimmed(seconds)),
        _ if seconds < 7200.0 => format!("{}min", trimmed(seconds / 60.0)),
        _ => format!("{}h", trimmed(seconds / 3600.0)),
    }
}

/// Time of day `offset_s` seconds east of Greenwich: `04:12:45`; without an offset `03:12:45Z`.
pub fn clock(at_ns: u64, offset_s: i32) -> String {
    let second = 1_000_000_000;
    let there = at_ns.saturating_add_signed(i64::from(offset_s) * second);
    let zone = if offset_s == 0 { "Z" } else { "" };
    format_time(there)
        .get(11..19)
        .map_or_else(none, |time| format!("{time}{zone}"))
}

/// An exact number with its thousands apart, for places that have room: `6,904,211`.
pub fn exact(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 other`, `4 others`.
pub fn others(n: usize) -> String {
    format!("{n} other{}", if n == 1 { "" } else { "s" })
}

fn none() -> String {
    NONE.to_owned()
}

/// No figure here can be negative or endless: such a value is a fault upstream and not shown.
fn measured(value: Option<f64>) -> Option<f64> {
    // Adding nothing takes the sign from -0.0.
    value
        .map(|value| value + 0.0)
        .filter(|value| value.is_finite() && *value >= 0.0)
}

/// Nanoseconds as number and unit: below 10 000 in ns.
fn time(ns: f64) -> (String, &'static str) {
    if ns < 9.95 {
        return (trimmed(ns), "ns");
    }
    if ns < 9999.5 {
        return (format!("{ns:.0}"), "ns");
    }
    let units = ["µs", "ms", "s"];
    let mut value = ns / 1000.0;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    let decimals = usize::from(value < 99.95);
    let value = value.min(9999.0);
    (format!("{value:.decimals$}"), units[unit])
}

/// `value` in the smallest unit that keeps it under `limit(unit)`; beyond the last unit it is cut.
fn scale(mut value: f64, limit: fn(usize) -> f64) -> (f64, usize) {
    let mut unit = 0;
    while value >= limit(unit) && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let most = if unit + 1 == UNITS.len() {
        999.0
    } else {
        value
    };
    (value.min(most), unit)
}

/// One decimal, but none when it says nothing.
fn trimmed(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tui::text::width;

    #[test]
    fn rates_read_as_on_the_design_screen() {
        let shown = [
            0.0,
            0.4,
            2.0,
            412.0,
            61_000.0,
            212_400.0,
            6_900_000.0,
            71.4e9,
        ];
        let want = ["0", "0.4", "2", "412", "61.0k", "212.4k", "6.90M", "71.4G"];
        assert_eq!(shown.map(|value| rate(Some(value))), want);
        assert_eq!(rate(Some(999.6)), "1.0k");
        assert_eq!(rate(Some(999_960.0)), "1.00M");
        assert_eq!(estimate(Some(6.9e6), true), "≈6.90M");
    }

    #[test]
    fn what_was_not_measured_is_a_dash_and_never_a_zero() {
        for text in [
            rate(None),
            rate(Some(f64::NAN)),
            rate(Some(-1.0)),
            bytes(None),
            percent(Some(f64::INFINITY)),
            milliseconds(None),
            estimate(None, true),
        ] {
            assert_eq!(text, NONE);
        }
    }

    #[test]
    fn sizes_shares_times_and_totals() {
        assert_eq!(bytes(Some(1400.0)), "1.4kB");
        assert_eq!(bytes(Some(32.0)), "32B");
        assert_eq!(percent(Some(0.9)), "0.9%");
        assert_eq!(percent(Some(98.4)), "98%");
        assert_eq!(percent(Some(0.01)), "<0.1%");
        assert_eq!(milliseconds(Some(412.0)), "412ms");
        assert_eq!(span(Duration::from_millis(250)), "250ms");
        assert_eq!(span(Duration::from_secs(600)), "10min");
        assert_eq!(clock(1_795_362_301_123_999_000, 0), "15:45:01Z");
        assert_eq!(clock(1_795_362_301_123_999_000, 5400), "17:15:01");
        assert_eq!(clock(1_795_362_301_123_999_000, -60 * 60), "14:45:01");
        assert_eq!(exact(6_904_211), "6,904,211");
        assert_eq!(exact(12), "12");
    }

    #[test]
    fn costs_are_nanoseconds_until_ten_thousand_and_shares_keep_their_decimal() {
        let column = [0.4, 449.2, 9999.4, 9999.6, 12_345.0, 123_456.0, 4.2e6];
        let shown = ["0.4", "449", "9999", "10.0µs", "12.3µs", "123µs", "4.2ms"];
        assert_eq!(column.map(|ns| cost(Some(ns))), shown);
        assert_eq!(cost_words(Some(612.3)), "612 ns");
        assert_eq!(cost_words(Some(12_345.0)), "12.3 µs");
        let shares = [0.0, 0.01, 3.0, 46.24, 310.2].map(|pct| share(Some(pct)));
        assert_eq!(shares, ["0.0", "<0.1", "3.0", "46.2", "310"]);
        let counts = [0.0, 4.766, 31.24, 412.0].map(|n| cores(Some(n)));
        assert_eq!(counts, ["0.00", "4.77", "31.2", "412"]);
    }

    #[test]
    fn an_error_is_a_share_of_its_figure_and_of_nothing_it_is_unknown() {
        let of = |half, of| error(Some(half), Some(of));
        assert_eq!(of(24.0, 600.0), "4");
        assert_eq!(of(1.0, 600.0), "<1");
        assert_eq!(of(0.0, 600.0), "0");
        assert_eq!(of(600.0, 1.0), ">1k");
        assert_eq!(of(1.0, 0.0), NONE);
        assert_eq!(error(None, Some(1.0)), NONE);
        let changes = [12.4, -7.0, 0.4, -0.4, 4000.0, f64::NAN].map(change);
        assert_eq!(changes, ["+12%", "-7%", "0%", "0%", ">999%", NONE]);
    }

    proptest! {
        #[test]
        fn no_cpu_figure_is_wider_than_its_column(
            value in prop_oneof![any::<f64>(), 0.0..1e22],
            of in prop_oneof![any::<f64>(), 0.0..1e9],
        ) {
            prop_assert!(width(&share(Some(value))) <= usize::from(SHARE));
            prop_assert!(width(&cores(Some(value))) <= usize::from(CORES));
            prop_assert!(width(&cost(Some(value))) <= usize::from(COST));
            prop_assert!(width(&error(Some(value), Some(of))) <= usize::from(ERROR));
            prop_assert!(width(&change(value)) <= 5);
        }

        #[test]
        fn no_figure_is_wider_than_its_column(value in prop_oneof![any::<f64>(), 0.0..1e22]) {
            prop_assert!(width(&rate(Some(value))) <= usize::from(RATE));
            prop_assert!(width(&estimate(Some(value), true)) <= usize::from(ESTIMATE));
            prop_assert!(width(&bytes(Some(value))) <= usize::from(BYTES));
            prop_assert!(width(&percent(Some(value))) <= usize::from(PERCENT));
        }

        #[test]
        fn no_count_is_wider_than_its_column(value: u64) {
            prop_assert!(width(&count(Some(value))) <= usize::from(RATE));
        }
    }
}
