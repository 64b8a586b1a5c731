//! Figures from figures. Knows nothing of where they come from.

/// A part of a window, short beside the machine's changes of speed.
#[derive(Clone, Copy)]
pub struct Slot {
    pub ns: f64,
    /// What the reference work took in it.
    pub batch_ns: Option<f64>,
}

/// All the slots' time, each in its own batches of the reference work; none if none was done.
/// A slot without a batch takes the median of the others.
pub fn in_batches(slots: &[Slot]) -> Option<f64> {
    let known: Vec<f64> = slots.iter().filter_map(|slot| slot.batch_ns).collect();
    if known.is_empty() {
        return None;
    }
    let usual = median(&known);
    let batches = |slot: &Slot| slot.ns / slot.batch_ns.unwrap_or(usual);
    Some(slots.iter().map(batches).sum())
}

/// The value that so many percent of what was counted do not exceed, of ascending pairs of a
/// value and its count.
pub fn percentile(counts: &[(u64, u64)], percent: u64) -> Option<u64> {
    let all: u64 = counts.iter().map(|pair| pair.1).sum();
    let wanted = all * percent / 100;
    let mut seen = 0;
    let found = counts.iter().find(|(_, count)| {
        seen += count;
        seen > wanted
    });
    found.map(|pair| pair.0)
}

/// The 95 % interval of the median by order statistics; of fewer than nine values the least and
/// the greatest.
pub fn interval(values: &[f64]) -> (f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rounds = sorted.len() as f64;
    // Ranks left out at either end: of a binomial of one half, by its normal approximation.
    let out = ((rounds - 1.0) / 2.0 - 0.98 * rounds.sqrt()).max(0.0) as usize;
    (sorted[out], sorted[sorted.len() - 1 - out])
}

pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    }
}
