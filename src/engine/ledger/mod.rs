//! The drop ledger: every loss once, with everything that counted it. Counters of the kernel that
//! need no event and the hits of kfree_skb meet here; what both saw is one row (`kinds` says what
//! is the same), whose total is what the exact ones agree on at least.
//!
//! ```text
//! counters (per reading) ─► Grown ─┐
//! kfree_skb (per hit) ───► Seen ───┴─► rows ─► settle (per interval) ─► drops, sums, LOSS line
//! ```

mod counters;
mod events;
mod kinds;
mod nic;
mod row;
mod sums;

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use self::counters::{Counters, Grown, Of};
use self::events::{Events, Seen};
use self::row::{DEVICE, FUNCTION, Head, OWNER, Row};
use self::sums::Sums;
use crate::decode::{Event, HostSample};
use crate::model::reason::{known, subsystem};
use crate::model::{Class, Drop, Layer, Losses, Names};

pub use self::events::Hit;

/// Rows kept; a loss that finds no room counts as "others".
const ROWS: usize = 256;

/// Intervals without a loss after which a new loss begins a new episode.
const EPISODE_NS: u64 = 10_000_000_000;

/// How many intervals what nobody sampled may still be explained by a counter that is read later.
const LATE: usize = 4;

/// Everything an interval's end needs.
pub struct Ending<'a> {
    pub interval_ns: u64,
    /// It is shown: its rates join the history.
    pub shown: bool,
    /// Exact hits of kfree_skb by CPU, where they were counted.
    pub counted: &'a FxHashMap<u32, u64>,
    /// skb:kfree_skb, which knows the names of its reasons.
    pub event: Option<&'a Event>,
    /// Functions that free for others.
    pub helpers: &'static [&'static str],
    /// The process that uses a socket.
    pub owner: &'a dyn Fn(u64) -> Option<u32>,
}

#[derive(Debug, Default)]
pub struct Ledger {
    counters: Counters,
    events: Events,
    sums: Sums,
    rows: BTreeMap<Arc<str>, Row>,
    /// Since the last settled interval: the slow counters were read, so long after the last time.
    slow_ns: Option<u64>,
    last_slow: Option<u64>,
    /// A second reading was there.
    judged: bool,
    /// Trouble per second by counters alone, whatever events are attached.
    counter_rate: Option<f64>,
    /// Hits of kfree_skb that nobody sampled, and what of it no counter explained lately.
    unsampled: u64,
    rests: Vec<u64>,
    episode: Option<u64>,
    last_loss: u64,
    /// Time that was shown, and how much of it kfree_skb was counted, ns.
    shown_ns: u64,
    seen_ns: u64,
}

impl Ledger {
    /// A sampled hit of kfree_skb.
    pub fn hit(&mut self, hit: &Hit<'_>) {
        self.events.push(hit);
    }

    /// Takes the counters of a tick.
    pub fn ingest(&mut self, interval_ns: u64, host: &HostSample) {
        let mut rate = 0.0;
        if !host.cpus.is_empty()
            && let Some(dropped) = self.counters.backlog(&host.cpus)
        {
            self.judged = true;
            if dropped > 0 {
                let row = self.backlog();
                row.counted("softnet_stat dropped", None, dropped, false);
                rate += dropped as f64 * 1e9 / interval_ns.max(1) as f64;
            }
        }
        let Some(slow) = &host.slow else {
            if rate > 0.0 {
                self.counter_rate = Some(rate);
            }
            return;
        };
        let span = self
            .last_slow
            .replace(slow.at)
            .map(|last| slow.at.saturating_sub(last));
        let unread = slow.times().unread;
        let grown = self.counters.slow(slow, &unread);
        self.sums.links(&slow.links, &unread);
        let Some(span) = span.filter(|span| *span > 0) else {
            return;
        };
        self.judged = true;
        self.slow_ns = Some(span);
        for grown in &grown {
            let by = grown.by as f64 * 1e9 / span as f64;
            match self.count(grown) {
                Class::Trouble if grown.minus => rate -= by,
                Class::Trouble if !grown.within => rate += by,
                _ => {}
            }
        }
        self.counter_rate = Some(rate.max(0.0));
    }

    fn row(&mut self, head: Head) -> &mut Row {
        let head = if self.rows.len() >= ROWS && !self.rows.contains_key(&head.key) {
            Head::at("others".to_owned(), Layer::Stack, "skbs")
        } else {
            head
        };
        let key = Arc::clone(&head.key);
        self.rows.entry(key).or_insert_with(|| Row::new(head))
    }

    fn backlog(&mut self) -> &mut Row {
        let known = known("CPU_BACKLOG", None);
        self.row(Head {
            class: known.class,
            meaning: known.meaning,
            next: known.next,
            reason: Some("CPU_BACKLOG".to_owned()),
            ..Head::at("backlog".to_owned(), Layer::Backlog, "skbs")
        })
    }

    fn kind(&mut self, kind: &'static kinds::Kind) -> &mut Row {
        let reason = kind.reasons.first().copied();
        let said = reason.filter(|_| kind.meaning.is_empty());
        let said = said.map(|reason| known(reason, None));
        self.row(Head {
            class: kind.class,
            reason: reason.map(str::to_owned),
            meaning: said.map_or(kind.meaning, |s| s.meaning),
            next: said.map_or(kind.next, |s| s.next),
            ..Head::at(kind.place.to_owned(), kind.layer, kind.unit)
        })
    }

    /// A counter's growth in its row; returns the row's class.
    fn count(&mut self, grown: &Grown) -> Class {
        let (row, includes_others) = match &grown.of {
            Of::Kind(kind) => (self.kind(kind), !kind.minus.is_empty()),
            Of::Device(head) => (self.row(head.clone()), false),
        };
        if grown.minus {
            row.take_off(grown.by as f64);
        } else if grown.within {
            row.witness(&grown.name, grown.netns.as_ref(), grown.by, true);
        } else {
            row.counted(&grown.name, grown.netns.as_ref(), grown.by, includes_others);
        }
        row.head.class
    }

    /// The row of packets that kfree_skb saw.
    fn row_of(&mut self, reason: &str, seen: &Seen) -> &mut Row {
        let location = seen.location.as_deref();
        let known = known(reason, location);
        let kind = kinds::KINDS.iter().find(|kind| kind.is(reason, location));
        if let Some(kind) = kind.filter(|kind| kind.class == known.class) {
            return self.kind(kind);
        }
        if reason == "CPU_BACKLOG" {
            return self.backlog();
        }
        let layer = kinds::layer_of(reason);
        let device = seen.device.as_deref().filter(|_| {
            matches!(layer, Layer::Qdisc | Layer::Xdp) || kinds::BY_DEVICE.contains(&reason)
        });
        let (key, place) = match (layer, device) {
            (Layer::Qdisc, _) if known.class == Class::Trouble => {
                let place = self.qdisc(device);
                (place.clone(), place)
            }
            (_, Some(device)) => (
                format!("{reason} {device}"),
                format!("{} {device}", layer.title()),
            ),
            (_, None) => {
                let part = location.and_then(kinds::part_of);
                let place = part.map_or_else(
                    || layer.title().to_owned(),
                    |part| format!("{} ({part})", layer.title()),
                );
                (format!("{reason} {}", location.unwrap_or("")), place)
            }
        };
        self.row(Head {
            key: key.into(),
            class: known.class,
            meaning: known.meaning,
            next: known.next,
            device: device.map(str::to_owned),
            ..Head::at(place, layer, "skbs")
        })
    }

    /// The row of a qdisc's own counter; without a device that of the busiest one.
    fn qdisc(&self, device: Option<&str>) -> String {
        if let Some(device) = device {
            return format!("qdisc {device}");
        }
        let counted = (self.rows.values())
            .filter(|row| row.head.layer == Layer::Qdisc && row.counter.is_some());
        let busiest = counted.max_by_key(|row| row.counter);
        busiest.map_or_else(|| "qdisc".to_owned(), |row| row.head.place.clone())
    }

    /// Ends an interval.
    pub fn end_interval(&mut self, ending: &Ending<'_>, names: &mut dyn Names) {
        let (seen, unseen) = self.events.finish(ending.counted, ending.helpers, names);
        let mut classes = [(0.0, false); Class::ALL.len()];
        for seen in &seen {
            let reason = reason_name(ending.event, seen.reason);
            let owner = (seen.owner != 0)
                .then(|| (ending.owner)(seen.owner))
                .flatten();
            let row = self.row_of(&reason, seen);
            row.seen(&reason, seen.hits, seen.exact);
            for (kind, name) in [(DEVICE, &seen.device), (FUNCTION, &seen.location)] {
                if let Some(name) = name {
                    row.share(kind, name, seen.hits);
                }
            }
            if let Some(pid) = owner {
                row.share(OWNER, &pid.to_string().into(), seen.hits);
            }
            let class = row.head.class;
            if class != Class::Trouble && kinds::by_qdisc(&reason) {
                // The qdisc's own counter does not tell them apart.
                let place = self.qdisc(seen.device.as_deref());
                if let Some(row) = self.rows.get_mut(place.as_str()) {
                    row.take_off(seen.hits);
                }
            }
            let class = &mut classes[class as usize];
            class.0 += seen.hits;
            class.1 |= !seen.exact;
            if kinds::BY_DEVICE.contains(&reason.as_str()) {
                self.sums.explained(seen.device.as_deref(), seen.hits);
            }
        }
        if ending.shown {
            self.shown_ns += ending.interval_ns;
            self.seen_ns += ending.interval_ns * u64::from(!ending.counted.is_empty());
        }
        self.sums.classes(&classes, ending);
        self.unsampled += unseen;
        self.rest();
        let slow_ns = self.slow_ns.take();
        for row in self.rows.values_mut() {
            row.end_interval(ending.interval_ns, slow_ns, ending.shown);
        }
    }

    /// What kfree_skb counted but nobody sampled, as far as no counter explains it.
    fn rest(&mut self) {
        let explained: u64 = (self.rows.values())
            .filter_map(|row| {
                let events = (row.exact + row.sampled).round() as u64;
                Some(row.counter?.saturating_sub(events))
            })
            .sum();
        self.rests.push(self.unsampled.saturating_sub(explained));
        if self.rests.len() > LATE {
            self.rests.remove(0);
        }
        let rest = self.rests.iter().copied().min().unwrap_or(0);
        if self.rests.len() < LATE || rest == 0 {
            return;
        }
        let row = self.row(Head {
            key: "unsampled".into(),
            meaning: "kfree_skb counted them, but no sample says why: too many at once, or sampling was given up.",
            next: "Enter, or e on kfree_skb in Path, samples more; netop says above what it gave up",
            ..Head::at("stack".to_owned(), Layer::Stack, "skbs")
        });
        row.sampled = row.sampled.max(rest as f64);
    }

    /// How losing goes on, for the LOSS line: once per shown interval.
    pub fn episode(&mut self, at: u64, wall_ns: u64) {
        if self.rate().unwrap_or(0.0) > 0.0 {
            if self.episode.is_none() || at.saturating_sub(self.last_loss) > EPISODE_NS {
                self.episode = Some(wall_ns);
            }
            self.last_loss = at;
        } else if at.saturating_sub(self.last_loss) > EPISODE_NS {
            self.episode = None;
        }
    }

    /// Some counter was read twice, or an event told of a loss (a file of perf has no counters).
    fn is_told(&self) -> bool {
        self.judged || self.trouble().next().is_some()
    }

    fn trouble(&self) -> impl Iterator<Item = &Row> {
        self.rows
            .values()
            .filter(|row| row.head.class == Class::Trouble)
    }

    /// Trouble per second by counters that count whether or not netop looks; `None` before two
    /// readings.
    pub fn counter_rate(&self) -> Option<f64> {
        self.counter_rate
    }

    /// Packets lost per second for lack of room or time; `None` before two readings.
    pub fn rate(&self) -> Option<f64> {
        let rates = self.trouble().filter_map(|row| row.rate);
        self.is_told()
            .then(|| rates.fold(0.0, |sum, rate| sum + rate))
    }

    /// Where most of them are lost.
    pub fn worst(&self) -> Option<String> {
        let losing = self.trouble().filter(|row| row.rate > Some(0.0));
        let rate = |row: &Row| row.rate.unwrap_or(0.0);
        losing
            .max_by(|a, b| rate(a).total_cmp(&rate(b)))
            .map(Row::place)
    }

    /// When the current run of losses began, wall clock ns.
    pub fn since(&self) -> Option<u64> {
        self.episode
    }

    pub fn total(&self) -> Option<u64> {
        self.is_told().then(|| self.trouble().map(Row::total).sum())
    }

    /// The rows, worst class first, then what is lost fastest. `named`: a process's name.
    pub fn drops(&self, named: impl Fn(u32) -> Arc<str>) -> Vec<Drop> {
        let mut drops: Vec<Drop> = (self.rows.values())
            .filter(|row| row.total() > 0)
            .map(|row| row.drop(&named, self.seen_s()))
            .collect();
        drops.sort_by(|a, b| {
            let rate = |drop: &Drop| drop.rate.unwrap_or(0.0);
            (b.class.cmp(&a.class))
                .then(rate(b).total_cmp(&rate(a)))
                .then(b.total.cmp(&a.total))
        });
        drops
    }

    /// Seconds in which kfree_skb was counted, where it has a tracepoint and that was not always.
    fn seen_s(&self) -> Option<f64> {
        let always = self.seen_ns as f64 >= 0.98 * self.shown_ns as f64 || self.seen_ns == 0;
        (!always).then_some(self.seen_ns as f64 / 1e9)
    }

    pub fn losses(&self, drops: &[Drop]) -> Losses {
        self.sums.losses(drops)
    }
}

/// The kernel's name of a reason; one of a subsystem's own by its number there.
fn reason_name(event: Option<&Event>, value: u64) -> String {
    // The field is an int, sign-extended.
    let value = value & 0xffff_ffff;
    if let Some(name) = event.and_then(|event| event.symbol("reason", value)) {
        return name.to_owned();
    }
    match subsystem(value) {
        Some(family) if family.ends_with('_') => format!("{family}{:#x}", value & 0xffff),
        Some(family) => format!("{family}:{:#x}", value & 0xffff),
        // Kernels before 5.17 give no reason.
        None if value == 0 => "NOT_SPECIFIED".to_owned(),
        None => format!("reason {value:#x}"),
    }
}

#[cfg(test)]
mod tests;
