//! A sampler's way out: batches over a bounded channel. A full channel never blocks the ring's
//! reader; the samples it would have carried are counted and reported with the next batch.

use crossbeam_channel::{Receiver, Sender, TrySendError};

use crate::decode::{Batch, Loss};

pub struct Outbox {
    batches: Sender<Batch>,
    /// Emptied batches that come back.
    pool: Receiver<Batch>,
    cpu: u32,
    unsaid: Loss,
}

impl Outbox {
    pub fn new(cpu: u32, batches: Sender<Batch>, pool: Receiver<Batch>) -> Self {
        Outbox {
            batches,
            pool,
            cpu,
            unsaid: Loss::default(),
        }
    }

    pub fn empty(&self) -> Batch {
        let mut batch = self.pool.try_recv().unwrap_or_default();
        batch.clear();
        batch.cpu = self.cpu;
        batch
    }

    /// Sends `batch` unless there is nothing in it; leaves an empty one in its place.
    pub fn send(&mut self, batch: &mut Batch) {
        batch.loss.add(self.unsaid);
        self.unsaid = Loss::default();
        if batch.samples.is_empty() && batch.side.is_empty() && batch.loss == Loss::default() {
            return;
        }
        let full = std::mem::replace(batch, self.empty());
        if let Err(TrySendError::Full(mut dropped)) = self.batches.try_send(full) {
            self.unsaid = dropped.loss;
            self.unsaid.channel_dropped += dropped.samples.len() as u64;
            // Few, and nobody says them again: they go with the next batch.
            let side = std::mem::take(&mut dropped.side);
            *batch = dropped;
            batch.clear();
            batch.side = side;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{EventId, Happened, Sample, SideBand, Span};

    fn batch(samples: usize) -> Batch {
        let sample = Sample {
            event: EventId(0),
            cpu: 0,
            pid: 0,
            tid: 0,
            time: 0,
            period: 1,
            chain: Span::default(),
            raw: Span::default(),
            owner: 0,
            values: [0; 4],
        };
        Batch {
            samples: vec![sample; samples],
            ..Batch::default()
        }
    }

    #[test]
    fn what_a_full_channel_refuses_is_counted_and_said_with_the_next_batch() {
        let (send, receive) = crossbeam_channel::bounded(1);
        let (_back, pool) = crossbeam_channel::bounded(1);
        let mut outbox = Outbox::new(3, send, pool);
        for samples in [5, 7, 11] {
            outbox.send(&mut batch(samples));
        }
        assert_eq!(receive.recv().unwrap().samples.len(), 5);
        outbox.send(&mut batch(2));
        let next = receive.recv().unwrap();
        assert_eq!((next.samples.len(), next.loss.channel_dropped), (2, 18));
    }

    #[test]
    fn what_happened_to_processes_waits_for_room_in_the_channel() {
        let (send, receive) = crossbeam_channel::bounded(1);
        let (_back, pool) = crossbeam_channel::bounded(1);
        let mut outbox = Outbox::new(0, send, pool);
        outbox.send(&mut batch(1));
        let mut told = Batch {
            side: vec![SideBand {
                time: 0,
                cpu: 0,
                pid: 7,
                tid: 7,
                what: Happened::Ended,
            }],
            ..batch(2)
        };
        outbox.send(&mut told);
        assert_eq!(receive.recv().unwrap().samples.len(), 1);
        outbox.send(&mut told);
        let next = receive.recv().unwrap();
        assert_eq!((next.side.len(), next.loss.channel_dropped), (1, 2));
    }

    #[test]
    fn an_empty_batch_is_sent_only_to_report_loss() {
        let (send, receive) = crossbeam_channel::bounded(4);
        let (_back, pool) = crossbeam_channel::bounded(1);
        let mut outbox = Outbox::new(0, send, pool);
        outbox.send(&mut batch(0));
        assert!(receive.try_recv().is_err());
        let mut lossy = batch(0);
        lossy.loss.lost = 9;
        outbox.send(&mut lossy);
        assert_eq!(receive.recv().unwrap().loss.lost, 9);
    }
}
