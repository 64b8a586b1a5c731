//! Little-endian values, appended to a buffer; records and sections are made of them.

/// perf pads its strings to this.
const STRING: usize = 64;

pub fn u16(out: &mut Vec<u8>, value: u16) {
    out.extend(value.to_le_bytes());
}

pub fn u32(out: &mut Vec<u8>, value: u32) {
    out.extend(value.to_le_bytes());
}

pub fn u64(out: &mut Vec<u8>, value: u64) {
    out.extend(value.to_le_bytes());
}

/// `text` without NULs, a NUL, and more of them up to a multiple of `align`.
pub fn padded(out: &mut Vec<u8>, text: &str, align: usize) {
    let bytes = text.bytes().filter(|byte| *byte != 0);
    let start = out.len();
    out.extend(bytes);
    out.push(0);
    let len = (out.len() - start).next_multiple_of(align);
    out.resize(start + len, 0);
}

/// A string of a feature section (`do_write_string` in tools/perf/util/header.c): its padded
/// length, and it.
pub fn string(out: &mut Vec<u8>, text: &str) {
    let at = out.len();
    u32(out, 0);
    padded(out, text, STRING);
    let len = (out.len() - at - 4) as u32;
    out[at..at + 4].copy_from_slice(&len.to_le_bytes());
}

/// `text` and a NUL.
pub fn terminated(out: &mut Vec<u8>, text: &str) {
    padded(out, text, 1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_is_its_padded_length_and_itself() {
        let mut out = vec![9];
        string(&mut out, "ab");
        assert_eq!(out.len(), 1 + 4 + STRING);
        assert_eq!(out[1..8], [64, 0, 0, 0, b'a', b'b', 0]);
    }

    #[test]
    fn text_ends_with_one_nul_at_least_and_has_none_inside() {
        for (text, len) in [
            ("", 8),
            ("1234567", 8),
            ("12345678", 16),
            ("1\x002345678", 16),
        ] {
            let mut out = Vec::new();
            padded(&mut out, text, 8);
            assert_eq!((out.len(), out.last()), (len, Some(&0)), "{text:?}");
            let plain = text.replace('\0', "");
            assert_eq!(&out[..plain.len()], plain.as_bytes());
        }
    }
}
