//! What netop itself says that it costs, from its screen or its JSON. Pure: text and times in,
//! figures out.

/// One snapshot's words.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Said {
    /// Percent of the busiest CPU, and which one that is.
    pub busiest: Option<f64>,
    pub cpu: Option<u32>,
    /// The sum over all CPUs, percent of one.
    pub all: Option<f64>,
    /// Of what netop measured itself, and the most that it can be, where it says so.
    pub measured: Option<f64>,
    pub bound: Option<f64>,
}

/// When a snapshot was shown, and of how many seconds before that it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Report {
    pub at: f64,
    pub seconds: f64,
    pub said: Said,
}

/// Of a line like `cost cpu0 0.9% all 0.1%`; a figure that is not there is none.
pub fn on_screen(line: &str) -> Said {
    let Some((_, rest)) = line.split_once(" cost ") else {
        return Said::default();
    };
    let mut words = rest.split_whitespace().peekable();
    let cpu = words.next_if(|word| word.starts_with("cpu"));
    let busiest = words.next().and_then(percent);
    let all = words.next_if_eq(&"all").and_then(|_| words.next());
    Said {
        busiest,
        cpu: cpu.and_then(|word| word[3..].parse().ok()),
        all: all.and_then(percent),
        ..Said::default()
    }
}

/// `<0.1%` is as good as 0.05.
fn percent(word: &str) -> Option<f64> {
    let number = word.strip_suffix('%')?;
    if number.starts_with('<') {
        return Some(0.05);
    }
    number.parse().ok()
}

/// Of one line of `--format json`, with the seconds it is of.
pub fn in_json(line: &str) -> Option<(f64, Said)> {
    let snapshot: serde_json::Value = serde_json::from_str(line).ok()?;
    let health = &snapshot["health"];
    let of = |name: &str| health[name].as_f64();
    let said = Said {
        busiest: of("cost_pct"),
        cpu: health["cost_cpu"].as_u64().map(|cpu| cpu as u32),
        all: of("cost_all_pct"),
        measured: of("cost_measured_pct"),
        bound: of("cost_bound_pct"),
    };
    Some((snapshot["interval_s"].as_f64()?, said))
}

/// The reports of which at least half lies between two times.
pub fn within(reports: &[Report], from: f64, to: f64) -> Vec<Said> {
    let middle = |report: &&Report| (from..to).contains(&(report.at - report.seconds / 2.0));
    reports.iter().filter(middle).map(|r| r.said).collect()
}

/// What the reports that touch the time between say, all of it as if it had happened then; for a
/// burst in a quiet time.
pub fn around(
    reports: &[Report],
    from: f64,
    to: f64,
    figure: impl Fn(&Said) -> Option<f64>,
) -> Option<f64> {
    let touching = (reports.iter()).filter(|r| r.at > from && r.at - r.seconds < to);
    let parts = touching.filter_map(|r| Some(figure(&r.said)? * r.seconds));
    let parts: Vec<f64> = parts.collect();
    (!parts.is_empty()).then(|| parts.iter().sum::<f64>() / (to - from))
}
