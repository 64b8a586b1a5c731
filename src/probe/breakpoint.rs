//! What was typed of a breakpoint: `uprobe:FILE:FUNCTION`, `kprobe:FUNCTION` and their returns,
//! with `+OFFSET`; in a file an address (`0x…`) serves too. Where that is, others find out.

/// As typed; [`typed`] makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typed<'a> {
    pub kind: Kind,
    pub returns: bool,
    /// A path, or a name as the loader or a process has it; of a kernel probe its module.
    pub file: Option<&'a str>,
    pub spot: Spot<'a>,
    /// Beyond the function's beginning, bytes.
    pub offset: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    User,
    Kernel,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spot<'a> {
    Function(&'a str),
    /// As the file's own headers number its memory.
    Address(u64),
}

/// `None`: it is no breakpoint. `Err`: a sentence about what is missing.
pub fn typed(said: &str) -> Option<Result<Typed<'_>, String>> {
    let (group, rest) = said.split_once(':')?;
    let (kind, returns) = match group {
        "uprobe" => (Kind::User, false),
        "uretprobe" => (Kind::User, true),
        "kprobe" => (Kind::Kernel, false),
        "kretprobe" => (Kind::Kernel, true),
        _ => return None,
    };
    Some(parse(kind, returns, rest).map_err(|why| format!("{said}: {why}")))
}

fn parse(kind: Kind, returns: bool, rest: &str) -> Result<Typed<'_>, String> {
    // A path may hold colons, a function does not; but C++ names do, in pairs.
    let (file, spot) = match split(rest) {
        Some((file, spot)) => (Some(file), spot),
        None => (None, rest),
    };
    if kind == Kind::User && file.is_none() {
        return Err("name the file too, as in uprobe:libssl.so.3:SSL_write".to_owned());
    }
    let (name, offset) = match spot.rsplit_once('+') {
        // `operator+`, `operator+=`, `operator++` of C++.
        Some((name, _)) if name.trim_end_matches('+').ends_with("operator") => (spot, 0),
        Some((name, offset)) => (name, number(offset).ok_or("+OFFSET is a number of bytes")?),
        None => (spot, 0),
    };
    if name.is_empty() {
        return Err("a function is missing".to_owned());
    }
    if file.is_some() && split(spot).is_some() {
        return Err("a breakpoint has no fields that a filter could ask for".to_owned());
    }
    let spot = match number(name).filter(|_| name.starts_with(|c: char| c.is_ascii_digit())) {
        Some(_) if kind == Kind::Kernel => {
            return Err("name the function: kernel addresses change at each boot".to_owned());
        }
        Some(address) => Spot::Address(address),
        None => Spot::Function(name),
    };
    if returns && offset != 0 {
        return Err("a return belongs to a whole function, not to an offset in it".to_owned());
    }
    Ok(Typed {
        kind,
        returns,
        file,
        spot,
        offset,
    })
}

/// Events as they were typed between commas, of which those inside a C++ or Rust name belong to it
/// (`uprobe:FILE:many<int, long>`).
pub fn rejoined(words: &[String]) -> Vec<String> {
    let mut events: Vec<String> = Vec::new();
    let mut open = false;
    for word in words {
        match events.last_mut().filter(|_| open) {
            Some(event) => {
                event.push(',');
                event.push_str(word);
            }
            None => events.push(word.clone()),
        }
        open = events.last().is_some_and(|event| is_open(event));
    }
    events
}

/// A bracket of its name waits for its other half.
fn is_open(event: &str) -> bool {
    if !event.starts_with("uprobe:") && !event.starts_with("uretprobe:") {
        return false;
    }
    let mut name = event.replace("->", "");
    for operator in ["()", "<<", "<=", "<", ">>", ">=", ">"] {
        name = name.replace(&format!("operator{operator}"), "operator");
    }
    let count = |brackets: [char; 2]| name.matches(brackets).count();
    count(['<', '(']) > count(['>', ')'])
}

/// At the first single colon.
fn split(rest: &str) -> Option<(&str, &str)> {
    let bytes = rest.as_bytes();
    let single = |at: &usize| {
        bytes[*at] == b':'
            && bytes.get(at + 1) != Some(&b':')
            && (*at == 0 || bytes[at - 1] != b':')
    };
    let at = (0..bytes.len()).find(single)?;
    Some((&rest[..at], &rest[at + 1..])).filter(|(file, _)| !file.is_empty())
}

fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user<'a>(file: &'a str, spot: Spot<'a>, offset: u64) -> Typed<'a> {
        Typed {
            kind: Kind::User,
            returns: false,
            file: Some(file),
            spot,
            offset,
        }
    }

    #[test]
    fn files_functions_offsets_and_addresses_are_told_apart() {
        for (said, expected) in [
            (
                "uprobe:/lib/libssl.so.3:SSL_write",
                user("/lib/libssl.so.3", Spot::Function("SSL_write"), 0),
            ),
            (
                "uprobe:libc.so.6:getaddrinfo+0x1f",
                user("libc.so.6", Spot::Function("getaddrinfo"), 0x1f),
            ),
            (
                "uprobe:nginx:0x4f20",
                user("nginx", Spot::Address(0x4f20), 0),
            ),
            (
                "uprobe:grpc:Slice::operator+=",
                user("grpc", Spot::Function("Slice::operator+="), 0),
            ),
            (
                "uprobe:grpc:grpc::Channel::send",
                user("grpc", Spot::Function("grpc::Channel::send"), 0),
            ),
        ] {
            assert_eq!(typed(said), Some(Ok(expected)), "{said}");
        }
        let module = typed("kretprobe:mlx5_core:mlx5e_napi_poll");
        let module = module.expect("a probe").expect("parses");
        assert_eq!((module.kind, module.returns), (Kind::Kernel, true));
        assert_eq!(module.file, Some("mlx5_core"));
    }

    #[test]
    fn commas_inside_a_name_do_not_end_the_event() {
        for (said, expected) in [
            ("kfree_skb,uprobe:a:f<int, long>,napi_poll", 3),
            ("uprobe:a:<B as C<D, E>>::next,uprobe:a:g", 2),
            ("uprobe:a:operator<,uprobe:a:operator(),uprobe:a:x->y", 3),
            ("net:net_dev_queue:len<10,kfree_skb", 2),
            ("uprobe:a:never<closed,kfree_skb", 1),
        ] {
            let words: Vec<String> = said.split(',').map(str::to_owned).collect();
            let events = rejoined(&words);
            assert_eq!(events.len(), expected, "{events:?}");
            assert_eq!(events.join(","), said);
        }
    }

    #[test]
    fn what_is_missing_is_said_and_tracepoints_are_not_ours() {
        assert_eq!(typed("net:net_dev_queue"), None);
        assert_eq!(typed("net_dev_queue"), None);
        for (said, why) in [
            ("uprobe:SSL_write", "name the file"),
            ("uprobe:libssl.so.3:", "a function is missing"),
            ("uprobe:x:f+many", "number of bytes"),
            ("uprobe:libssl.so.3:SSL_write:num>1", "no fields"),
            ("kprobe:0xffffffff81000000", "name the function"),
            ("uretprobe:x:f+4", "whole function"),
        ] {
            let answer = typed(said).expect("a probe").expect_err(said);
            assert!(answer.contains(why), "{answer}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in "\\PC{0,40}") {
            let _either = typed(&format!("uprobe:{text}"));
            let _either = typed(&format!("kprobe:{text}"));
        }
    }
}
