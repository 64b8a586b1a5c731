//! Between the engine and its governor: what an interval tells it, and its plan as a demand on the
//! source.

use super::Engine;
use super::cost::{BY_PROCESS_NS, Cost, Prices, Spent};
use super::counting::{Counting, FreeNow};
use super::forecast::Load;
use super::governor::Plan;
use super::latency::Terms;
use crate::decode::{Costs, Demand, EventId, Tick};
use crate::error::Error;

impl Engine {
    /// `--counting bpf` without BPF programs is what cannot be had.
    pub(super) fn demand_gate(&self) -> Result<(), Error> {
        match &self.source.session().no_gate {
            Some(why) if self.settings.counting == Counting::Bpf => Err(Error::unavailable(
                format!("no BPF program can count here: {why}"),
                "netop --counting perf",
            )),
            _ => Ok(()),
        }
    }

    /// What the interval cost, and what it says of the next one.
    pub(super) fn learn(&mut self, tick: &Tick, own_pct: Option<f64>) -> Cost {
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
    pub(super) fn costs(&self) -> Costs {
        let costs = self.source.session().costs;
        self.governor.live_price.corrected(costs)
    }

    pub(super) fn free_now(&self) -> FreeNow {
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

    pub(super) fn replan(&mut self) {
        self.replan_with(|_, _| {});
    }

    pub(super) fn replan_with(&mut self, adjust: impl FnOnce(&mut Demand, &Plan)) {
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
}
