//! NAPI polls: napi:napi_poll fires when a poll routine returned (include/trace/events/napi.h).
//! `work` counts received packets; `(no_device)` is the per-CPU backlog.

use super::{Fields, PathPoint, Probe, What, event};
use crate::decode::EventSpec;
use crate::model::{Direction, Role};

pub struct NapiPoll;

impl Probe for NapiPoll {
    fn function(&self) -> &'static str {
        "napi_poll"
    }

    fn doc(&self) -> &'static str {
        "One call of a driver's or the backlog's poll routine; per hit: packets it received."
    }

    fn events(&self) -> Vec<EventSpec> {
        vec![event(
            "napi",
            "napi_poll",
            &["dev_name", "work", "budget"],
            Some("dev_name"),
        )]
    }

    fn symbols(&self) -> &'static [&'static str] {
        &["__napi_poll", "napi_poll"]
    }

    fn direction(&self) -> Direction {
        Direction::Rx
    }

    fn sees_every_packet(&self) -> bool {
        true
    }

    fn point(&self) -> Option<PathPoint> {
        Some(PathPoint::Poll)
    }

    fn role(&self) -> Option<Role> {
        Some(Role::Polls)
    }

    fn priority(&self) -> u8 {
        2
    }

    fn decode<'a>(&self, fields: Fields<'a>) -> What<'a> {
        What {
            tag: fields.device(0),
            packets: Some(fields.number(1) as f64),
            budget: Some(fields.number(2) as f64),
            ..What::default()
        }
    }
}
