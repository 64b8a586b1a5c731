//! How busy the machine is: what happened on each CPU in one interval, as whole numbers of things.
//! Events and host counters are both read off these, so they agree exactly.

use std::f64::consts::TAU;
use std::ops::{Index, IndexMut};

use super::rng::Rng;
use crate::decode::CpuTime;

pub const CPUS: usize = 4;

/// CPU 2 has the full receive queue.
const RX_SHARE: [f64; CPUS] = [0.16, 0.13, 0.55, 0.16];
const TX_SHARE: [f64; CPUS] = [0.30, 0.28, 0.16, 0.26];

/// A burst takes the last two of every twenty intervals.
const BURST_EVERY: u64 = 20;
const BURST: f64 = 1.5;

/// The statsd reader is too slow from here to there, in elapsed seconds.
const EPISODE: std::ops::Range<f64> = 20.0..40.0;

/// Skbs that GRO makes one of, per device.
pub const TCP_MERGED: u64 = 14;
pub const ETH1_MERGED: u64 = 10;
/// Segments of one GSO skb.
pub const KAFKA_SEGS: u64 = 16;
pub const NGINX_SEGS: u64 = 8;

/// Things that happen, each of one kind; `events` says which hits one of them makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Runs of net_rx_action and net_tx_action.
    RunRx,
    RunTx,
    PollEth0,
    PollEth1,
    PollBacklog,
    /// Wire packets that the drivers gave to GRO.
    GroEth0,
    GroEth1,
    /// Skbs after GRO.
    StackTcp,
    StackUdp,
    StackEth1,
    /// Datagrams that statsd sends over lo: sent and received on the same CPU.
    Lo,
    KafkaTx,
    /// Kafka's data that the arrival of an ACK sends, in softirq.
    KafkaTxSoft,
    NginxTx,
    SshTx,
    AckTx,
    Retransmit,
    KafkaSend,
    NginxSend,
    SshSend,
    StatsdRecv,
    KafkaRecv,
    NginxRecv,
    /// Skbs that the drivers free when they were sent.
    TxDone,
    DropRcvbuf,
    DropNoSocket,
    /// An event that this machine has no story for.
    Other,
}

const FLOWS: usize = Flow::Other as usize + 1;

/// What is drawn: rate per second of the host, and how the CPUs share it. The rest follows.
const DRAWN: &[(Flow, f64, [f64; CPUS])] = &[
    (Flow::GroEth0, 700_000.0, RX_SHARE),
    (Flow::GroEth1, 150_000.0, RX_SHARE),
    (Flow::StackUdp, 38_000.0, RX_SHARE),
    (Flow::Lo, 9_000.0, TX_SHARE),
    (Flow::KafkaTx, 12_000.0, TX_SHARE),
    (Flow::KafkaTxSoft, 4_000.0, RX_SHARE),
    (Flow::NginxTx, 8_000.0, TX_SHARE),
    (Flow::SshTx, 12.0, TX_SHARE),
    (Flow::KafkaSend, 9_000.0, TX_SHARE),
    (Flow::NginxSend, 4_000.0, TX_SHARE),
    (Flow::RunTx, 300.0, TX_SHARE),
    (Flow::DropNoSocket, 5.0, RX_SHARE),
    (Flow::Retransmit, 3.0, RX_SHARE),
    (Flow::Other, 40.0, TX_SHARE),
];

/// Drops of the episode per second, all on the hot CPU, and its retransmits.
const EPISODE_DROPS: f64 = 1_840.0;
const EPISODE_RETRANSMITS: f64 = 45.0;
const HOT: usize = 2;

/// One CPU in one interval.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Load {
    flows: [u64; FLOWS],
    pub squeezed: u64,
    pub time: CpuTime,
}

impl Index<Flow> for Load {
    type Output = u64;

    fn index(&self, flow: Flow) -> &u64 {
        &self.flows[flow as usize]
    }
}

impl IndexMut<Flow> for Load {
    fn index_mut(&mut self, flow: Flow) -> &mut u64 {
        &mut self.flows[flow as usize]
    }
}

impl Load {
    /// Sums over intervals.
    pub fn add(&mut self, other: &Load) {
        for (sum, more) in self.flows.iter_mut().zip(other.flows) {
            *sum += more;
        }
        self.squeezed += other.squeezed;
        let (time, more) = (&mut self.time, &other.time);
        time.user += more.user;
        time.system += more.system;
        time.idle += more.idle;
        time.irq += more.irq;
        time.softirq += more.softirq;
        time.steal += more.steal;
    }
}

/// The loads of all CPUs in interval `sequence`, which begins at `elapsed_s`. Draws the same number
/// of chances whatever happens, so that no wish of the people above changes the machine.
pub fn interval(rng: &mut Rng, sequence: u64, elapsed_s: f64, length_s: f64) -> [Load; CPUS] {
    let middle = elapsed_s + length_s / 2.0;
    let wave = 1.0 + 0.2 * (TAU * middle / 60.0).sin();
    let burst = sequence % BURST_EVERY >= BURST_EVERY - 2;
    let busy = wave * if burst { BURST } else { 1.0 };
    let episode = EPISODE.contains(&middle);
    std::array::from_fn(|cpu| {
        let mut load = Load::default();
        for &(flow, rate, share) in DRAWN {
            let extra = match flow {
                Flow::Retransmit if episode => EPISODE_RETRANSMITS,
                _ => 0.0,
            };
            load[flow] = draw(rng, (rate * busy + extra) * share[cpu] * length_s);
        }
        let drops = draw(rng, EPISODE_DROPS * length_s);
        if episode && cpu == HOT {
            load[Flow::DropRcvbuf] = drops.min(load[Flow::StackUdp]);
        }
        load.squeezed = draw(
            rng,
            if burst && cpu == HOT {
                40.0 * length_s
            } else {
                0.0
            },
        );
        follow(&mut load);
        load.time = spent(&load, length_s);
        load
    })
}

/// A whole number around `mean`; small means come out right on average too.
fn draw(rng: &mut Rng, mean: f64) -> u64 {
    let jitter = 0.97 + 0.06 * rng.unit();
    (mean * jitter + rng.unit()) as u64
}

/// What follows from what was drawn.
fn follow(load: &mut Load) {
    let tcp = load[Flow::GroEth0].saturating_sub(load[Flow::StackUdp]);
    load[Flow::StackTcp] = tcp.div_ceil(TCP_MERGED);
    load[Flow::StackEth1] = load[Flow::GroEth1].div_ceil(ETH1_MERGED);
    load[Flow::PollEth0] = load[Flow::GroEth0].div_ceil(30);
    load[Flow::PollEth1] = load[Flow::GroEth1].div_ceil(20);
    load[Flow::PollBacklog] = load[Flow::Lo].div_ceil(3);
    let polls = load[Flow::PollEth0] + load[Flow::PollEth1] + load[Flow::PollBacklog];
    load[Flow::RunRx] = (polls * 9).div_ceil(10);
    load[Flow::AckTx] = load[Flow::StackTcp] / 2;
    load[Flow::SshSend] = load[Flow::SshTx];
    load[Flow::StatsdRecv] = load[Flow::StackUdp] + load[Flow::Lo] - load[Flow::DropRcvbuf];
    load[Flow::KafkaRecv] = load[Flow::StackTcp] / 3;
    load[Flow::NginxRecv] = load[Flow::StackEth1] / 4;
    load[Flow::TxDone] = [
        Flow::KafkaTx,
        Flow::KafkaTxSoft,
        Flow::NginxTx,
        Flow::SshTx,
        Flow::AckTx,
        Flow::Retransmit,
    ]
    .into_iter()
    .map(|flow| load[flow])
    .sum();
}

/// Where the CPU's time went, ns; it adds up to the interval.
fn spent(load: &Load, length_s: f64) -> CpuTime {
    let all = (length_s * 1e9) as u64;
    let wire = load[Flow::GroEth0] + load[Flow::GroEth1];
    let calls = [
        Flow::KafkaSend,
        Flow::NginxSend,
        Flow::StatsdRecv,
        Flow::KafkaRecv,
    ]
    .into_iter()
    .map(|flow| load[flow])
    .sum::<u64>();
    let softirq = (wire * 1_300).min(all / 100 * 98);
    let mut left = all - softirq;
    let mut take = |wanted: u64| {
        let taken = wanted.min(left);
        left -= taken;
        taken
    };
    let irq = take(load[Flow::PollEth0] * 700);
    let system = take(calls * 6_000);
    let user = take(calls * 4_000);
    CpuTime {
        user,
        system,
        irq,
        softirq,
        steal: 0,
        idle: left,
    }
}
