//! Trying it: the events of every function looked up, a ring and an event opened on every CPU,
//! read, and closed again.

use std::io;

use super::facts::{Function, Missing, Rings};
use crate::decode::Format;
use crate::probe::{Free, GATE_TELLS, PROBES, Probe, since};
use crate::source::live::RING_BYTES;
use crate::sys::{
    ErrnoHint, Leader, NO_SAMPLES, PerfEvent, Ring, Target, Tracefs, Wanted, What,
    settle_read_format,
};

/// The rows of the path with what this kernel has of their events.
pub fn functions(tracefs: &Tracefs) -> Vec<Function> {
    let all = tracefs.all();
    PROBES
        .iter()
        .map(|probe| function(*probe, tracefs, &all))
        .collect()
}

fn function(probe: &dyn Probe, tracefs: &Tracefs, all: &[String]) -> Function {
    let mut function = Function {
        name: probe.function().to_owned(),
        free: probe.free().map(Free::label),
        present: Vec::new(),
        missing: Vec::new(),
        without: Vec::new(),
    };
    for spec in probe.events() {
        let event = spec.full_name();
        let format = tracefs
            .format(&spec.group, &spec.name)
            .and_then(|text| Format::parse(&text));
        match format {
            Ok(format) => {
                let (_, lacks) = format.bind(&spec.fields);
                let told = |field: &String| GATE_TELLS.contains(&(event.as_str(), field.as_str()));
                let lacks = lacks.into_iter().filter(|field| !told(field));
                let lacks = lacks.map(|field| format!("{event}.{field}"));
                function.without.extend(lacks);
                function.present.push(event);
            }
            Err(why) => function.missing.push(Missing {
                since: since(&event),
                why: all.binary_search(&event).is_ok().then_some(why),
                event,
            }),
        }
    }
    function
}

/// One ring and one filtered event on each CPU, as a run opens them.
pub fn rings(tracefs: &Tracefs, cpus: &[u32]) -> Option<Rings> {
    let leader = tracefs.quiet().ok()?;
    let text = tracefs.format("irq", "softirq_entry").ok()?;
    let wanted = Wanted {
        what: What::Tracepoint(Format::parse(&text).ok()?.id),
        filter: Some("vec == 3".to_owned()),
    };
    settle_read_format();
    let (mut rings, mut open) = (Rings::default(), Vec::new());
    for &cpu in cpus {
        match ring(cpu, leader, &wanted) {
            Ok((ring, event, bytes)) => {
                rings.opened += 1;
                rings.bytes = Some(rings.bytes.map_or(bytes, |least| least.min(bytes)));
                open.push((ring, event));
            }
            Err(error) => {
                rings.refused.get_or_insert((cpu, ErrnoHint::of(&error)));
            }
        }
    }
    // Closing waits for RCU, some 30 ms each; nobody has to wait with it.
    let _closed_at_exit = std::thread::Builder::new().spawn(move || drop(open));
    Some(rings)
}

fn ring(cpu: u32, leader: u64, wanted: &Wanted) -> io::Result<(Ring, PerfEvent, usize)> {
    let (mut ring, bytes) = Ring::open(cpu, Leader::Quiet(leader), RING_BYTES)?;
    let target = Target::Cpu {
        ring: &mut ring,
        period: NO_SAMPLES,
        stacks: true,
    };
    let event = PerfEvent::open(wanted, target)?;
    let mut readings = Vec::new();
    ring.reader()?.read(&mut readings)?;
    if readings.iter().any(|reading| reading.id == event.id()) {
        Ok((ring, event, bytes))
    } else {
        Err(io::Error::other(
            "the event opened and its count cannot be read",
        ))
    }
}
