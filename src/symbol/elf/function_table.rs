//! The functions of an ELF file's symbol tables (.symtab, .dynsym), by address. Their names stay
//! in the file until one is asked for.

use std::borrow::Cow;
use std::io::{Read, Seek};

use object::Endianness;
use object::elf::{STB_GLOBAL, STB_WEAK, STT_FUNC, STT_GNU_IFUNC, STT_NOTYPE};
use object::read::elf::{ElfFile, FileHeader, SectionHeader, Sym, SymbolTable};

use super::section::{ReadAt, Section};
use super::sections::Pieces;

/// How many symbols before an address may lie inside the function around it (labels written in
/// assembly).
const MOST_LABELS: usize = 8;

/// Names that one address has; what there are more is not looked at.
const MOST_NAMES: usize = 64;

/// Symbols kept, 24 bytes each.
const MOST_FUNCTIONS: usize = 1 << 20;

/// Of a name that is longer the rest is not read.
const LONGEST_NAME: usize = 8192;

/// Ascending by address.
#[derive(Debug, Default)]
pub struct FunctionTable<'d> {
    functions: Vec<Function>,
    /// Tables of names.
    strings: Vec<Section<'d>>,
}

#[derive(Debug, Clone, Copy)]
struct Function {
    start: u64,
    /// 0: unknown, up to the next one.
    size: u32,
    /// In the table of names.
    name: u32,
    strings: u8,
    /// Lower is shown; of the same rank the name with fewer underscores before it.
    rank: u8,
}

impl<'d> FunctionTable<'d> {
    /// Adds both tables of a file; to be followed by [`FunctionTable::sort`]. `names`: what the
    /// names are read from later.
    pub fn add<'t, E, R>(&mut self, file: &ElfFile<'t, E, &'t Pieces<R>>, names: &'d dyn ReadAt)
    where
        E: FileHeader<Endian = Endianness>,
        R: Read + Seek,
    {
        for table in [file.elf_symbol_table(), file.elf_dynamic_symbol_table()] {
            self.add_table(file, table, names);
        }
    }

    fn add_table<'t, E, R>(
        &mut self,
        file: &ElfFile<'t, E, &'t Pieces<R>>,
        table: &SymbolTable<'t, E, &'t Pieces<R>>,
        names: &'d dyn ReadAt,
    ) where
        E: FileHeader<Endian = Endianness>,
        R: Read + Seek,
    {
        let endian = file.endian();
        let strings = (file
            .elf_section_table()
            .section(table.string_section())
            .ok())
        .and_then(|section| section.file_range(endian))
        .and_then(|(at, len)| Section::paged(names, at..at.checked_add(len)?));
        let Some(strings) = strings else {
            return;
        };
        let place = self.strings.len() as u8;
        self.strings.push(strings);
        for symbol in table.symbols() {
            let known = symbol.st_type() != STT_NOTYPE;
            if (known && ![STT_FUNC, STT_GNU_IFUNC].contains(&symbol.st_type()))
                || symbol.is_undefined(endian)
                || symbol.is_absolute(endian)
            {
                continue;
            }
            if self.functions.len() >= MOST_FUNCTIONS {
                return;
            }
            let binding = match symbol.st_bind() {
                STB_GLOBAL => 0,
                STB_WEAK => 1,
                _ => 2,
            };
            let size: u64 = symbol.st_size(endian).into();
            self.functions.push(Function {
                start: symbol.st_value(endian).into(),
                size: u32::try_from(size).unwrap_or(u32::MAX),
                name: symbol.st_name(endian),
                strings: place,
                rank: u8::from(!known) * 100 + binding * 10,
            });
        }
    }

    pub fn sort(&mut self) {
        // In place: a stable sort needs the table's room once more.
        self.functions
            .sort_unstable_by_key(|f| (f.start, f.rank, f.strings, f.name));
        self.functions.shrink_to_fit();
    }

    /// As the file has it: mangled, of any length.
    pub fn name(&self, address: u64) -> Option<Cow<'_, [u8]>> {
        let after = self
            .functions
            .partition_point(|function| function.start <= address);
        let mut groups = self.functions[..after]
            .chunk_by(|a, b| a.start == b.start)
            .rev()
            .filter_map(|same| self.best(same));
        let last = groups.next()?;
        let holds = |function: Function| address - function.start < function.size.into();
        if holds(last.0) {
            return Some(last.1);
        }
        let around = groups.take(MOST_LABELS - 1).find(|found| holds(found.0));
        let found = around.or_else(|| (last.0.size == 0).then_some(last));
        found.map(|(_, name)| name)
    }

    /// Which of the symbols at one address is shown.
    fn best(&self, same: &[Function]) -> Option<(Function, Cow<'_, [u8]>)> {
        let named = same
            .iter()
            .copied()
            .take(MOST_NAMES)
            .filter_map(|function| {
                let strings = self.strings.get(usize::from(function.strings))?;
                let name = strings.text(function.name as usize, LONGEST_NAME)?;
                // Marks of assemblers and of ARM ($x, $d) are no functions.
                let is_mark = matches!(name.first(), None | Some(b'.' | b'$'));
                (!is_mark).then_some((function, name))
            });
        let underscores = |name: &[u8]| name.iter().take_while(|&&byte| byte == b'_').count();
        named.min_by_key(|(function, name)| (function.rank, underscores(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(functions: &[(u64, u32, u8, &'static str)]) -> FunctionTable<'static> {
        let mut strings = Vec::new();
        let functions = functions.iter().map(|&(start, size, rank, name)| {
            let at = strings.len() as u32;
            strings.extend(name.bytes().chain([0]));
            Function {
                start,
                size,
                rank,
                name: at,
                strings: 0,
            }
        });
        let functions = functions.collect();
        let mut table = FunctionTable {
            functions,
            strings: vec![Section::whole(strings)],
        };
        table.sort();
        table
    }

    #[test]
    fn a_function_holds_its_size_and_one_without_reaches_to_the_next() {
        let table = table(&[
            (0x200, 0, 0, "start\0rest"),
            (0x100, 0x20, 0, "f\0g"),
            (0x300, 8, 0, "g"),
        ]);
        for (address, name) in [
            (0xff, None),
            (0x100, Some(&b"f"[..])),
            (0x11f, Some(b"f")),
            (0x120, None),
            (0x2ff, Some(b"start")),
            (0x307, Some(b"g")),
            (0x308, None),
        ] {
            assert_eq!(table.name(address).as_deref(), name, "{address:#x}");
        }
    }

    #[test]
    fn labels_inside_a_function_do_not_take_its_place() {
        let table = table(&[(0x100, 0x40, 0, "f"), (0x110, 0, 100, "again")]);
        assert_eq!(table.name(0x118).as_deref(), Some(&b"f"[..]));
    }

    #[test]
    fn of_several_names_the_one_of_the_lowest_rank_is_shown() {
        let table = table(&[
            (0x100, 4, 0, "$x"),
            (0x100, 4, 20, "local"),
            (0x100, 4, 10, "__close"),
            (0x100, 4, 10, "close"),
            (0x200, 0, 0, ".L1"),
        ]);
        assert_eq!(table.name(0x101).as_deref(), Some(&b"close"[..]));
        assert_eq!(table.name(0x201), None, "a mark is no function");
    }
}
