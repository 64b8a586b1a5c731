//! What can be observed here, as data: functions with what else they are called, tracepoints and
//! their fields, functions of a program or library. `netop list` prints it, the prompt of probes
//! searches it.

use std::path::Path;

use crate::decode::{Field, Format};
use crate::error::Error;
use crate::model::{Observable, ObservableKind};
use crate::probe::{Kind, PROBES, Spot, also_called, typed};
use crate::symbol::{find_library, functions_of};
use crate::sys::{Raised, Tracefs};

/// What begins with `place`: nothing (functions and tracepoints), `uprobe:FILE:`, or
/// `group:name:`, whose fields are meant.
pub fn observables(place: &str, pids: &[u32]) -> Result<Vec<Observable>, Error> {
    if place.starts_with("uprobe:") || place.starts_with("uretprobe:") {
        return symbols(place, pids);
    }
    if let Some((group, name)) = place.trim_end_matches(':').split_once(':') {
        return fields(group, name);
    }
    let mut all = functions();
    // The functions are known without tracefs.
    all.extend(tracepoints().unwrap_or_default());
    Ok(all)
}

pub fn functions() -> Vec<Observable> {
    let rows = PROBES.iter().flat_map(|probe| {
        let also = also_called(probe.function()).into_iter().map(|name| {
            let kind = ObservableKind::Same;
            new(name, kind, probe.function())
        });
        let kind = ObservableKind::Function;
        std::iter::once(new(probe.function(), kind, probe.doc())).chain(also)
    });
    rows.collect()
}

fn tracepoints() -> Result<Vec<Observable>, String> {
    let all = Tracefs::find_or_mount()?.all();
    let named = all.iter();
    Ok(named
        .map(|name| new(name, ObservableKind::Tracepoint, ""))
        .collect())
}

fn fields(group: &str, name: &str) -> Result<Vec<Observable>, Error> {
    let text = Tracefs::find_or_mount().and_then(|tracefs| tracefs.format(group, name));
    let format = text.and_then(|text| Format::parse(&text));
    let format = format.map_err(|why| Error::unavailable(why, "netop list"))?;
    let fields = format.fields.iter().map(|field| {
        let name = format!("{group}:{name}:{}", field.name);
        new(&name, ObservableKind::Field, &type_of(field))
    });
    Ok(fields.collect())
}

/// `u32`, `s64`, `text`.
pub fn type_of(field: &Field) -> String {
    if field.array || field.data_loc {
        return "text".to_owned();
    }
    let sign = if field.signed { "s" } else { "u" };
    format!("{sign}{}", 8 * field.size)
}

fn symbols(place: &str, pids: &[u32]) -> Result<Vec<Observable>, Error> {
    let whole = format!("{place}*");
    let parsed = typed(&whole).and_then(Result::ok);
    let Some((Kind::User, Some(file), Spot::Function(_))) =
        parsed.map(|typed| (typed.kind, typed.file, typed.spot))
    else {
        return Err(Error::usage(
            format!("{place}: a file is expected"),
            "netop list 'uprobe:libc.so.6:get*'",
        ));
    };
    // A file seen through a process keeps its own protection.
    let _processes = Raised::processes();
    let path = find_library(Path::new("/"), file, pids)
        .map_err(|why| Error::unavailable(why, "netop list uprobe:libc.so.6:"))?;
    let names = functions_of(&path).map_err(|why| Error::unavailable(why, "netop list"))?;
    let symbols = names
        .iter()
        .map(|(name, called)| {
            (
                format!("{place}{name}"),
                called.as_deref().unwrap_or_default(),
            )
        })
        .map(|(name, called)| new(&name, ObservableKind::Symbol, called));
    Ok(symbols.collect())
}

fn new(name: &str, kind: ObservableKind, about: &str) -> Observable {
    Observable {
        name: name.to_owned(),
        kind,
        about: about.to_owned(),
    }
}
