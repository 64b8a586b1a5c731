//! Packets a driver hands to GRO, before merging (include/trace/events/net.h). The symbol
//! `napi_gro_receive` is inline since 6.18; the two entry events are older and stay.

use super::alias::{Alias, called};
use super::{Fields, PathPoint, Probe, What, event};
use crate::decode::EventSpec;
use crate::model::Direction;

pub struct NapiGroReceive;

impl Probe for NapiGroReceive {
    fn function(&self) -> &'static str {
        "napi_gro_receive"
    }

    fn doc(&self) -> &'static str {
        "One packet handed to GRO by a driver, before merging."
    }

    fn events(&self) -> Vec<EventSpec> {
        ["napi_gro_receive_entry", "napi_gro_frags_entry"]
            .map(|name| event("net", name, &["name", "len"], Some("name")))
            .into()
    }

    fn symbols(&self) -> &'static [&'static str] {
        &[
            "napi_gro_receive",
            "gro_receive_skb",
            "napi_gro_frags",
            "dev_gro_receive",
            "napi_skb_finish",
            "gro_skb_finish",
        ]
    }

    fn direction(&self) -> Direction {
        Direction::Rx
    }

    fn point(&self) -> Option<PathPoint> {
        Some(PathPoint::BeforeGro)
    }

    fn aliases(&self) -> &'static [Alias] {
        const {
            &[called(&[
                "net:napi_gro_receive",
                "gro_receive_skb",
                "napi_gro_frags",
                "napi_gro_receive_entry",
            ])]
        }
    }

    fn timed(&self) -> f64 {
        2.0
    }

    fn priority(&self) -> u8 {
        0
    }

    fn decode<'a>(&self, fields: Fields<'a>) -> What<'a> {
        What {
            tag: fields.device(0),
            packets: Some(1.0),
            bytes: Some(fields.number(1) as f64),
            ..What::default()
        }
    }
}
