//! The bounds are held against windows whose true value is known.

use super::*;

/// A reproducible stream of numbers; Box–Muller for the normal ones.
struct Chance(u64);

impl Chance {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let (u, v) = (self.unit().max(1e-300), self.unit());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }

    /// A second of a load whose packet costs 500 ns: the traffic swings by 10 %, the cost by 15 %
    /// (that is three times the Poisson noise of 199 Hz), and the two have nothing to do with
    /// each other.
    fn second(&mut self) -> (f64, f64) {
        let packets = 100_000.0 * (1.0 + 0.1 * self.normal());
        let cost = 500.0 * (1.0 + 0.15 * self.normal());
        (packets * cost, packets)
    }

    fn window(&mut self, seconds: usize) -> Bounded {
        let parts: Vec<_> = (0..seconds).map(|_| self.second()).collect();
        ratio(parts.into_iter(), 0.0).expect("packets")
    }
}

fn covered(chance: &mut Chance, windows: usize, seconds: usize) -> f64 {
    let hits = (0..windows)
        .filter(|_| {
            let window = chance.window(seconds);
            (window.value - 500.0).abs() <= window.error.expect("bounds")
        })
        .count();
    100.0 * hits as f64 / windows as f64
}

#[test]
fn bounds_of_95_percent_cover_the_truth_in_93_to_97_of_100_windows() {
    // The test of 200 windows is itself uncertain by ±3 points; 20 000 tell the truth.
    let many = covered(&mut Chance(1), 20_000, 30);
    assert!((94.0..=96.0).contains(&many), "{many}");
    let few = covered(&mut Chance(7), 200, 30);
    assert!((93.0..=97.0).contains(&few), "{few}");
    let short = covered(&mut Chance(3), 20_000, 10);
    assert!((93.0..=97.0).contains(&short), "{short}");
}

#[test]
fn two_measurements_of_one_thing_are_called_different_in_at_most_5_of_100() {
    let mut chance = Chance(11);
    let pairs = 5000;
    let called = (0..pairs)
        .filter(|_| differ(chance.window(30), chance.window(30)) == Some(true))
        .count();
    assert!(called * 100 <= pairs * 5, "{called} of {pairs}");
}

#[test]
fn a_change_of_ten_percent_is_found_in_30_seconds() {
    let mut chance = Chance(5);
    let found = (0..500)
        .filter(|_| {
            let before = chance.window(30);
            let mut after = chance.window(30);
            after.value *= 0.9;
            differ(before, after) == Some(true)
        })
        .count();
    assert!(found > 300, "{found} of 500");
}

#[test]
fn parts_of_different_length_weigh_as_much_as_they_are_long() {
    let parts = [(10.0, 1.0), (40.0, 2.0), (10.0, 1.0)];
    let mean = ratio(parts.into_iter(), 0.0).expect("a mean");
    assert!((mean.value - 15.0).abs() < 1e-12);
    assert!(mean.error.expect("three parts") > 0.0);
}

#[test]
fn too_little_to_go_by_has_no_bounds_and_nothing_has_no_value() {
    let two = ratio([(1.0, 1.0), (2.0, 1.0)].into_iter(), 0.0).expect("a mean");
    assert_eq!(two.error, None);
    assert_eq!(ratio(std::iter::empty(), 0.0), None);
    assert_eq!(ratio([(5.0, 0.0)].into_iter(), 0.0), None);
    let lonely = ratio([(9.0, 3.0), (0.0, 0.0), (0.0, 0.0)].into_iter(), 0.0).expect("a mean");
    assert_eq!(lonely.error, None, "one part with a base has no spread");
    assert_eq!(differ(two, two), None);
}

#[test]
fn few_samples_that_agree_by_chance_are_no_certainty() {
    // Ten seconds with four samples of 5 ms each: 40 ± 12 samples.
    let parts = [(20e6, 1.0); 10];
    let mean = ratio(parts.into_iter(), 5e6).expect("a mean");
    let relative = mean.error.expect("ten parts") / mean.value;
    assert!((0.3..0.4).contains(&relative), "{relative}");
}
