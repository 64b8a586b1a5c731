//! Records, byte by byte.

use super::*;
use crate::decode::{CONTEXT_KERNEL, EventId, Span};

fn taken() -> Sample {
    Sample {
        event: EventId(0),
        cpu: 3,
        pid: 7,
        tid: 8,
        time: 99,
        period: 11,
        chain: Span::default(),
        raw: Span::default(),
        owner: 0,
        values: [0; 4],
    }
}

fn u64_at(record: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(record[at..at + 8].try_into().unwrap())
}

fn header(record: &[u8]) -> (u32, u16, usize) {
    let size = u16::from_le_bytes([record[6], record[7]]);
    let misc = u16::from_le_bytes([record[4], record[5]]);
    (u64_at(record, 0) as u32, misc, usize::from(size))
}

#[test]
fn a_sample_has_its_parts_in_the_order_of_its_type() {
    let mut out = Vec::new();
    let chain = [CONTEXT_KERNEL, 0xffff_0001, CONTEXT_USER, 5];
    assert!(sample(&mut out, 42, &taken(), &chain, b"rawraw"));
    assert_eq!(header(&out), (9, MISC_KERNEL, out.len()));
    assert_eq!(out.len() % 8, 0);
    let words: Vec<u64> = (8..out.len())
        .step_by(8)
        .map(|at| u64_at(&out, at))
        .collect();
    assert_eq!(words[..3], [42, 0xffff_0001, 8 << 32 | 7]);
    assert_eq!(words[3..6], [99, 3, 11]);
    assert_eq!(words[6..9], [0, 42, 4]);
    assert_eq!(words[9..13], chain);
    // 12 bytes: six of them, padded.
    assert_eq!(out[8 * 14..], *b"\x0c\0\0\0rawraw\0\0\0\0\0\0");
    assert_eq!(
        (u64_at(&out, SAMPLE_TIME), u64_at(&out, SAMPLE_COUNT)),
        (99, 0)
    );
}

#[test]
fn a_sample_from_user_space_says_so_and_one_too_long_is_refused() {
    let mut out = Vec::new();
    assert!(sample(&mut out, 1, &taken(), &[CONTEXT_USER, 5], b""));
    assert_eq!(header(&out).1, MISC_USER);
    let before = out.clone();
    assert!(!sample(&mut out, 1, &taken(), &[], &vec![0; 70_000]));
    assert_eq!(out, before);
}

#[test]
fn every_kind_of_side_band_is_a_whole_record_with_its_stamp() {
    let mapping = |kernel, file| {
        Happened::Mapped(Mapping {
            start: 0x1000,
            len: 0x2000,
            offset: 0x3000,
            path: "/usr/lib/x".to_owned(),
            file,
            kernel,
        })
    };
    let inode = MappedFile::Inode {
        major: 1,
        minor: 2,
        inode: 3,
        generation: 4,
    };
    let kinds = [
        (mapping(true, MappedFile::Unknown), 1, MISC_KERNEL),
        (mapping(false, inode), 10, MISC_USER),
        (
            mapping(false, MappedFile::BuildId(vec![7; 20])),
            10,
            MISC_USER | 1 << 14,
        ),
        (mapping(false, MappedFile::Unknown), 10, MISC_USER),
        (
            Happened::Named {
                comm: "kworker/0:1-events".to_owned(),
                exec: true,
            },
            3,
            1 << 13,
        ),
        (
            Happened::Forked {
                parent: 1,
                parent_tid: 2,
            },
            7,
            0,
        ),
        (Happened::Ended, 4, 0),
    ];
    for (what, kind, misc) in kinds {
        let happened = SideBand {
            time: 77,
            cpu: 1,
            pid: 5,
            tid: 6,
            what,
        };
        let mut out = Vec::new();
        assert!(side_band(&mut out, &happened, 9));
        assert_eq!(header(&out), (kind, misc, out.len()), "{happened:?}");
        assert_eq!(out.len() % 8, 0);
        let stamp = out.len() - 32;
        let words: Vec<u64> = (0..4).map(|i| u64_at(&out, stamp + 8 * i)).collect();
        assert_eq!(words, [6 << 32 | 5, 77, 1, 9]);
    }
}
