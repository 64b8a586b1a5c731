//! The kernel's own symbols as bytes that are read without parsing text: offsets from `_text`,
//! which hold wherever a boot puts the kernel. Little endian; the bytes may come from anywhere.
//!
//! ```text
//! MAGIC │ count u32 │ bytes of text u32 │ CRC-32 of what follows u32 │ offsets u32… │ lengths u16… │ text
//! ```

use super::kallsyms::{Kallsyms, Span};

/// Ends with the version.
const MAGIC: [u8; 8] = *b"netopks1";
const HEAD: usize = MAGIC.len() + 3 * 4;

/// Bytes of one symbol beside its name.
const ENTRY: usize = 4 + 2;

/// `None`: it is not known where the kernel begins. Modules and BPF programs are left out: they
/// move.
pub fn pack(table: &Kallsyms) -> Option<Vec<u8>> {
    if table.begin == 0 {
        return None;
    }
    let (mut offsets, mut lengths, mut text) = (Vec::new(), Vec::new(), Vec::new());
    for (address, name) in table.addresses.iter().zip(&table.names) {
        let offset = address.checked_sub(table.begin);
        let Some(offset) = offset.and_then(|offset| u32::try_from(offset).ok()) else {
            continue;
        };
        let start = name.start as usize;
        if name.module == 0
            && let Some(name) = table.text.get(start..start + usize::from(name.len))
        {
            offsets.extend(offset.to_le_bytes());
            lengths.extend((name.len() as u16).to_le_bytes());
            text.extend(name.as_bytes());
        }
    }
    let count = u32::try_from(lengths.len() / 2).ok()?;
    let body = [offsets, lengths, text].concat();
    let text_len = u32::try_from(body.len() - count as usize * ENTRY).ok()?;
    let mut bytes = Vec::with_capacity(HEAD + body.len());
    bytes.extend(MAGIC);
    for number in [count, text_len, crc32fast::hash(&body)] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(body);
    Some(bytes)
}

/// The table of a kernel that begins at `begin`; `None`: these bytes are none.
pub fn unpack(bytes: &[u8], begin: u64) -> Option<Kallsyms> {
    let (head, body) = bytes.split_at_checked(HEAD)?;
    let (magic, numbers) = head.split_first_chunk()?;
    let mut numbers = numbers
        .as_chunks()
        .0
        .iter()
        .copied()
        .map(u32::from_le_bytes);
    let (count, text_len, sum) = (numbers.next()?, numbers.next()?, numbers.next()?);
    let entries = (count as usize).checked_mul(ENTRY)?;
    let size = entries.checked_add(text_len as usize)?;
    if *magic != MAGIC || body.len() != size || crc32fast::hash(body) != sum {
        return None;
    }
    let (entries, text) = body.split_at(entries);
    let (offsets, lengths) = entries.split_at(count as usize * 4);
    let offsets = offsets
        .as_chunks()
        .0
        .iter()
        .copied()
        .map(u32::from_le_bytes);
    let addresses: Option<Vec<u64>> = offsets
        .map(|offset| begin.checked_add(offset.into()))
        .collect();
    let addresses = addresses?;
    let mut start = 0_u32;
    let names: Option<Vec<Span>> = lengths
        .as_chunks()
        .0
        .iter()
        .map(|len| {
            let len = u16::from_le_bytes(*len);
            let name = Span {
                start,
                len,
                module: 0,
            };
            start = start.checked_add(len.into())?;
            Some(name)
        })
        .collect();
    // A name out of place is no name to a table; its addresses are searched by halves.
    let ascending = addresses.is_sorted_by(|a, b| a < b);
    (ascending && start == text_len).then_some(())?;
    Some(Kallsyms {
        addresses,
        names: names?,
        text: str::from_utf8(text).ok()?.to_owned(),
        modules: Vec::new(),
        begin,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
ffffffff81000000 T _text
ffffffff81000000 T _stext
ffffffff81000100 T ksys_read
ffffffff81000300 T _etext
ffffffffc0201000 t veth_xmit\t[veth]
";

    fn packed() -> Vec<u8> {
        pack(&Kallsyms::parse(TEXT).expect("symbols")).expect("a beginning")
    }

    #[test]
    fn a_kernel_that_a_boot_has_moved_has_its_names_where_it_is_now() {
        let table = unpack(&packed(), 0xffff_ffff_9a00_0000).expect("a table");
        for (address, name) in [
            (0xffff_ffff_9a00_0010, Some("_text")),
            (0xffff_ffff_9a00_0110, Some("ksys_read")),
            (0xffff_ffff_9a00_0300, None),
            (0xffff_ffff_8100_0110, None),
            (0xffff_ffff_c020_1000, None),
        ] {
            assert_eq!(table.name(address).as_deref(), name, "{address:#x}");
        }
        assert_eq!(pack(&table), Some(packed()));
    }

    #[test]
    fn without_a_beginning_there_is_nothing_to_pack() {
        let table = Kallsyms::parse("ffffffff81000100 T ksys_read\n").expect("symbols");
        assert_eq!(pack(&table), None);
    }

    #[test]
    fn what_was_cut_or_changed_is_no_table() {
        let packed = packed();
        for end in 0..packed.len() {
            assert_eq!(unpack(&packed[..end], 0), None, "{end}");
        }
        for at in 0..packed.len() {
            let mut changed = packed.clone();
            changed[at] ^= 0x40;
            assert_eq!(unpack(&changed, 0), None, "{at}");
        }
    }

    #[test]
    fn a_table_that_only_claims_to_be_sound_is_refused() {
        let sealed = |numbers: [u32; 2], body: &[u8]| {
            let mut bytes = MAGIC.to_vec();
            for number in [numbers[0], numbers[1], crc32fast::hash(body)] {
                bytes.extend(number.to_le_bytes());
            }
            bytes.extend(body);
            unpack(&bytes, 1 << 32)
        };
        let two = |offsets: [u8; 2], lengths: [u8; 2], text: &[u8]| {
            let [a, b] = offsets;
            let [c, d] = lengths;
            [&[a, 0, 0, 0, b, 0, 0, 0, c, 0, d, 0], text].concat()
        };
        assert!(sealed([2, 2], &two([1, 2], [1, 1], b"ab")).is_some());
        for (numbers, body) in [
            ([2, 2], two([2, 1], [1, 1], b"ab")),
            ([2, 2], two([1, 1], [1, 1], b"ab")),
            ([2, 2], two([1, 2], [1, 2], b"ab")),
            ([2, 2], two([1, 2], [1, 1], b"a\xff")),
            ([u32::MAX, 2], two([1, 2], [1, 1], b"ab")),
            ([2, u32::MAX], two([1, 2], [1, 1], b"ab")),
        ] {
            assert_eq!(sealed(numbers, &body), None, "{body:?}");
        }
        assert!(unpack(&packed(), u64::MAX - 2).is_none());
    }
}
