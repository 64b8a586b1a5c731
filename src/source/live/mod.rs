//! The live source: one sampler thread per online CPU, exact counts by one group read per CPU
//! and tick, host counters beside them. It reads clocks (so does `demo`, to pace a screen).
//! The intervals are this file's; what is attached, from one demand to the next, is `reconcile`'s.
//!
//! long because a tick is one sequence: counts, rings, host counters, in the order in which they must be read.

pub mod gate;

mod aside;
mod burst;
mod catalog;
mod host_event_log;
mod lives;
mod options;
mod reconcile;
mod replaced;
mod sampler;
mod slow;
mod tasks;
mod window_edge;
use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, select};

use self::aside::Aside;
use self::burst::{Burst, LetGo};
use self::catalog::Catalog;
pub use self::gate::gate_refusals;
use self::gate::latency::Latency;
use self::gate::meter::Meter;
pub use self::gate::programs::{OBJECT as GATE_OBJECT, PROGRAMS as GATE_PROGRAMS};
use self::gate::windows::Schedule;
use self::gate::{Brought, Gated};
use self::host_event_log::HostEventLog;
use self::lives::Lives;
pub use self::options::Options;
use self::replaced::Replaced;
use self::sampler::command::{Answer, SamplerCommand};
use self::sampler::handle::{Lines, SamplerHandle, start_closer};
use self::slow::Slow;
use self::tasks::TaskCounters;
use self::window_edge::WindowEdge;
use super::cpu_filter::all_there;
use super::{Source, Step};
use crate::decode::{
    Batch, CPUS_ONLINE, Costs, Counts, Demand, EventId, HostSample, Loss, OwnCost, Session,
    SlowSample, SourceKind, Tick, Windows,
};
use crate::error::Error;
use crate::host::{FastCounters, OnlineCpus, Proc, descendants, identity, members};
use crate::sys::{
    Leader, Own, OwnByCpu, cpu_clock, monotonic_ns, raise_open_files, settle_read_format, wall_ns,
};

/// Ring of one CPU, bytes; a sample with 30 frames takes about 350.
pub const RING_BYTES: usize = 512 * 1024;

/// Batches under way; a sampler that finds the channel full drops and counts.
const BATCHES: usize = 256;

/// How long a tick waits for the samplers to drain.
const ROUND_PATIENCE: Duration = Duration::from_millis(60);

/// A tick waits for the slow counters for this part of the interval: an eighth, within these bounds. What
/// comes later is a figure of the next interval.
const SLOW_PART: u32 = 8;
const SLOW_PATIENCE: [Duration; 2] = [Duration::from_millis(10), Duration::from_millis(120)];

/// A rate measured over less than this draws no period: ten quiet milliseconds would make every
/// hit of the next second a sample.
const RATE_SPAN_NS: u64 = 40_000_000;

/// Traffic moves from CPU to CPU at once: a quiet CPU's period is drawn for at least this share of
/// the busiest one's rate, so that not every hit is a sample when it moves there.
const MIGRATION: f64 = 16.0;

pub struct Live {
    session: Session,
    /// Only these CPUs are looked at; empty: all.
    chosen: Arc<[u32]>,
    catalog: Catalog,
    demand: Demand,
    samplers: Vec<SamplerHandle>,
    tasks: TaskCounters,
    /// Children that the filter's processes had when it was set.
    family: Vec<u32>,
    lines: Lines,
    batches: Receiver<Batch>,
    recycled: Sender<Batch>,
    answers: Receiver<Answer>,
    /// Whoever steps has something for its engine.
    wake: Receiver<()>,
    /// What leads each CPU's group; `None`: there are no events here.
    leader: Option<Leader>,
    /// Counts with BPF programs; `None`: not here.
    gate: Option<Gated>,
    /// On its way; nothing is attached before it is here, or known not to come.
    loading: Option<Loading>,
    /// Counts of gated events that were let go within the interval.
    brought: Brought,
    /// When events are counted that are counted a part of the time, what attaching them then costs,
    /// and what perf events had in their windows.
    schedule: Schedule,
    meter: Meter,
    windows: Vec<(EventId, u32, Windows)>,
    /// CPU, event and hits since it was attached, of CPUs that went offline.
    last_counts: Vec<(u32, EventId, u64)>,
    opened: WindowEdge,
    latency: Latency,
    burst: Burst,
    processes_in_part: bool,
    aside: Aside,
    proc: Proc,
    fast: Option<FastCounters>,
    online: OnlineCpus,
    slow: Slow,
    own: Own,
    own_by_cpu: OwnByCpu,
    ready: VecDeque<Step>,
    replaced: Replaced,
    lives: Lives,
    event_log: HostEventLog,
    notes: Vec<String>,
    /// Attach commands whose answer is still to come.
    pending: usize,
    round: u64,
    /// Start of the current interval (`None` before the baseline), and when it is due to end.
    started: Option<u64>,
    due: u64,
}

/// What became of the processes of the filter; PIDs.
struct Filtered {
    ended: Vec<u32>,
    replaced: Vec<u32>,
    members: Vec<u32>,
    children: Vec<u32>,
}

/// The gate on its way.
struct Loading {
    thread: JoinHandle<Result<Gated, String>>,
    /// CLOCK_MONOTONIC, ns, up to when an interval waits for it.
    until: u64,
}

impl Live {
    pub fn open(options: Options) -> Result<Live, Error> {
        raise_open_files();
        settle_read_format();
        let proc = Proc::host();
        let mut host = identity(&proc);
        // Before any thread is started.
        let own_by_cpu = OwnByCpu::open(&host.cpus);
        let (batches_in, batches) = crossbeam_channel::bounded(BATCHES);
        let (recycled, pool) = crossbeam_channel::bounded(BATCHES);
        let (answers_in, answers) = crossbeam_channel::unbounded();
        let lines = Lines {
            batches: batches_in,
            pool,
            answers: answers_in,
            closer: start_closer()?,
        };
        // Reading the kernel's types takes a while: beside everything else.
        let (specs, chosen) = (options.specs.clone(), options.cpus.clone());
        let loading = match options.gate {
            Some(patience) => {
                let load = move || Gated::load(&specs, chosen);
                let thread = std::thread::Builder::new().name("gate loader".to_owned());
                let thread = thread.spawn(load).map_err(|e| Error::no_thread(&e))?;
                let until = monotonic_ns() + patience.as_nanos() as u64;
                Some(Loading { thread, until })
            }
            None => None,
        };
        let replaced = Replaced::watch(&options.specs);
        let catalog = Catalog::look_up(options.specs, &options.tracefs);
        if !options.cpus.is_empty() {
            all_there(&host.cpus, &options.cpus)?;
            host.cpus.retain(|cpu| options.cpus.contains(cpu));
        }
        let mut live = Live {
            session: Session {
                costs: Costs::default(),
                no_gate: None,
                gate_loading: options.gate.is_some(),
                host,
                source: SourceKind::Live,
                events: catalog.events.clone(),
            },
            chosen: options.cpus.clone(),
            catalog,
            demand: Demand {
                interval: options.interval,
                ..Demand::default()
            },
            samplers: Vec::new(),
            tasks: TaskCounters::on(options.cpus.clone()),
            family: Vec::new(),
            lines,
            batches,
            recycled,
            answers,
            wake: crossbeam_channel::never(),
            fast: FastCounters::open(&proc).ok(),
            online: OnlineCpus::open(&proc),
            slow: Slow::start(Proc::host())?,
            leader: None,
            gate: None,
            loading,
            brought: Brought::default(),
            schedule: Schedule::default(),
            meter: Meter::open(),
            windows: Vec::new(),
            last_counts: Vec::new(),
            opened: WindowEdge::default(),
            latency: Latency::default(),
            proc,
            own: Own::new(),
            own_by_cpu,
            burst: Burst::default(),
            processes_in_part: false,
            aside: Aside::new(),
            ready: VecDeque::new(),
            replaced,
            lives: Lives::default(),
            event_log: HostEventLog::begin(),
            notes: Vec::new(),
            pending: 0,
            round: 0,
            started: None,
            due: 0,
        };
        match options.tracefs.and_then(|tracefs| tracefs.quiet()) {
            Ok(quiet) => live.leader = Some(Leader::Quiet(quiet)),
            Err(reason) => {
                live.catalog.refuse_all(&reason);
                // CPU time can be sampled without tracefs.
                let first = live.session.host.cpus.first().copied().unwrap_or(0);
                let sampled = options.clock && cpu_clock(first).is_ok();
                live.leader = sampled.then_some(Leader::Nothing);
            }
        }
        live.start_samplers();
        if live.loading.is_none() {
            live.measure_costs();
        }
        live.session.events.clone_from(&live.catalog.events);
        Ok(live)
    }

    /// Ends the interval: counts first, close together; then the rings, then the tick.
    fn tick(&mut self) {
        // The first interval has nothing attached: time enough to load the gate.
        if self.started.is_some() {
            self.finish_loading();
        }
        let at = monotonic_ns();
        let interval_ns = at.saturating_sub(self.started.unwrap_or(at));
        let from = self.started.unwrap_or(at);
        let mut counts = Vec::new();
        let mut kernel_lost = 0;
        for sampler in &mut self.samplers {
            kernel_lost += sampler.read(at, from, &mut counts);
        }
        let mut brought = std::mem::take(&mut self.brought);
        if let Some(gate) = &mut self.gate {
            gate.cpus.clone_from(&self.session.host.cpus);
            // One that came within the interval has counted as well.
            let came = self.online.read().unwrap_or_default().into_iter();
            let came = came.filter(|cpu| self.chosen.is_empty() || self.chosen.contains(cpu));
            gate.cpus.extend(came);
            gate.cpus.sort_unstable();
            gate.cpus.dedup();
            gate.read(at, from, &self.demand, &mut brought);
        }
        counts.append(&mut brought.counts);
        let cpus = self.fast.as_mut().and_then(|fast| fast.read().ok());
        let mut cpus = cpus.unwrap_or_default();
        // Of the chosen CPUs all may be offline; that none is says that nothing could be read.
        let readable = !cpus.is_empty();
        let own_per_cpu = self.own_by_cpu.cpu_ns();
        self.aside.step(&cpus, &own_per_cpu);
        cpus.retain(|c| self.chosen.is_empty() || self.chosen.contains(&c.cpu));
        let risen = self.burst.end_interval(WindowEdge {
            at,
            softnet: Some(cpus.iter().map(|c| (c.cpu, c.softnet)).collect()),
        });
        let wall = wall_ns();
        self.tasks.read(at, interval_ns, &mut counts);
        let devices = brought.devices.iter().chain(&brought.in_windows);
        self.slow.ask(at, &self.demand, devices);

        let loss = self.drain_samplers(&counts, kernel_lost);
        self.put_last_counts(&mut counts, interval_ns);
        self.put_windows(&mut counts);
        let slow = self.slow_counters();
        let events = self.event_log.look(wall, slow.as_deref());
        if self.started.is_none() {
            counts.clear();
            brought = Brought::default();
        }
        let filter = self.look_at_filter();
        let online: Vec<u32> = cpus.iter().map(|c| c.cpu).collect();
        let told = self.leader.is_some() && readable;
        let changed = told && online != self.session.host.cpus;
        if changed {
            self.notes.push(format!("{CPUS_ONLINE}{}", online.len()));
        }
        let mut notes = std::mem::take(&mut self.notes);
        notes.extend(self.replaced.look(at));
        let latency = self.latency.read(&self.session.host.cpus, &mut notes);
        self.ready.push_back(Step::Tick(Box::new(Tick {
            at,
            wall_ns: wall,
            interval_ns,
            counts,
            devices: brought.devices,
            carried: brought.carried,
            sockets: brought.sockets,
            overflow: brought.overflow,
            host: HostSample { cpus, slow },
            own: OwnCost {
                cpu_ns: Some(self.own.cpu_ns()),
                anon_bytes: self.own.anon_bytes(),
                per_cpu: own_per_cpu,
            },
            compared: std::mem::take(&mut self.meter.compared),
            latency,
            loss,
            ended: filter.ended,
            replaced: filter.replaced,
            members: filter.members,
            children: filter.children,
            processes_in_part: std::mem::take(&mut self.processes_in_part),
            risen,
            events,
            notes,
        })));
        self.started = Some(at);
        // From due to due, so that lateness does not add up; what was slept through is left out.
        let interval = self.demand.interval.as_nanos() as u64;
        self.due = if self.due + interval > at {
            self.due + interval
        } else {
            at + interval
        };
        if changed {
            self.session.host.cpus = online;
        }
        if changed || (told && self.samplers.iter().any(|s| s.dead)) {
            self.start_samplers();
        }
    }

    /// Has every sampler drain its ring, and collects what comes. Returns the loss that the
    /// kernel counted beyond the LOST records that were read.
    fn drain_samplers(&mut self, counts: &[Counts], kernel_lost: u64) -> Loss {
        self.round += 1;
        let rate = |c: &Counts| c.hits as f64 * 1e9 / c.span_ns as f64;
        let wide = |c: &&Counts| c.cpu.is_some() && c.span_ns >= RATE_SPAN_NS;
        let highest = |event| {
            let same = counts.iter().filter(wide).filter(|c| c.event == event);
            same.map(rate).fold(0.0, f64::max)
        };
        for sampler in &self.samplers {
            let rates = counts
                .iter()
                .filter(|c| c.cpu == Some(sampler.cpu) && c.span_ns >= RATE_SPAN_NS)
                .map(|c| (c.event, rate(c).max(highest(c.event) / MIGRATION)))
                .collect();
            sampler.send(SamplerCommand::Round {
                number: self.round,
                rates,
            });
        }
        let deadline = monotonic_ns() + ROUND_PATIENCE.as_nanos() as u64;
        let mut waiting = self.samplers.len();
        let mut recorded_lost = 0;
        while waiting > 0 {
            let left = Duration::from_nanos(deadline.saturating_sub(monotonic_ns()));
            select! {
                recv(self.batches) -> batch => if let Ok(batch) = batch {
                    recorded_lost += batch.loss.lost;
                    self.ready.push_back(Step::Batch(batch));
                },
                recv(self.answers) -> answer => match answer {
                    Ok(Answer::Drained { round }) if round == self.round => waiting -= 1,
                    Ok(other) => self.take_answer(other),
                    Err(_) => break,
                },
                default(left) => break,
            }
        }
        while let Ok(batch) = self.batches.try_recv() {
            recorded_lost += batch.loss.lost;
            self.ready.push_back(Step::Batch(batch));
        }
        Loss {
            lost: kernel_lost.saturating_sub(recorded_lost),
            ..Loss::default()
        }
    }

    /// What events had when their CPU went offline is a count of this interval.
    fn put_last_counts(&mut self, counts: &mut Vec<Counts>, interval_ns: u64) {
        for (cpu, event, hits) in std::mem::take(&mut self.last_counts) {
            let sampler = self.samplers.iter_mut().find(|s| s.cpu == cpu);
            let last = sampler.and_then(|s| s.last_count(event, hits, interval_ns));
            let Some(last) = last else { continue };
            match counts
                .iter_mut()
                .find(|c| c.event == event && c.cpu == Some(cpu) && !c.gate)
            {
                Some(counted) => counted.hits += last.hits,
                None => counts.push(last),
            }
        }
    }

    /// Lets go at once what a burst makes too dear.
    fn answer_bursts(&mut self, now: u64) {
        let Some(gate) = &self.gate else { return };
        let begun = self.started.is_some();
        let Some(LetGo(events)) = self.burst.look(now, begun, &self.demand, gate) else {
            return;
        };
        let answered = self.look_at_window();
        self.burst.answered(answered);
        let old = self.demand.clone();
        self.processes_in_part |= self.demand.by_process;
        self.demand.by_process = false;
        (self.demand.attached).retain(|a| !events.contains(&a.event));
        if !events.is_empty() {
            self.notes.push(burst::SAID.to_owned());
        }
        if old != self.demand {
            self.reconcile_gate(&old);
        }
    }

    /// The newest reading of the slow counters, if one has come.
    fn slow_counters(&mut self) -> Option<Arc<SlowSample>> {
        let [least, most] = SLOW_PATIENCE;
        let patience = (self.demand.interval / SLOW_PART).clamp(least, most);
        let answer = self.slow.answer(patience)?;
        if let Some(gate) = &mut self.gate {
            gate.choose_sockets(&answer.sockets, &self.demand);
        }
        Some(Arc::new(answer.sample))
    }

    fn look_at_filter(&mut self) -> Filtered {
        let gone = |pid: &u32| !self.proc.exists(&format!("proc/{pid}"));
        let group = self.demand.cgroup.as_deref();
        let members = group.and_then(|path| members(&self.proc, path));
        let children = (self.demand.children).then(|| descendants(&self.proc, &self.demand.pids));
        Filtered {
            ended: self.demand.pids.iter().copied().filter(gone).collect(),
            replaced: match group {
                None => {
                    let demand = &self.demand;
                    (self.lives).replaced(&self.proc, &demand.pids, &demand.start_ticks)
                }
                // The group itself says who is in it.
                Some(_) => Vec::new(),
            },
            members: members.unwrap_or_default(),
            children: children.unwrap_or_default(),
        }
    }
}

impl Source for Live {
    fn session(&self) -> &Session {
        &self.session
    }

    fn step(&mut self, patience: Duration) -> Result<Step, Error> {
        if let Some(step) = self.ready.pop_front() {
            return Ok(step);
        }
        if self.started.is_none() {
            self.settle();
        }
        let now = monotonic_ns();
        if self.started.is_none() || now >= self.due {
            self.tick();
            return Ok(self.ready.pop_front().unwrap_or(Step::Idle));
        }
        self.answer_bursts(now);
        let edge = self.turn_windows(now);
        let look = self
            .gate
            .as_ref()
            .map(|_| self.burst.next_look(&self.demand));
        let next = self.due.min(edge).min(look.unwrap_or(u64::MAX));
        let wait = patience.min(Duration::from_nanos(next.saturating_sub(now)));
        select! {
            recv(self.batches) -> batch => {
                self.burst.wake(monotonic_ns());
                Ok(batch.map_or(Step::Idle, Step::Batch))
            },
            recv(self.answers) -> answer => {
                if let Ok(answer) = answer {
                    self.take_answer(answer);
                }
                Ok(Step::Idle)
            },
            recv(self.wake) -> woken => {
                if woken.is_err() {
                    self.wake = crossbeam_channel::never();
                }
                Ok(Step::Idle)
            },
            default(wait) => Ok(Step::Idle),
        }
    }

    fn wake_by(&mut self, wake: Receiver<()>) -> bool {
        self.wake = wake;
        true
    }

    fn demand(&mut self, demand: &Demand) {
        let mut demand = demand.clone();
        if self.loading.is_some() {
            demand.attached.clear();
        }
        if demand == self.demand {
            return;
        }
        let old = std::mem::replace(&mut self.demand, demand.clone());
        if let (Some(started), true) = (self.started, old.interval != demand.interval) {
            self.due = started + demand.interval.as_nanos() as u64;
        }
        if old.attached != demand.attached || old.device != demand.device {
            self.reconcile_wide(&old);
        }
        self.reconcile_gate(&old);
        self.latency.want(demand.timing);
        if old.clock_hz != demand.clock_hz {
            self.reconcile_clock();
        }
        self.reconcile_side_band(&old);
        let tasks = |d: &Demand| {
            (
                d.attached.clone(),
                d.pids.clone(),
                d.children,
                d.device.clone(),
            )
        };
        if tasks(&old) != tasks(&demand) {
            self.reconcile_tasks(&old);
        }
    }

    fn recycle(&mut self, batch: Batch) {
        // A full pool has batches enough.
        let _pool_full = self.recycled.try_send(batch);
    }
}
