//! What the gate counts by socket, and the sockets that it was told, or found itself, to be those
//! of the filter's processes.

use aya::maps::HashMap;

use super::Gate;
use super::entries::Entries;

/// `struct channel` and `struct transfer` of gate.bpf.c; sums since the entry was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketTally {
    /// Inode.
    pub socket: u64,
    pub program: usize,
    /// Only receives are told apart by it; of the others it is 0.
    pub cpu: u32,
    pub hits: u64,
    pub packets: u64,
    pub bytes: u64,
}

impl Gate {
    /// `keep` says whether an entry stays; one that does not makes room.
    pub fn sockets(&mut self, mut keep: impl FnMut(SocketTally) -> bool) {
        let at_once = Entries::<[u32; 4], [u64; 3]>::read(self.ebpf.map("sockets"), 1);
        let map = self.ebpf.map_mut("sockets");
        let Some(mut sockets) =
            map.and_then(|map| HashMap::<_, [u32; 4], [u64; 3]>::try_from(map).ok())
        else {
            return;
        };
        let entries = match at_once {
            Some(entries) => entries
                .iter()
                .map(|(key, values)| (*key, values[0]))
                .collect(),
            None => sockets.iter().flatten().collect::<Vec<_>>(),
        };
        let mut gone = Vec::new();
        for (key, [hits, packets, bytes]) in entries {
            let [low, high, event, cpu] = key;
            let tally = SocketTally {
                socket: u64::from(high) << 32 | u64::from(low),
                program: event as usize,
                cpu,
                hits,
                packets,
                bytes,
            };
            if !keep(tally) {
                gone.push(key);
            }
        }
        for key in gone {
            let _removed = sockets.remove(&key);
        }
    }

    /// The sockets of [`Switches::SAMPLE_CHOSEN`](super::Switches) and their processes.
    pub fn chosen(&mut self) -> Vec<(u64, u32)> {
        let map = self.ebpf.map("chosen");
        if let Some(entries) = Entries::<u64, u32>::read(map, 1) {
            return entries
                .iter()
                .map(|(key, values)| (*key, values[0]))
                .collect();
        }
        let chosen = map.and_then(|map| HashMap::<_, u64, u32>::try_from(map).ok());
        chosen.map_or_else(Vec::new, |chosen| chosen.iter().flatten().collect())
    }

    /// Chooses sockets, then lets go of others. What finds no room is not sampled.
    pub fn choose(&mut self, more: &[(u64, u32)], gone: &[u64]) {
        let map = self.ebpf.map_mut("chosen");
        let Some(mut chosen) = map.and_then(|map| HashMap::<_, u64, u32>::try_from(map).ok())
        else {
            return;
        };
        for (socket, pid) in more {
            let _no_room = chosen.insert(socket, pid, 0);
        }
        for socket in gone {
            let _removed = chosen.remove(socket);
        }
    }
}
