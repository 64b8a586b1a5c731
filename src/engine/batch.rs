//! The samples of a batch: each to what it counts for.

use std::fmt::Write as _;

use super::{Engine, cost, ledger};
use crate::decode::{Batch, EventId};
use crate::model::Hit;
use crate::probe::{Fields, Tag};

impl Engine {
    pub(super) fn batch(&mut self, batch: &Batch) {
        self.side_band(&batch.side);
        self.loss.add(batch.loss);
        // A lost sample has cost its stack walk like any other.
        let light = batch.samples.iter().filter(|sample| sample.chain.len == 0);
        let light = light.count() as f64;
        let heavy = batch.samples.len() as f64 - light + batch.loss.lost as f64;
        *self.samples.entry(batch.cpu).or_default() += heavy + light * cost::LIGHT_SAMPLE;
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
            let pid = self.pid_of(row, sample, socket);
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
}
