//! Whose socket a hit was for, whoever ran at the time. The gate's samples carry the socket's inode;
//! the samples of socket calls say which process uses that socket, because those run in it. Of the
//! other sockets /proc/PID/fd says it, when asked.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::decode::{EventId, Sample, SlowSample, Tick};
use crate::model::{NO_SOCKET, Want};
use crate::probe::{Probe, Whose};

/// Sockets remembered; with more the oldest half is forgotten.
const MOST: usize = 8192;

/// Sockets asked for at a time.
const ASKED: usize = 1024;

/// A call says more than /proc, for so many intervals: of several processes that have a socket open
/// it is the one that uses it.
const CALLED: u64 = 30;

#[derive(Debug, Default)]
pub struct Owners {
    /// By inode, or by address where no gate is: the process that last called it, and in which interval.
    users: FxHashMap<u64, (u32, u64)>,
    /// Of this interval: the weight of an event's samples by socket.
    hits: FxHashMap<(EventId, u64), f64>,
    /// Sockets with hits that are nobody's so far, or were found out long ago.
    unknown: FxHashSet<u64>,
    interval: u64,
}

/// The weight of an event's samples that were for a process; `None`: nobody was seen to use the
/// socket.
pub type Owned = (EventId, Option<u32>, f64);

impl Owners {
    /// Process `pid` made a call on the socket.
    pub fn used(&mut self, socket: u64, pid: u32) {
        self.users.insert(socket, (pid, self.interval));
    }

    /// The process that last called the socket.
    pub fn user(&self, socket: u64) -> Option<u32> {
        self.users.get(&socket).map(|(pid, _)| *pid)
    }

    /// What /proc said.
    pub fn learn(&mut self, slow: &SlowSample) {
        for owner in &slow.socket_users {
            if !self.fresh(owner.socket) {
                self.users.insert(owner.socket, (owner.pid, self.interval));
            }
        }
    }

    fn fresh(&self, socket: u64) -> bool {
        let known = self.users.get(&socket);
        known.is_some_and(|(_, at)| at + CALLED >= self.interval)
    }

    /// Remembers which sockets are to be found out: those of the tick, and of samples until it.
    pub fn meet(&mut self, tick: &Tick) {
        let told = tick.sockets.iter().map(|count| count.socket);
        let hit = self.hits.keys().map(|(_, socket)| *socket);
        // /proc knows inodes (32 bits), no addresses.
        let asked = |s: &u64| *s != 0 && u32::try_from(*s).is_ok() && !self.fresh(*s);
        let unknown = told.chain(hit).filter(asked);
        let unknown = unknown.take(16 * ASKED).collect();
        self.unknown = unknown;
    }

    /// Sockets whose process is to be found out.
    pub fn ask(&self) -> Vec<u64> {
        let mut sockets: Vec<u64> = self.unknown.iter().copied().collect();
        sockets.sort_unstable();
        sockets.truncate(ASKED);
        sockets
    }

    pub fn hit(&mut self, event: EventId, socket: u64, weight: u64) {
        if self.hits.len() < MOST || self.hits.contains_key(&(event, socket)) {
            *self.hits.entry((event, socket)).or_default() += weight as f64;
        }
    }

    /// Ends an interval: who its hits were for, heaviest first.
    pub fn take(&mut self) -> Vec<Owned> {
        let mut owned: FxHashMap<(EventId, Option<u32>), f64> = FxHashMap::default();
        for ((event, socket), weight) in self.hits.drain() {
            let user = self.users.get(&socket).map(|(pid, _)| *pid);
            *owned.entry((event, user)).or_default() += weight;
        }
        self.interval += 1;
        if self.users.len() > MOST {
            let mut ages: Vec<u64> = self.users.values().map(|(_, at)| *at).collect();
            ages.sort_unstable();
            let middle = ages[ages.len() / 2];
            self.users.retain(|_, (_, at)| *at > middle);
        }
        let mut owned: Vec<Owned> = (owned.into_iter())
            .map(|((event, user), weight)| (event, user, weight))
            .collect();
        owned.sort_by(|a, b| b.2.total_cmp(&a.2).then((a.0, a.1).cmp(&(b.0, b.1))));
        owned
    }

    /// The process that a sample of `probe` is for.
    pub fn pid_of(&self, probe: &dyn Probe, want: &Want, sample: &Sample, socket: u64) -> u32 {
        if !want.filters_owners() || probe.whose() != Whose::Socket {
            return sample.pid;
        }
        let user = self.user(socket);
        if probe.sends() || sample.owner == 0 {
            // Everybody's were let through: the device is everybody's, and only the gate knows
            // whose sockets are which.
            return user.unwrap_or(NO_SOCKET);
        }
        // Only those of the filter's sockets were, also where nobody else knows them yet.
        let user = user.filter(|pid| want.pids.contains(pid));
        user.unwrap_or(want.pids[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUE: EventId = EventId(2);
    const DROP: EventId = EventId(7);

    #[test]
    fn hits_belong_to_the_process_that_calls_their_socket_also_when_it_calls_later() {
        let mut owners = Owners::default();
        owners.hit(QUEUE, 900, 10);
        owners.hit(QUEUE, 901, 30);
        owners.hit(DROP, 999, 5);
        owners.used(900, 7);
        owners.used(901, 7);
        assert_eq!(owners.take(), [(QUEUE, Some(7), 40.0), (DROP, None, 5.0)]);
        assert!(owners.take().is_empty(), "an interval's hits are its own");
        owners.hit(DROP, 900, 1);
        assert_eq!(
            owners.take(),
            [(DROP, Some(7), 1.0)],
            "the use is remembered"
        );
    }

    #[test]
    fn sockets_that_nobody_called_are_asked_for_until_proc_has_said_whose_they_are() {
        let mut owners = Owners::default();
        owners.used(900, 7);
        owners.hit(DROP, 900, 1);
        owners.hit(DROP, 901, 1);
        owners.meet(&Tick::default());
        assert_eq!(owners.ask(), [901]);
        let said = |pid| SlowSample {
            socket_users: [900, 901]
                .map(|socket| crate::decode::SocketUser { socket, pid })
                .into(),
            ..SlowSample::default()
        };
        owners.learn(&said(8));
        assert_eq!((owners.user(900), owners.user(901)), (Some(7), Some(8)));
        owners.meet(&Tick::default());
        assert!(owners.ask().is_empty());
        for _ in 0..=CALLED {
            owners.take();
        }
        owners.learn(&said(8));
        assert_eq!(owners.user(900), Some(8), "the call was long ago");
    }

    #[test]
    fn sockets_that_come_and_go_are_forgotten() {
        let mut owners = Owners::default();
        for socket in 0..5 * MOST as u64 {
            owners.used(socket, 1);
            if socket % 100 == 0 {
                owners.take();
            }
        }
        assert!(owners.users.len() <= MOST + 100, "{}", owners.users.len());
    }
}
