//! One ELF file, with the separate file of its debug information if there is one → the functions
//! at an offset of it, those inlined there first. Both are strangers' files.

pub mod answered;
pub mod build_id;
pub mod debug_file;
pub mod demangle;
pub mod dwarf_budget;
pub mod dwarf_limits;
pub mod entry;
pub mod files;
pub mod function_table;
pub mod instruction;
pub mod library;
pub mod mapped_file;
pub mod memory;
pub mod named;
pub mod reader;
pub mod section;
pub mod sections;

use std::convert::Infallible;
use std::io::{Read, Seek};

use addr2line::gimli::{DwarfSections, RunTimeEndian, SectionId};
use addr2line::{Context, FunctionName};
use object::read::elf::{ElfFile, FileHeader, ProgramHeader};
use object::{CompressionFormat, Endianness, File, Object, ObjectKind, ObjectSection};

use self::dwarf_limits::{DwarfLimits, Reader};
use self::function_table::FunctionTable;
use self::section::Section;
use self::sections::{MOST_BYTES, Pieces};

/// Functions inlined into each other at one address; outer ones beyond are left out.
const MOST_INLINED: usize = 64;

/// DWARF that is packed is held whole when it is unpacked: more bytes of it are left aside.
const MOST_UNPACKED: u64 = MOST_BYTES / 4 * 3;

/// What names of functions and lines are read from.
const WANTED: [SectionId; 10] = [
    SectionId::DebugAbbrev,
    SectionId::DebugAddr,
    SectionId::DebugAranges,
    SectionId::DebugInfo,
    SectionId::DebugLine,
    SectionId::DebugLineStr,
    SectionId::DebugRanges,
    SectionId::DebugRngLists,
    SectionId::DebugStr,
    SectionId::DebugStrOffsets,
];

/// A parsed file; `'d` is what its bytes live for.
pub type Parsed<'d, R> = File<'d, &'d Pieces<R>>;

/// A function at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub function: String,
    /// Source file and line: of the address, or of the call that was inlined.
    pub place: Option<(String, u32)>,
}

/// What a debug file is recognised by.
pub struct Marks {
    pub build_id: Option<Vec<u8>>,
    /// Name and checksum.
    pub link: Option<(String, u32)>,
}

/// A linked ELF file, or `None`.
pub fn parse<R: Read + Seek>(pieces: &Pieces<R>) -> Option<Parsed<'_, R>> {
    let file = File::parse(pieces).ok()?;
    let linked = matches!(file.kind(), ObjectKind::Executable | ObjectKind::Dynamic);
    (linked && matches!(file, File::Elf32(_) | File::Elf64(_))).then_some(file)
}

pub fn marks<R: Read + Seek>(file: &Parsed<R>) -> Marks {
    let link = file.gnu_debuglink().ok().flatten();
    Marks {
        build_id: file.build_id().ok().flatten().map(<[u8]>::to_vec),
        link: link
            .and_then(|(name, checksum)| Some((String::from_utf8(name.to_vec()).ok()?, checksum))),
    }
}

pub fn has_dwarf<R: Read + Seek>(file: &Parsed<R>) -> bool {
    [".debug_info", ".zdebug_info"]
        .into_iter()
        .any(|name| file.section_by_name(name).is_some())
}

/// The sections of DWARF; empty when there is none.
#[derive(Default)]
pub struct Dwarf<'d> {
    sections: DwarfSections<Section<'d>>,
    bytes: u64,
    endian: RunTimeEndian,
}

impl<'d> Dwarf<'d> {
    /// `Err`: more than may be unpacked.
    pub fn read<R: Read + Seek>(file: &Parsed<'d, R>) -> Result<Dwarf<'d>, TooLarge> {
        let pieces = pieces(file);
        let (mut bytes, mut unpacked) = (0u64, 0u64);
        for section in WANTED
            .iter()
            .filter_map(|id| file.section_by_name(id.name()))
        {
            let Ok(range) = section.compressed_file_range() else {
                continue;
            };
            bytes = bytes.saturating_add(range.uncompressed_size);
            if range.format != CompressionFormat::None {
                unpacked = unpacked.saturating_add(range.uncompressed_size);
            }
        }
        if unpacked > MOST_UNPACKED {
            return Err(TooLarge);
        }
        let load = |id: SectionId| {
            let section = file.section_by_name(id.name());
            let section = section.filter(|_| WANTED.contains(&id));
            let found = section.and_then(|section| {
                let range = section.compressed_file_range().ok()?;
                if range.format == CompressionFormat::None {
                    let end = range.offset.checked_add(range.uncompressed_size)?;
                    return Section::paged(pieces?, range.offset..end);
                }
                pieces?.hold(range.uncompressed_size)?;
                let unpacked = section.uncompressed_data().ok()?;
                Some(Section::whole(unpacked.into_owned()))
            });
            Ok::<_, Infallible>(found.unwrap_or_default())
        };
        let Ok(sections) = DwarfSections::load(load);
        Ok(Dwarf {
            sections,
            bytes,
            endian: match file.endianness() {
                Endianness::Little => RunTimeEndian::Little,
                Endianness::Big => RunTimeEndian::Big,
            },
        })
    }

    /// In the file, unpacked.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

pub struct TooLarge;

/// Ready to be asked.
pub struct Elf<'a> {
    segments: Vec<Segment>,
    functions: FunctionTable<'a>,
    debug: Option<Context<Reader<'a>>>,
}

#[derive(Debug, Clone, Copy)]
struct Segment {
    offset: u64,
    size: u64,
    address: u64,
}

impl<'a> Elf<'a> {
    /// `debug`: the separate file, if that is where `dwarf` is from.
    pub fn new<R: Read + Seek, D: Read + Seek>(
        mapped: &Parsed<'a, R>,
        debug: Option<&Parsed<'a, D>>,
        dwarf: &'a Dwarf<'a>,
        limits: &'a DwarfLimits<'a>,
    ) -> Elf<'a> {
        let mut functions = FunctionTable::default();
        add(&mut functions, mapped);
        if let Some(debug) = debug {
            add(&mut functions, debug);
        }
        functions.sort();
        let reader = |section: &'a Section<'a>| Reader::new(section, dwarf.endian, limits);
        Elf {
            segments: match mapped {
                File::Elf32(elf) => segments(elf),
                File::Elf64(elf) => segments(elf),
                _ => Vec::new(),
            },
            functions,
            debug: Context::from_dwarf(dwarf.sections.borrow(reader)).ok(),
        }
    }

    /// The address in the program that is at `offset` of the file.
    fn address(&self, offset: u64) -> Option<u64> {
        self.segments.iter().find_map(|segment| {
            let within = offset.checked_sub(segment.offset)?;
            (within < segment.size).then(|| segment.address.wrapping_add(within))
        })
    }

    fn symbol(&self, address: u64) -> Option<String> {
        let name = self.functions.name(address)?;
        Some(demangle::symbol_bytes(&name))
    }

    /// The function at `offset` of the file by the tables of symbols alone.
    pub fn by_symbol(&self, offset: u64) -> Vec<Found> {
        let function = self
            .address(offset)
            .and_then(|address| self.symbol(address));
        let function = function.filter(|function| !function.is_empty());
        let found = function.map(|function| Found {
            function,
            place: None,
        });
        found.into_iter().collect()
    }

    /// The functions at `offset` of the file, innermost first; none: nobody knows.
    pub fn functions(&self, offset: u64) -> Vec<Found> {
        let Some(address) = self.address(offset) else {
            return Vec::new();
        };
        let mut found = self.in_dwarf(address);
        let symbol = || self.symbol(address);
        match found.last_mut() {
            // DWARF knows the line but no function.
            Some(outermost) if outermost.function.is_empty() => match symbol() {
                Some(function) => outermost.function = function,
                None => found.clear(),
            },
            // A library's own name of it (`__GI___libc_read`) is nobody else's: `read`.
            Some(outermost) if outermost.function.starts_with("__") => {
                let plainer = |name: &String| underscores(name) < underscores(&outermost.function);
                if let Some(function) = symbol().filter(plainer) {
                    outermost.function = function;
                }
            }
            Some(_) => {}
            None => found.extend(symbol().map(|function| Found {
                function,
                place: None,
            })),
        }
        found.retain(|found| !found.function.is_empty());
        found
    }

    fn in_dwarf(&self, address: u64) -> Vec<Found> {
        let mut found = Vec::new();
        let Some(context) = &self.debug else {
            return found;
        };
        // Split DWARF lies in files that the program names: strangers' paths are not followed.
        let Ok(mut frames) = context.find_frames(address).skip_all_loads() else {
            return found;
        };
        while let Ok(Some(frame)) = frames.next() {
            let name = frame.function.as_ref().map(FunctionName::raw_name);
            let place = frame.location.and_then(|at| Some((at.file?, at.line?)));
            found.push(Found {
                function: match name {
                    Some(Ok(name)) => demangle::symbol(&name),
                    _ => String::new(),
                },
                place: place.map(|(file, line)| (demangle::path(file), line)),
            });
            if found.len() == MOST_INLINED {
                break;
            }
        }
        found
    }
}

fn underscores(name: &str) -> usize {
    name.len() - name.trim_start_matches('_').len()
}

/// The tables of symbols are only read through: their bytes are let go.
fn add<'d, R: Read + Seek>(functions: &mut FunctionTable<'d>, file: &Parsed<'d, R>) {
    let Some(names) = pieces(file) else {
        return;
    };
    let passing = names.again();
    match parse(&passing) {
        Some(File::Elf32(elf)) => functions.add(&elf, names),
        Some(File::Elf64(elf)) => functions.add(&elf, names),
        _ => {}
    }
}

/// What a file is read from.
fn pieces<'d, R: Read + Seek>(file: &Parsed<'d, R>) -> Option<&'d Pieces<R>> {
    match file {
        File::Elf32(elf) => Some(elf.data()),
        File::Elf64(elf) => Some(elf.data()),
        _ => None,
    }
}

fn segments<'d, E, R>(file: &ElfFile<'d, E, R>) -> Vec<Segment>
where
    E: FileHeader<Endian = Endianness>,
    R: object::ReadRef<'d>,
{
    let endian = file.endian();
    file.elf_program_headers()
        .iter()
        .filter(|header| header.p_type(endian) == object::elf::PT_LOAD)
        .map(|header| Segment {
            offset: header.p_offset(endian).into(),
            size: header.p_filesz(endian).into(),
            address: header.p_vaddr(endian).into(),
        })
        .collect()
}

#[cfg(test)]
mod tests;
