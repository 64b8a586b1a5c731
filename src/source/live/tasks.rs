//! Exact counts of chosen processes: one event per function and thread on `cpu = -1`, inherited
//! by the threads it starts (`inherit_thread`), whichever CPU they run on; of chosen CPUs one each.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use crossbeam_channel::Sender;

use crate::decode::{Counts, EventId, NOBODY};
use crate::sys::{ErrnoHint, PerfEvent, Target, Wanted, monotonic_ns};

/// How often the thread list may change under our hands before the counts are called unsure.
const TRIES: usize = 5;

struct Counter {
    threads: Vec<PerfEvent>,
    last: u64,
    since: u64,
}

pub struct TaskCounters {
    /// Empty: all.
    cpus: Arc<[u32]>,
    open: BTreeMap<(EventId, u32), Counter>,
}

impl TaskCounters {
    pub fn on(cpus: Arc<[u32]>) -> TaskCounters {
        TaskCounters {
            cpus,
            open: BTreeMap::new(),
        }
    }

    /// Opens what `wanted` names and closes the rest. Sentences about what failed.
    pub fn reconcile(
        &mut self,
        wanted: &[(EventId, Wanted)],
        pids: &[u32],
        children: bool,
        closer: &Sender<PerfEvent>,
    ) -> Vec<String> {
        let keep = |&(event, pid): &(EventId, u32)| {
            pids.contains(&pid) && wanted.iter().any(|(e, _)| *e == event)
        };
        let gone: Vec<_> = self.open.keys().copied().filter(|key| !keep(key)).collect();
        for key in gone {
            if let Some(counter) = self.open.remove(&key) {
                close(counter.threads, closer);
            }
        }
        let mut notes = Vec::new();
        for &pid in pids {
            let missing: Vec<_> = wanted
                .iter()
                .filter(|(event, _)| !self.open.contains_key(&(*event, pid)))
                .collect();
            if let Err(note) = self.attach(pid, &missing, children, closer) {
                notes.push(note);
            }
        }
        notes
    }

    fn attach(
        &mut self,
        pid: u32,
        wanted: &[&(EventId, Wanted)],
        children: bool,
        closer: &Sender<PerfEvent>,
    ) -> Result<(), String> {
        if wanted.is_empty() || pid == NOBODY {
            return Ok(());
        }
        for attempt in 1..=TRIES {
            let before = thread_ids(pid);
            if before.is_empty() {
                return Err(format!("process {pid} is gone"));
            }
            let mut opened = Vec::new();
            for (event, tracepoint) in wanted {
                let threads =
                    open_threads(tracepoint, &before, children, &self.cpus).map_err(|e| {
                        format!("process {pid} cannot be counted: {}", ErrnoHint::of(&e))
                    })?;
                opened.push((*event, threads));
            }
            // A thread born while we attached is either inherited or missed, and nobody can say
            // which: start over until the list stood still.
            let stable = thread_ids(pid).iter().all(|tid| before.contains(tid));
            if !stable && attempt < TRIES {
                for (_, threads) in opened {
                    close(threads, closer);
                }
                continue;
            }
            for (event, threads) in opened {
                let mut counter = Counter {
                    threads,
                    last: 0,
                    since: monotonic_ns(),
                };
                counter.last = counter.read();
                self.open.insert((event, pid), counter);
            }
            if !stable {
                return Err(format!(
                    "threads of process {pid} come and go while they are attached: a few may be missed"
                ));
            }
            return Ok(());
        }
        Ok(())
    }

    /// Hits since the last call, per event and process.
    pub fn read(&mut self, at: u64, interval_ns: u64, out: &mut Vec<Counts>) {
        for (&(event, pid), counter) in &mut self.open {
            let hits = counter.read();
            out.push(Counts {
                event,
                cpu: None,
                pid: Some(pid),
                hits: hits.saturating_sub(counter.last),
                bytes: 0,
                span_ns: at.saturating_sub(counter.since).min(interval_ns),
                gate: false,
                spread: None,
            });
            counter.last = hits;
        }
    }

    pub fn close_all(&mut self, closer: &Sender<PerfEvent>) {
        for (_, counter) in std::mem::take(&mut self.open) {
            close(counter.threads, closer);
        }
    }
}

impl Counter {
    fn read(&mut self) -> u64 {
        // An event whose thread has ended keeps its count; a failing read adds nothing.
        self.threads
            .iter_mut()
            .map(|event| event.hits().unwrap_or(0))
            .sum()
    }
}

fn open_threads(
    wanted: &Wanted,
    tids: &[u32],
    children: bool,
    cpus: &[u32],
) -> std::io::Result<Vec<PerfEvent>> {
    let mut threads = Vec::with_capacity(tids.len());
    let everywhere = cpus.is_empty().then_some(None);
    let places = || everywhere.into_iter().chain(cpus.iter().copied().map(Some));
    for (&tid, cpu) in tids
        .iter()
        .flat_map(|tid| places().map(move |cpu| (tid, cpu)))
    {
        let target = Target::Thread { tid, children, cpu };
        match PerfEvent::open(wanted, target) {
            Ok(event) => threads.push(event),
            // It ended between the listing and now.
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(threads)
}

fn close(events: Vec<PerfEvent>, closer: &Sender<PerfEvent>) {
    for event in events {
        let _closed_here = closer.send(event);
    }
}

/// The threads of a process; empty when it is gone.
fn thread_ids(pid: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    entries
        .filter_map(|e| e.ok()?.file_name().to_str()?.parse().ok())
        .collect()
}
