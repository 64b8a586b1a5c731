//! The bytes of a `read()` on a group leader: PERF_FORMAT_GROUP|ID and, from Linux 6.0, LOST.
//! Layout: `struct read_format` in include/uapi/linux/perf_event.h.

use super::sample::Cursor;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The event's id, as in its samples.
    pub id: u64,
    /// Hits since it was opened.
    pub value: u64,
    /// Samples lost since it was opened; 0 where the kernel does not say.
    pub lost: u64,
}

/// All members of the group, leader first. A short read gives the members it holds.
pub fn decode_group(bytes: &[u8], with_lost: bool, out: &mut Vec<Reading>) {
    out.clear();
    let mut cursor = Cursor::new(bytes);
    let members = cursor.u64().unwrap_or(0);
    for _ in 0..members {
        let (Some(value), Some(id)) = (cursor.u64(), cursor.u64()) else {
            return;
        };
        let lost = if with_lost { cursor.u64() } else { Some(0) };
        let Some(lost) = lost else { return };
        out.push(Reading { id, value, lost });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(words: &[u64]) -> Vec<u8> {
        words.iter().flat_map(|w| w.to_le_bytes()).collect()
    }

    #[test]
    fn a_group_gives_each_member_its_count_and_loss() {
        let mut out = Vec::new();
        decode_group(&bytes(&[2, 10, 1, 0, 20, 2, 3]), true, &mut out);
        assert_eq!(
            out[1],
            Reading {
                id: 2,
                value: 20,
                lost: 3
            }
        );
        decode_group(&bytes(&[2, 10, 1, 20, 2]), false, &mut out);
        assert_eq!(
            out[1],
            Reading {
                id: 2,
                value: 20,
                lost: 0
            }
        );
    }

    #[test]
    fn every_truncation_gives_whole_members_only() {
        let whole = bytes(&[2, 10, 1, 0, 20, 2, 3]);
        for cut in 0..whole.len() {
            let mut out = Vec::new();
            decode_group(&whole[..cut], true, &mut out);
            assert_eq!(out.len(), cut.saturating_sub(8) / 24, "cut at {cut}");
        }
    }

    #[test]
    fn an_absurd_member_count_ends_with_the_bytes() {
        let mut out = Vec::new();
        decode_group(&bytes(&[u64::MAX, 1, 2, 3]), true, &mut out);
        assert_eq!(out.len(), 1);
    }
}
