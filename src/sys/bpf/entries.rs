//! All entries of a hash map with a system call for many of them (BPF_MAP_LOOKUP_BATCH, Linux 5.6), where
//! one by one takes two for each.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use aya::Pod;
use aya::maps::{Map, MapData};

use super::call;

/// Entries asked for at once. One bucket must have room: it holds few.
const AT_ONCE: usize = 256;

/// Keys, and of each `copies` values in a row: one, or one for each possible CPU.
pub struct Entries<K, V> {
    keys: Vec<K>,
    values: Vec<V>,
    copies: usize,
}

impl<K: Pod, V: Pod> Entries<K, V> {
    /// `None`: no such map, or a kernel that does not give many at once. Keys and values are as large as
    /// the map's own, which is checked; several copies as a multiple of 8 bytes, as the kernel aligns them.
    pub fn read(map: Option<&Map>, copies: usize) -> Option<Entries<K, V>> {
        let (Map::HashMap(data) | Map::PerCpuHashMap(data)) = map? else {
            return None;
        };
        let info = data.info().ok()?;
        let sizes = (info.key_size() as usize, info.value_size() as usize);
        let aligned = copies == 1 || size_of::<V>().is_multiple_of(8);
        if sizes != (size_of::<K>(), size_of::<V>()) || !aligned {
            return None;
        }
        let mut entries = Entries {
            keys: Vec::new(),
            values: Vec::new(),
            copies,
        };
        entries.fill(data).ok()?;
        Some(entries)
    }

    fn fill(&mut self, data: &MapData) -> io::Result<()> {
        let map: BorrowedFd<'_> = data.fd().as_fd();
        let mut at = None;
        let mut room = AT_ONCE;
        loop {
            let answer = call::entries(
                map,
                at,
                room,
                self.copies,
                (&mut self.keys, &mut self.values),
            );
            match answer {
                Ok(Some(next)) => at = Some(next),
                Ok(None) => return Ok(()),
                // A bucket has more entries than there is room.
                Err(error) if error.raw_os_error() == Some(libc::ENOSPC) && room < 1 << 16 => {
                    room *= 4;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Each key with its values.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &[V])> {
        self.keys.iter().zip(self.values.chunks_exact(self.copies))
    }
}
