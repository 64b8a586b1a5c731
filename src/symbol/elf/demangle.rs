//! Names from strangers' files → one short printable line. Demangling writes into a bounded
//! buffer: a mangled name of a hundred bytes can stand for gigabytes.

use std::fmt::{self, Write};

use cpp_demangle::{BorrowedSymbol, DemangleOptions};

use crate::model::steers;

/// Longest name shown, in characters.
pub const LONGEST: usize = 200;

/// Longer mangled names are shown as they are, cut.
const LONGEST_MANGLED: usize = 4096;

/// Printable and at most [`LONGEST`] characters.
pub fn readable(text: &str) -> String {
    printable(text, LONGEST)
}

/// The same with another limit, in characters.
pub fn printable(text: &str, longest: usize) -> String {
    let mut line = Line {
        text: String::new(),
        room: longest,
    };
    // Full is the only error, and then the line has what fits.
    let _ = line.write_str(text);
    line.text
}

/// The same of a symbol of an ELF file, demangled when it is a Rust or C++ name.
pub fn symbol(raw: &str) -> String {
    if raw.len() <= LONGEST_MANGLED {
        let mut line = Line::default();
        if let Ok(name) = rustc_demangle::try_demangle(raw) {
            // `{:#}` leaves the hash out.
            let _ = write!(line, "{name:#}");
        } else if raw.starts_with("_Z") {
            demangle_cpp(raw, &mut line);
        }
        if !line.text.is_empty() {
            return line.text;
        }
    }
    readable(raw)
}

pub fn symbol_bytes(raw: &[u8]) -> String {
    // Far longer ones are cut anyway.
    let raw = raw.get(..2 * LONGEST_MANGLED).unwrap_or(raw);
    symbol(&String::from_utf8_lossy(raw))
}

/// Of a source file; what is too long loses its beginning.
pub fn path(path: &str) -> String {
    let excess = path.chars().count().saturating_sub(LONGEST);
    let start = path.char_indices().nth(excess).map_or(0, |(at, _)| at);
    readable(&path[start..])
}

fn demangle_cpp(raw: &str, line: &mut Line) {
    let Ok((name, tail)) = BorrowedSymbol::with_tail(raw.as_bytes()) else {
        return;
    };
    let options = DemangleOptions::new().no_params().no_return_type();
    if name.structured_demangle(line, &options).is_err() && line.room > 0 {
        line.text.clear();
        return;
    }
    let _ = line.write_str(&String::from_utf8_lossy(tail));
}

#[derive(Debug)]
struct Line {
    text: String,
    room: usize,
}

impl Default for Line {
    fn default() -> Self {
        Line {
            text: String::new(),
            room: LONGEST,
        }
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            self.room = self.room.checked_sub(1).ok_or(fmt::Error)?;
            self.text.push(if steers(c) { '?' } else { c });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_and_cpp_names_are_demangled_and_c_names_kept() {
        for (raw, shown) in [
            ("main", "main"),
            ("_start", "_start"),
            (
                "_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE",
                "core::fmt::Write::write_fmt",
            ),
            ("_RNvC6_123foo3bar", "123foo::bar"),
            (
                "_ZNSt6vectorIiSaIiEE9push_backERKi",
                "std::vector<int, std::allocator<int> >::push_back",
            ),
            ("_ZN3foo3barEv.isra.0", "foo::bar"),
            ("_ZN3foo3barEv@@V_1", "foo::bar@@V_1"),
            ("_Zzz", "_Zzz"),
        ] {
            assert_eq!(symbol(raw), shown, "{raw}");
        }
    }

    #[test]
    fn control_characters_never_pass() {
        assert_eq!(readable("a\u{1b}[2J\n\u{9b}\u{202e}z"), "a?[2J???z");
    }

    #[test]
    fn names_are_cut_at_the_limit() {
        assert_eq!(symbol(&"a".repeat(100_000)).chars().count(), LONGEST);
        assert_eq!(readable(&"é".repeat(300)).chars().count(), LONGEST);
    }

    #[test]
    fn a_path_that_is_too_long_keeps_its_end() {
        let long = format!("/{}/main.rs", "é".repeat(LONGEST));
        let shown = path(&long);
        assert!(shown.ends_with("é/main.rs") && shown.chars().count() == LONGEST);
        assert_eq!(path("/src/main.rs"), "/src/main.rs");
    }

    /// Each level is a pair of the level before: 2^levels pairs when written out.
    fn doubling(levels: usize) -> String {
        let number = |n: usize| match n {
            0 => String::new(),
            n if n <= 36 => char::from_digit(n as u32 - 1, 36)
                .expect("a digit")
                .to_ascii_uppercase()
                .to_string(),
            n => panic!("{n} levels"),
        };
        let mut pairs = String::new();
        for level in 3..levels + 3 {
            let _ = write!(pairs, "S1_IS{0}_S{0}_E", number(level));
        }
        format!("_Z1fI1a1pIS0_S0_E{pairs}Evv")
    }

    #[test]
    fn a_name_that_doubles_at_every_level_ends_at_the_limit() {
        let small = doubling(10);
        let (name, _) = BorrowedSymbol::with_tail(small.as_bytes()).expect("a valid name");
        let whole = name.demangle().expect("a name");
        assert!(whole.len() > 1 << 10, "{whole}");
        assert_eq!(symbol(&doubling(33)).chars().count(), LONGEST);
    }
}
