//! The one loop: source → decode → fold → snapshot, whatever the source and whoever looks.
//! long because the loop, what an interval tells the governor and its plan as a demand on the source are one thing.

mod cpu;
mod device;
mod facts;
mod functions;
mod governor;
mod latency;
mod ledger;
mod process;
mod protocols;
mod registry;
mod settings;
mod side_band;
mod snapshot;
mod tap;
mod tcp;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Receiver;
use rustc_hash::FxHashMap;

use self::cpu::cpu_time::CpuTime;
use self::cpu::cpus::Cpus;
use self::cpu::softirq_time::SoftirqTime;
use self::device::devices::Devices;
use self::device::traffic::Traffic;
use self::functions::Functions;
use self::functions::duty_cycle_error::DutyCycleError;
use self::governor::cost::{BY_PROCESS_NS, Cost, LIGHT_SAMPLE, Prices, Spent};
use self::governor::counting::FreeNow;
use self::governor::forecast::Load;
use self::governor::{Governor, Plan};
use self::latency::{Latencies, Terms};
use self::ledger::Ledger;
use self::process::by_sample::Received;
use self::process::owners::Owners;
use self::process::processes::Processes;
use self::protocols::Protocols;
use self::tcp::Connections;
use crate::advice::Adviser;
use crate::decode::{
    ALWAYS, Attach, Batch, CPUS_ONLINE, Costs, Demand, EventId, Loss, NOBODY, Tick,
};
use crate::error::Error;
use crate::model::{Facts, Fold, Hit, Names, Snapshot, Want};
use crate::probe::{Fields, Tag};
use crate::source::{Source, Step};

pub use self::functions::BEING_ATTACHED;
pub use self::governor::counting::Counting;
pub use self::registry::{Observer, Registry, Row};
pub use self::settings::Settings;
pub use self::snapshot::{by_reason, uncounted};
pub use self::tap::Tap;

/// The stack tree covers this much of the past, seconds.
const PROFILE_S: f64 = 30.0;

/// The first interval only measures rates so that the governor can forecast; it is not shown.
const WARM_UP: Duration = Duration::from_millis(100);

/// Then what is within the budget is attached, also before anything is shown, so that the first
/// shown interval is counted from its beginning.
const ATTACHING: Duration = Duration::from_millis(30);

/// Where counting is priced before everything is counted without a limit: some six windows, nothing
/// of which is shown.
const PRICING: Duration = Duration::from_millis(1200);

/// So often at most: a CPU that does not answer keeps nobody waiting.
const ATTACHING_TIMES: u32 = 3;

/// Sentences kept in `health.notes`.
const NOTES: usize = 40;

/// What a step led to.
pub enum Progress {
    /// Nothing to show yet.
    Working,
    Snapshot(Arc<Snapshot>),
    End,
}

pub struct Engine {
    source: Box<dyn Source>,
    names: Box<dyn Names>,
    registry: Registry,
    settings: Settings,
    want: Want,
    governor: Governor,
    plan: Plan,
    fold: Fold,
    cpu_time: CpuTime,
    softirq_time: SoftirqTime,
    functions: Functions,
    duty_error: DutyCycleError,
    cpus: Cpus,
    ledger: Ledger,
    latencies: Latencies,
    devices: Devices,
    traffic: Traffic,
    owners: Owners,
    received: Received,
    processes: Processes,
    protocols: Protocols,
    facts: Facts,
    adviser: Adviser,
    connections: Connections,
    /// Samples of each CPU, in units of one with a stack.
    samples: FxHashMap<u32, f64>,
    /// Samples per event in this interval.
    event_samples: FxHashMap<EventId, u64>,
    /// A value that the kernel has no name for, as text; kept for its room.
    unnamed: String,
    loss: Loss,
    softnet_inexact: Option<String>,
    /// The device filter names nothing that was seen.
    device_unknown: Option<String>,
    ended: Vec<u32>,
    /// Of the filter: their numbers are other processes' now.
    replaced: Vec<u32>,
    /// Forked children of the filter's processes, as of the last tick.
    children: Vec<u32>,
    /// Samples of hits whose stacks were shortened since the start.
    shortened: u64,
    elapsed_ns: u64,
    sequence: u64,
    warm: bool,
    /// Intervals for attaching in a row, this one included; 0: this is none.
    attaching: u32,
    /// The gate has counted per process since before this interval began.
    by_process: bool,
    patience: Duration,
    notes: Vec<String>,
}

impl Engine {
    pub fn new(
        source: Box<dyn Source>,
        names: Box<dyn Names>,
        registry: Registry,
        mut settings: Settings,
        want: Want,
    ) -> Engine {
        let adviser = Adviser::new(std::mem::take(&mut settings.limits));
        let mut engine = Engine {
            governor: Governor::new(settings.max_overhead_pct, settings.counting, &registry),
            functions: Functions::new(&registry),
            duty_error: DutyCycleError::default(),
            cpu_time: CpuTime::new(&registry, want.module.as_deref()),
            softirq_time: SoftirqTime::default(),
            notes: settings.notes.clone(),
            source,
            names,
            registry,
            settings,
            want,
            plan: Plan::default(),
            fold: Fold::default(),
            cpus: Cpus::default(),
            ledger: Ledger::default(),
            latencies: Latencies::default(),
            devices: Devices::default(),
            traffic: Traffic::default(),
            owners: Owners::default(),
            received: Received::default(),
            processes: Processes::default(),
            protocols: Protocols::default(),
            facts: Facts::default(),
            adviser,
            connections: Connections::default(),
            samples: FxHashMap::default(),
            event_samples: FxHashMap::default(),
            unnamed: String::new(),
            loss: Loss::default(),
            softnet_inexact: None,
            device_unknown: None,
            ended: Vec::new(),
            replaced: Vec::new(),
            children: Vec::new(),
            shortened: 0,
            elapsed_ns: 0,
            sequence: 0,
            warm: false,
            attaching: 0,
            by_process: false,
            patience: Duration::ZERO,
        };
        engine.replan();
        if engine.settings.recorded {
            engine.warm = true;
            engine.cpu_time.begun();
        }
        engine
    }

    pub fn want(&mut self, mut want: Want) {
        if want.cgroup.is_some() && want.cgroup == self.want.cgroup {
            // Who has joined since is known here.
            want.pids.clone_from(&self.want.pids);
        }
        self.strike_replaced(&mut want.pids);
        self.want.stacks = want.stacks;
        self.want.list_devices = want.list_devices;
        if want == self.want {
            return;
        }
        if want.pids != self.want.pids
            || want.device != self.want.device
            || want.children != self.want.children
            || want.by_owner != self.want.by_owner
        {
            // Totals, peaks and stacks of another question are no answer to this one.
            self.functions = Functions::new(&self.registry);
            self.duty_error = DutyCycleError::default();
            self.fold.forget();
            self.cpu_time.forget();
            self.event_samples.clear();
            self.ended.clear();
        }
        if want.module != self.want.module {
            self.fold.forget();
            self.cpu_time = CpuTime::new(&self.registry, want.module.as_deref());
        }
        self.want = want;
        self.replan();
    }

    /// Each snapshot may wait so long for names that are not known yet.
    pub fn be_patient(&mut self, at_most: Duration) {
        self.patience = at_most;
    }

    /// [`step`](Engine::step) returns when something comes here; `false`: it waits for all of its patience.
    pub fn wake_by(&mut self, wake: Receiver<()>) -> bool {
        self.source.wake_by(wake)
    }

    /// Takes over from another engine: time and the numbers of snapshots go on.
    pub fn follow(&mut self, before: &Engine) {
        self.sequence = before.sequence;
        self.elapsed_ns = before.elapsed_ns;
    }

    /// Whoever knows the names of addresses.
    pub fn names(&mut self) -> &mut dyn Names {
        &mut *self.names
    }

    /// What can be counted is attached: the next interval is shown.
    pub fn is_warm(&self) -> bool {
        self.warm
    }

    /// The next batch or tick of the source, waiting at most `patience`.
    pub fn step(&mut self, patience: Duration) -> Result<Progress, Error> {
        self.step_past(patience, None)
    }

    /// The same past a tap, which sees everything before the engine does.
    pub fn step_past(
        &mut self,
        patience: Duration,
        tap: Option<&mut dyn Tap>,
    ) -> Result<Progress, Error> {
        let step = self.source.step(patience)?;
        if let Some(tap) = tap {
            let session = self.source.session();
            match &step {
                Step::Batch(batch) => tap.batch(session, batch, &mut *self.names)?,
                Step::Tick(tick) => tap.tick(session, tick, self.warm, &mut *self.names)?,
                Step::Idle | Step::End => {}
            }
        }
        match step {
            Step::Batch(batch) => {
                self.batch(&batch);
                self.source.recycle(batch);
                Ok(Progress::Working)
            }
            Step::Tick(tick) => self.tick(&tick),
            Step::Idle => Ok(Progress::Working),
            Step::End => Ok(Progress::End),
        }
    }

    /// The samples of a batch: each to what it counts for.
    fn batch(&mut self, batch: &Batch) {
        side_band::ingest(&batch.side, &mut *self.names, &mut self.processes);
        self.loss.add(batch.loss);
        // A lost sample has cost its stack walk like any other.
        let light = batch.samples.iter().filter(|sample| sample.chain.len == 0);
        let light = light.count() as f64;
        let heavy = batch.samples.len() as f64 - light + batch.loss.lost as f64;
        *self.samples.entry(batch.cpu).or_default() += heavy + light * LIGHT_SAMPLE;
        for sample in &batch.samples {
            if let Some(place) = self
                .registry
                .softirq
                .iter()
                .position(|e| *e == sample.event)
            {
                self.softirq_time.push(sample.cpu, place == 1, sample.time);
                continue;
            }
            if sample.event == EventId::CLOCK {
                let chain = sample.chain.of(&batch.frames);
                self.cpu_time
                    .fold
                    .push(sample.cpu, sample.pid, sample.period, chain);
                continue;
            }
            if self.registry.receives.contains(&sample.event) {
                self.received.hit(sample);
                continue;
            }
            let Some(row) = self.registry.row_of(sample.event) else {
                continue;
            };
            let what = self.registry.rows[row]
                .probe
                .decode(Fields { sample, batch });
            let socket = match sample.owner {
                0 => what.socket,
                owner => owner,
            };
            let probe = &*self.registry.rows[row].probe;
            let pid = self.owners.pid_of(probe, &self.want, sample, socket);
            let event = self.source.session().events.get(sample.event.0 as usize);
            let tag = match what.tag {
                None => None,
                Some(Tag::Device(name)) => {
                    std::str::from_utf8(name).ok().map(|name| ("device", name))
                }
                Some(Tag::Symbol(field, value)) => {
                    let name = event
                        .and_then(|e| e.symbol(field, value))
                        .unwrap_or_else(|| {
                            self.unnamed.clear();
                            let _infallible = write!(self.unnamed, "{field} {value:#x}");
                            &self.unnamed
                        });
                    Some((field, name))
                }
            };
            // Also of processes outside the filter: the device is everybody's.
            if let (Some(("device", device)), Some(packets)) = (tag, what.packets)
                && self.registry.rows[row].probe.sends()
            {
                self.traffic.sent(device, packets, sample.period);
            }
            if let (Some(("device", device)), Some(work), Some(budget)) =
                (tag, what.packets, what.budget)
            {
                self.devices.polled(device, work, budget, sample.period);
            }
            let counted = self.want.pids.is_empty()
                || self.want.pids.contains(&pid)
                || self.children.contains(&pid);
            if counted {
                *self.event_samples.entry(sample.event).or_default() += 1;
            }
            if socket != 0 {
                if what.flow.is_some() {
                    self.owners.used(socket, sample.pid);
                }
                self.owners.hit(sample.event, socket, sample.period);
            }
            if let Some(device) = what.dropped_by {
                self.ledger.hit(&ledger::Hit {
                    cpu: sample.cpu,
                    reason: sample.values[0],
                    chain: sample.chain.of(&batch.frames),
                    device,
                    owner: socket,
                    period: sample.period,
                });
            }
            let hit = Hit {
                event: sample.event.0,
                cpu: sample.cpu,
                pid,
                period: sample.period,
                chain: sample.chain.of(&batch.frames),
                tag,
                packets: what.packets,
                bytes: what.bytes,
            };
            self.fold.push(&hit, counted);
        }
    }

    fn tick(&mut self, tick: &Tick) -> Result<Progress, Error> {
        self.loss.add(tick.loss);
        for note in &tick.notes {
            self.note(note);
        }
        self.children.clone_from(&tick.children);
        // A group that is empty for a while is not all processes.
        if self.want.cgroup.is_some() && !tick.members.is_empty() {
            self.want.pids.clone_from(&tick.members);
        }
        self.leave_replaced(&tick.replaced);
        self.cpus.ingest(tick.interval_ns, &tick.host.cpus);
        self.ledger.ingest(tick.interval_ns, &tick.host);
        self.traffic.ingest(tick.interval_ns, &tick.host);
        self.processes
            .ingest(tick.host.slow.as_deref(), &tick.replaced);
        self.protocols.ingest(tick.host.slow.as_deref());
        self.connections.ingest(tick.host.slow.as_deref());
        if let Some(slow) = &tick.host.slow {
            facts::ingest(&mut self.facts, slow);
            self.owners.learn(slow);
            let order: Vec<u32> = tick.host.cpus.iter().map(|cpu| cpu.cpu).collect();
            self.devices.ingest(slow, &order);
            self.softnet_inexact.clone_from(&slow.softnet_inexact);
            let device = self.want.device.as_ref();
            self.device_unknown = device
                .filter(|device| !self.devices.has(device))
                .map(|device| {
                    format!(
                        "no device {device} in the network namespaces that were read: ip -br link"
                    )
                });
            for note in &slow.notes {
                self.note(note);
            }
        }
        self.owners.meet(tick);
        if tick.interval_ns == 0 {
            // The baseline: counters have a first reading, nothing has been counted yet.
            self.replan_with(|demand, _| demand.interval = WARM_UP);
            return Ok(Progress::Working);
        }
        self.demand_gate()?;
        let seconds = tick.interval_ns as f64 / 1e9;
        let own_pct = tick
            .own
            .cpu_ns
            .map(|ns| 100.0 * ns as f64 / tick.interval_ns as f64);
        let cost = self.learn(tick, own_pct);
        let (attached, packets) = (&self.plan.attached, self.cpus.processed());
        self.duty_error
            .learn(&tick.counts, attached, tick.interval_ns, packets);
        let shown = self.warm;
        self.settle_losses(tick, shown);
        let progress = if shown {
            Progress::Snapshot(Arc::new(self.snapshot(tick, &cost, own_pct)))
        } else {
            self.fold.finish(seconds, PROFILE_S, |_, _| None);
            self.fold.forget();
            self.cpu_time.forget();
            self.loss = Loss::default();
            Progress::Working
        };
        self.by_process = self.plan.by_process;
        self.event_samples.clear();
        let first = if self.sequence == 0 {
            self.settings.first_interval
        } else {
            None
        };
        let (mut attaching, mut pricing) = (false, false);
        let again = self.attaching < ATTACHING_TIMES;
        let cpus = self.source.session().host.cpus.clone();
        self.replan_with(|demand, planned| {
            // The samplers attach each on its own: one may be late.
            let on = |a: &Attach, cpu: &u32| {
                let mut counts = tick.counts.iter().filter(|c| c.event == a.event);
                counts.any(|c| c.cpu.is_none_or(|of| of == *cpu))
            };
            // What is counted in windows has none yet.
            let windowed = |a: &Attach| a.duty_permille < ALWAYS;
            let counted = |a: &Attach| a.every || windowed(a) || cpus.iter().all(|cpu| on(a, cpu));
            pricing = !shown && planned.pricing;
            attaching = !shown && again && !demand.attached.iter().all(counted);
            if pricing {
                demand.interval = PRICING;
            } else if attaching {
                demand.interval = ATTACHING;
            } else if let Some(first) = first {
                demand.interval = first.min(demand.interval);
            }
        });
        self.attaching = match (attaching, pricing) {
            (_, true) | (false, _) => 0,
            (true, false) => self.attaching + 1,
        };
        self.warm = !attaching && !pricing;
        Ok(progress)
    }

    /// `--counting bpf` without BPF programs is what cannot be had.
    fn demand_gate(&self) -> Result<(), Error> {
        match &self.source.session().no_gate {
            Some(why) if self.settings.counting == Counting::Bpf => Err(Error::unavailable(
                format!("no BPF program can count here: {why}"),
                "netop --counting perf",
            )),
            _ => Ok(()),
        }
    }

    /// What the interval cost, and what it says of the next one.
    fn learn(&mut self, tick: &Tick, own_pct: Option<f64>) -> Cost {
        let seconds = tick.interval_ns as f64 / 1e9;
        let samples_per_s = self
            .samples
            .drain()
            .map(|(cpu, n)| (cpu, n / seconds))
            .collect();
        let exact = self.softnet_inexact.is_none();
        let session = self.source.session();
        let said = (self.governor).learn_windows(&tick.compared, session, exact);
        if let Some(said) = said {
            self.note(&said);
        }
        let costs = self.costs();
        let terms = Terms {
            want: &self.want,
            seconds,
            budget_pct: self.settings.max_overhead_pct,
            hit_ns: costs.hit_ns(true),
        };
        self.latencies.ingest(tick.latency.as_ref(), &terms);
        let session = self.source.session();
        let probes = session.probes();
        let busy = self.cpus.busy();
        let spent = Spent {
            prices: Prices {
                probes: &probes,
                costs,
                pids: !self.want.pids.is_empty(),
            },
            factor: self.governor.live_price.factor(),
            counts: &tick.counts,
            samples_per_s: &samples_per_s,
            own_pct: own_pct.unwrap_or(0.0),
            own_per_cpu: &tick.own.per_cpu,
            busy: &busy,
            online: &session.host.cpus,
            interval_ns: tick.interval_ns,
            by_process: self.plan.by_process && !tick.processes_in_part,
            timing_ns: &self.latencies.cost_ns,
        };
        let (received, transmitted) = self.traffic.packets();
        let load = Load {
            rx: self.cpus.rx_load(received),
            tx: self.cpus.tx_load(transmitted),
            runs: self.cpus.run_rates(),
            busy: self.cpus.busy(),
            risen: tick.risen,
        };
        let cost = self.governor.learn(&spent, load, self.warm);
        let (forecast, cpus) = (&self.governor.forecast, session.host.cpus.iter());
        let expected: Vec<_> = cpus
            .map(|&cpu| forecast.timed(cpu, &self.registry))
            .collect();
        let (hit_ns, budget) = (costs.hit_ns(true), self.settings.max_overhead_pct);
        let foreseen = self.latencies.foresee(&expected, hit_ns, budget);
        if let (Some(foreseen), true) = (foreseen, self.want.latency) {
            self.governor.expect_timing(foreseen);
        }
        // In the moment it takes to attach a rate of losses says nothing.
        if let Some(rate) = self.ledger.counter_rate().filter(|_| self.attaching == 0) {
            let length = (tick.at, seconds);
            let said = self.governor.learn_losses(length, rate, &self.registry);
            if let Some(said) = said {
                self.note(&said);
            }
        }
        cost
    }

    /// What counting costs, as far as it is known by now.
    fn costs(&self) -> Costs {
        let costs = self.source.session().costs;
        self.governor.live_price.corrected(costs)
    }

    fn free_now(&self) -> FreeNow {
        let counting = self.settings.counting;
        let stand_in = counting == Counting::Record;
        let usable = (stand_in || matches!(counting, Counting::Auto | Counting::Proc))
            && self.want.pids.is_empty()
            && self.want.device.is_none();
        FreeNow {
            softirqs: usable,
            softnet: usable && self.softnet_inexact.is_none(),
            stand_in,
        }
    }

    fn replan(&mut self) {
        self.replan_with(|_, _| {});
    }

    fn replan_with(&mut self, adjust: impl FnOnce(&mut Demand, &Plan)) {
        let free = self.free_now();
        let sampled = self.plan.clock_hz;
        self.plan = self
            .governor
            .plan(&self.want, &self.registry, self.source.session(), free);
        self.by_process &= self.plan.by_process;
        if self.plan.clock_hz != sampled {
            self.cpu_time.forget();
        }
        // What a breakpoint costs beside is not saved by letting it go for a second.
        let prices = Prices {
            costs: self.costs(),
            probes: &[],
            pids: !self.want.pids.is_empty(),
        };
        let mut demand = Demand {
            interval: self.want.interval,
            clock_hz: self.plan.clock_hz,
            attached: self.plan.attached.clone(),
            pids: self.want.pids.clone(),
            start_ticks: self.want.start_ticks.clone(),
            children: self.want.children,
            cgroup: self.want.cgroup.clone(),
            device: self.want.device.clone(),
            by_process: self.plan.by_process,
            // Whoever is met first has a name then.
            list_tasks: self.want.list_tasks || self.sequence == 0,
            side_band: self.want.side_band,
            timing: self.latencies.wanted(&self.want),
            sockets: self.want.sockets,
            tasks: self.processes.shown.clone(),
            ownerless: self.owners.ask(),
            gate_limit_ns: (self.governor.budget_pct < 100.0)
                .then_some((self.governor.budget_pct * 1e7) as u64),
            gate_hit_ns: prices.hit(EventId(0), true) as u32,
            gate_process_ns: BY_PROCESS_NS as u32,
        };
        adjust(&mut demand, &self.plan);
        self.source.demand(&demand);
    }

    /// Processes that ended and whose numbers were given again are counted no more.
    fn leave_replaced(&mut self, replaced: &[u32]) {
        let mut pids = std::mem::take(&mut self.want.pids);
        for pid in replaced.iter().filter(|pid| pids.contains(pid)) {
            self.note(&format!(
                "process {pid} ended; another one has its number and is not counted (CPU samples of the interval in which it began may include it)"
            ));
            self.replaced.push(*pid);
        }
        self.strike_replaced(&mut pids);
        self.want.pids = pids;
    }

    fn strike_replaced(&self, pids: &mut Vec<u32>) {
        if pids.is_empty() || self.replaced.is_empty() {
            return;
        }
        pids.retain(|pid| !self.replaced.contains(pid));
        if pids.is_empty() {
            pids.push(NOBODY);
        }
    }

    /// Each sentence once; after so many the host has said enough.
    fn note(&mut self, note: &str) {
        // How many there were is no news once it is said how many there are.
        if note.starts_with(CPUS_ONLINE) {
            self.notes.retain(|known| !known.starts_with(CPUS_ONLINE));
        }
        if self.notes.len() < NOTES && self.notes.iter().all(|known| known != note) {
            self.notes.push(note.to_owned());
        }
    }
}
