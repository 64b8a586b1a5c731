//! Retransmissions (include/trace/events/tcp.h). Up to 6.14 a hit is one really sent; from 6.17
//! it is every attempt.

use super::alias::{Alias, called};
use super::{Fields, Probe, What, Whose, event};
use crate::decode::EventSpec;
use crate::model::Role;

pub struct RetransmitSkb;

impl Probe for RetransmitSkb {
    fn function(&self) -> &'static str {
        "tcp_retransmit_skb"
    }

    fn doc(&self) -> &'static str {
        "One TCP segment sent again (from 6.17: every attempt to)."
    }

    fn events(&self) -> Vec<EventSpec> {
        vec![event("tcp", "tcp_retransmit_skb", &["skaddr"], None)]
    }

    fn symbols(&self) -> &'static [&'static str] {
        &["tcp_retransmit_skb", "__tcp_retransmit_skb"]
    }

    fn whose(&self) -> Whose {
        Whose::Socket
    }

    fn since(&self) -> &'static str {
        "4.15"
    }

    fn aliases(&self) -> &'static [Alias] {
        const { &[called(&["tcp_retransmit", "retransmits"])] }
    }

    fn role(&self) -> Option<Role> {
        Some(Role::Retransmits)
    }

    fn priority(&self) -> u8 {
        1
    }

    fn decode<'a>(&self, fields: Fields<'a>) -> What<'a> {
        What {
            socket: fields.number(0) as u64,
            ..What::default()
        }
    }
}
