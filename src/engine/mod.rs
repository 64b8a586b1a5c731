//! The one loop: source → decode → fold → snapshot, whatever the source and whoever looks.

mod attribution;
mod batch;
mod bucket;
mod by_sample;
mod charges;
mod cost;
mod counting;
mod cpu_report;
mod cpu_time;
mod cpus;
mod device_parts;
mod device_report;
mod devices;
mod drop_watch;
mod duty_cycle_error;
mod forecast;
mod functions;
mod gate_check;
mod governor;
mod health;
mod ladder;
mod latency;
mod latency_reason;
mod ledger;
mod limit;
mod live_price;
mod module_time;
mod occupants;
mod owners;
mod per_hit;
mod processes;
mod protocols;
mod readers;
mod registry;
mod report;
mod rx_attribution;
mod sample_rate;
mod settings;
mod side_band;
mod softirq_time;
mod spent;
mod status;
mod steering;
mod tap;
mod tcp;
mod top;
mod traffic;
mod wanted;

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Receiver;
use rustc_hash::FxHashMap;

use self::by_sample::Received;
use self::cpu_time::CpuTime;
use self::cpus::Cpus;
use self::devices::Devices;
use self::duty_cycle_error::DutyCycleError;
use self::functions::Functions;
use self::governor::{Governor, Plan};
use self::latency::Latencies;
use self::ledger::Ledger;
use self::owners::Owners;
use self::processes::Processes;
use self::protocols::Protocols;
use self::softirq_time::SoftirqTime;
use self::tcp::Connections;
use self::traffic::Traffic;
use crate::advice::Adviser;
use crate::decode::{ALWAYS, Attach, CPUS_ONLINE, EventId, Loss, Tick};
use crate::error::Error;
use crate::model::{Facts, Fold, Names, Snapshot, Want};
use crate::source::{Source, Step};

pub use self::counting::Counting;
pub use self::functions::BEING_ATTACHED;
pub use self::health::{by_reason, uncounted};
pub use self::registry::{Observer, Registry, Row};
pub use self::settings::Settings;
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

/// No process has this number: the largest is 2^22 (PID_MAX_LIMIT, include/linux/threads.h). A filter
/// of processes that have all ended is not all processes.
const NOBODY: u32 = (1 << 22) + 1;

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
    spreads: DutyCycleError,
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
            spreads: DutyCycleError::default(),
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
            self.spreads = DutyCycleError::default();
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
        self.processes.ingest(tick.host.slow.as_deref());
        self.protocols.ingest(tick.host.slow.as_deref());
        self.connections.ingest(tick.host.slow.as_deref());
        if let Some(slow) = &tick.host.slow {
            self.take_facts(slow);
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
        self.spreads
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

    /// Processes that ended and whose numbers were given again are counted no more.
    fn leave_replaced(&mut self, replaced: &[u32]) {
        let mut pids = std::mem::take(&mut self.want.pids);
        for pid in replaced.iter().filter(|pid| pids.contains(pid)) {
            self.note(&format!(
                "process {pid} ended; another one has its number and is not counted (the last interval may hold some of it)"
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
