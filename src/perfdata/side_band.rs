//! MMAP, MMAP2, COMM, FORK and EXIT records → what happened to processes.
//! Layout: `enum perf_event_type` in include/uapi/linux/perf_event.h.

use super::body::Tail;
use super::features::until_nul;
use super::records::Record;
use crate::decode::{Cursor, Happened, MappedFile, Mapping, SideBand};

const MMAP: u32 = 1;
const COMM: u32 = 3;
const EXIT: u32 = 4;
const FORK: u32 = 7;
const MMAP2: u32 = 10;

/// Bits of `misc`.
const CPUMODE: u16 = 7;
const CPUMODE_KERNEL: u16 = 1;
const MMAP_DATA: u16 = 1 << 13;
const COMM_EXEC: u16 = 1 << 13;
const MMAP_BUILD_ID: u16 = 1 << 14;

const PROT_EXEC: u32 = 4;

/// `None`: it is another kind of record, or memory without code, or cut short.
pub fn side_band(record: &Record<'_>, tail: Tail) -> Option<SideBand> {
    let mut cursor = Cursor::new(record.body);
    let (pid, tid) = (cursor.u32()?, cursor.u32()?);
    let mut side = SideBand {
        time: tail.time.unwrap_or(0),
        cpu: tail.cpu.unwrap_or(0),
        pid,
        tid,
        what: Happened::Ended,
    };
    side.what = match record.kind {
        MMAP if record.misc & MMAP_DATA == 0 => {
            let mut mapping = range(&mut cursor, record.misc)?;
            mapping.path = until_nul(cursor.rest());
            Happened::Mapped(mapping)
        }
        MMAP2 => mapped(&mut cursor, record.misc)?,
        COMM => Happened::Named {
            comm: until_nul(cursor.rest()),
            exec: record.misc & COMM_EXEC != 0,
        },
        // Who was started and by whom: pid, ppid, tid, ptid, time.
        FORK | EXIT => {
            let parent = tid;
            let (own, parent_tid) = (cursor.u32()?, cursor.u32()?);
            side.tid = own;
            match record.kind {
                FORK => Happened::Forked { parent, parent_tid },
                _ => Happened::Ended,
            }
        }
        _ => return None,
    };
    Some(side)
}

fn range(cursor: &mut Cursor<'_>, misc: u16) -> Option<Mapping> {
    Some(Mapping {
        start: cursor.u64()?,
        len: cursor.u64()?,
        offset: cursor.u64()?,
        path: String::new(),
        file: MappedFile::Unknown,
        kernel: misc & CPUMODE == CPUMODE_KERNEL,
    })
}

fn mapped(cursor: &mut Cursor<'_>, misc: u16) -> Option<Happened> {
    let mut mapping = range(cursor, misc)?;
    let identity = cursor.bytes(24)?;
    mapping.file = if misc & MMAP_BUILD_ID != 0 {
        let length = usize::from(identity[0]).min(20);
        MappedFile::BuildId(identity[4..4 + length].to_vec())
    } else {
        let mut cursor = Cursor::new(identity);
        MappedFile::Inode {
            major: cursor.u32()?,
            minor: cursor.u32()?,
            inode: cursor.u64()?,
            generation: cursor.u64()?,
        }
    };
    let protection = cursor.u32()?;
    let _flags = cursor.u32()?;
    mapping.path = until_nul(cursor.rest());
    (protection & PROT_EXEC != 0 || mapping.kernel).then_some(Happened::Mapped(mapping))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(kind: u32, misc: u16, body: &[u8]) -> Option<SideBand> {
        let record = Record {
            kind,
            misc,
            body,
            offset: 0,
        };
        side_band(&record, Tail::default())
    }

    fn mmap2(protection: u32) -> Vec<u8> {
        let mut body = Vec::new();
        body.extend(7u32.to_le_bytes());
        body.extend(8u32.to_le_bytes());
        for word in [0x1000u64, 0x2000, 0x3000] {
            body.extend(word.to_le_bytes());
        }
        body.extend([3, 0, 0, 0, 0xaa, 0xbb, 0xcc]);
        body.extend([0; 17]);
        body.extend(protection.to_le_bytes());
        body.extend(2u32.to_le_bytes());
        body.extend(b"/bin/x\0\0");
        body
    }

    #[test]
    fn code_that_is_mapped_has_its_place_its_file_and_its_build() {
        let side = told(MMAP2, 2 | MMAP_BUILD_ID, &mmap2(5)).expect("code");
        assert_eq!((side.pid, side.tid), (7, 8));
        let Happened::Mapped(mapping) = side.what else {
            panic!("{side:?}")
        };
        assert_eq!(
            (mapping.start, mapping.len, mapping.offset),
            (0x1000, 0x2000, 0x3000)
        );
        assert_eq!(mapping.file, MappedFile::BuildId(vec![0xaa, 0xbb, 0xcc]));
        assert_eq!((mapping.path.as_str(), mapping.kernel), ("/bin/x", false));
        assert_eq!(told(MMAP2, 2, &mmap2(1)), None, "data is of no interest");
    }

    #[test]
    fn tasks_are_named_started_and_ended() {
        let ids: Vec<u8> = [20u32, 10, 21, 11]
            .iter()
            .flat_map(|n| n.to_le_bytes())
            .collect();
        let fork = told(FORK, 0, &ids).expect("a fork");
        assert_eq!((fork.pid, fork.tid), (20, 21));
        let parent = Happened::Forked {
            parent: 10,
            parent_tid: 11,
        };
        assert_eq!(fork.what, parent);
        assert_eq!(told(EXIT, 0, &ids).expect("an exit").what, Happened::Ended);
        let comm = [&ids[..8], b"nginx\0\0\0"].concat();
        let named = |exec| Happened::Named {
            comm: "nginx".to_owned(),
            exec,
        };
        assert_eq!(
            told(COMM, COMM_EXEC, &comm).expect("a name").what,
            named(true)
        );
        assert_eq!(told(COMM, 0, &comm).expect("a name").what, named(false));
    }

    #[test]
    fn every_truncation_is_refused_or_shorter() {
        let whole = mmap2(5);
        for cut in 0..whole.len() {
            let cut_short = told(MMAP2, 2, &whole[..cut]);
            assert!(cut_short.is_none() || cut >= 64, "cut at {cut}");
        }
    }
}
