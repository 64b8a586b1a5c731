//! Packets on their way out (include/trace/events/net.h).

use super::alias::{Alias, called};
use super::{Fields, PathPoint, Probe, What, Whose, event};
use crate::decode::EventSpec;
use crate::model::{Direction, Role};

pub struct DevQueueXmit;
pub struct NetDevStartXmit;

impl Probe for DevQueueXmit {
    fn function(&self) -> &'static str {
        "dev_queue_xmit"
    }

    fn doc(&self) -> &'static str {
        "One skb (it may be a 64 KiB GSO skb) that reached a device's qdisc layer."
    }

    fn events(&self) -> Vec<EventSpec> {
        vec![event(
            "net",
            "net_dev_queue",
            &["name", "len"],
            Some("name"),
        )]
    }

    fn symbols(&self) -> &'static [&'static str] {
        &["__dev_queue_xmit", "dev_queue_xmit"]
    }

    fn direction(&self) -> Direction {
        Direction::Tx
    }

    fn sees_every_packet(&self) -> bool {
        true
    }

    fn whose(&self) -> Whose {
        Whose::Socket
    }

    fn aliases(&self) -> &'static [Alias] {
        const {
            &[called(&[
                "__dev_queue_xmit",
                "net:dev_queue_xmit",
                "net_dev_queue",
            ])]
        }
    }

    fn timed(&self) -> f64 {
        1.0
    }

    fn priority(&self) -> u8 {
        0
    }

    fn decode<'a>(&self, fields: Fields<'a>) -> What<'a> {
        What {
            tag: fields.device(0),
            bytes: Some(fields.number(1) as f64),
            ..What::default()
        }
    }
}

impl Probe for NetDevStartXmit {
    fn function(&self) -> &'static str {
        "net_dev_start_xmit"
    }

    fn doc(&self) -> &'static str {
        "One skb handed to a driver, after software segmentation; per hit: wire packets."
    }

    fn events(&self) -> Vec<EventSpec> {
        vec![event(
            "net",
            "net_dev_start_xmit",
            &["name", "len", "gso_segs"],
            Some("name"),
        )]
    }

    fn symbols(&self) -> &'static [&'static str] {
        &["dev_hard_start_xmit", "xmit_one"]
    }

    fn direction(&self) -> Direction {
        Direction::Tx
    }

    fn point(&self) -> Option<PathPoint> {
        Some(PathPoint::Sent)
    }

    fn sends(&self) -> bool {
        true
    }

    fn sees_every_packet(&self) -> bool {
        true
    }

    fn whose(&self) -> Whose {
        Whose::Socket
    }

    fn aliases(&self) -> &'static [Alias] {
        const {
            &[called(&[
                "dev_hard_start_xmit",
                "net:dev_hard_start_xmit",
                "ndo_start_xmit",
            ])]
        }
    }

    fn timed(&self) -> f64 {
        1.0
    }

    fn role(&self) -> Option<Role> {
        Some(Role::Sends)
    }

    fn priority(&self) -> u8 {
        7
    }

    fn decode<'a>(&self, fields: Fields<'a>) -> What<'a> {
        What {
            tag: fields.device(0),
            // gso_segs is 0 on a packet that needs no segmentation.
            packets: Some(fields.number(2).max(1) as f64),
            bytes: Some(fields.number(1) as f64),
            ..What::default()
        }
    }
}
