//! Where a breakpoint may stand: at the first byte of an instruction. The kernel overwrites a byte
//! there (uprobes, kernel/events/uprobes.c) and does not look whether it is one's middle: the program
//! would run something else.

use std::io::{Read, Seek};

use addr2line::gimli::{BaseAddresses, EhFrame, LittleEndian, UnwindSection};
use iced_x86::{Decoder, DecoderOptions};
use object::{Architecture, Object, ObjectSection, ObjectSegment, ReadRef, SegmentFlags, elf};

use super::Parsed;
use super::sections::Pieces;

/// Longest function that is read to find its instructions, bytes.
const LONGEST: u64 = 4 << 20;

/// AArch64's instructions have one size.
const AARCH64: u64 = 4;

/// Offset in the file of code at `address`; `None`: it is no code.
pub fn in_file<R: Read + Seek>(file: &Parsed<'_, R>, address: u64) -> Option<u64> {
    let around = file.segments().find(|segment| {
        let end = segment.address().checked_add(segment.file_range().1);
        let runs = match segment.flags() {
            SegmentFlags::Elf { p_flags, .. } => p_flags.contains(elf::PF_X),
            _ => false,
        };
        runs && (segment.address()..end.unwrap_or(0)).contains(&address)
    })?;
    let from = around.file_range().0;
    from.checked_add(address - around.address())
}

/// Does an instruction of the function that begins at `start` in the `file` of those `pieces` begin
/// at `address`? `Err`: a clause why not, or that nobody can tell.
pub fn begins_at<R: Read + Seek>(
    pieces: &Pieces<R>,
    file: &Parsed<'_, R>,
    start: u64,
    address: u64,
) -> Result<(), String> {
    let bits = match file.architecture() {
        _ if address == start => return Ok(()),
        Architecture::X86_64 | Architecture::X86_64_X32 => 64,
        Architecture::I386 => 32,
        Architecture::Aarch64 if address.is_multiple_of(AARCH64) => return Ok(()),
        Architecture::Aarch64 => return Err("is inside an instruction".to_owned()),
        _ => return Err("cannot be checked on this processor: only a beginning can".to_owned()),
    };
    let unread = || "cannot be checked: the code before it cannot be read".to_owned();
    // An instruction has 15 bytes at most.
    let before = address.checked_sub(start).ok_or_else(unread)?;
    let length = before.saturating_add(15);
    if length > LONGEST {
        return Err(unread());
    }
    let from = in_file(file, start).ok_or_else(unread)?;
    let there = pieces.len().map_or(0, |len| len.saturating_sub(from));
    let code = pieces.read_bytes_at(from, length.min(there));
    let code = code.map_err(|()| unread())?;
    let mut decoder = Decoder::with_ip(bits, code, start, DecoderOptions::NONE);
    while decoder.can_decode() {
        let here = decoder.decode();
        if here.is_invalid() {
            break;
        }
        if here.next_ip() == address {
            return Ok(());
        }
        if here.next_ip() > address {
            let before = here.ip() - start;
            let after = here.next_ip() - start;
            return Err(format!(
                "is inside an instruction: one begins at +{before:#x}, the next at +{after:#x}"
            ));
        }
    }
    Err(unread())
}

/// Where the function around `address` begins, as the unwinding tables say, which stripped programs
/// have too.
pub fn function_around<R: Read + Seek>(file: &Parsed<'_, R>, address: u64) -> Option<u64> {
    let section = file.section_by_name(".eh_frame")?;
    let data = section.uncompressed_data().ok()?;
    let mut bases = BaseAddresses::default().set_eh_frame(section.address());
    if let Some(text) = file.section_by_name(".text") {
        bases = bases.set_text(text.address());
    }
    let frames = EhFrame::new(&data, LittleEndian);
    let found = frames.fde_for_address(&bases, address, EhFrame::cie_from_offset);
    found.ok().map(|fde| fde.initial_address())
}
