//! Packets entering the stack (include/trace/events/net.h). Only net:netif_receive_skb sees all
//! of them: GRO's output has no `_entry` event (signals.md 0.3).

use super::alias::{Alias, called};
use super::{Fields, Free, PathPoint, Probe, What, event};
use crate::decode::EventSpec;
use crate::model::{Direction, Role};

pub struct NetifReceiveSkb;
pub struct NetifRx;

fn received<'a>(fields: &Fields<'a>) -> What<'a> {
    What {
        tag: fields.device(0),
        bytes: Some(fields.number(1) as f64),
        ..What::default()
    }
}

impl Probe for NetifReceiveSkb {
    fn function(&self) -> &'static str {
        "netif_receive_skb"
    }

    fn doc(&self) -> &'static str {
        "One skb entering the stack, after GRO and RPS; a merged super-packet is one hit."
    }

    fn events(&self) -> Vec<EventSpec> {
        vec![event(
            "net",
            "netif_receive_skb",
            &["name", "len"],
            Some("name"),
        )]
    }

    fn point(&self) -> Option<PathPoint> {
        Some(PathPoint::AfterGro)
    }

    fn free(&self) -> Option<Free> {
        Some(Free::SoftnetProcessed)
    }

    fn symbols(&self) -> &'static [&'static str] {
        &[
            "netif_receive_skb",
            "netif_receive_skb_core",
            "netif_receive_skb_internal",
            "netif_receive_skb_list_internal",
            "__netif_receive_skb",
            "__netif_receive_skb_one_core",
            "__netif_receive_skb_list_core",
            "__netif_receive_skb_core",
        ]
    }

    fn direction(&self) -> Direction {
        Direction::Rx
    }

    fn sees_every_packet(&self) -> bool {
        true
    }

    fn aliases(&self) -> &'static [Alias] {
        const { &[called(&["__netif_receive_skb", "__netif_receive_skb_core"])] }
    }

    fn timed(&self) -> f64 {
        1.0
    }

    fn role(&self) -> Option<Role> {
        Some(Role::Receives)
    }

    fn priority(&self) -> u8 {
        3
    }

    fn decode<'a>(&self, fields: Fields<'a>) -> What<'a> {
        received(&fields)
    }
}

impl Probe for NetifRx {
    fn function(&self) -> &'static str {
        "netif_rx"
    }

    fn doc(&self) -> &'static str {
        "One skb put on a CPU's backlog: loopback, veth without NAPI, tunnels, old drivers."
    }

    fn events(&self) -> Vec<EventSpec> {
        vec![event("net", "netif_rx", &["name", "len"], Some("name"))]
    }

    fn symbols(&self) -> &'static [&'static str] {
        &[
            "netif_rx",
            "__netif_rx",
            "netif_rx_internal",
            "netif_rx_ni",
            "enqueue_to_backlog",
        ]
    }

    fn direction(&self) -> Direction {
        Direction::Rx
    }

    fn timed(&self) -> f64 {
        1.0
    }

    fn priority(&self) -> u8 {
        8
    }

    fn decode<'a>(&self, fields: Fields<'a>) -> What<'a> {
        received(&fields)
    }
}
