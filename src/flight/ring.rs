//! The ring: which segment is written, and which ones are there. As much as there is room for,
//! and no longer than there is a use for: older seconds are thinned out, then they leave.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::entry::{Begin, Entry, HEAD};
use super::segment::SegmentWriter;
use super::thin::{THINNED, thin};
use crate::decode::{LinkSetup, Session, Tick};
use crate::sys::open_own_file;

const SUFFIX: &str = ".netop-flight";
/// While it is made.
const UNFINISHED: &str = ".part";

/// The disk has everything up to so many ticks ago.
const SYNC_TICKS: u32 = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of all files together.
    pub bytes: u64,
    /// Older seconds leave, ns.
    pub age_ns: u64,
    /// A segment is as long …
    pub segment_ns: u64,
    /// … or as big; one line may come on top.
    pub segment_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            bytes: 100_000_000,
            age_ns: 24 * 3600 * 1_000_000_000,
            segment_ns: 600 * 1_000_000_000,
            segment_bytes: 4_000_000,
        }
    }
}

/// A segment that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    pub path: PathBuf,
    /// Wall clock of its first second, ns.
    pub start_ns: u64,
    pub bytes: u64,
    /// Its seconds were joined.
    pub thinned: bool,
}

/// Those of a directory, oldest first.
pub fn segments(dir: &Path) -> io::Result<Vec<Segment>> {
    let mut all = Vec::new();
    for file in fs::read_dir(dir)? {
        let file = file?;
        let name = file.file_name();
        let Some((start_ns, thinned)) = name.to_str().and_then(parsed) else {
            continue;
        };
        // The recorder may have let go of it meanwhile. A link or a FIFO is none of its.
        if let Some(meta) = file.metadata().ok().filter(Metadata::is_file) {
            all.push(Segment {
                path: file.path(),
                start_ns,
                bytes: meta.len(),
                thinned,
            });
        }
    }
    all.sort_by_key(|segment| segment.start_ns);
    Ok(all)
}

/// `20261123T031000.123Z.netop-flight`, with `.10s` in the midst when thinned.
fn name(start_ns: u64, thinned: bool) -> String {
    let at = i64::try_from(start_ns / 1_000_000)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .unwrap_or_default();
    let at: String = format!("{at:.3}").replace(['-', ':'], "");
    format!("{at}{}{SUFFIX}", if thinned { THINNED } else { "" })
}

/// What an earlier recorder has left unfinished, and nothing else that ends like it.
fn is_unfinished(name: &str) -> bool {
    let begins = name.strip_suffix(UNFINISHED);
    begins.is_some_and(|begins| parsed(&format!("{begins}{SUFFIX}")).is_some())
}

fn parsed(name: &str) -> Option<(u64, bool)> {
    let rest = name.strip_suffix(SUFFIX)?;
    let (time, thinned) = match rest.strip_suffix(THINNED) {
        Some(time) => (time, true),
        None => (rest, false),
    };
    let time: jiff::Timestamp = time.parse().ok()?;
    Some((u64::try_from(time.as_nanosecond()).ok()?, thinned))
}

pub struct Ring {
    dir: PathBuf,
    /// As long as this is open no other process records here.
    _lock: File,
    limits: Limits,
    begin: Begin,
    open: Option<Open>,
    /// How the devices are set up, as last read: not every reading says it, every segment does.
    setups: FxHashMap<(u64, u32), Arc<LinkSetup>>,
}

struct Open {
    writer: SegmentWriter,
    /// CLOCK_MONOTONIC: the other one may be set back, and a segment is to be as long all the same.
    start_at: u64,
    unsynced: u32,
    /// Every setup that is known stands in it.
    complete: bool,
}

impl Ring {
    /// The directory must be there; `WouldBlock`: somebody records into it.
    pub fn open(dir: &Path, limits: Limits, begin: Begin) -> io::Result<Ring> {
        let lock = open_own_file(&dir.join("lock"))?;
        lock.try_lock().map_err(io::Error::from)?;
        for file in fs::read_dir(dir)? {
            let file = file?;
            let is_file = file.file_type().is_ok_and(|kind| kind.is_file());
            if is_file && file.file_name().to_str().is_some_and(is_unfinished) {
                fs::remove_file(file.path())?;
            }
        }
        Ok(Ring {
            dir: dir.to_owned(),
            _lock: lock,
            limits,
            begin,
            open: None,
            setups: FxHashMap::default(),
        })
    }

    /// What follows is of this session.
    pub fn session(&mut self, session: &Session) -> io::Result<()> {
        if self.begin.session == *session {
            return Ok(());
        }
        self.begin.session = session.clone();
        match &mut self.open {
            Some(open) => open
                .writer
                .write(&Entry::Session(Box::new(session.clone()))),
            None => Ok(()),
        }
    }

    pub fn tick(&mut self, tick: &Tick) -> io::Result<()> {
        self.learn(tick);
        if self.is_full(tick.at) {
            self.rotate()?;
        }
        if self.open.is_none() {
            self.make_room(tick.wall_ns)?;
            self.begin_with(tick)?;
        }
        let mut tick = tick.clone();
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        if !open.complete && tick.host.slow.is_some() {
            open.complete = true;
            complete(&mut tick, &self.setups);
        }
        open.writer.write(&Entry::Tick(Box::new(tick)))?;
        open.writer.flush()?;
        open.unsynced += 1;
        if open.unsynced >= SYNC_TICKS {
            open.unsynced = 0;
            open.writer.sync()?;
        }
        Ok(())
    }

    /// Of all segments.
    pub fn bytes(&self) -> io::Result<u64> {
        Ok(segments(&self.dir)?.iter().map(|s| s.bytes).sum())
    }

    pub fn finish(mut self) -> io::Result<()> {
        self.rotate()
    }

    fn is_full(&self, now: u64) -> bool {
        let Some(open) = &self.open else {
            return false;
        };
        let long = now.saturating_sub(open.start_at) >= self.limits.segment_ns;
        long || open.writer.bytes() >= self.limits.segment_bytes
    }

    fn rotate(&mut self) -> io::Result<()> {
        match self.open.take() {
            Some(open) => open.writer.finish(),
            None => Ok(()),
        }
    }

    fn begin_with(&mut self, tick: &Tick) -> io::Result<()> {
        let path = self.dir.join(name(tick.wall_ns, false));
        let mut writer = SegmentWriter::create(&path)?;
        writer.write(&Entry::Begin(Box::new(self.begin.clone())))?;
        self.open = Some(Open {
            writer,
            start_at: tick.at,
            unsynced: 0,
            complete: false,
        });
        // The new name is to outlive a power loss.
        File::open(&self.dir)?.sync_all()
    }

    /// So that two more segments fit: the next one, and what thinning one makes.
    fn make_room(&self, now: u64) -> io::Result<()> {
        let mut all = segments(&self.dir)?;
        // Begun on a full disk, again and again.
        for empty in all.extract_if(.., |segment| segment.bytes <= HEAD as u64) {
            fs::remove_file(empty.path)?;
        }
        let old = now.saturating_sub(self.limits.age_ns);
        // The last second of a segment is before the first one of the next.
        while all.get(1).is_some_and(|next| next.start_ns <= old) {
            fs::remove_file(all.remove(0).path)?;
        }
        let total = |all: &[Segment]| all.iter().map(|segment| segment.bytes).sum::<u64>();
        let most = self
            .limits
            .bytes
            .saturating_sub(2 * self.limits.segment_bytes);
        // One at a time: a recorder that was just begun with less room does not stand still long.
        if total(&all) > most / 4 * 3
            && let Some(segment) = all.iter_mut().find(|segment| !segment.thinned)
        {
            self.thin(segment)?;
        }
        while total(&all) > most && !all.is_empty() {
            fs::remove_file(all.remove(0).path)?;
        }
        Ok(())
    }

    /// A segment that cannot be read any more leaves.
    fn thin(&self, segment: &mut Segment) -> io::Result<()> {
        let path = self.dir.join(name(segment.start_ns, true));
        let part = path.with_extension("part");
        if thin(&segment.path, &part).is_err() {
            segment.bytes = 0;
            let _not_begun = fs::remove_file(&part);
            return fs::remove_file(&segment.path);
        }
        fs::rename(&part, &path)?;
        fs::remove_file(&segment.path)?;
        segment.bytes = fs::metadata(&path)?.len();
        segment.path = path;
        segment.thinned = true;
        Ok(())
    }

    fn learn(&mut self, tick: &Tick) {
        let Some(slow) = &tick.host.slow else { return };
        let unread = slow.times().unread;
        let ids = slow.links.iter().map(|link| (link.netns, link.ifindex));
        let here: FxHashSet<(u64, u32)> = ids.collect();
        self.setups
            .retain(|key, _| here.contains(key) || unread.contains(&key.0));
        for link in &slow.links {
            if let Some(setup) = &link.setup {
                let key = (link.netns, link.ifindex);
                self.setups.insert(key, Arc::clone(setup));
            }
        }
    }
}

/// Adds what this reading does not say itself.
fn complete(tick: &mut Tick, setups: &FxHashMap<(u64, u32), Arc<LinkSetup>>) {
    let Some(slow) = &mut tick.host.slow else {
        return;
    };
    for link in &mut Arc::make_mut(slow).links {
        let key = (link.netns, link.ifindex);
        if let (None, Some(setup)) = (&link.setup, setups.get(&key)) {
            link.setup = Some(setup.clone());
        }
    }
}

#[cfg(test)]
#[path = "ring_tests.rs"]
mod tests;
