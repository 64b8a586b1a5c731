//! Which rows' events a file's event stands for, and where the fields are in its raw bytes.

use super::opened::FileEvent;
use crate::decode::{Event, EventId, EventSpec, Format, Layout};

const NOT_HERE: &str = "its event is not in this file";

/// An event that samples of a file's event are hits of.
#[derive(Debug, Clone)]
pub struct Route {
    pub event: EventId,
    pub layout: Layout,
    /// perf took every hit, netop counts those with one of these values only.
    filter: Option<Only>,
}

#[derive(Debug, Clone)]
struct Only {
    layout: Layout,
    values: Vec<u64>,
}

impl Route {
    pub fn accepts(&self, raw: &[u8]) -> bool {
        let Some(only) = &self.filter else {
            return true;
        };
        let value = only.layout.read(raw, 0)[0];
        only.values.contains(&value)
    }
}

/// The routes of each event of the file; empty: nothing of netop's is about it. `own`: the event
/// that netop recorded there itself, behind its filter.
pub fn routes(
    events: &[Option<FileEvent>],
    own: &[Option<EventId>],
    specs: &[EventSpec],
) -> Vec<Vec<Route>> {
    let of = |(event, own): (&Option<FileEvent>, &Option<EventId>)| match event {
        None => Vec::new(),
        Some(FileEvent::Clock(..)) => vec![Route {
            event: EventId::CLOCK,
            layout: Layout::default(),
            filter: None,
        }],
        Some(FileEvent::Tracepoint {
            group,
            name,
            format,
        }) => {
            let format = format.as_deref().and_then(|text| Format::parse(text).ok());
            let own =
                own.filter(|own| matching(specs, group, name).any(|(event, _)| event == *own));
            if let Some(event) = own {
                let fields = &specs[event.0 as usize].fields;
                return vec![Route {
                    event,
                    layout: format.map_or(Layout::default(), |format| format.bind(fields).0),
                    filter: None,
                }];
            }
            matching(specs, group, name)
                .filter_map(|(event, spec)| route(event, spec, format.as_ref()))
                .collect()
        }
        Some(FileEvent::Other(name)) => matching(specs, "", name)
            .filter_map(|(event, spec)| route(event, spec, None))
            .collect(),
    };
    events.iter().zip(own).map(of).collect()
}

fn matching<'a>(
    specs: &'a [EventSpec],
    group: &'a str,
    name: &'a str,
) -> impl Iterator<Item = (EventId, &'a EventSpec)> {
    let same = move |(_, spec): &(usize, &EventSpec)| spec.group == group && spec.name == name;
    specs
        .iter()
        .enumerate()
        .filter(same)
        .map(|(index, spec)| (EventId(index as u16), spec))
}

/// `None`: the format does not have what the filter asks for.
fn route(event: EventId, spec: &EventSpec, format: Option<&Format>) -> Option<Route> {
    let layout = format.map(|format| format.bind(&spec.fields).0);
    let filter = match &spec.filter {
        None => None,
        Some(filter) => Some(only(filter, format?)?),
    };
    Some(Route {
        event,
        layout: layout.unwrap_or_default(),
        filter,
    })
}

/// `field == 2 || field == 3`: no probe has another filter.
fn only(filter: &str, format: &Format) -> Option<Only> {
    let mut field = None;
    let mut values = Vec::new();
    for clause in filter.split("||") {
        let (name, value) = clause.split_once("==")?;
        let name = name.trim();
        if *field.get_or_insert(name) != name {
            return None;
        }
        values.push(value.trim().parse().ok()?);
    }
    let (layout, missing) = format.bind(&[field?.to_owned()]);
    missing.is_empty().then_some(Only { layout, values })
}

/// By event: which of its fields names a device.
pub fn device_slots(specs: &[EventSpec]) -> Vec<Option<usize>> {
    let slot = |spec: &EventSpec| {
        let field = spec.device_field.as_ref()?;
        spec.fields.iter().position(|name| name == field)
    };
    specs.iter().map(slot).collect()
}

/// The rows' events as this file has them.
pub fn session_events(
    specs: &[EventSpec],
    routes: &[Vec<Route>],
    events: &[Option<FileEvent>],
) -> Vec<Event> {
    let known = |(index, spec): (usize, &EventSpec)| {
        let of_event = |route: &Route| route.event.0 as usize == index;
        let found = routes
            .iter()
            .zip(events)
            .find(|(routes, _)| routes.iter().any(of_event));
        let format = match found {
            Some((_, Some(FileEvent::Tracepoint { format, .. }))) => format.clone(),
            _ => None,
        };
        let parsed = format.as_deref().and_then(|text| Format::parse(text).ok());
        Event {
            spec: spec.clone(),
            // The same for all rows, so that it is said once.
            missing: found.is_none().then(|| NOT_HERE.to_owned()),
            gate: false,
            symbols: parsed.map(|format| format.symbols).unwrap_or_default(),
            format,
        }
    };
    specs.iter().enumerate().map(known).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOFTIRQ: &str = "name: softirq_entry\nID: 5\n\
        field:unsigned int vec;\toffset:8;\tsize:4;\tsigned:0;\n";

    fn spec(name: &str, filter: Option<&str>) -> EventSpec {
        EventSpec {
            place: crate::decode::Place::Tracepoint,
            group: "irq".to_owned(),
            name: name.to_owned(),
            filter: filter.map(str::to_owned),
            fields: vec!["vec".to_owned()],
            device_field: None,
        }
    }

    fn raw(vec: u32) -> Vec<u8> {
        [&[0; 8][..], &vec.to_le_bytes()].concat()
    }

    #[test]
    fn hits_of_one_event_go_to_the_rows_whose_filter_they_pass() {
        let specs = [
            spec("softirq_entry", Some("vec == 3")),
            spec("softirq_exit", None),
            spec("softirq_entry", Some("vec == 2 || vec == 3")),
        ];
        let events = [Some(FileEvent::Tracepoint {
            group: "irq".to_owned(),
            name: "softirq_entry".to_owned(),
            format: Some(SOFTIRQ.into()),
        })];
        let own = |id: u16| routes(&events, &[Some(EventId(id))], &specs)[0].len();
        assert_eq!((own(0), own(1)), (1, 2), "netop's own is behind its filter");
        let routes = routes(&events, &[None], &specs);
        let accepted = |vec| {
            let passes = |route: &&Route| route.accepts(&raw(vec));
            let events = routes[0].iter().filter(passes).map(|route| route.event.0);
            events.collect::<Vec<_>>()
        };
        assert_eq!(accepted(3), [0, 2]);
        assert_eq!(accepted(2), [2]);
        assert!(accepted(7).is_empty());
        let missing = session_events(&specs, &routes, &events)
            .into_iter()
            .map(|event| event.missing);
        let missing: Vec<_> = missing.collect();
        assert_eq!(missing[0], None);
        let sentence = missing[1].as_deref();
        assert_eq!(sentence, Some(NOT_HERE));
    }

    #[test]
    fn without_a_format_a_filter_cannot_be_judged_and_its_row_is_missing() {
        let events = [Some(FileEvent::Tracepoint {
            group: "irq".to_owned(),
            name: "softirq_entry".to_owned(),
            format: None,
        })];
        let routes_of = |filter| routes(&events, &[None], &[spec("softirq_entry", filter)]);
        assert!(routes_of(Some("vec == 3"))[0].is_empty());
        assert_eq!(routes_of(None)[0].len(), 1);
    }
}
