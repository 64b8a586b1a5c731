//! What happens to processes, as the records that the kernel puts between the samples.

use crate::decode::{Cursor, SideBand};
use crate::perfdata::{Record, Tail, side_band};

/// What `sample_id_all` puts behind such a record here: pid and tid, time, CPU, identifier.
const TAIL: usize = 32;

/// `None`: it is another kind of record, or cut short.
pub fn happened(kind: u32, misc: u16, body: &[u8]) -> Option<SideBand> {
    let mut tail = Cursor::new(body.get(body.len().checked_sub(TAIL)?..)?);
    tail.u64()?;
    let (time, cpu) = (tail.u64()?, tail.u32()?);
    let record = Record {
        kind,
        misc,
        body,
        offset: 0,
    };
    let (time, cpu) = (Some(time), Some(cpu));
    side_band(&record, Tail { time, cpu })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Happened;

    #[test]
    fn a_record_has_its_time_and_cpu_behind_it() {
        let mut body = Vec::new();
        body.extend([7u32, 8].map(u32::to_le_bytes).concat());
        body.extend(b"nginx\0\0\0");
        body.extend([7u32, 8].map(u32::to_le_bytes).concat());
        body.extend([99u64, 3, 1234].map(u64::to_le_bytes).concat());
        let named = happened(3, 0, &body).unwrap();
        assert_eq!((named.pid, named.tid, named.time, named.cpu), (7, 8, 99, 3));
        let (comm, exec) = ("nginx".to_owned(), false);
        assert_eq!(named.what, Happened::Named { comm, exec });
        assert_eq!(happened(3, 0, &body[..20]), None);
        assert_eq!(happened(9, 0, &body), None);
    }
}
