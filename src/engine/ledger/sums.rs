//! What the rows add up to: by layer, by device with what nothing explains, and by class.

use std::collections::BTreeMap;

use rustc_hash::FxHashSet;

use super::Ending;
use crate::decode::LinkCounters;
use crate::model::{Class, ClassRate, DeviceLoss, Drop, Layer, LayerSum, Losses};

/// Devices that lost something and are remembered.
const DEVICES: usize = 4096;

#[derive(Debug, Default)]
pub struct Sums {
    /// Cumulative readings of rx_dropped and tx_dropped.
    last: BTreeMap<(u64, String), (u64, u64)>,
    /// Since the start.
    devices: BTreeMap<(u64, String), (u64, u64)>,
    explained: BTreeMap<String, f64>,
    /// Packets that count as a device's drop, but nobody said of which.
    nameless: bool,
    classes: Vec<ClassRate>,
}

impl Sums {
    /// `unread`: namespaces of which the links say nothing this time.
    pub fn links(&mut self, links: &[LinkCounters], unread: &FxHashSet<u64>) {
        let mut last = std::mem::take(&mut self.last);
        for link in links {
            let key = (link.netns, link.name.clone());
            let now = (link.rx_dropped, link.tx_dropped);
            if let Some(before) = last.get(&key) {
                let grown = (
                    now.0.saturating_sub(before.0),
                    now.1.saturating_sub(before.1),
                );
                if grown != (0, 0)
                    && (self.devices.len() < DEVICES || self.devices.contains_key(&key))
                {
                    let sum = self.devices.entry(key.clone()).or_default();
                    *sum = (sum.0 + grown.0, sum.1 + grown.1);
                }
            }
            self.last.insert(key, now);
        }
        last.retain(|(netns, _), _| unread.contains(netns));
        self.last.append(&mut last);
    }

    /// Packets whose drop their device counts too.
    pub fn explained(&mut self, device: Option<&str>, hits: f64) {
        match device {
            Some(device) if self.explained.len() < DEVICES => {
                *self.explained.entry(device.to_owned()).or_default() += hits;
            }
            Some(_) => {}
            None => self.nameless = true,
        }
    }

    /// Hits of the interval by class, each with whether they are an estimate.
    pub fn classes(&mut self, hits: &[(f64, bool); Class::ALL.len()], ending: &Ending<'_>) {
        self.classes.clear();
        if ending.counted.is_empty() {
            return;
        }
        let seconds = ending.interval_ns.max(1) as f64 / 1e9;
        let rates = Class::ALL.iter().map(|&class| {
            let (hits, estimated) = hits[class as usize];
            ClassRate {
                class,
                rate: hits / seconds,
                estimated,
            }
        });
        self.classes.extend(rates);
    }

    pub fn losses(&self, drops: &[Drop]) -> Losses {
        let mut layers: BTreeMap<(Layer, &'static str), LayerSum> = BTreeMap::new();
        for drop in drops {
            let sum = layers.entry((drop.layer, drop.unit));
            let sum = sum.or_insert(LayerSum {
                layer: drop.layer,
                unit: drop.unit,
                count: 0,
                rate: None,
                total: 0,
                trouble: 0,
            });
            sum.count += drop.count;
            sum.total += drop.total;
            if drop.class == Class::Trouble {
                sum.trouble += drop.total;
            }
            if let Some(rate) = drop.rate {
                sum.rate = Some(sum.rate.unwrap_or(0.0) + rate);
            }
        }
        let devices = self.devices.iter().map(|((netns, device), &(rx, tx))| {
            let explained = self.explained.get(device).copied().unwrap_or(0.0);
            DeviceLoss {
                netns: *netns,
                device: device.clone(),
                rx_dropped: rx,
                tx_dropped: tx,
                unexplained: (!self.nameless)
                    .then(|| (rx + tx).saturating_sub(explained.round() as u64)),
            }
        });
        Losses {
            layers: layers.into_values().collect(),
            devices: devices.collect(),
            skb_rates: self.classes.clone(),
        }
    }
}
