//! The events of this kernel: each spec looked up in tracefs once, its layout bound, or the
//! reason why it is not to be had.

use std::fmt::Write;
use std::sync::Arc;

use crate::decode::{Event, EventId, EventSpec, Format, Layout, Place};
use crate::sys::{Tracefs, Wanted, What};

/// What is needed to open an event.
#[derive(Debug, Clone)]
struct Bound {
    what: What,
    layout: Layout,
}

pub struct Catalog {
    pub events: Vec<Event>,
    bound: Vec<Option<Bound>>,
}

impl Catalog {
    /// `tracefs`: where it is, or why no event can be had at all.
    pub fn look_up(specs: Vec<EventSpec>, tracefs: &Result<Tracefs, String>) -> Catalog {
        let mut catalog = Catalog {
            events: Vec::new(),
            bound: Vec::new(),
        };
        for spec in specs {
            let found = match probed(&spec.place) {
                Some(what) => Ok((what, Vec::new(), None)),
                None => tracefs
                    .as_ref()
                    .map_err(Clone::clone)
                    .and_then(|tracefs| bind(tracefs, &spec)),
            };
            let (bound, missing, symbols, format) = match found {
                Ok((bound, symbols, format)) => (Some(bound), None, symbols, format),
                Err(reason) => (None, Some(reason), Vec::new(), None),
            };
            catalog.bound.push(bound);
            catalog.events.push(Event {
                spec,
                missing,
                gate: false,
                symbols,
                format,
            });
        }
        catalog
    }

    /// How to open `event` under a device filter; `None`: it cannot be (said in its `missing`,
    /// or it names no device).
    pub fn wanted(&self, event: EventId, device: Option<&str>) -> Option<(Wanted, Layout)> {
        let index = event.0 as usize;
        let bound = self.bound.get(index)?.as_ref()?;
        let spec = &self.events[index].spec;
        let filter = match device {
            Some(device) => Some(on_device(spec, device)?),
            None => spec.filter.clone(),
        };
        Some((
            Wanted {
                what: bound.what.clone(),
                filter,
            },
            bound.layout,
        ))
    }

    /// How to open a tracepoint by its name, unfiltered.
    pub fn named(&self, group: &str, name: &str) -> Option<Wanted> {
        let found =
            |e: &Event| e.spec.group == group && e.spec.name == name && e.spec.filter.is_none();
        let index = self.events.iter().position(found)?;
        self.wanted(EventId(index as u16), None)
            .map(|(wanted, _)| wanted)
    }

    /// How to read the samples that the gate takes of `event`.
    pub fn gated(&self, event: EventId, format: &str) -> Option<Layout> {
        let spec = &self.events.get(event.0 as usize)?.spec;
        // A field that the gate does not give reads as nothing.
        let (layout, _missing) = Format::parse(format).ok()?.bind(&spec.fields);
        Some(layout.with_caller(spec.place.brings_caller()))
    }

    /// No event can be opened here.
    pub fn refuse_all(&mut self, reason: &str) {
        for index in 0..self.events.len() {
            self.refuse(EventId(index as u16), reason.to_owned());
        }
    }

    /// The kernel refused it; it is not tried again.
    pub fn refuse(&mut self, event: EventId, reason: String) {
        if let Some(event) = self.events.get_mut(event.0 as usize) {
            event.missing = Some(reason);
        }
        if let Some(bound) = self.bound.get_mut(event.0 as usize) {
            *bound = None;
        }
    }
}

type Symbols = Vec<(String, u64, String)>;

/// A breakpoint of one's own needs no looking up; its samples have no fields.
fn probed(place: &Place) -> Option<Bound> {
    let top = place.brings_caller();
    let what = match place.clone() {
        Place::Tracepoint => return None,
        Place::User {
            file,
            offset,
            returns,
            ..
        } => What::User {
            file,
            offset,
            returns,
            top,
        },
        Place::Kernel {
            function,
            offset,
            returns,
        } => What::Kernel {
            function,
            offset,
            returns,
        },
    };
    let layout = Layout::default().with_caller(top);
    Some(Bound { what, layout })
}

type Found = (Bound, Symbols, Option<Arc<str>>);

fn bind(tracefs: &Tracefs, spec: &EventSpec) -> Result<Found, String> {
    let text = tracefs.format(&spec.group, &spec.name)?;
    let format = Format::parse(&text).map_err(|why| format!("{}: {why}", spec.full_name()))?;
    // A field this kernel lacks reads as nothing; the count stays exact without it.
    let (layout, _missing) = format.bind(&spec.fields);
    Ok((
        Bound {
            what: What::Tracepoint(format.id),
            layout,
        },
        format.symbols,
        Some(text.into()),
    ))
}

/// The event's own filter and the device's; `None`: the event names no device.
fn on_device(spec: &EventSpec, device: &str) -> Option<String> {
    let field = spec.device_field.as_ref()?;
    let mut text = String::new();
    if let Some(own) = &spec.filter {
        let _infallible = write!(text, "({own}) && ");
    }
    let _infallible = write!(text, "{field} == \"{device}\"");
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(own: Option<&str>, device_field: Option<&str>) -> EventSpec {
        EventSpec {
            group: "net".into(),
            name: "x".into(),
            place: Place::Tracepoint,
            filter: own.map(str::to_owned),
            fields: Vec::new(),
            device_field: device_field.map(str::to_owned),
        }
    }

    #[test]
    fn a_device_joins_the_events_own_filter() {
        let both = on_device(&spec(Some("vec == 3"), Some("name")), "va");
        assert_eq!(both.as_deref(), Some("(vec == 3) && name == \"va\""));
        let alone = on_device(&spec(None, Some("name")), "va");
        assert_eq!(alone.as_deref(), Some("name == \"va\""));
    }

    #[test]
    fn an_event_without_a_device_cannot_be_filtered_by_one() {
        assert_eq!(on_device(&spec(None, None), "va"), None);
    }

    #[test]
    fn without_tracefs_every_event_says_why_it_is_missing() {
        let catalog = Catalog::look_up(vec![spec(None, None)], &Err("not mounted".to_owned()));
        assert_eq!(catalog.events[0].missing.as_deref(), Some("not mounted"));
        assert!(catalog.wanted(EventId(0), None).is_none());
    }
}
