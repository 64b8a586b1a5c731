//! All sockets of the namespaces that can be entered, read as often as a small share of the time
//! allows: what each did since the reading before, the most active ones whole, all in sums.

pub mod diag;
pub mod groups;
pub mod inet_diag;
pub mod owners;
pub mod readers;
pub mod rx_queue_age;
pub mod top;

use std::io::ErrorKind;

use rustc_hash::{FxHashMap, FxHashSet};

use self::diag::{Diag, missing};
use self::groups::Groups;
use self::inet_diag::Protocol;
use self::owners::SocketOwners;
use self::readers::Readers;
use self::rx_queue_age::Mark;
use self::top::Top;
use super::netns::Netns;
use super::proc::Proc;
use super::proc::because;
use crate::decode::{SocketCounters, SocketSample, SocketUser, TcpCounters, TcpState};
use crate::sys;

/// Of the time this much is spent reading while somebody looks, and else: an eightieth, a
/// three-hundredth.
const LOOKED_AT: u64 = 80;
/// On a host with so many sockets that readings would be further apart than this, ns, a 150th.
const SELDOM_NS: u64 = 4_000_000_000;
const LOOKED_AT_SELDOM: u64 = 150;
const ASIDE: u64 = 300;

/// Who has the sockets that samples name is looked up for this part of the time: a 200th. Of thousands
/// of processes that takes milliseconds.
const USERS_SHARE: u64 = 200;

/// What the first reading takes of each other namespace, which is entered for it, ns.
const ENTER_NS: u64 = 200_000;

/// While nobody looks, readings begin so far apart at least, ns: the kernel walks its whole table of
/// connections for each, empty or not.
const ASIDE_NS: u64 = 3_000_000_000;

/// A reading is ended after this time, ns: what is left is not read, and that is said.
const LONGEST_NS: u64 = 500_000_000;

/// Sockets remembered from one reading to the next, about 100 bytes each.
const REMEMBERED: usize = 1 << 18;

/// Sockets told whole.
const MOST_BYTES: usize = 64;
const MOST_RETRANSMITS: usize = 16;
const FULLEST: usize = 16;
const LISTENERS: usize = 32;

/// Sockets looked for at once.
const MOST_OWNERLESS: usize = 4096;

/// (network namespace, cookie): older kernels count cookies per namespace.
type Id = (u64, u64);

struct Before {
    tcp: Option<TcpCounters>,
    drops: Option<u32>,
    /// What its reader had not passed.
    unread: Option<Mark>,
    /// The reading that saw it last.
    reading: u32,
}

pub struct Sockets {
    /// CLOCK_MONOTONIC, ns.
    clock: fn() -> u64,
    /// By namespace, opened inside it; so many at most stay open.
    inside: FxHashMap<u64, Diag>,
    most_open: usize,
    before: FxHashMap<Id, Before>,
    /// Namespaces whose sockets were all seen and remembered the time before.
    complete: FxHashSet<u64>,
    owners: SocketOwners,
    /// Sockets without a known process, of the reading before; so many at most are looked for.
    ownerless: Vec<u32>,
    groups: Groups,
    readers: Readers,
    reading: u32,
    /// Only sockets of these processes are told and summed up; empty: all.
    pids: Vec<u32>,
    /// When the last reading began, and how long it took.
    last: Option<(u64, u64)>,
    /// The same of the last look for users.
    looked: Option<(u64, u64)>,
}

/// What a reading found so far.
struct Found {
    sample: SocketSample,
    by_bytes: Top<SocketCounters>,
    by_retransmits: Top<SocketCounters>,
    by_queue: Top<SocketCounters>,
    listeners: Top<SocketCounters>,
    datagrams: Top<SocketCounters>,
    forgotten: u64,
}

impl Sockets {
    pub fn new(clock: fn() -> u64) -> Sockets {
        Sockets {
            clock,
            inside: FxHashMap::default(),
            most_open: usize::MAX,
            before: FxHashMap::default(),
            complete: FxHashSet::default(),
            owners: SocketOwners::default(),
            ownerless: Vec::new(),
            groups: Groups::default(),
            readers: Readers::default(),
            reading: 0,
            pids: Vec::new(),
            last: None,
            looked: None,
        }
    }

    /// Keeps the files of so many namespaces open; others are entered for each reading.
    pub fn keep_open(&mut self, most: usize) {
        self.most_open = most;
    }

    /// Looks on for who has the sockets (inodes) open, then says it of those that are known. The processes
    /// `first` are looked at each time.
    pub fn users(&mut self, proc: &Proc, wanted: &[u64], first: &[u32]) -> Vec<SocketUser> {
        let inodes = wanted.iter().filter_map(|&inode| u32::try_from(inode).ok());
        let inodes: Vec<u32> = inodes.collect();
        let of = |owners: &SocketOwners, inode: &u32| owners.pid(*inode);
        let unknown = |inode: &u32| of(&self.owners, inode).is_none();
        let unknown: Vec<u32> = inodes.iter().copied().filter(unknown).collect();
        if !unknown.is_empty() {
            self.owners.look_again(proc, first);
        }
        let began = (self.clock)();
        let is_due = |(at, took): (u64, u64)| began.saturating_sub(at) >= took * USERS_SHARE;
        if self.looked.is_none_or(is_due) {
            self.owners.look(proc, &unknown, first);
            self.looked = Some((began, (self.clock)().saturating_sub(began)));
        }
        let known = |inode: &u32| {
            Some(SocketUser {
                socket: u64::from(*inode),
                pid: of(&self.owners, inode)?,
            })
        };
        inodes.iter().filter_map(known).collect()
    }

    /// Closes what keeps namespaces alive.
    pub fn let_go(&mut self) {
        self.inside.clear();
    }

    /// How long a reading will take, ns; 0: it is not time for one.
    pub fn cost(&self, looked_at: bool, others: usize) -> u64 {
        if !self.is_due((self.clock)(), looked_at) {
            return 0;
        }
        let enter = others.saturating_sub(self.inside.len()) as u64 * ENTER_NS;
        self.last.map_or(0, |(_, took)| took).max(enter)
    }

    /// `None`: it is not time yet. `others` are the namespaces beside the own one, `pids` the processes
    /// of a filter.
    pub fn read(
        &mut self,
        proc: &Proc,
        own: u64,
        others: &[Netns],
        (looked_at, pids): (bool, &[u32]),
        notes: &mut Vec<String>,
    ) -> Option<SocketSample> {
        (self.inside)
            .retain(|kept, _| *kept == own || others.iter().any(|other| other.inode == *kept));
        let at = (self.clock)();
        if !self.is_due(at, looked_at) {
            return None;
        }
        pids.clone_into(&mut self.pids);
        self.owners.look(proc, &self.ownerless, pids);
        let mut found = self.begin(at);
        let until = (self.clock)() + LONGEST_NS;
        let mut complete = FxHashSet::default();
        let diag = self.inside.remove(&own);
        let diag = diag.unwrap_or_else(|| Diag::new(proc, "proc"));
        let done = self.namespace(own, diag, until, &mut found, notes);
        complete.extend(done.then_some(own));
        let (mut closed, mut failed) = (0, None);
        for other in others {
            let netns = other.inode;
            if let Some(diag) = self.inside.remove(&netns) {
                let done = self.namespace(netns, diag, until, &mut found, notes);
                complete.extend(done.then_some(netns));
                continue;
            }
            let Ok(file) = other.open(proc) else {
                // The process ended, or the mount is gone.
                continue;
            };
            let mut said = Vec::new();
            let work = || {
                let diag = Diag::new(proc, "proc/thread-self");
                self.namespace(netns, diag, until, &mut found, &mut said)
            };
            match sys::in_netns(&file, work) {
                Ok(done) => complete.extend(done.then_some(netns)),
                Err(error) if error.kind() == ErrorKind::PermissionDenied => closed += 1,
                Err(error) => failed = Some(error),
            }
            notes.append(&mut said);
        }
        if closed > 0 {
            notes.push(format!(
                "the sockets of {closed} network namespaces cannot be read: run as root, or with CAP_SYS_ADMIN"
            ));
        }
        if let Some(error) = failed {
            notes.push(format!(
                "the sockets of a network namespace cannot be read: {}",
                because(&error)
            ));
        }
        self.complete = complete;
        Some(self.end(proc, found, notes))
    }

    /// The first two readings follow each other at once: the first has nothing to compare with, and what it
    /// took is not what the others take, for it enters every namespace.
    fn is_due(&self, at: u64, looked_at: bool) -> bool {
        if self.reading < 2 {
            return true;
        }
        let pause = |took: u64| {
            let often = took.saturating_mul(LOOKED_AT);
            if looked_at && often <= SELDOM_NS {
                often
            } else if looked_at {
                took.saturating_mul(LOOKED_AT_SELDOM)
            } else {
                took.saturating_mul(ASIDE).max(ASIDE_NS)
            }
        };
        self.last
            .is_none_or(|(began, took)| at.saturating_sub(began) >= pause(took))
    }

    fn begin(&mut self, at: u64) -> Found {
        self.reading = self.reading.wrapping_add(1);
        self.ownerless.clear();
        let interval_ns = self.last.map_or(0, |(began, _)| at.saturating_sub(began));
        Found {
            sample: SocketSample {
                at,
                interval_ns,
                ..SocketSample::default()
            },
            by_bytes: Top::new(MOST_BYTES),
            by_retransmits: Top::new(MOST_RETRANSMITS),
            by_queue: Top::new(FULLEST),
            listeners: Top::new(LISTENERS),
            datagrams: Top::new(FULLEST),
            forgotten: 0,
        }
    }

    /// Everything of a namespace; false: it was not all. What failed is not kept.
    fn namespace(
        &mut self,
        netns: u64,
        mut diag: Diag,
        until: u64,
        found: &mut Found,
        notes: &mut Vec<String>,
    ) -> bool {
        let forgotten = found.forgotten;
        let mut failed = false;
        diag.look();
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            let mut count = 0_u32;
            let read = diag.read(netns, protocol, &mut |socket| {
                self.take(socket, protocol, found);
                count = count.wrapping_add(1);
                !count.is_multiple_of(64) || (self.clock)() < until
            });
            match read {
                Ok(true) => {}
                Ok(false) => {
                    found.sample.cut = true;
                    return false;
                }
                Err(error) => {
                    failed = true;
                    notes.push(missing(protocol, &error));
                    if protocol == Protocol::Tcp {
                        return false;
                    }
                }
            }
        }
        if !failed && self.inside.len() < self.most_open {
            self.inside.insert(netns, diag);
        }
        forgotten == found.forgotten
    }

    fn take(&mut self, mut socket: SocketCounters, protocol: Protocol, found: &mut Found) {
        let id = (socket.netns, socket.cookie);
        let before = self.before.get(&id);
        // A table that changes while it is read may give a socket twice.
        if before.is_some_and(|before| before.reading == self.reading) {
            return;
        }
        let is_new = before.is_none();
        let unread = self.compare(&mut socket, &found.sample);
        let now = Before {
            tcp: socket.tcp,
            drops: socket.drops,
            unread,
            reading: self.reading,
        };
        if self.before.len() < REMEMBERED || !is_new {
            self.before.insert(id, now);
        } else {
            found.forgotten += 1;
        }
        let pid = self.owners.pid(socket.inode);
        if pid.is_none() && socket.inode != 0 && self.ownerless.len() < MOST_OWNERLESS {
            self.ownerless.push(socket.inode);
        }
        let owned = |mut socket: SocketCounters| {
            socket.owner = self.owners.of(socket.inode);
            socket
        };
        let wanted = self.pids.is_empty() || pid.is_some_and(|pid| self.pids.contains(&pid));
        match protocol {
            Protocol::Tcp => found.sample.tcp += 1,
            Protocol::Udp => found.sample.udp += 1,
        }
        if protocol == Protocol::Tcp && is_new && self.complete.contains(&socket.netns) {
            found.sample.opened += 1;
        }
        if socket.state == TcpState::Listen {
            self.groups.listens(&socket);
        }
        if !wanted {
            return;
        }
        if let Some(pid) = pid {
            self.readers.add(&socket, pid);
        }
        if protocol == Protocol::Udp {
            let drops = u64::from(socket.drops_since.unwrap_or(0));
            let score = (drops << 32) + u64::from(socket.rx_queue);
            found.datagrams.push(score, || owned(socket));
            return;
        }
        if socket.state == TcpState::Listen {
            let score = u64::from(socket.rx_queue) + 1;
            found.listeners.push(score, || owned(socket));
            return;
        }
        self.groups.add(&socket, pid);
        let since = socket.since.unwrap_or_default();
        let queues = u64::from(socket.rx_queue) + u64::from(socket.tx_queue);
        let retransmits = since.segs_retrans;
        // Without a difference yet, what there was since they began is the next best order.
        let all = socket
            .tcp
            .map_or(0, |tcp| tcp.bytes_sent + tcp.bytes_received);
        let bytes = if found.sample.interval_ns == 0 {
            all
        } else {
            since.bytes()
        };
        found.by_bytes.push(bytes + 1, || owned(socket.clone()));
        found
            .by_retransmits
            .push(retransmits, || owned(socket.clone()));
        found.by_queue.push(queues, || owned(socket));
    }

    /// What it did since the reading before; one that is new there did everything since. What its
    /// reader has not passed.
    fn compare(&self, socket: &mut SocketCounters, sample: &SocketSample) -> Option<Mark> {
        let interval_ns = sample.interval_ns;
        let before = self.before.get(&(socket.netns, socket.cookie));
        let unread = unread_in(socket, before, sample);
        let known = before.is_some_and(|b| b.reading == self.reading.wrapping_sub(1));
        let born = before.is_none() && self.complete.contains(&socket.netns);
        if interval_ns == 0 || !(known || born) {
            return unread;
        }
        let (tcp, drops) = before.map_or((None, None), |b| (b.tcp, b.drops));
        if let Some(now) = &socket.tcp
            && socket.state != TcpState::Listen
        {
            let tcp = tcp.unwrap_or_default();
            socket.since = Some(SocketSample::between(&tcp, now, interval_ns / 1000));
        }
        let more = |now: u32| now.wrapping_sub(drops.unwrap_or(0));
        socket.drops_since = socket.drops.map(more);
        unread
    }

    fn end(&mut self, proc: &Proc, found: Found, notes: &mut Vec<String>) -> SocketSample {
        let mut sample = found.sample;
        let mut closed = 0;
        self.before.retain(|(netns, _), before| {
            let gone = before.reading != self.reading;
            let tcp = before.tcp.is_some();
            closed += u64::from(gone && tcp && self.complete.contains(netns));
            !gone
        });
        if sample.interval_ns > 0 {
            sample.closed = closed;
        }
        if found.forgotten > 0 {
            notes.push(format!(
                "more than {REMEMBERED} sockets: what the others did between two readings is not known"
            ));
        }
        let mut names = FxHashMap::default();
        let mut comm = |pid| {
            let read = || self.owners.comm(proc, pid).map(str::to_owned);
            names.entry(pid).or_insert_with(read).clone()
        };
        sample.groups = self.groups.take(&mut comm);
        sample.readers = self.readers.take();
        sample.listeners = found.listeners.take();
        sample.datagrams = found.datagrams.take();
        let mut told = FxHashSet::default();
        let tops = [found.by_bytes, found.by_retransmits, found.by_queue];
        for socket in tops.into_iter().flat_map(Top::take) {
            if told.insert((socket.netns, socket.cookie)) {
                sample.connections.push(socket);
            }
        }
        let told = [
            &mut sample.connections,
            &mut sample.listeners,
            &mut sample.datagrams,
        ];
        for owner in (told.into_iter().flatten()).filter_map(|socket| socket.owner.as_mut()) {
            owner.comm = comm(owner.pid).unwrap_or_default();
        }
        sample.took_ns = (self.clock)().saturating_sub(sample.at);
        self.last = Some((sample.at, sample.took_ns));
        sample
    }
}

/// How long the oldest of its data has waited, at least.
fn unread_in(
    socket: &mut SocketCounters,
    before: Option<&Before>,
    sample: &SocketSample,
) -> Option<Mark> {
    let tcp = socket.tcp.filter(|_| socket.state != TcpState::Listen)?;
    // The end of the stream stands in the queue as one byte.
    let end = u64::from(socket.state == TcpState::CloseWait);
    let last = before.and_then(|before| {
        Some(Mark {
            bytes: before.tcp?.bytes_received,
            at: sample.at.saturating_sub(sample.interval_ns),
        })
    });
    let now = Mark {
        bytes: tcp.bytes_received.saturating_sub(end),
        at: sample.at,
    };
    let waits = u64::from(socket.rx_queue).saturating_sub(end);
    let mark = rx_queue_age::oldest(before.and_then(|b| b.unread), last, now, waits)?;
    // All of it is older than what came last.
    let age_ms = sample.at.saturating_sub(mark.at) / 1_000_000;
    socket.oldest_rx_ms = Some(age_ms.max(tcp.last_data_ms.into()));
    Some(mark)
}

#[cfg(test)]
#[path = "sockets_tests.rs"]
pub mod tests;
