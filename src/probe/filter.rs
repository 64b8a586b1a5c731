//! A filter as typed behind a tracepoint (`net:net_dev_queue:len>1000`) → the kernel's own language
//! (Documentation/trace/events.rst, 5): names of an enumerated field become their numbers, `and`,
//! `or` and single `=` are understood. The kernel judges the rest when the event is opened.

use crate::decode::{Field, Format};

/// Fields that every event has (kernel/trace/trace_events_filter.c).
const COMMON: [&str; 6] = ["common_pid", "common_type", "comm", "COMM", "cpu", "CPU"];

const OPERATORS: [&str; 9] = ["==", "!=", "<=", ">=", "<", ">", "~", "&", "="];

/// `Err`: where it went wrong, bytes from the beginning of `typed`, and a sentence.
pub fn filter(typed: &str, format: &Format) -> Result<String, (usize, String)> {
    let mut out = String::new();
    let mut at = 0;
    let mut depth = 0i32;
    loop {
        at += skip(&typed[at..]);
        let rest = &typed[at..];
        if let Some(sign) = ["!(", "(", "!"]
            .into_iter()
            .find(|sign| rest.starts_with(sign))
        {
            depth += i32::from(sign.ends_with('('));
            out.push_str(sign);
            at += sign.len();
            continue;
        }
        at = comparison(typed, at, format, &mut out)?;
        loop {
            at += skip(&typed[at..]);
            if !typed[at..].starts_with(')') {
                break;
            }
            depth -= 1;
            if depth < 0 {
                return Err((at, "this parenthesis was not opened".to_owned()));
            }
            out.push(')');
            at += 1;
        }
        let rest = &typed[at..];
        if rest.is_empty() {
            break;
        }
        let joins = [("&&", "&&"), ("||", "||"), ("and ", "&&"), ("or ", "||")];
        let Some((said, join)) = joins.into_iter().find(|(said, _)| rest.starts_with(said)) else {
            return Err((at, "&& or || is expected here".to_owned()));
        };
        out.extend([" ", join, " "]);
        at += said.len();
    }
    if depth > 0 {
        return Err((typed.len(), "a parenthesis is not closed".to_owned()));
    }
    Ok(out)
}

/// `field operator value`; returns where it ends.
fn comparison(
    typed: &str,
    at: usize,
    format: &Format,
    out: &mut String,
) -> Result<usize, (usize, String)> {
    let name = word(&typed[at..]);
    if name.is_empty() {
        return Err((at, "a field is expected here".to_owned()));
    }
    if format.field(name).is_none() && !COMMON.contains(&name) {
        let all: Vec<&str> = format
            .fields
            .iter()
            .map(|field| field.name.as_str())
            .collect();
        let why = format!("there is no field {name}; there are {}", all.join(", "));
        return Err((at, why));
    }
    let mut next = at + name.len();
    next += skip(&typed[next..]);
    let rest = &typed[next..];
    let Some(operator) = OPERATORS.into_iter().find(|sign| rest.starts_with(sign)) else {
        return Err((
            next,
            "one of == != < <= > >= ~ & is expected here".to_owned(),
        ));
    };
    next += operator.len();
    next += skip(&typed[next..]);
    let value = value(&typed[next..]).ok_or((next, "a value is expected here".to_owned()))?;
    let operator = if operator == "=" { "==" } else { operator };
    let theirs = kernels(name, value, format).map_err(|why| (next, why))?;
    out.extend([name, " ", operator, " ", &theirs]);
    Ok(next + value.len())
}

/// The value as the kernel takes it.
fn kernels(field: &str, value: &str, format: &Format) -> Result<String, String> {
    let bare = value.trim_matches('"');
    let is_number = bare.starts_with(|c: char| c.is_ascii_digit() || c == '-');
    let text = match format.field(field) {
        Some(known) => known.array || known.data_loc,
        None => field.eq_ignore_ascii_case("comm"),
    };
    if text {
        return Ok(format!("\"{bare}\""));
    }
    if is_number {
        let Some(number) = number(bare) else {
            return Err(format!("{bare} is no number that the kernel reads"));
        };
        let holds = |known: &Field| match (known.size, known.signed) {
            (bytes @ 1..8, true) => (-1 << (8 * bytes - 1)..1 << (8 * bytes - 1)).contains(&number),
            (bytes @ 1..8, false) => (0..1 << (8 * bytes)).contains(&number),
            _ => true,
        };
        if format.field(field).is_some_and(|known| !holds(known)) {
            return Err(format!("{field} is never {bare}"));
        }
        return Ok(bare.to_owned());
    }
    let called =
        |(f, _, name): &&(String, u64, String)| f == field && name.eq_ignore_ascii_case(bare);
    let meant = format.symbols.iter().find(called);
    if let Some((_, number, _)) = meant {
        return Ok(number.to_string());
    }
    if format.symbols.iter().any(|(f, ..)| f == field) {
        let like = |name: &&(String, u64, String)| name.0 == field;
        let names: Vec<&str> = format
            .symbols
            .iter()
            .filter(like)
            .map(|(.., name)| name.as_str())
            .collect();
        let near = super::nearest(bare, names.iter().copied(), 3);
        let near = if near.is_empty() {
            names[..names.len().min(3)].to_vec()
        } else {
            near
        };
        return Err(format!(
            "{field} is never {bare}; it may be {}",
            near.join(", ")
        ));
    }
    Err(format!("{field} is a number, {bare} is none"))
}

/// Decimal or `0x…`, of 64 bits.
fn number(text: &str) -> Option<i128> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let number = match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => digits.parse(),
    };
    Some(sign * i128::from(number.ok()?))
}

fn skip(text: &str) -> usize {
    text.len() - text.trim_start().len()
}

fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

/// A quoted text, or what stands up to a space, a parenthesis or the next operator.
fn value(text: &str) -> Option<&str> {
    if let Some(rest) = text.strip_prefix('"') {
        let end = rest.find('"')?;
        return text.get(..end + 2);
    }
    let end = text.find(|c: char| c.is_whitespace() || matches!(c, ')' | '(' | '&' | '|'));
    Some(&text[..end.unwrap_or(text.len())]).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format() -> Format {
        Format::parse(
            "ID: 1\n\tfield:void * skbaddr;\toffset:8;\tsize:8;\tsigned:0;\n\
             \tfield:unsigned int len;\toffset:16;\tsize:4;\tsigned:0;\n\
             \tfield:__data_loc char[] name;\toffset:20;\tsize:4;\tsigned:0;\n\
             \tfield:enum skb_drop_reason reason;\toffset:24;\tsize:4;\tsigned:0;\n\
             print fmt: \"%s\", __print_symbolic(REC->reason, { 3, \"NO_SOCKET\" }, { 6, \"SOCKET_RCVBUFF\" })\n",
        )
        .expect("a format")
    }

    #[test]
    fn what_people_type_becomes_what_the_kernel_takes() {
        for (typed, expected) in [
            ("len>1000", "len > 1000"),
            ("len = 60 and name==lo", "len == 60 && name == \"lo\""),
            ("reason==SOCKET_RCVBUFF", "reason == 6"),
            ("reason==socket_rcvbuff", "reason == 6"),
            (
                "!(reason == NO_SOCKET) || len & 1",
                "!(reason == 3) || len & 1",
            ),
            (
                "name ~ \"va*\" && common_pid != 0",
                "name ~ \"va*\" && common_pid != 0",
            ),
            ("((len>=0x40))", "((len >= 0x40))"),
            ("comm == nginx", "comm == \"nginx\""),
        ] {
            assert_eq!(filter(typed, &format()).as_deref(), Ok(expected), "{typed}");
        }
    }

    #[test]
    fn errors_point_at_the_character() {
        for (typed, at, why) in [
            (
                "lenn>1000",
                0,
                "no field lenn; there are skbaddr, len, name, reason",
            ),
            ("len 1000", 4, "== != "),
            ("len>", 4, "a value"),
            ("len>x", 4, "x is none"),
            ("len>99999999999999999999", 4, "no number"),
            ("len>0x1ffffffff", 4, "never"),
            ("len==-1", 5, "never"),
            ("len>12ab", 4, "no number"),
            ("reason==SOCKET_RCVBUF", 8, "SOCKET_RCVBUFF"),
            ("len>1 len<5", 6, "&& or ||"),
            ("(len>1", 6, "not closed"),
            ("len>1)", 5, "not opened"),
            ("", 0, "a field"),
        ] {
            let (found, said) = filter(typed, &format()).expect_err(typed);
            assert_eq!(found, at, "{typed}: {said}");
            assert!(said.contains(why), "{typed}: {said}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_understood_or_refused_inside_it(typed in "\\PC{0,60}") {
            if let Err((at, _)) = filter(&typed, &format()) {
                proptest::prop_assert!(at <= typed.len());
            }
        }
    }
}
