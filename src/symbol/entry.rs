//! A function of an ELF file → where its first instruction lies in the file: what a uprobe wants.

use std::fs::File;
use std::path::Path;

use object::{Object, ObjectSegment, ObjectSymbol, SymbolKind};

use super::debug_file::Whereabouts;
use super::elf::{self, Parsed};
use super::pieces::Pieces;
use super::readable;

/// Names offered when there is none like the one that was typed.
const OFFERED: usize = 2000;

/// Functions of a file that a pattern may list.
const LISTED: usize = 100_000;

/// `Err`: a sentence. The second value: functions of the file, among which the right one may be.
pub type Missing = (String, Vec<String>);

/// Offset in the file of `function` + `offset`.
pub fn of_function(path: &Path, function: &str, offset: u64) -> Result<u64, Missing> {
    let refused = |why: String| (why, Vec::new());
    let file = File::open(path).map_err(|e| refused(format!("{}: {e}", path.display())))?;
    let pieces = Pieces::new(file);
    let parsed = elf::parse(&pieces)
        .ok_or_else(|| refused(format!("{} is no program or library", path.display())))?;
    let mut address = address(&parsed, function);
    if address.is_none() {
        // A stripped program's own functions are named in its debug file only.
        let build_id = |file: File| {
            let pieces = Pieces::new(file);
            elf::marks(&elf::parse(&pieces)?).build_id
        };
        let places = Whereabouts::of(
            Path::new("/proc"),
            std::process::id(),
            &path.to_string_lossy(),
        );
        if let Some(debug) = places.find(&elf::marks(&parsed), build_id)
            && let Ok(file) = File::open(debug.path())
        {
            let pieces = Pieces::new(file);
            address = elf::parse(&pieces).and_then(|parsed| self::address(&parsed, function));
        }
    }
    let Some(address) = address else {
        let why = format!("{} has no function {function}", path.display());
        let names = functions(&parsed).map(|(name, _)| readable::symbol(name));
        return Err((why, names.take(OFFERED).collect()));
    };
    in_file(&parsed, address.saturating_add(offset)).ok_or_else(|| {
        refused(format!(
            "{function}+{offset:#x} is no code of {}",
            path.display()
        ))
    })
}

/// Offset in the file of an address as the file's own headers number its memory.
pub fn of_address(path: &Path, address: u64) -> Result<u64, String> {
    let file = File::open(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let pieces = Pieces::new(file);
    let parsed = elf::parse(&pieces);
    let found = parsed.and_then(|parsed| in_file(&parsed, address));
    found.ok_or_else(|| format!("{address:#x} is no code of {}", path.display()))
}

/// Names of the functions that a file defines, demangled, sorted.
pub fn names(path: &Path) -> Result<Vec<String>, String> {
    let file = File::open(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let pieces = Pieces::new(file);
    let parsed = elf::parse(&pieces)
        .ok_or_else(|| format!("{} is no program or library", path.display()))?;
    let mut names: Vec<String> = functions(&parsed)
        .map(|(name, _)| readable::symbol(name))
        .take(LISTED)
        .collect();
    names.sort();
    names.dedup();
    Ok(names)
}

fn functions<'a, 'd, R: std::io::Read + std::io::Seek>(
    file: &'a Parsed<'d, R>,
) -> impl Iterator<Item = (&'d str, u64)> + use<'a, 'd, R> {
    let symbols = file.symbols().chain(file.dynamic_symbols());
    symbols
        .filter(|symbol| symbol.is_definition() && symbol.kind() == SymbolKind::Text)
        .filter_map(|symbol| Some((symbol.name().ok()?, symbol.address())))
        .filter(|(name, _)| !name.is_empty())
}

/// By its name in the file, without the version that some tables append; else by its demangled one.
fn address<R: std::io::Read + std::io::Seek>(file: &Parsed<'_, R>, function: &str) -> Option<u64> {
    let plain = |name: &str| name.split('@').next() == Some(function);
    let exact = functions(file).find(|(name, _)| plain(name));
    let demangled = || functions(file).find(|(name, _)| readable::symbol(name) == function);
    exact.or_else(demangled).map(|(_, address)| address)
}

fn in_file<R: std::io::Read + std::io::Seek>(file: &Parsed<'_, R>, address: u64) -> Option<u64> {
    let around = file.segments().find(|segment| {
        let end = segment.address().checked_add(segment.file_range().1);
        (segment.address()..end.unwrap_or(0)).contains(&address)
    })?;
    around
        .file_range()
        .0
        .checked_add(address - around.address())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn libc() -> std::path::PathBuf {
        super::super::library::find(Path::new("/"), "libc.so.6", &[]).expect("libc")
    }

    #[test]
    fn a_function_of_libc_lies_where_this_process_has_it() {
        let offset = of_function(&libc(), "getpid", 0).expect("an offset");
        let address = libc::getpid as *const () as usize as u64;
        let maps = std::fs::read_to_string("/proc/self/maps").expect("maps");
        let maps = super::super::maps::parse(&maps);
        let around = maps.iter().find(|m| (m.start..m.end).contains(&address));
        let around = around.expect("mapped");
        assert_eq!(offset, address - around.start + around.offset);
        assert_eq!(of_function(&libc(), "getpid", 4), Ok(offset + 4));
    }

    #[test]
    fn a_missing_function_comes_with_those_there_are() {
        let (why, names) = of_function(&libc(), "getpidd", 0).expect_err("no such function");
        assert!(why.ends_with("has no function getpidd"), "{why}");
        assert!(names.iter().any(|name| name == "getpid"));
    }

    #[test]
    fn data_is_no_code_and_a_text_file_no_program() {
        assert!(of_address(&libc(), u64::MAX - 3).is_err());
        let (why, _) = of_function(Path::new("/etc/passwd"), "x", 0).expect_err("no ELF");
        assert!(why.contains("no program or library"), "{why}");
        assert!(names(&libc()).expect("names").len() > 1000);
    }
}

#[cfg(test)]
#[path = "entry_damaged_tests.rs"]
mod damaged_tests;
