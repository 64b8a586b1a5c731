//! Build ids: what says which build of a kernel or a program it is.

use std::fmt::Write;

/// Type of the note that holds one (elf.h, NT_GNU_BUILD_ID), and its owner.
const NT_GNU_BUILD_ID: u32 = 3;
const OWNER: &[u8] = b"GNU\0";

/// Longest that is believed; linkers write 16 or 20 bytes.
const LONGEST: usize = 64;

/// Of the kernel whose /sys/kernel/notes this is (ELF notes, each part padded to four bytes).
pub fn in_notes(mut notes: &[u8]) -> Option<Vec<u8>> {
    let padded = |len: u32| (len as usize).checked_next_multiple_of(4);
    while let Some((head, rest)) = notes.split_at_checked(12) {
        let mut numbers = head.as_chunks().0.iter().copied().map(u32::from_ne_bytes);
        let (owner_len, len, kind) = (numbers.next()?, numbers.next()?, numbers.next()?);
        let (owner, rest) = rest.split_at_checked(padded(owner_len)?)?;
        let id = rest.get(..len as usize)?;
        if kind == NT_GNU_BUILD_ID && owner == OWNER {
            return (1..=LONGEST).contains(&id.len()).then(|| id.to_vec());
        }
        notes = rest.get(padded(len)?..)?;
    }
    None
}

pub fn hex(id: &[u8]) -> String {
    let mut text = String::with_capacity(2 * id.len());
    for byte in id {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// `ab/cdef…`, how folders of files sorted by build id call them.
pub fn in_folders(id: &[u8]) -> Option<String> {
    let (first, rest) = id.split_first().filter(|(_, rest)| !rest.is_empty())?;
    Some(format!("{first:02x}/{}", hex(rest)))
}

/// perf fills short ids up with zeros.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    let plain = |id: &[u8]| {
        id.iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |at| at + 1)
    };
    plain(a) > 0 && a[..plain(a)] == b[..plain(b)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(kind: u32, owner: &[u8], id: &[u8]) -> Vec<u8> {
        let mut note = Vec::new();
        for number in [owner.len() as u32, id.len() as u32, kind] {
            note.extend(number.to_ne_bytes());
        }
        for part in [owner, id] {
            note.extend(part);
            note.resize(note.len().next_multiple_of(4), 0);
        }
        note
    }

    #[test]
    fn the_build_id_is_found_among_other_notes_and_cut_ones_are_survived() {
        let notes = [
            note(3, b"Xen\0", &[1; 7]),
            note(0x100, b"Linux\0", b"6.8"),
            note(NT_GNU_BUILD_ID, OWNER, &[7; 20]),
        ]
        .concat();
        assert_eq!(in_notes(&notes), Some(vec![7; 20]));
        for end in 0..notes.len() {
            assert_eq!(in_notes(&notes[..end]), None, "{end}");
        }
        assert_eq!(in_notes(&[0xff; 64]), None);
        assert_eq!(in_notes(&note(3, OWNER, &[1; 65])), None);
    }

    #[test]
    fn ids_are_the_same_with_and_without_the_zeros_that_fill_them_up() {
        assert!(same(&[1, 2], &[1, 2, 0, 0]) && same(&[1, 2], &[1, 2]));
        assert!(!same(&[1, 2], &[1, 2, 3]) && !same(&[], &[]) && !same(&[0], &[0, 0]));
    }

    #[test]
    fn the_first_byte_names_the_folder() {
        assert_eq!(in_folders(&[0xa, 0xbc, 0]).as_deref(), Some("0a/bc00"));
        assert_eq!(in_folders(&[0xa]), None);
    }
}
