//! What `-e` names → rows: functions that netop knows, tracepoints with or without a filter,
//! breakpoints in programs, libraries and the kernel.

use std::io;
use std::path::Path;

use crate::decode::{EventSpec, Format, Place};
use crate::error::Error;
use crate::probe::{Added, Kind, PROBES, Resolved, Spot, Typed, filter, nearest, resolve, typed};
use crate::symbol::{find_library, of_address, of_function};
use crate::sys::{PerfEvent, Raised, Target, Wanted, What, uprobe_hit_ns};

/// What is known of the kernel and the files of the host.
pub struct Kernel<'a> {
    /// A tracepoint's format text, or why there is none.
    pub format: &'a dyn Fn(&str, &str) -> Result<String, String>,
    /// All tracepoints, `group:name`.
    pub all: &'a dyn Fn() -> Vec<String>,
    /// Where files are; `None`: there is no host.
    pub root: Option<&'a Path>,
    /// Whose libraries are meant.
    pub pids: &'a [u32],
}

/// What a name stands for.
pub enum Asked {
    Function {
        name: &'static str,
        note: Option<&'static str>,
    },
    Added {
        event: Box<Added>,
        note: Option<String>,
    },
}

pub fn asked(said: &str, kernel: &Kernel<'_>) -> Result<Asked, Error> {
    if let Some(breakpoint) = typed(said) {
        let breakpoint = breakpoint.map_err(|why| Error::usage(why, "netop list"))?;
        return breakpoint_of(said, &breakpoint, kernel);
    }
    if let Some((group, name, condition)) = filtered(said) {
        return Ok(Asked::Added {
            event: Box::new(tracepoint(said, (group, name), Some(condition), kernel)?),
            note: None,
        });
    }
    match resolve(said) {
        Resolved::Function { name, note } => Ok(Asked::Function { name, note }),
        Resolved::Tracepoint { group, name } => Ok(Asked::Added {
            event: Box::new(tracepoint(said, (&group, &name), None, kernel)?),
            note: None,
        }),
        Resolved::Nothing(why) => Err(unfiltered(said, &why, kernel)),
    }
}

/// A filter needs the tracepoint's whole name, not the function's.
fn unfiltered(said: &str, why: &str, kernel: &Kernel<'_>) -> Error {
    let all = (kernel.all)();
    let Some((name, condition)) = said.split_once(':') else {
        return unknown(said, why, &all);
    };
    let function = match resolve(name) {
        Resolved::Function { name, .. } => name,
        _ => name,
    };
    let probe = PROBES.iter().find(|probe| probe.function() == function);
    let event = match probe {
        Some(probe) => probe.events().first().map(EventSpec::full_name),
        None => all
            .iter()
            .find(|event| event.ends_with(&format!(":{name}")))
            .cloned(),
    };
    match event.filter(|_| condition.contains(['=', '<', '>', '~', '&', '!'])) {
        Some(event) => Error::unavailable(
            format!("{said}: a filter asks for the fields of a tracepoint, here {event}"),
            format!("netop -e '{event}:{condition}'"),
        ),
        None => unknown(said, why, &all),
    }
}

/// `group:name:filter`
fn filtered(said: &str) -> Option<(&str, &str, &str)> {
    let mut parts = said.splitn(3, ':');
    Some((parts.next()?, parts.next()?, parts.next()?))
}

fn tracepoint(
    said: &str,
    (group, name): (&str, &str),
    condition: Option<&str>,
    kernel: &Kernel<'_>,
) -> Result<Added, Error> {
    let text = (kernel.format)(group, name).map_err(|why| unfiltered(said, &why, kernel))?;
    let format = Format::parse(&text)
        .map_err(|why| Error::failed(format!("{said}: {why}"), "netop doctor"))?;
    let event = Added::new(group, name, &format);
    let Some(condition) = condition else {
        return Ok(event);
    };
    let judged = filter(condition, &format).and_then(|filter| {
        let refused = kernel.root.is_some() && is_refused(format.id, &filter);
        if refused {
            return Err((0, format!("the kernel does not take {filter}")));
        }
        Ok(filter)
    });
    match judged {
        Ok(filter) => Ok(event.behind(condition, filter)),
        Err((at, why)) => {
            let before = said.len() - condition.len() + at;
            let column = said[..before].chars().count();
            // Under the name as the error's line has it.
            let mark = format!("{}^ {why}", " ".repeat(column));
            Err(Error::usage(
                format!("{said}: the filter is wrong here\n  {said}\n  {mark}"),
                format!("netop list {group}:{name}"),
            ))
        }
    }
}

/// Only the kernel knows what its fields can be compared with.
fn is_refused(tracepoint: u64, filter: &str) -> bool {
    let wanted = Wanted {
        what: What::Tracepoint(tracepoint),
        filter: Some(filter.to_owned()),
    };
    let opened = PerfEvent::open(&wanted, Target::Own);
    opened.is_err_and(|error| error.kind() == io::ErrorKind::InvalidInput)
}

fn breakpoint_of(said: &str, at: &Typed<'_>, kernel: &Kernel<'_>) -> Result<Asked, Error> {
    let Some(root) = kernel.root else {
        return Err(Error::unavailable(
            "the made-up machine has no programs to put a breakpoint into",
            "sudo netop",
        ));
    };
    let device = match at.kind {
        Kind::User => "uprobe",
        Kind::Kernel => "kprobe",
    };
    if !root
        .join("sys/bus/event_source/devices")
        .join(device)
        .exists()
    {
        return Err(missing(said, at));
    }
    let what = if at.returns { "return from" } else { "call of" };
    let (place, doc) = match at.kind {
        Kind::User => user(said, at, root, kernel.pids, what)?,
        Kind::Kernel => {
            let Spot::Function(function) = at.spot else {
                return Err(Error::usage(
                    format!("{said} names no function"),
                    "netop list",
                ));
            };
            // The kernel's own way to name a module's function.
            let function = match at.file {
                Some(module) => format!("{module}:{function}"),
                None => function.to_owned(),
            };
            let doc = format!("One {what} the kernel's {function}.");
            let place = Place::Kernel {
                function,
                offset: at.offset,
                returns: at.returns,
            };
            (place, doc)
        }
    };
    Ok(Asked::Added {
        event: Box::new(Added::breakpoint(said, place, doc)),
        note: Some(format!(
            "{said}: a hit costs who makes it {} (an exception), sampled or not",
            exception(at)
        )),
    })
}

/// What the exception of a hit costs, as measured here, or on other hosts.
fn exception(at: &Typed<'_>) -> String {
    let measured = match at.kind {
        Kind::User => uprobe_hit_ns(at.returns),
        Kind::Kernel => None,
    };
    match measured {
        Some(ns) if ns >= 10_000 => format!("some {:.0} µs here", f64::from(ns) / 1e3),
        Some(ns) => format!("some {:.1} µs here", f64::from(ns) / 1e3),
        None => "1 to 2 µs, on a virtual machine more".to_owned(),
    }
}

fn user(
    said: &str,
    at: &Typed<'_>,
    root: &Path,
    pids: &[u32],
    what: &str,
) -> Result<(Place, String), Error> {
    let name = at.file.unwrap_or_default();
    // A file seen through a process keeps its own protection.
    let _processes = Raised::processes();
    let file = find_library(root, name, pids)
        .map_err(|why| Error::unavailable(format!("{said}: {why}"), "netop list"))?;
    let (offset, spot) = match at.spot {
        Spot::Address(address) => {
            let address = address.saturating_add(at.offset);
            let offset = of_address(&file, address)
                .map_err(|why| Error::unavailable(why, format!("netop list uprobe:{name}:")))?;
            (offset, format!("the code at {address:#x}"))
        }
        Spot::Function(function) => {
            let offset = of_function(&file, function, at.offset).map_err(|missing| {
                let near = nearest(function, missing.others.iter().map(String::as_str), 3);
                let first = missing.instead.first().map(String::as_str);
                let hint = match first.or(near.first().copied()) {
                    None if missing.others.is_empty() => format!("objdump -d {}", file.display()),
                    None => format!("netop list uprobe:{name}:"),
                    Some(other) => format!("netop -e 'uprobe:{name}:{other}'"),
                };
                Error::unavailable(missing.why, hint)
            })?;
            (offset, function.to_owned())
        }
    };
    let doc = format!("One {what} {spot} in {}.", file.display());
    let place = Place::User {
        file: file.to_string_lossy().into_owned(),
        offset,
        returns: at.returns,
        begins: matches!(at.spot, Spot::Function(_)) && at.offset == 0,
    };
    Ok((place, doc))
}

/// The kernel was built without: what comes nearest.
fn missing(said: &str, at: &Typed<'_>) -> Error {
    let Spot::Function(function) = at.spot else {
        return Error::unavailable(
            format!("{said}: this kernel has no breakpoints of that kind"),
            "netop doctor",
        );
    };
    match (at.kind, resolve(function)) {
        (Kind::Kernel, Resolved::Function { name, .. }) => Error::unavailable(
            format!(
                "{said}: this kernel has no kprobes (CONFIG_KPROBE_EVENTS); a tracepoint stands nearby, and the CPU samples (view 5) show what {function} costs"
            ),
            format!("netop -e {name}"),
        ),
        (Kind::Kernel, _) => Error::unavailable(
            format!(
                "{said}: this kernel has no kprobes (CONFIG_KPROBE_EVENTS), so calls of {function} cannot be counted; the CPU samples show what it costs"
            ),
            match at.file {
                Some(module) => format!("netop --module {module}"),
                None => format!("netop export --to folded | grep {function}"),
            },
        ),
        (Kind::User, _) => Error::unavailable(
            format!("{said}: this kernel has no uprobes (CONFIG_UPROBE_EVENTS)"),
            "netop doctor",
        ),
    }
}

fn unknown(said: &str, why: &str, all: &[String]) -> Error {
    let functions = PROBES.iter().map(|probe| probe.function());
    let close = nearest(said, functions.chain(all.iter().map(String::as_str)), 3);
    let hint = if close.is_empty() {
        "netop -e netif_receive_skb".to_owned()
    } else {
        format!("netop -e {}", close.join(" or -e "))
    };
    Error::unavailable(why, hint)
}
