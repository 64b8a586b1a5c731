//! What `-e` adds as a row of its own: any tracepoint of this kernel, behind a filter or not, and
//! breakpoints.

use super::{Fields, Probe, Tag, What, Whose, event};
use crate::decode::{EventSpec, Format, Place};

/// Fields that say how what was tried ended: the hits are told apart by them, before the device.
const OUTCOMES: [&str; 2] = ["reason", "rc"];

/// An added event; its fields are chosen from its format: a device's name, a length and an outcome.
pub struct Added {
    name: String,
    doc: String,
    spec: EventSpec,
    device: Option<usize>,
    length: Option<usize>,
    outcome: Option<(&'static str, usize)>,
}

impl Added {
    pub fn new(group: &str, name: &str, format: &Format) -> Self {
        let device = ["name", "dev_name", "dev"]
            .into_iter()
            .find(|field| format.field(field).is_some_and(|f| f.data_loc))
            .filter(|_| matches!(group, "net" | "napi" | "qdisc" | "skb"));
        let is_number = |name: &str| format.field(name).is_some_and(|f| !f.array && !f.data_loc);
        let length = is_number("len");
        let outcome = OUTCOMES.into_iter().find(|name| is_number(name));
        let length_name = length.then_some("len");
        let fields: Vec<&str> = (device.into_iter().chain(length_name).chain(outcome)).collect();
        Added {
            name: format!("{group}:{name}"),
            doc: format!("One hit of the tracepoint {group}:{name}."),
            spec: event(group, name, &fields, device),
            device: device.map(|_| 0),
            length: length.then(|| usize::from(device.is_some())),
            outcome: outcome.map(|name| (name, fields.len() - 1)),
        }
    }

    /// A counter of a file that is no tracepoint, as perf calls it.
    pub fn counter(name: &str) -> Self {
        Added {
            name: name.to_owned(),
            doc: format!("One hit of {name}, as perf counted it."),
            spec: event("", name, &[], None),
            device: None,
            length: None,
            outcome: None,
        }
    }
}

impl Added {
    /// Only hits behind a filter: `typed` as the row is named, `kernel` as the kernel takes it.
    #[must_use]
    pub fn behind(mut self, typed: &str, kernel: String) -> Self {
        self.name = format!("{}:{typed}", self.name);
        self.doc = format!(
            "One hit of the tracepoint {} where {kernel}.",
            self.spec.full_name()
        );
        self.spec.filter = Some(kernel);
        self
    }

    /// A breakpoint of one's own; `name` as it was typed.
    pub fn breakpoint(name: &str, place: Place, doc: String) -> Self {
        let (group, rest) = name.split_once(':').unwrap_or(("uprobe", name));
        Added {
            name: name.to_owned(),
            doc,
            spec: EventSpec {
                place,
                ..event(group, rest, &[], None)
            },
            device: None,
            length: None,
            outcome: None,
        }
    }
}

impl Probe for Added {
    fn function(&self) -> &str {
        &self.name
    }

    fn doc(&self) -> &str {
        &self.doc
    }

    fn events(&self) -> Vec<EventSpec> {
        vec![self.spec.clone()]
    }

    fn whose(&self) -> Whose {
        Whose::Caller
    }

    fn priority(&self) -> u8 {
        1
    }

    fn decode<'a>(&self, fields: Fields<'a>) -> What<'a> {
        let device = || self.device.and_then(|index| fields.device(index));
        let outcome = (self.outcome)
            .map(|(name, index)| Tag::Symbol(name, u64::from(fields.number(index) as u32)));
        What {
            tag: outcome.or_else(device),
            bytes: self.length.map(|index| fields.number(index) as f64),
            ..What::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{Batch, EventId, FIELDS, Sample, Span};

    #[test]
    fn an_added_event_is_told_apart_by_its_outcome_before_its_device() {
        let format = Format::parse(
            "ID: 7\nformat:\n\tfield:void * skbaddr;\toffset:8;\tsize:8;\tsigned:0;\n\
             \tfield:unsigned int len;\toffset:16;\tsize:4;\tsigned:0;\n\
             \tfield:int rc;\toffset:20;\tsize:4;\tsigned:1;\n\
             \tfield:__data_loc char[] name;\toffset:24;\tsize:4;\tsigned:0;\n",
        );
        let added = Added::new("net", "net_dev_xmit", &format.expect("a format"));
        let [spec] = &added.events()[..] else {
            panic!("one event");
        };
        assert_eq!(spec.fields, ["name", "len", "rc"]);
        assert_eq!(spec.device_field.as_deref(), Some("name"));
        let mut sample = Sample {
            event: EventId(0),
            cpu: 0,
            pid: 0,
            tid: 0,
            time: 0,
            period: 1,
            chain: Span::default(),
            raw: Span::default(),
            owner: 0,
            values: [0; FIELDS],
        };
        sample.values[1..3].copy_from_slice(&[60, 16]);
        let batch = Batch::default();
        let what = added.decode(Fields {
            sample: &sample,
            batch: &batch,
        });
        assert_eq!(
            (what.tag, what.bytes),
            (Some(Tag::Symbol("rc", 16)), Some(60.0))
        );
    }
}
