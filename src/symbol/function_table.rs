//! The functions of an ELF file's symbol tables (.symtab, .dynsym), by address.

use object::elf::{STB_GLOBAL, STB_WEAK, STT_FUNC, STT_GNU_IFUNC, STT_NOTYPE};
use object::read::elf::{ElfFile, FileHeader, SectionHeader, Sym, SymbolTable};
use object::{Endianness, ReadRef};

/// How many symbols before an address may lie inside the function around it (labels written in
/// assembly).
const MOST_LABELS: usize = 8;

/// Ascending, one of each address.
#[derive(Debug, Default)]
pub struct FunctionTable<'d> {
    functions: Vec<Function<'d>>,
}

#[derive(Debug, Clone, Copy)]
struct Function<'d> {
    start: u64,
    /// 0: unknown, up to the next one.
    size: u64,
    /// Lower is shown.
    rank: u8,
    /// Begins with the name; the rest of the table follows.
    name: &'d [u8],
}

impl<'d> FunctionTable<'d> {
    /// Adds both tables of a file; to be followed by [`FunctionTable::sort`].
    pub fn add<E, R>(&mut self, file: &ElfFile<'d, E, R>)
    where
        E: FileHeader<Endian = Endianness>,
        R: ReadRef<'d>,
    {
        for table in [file.elf_symbol_table(), file.elf_dynamic_symbol_table()] {
            self.add_table(file, table);
        }
    }

    fn add_table<E, R>(&mut self, file: &ElfFile<'d, E, R>, table: &SymbolTable<'d, E, R>)
    where
        E: FileHeader<Endian = Endianness>,
        R: ReadRef<'d>,
    {
        let endian = file.endian();
        // The whole table of names is one piece: a read for each would take a second.
        let strings = file
            .elf_section_table()
            .section(table.string_section())
            .and_then(|section| section.data(endian, file.data()));
        let Ok(strings) = strings else {
            return;
        };
        for symbol in table.symbols() {
            let known = symbol.st_type() != STT_NOTYPE;
            if (known && ![STT_FUNC, STT_GNU_IFUNC].contains(&symbol.st_type()))
                || symbol.is_undefined(endian)
                || symbol.is_absolute(endian)
            {
                continue;
            }
            let name = strings.get(symbol.st_name(endian) as usize..);
            let Some(name @ [first, ..]) = name else {
                continue;
            };
            // Marks of assemblers and of ARM ($x, $d) are no functions.
            if matches!(first, 0 | b'.' | b'$') {
                continue;
            }
            let binding = match symbol.st_bind() {
                STB_GLOBAL => 0,
                STB_WEAK => 1,
                _ => 2,
            };
            let underscores = name.iter().take_while(|&&byte| byte == b'_').count().min(9);
            self.functions.push(Function {
                start: symbol.st_value(endian).into(),
                size: symbol.st_size(endian).into(),
                rank: u8::from(!known) * 100 + binding * 10 + underscores as u8,
                name,
            });
        }
    }

    pub fn sort(&mut self) {
        self.functions
            .sort_by_key(|function| (function.start, function.rank));
        self.functions.dedup_by_key(|function| function.start);
        self.functions.shrink_to_fit();
    }

    /// As the file has it: mangled, of any length.
    pub fn name(&self, address: u64) -> Option<&'d [u8]> {
        let after = self
            .functions
            .partition_point(|function| function.start <= address);
        let before = &self.functions[..after];
        let around = before
            .iter()
            .rev()
            .take(MOST_LABELS)
            .find(|function| address - function.start < function.size);
        let found = around.or(before.last().filter(|function| function.size == 0))?;
        found.name.split(|&byte| byte == 0).next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(functions: &[(u64, u64, u8, &'static str)]) -> FunctionTable<'static> {
        let functions = functions.iter().map(|&(start, size, rank, name)| Function {
            start,
            size,
            rank,
            name: name.as_bytes(),
        });
        let mut table = FunctionTable {
            functions: functions.collect(),
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
            assert_eq!(table.name(address), name, "{address:#x}");
        }
    }

    #[test]
    fn labels_inside_a_function_do_not_take_its_place() {
        let table = table(&[(0x100, 0x40, 0, "f"), (0x110, 0, 100, "again")]);
        assert_eq!(table.name(0x118), Some(&b"f"[..]));
    }

    #[test]
    fn of_several_names_the_one_of_the_lowest_rank_is_shown() {
        let table = table(&[(0x100, 4, 12, "__close"), (0x100, 4, 10, "close")]);
        assert_eq!(table.name(0x101), Some(&b"close"[..]));
    }
}
