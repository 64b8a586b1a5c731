//! What is opened, and how many stacks are sampled, within the budget. The limit holds for the
//! busiest CPU; an event's cost is forecast before it is opened. What is given up, and in which
//! order, is `ladder`'s; here it is decided when: at once when it is too much, and back only when
//! it has been little for some intervals. Every step is said.

pub mod cost;
pub mod counting;
pub mod drop_watch;
pub mod forecast;
pub mod gate_check;
pub mod ladder;
pub mod live_price;
pub mod rx_attribution;
pub mod sample_rate;
pub mod status;
pub mod wanted;

use std::sync::Arc;

use self::cost::{BY_PROCESS_NS, Cost, Prices, Spent};
use self::counting::{Counting, FreeNow, percent};
use self::drop_watch::{DropWatch, Judged};
use self::forecast::{Forecast, Load};
use self::gate_check::GateCheck;
use self::ladder::{Allowance, Ladder};
use self::live_price::LivePrice;
use self::rx_attribution::RxAttribution;
use self::status::Status;
use self::wanted::Wanted;
use super::registry::Registry;
use crate::decode::{ALWAYS, Attach, Compared, EventId, Session, SourceKind};
use crate::model::{Role, Want};
use crate::probe::Whose;

/// What is over the budget is brought to this share of it, so that noise is not over it again.
const GOES_TO: f64 = 0.85;

/// A CPU that works less than this share of the time has room: the budget there is that of one that does.
const LEAST_BUSY: f64 = 0.5;

/// What was given up comes back only when everything would fit into this share of the budget.
const COMES_BACK: f64 = 0.8;

/// … and would have for so many intervals.
const QUIET: u32 = 3;

/// Counting that is forecast to cost this much, percent of a CPU, is priced before everything is
/// counted without a limit: in windows of this share of the time, 1/1000.
const PRICED_FROM: f64 = 1.0;
const PRICING: u16 = 250;

/// What is counted beside everything else to learn what counting costs, from this much on, percent
/// of a CPU, in this share of the time, 1/1000, or as much as others are counted.
const GAUGE: Role = Role::Receives;
const GAUGED_FROM: f64 = 0.5;
const GAUGING: u16 = 100;

/// What the governor decided for the coming interval.
#[derive(Debug, Default)]
pub struct Plan {
    pub attached: Vec<Attach>,
    /// CPU samples per second and CPU.
    pub clock_hz: u32,
    /// Why a row is not counted, or not all of the time; by row.
    pub reasons: Vec<Option<Arc<str>>>,
    /// The gate counts per process.
    pub by_process: bool,
    /// One phrase for the header.
    pub phrase: String,
    /// The rows are counted in windows for a moment to learn what counting costs; not shown.
    pub pricing: bool,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "what has happened once, each independent of the others"
)]
pub struct Governor {
    pub budget_pct: f64,
    pub counting: Counting,
    pub(super) forecast: Forecast,
    /// What a gated hit costs on the live traffic.
    pub live_price: LivePrice,
    gate_check: GateCheck,
    /// The gate does not see every hit here: perf events count, where netop may choose.
    pub(super) gate_misses: bool,
    pub(super) watch: DropWatch,
    /// What is taken now.
    pub(super) kept: Allowance,
    by_process: bool,
    /// Of the last interval, by CPU.
    latency_ns: Vec<(u32, f64)>,
    pub(super) receives: RxAttribution,
    /// Intervals in a row after which more would have fitted, and what in all of them.
    quiet: u32,
    fitted: Allowance,
    /// An interval has ended since the last plan.
    ticked: bool,
    /// Something was taken after a first measurement.
    settled: bool,
    /// Counting was priced before everything is counted without a limit, or is now.
    priced: bool,
    pricing: bool,
}

impl Governor {
    pub fn new(budget_pct: f64, counting: Counting, registry: &Registry) -> Governor {
        Governor {
            budget_pct,
            counting,
            forecast: Forecast::new(registry),
            live_price: LivePrice::default(),
            gate_check: GateCheck::default(),
            gate_misses: false,
            priced: false,
            pricing: false,
            watch: DropWatch::default(),
            kept: Allowance::default(),
            by_process: false,
            latency_ns: Vec::new(),
            receives: RxAttribution::default(),
            quiet: 0,
            fitted: Allowance::default(),
            ticked: false,
            settled: false,
        }
    }

    /// Learns from an interval and says what it cost. `usual`: netop's own time in it was its
    /// usual one, not that of starting.
    pub fn learn(&mut self, spent: &Spent<'_>, load: Load, usual: bool) -> Cost {
        let own_pct = usual.then(|| spent.own_by_cpu());
        self.forecast.learn(spent.counts, load, own_pct);
        self.ticked = true;
        self.latency_ns = spent.timing_ns.to_vec();
        Cost::of(spent)
    }

    /// Takes what windows with events cost beside those without, and what was seen in them of what
    /// softnet counts, if that counts each packet once; a sentence when the gate does not see all.
    pub fn learn_windows(
        &mut self,
        compared: &[Compared],
        session: &Session,
        softnet_exact: bool,
    ) -> Option<String> {
        let hit_ns = session.costs.hit_ns(true);
        self.live_price.learn(compared, hit_ns, self.pricing);
        if !softnet_exact || self.gate_misses || self.counting != Counting::Auto {
            return None;
        }
        let said = self.gate_check.learn(compared);
        self.gate_misses = said.is_some();
        said
    }

    /// What timing will cost each CPU, ns per second, where that is not measured yet.
    pub fn expect_timing(&mut self, ns: Vec<(u32, f64)>) {
        self.latency_ns = ns;
    }

    /// Takes the losses per second of the interval that ended at `at`. What was opened just before
    /// they jumped is let go with the next plan; returns a sentence about it.
    pub fn learn_losses(
        &mut self,
        (at, seconds): (u64, f64),
        rate: f64,
        registry: &Registry,
    ) -> Option<String> {
        let names = |rows: &[usize]| {
            let name = |&row: &usize| registry.rows[row].probe.function().to_owned();
            rows.iter().map(name).collect::<Vec<_>>().join(", ")
        };
        Some(match self.watch.learn(at, seconds, rate)? {
            Judged::Detached(rows, from, to) => format!(
                "drops rose {from:.0}/s → {to:.0}/s after attaching {}; detached for 3 min (e forces it)",
                names(&rows)
            ),
            Judged::Cleared(rows) => format!(
                "drops went on when netop did not count {}: counted again",
                names(&rows)
            ),
        })
    }

    /// What to open for the coming interval.
    pub fn plan(
        &mut self,
        want: &Want,
        registry: &Registry,
        session: &Session,
        free: FreeNow,
    ) -> Plan {
        let mut reasons = vec![None; registry.rows.len()];
        let wanted = self.wanted(want, registry, session, free, &mut reasons);
        let missing = reasons.iter().flatten().count();
        let left_alone = self.watch.left_alone().iter();
        let left_alone: Vec<&str> = left_alone
            .filter(|&&row| reasons[row].is_some())
            .map(|&row| registry.rows[row].probe.function())
            .collect();
        let probes = session.probes();
        let prices = Prices {
            probes: &probes,
            costs: self.live_price.corrected(session.costs),
            pids: !want.pids.is_empty(),
        };
        let ladder = self.ladder(want, &wanted, (registry, session), &prices);
        let before = std::mem::take(&mut self.kept);
        self.kept = self.settle(&before, &ladder);
        self.count_processes(want, &wanted, &ladder, session);
        self.receives = RxAttribution::plan(self, want, &ladder, session, registry);
        let opened = |row: &usize| before.share(*row) == 0 && self.kept.share(*row) > 0;
        let unasked = wanted.iter().filter(|w| !w.asked).map(|w| w.row);
        // Without a limit every count is exact, whatever it costs.
        if self.budget_pct < 100.0 {
            self.watch.attached(unasked.filter(opened));
        }
        let (mut shed, mut parts, mut over) = (Vec::new(), Vec::new(), None);
        let budget_ns = self.budget_pct * 1e7;
        for wanted in wanted.iter().filter(|wanted| !wanted.split_only) {
            let function = registry.rows[wanted.row].probe.function();
            let reason = match self.kept.share(wanted.row) {
                ALWAYS => continue,
                0 if !self.forecast.learnt => "measuring the load first …".to_owned(),
                0 => {
                    shed.push(function);
                    self.too_dear()
                }
                share => {
                    parts.push((function, share));
                    format!(
                        "counted {}% of the time to stay within {}% of a CPU's busy time, so estimated; e counts every hit",
                        percent(share),
                        self.budget_pct
                    )
                }
            };
            reasons[wanted.row] = Some(reason.into());
        }
        if ladder.worst(&self.kept) > budget_ns && self.budget_pct < 100.0 {
            let asked = wanted.iter().find(|w| w.asked);
            over = asked.map(|w| registry.rows[w.row].probe.function());
        }
        let phrase = Status {
            want,
            counting: self.counting,
            learnt: self.forecast.learnt,
            shed: &shed,
            parts: &parts,
            over,
            stacks: self.kept.stacks,
            untimed: ladder.timing.is_some() && !self.kept.timed,
            sampled_processes: self.sampled_processes(want, &wanted),
            missing: missing - left_alone.len(),
            left_alone: &left_alone,
            clock_hz: self.kept.hz,
        }
        .phrase();
        let mut attached = self.attached(&wanted, want, registry);
        // Elsewhere no window is opened.
        let live = session.source == SourceKind::Live;
        self.pricing = live && self.price_first(&mut attached, &ladder);
        if live && !want.only && self.nothing_opened(want).is_none() {
            self.gauge(&mut attached, want, registry, session, &prices);
        }
        Plan {
            attached,
            pricing: self.pricing,
            clock_hz: self.kept.hz,
            reasons,
            by_process: self.by_process,
            phrase,
        }
    }

    /// Everything that could be taken, and what it would cost each CPU.
    fn ladder(
        &self,
        want: &Want,
        wanted: &[Wanted],
        (registry, session): (&Registry, &Session),
        prices: &Prices<'_>,
    ) -> Ladder {
        let cpus = || session.host.cpus.iter();
        Ladder {
            rungs: (wanted.iter())
                .map(|wanted| self.rung(wanted, registry, session, prices))
                .collect(),
            own_ns: cpus()
                .map(|&cpu| self.forecast.own_pct(cpu) * 1e7)
                .collect(),
            latency_ns: cpus()
                .map(|cpu| {
                    let of_cpu = self.latency_ns.iter().find(|(of, _)| of == cpu);
                    of_cpu.map_or(0.0, |(_, ns)| *ns)
                })
                .collect(),
            sample_ns: prices.sample(),
            hz: sample_rate::clock_hz(self, want, prices),
            timing: sample_rate::timing_ns(self, want, session, registry, prices),
            least_stacks: self.counting.least_stacks(),
            room: cpus().map(|&cpu| self.room(cpu)).collect(),
            whole: !want.pids.is_empty(),
            cpus: session.host.cpus.len(),
        }
    }

    /// What may be spent on a CPU, percent of it; of none that is known the whole budget.
    pub fn limit_pct(&self, cpu: Option<u32>) -> f64 {
        self.budget_pct * cpu.map_or(1.0, |cpu| self.room(cpu))
    }

    /// The share of the budget that may be spent on a CPU: the budget is of the time that it works, so
    /// that a packet costs no more than so much more there.
    fn room(&self, cpu: u32) -> f64 {
        let busy = self.forecast.busy_pct(cpu).unwrap_or(100.0) / 100.0;
        if self.budget_pct < 100.0 {
            busy.clamp(LEAST_BUSY, 1.0)
        } else {
            1.0
        }
    }

    /// What is taken from now on: less at once, more only after some quiet intervals.
    fn settle(&mut self, before: &Allowance, ladder: &Ladder) -> Allowance {
        let ticked = std::mem::take(&mut self.ticked);
        if self.budget_pct >= 100.0 {
            return ladder.all();
        }
        let asked = ladder.rungs.iter().filter(|rung| rung.asked);
        if !self.forecast.learnt {
            return Allowance {
                shares: asked.map(|rung| (rung.row, ALWAYS)).collect(),
                hz: ladder.hz.0,
                timed: false,
                stacks: 100,
            };
        }
        let budget_ns = self.budget_pct * 1e7;
        let back = ladder.fit(COMES_BACK * budget_ns);
        let first = !std::mem::replace(&mut self.settled, true) || before.shares.is_empty();
        let mut now = if first { back.clone() } else { before.clone() };
        now.shares.clone_from(&back.shares);
        for (row, share) in &mut now.shares {
            // A row that is new here takes what fits.
            *share = before.shares.get(row).copied().unwrap_or(*share);
        }
        for rung in asked {
            now.shares.insert(rung.row, ALWAYS);
        }
        if ladder.whole {
            // What was counted a part of the time is counted always or not at all.
            let whole = |(row, share): (&usize, &mut u16)| {
                if *share < ALWAYS {
                    *share = back.share(*row);
                }
            };
            now.shares.iter_mut().for_each(whole);
        }
        now.hz = now.hz.min(ladder.hz.0);
        now.timed &= ladder.timing.is_some();
        if ladder.worst(&now) > budget_ns {
            self.quiet = 0;
            return now.least(&ladder.fit(GOES_TO * budget_ns));
        }
        let more = ladder.raised(&now, &back, GOES_TO * budget_ns);
        if more == now {
            self.quiet = 0;
            return now;
        }
        if ticked {
            self.fitted = match self.quiet {
                0 => more,
                _ => more.least(&self.fitted),
            };
            self.quiet += 1;
        }
        if self.quiet < QUIET {
            return now;
        }
        self.quiet = 0;
        ladder.raised(&now, &self.fitted, GOES_TO * budget_ns)
    }

    /// Exact counts per process are for the table of processes, when they fit too.
    fn count_processes(
        &mut self,
        want: &Want,
        wanted: &[Wanted],
        ladder: &Ladder,
        session: &Session,
    ) {
        let gated: Vec<(EventId, f64)> = (wanted.iter())
            .flat_map(|w| {
                w.events
                    .iter()
                    .map(move |&(event, gate)| (w.row, event, gate))
            })
            .filter(|(_, _, gate)| *gate)
            .map(|(row, event, _)| (event, f64::from(self.kept.share(row)) / f64::from(ALWAYS)))
            .collect();
        let more: Vec<f64> = (session.host.cpus.iter())
            .map(|&cpu| {
                let hits = gated
                    .iter()
                    .map(|(e, share)| self.forecast.rate(*e, cpu) * share);
                hits.sum::<f64>() * BY_PROCESS_NS
            })
            .collect();
        let limit = if self.by_process { 1.0 } else { COMES_BACK };
        let fits = ladder.worst_with(&self.kept, &more) <= limit * self.budget_pct * 1e7;
        self.by_process = want.processes
            && want.pids.is_empty()
            && !gated.is_empty()
            && (fits || self.budget_pct >= 100.0);
    }

    /// Processes are wanted, the gate could count them, and that does not fit.
    fn sampled_processes(&self, want: &Want, wanted: &[Wanted]) -> bool {
        let gated = wanted
            .iter()
            .any(|w| w.events.iter().any(|(_, gate)| *gate));
        want.processes && want.pids.is_empty() && gated && !self.by_process
    }

    fn attached(&self, wanted: &[Wanted], want: &Want, registry: &Registry) -> Vec<Attach> {
        let mut attached = Vec::new();
        let filtered = !want.pids.is_empty();
        let by_socket = |row: usize, event: &EventId| {
            if filtered {
                want.by_owner && registry.rows[row].probe.whose() == Whose::Socket
            } else {
                self.by_process && registry.by_socket.contains(event)
            }
        };
        for wanted in wanted {
            let share = self.kept.share(wanted.row);
            if share == 0 {
                continue;
            }
            let stacks = f64::from(wanted.stacks) * f64::from(self.kept.stacks) / 100.0;
            attached.extend(wanted.events.iter().map(|&(event, gate)| Attach {
                event,
                stacks_per_s: stacks as u32,
                every: false,
                wide: true,
                per_task: filtered && !by_socket(wanted.row, &event),
                gate,
                // The device is everybody's.
                everyone: registry.rows[wanted.row].probe.sends(),
                by_socket: gate && by_socket(wanted.row, &event),
                duty_permille: share,
                asked: wanted.asked,
            }));
        }
        attached.extend(self.receives.attached());
        if self.kept.timed {
            attached.extend(registry.softirq.map(sample_rate::timed));
        }
        attached.sort_by_key(|a| a.event);
        attached
    }

    /// Without a limit everything is counted all the time, and nothing is left to compare with: what
    /// that costs is measured first, in windows, where it is worth a word.
    fn price_first(&mut self, attached: &mut [Attach], ladder: &Ladder) -> bool {
        let gated = attached.iter().any(|a| a.gate && a.wide);
        let worth = ladder.worst(&self.kept) >= PRICED_FROM * 1e7;
        if self.budget_pct < 100.0 || !self.forecast.learnt || self.priced || !gated {
            return false;
        }
        self.priced = true;
        for attach in attached.iter_mut().filter(|a| worth && a.gate && a.wide) {
            attach.duty_permille = PRICING;
        }
        worth
    }

    /// One tracepoint whose count softnet has for nothing is counted in windows: what those cost says
    /// what counting costs, also where everything else is counted all the time, and what is seen in
    /// them says whether the gate sees every hit.
    fn gauge(
        &self,
        attached: &mut Vec<Attach>,
        want: &Want,
        registry: &Registry,
        session: &Session,
        prices: &Prices<'_>,
    ) {
        let row = registry.row_with(GAUGE);
        let Some(&event) = row.and_then(|row| registry.rows[row].events.first()) else {
            return;
        };
        let gated = || attached.iter().filter(|a| a.gate && a.wide);
        let cost = |&cpu: &u32| {
            let rates = gated().map(|a| self.forecast.rate(a.event, cpu));
            rates.sum::<f64>() * prices.hit(event, true)
        };
        let dearest = session.host.cpus.iter().map(cost).fold(0.0, f64::max);
        let in_windows = gated()
            .map(|a| a.duty_permille)
            .filter(|part| *part < ALWAYS);
        let taken = attached.iter().any(|a| a.event == event);
        let known = session.events.get(event.0 as usize);
        let gate = known.is_some_and(|known| known.gate && known.missing.is_none());
        if taken
            || !gate
            || self.gate_misses
            || !want.is_whole_host()
            || dearest < GAUGED_FROM * 1e7
        {
            return;
        }
        attached.push(Attach {
            gate: true,
            duty_permille: in_windows.max().unwrap_or(GAUGING),
            ..Attach::wide(event)
        });
        attached.sort_by_key(|a| a.event);
    }

    fn too_dear(&self) -> String {
        format!(
            "counting it would cost over {}% of a CPU's busy time; resumes below {:.1}% (e forces it)",
            self.budget_pct,
            self.budget_pct * COMES_BACK,
        )
    }
}

#[cfg(test)]
#[path = "governor_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "governor_load_tests.rs"]
mod load_tests;
