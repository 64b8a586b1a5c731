//! How each process gets on with its sockets. Bounded: so many processes are summed up, and of these
//! the late ones and the busiest are told.

use rustc_hash::FxHashMap;

use crate::decode::{SocketCounters, SocketReader};

/// Processes summed up at once; further ones are not told.
const SUMMED: usize = 1 << 14;

/// Processes told.
const TOLD: usize = 512;

/// Data that has waited so long has a reader that is late, ms.
const LATE_MS: u64 = 100;

#[derive(Debug, Default)]
pub struct Readers {
    sums: FxHashMap<u32, SocketReader>,
}

impl Readers {
    pub fn add(&mut self, socket: &SocketCounters, pid: u32) {
        if self.sums.len() < SUMMED || self.sums.contains_key(&pid) {
            let sum = self.sums.entry(pid);
            sum.or_insert_with(|| SocketReader::of(pid)).add(socket);
        }
    }

    /// Ends a reading: the late ones first, then most bytes.
    pub fn take(&mut self) -> Vec<SocketReader> {
        let mut readers: Vec<SocketReader> = self.sums.drain().map(|(_, sum)| sum).collect();
        self.sums.shrink_to(SUMMED / 16);
        let order = |reader: &SocketReader| {
            let late = reader.dropped > 0 || reader.oldest_rx_ms >= Some(LATE_MS);
            (late, reader.since.bytes())
        };
        readers.sort_by(|a, b| order(b).cmp(&order(a)).then(a.pid.cmp(&b.pid)));
        readers.truncate(TOLD);
        readers
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::connection;
    use super::*;
    use crate::decode::TcpSince;

    #[test]
    fn a_process_has_the_worst_of_its_buffers_and_the_sum_of_its_streams() {
        let mut readers = Readers::default();
        for (taken, oldest, sent) in [(10, Some(7), 5), (90, None, 6)] {
            let mut socket = connection(1, "10.0.0.1:80", "10.0.0.2:5000");
            (socket.rx_memory, socket.rcvbuf) = (Some(taken), Some(100));
            socket.oldest_rx_ms = oldest;
            socket.since = Some(TcpSince {
                bytes_sent: sent,
                ..TcpSince::default()
            });
            readers.add(&socket, 4);
        }
        let told = readers.take().remove(0);
        assert_eq!(
            (told.pid, told.fullest_pct, told.oldest_rx_ms),
            (4, Some(90), Some(7))
        );
        assert_eq!(told.since.bytes_sent, 11);
        assert!(readers.take().is_empty(), "each reading sums anew");
    }

    #[test]
    fn of_many_processes_the_late_ones_are_told_and_then_the_busiest() {
        let mut readers = Readers::default();
        for pid in 1..=20_000_u32 {
            let mut socket = connection(pid.into(), "10.0.0.1:80", "10.0.0.2:5000");
            socket.oldest_rx_ms = (pid == 77).then_some(LATE_MS);
            socket.since = Some(TcpSince {
                bytes_sent: pid.into(),
                ..TcpSince::default()
            });
            readers.add(&socket, pid);
        }
        assert_eq!(readers.sums.len(), SUMMED);
        let told = readers.take();
        assert_eq!((told.len(), told[0].pid), (TOLD, 77));
        assert_eq!(told[1].pid, SUMMED as u32, "the busiest of those summed up");
    }
}
