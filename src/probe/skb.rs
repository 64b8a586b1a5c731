//! Ends of packets (include/trace/events/skb.h): dropped, or freed because they are done with.

use super::alias::{Alias, called, means};
use super::{Fields, Probe, Tag, What, Whose, event};
use crate::decode::EventSpec;
use crate::model::Role;

pub struct KfreeSkb;
pub struct ConsumeSkb;

impl Probe for KfreeSkb {
    fn function(&self) -> &'static str {
        "kfree_skb"
    }

    fn doc(&self) -> &'static str {
        "One skb dropped in the stack, with its reason; some reasons are expected (QUEUE_PURGE …)."
    }

    fn events(&self) -> Vec<EventSpec> {
        vec![event(
            "skb",
            "kfree_skb",
            &["reason", "name", "rx_sk"],
            None,
        )]
    }

    fn symbols(&self) -> &'static [&'static str] {
        &[
            "kfree_skb",
            "kfree_skb_reason",
            "__kfree_skb_reason",
            "sk_skb_reason_drop",
            "kfree_skb_list_reason",
        ]
    }

    fn whose(&self) -> Whose {
        Whose::Socket
    }

    fn aliases(&self) -> &'static [Alias] {
        const {
            &[called(&[
                "drops",
                "skb:kfree_skb_reason",
                "sk_skb_reason_drop",
            ])]
        }
    }

    fn timed(&self) -> f64 {
        1.0
    }

    fn role(&self) -> Option<Role> {
        Some(Role::Drops)
    }

    fn priority(&self) -> u8 {
        1
    }

    fn each_counts(&self) -> bool {
        true
    }

    fn decode<'a>(&self, fields: Fields<'a>) -> What<'a> {
        What {
            tag: Some(Tag::Symbol("reason", fields.number(0) as u64)),
            // The tracepoint names no device, the gate's samples of it do.
            dropped_by: Some(fields.text(1)),
            // Of what was received, since 6.11.
            socket: fields.number(2) as u64,
            ..What::default()
        }
    }
}

impl Probe for ConsumeSkb {
    fn function(&self) -> &'static str {
        "consume_skb"
    }

    fn doc(&self) -> &'static str {
        "One skb freed that was no drop: delivered, acknowledged or sent."
    }

    fn events(&self) -> Vec<EventSpec> {
        vec![event("skb", "consume_skb", &[], None)]
    }

    fn symbols(&self) -> &'static [&'static str] {
        &[
            "consume_skb",
            "napi_consume_skb",
            "__consume_stateless_skb",
            "skb_attempt_defer_free",
            "skb_consume_udp",
        ]
    }

    fn whose(&self) -> Whose {
        Whose::Socket
    }

    fn aliases(&self) -> &'static [Alias] {
        const {
            &[means(
                &["net:net_tx_complete", "net_tx_complete"],
                "Linux has no TX completion tracepoint net:net_tx_complete. Showing consume_skb: skbs freed after use, TX completions among them.",
            )]
        }
    }

    fn timed(&self) -> f64 {
        1.0
    }

    fn priority(&self) -> u8 {
        9
    }

    fn decode<'a>(&self, _fields: Fields<'a>) -> What<'a> {
        What::default()
    }
}
