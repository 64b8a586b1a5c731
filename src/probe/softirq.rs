//! Runs of the two network softirqs: irq:softirq_entry, one hit per run of the handler
//! (include/trace/events/irq.h). The vectors' numbers are fixed by `enum` in linux/interrupt.h.

use super::alias::{Alias, means};
use super::{Fields, Free, Probe, What, event};
use crate::decode::EventSpec;
use crate::model::Direction;

pub struct NetRxAction;
pub struct NetTxAction;

fn entry(vector: u8) -> Vec<EventSpec> {
    let mut entry = event("irq", "softirq_entry", &["vec"], None);
    entry.filter = Some(format!("vec == {vector}"));
    vec![entry]
}

/// Where the network's softirqs begin and where they end, for their exact time.
pub fn softirq_times() -> [EventSpec; 2] {
    ["softirq_entry", "softirq_exit"].map(|name| {
        let mut spec = event("irq", name, &[], None);
        spec.filter = Some("vec == 2 || vec == 3".to_owned());
        spec
    })
}

impl Probe for NetRxAction {
    fn function(&self) -> &'static str {
        "net_rx_action"
    }

    fn doc(&self) -> &'static str {
        "One run of the NET_RX softirq: all NAPIs pending on a CPU, until budget, time or work ends."
    }

    fn events(&self) -> Vec<EventSpec> {
        entry(3)
    }

    fn free(&self) -> Option<Free> {
        Some(Free::NetRxRuns)
    }

    fn symbols(&self) -> &'static [&'static str] {
        &["net_rx_action"]
    }

    fn direction(&self) -> Direction {
        Direction::Rx
    }

    fn sees_every_packet(&self) -> bool {
        true
    }

    fn aliases(&self) -> &'static [Alias] {
        const {
            &[means(
                &["net:net_rx_action"],
                "Linux has no tracepoint net:net_rx_action. Showing softirq NET_RX instead: one hit = one run of net_rx_action().",
            )]
        }
    }

    fn priority(&self) -> u8 {
        0
    }

    fn decode<'a>(&self, _fields: Fields<'a>) -> What<'a> {
        What::default()
    }
}

impl Probe for NetTxAction {
    fn function(&self) -> &'static str {
        "net_tx_action"
    }

    fn doc(&self) -> &'static str {
        "One run of the NET_TX softirq: deferred frees and re-scheduled qdiscs, not packets sent."
    }

    fn events(&self) -> Vec<EventSpec> {
        entry(2)
    }

    fn free(&self) -> Option<Free> {
        Some(Free::NetTxRuns)
    }

    fn symbols(&self) -> &'static [&'static str] {
        &["net_tx_action"]
    }

    fn direction(&self) -> Direction {
        Direction::Tx
    }

    fn aliases(&self) -> &'static [Alias] {
        const {
            &[means(
                &["net:net_tx_action"],
                "Linux has no tracepoint net:net_tx_action. Showing softirq NET_TX: one hit = one run of net_tx_action(), not one packet sent.",
            )]
        }
    }

    fn priority(&self) -> u8 {
        6
    }

    fn decode<'a>(&self, _fields: Fields<'a>) -> What<'a> {
        What::default()
    }
}
