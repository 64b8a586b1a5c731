//! What `-e` adds as a row of its own: any tracepoint of this kernel, behind a filter or not, and
//! breakpoints.

use super::{Fields, Probe, What, Whose, event};
use crate::decode::{EventSpec, Format, Place};

/// An added event; its fields are chosen from its format: a device's name and a length.
pub struct Added {
    name: String,
    doc: String,
    spec: EventSpec,
    device: Option<usize>,
    length: Option<usize>,
}

impl Added {
    pub fn new(group: &str, name: &str, format: &Format) -> Self {
        let device = ["name", "dev_name", "dev"]
            .into_iter()
            .find(|field| format.field(field).is_some_and(|f| f.data_loc))
            .filter(|_| matches!(group, "net" | "napi" | "qdisc" | "skb"));
        let length = format.field("len").is_some_and(|f| !f.array && !f.data_loc);
        let fields: Vec<&str> = device.into_iter().chain(length.then_some("len")).collect();
        Added {
            name: format!("{group}:{name}"),
            doc: format!("One hit of the tracepoint {group}:{name}."),
            spec: event(group, name, &fields, device),
            device: device.map(|_| 0),
            length: length.then(|| fields.len() - 1),
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
        What {
            tag: self.device.and_then(|index| fields.device(index)),
            bytes: self.length.map(|index| fields.number(index) as f64),
            ..What::default()
        }
    }
}
