//! Comparisons of series whose truth is known. The noise is that of a real host (two CPUs, a TCP
//! stream between namespaces, 199 Hz): the CPU time of a second varies by 1.1 times what its samples
//! alone do (0.9 cores: 8.3 %), neighbours uncorrelated; of a saturated stream beside other work the
//! cost of a packet varies by 30 %, correlated by 0.6 from one second to the next.

use super::*;
use crate::model::WirePackets;

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
}

/// A load: how much packets and cost of a second vary (of 1), and how alike neighbours are.
#[derive(Clone, Copy)]
struct Load {
    packets: f64,
    packets_alike: f64,
    cost: f64,
    cost_alike: f64,
}

/// Sent at a fixed rate.
const PACED: Load = Load {
    packets: 0.01,
    packets_alike: 0.0,
    cost: 0.04,
    cost_alike: 0.2,
};

/// As much as goes.
const SATURATED: Load = Load {
    packets: 0.05,
    packets_alike: 0.6,
    cost: 0.28,
    cost_alike: 0.6,
};

const STAGES: [(&str, &str, f64); 6] = [
    ("tcp", "tx", 0.35),
    ("sock_wake", "rx", 0.2),
    ("copy", "sock", 0.2),
    ("tcp", "rx", 0.15),
    ("ip", "rx", 0.07),
    ("gro", "rx", 0.03),
];

/// So many seconds at 1600 ns per packet, times `factor`, and `tcp` alone times `tcp`.
fn series(chance: &mut Chance, load: Load, seconds: usize, factor: f64, tcp: f64) -> Measured {
    let mut measured = Measured::default();
    let (mut packets_at, mut cost_at) = (chance.normal(), chance.normal());
    for second in 0..seconds {
        let step = |at: &mut f64, alike: f64, chance: &mut Chance| {
            *at = alike * *at + (1.0 - alike * alike).sqrt() * chance.normal();
            *at
        };
        let packets = step(&mut packets_at, load.packets_alike, chance);
        let packets = 560_000.0 * (1.0 + load.packets * packets).max(0.1);
        let cost = step(&mut cost_at, load.cost_alike, chance);
        let cost = 1600.0 * factor * (1.0 + load.cost * cost).max(0.1);
        let mut part = Second {
            seconds: 1.0,
            wire: Some(WirePackets {
                rx: packets,
                tx: packets,
                all: packets,
            }),
            sample_ns: 1e9 / 199.0,
            ..Second::default()
        };
        let mut net = 0.0;
        for (stage, direction, share) in STAGES {
            // What samples of a stage scatter beside the host's own swing.
            let own = packets * cost * share;
            let scatter = (own * part.sample_ns).sqrt() * chance.normal();
            let more = if stage == "tcp" { tcp } else { 1.0 };
            let ns = (own * more + scatter).max(0.0);
            net += ns;
            part.spend(Key::stage(stage, direction), direction, ns);
        }
        part.net_ns = Some(net);
        part.count(Key::function("tcp_ack"), Some(packets.round()), false);
        let origin = Origin {
            hostname: "edge-12".to_owned(),
            kernel: "6.18".to_owned(),
            at: (second as u64 + 1) * 1_000_000_000,
        };
        measured.push(origin, part, None).expect("few rows");
    }
    measured
}

/// In how many of 100 pairs the cost of a packet, and any row, is called different.
fn called(load: Load, seconds: usize, factor: f64) -> (f64, f64) {
    const PAIRS: usize = 1000;
    let mut chance = Chance(17);
    let (mut verdicts, mut rows) = (0, 0);
    for _ in 0..PAIRS {
        let before = series(&mut chance, load, seconds, 1.0, 1.0);
        let after = series(&mut chance, load, seconds, factor, 1.0);
        let compared = compare(&before, &after);
        verdicts += usize::from(compared.ns_per_packet.differs());
        rows += usize::from(compared.rows.iter().any(RowChange::differs));
    }
    let of_100 = |n: usize| n as f64 * 100.0 / PAIRS as f64;
    (of_100(verdicts), of_100(rows))
}

/// 1000 pairs of a true 5 % scatter by 0.7: 5 of 100 may be 6.4, two standard errors.
const FIVE_OF_100: f64 = 6.4;

#[test]
fn equal_runs_are_called_different_in_at_most_5_of_100_pairs() {
    for (name, load) in [("paced", PACED), ("saturated", SATURATED)] {
        for seconds in [10, 30, 60] {
            let (verdict, rows) = called(load, seconds, 1.0);
            eprintln!("{name} {seconds} s: verdict {verdict} of 100, any row {rows} of 100");
            assert!(verdict <= FIVE_OF_100, "{name} {seconds} s: {verdict}");
            assert!(rows <= FIVE_OF_100, "{name} {seconds} s, any row: {rows}");
        }
    }
}

#[test]
fn a_change_of_5_percent_is_found_in_at_least_80_of_100_pairs_of_60_seconds() {
    for factor in [1.05, 0.95] {
        let (found, _) = called(PACED, 60, factor);
        eprintln!("×{factor}: found in {found} of 100");
        assert!(found >= 80.0, "×{factor}: {found}");
    }
}
