//! `netop list`: what can be observed here, by the names that `-e` takes: functions with what else
//! they are called, tracepoints (one alone with its fields), functions of a program or library.

use std::fmt::Write as _;
use std::io::{self, Write};

use regex::Regex;

use super::observable::{observables, type_of};
use super::printed;
use crate::decode::{EventSpec, Format};
use crate::error::{Error, shell_word};
use crate::export::clean;
use crate::model::Observable;
use crate::probe::{Kind, PROBES, Spot, also_called, typed};
use crate::sys::Tracefs;

/// Names of an enumerated field that are shown of a single tracepoint.
const NAMES_SHOWN: usize = 200;

/// Prints what matches; `Err` (exit code 1): nothing does.
pub fn run(pattern: Option<&str>, pids: &[u32]) -> Result<(), Error> {
    let pattern_of_kernel = pattern.and_then(|said| {
        let rest = said
            .strip_prefix("kprobe:")
            .or(said.strip_prefix("kretprobe:"));
        rest.map(|rest| rest.trim_matches(['*', ':']))
    });
    if let Some(function) = pattern_of_kernel {
        return Err(Error::nothing(
            "the kernel's functions are in /proc/kallsyms; netop doctor says whether this kernel has kprobes",
            format!("grep -i '{function}' /proc/kallsyms"),
        ));
    }
    let page = match pattern {
        Some(said) if said.starts_with("uprobe:") || said.starts_with("uretprobe:") => {
            of_file(said, pids)?
        }
        _ => of_kernel(pattern.unwrap_or_default())?,
    };
    if page.is_empty() {
        let said = pattern.unwrap_or_default();
        let hint = match said.split_once(':') {
            // Of a library, whose file must be said.
            None => format!("netop list 'uprobe:FILE:{said}', or netop list | less"),
            Some(_) => "netop list | less".to_owned(),
        };
        return Err(Error::nothing(
            format!("nothing here is called {said}"),
            hint,
        ));
    }
    printed(io::stdout().write_all(page.as_bytes()))
}

fn of_kernel(pattern: &str) -> Result<String, Error> {
    let wanted = matcher(pattern)?;
    let mut page = String::new();
    for probe in PROBES {
        let also = also_called(probe.function());
        let events: Vec<String> = probe.events().iter().map(EventSpec::full_name).collect();
        let names = also.iter().copied().chain([probe.function()]);
        if names
            .chain(events.iter().map(String::as_str))
            .any(|n| wanted.is_match(n))
        {
            let _infallible =
                writeln!(page, "{:<32} function    {}", probe.function(), probe.doc());
            for name in also {
                let _infallible = writeln!(page, "{name:<32} the same    {}", probe.function());
            }
        }
    }
    let tracefs = match Tracefs::find_or_mount() {
        Ok(tracefs) => tracefs,
        // The functions are known without; what is missing is said with the way to it.
        Err(_) if !page.is_empty() => return Ok(page),
        Err(why) => return Err(Error::unavailable(why, "sudo netop list")),
    };
    let all = tracefs.all();
    let matching: Vec<&String> = all.iter().filter(|name| wanted.is_match(name)).collect();
    if let [only] = matching[..]
        && let Some((group, name)) = only.split_once(':')
        && let Ok(text) = tracefs.format(group, name)
        && let Ok(format) = Format::parse(&text)
    {
        page.push_str(&fields(only, &format));
        return Ok(page);
    }
    for name in matching {
        let _infallible = writeln!(page, "{name:<32} tracepoint");
    }
    Ok(page)
}

/// One tracepoint with what a filter may ask of it.
fn fields(name: &str, format: &Format) -> String {
    let mut page = String::new();
    let _infallible = writeln!(page, "{name:<32} tracepoint");
    for field in &format.fields {
        let kind = type_of(field);
        let _infallible = writeln!(page, "  {:<30} {kind}", field.name);
        let names = format.symbols.iter().filter(|(of, ..)| *of == field.name);
        for (_, value, name) in names.take(NAMES_SHOWN) {
            let _infallible = writeln!(page, "    {:<28} {value}", clean(name));
        }
    }
    if let Some(field) = format.fields.iter().rfind(|f| !f.array && !f.data_loc) {
        let value = format.symbols.iter().find(|(of, ..)| *of == field.name);
        let value = value.map_or("1", |(.., name)| name.as_str());
        let _infallible = writeln!(page, "  as in: netop -e '{name}:{}=={value}'", field.name);
    }
    page
}

/// Functions of a program or library.
fn of_file(said: &str, pids: &[u32]) -> Result<String, Error> {
    // `uprobe:FILE:` lists them all.
    let whole = said.trim_end_matches(':');
    let whole = match whole.matches(':').count() {
        1 => format!("{whole}:*"),
        _ => whole.to_owned(),
    };
    let parsed = typed(&whole).and_then(Result::ok);
    let Some((Kind::User, Some(file), Spot::Function(pattern))) =
        parsed.map(|typed| (typed.kind, typed.file, typed.spot))
    else {
        return Err(Error::usage(
            format!("{said}: a file and a pattern are expected"),
            "netop list 'uprobe:libc.so.6:get*'",
        ));
    };
    let group = if whole.starts_with("uprobe:") {
        "uprobe"
    } else {
        "uretprobe"
    };
    let place = format!("{group}:{file}:");
    let names = observables(&place, pids)?;
    if names.is_empty() {
        return Err(Error::nothing(
            format!("{file} names no function (it is stripped); an address serves, too"),
            format!("objdump -d {file} | less", file = shell_word(file)),
        ));
    }
    let wanted = matcher(pattern)?;
    let function = |one: &&Observable| {
        let name = one.name.strip_prefix(&place);
        name.is_some_and(|name| wanted.is_match(name)) || wanted.is_match(&one.about)
    };
    let matching = names.iter().filter(function);
    Ok(matching.fold(String::new(), |mut page, one| {
        let line = format!("{}  {}", one.name, one.about);
        let _infallible = writeln!(page, "{}", clean(line.trim_end()));
        page
    }))
}

/// With `*` and `?` the whole name, else any part of it.
fn matcher(pattern: &str) -> Result<Regex, Error> {
    let escaped = regex::escape(pattern);
    let text = if pattern.contains(['*', '?']) {
        format!("^{}$", escaped.replace(r"\*", ".*").replace(r"\?", "."))
    } else {
        escaped
    };
    Regex::new(&text).map_err(|error| Error::usage(error.to_string(), "netop list 'net:*'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_part_or_with_stars_the_whole() {
        let is = |pattern: &str, name: &str| matcher(pattern).expect("a pattern").is_match(name);
        assert!(is("queue", "net:net_dev_queue") && is("", "anything"));
        assert!(is("net:*", "net:netif_rx") && !is("net:*", "xnet:netif_rx"));
        assert!(is("tcp_?robe", "tcp_probe") && !is("SSL.write", "SSL_write"));
    }

    #[test]
    fn functions_are_found_by_every_name_they_have() {
        let page = of_kernel("__dev_queue_xmit").expect("a page");
        assert!(page.starts_with("dev_queue_xmit "), "{page}");
        assert!(page.contains("__dev_queue_xmit                 the same    dev_queue_xmit"));
    }

    #[test]
    fn functions_of_a_library_are_listed_as_they_are_typed() {
        let page = of_file("uprobe:libc.so.6:getpi*", &[]).expect("libc");
        assert!(
            page.lines().any(|line| line == "uprobe:libc.so.6:getpid"),
            "{page}"
        );
        assert!(
            of_file("uprobe:libc.so.6", &[])
                .expect("all")
                .lines()
                .count()
                > 1000
        );
    }
}
