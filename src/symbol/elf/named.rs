//! A function's name as it is typed → the one function of an ELF file that it means; and the names
//! that mean one.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{Read, Seek};

use object::elf::STT_GNU_IFUNC;
use object::read::elf::{ElfFile, FileHeader};
use object::{File, Object, ObjectSymbol, SymbolFlags, SymbolKind};

use super::Parsed;
use super::demangle;
use super::sections::Pieces;

/// Functions of one name that are told apart in a message.
const CHOICES: usize = 8;

/// Functions of a file that a pattern may list.
const LISTED: usize = 100_000;

/// A function that a file defines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Function<'d> {
    /// As the file has it, without the version that some tables append.
    pub name: &'d str,
    /// As the file's headers number its memory.
    pub begin: u64,
    /// Bytes; 0: not known.
    pub size: u64,
    /// What stands there picks the function for this processor, once (STT_GNU_IFUNC).
    pub picks: bool,
}

/// Why a name means no function.
#[derive(Debug, PartialEq, Eq)]
pub enum Unclear {
    Missing,
    /// Several are called so: as what each can be typed instead.
    Several(Vec<String>),
    /// What is called runs once, whatever is called through it.
    Picks,
}

/// By its name in the file; else by its demangled one.
pub fn find<'d, R: Read + Seek>(
    file: &Parsed<'d, R>,
    function: &str,
) -> Result<Function<'d>, Unclear> {
    let exact = of_one_place(functions(file).filter(|f| f.name == function));
    if let [one] = exact[..] {
        return if one.picks {
            Err(Unclear::Picks)
        } else {
            Ok(one)
        };
    }
    if !exact.is_empty() {
        let spots = exact.iter().map(|f| format!("{:#x}", f.begin));
        return Err(Unclear::Several(spots.collect()));
    }
    let demangled = functions(file).filter(|f| demangle::symbol(f.name) == function);
    match of_one_place(demangled)[..] {
        [] => Err(Unclear::Missing),
        [one] => Ok(one),
        ref all => Err(Unclear::Several(
            all.iter().map(|f| f.name.to_owned()).collect(),
        )),
    }
}

/// One for each address, of those that are not for old programs only.
fn of_one_place<'d>(functions: impl Iterator<Item = Function<'d>>) -> Vec<Function<'d>> {
    let mut places = HashSet::new();
    let apart = functions.filter(|f| places.insert(f.begin));
    apart.take(CHOICES).collect()
}

/// What can be typed → what it is called where that is something else: demangled names, mangled ones
/// where functions share a demangled one.
pub fn names<R: Read + Seek>(file: &Parsed<'_, R>) -> BTreeMap<String, Option<String>> {
    let mut by_name: HashMap<String, Vec<Function<'_>>> = HashMap::new();
    for function in functions(file).filter(|f| !f.picks).take(LISTED) {
        let shared = by_name.entry(demangle::symbol(function.name)).or_default();
        if shared.iter().all(|other| other.begin != function.begin) {
            shared.push(function);
        }
    }
    let mut typed = BTreeMap::new();
    for (name, shared) in by_name {
        match &shared[..] {
            [_] => {
                typed.insert(name, None);
            }
            all => {
                for function in all {
                    let said = Some(name.clone()).filter(|name| name != function.name);
                    typed.insert(function.name.to_owned(), said);
                }
            }
        }
    }
    typed
}

pub fn functions<'a, 'd, R: Read + Seek>(
    file: &'a Parsed<'d, R>,
) -> impl Iterator<Item = Function<'d>> + use<'a, 'd, R> {
    let old = old_versions(file);
    let current =
        move |symbol: &object::Symbol<'_, '_, &Pieces<R>>| !old.contains(&symbol.index().0);
    let symbols = file.symbols().chain(file.dynamic_symbols().filter(current));
    symbols
        .filter(|symbol| symbol.kind() == SymbolKind::Text)
        .filter_map(|symbol| {
            let name = symbol.name().ok()?;
            // `name@VERSION` is for old programs, `name@@VERSION` for all others.
            let (name, version) = name.split_once('@').unwrap_or((name, "@"));
            let picks = match symbol.flags() {
                SymbolFlags::Elf { st_info, .. } => st_info.st_type() == STT_GNU_IFUNC,
                _ => false,
            };
            let here = symbol.is_definition() || picks && !symbol.is_undefined();
            let function = Function {
                name,
                begin: symbol.address(),
                size: symbol.size(),
                picks,
            };
            (here && version.starts_with('@')).then_some(function)
        })
        .filter(|f| !f.name.is_empty() && f.begin.checked_add(f.size).is_some())
}

/// Dynamic symbols that programs are no longer linked with (`regexec` of glibc 2.2.5).
fn old_versions<R: Read + Seek>(file: &Parsed<'_, R>) -> HashSet<usize> {
    match file {
        File::Elf32(elf) => hidden(elf),
        File::Elf64(elf) => hidden(elf),
        _ => None,
    }
    .unwrap_or_default()
}

fn hidden<'d, H: FileHeader, R: Read + Seek>(
    elf: &ElfFile<'d, H, &'d Pieces<R>>,
) -> Option<HashSet<usize>> {
    let endian = elf.endian();
    // Whose versions they are is of no interest, and long to find in a damaged file.
    let (versions, _) = elf
        .elf_section_table()
        .gnu_versym(endian, elf.data())
        .ok()??;
    let numbered = versions.iter().enumerate();
    let old = numbered.filter(|(_, version)| version.0.get(endian).is_hidden());
    Some(old.map(|(index, _)| index).collect())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::symbol::elf;

    /// C, whose functions are called as C++ compilers call theirs.
    const LIBRARY: &str = "
int _ZN4Chan4sendEii(int a) { return a + 1; }
int _ZN4Chan4sendEl(int a) { return a + 2; }
int _ZN4Chan5closeEv(int a) { return a + 3; }
int alone(int a) { return a + 4; }
static int (*pick(void))(int) { return alone; }
int picked(int) __attribute__((ifunc(\"pick\")));
int old_one(int a) { return a + 5; }
int new_one(int a) { return a + 6; }
__asm__(\".symver old_one,both@V1\");
__asm__(\".symver new_one,both@@V2\");
";

    fn library() -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().expect("a directory");
        let [source, map, library] = ["l.c", "l.map", "l.so"].map(|name| dir.path().join(name));
        std::fs::write(&source, LIBRARY).expect("written");
        std::fs::write(&map, "V1 { global: *; };\nV2 { both; } V1;\n").expect("written");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .args([&library, &source])
            .arg(format!("-Wl,--version-script={}", map.display()))
            .output()
            .expect("a C compiler");
        let why = String::from_utf8_lossy(&built.stderr);
        assert!(built.status.success(), "{why}");
        (dir, library)
    }

    #[test]
    fn a_name_means_one_function_or_it_is_said_which_it_may_mean() {
        let (_kept, library) = library();
        let pieces = Pieces::new(std::fs::File::open(library).expect("there"));
        let parsed = elf::parse(&pieces).expect("ELF");
        assert!(find(&parsed, "Chan::close").is_ok());
        assert!(find(&parsed, "alone").is_ok());
        assert_eq!(find(&parsed, "nobody"), Err(Unclear::Missing));
        assert_eq!(find(&parsed, "picked"), Err(Unclear::Picks));
        let Err(Unclear::Several(mut several)) = find(&parsed, "Chan::send") else {
            panic!("two are called so");
        };
        several.sort();
        assert_eq!(several, ["_ZN4Chan4sendEii", "_ZN4Chan4sendEl"]);
        for name in &several {
            assert!(find(&parsed, name).is_ok(), "{name}");
        }
        let names = names(&parsed);
        assert_eq!(names.get("Chan::close"), Some(&None));
        assert_eq!(names.get("Chan::send"), None, "nobody can type that");
        let send = Some("Chan::send".to_owned());
        assert_eq!(names.get("_ZN4Chan4sendEl"), Some(&send));
    }

    #[test]
    fn of_two_versions_the_one_is_meant_that_programs_are_linked_with() {
        let (_kept, library) = library();
        let pieces = Pieces::new(std::fs::File::open(library).expect("there"));
        let parsed = elf::parse(&pieces).expect("ELF");
        let [both, new] = ["both", "new_one"].map(|name| find(&parsed, name).expect(name).begin);
        assert_eq!(both, new);
    }
}
