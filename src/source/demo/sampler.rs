//! Takes one hit in so many of each event and CPU, as the kernel's rings do.

use super::chains::{self, Under};
use super::events::Row;
use super::load::Load;
use super::owners;
use super::process::{Process, interrupted};
use super::rng::Rng;
use crate::decode::{Attach, Batch, EventSpec, FIELDS, Sample, Span};

/// Hits of one row in one process's context.
#[derive(Debug)]
pub struct Part {
    pub row: &'static Row,
    pub process: &'static Process,
    pub hits: u64,
}

/// What one event hit on a CPU, by row and context; never empty parts.
pub fn parts(rows: &[&'static Row], cpu: usize, load: &Load) -> Vec<Part> {
    let of = |row: &&'static Row| {
        let row = *row;
        let hits = load[row.flow];
        let whole = row.process.map(|process| (process, hits));
        let split = row.process.is_none().then(|| interrupted(cpu, hits));
        let shares = whole.into_iter().chain(split.into_iter().flatten());
        shares.map(move |(process, hits)| Part { row, process, hits })
    };
    rows.iter()
        .flat_map(of)
        .filter(|part| part.hits > 0)
        .collect()
}

/// An interval of one CPU in which hits are sampled.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    pub cpu: u32,
    /// CLOCK_MONOTONIC, ns.
    pub start: u64,
    pub length_ns: u64,
}

impl Window {
    /// The period that gives about `per_s` samples a second.
    pub fn period(&self, hits: u64, per_s: u32) -> u64 {
        let wanted = self.length_ns as f64 / 1e9 * f64::from(per_s);
        ((hits as f64 / wanted.max(1.0)).ceil() as u64).max(1)
    }

    /// Appends `count` samples of `parts`, each for `period` hits.
    pub fn sample(
        &self,
        (attach, spec): (&Attach, &EventSpec),
        parts: &[Part],
        (count, period): (u64, u64),
        rng: &mut Rng,
        batch: &mut Batch,
    ) {
        let hits = parts.iter().map(|part| part.hits).sum();
        for index in 0..count {
            let mut at = rng.below(hits);
            let hit = parts.iter().find(|part| {
                let found = at < part.hits;
                at = at.saturating_sub(part.hits);
                found
            });
            let Some(part) = hit else { break };
            let chain = batch.frames.len();
            let under = match part.row.process {
                None => Under::Softirq(part.process),
                Some(_) => Under::Call(part.row.user),
            };
            chains::push(&[], part.row.path, under, &mut batch.frames);
            let raw = batch.raw.len();
            let values = values(spec, part.row, rng, &mut batch.raw);
            let step = self.length_ns as f64 / count as f64;
            batch.samples.push(Sample {
                event: attach.event,
                cpu: self.cpu,
                pid: part.process.pid,
                tid: part.process.pid,
                time: self.start + ((index as f64 + rng.unit()) * step) as u64,
                period,
                chain: span(chain, batch.frames.len()),
                raw: span(raw, batch.raw.len()),
                owner: if attach.gate {
                    owners::socket(part.row)
                } else {
                    0
                },
                values,
            });
        }
    }
}

pub fn span(start: usize, end: usize) -> Span {
    Span {
        start: start as u32,
        len: (end - start) as u32,
    }
}

fn values(spec: &EventSpec, row: &Row, rng: &mut Rng, raw: &mut Vec<u8>) -> [u64; FIELDS] {
    let mut values = [0; FIELDS];
    let size = row.size * 9 / 10 + rng.below(row.size / 5 + 1);
    for (value, field) in values.iter_mut().zip(&spec.fields) {
        *value = match field.as_str() {
            "name" | "dev_name" => {
                let start = raw.len();
                raw.extend_from_slice(row.device.as_bytes());
                raw.push(0);
                span(start, raw.len()).pack()
            }
            "len" | "ret" => size,
            // A poll takes at most its budget.
            "work" => size.min(64),
            "budget" => 64,
            "gso_segs" => row.segs,
            "reason" | "vec" => row.kind,
            _ => 0,
        };
    }
    values
}
