//! The functions of the network path and the events that observe them. One file per family; the
//! list [`PROBES`] is the order on screen: what everybody asks for first, then along the path.
//! Knows no source and no screen.

mod alias;
mod breakpoint;
mod filter;
mod gro;
mod napi;
mod owner;
mod rx;
mod skb;
mod sock;
mod softirq;
mod tcp;
mod tracepoint;
mod tx;

use crate::decode::{Batch, EventSpec, Place, Sample};
use crate::model::{Direction, Role};

pub use alias::{Alias, Resolved, also_called, nearest, resolve};
pub use breakpoint::{Kind, Spot, Typed, rejoined, typed};
pub use filter::filter;
pub use owner::{Whose, names_socket, receives};
pub use softirq::softirq_times;
pub use tracepoint::Added;

/// A counter the kernel keeps anyway that equals the hits of a function, host wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Free {
    /// NET_RX row of /proc/softirqs.
    NetRxRuns,
    /// NET_TX row of /proc/softirqs.
    NetTxRuns,
    /// First column of /proc/net/softnet_stat.
    SoftnetProcessed,
}

impl Free {
    /// The word for the SOURCE column.
    pub fn label(self) -> &'static str {
        match self {
            Free::NetRxRuns | Free::NetTxRuns => "softirqs",
            Free::SoftnetProcessed => "softnet",
        }
    }
}

/// Which side of a socket a hit belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    Rx,
    Tx,
}

/// What one sampled hit was about.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct What<'a> {
    pub tag: Option<Tag<'a>>,
    pub packets: Option<f64>,
    pub bytes: Option<f64>,
    /// A system call of the current process in this direction.
    pub flow: Option<Flow>,
    /// The hit is a packet that was dropped; the name of its device, empty where it is not told.
    pub dropped_by: Option<&'a [u8]>,
    /// Kernel address of the socket that it was for; 0: none, or the event does not say.
    pub socket: u64,
    /// Of a poll: the most packets that it may take.
    pub budget: Option<f64>,
}

/// Where on a device's path a hit is: what its exact counts per device are read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathPoint {
    Poll,
    /// Given to GRO, one packet each.
    BeforeGro,
    /// What came out of GRO, and what never went there.
    AfterGro,
    Sent,
}

/// What the hits of a function are split by in its detail pane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tag<'a> {
    Device(&'a [u8]),
    /// Value of the event's enumerated field of this name.
    Symbol(&'static str, u64),
}

/// The wanted fields of one sample, in the order of its [`EventSpec::fields`].
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a> {
    pub sample: &'a Sample,
    pub batch: &'a Batch,
}

impl<'a> Fields<'a> {
    pub fn number(&self, index: usize) -> i64 {
        let value = self.sample.values.get(index).copied().unwrap_or(0);
        value.cast_signed()
    }

    pub fn text(&self, index: usize) -> &'a [u8] {
        self.batch
            .text(self.sample.values.get(index).copied().unwrap_or(0))
    }

    /// A device name as a tag; an empty name is none.
    pub fn device(&self, index: usize) -> Option<Tag<'a>> {
        Some(self.text(index))
            .filter(|name| !name.is_empty())
            .map(Tag::Device)
    }
}

/// A function and the events that observe it.
pub trait Probe: Sync + Send {
    /// The name the user knows.
    fn function(&self) -> &str;

    /// One sentence: what one hit means.
    fn doc(&self) -> &str;

    /// Hits of the function = sum of the hits of these.
    fn events(&self) -> Vec<EventSpec>;

    fn free(&self) -> Option<Free> {
        None
    }

    /// The kernel functions whose CPU time is this row's, over kernel versions (signals.md 3.3).
    fn symbols(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whose wire packets its CPU time is divided by; `Other`: all.
    fn direction(&self) -> Direction {
        Direction::Other
    }

    /// Every wire packet of its direction passes here, alone or merged with others: then packets
    /// per hit mean something even where the event does not say.
    fn sees_every_packet(&self) -> bool {
        false
    }

    /// Its hits are skbs handed to a device, its samples say of how many packets.
    fn sends(&self) -> bool {
        false
    }

    /// What each of its hits was about matters: more of them are sampled, all while they are rare.
    fn each_counts(&self) -> bool {
        false
    }

    fn whose(&self) -> Whose {
        Whose::Nobody
    }

    fn point(&self) -> Option<PathPoint> {
        None
    }

    /// The first kernel that is known to have its events (headers of releases from 4.4 on; 4.4 is the
    /// oldest that was looked at).
    fn since(&self) -> &'static str {
        "4.4"
    }

    /// What else people call it.
    fn aliases(&self) -> &'static [Alias] {
        &[]
    }

    /// What the program does with its hits beside showing them.
    fn role(&self) -> Option<Role> {
        None
    }

    /// How many programs that time packets a hit runs (src/source/live/gate/latency.rs).
    fn timed(&self) -> f64 {
        0.0
    }

    /// Order in the budget: 0 headline rows, 1 losses (forecast as seldom), above: given up first.
    fn priority(&self) -> u8;

    fn decode<'a>(&self, fields: Fields<'a>) -> What<'a>;
}

/// Fields that no kernel's event has and the gate's samples do: (event, field).
pub const GATE_TELLS: &[(&str, &str)] = &[("skb:kfree_skb", "name")];

/// Every function netop shows by default, in the order of the screen.
pub static PROBES: &[&dyn Probe] = &[
    &softirq::NetRxAction,
    &gro::NapiGroReceive,
    &tx::DevQueueXmit,
    &napi::NapiPoll,
    &rx::NetifReceiveSkb,
    &rx::NetifRx,
    &sock::RecvLength,
    &sock::SendLength,
    &tx::NetDevStartXmit,
    &softirq::NetTxAction,
    &skb::KfreeSkb,
    &skb::ConsumeSkb,
    &tcp::RetransmitSkb,
];

/// The first kernel with `event`, which is `group:name`; `None`: no row here stands on it.
pub fn since(event: &str) -> Option<&'static str> {
    let stands = |probe: &&&dyn Probe| probe.events().iter().any(|e| e.full_name() == event);
    PROBES.iter().find(stands).map(|probe| probe.since())
}

/// An event as `group:name`, unfiltered, with the fields to decode.
fn event(group: &str, name: &str, fields: &[&str], device_field: Option<&str>) -> EventSpec {
    EventSpec {
        group: group.to_owned(),
        name: name.to_owned(),
        place: Place::Tracepoint,
        filter: None,
        fields: fields.iter().map(|&f| f.to_owned()).collect(),
        device_field: device_field.map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::FIELDS;

    #[test]
    fn function_names_are_unique_and_documented_in_one_sentence() {
        let mut names: Vec<_> = PROBES.iter().map(|p| p.function()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), PROBES.len());
        for probe in PROBES {
            assert!(probe.doc().ends_with('.'), "{}", probe.function());
            assert!(
                probe.function().len() <= 18,
                "fits the FUNCTION column at 80 columns"
            );
        }
    }

    #[test]
    fn no_probe_wants_more_fields_than_a_sample_carries() {
        for probe in PROBES {
            for event in probe.events() {
                assert!(event.fields.len() <= FIELDS, "{}", probe.function());
                if let Some(device) = &event.device_field {
                    assert!(event.fields.contains(device), "{}", probe.function());
                }
            }
        }
    }

    #[test]
    fn the_three_that_everybody_asks_for_come_first_and_are_always_opened() {
        let first: Vec<_> = PROBES[..3]
            .iter()
            .map(|p| (p.function(), p.priority()))
            .collect();
        assert_eq!(
            first,
            [
                ("net_rx_action", 0),
                ("napi_gro_receive", 0),
                ("dev_queue_xmit", 0)
            ]
        );
    }

    #[test]
    fn a_role_is_one_rows_and_every_role_has_one() {
        let roles: Vec<Role> = PROBES.iter().filter_map(|probe| probe.role()).collect();
        for role in Role::ALL {
            assert_eq!(roles.iter().filter(|r| *r == role).count(), 1, "{role:?}");
        }
        assert_eq!(since("sock:sock_recv_length"), Some("6.5"));
        assert_eq!(since("tcp:tcp_retransmit_skb"), Some("4.15"));
        assert_eq!(since("net:net_dev_queue"), Some("4.4"));
        assert_eq!(since("tcp:tcp_probe"), None);
    }

    #[test]
    fn every_file_of_the_room_is_registered() {
        let room = concat!(env!("CARGO_MANIFEST_DIR"), "/src/probe");
        let list = include_str!("mod.rs");
        for entry in std::fs::read_dir(room).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let module = name.trim_end_matches(".rs");
            assert!(
                module == "mod" || list.contains(&format!("mod {module};")),
                "{name}"
            );
        }
    }
}
