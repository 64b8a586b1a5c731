//! Which rows are to be counted by events, by which of them, and what that would cost; or why they
//! cannot be.

use std::sync::Arc;

use super::Governor;
use super::cost::Prices;
use super::counting::{Counting, FreeNow};
use super::ladder::Rung;
use crate::decode::{EventId, Place, Session};
use crate::engine::registry::{Observer, Registry};
use crate::model::Want;
use crate::probe::{Whose, names_socket};

/// Samples with stacks per second, CPU and event; and of the row being looked at.
pub const STACKS: u32 = 49;
const DRILL_STACKS: u32 = 499;

/// … and of a row of which each hit counts: a burst of three times as many is sampled whole.
const EACH_STACKS: u32 = 997;

/// The gate is taken from its tracepoint between windows, 0.35 to 0.4 ms to and fro for windows of
/// 50 ms (src/source/live/gate/windows.rs), ns per second.
const SWITCHING_NS: f64 = 20.0 * 400_000.0;

const LOADING: &str = "BPF programs are being loaded …";

/// Why rows have no figures when a PID means the owner.
const NO_SOCKET_YET: &str =
    "this event names no socket, so no process; --by context counts what ran in its context";
const ONLY_BPF: &str = "only a BPF program sees the socket of this event (not with --children); --by context counts what ran in its context";

/// A row that is to be counted, and by which events.
pub struct Wanted {
    pub row: usize,
    pub asked: bool,
    /// Wanted samples per second and CPU.
    pub stacks: u32,
    /// A free counter has the sum; this is for how it splits by device.
    pub split_only: bool,
    /// Each with whether the gate counts it.
    pub events: Vec<(EventId, bool)>,
}

impl Governor {
    /// The rows to be counted by events; why the others are not goes to `reasons`.
    pub(in crate::engine) fn wanted(
        &self,
        want: &Want,
        registry: &Registry,
        session: &Session,
        free: FreeNow,
        reasons: &mut [Option<Arc<str>>],
    ) -> Vec<Wanted> {
        let filtered = !want.pids.is_empty() || want.device.is_some();
        let gates = matches!(self.counting, Counting::Auto | Counting::Bpf);
        let loading = (session.gate_loading && gates).then_some(LOADING);
        let mut all = Vec::new();
        for (row, known) in registry.rows.iter().enumerate() {
            let name = known.probe.function();
            let drilled = want.drill.as_deref() == Some(name);
            let asked = drilled || want.exact.contains(name);
            let served = !filtered && known.probe.free().is_some_and(|f| free.serves(f));
            if let Some(why) = self.nothing_opened(want).or(loading) {
                reasons[row] = (!served).then(|| why.into());
                continue;
            }
            if want.only && !asked {
                let why = "not asked for: only what -e names is recorded";
                reasons[row] = (!served).then(|| why.into());
                continue;
            }
            let by_device = want.devices && known.probe.point().is_some();
            if served && !drilled && !by_device {
                continue;
            }
            if !asked && self.watch.left_alone().contains(&row) {
                let why = "drops rose after it was attached; detached for 3 min (e forces it)";
                reasons[row] = (!served).then(|| why.into());
                continue;
            }
            match self.usable(registry, session, row, want) {
                // Only the gate tells devices apart.
                Ok(events) if served && !drilled && events.iter().any(|(_, gate)| !gate) => {}
                Ok(events) => all.push(Wanted {
                    row,
                    stacks: match (known.probe.each_counts(), drilled) {
                        (true, _) => EACH_STACKS,
                        (false, true) => DRILL_STACKS,
                        (false, false) => STACKS,
                    },
                    asked: asked && (drilled || !served),
                    split_only: served && !drilled,
                    events,
                }),
                Err(reason) => reasons[row] = (!served).then(|| reason.into()),
            }
        }
        all
    }

    pub(in crate::engine) fn rung(
        &self,
        wanted: &Wanted,
        registry: &Registry,
        session: &Session,
        prices: &Prices<'_>,
    ) -> Rung {
        let cpus = || session.host.cpus.iter();
        let sum = |of: &dyn Fn(EventId, bool, u32) -> f64| {
            let on = |&cpu: &u32| {
                wanted
                    .events
                    .iter()
                    .map(|&(e, gate)| of(e, gate, cpu))
                    .sum()
            };
            cpus().map(on).collect()
        };
        Rung {
            row: wanted.row,
            asked: wanted.asked,
            priority: registry.rows[wanted.row].probe.priority(),
            hits: sum(&|event, gate, cpu| self.forecast.rate(event, cpu) * prices.hit(event, gate)),
            idle: sum(&|event, gate, cpu| {
                self.forecast.rate(event, cpu) * prices.idle(event, gate)
            }),
            switching: wanted.events.iter().filter(|(_, gate)| *gate).count() as f64 * SWITCHING_NS,
            stacks: sum(&|event, _, cpu| {
                self.forecast.rate(event, cpu).min(f64::from(wanted.stacks)) * prices.sample()
            }),
        }
    }

    /// Why no event is opened at all.
    pub(in crate::engine) fn nothing_opened(&self, want: &Want) -> Option<&'static str> {
        if self.counting == Counting::Proc {
            return Some("needs events; netop runs with --counting proc");
        }
        want.detached
            .then_some("everything is detached; press ! to attach again")
    }

    /// The events of a row that can be opened here and whether the gate counts them, or why none can.
    fn usable(
        &self,
        registry: &Registry,
        session: &Session,
        row: usize,
        want: &Want,
    ) -> Result<Vec<(EventId, bool)>, String> {
        let row = &registry.rows[row];
        let by_owner = want.by_owner && !want.pids.is_empty();
        let whose = row.probe.whose();
        if by_owner && whose == Whose::Nobody {
            return Err(NO_SOCKET_YET.to_owned());
        }
        // The gate counts the processes it is told, not those they fork.
        let may_gate = matches!(self.counting, Counting::Auto | Counting::Bpf)
            && (want.pids.is_empty() || !want.children);
        let needs_gate = self.counting == Counting::Bpf && matches!(row.probe, Observer::Listed(_));
        let mut missing = None;
        let mut usable = Vec::new();
        for &event in &row.events {
            let Some(known) = session.events.get(event.0 as usize) else {
                continue;
            };
            if want.device.is_some() && known.spec.device_field.is_none() {
                return Err("its event names no device, so it cannot be counted for one".to_owned());
            }
            // Breakpoints run in the process that hits them: none of those is left out.
            let missed = self.gate_misses && known.spec.place == Place::Tracepoint;
            let gate = may_gate && known.gate && !missed;
            let told = gate || names_socket(known);
            if by_owner && whose == Whose::Socket && !told && known.missing.is_none() {
                return Err(ONLY_BPF.to_owned());
            }
            match &known.missing {
                Some(reason) => missing = Some(reason.clone()),
                // What inherits a breakpoint reads its file's name from its own memory: starting a
                // thread fails there (seen on 6.18: EFAULT).
                None if !gate && !want.pids.is_empty() && known.spec.place != Place::Tracepoint => {
                    return Err("perf events cannot follow one process through a breakpoint, BPF programs can: --counting auto, without --children".to_owned());
                }
                None if needs_gate && !gate => {
                    let why = if may_gate {
                        "no BPF program counts it here"
                    } else {
                        "BPF programs do not follow forked children"
                    };
                    return Err(format!("{why}; --counting auto counts it with perf events"));
                }
                None => usable.push((event, gate)),
            }
        }
        if usable.is_empty() {
            return Err(missing.unwrap_or_else(|| "this source has no such event".to_owned()));
        }
        Ok(usable)
    }
}
