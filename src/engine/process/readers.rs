//! How late each process reads what has come: from the last reading of the sockets, and while times
//! are measured from the waits that have ended.

use rustc_hash::FxHashMap;

use crate::decode::{LatencySample, SlowSample, SocketReader, Timed};
use crate::model::Pair;

/// Data that has waited so long has a reader that is late, ms.
const LATE_MS: u64 = 100;

#[derive(Debug, Default)]
pub struct Readers {
    by_pid: FxHashMap<u32, SocketReader>,
}

impl Readers {
    /// Sockets are not read each time: what was said stands until they are.
    pub fn ingest(&mut self, slow: &SlowSample) {
        if let Some(sockets) = &slow.sockets {
            let readers = sockets.readers.iter();
            self.by_pid = readers.map(|r| (r.pid, r.clone())).collect();
        }
    }

    /// Processes that do not read what has come.
    pub fn late(&self) -> impl Iterator<Item = u32> + '_ {
        let late = |r: &&SocketReader| r.dropped > 0 || r.oldest_rx_ms >= Some(LATE_MS);
        self.by_pid.values().filter(late).map(|reader| reader.pid)
    }

    pub fn of(&self, pid: u32) -> Option<&SocketReader> {
        self.by_pid.get(&pid)
    }
}

/// By process the longest that data waited for it in the interval, ms.
pub fn waits(sample: Option<&LatencySample>) -> FxHashMap<u32, f64> {
    let mut waits = FxHashMap::default();
    let all = sample.into_iter().flat_map(|sample| &sample.histograms);
    let of_process =
        |t: &&Timed| t.pair as usize == Pair::Reader as usize && t.cpu.is_none() && t.id != 0;
    for timed in all.filter(of_process) {
        let ms = timed.max_ns as f64 / 1e6;
        let longest = waits.entry(timed.id).or_insert(ms);
        *longest = longest.max(ms);
    }
    waits
}
