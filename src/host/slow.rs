//! Everything that is too slow for the tick: one call reads it all, of many network namespaces those
//! whose turn it is. What fails is a note, and the rest is read all the same.

use std::collections::BTreeMap;

use rustc_hash::{FxHashMap, FxHashSet};

use super::device::links::{Device, Links, SetUps};
use super::device::{interrupts, stacked};
use super::netns::{self, Namespaces, Netns};
use super::proc::Proc;
use super::process::tasks;
use super::protocols;
use super::settings::Settings;
use super::sockets::Sockets;
use super::sockets::owners::sockets_of;
use super::system::{accounting, nodes, sysctls};
use super::turns::Turns;
use crate::decode::{NetnsReading, ProtocolCounters, SlowSample, SocketSample, TaskCounters};
use crate::sys;

/// Processes are searched for new namespaces for this part of the time: a 300th. That is 3 µs each.
const SEARCH_SHARE: u64 = 300;

/// What will take longer than this, ns, is read when the answer has been given, and told with the next.
const AT_ONCE_NS: u64 = 8_000_000;

/// What it takes to read a process, ns.
const TASK_NS: u64 = 20_000;

/// Of all processes the list is read for this part of the time at most: a 30th.
const LIST_SHARE: u64 = 30;

/// What is to be read beside what always is.
#[derive(Debug, Default)]
pub struct Question {
    /// CLOCK_MONOTONIC, ns.
    pub at: u64,
    pub tasks: Vec<u32>,
    /// Every task there is.
    pub list_tasks: bool,
    /// Somebody looks at sockets …
    pub sockets: bool,
    /// … and only at those of these processes; empty: at all.
    pub pids: Vec<u32>,
    /// Inodes of sockets whose process is wanted.
    pub ownerless: Vec<u64>,
    /// Inodes of network namespaces that are known to have carried packets since the question before, and
    /// hits of theirs: about how busy they are.
    pub active: FxHashMap<u64, u64>,
}

pub struct SlowReader {
    proc: Proc,
    links: Links,
    namespaces: Namespaces,
    /// The other namespaces, what there is to say of them, and when they were searched for: at, how long
    /// it took, ns.
    others: Vec<Netns>,
    not_found: Vec<String>,
    searched: Option<(u64, u64)>,
    /// What processes there were then; [`Proc::task_mark`].
    tasks: Option<String>,
    turns: Turns,
    /// By namespace, why softnet's counters are not exact.
    inexact: BTreeMap<u64, String>,
    sockets: Sockets,
    /// Read after the last answer.
    later: Later,
    /// When all processes were listed, and how long that took, ns.
    listed: Option<(u64, u64)>,
    /// What is to be known of this kernel's CPU accounting; said with the first reading.
    accounting: Option<String>,
    nodes: Vec<(u32, u32)>,
    interrupts: interrupts::Interrupts,
    settings: Settings,
    protocols: protocols::Protocols,
}

impl SlowReader {
    pub fn new(proc: Proc) -> SlowReader {
        let links = Links::new(sys::raise_open_files());
        let mut sockets = Sockets::new(sys::monotonic_ns);
        sockets.keep_open(links.most_entered());
        SlowReader {
            accounting: accounting::apart(&proc),
            nodes: nodes::read(&proc),
            proc,
            links,
            namespaces: Namespaces::default(),
            others: Vec::new(),
            not_found: Vec::new(),
            searched: None,
            tasks: None,
            turns: Turns::default(),
            inexact: BTreeMap::new(),
            interrupts: interrupts::Interrupts::default(),
            settings: Settings::default(),
            protocols: protocols::Protocols::default(),
            sockets,
            later: Later::default(),
            listed: None,
        }
    }

    /// What the processes have open, with their pids. Not bounded: these were asked for by name.
    pub fn sockets_of(&self, pids: &[u32]) -> Vec<(u64, u32)> {
        let of = |&pid: &u32| {
            let sockets = sockets_of(&self.proc, pid);
            sockets.map(move |socket| (u64::from(socket), pid))
        };
        pids.iter().flat_map(of).collect()
    }

    /// Closes the sockets and files inside other namespaces: each keeps its namespace alive. Before a long
    /// time without a reading.
    pub fn let_go(&mut self) {
        self.links.let_go();
        self.sockets.let_go();
        self.protocols.let_go();
    }

    pub fn read(&mut self, question: &Question) -> SlowSample {
        let at = question.at;
        let mut notes: Vec<String> = self.accounting.take().into_iter().collect();
        let own = self.look_for_namespaces(at);
        notes.extend(self.not_found.iter().cloned());
        let parts = self.namespaces(own, question, &mut notes);
        if self.sockets.cost(question.sockets, self.others.len()) < AT_ONCE_NS {
            self.read_sockets(question);
        }
        if question.list_tasks && self.list_cost() < AT_ONCE_NS {
            self.list_tasks(at);
        }
        let later = std::mem::take(&mut self.later);
        notes.extend(later.notes);
        let proc = &self.proc;
        self.settings.look(proc, &self.others, at);
        let vlan_inside = self.settings.vlan_inside.map(|netns| {
            format!(
                "softnet_stat counts packets of VLAN devices in network namespace {netns} twice"
            )
        });
        let irqs = self.interrupts.read(proc, at).unwrap_or_else(|error| {
            notes.push(format!("cannot read the interrupt counts: {error}"));
            Vec::new()
        });
        // Nobody asks while nothing is counted by socket: then nothing is searched for either.
        let socket_users = match question.ownerless.as_slice() {
            [] => Vec::new(),
            wanted => self.sockets.users(proc, wanted, &question.pids),
        };
        let tasks = tasks::read(proc, &question.tasks, &self.settings.netns_names);
        SlowSample {
            at,
            softnet_inexact: self.inexact.values().next().cloned().or(vlan_inside),
            links: parts
                .devices
                .into_iter()
                .map(|device| device.link)
                .collect(),
            namespaces: parts.read,
            protocols: parts.protocols,
            tasks_complete: later.tasks.is_some(),
            tasks: with_others(tasks, later.tasks),
            irqs,
            sysctls: self.settings.sysctls.clone(),
            capture_sockets: sysctls::capture_sockets(proc),
            sysctls_inside: self.links.sysctls_inside(),
            irqbalance: Some(self.settings.irqbalance),
            sockets: later.sockets.map(Box::new),
            socket_users,
            netns_names: self.settings.netns_names.clone(),
            nodes: self.nodes.clone(),
            notes,
        }
    }

    /// What would have made the answer late: it is told with the next one.
    pub fn read_later(&mut self, question: &Question) {
        if self.sockets.cost(question.sockets, self.others.len()) >= AT_ONCE_NS {
            self.read_sockets(question);
        }
        if question.list_tasks && self.list_cost() >= AT_ONCE_NS {
            self.list_tasks(sys::monotonic_ns());
        }
    }

    fn read_sockets(&mut self, question: &Question) {
        let asked = (question.sockets, question.pids.as_slice());
        let own = netns::own(&self.proc).unwrap_or(0);
        let mut notes = Vec::new();
        let sockets = self
            .sockets
            .read(&self.proc, own, &self.others, asked, &mut notes);
        if let Some(sockets) = sockets {
            self.later.sockets = Some(sockets);
            self.later.notes = notes;
        }
    }

    /// What it takes to list all processes, ns.
    fn list_cost(&self) -> u64 {
        let guess = || {
            self.proc
                .pids()
                .map_or(0, |pids| pids.len() as u64 * TASK_NS)
        };
        self.listed.map_or_else(guess, |(_, took)| took)
    }

    fn list_tasks(&mut self, at: u64) {
        let due = self
            .listed
            .is_none_or(|(last, took)| at.saturating_sub(last) >= took.saturating_mul(LIST_SHARE));
        if let Some(pids) = self.proc.pids().ok().filter(|_| due) {
            let began = sys::monotonic_ns();
            self.later.tasks = Some(tasks::read(&self.proc, &pids, &self.settings.netns_names));
            self.listed = Some((at, sys::monotonic_ns() - began));
        }
    }

    /// Finds the other namespaces, and the own one.
    fn look_for_namespaces(&mut self, at: u64) -> u64 {
        let proc = &self.proc;
        let own = netns::own(proc);
        let tasks = proc.task_mark();
        let same = tasks.is_some() && tasks == self.tasks;
        let due = self.searched.is_none_or(|(last, took)| {
            at.saturating_sub(last) >= took.saturating_mul(SEARCH_SHARE)
        });
        let due = due && (!same || self.namespaces.is_due(at));
        if due || self.namespaces.has_new_name(proc) {
            let began = sys::monotonic_ns();
            let mut notes = Vec::new();
            self.others = match &own {
                Ok(own) => self.namespaces.others(proc, *own, at, &mut notes),
                Err(error) => {
                    notes.push(format!("cannot tell network namespaces apart: {error}"));
                    Vec::new()
                }
            };
            self.not_found = notes;
            self.searched = Some((at, sys::monotonic_ns() - began));
            self.tasks = tasks;
            self.links.retain(&self.others);
            let own = own.as_ref().copied().unwrap_or(0);
            self.protocols.retain(own, &self.others);
            let there = |netns: &u64| self.others.iter().any(|other| other.inode == *netns);
            self.inexact
                .retain(|netns, _| *netns == own || there(netns));
        }
        own.unwrap_or(0)
    }

    /// The counters of the own namespace, and of the others whose turn it is.
    fn namespaces(&mut self, own: u64, question: &Question, notes: &mut Vec<String>) -> Parts {
        let (proc, at) = (&self.proc, question.at);
        let first = self.turns.is_new();
        let mut plan = self.turns.plan(&self.others, &question.active, at);
        let mut set_ups = SetUps::new(sys::monotonic_ns, first);
        let mut parts = Parts::default();
        let now = sys::monotonic_ns();
        let devices = self.links.own(proc, own, at, notes);
        inexact(&mut self.inexact, own, &devices);
        parts.add(own, now, devices, self.protocols.own(proc, own, notes));
        while let Some(other) = plan.next(sys::monotonic_ns()) {
            let netns = other.inode;
            let now = sys::monotonic_ns();
            let devices = self
                .links
                .other(proc, &other, at, (&plan, &mut set_ups), notes);
            inexact(&mut self.inexact, netns, &devices);
            let keep = self.links.has_entered(netns);
            let protocols = self.protocols.other(proc, &other, keep, notes);
            let packets = (devices.iter())
                .flat_map(|device| [device.link.rx_packets, device.link.tx_packets])
                .fold(0, u64::saturating_add);
            self.turns.read(netns, now, packets);
            parts.add(netns, now, devices, protocols);
        }
        let unread = |netns| NetnsReading { netns, at: None };
        parts.read.extend(plan.left().map(unread));
        notes.extend(self.links.missing(self.others.len()));
        parts
    }
}

/// What was read beside an answer: by now, or since the one before.
#[derive(Default)]
struct Later {
    sockets: Option<SocketSample>,
    tasks: Option<Vec<TaskCounters>>,
    notes: Vec<String>,
}

/// The processes that were asked for, and all the others where they were listed. How long those waited
/// was not read at the time of this reading.
fn with_others(mut tasks: Vec<TaskCounters>, all: Option<Vec<TaskCounters>>) -> Vec<TaskCounters> {
    let known: FxHashSet<u32> = tasks.iter().map(|task| task.pid).collect();
    let others = all.into_iter().flatten();
    let others = others.filter(|task| !known.contains(&task.pid));
    tasks.extend(others.map(|task| TaskCounters {
        runq_ns: None,
        throttled: None,
        ..task
    }));
    tasks.sort_unstable_by_key(|task| task.pid);
    tasks
}

/// What was read of the namespaces.
#[derive(Default)]
struct Parts {
    read: Vec<NetnsReading>,
    devices: Vec<Device>,
    protocols: Vec<ProtocolCounters>,
}

impl Parts {
    fn add(
        &mut self,
        netns: u64,
        at: u64,
        devices: Vec<Device>,
        protocols: Option<ProtocolCounters>,
    ) {
        let at = Some(at);
        self.read.push(NetnsReading { netns, at });
        self.devices.extend(devices);
        self.protocols.extend(protocols);
    }
}

fn inexact(known: &mut BTreeMap<u64, String>, netns: u64, devices: &[Device]) {
    match stacked::why_inexact(devices) {
        Some(why) => known.insert(netns, why),
        None => known.remove(&netns),
    };
}

#[cfg(test)]
mod tests {
    use super::super::proc::tests::root_with;
    use super::*;

    #[test]
    fn on_an_empty_root_every_failure_is_a_note_and_nothing_panics() {
        let (_dir, proc) = root_with(&[]);
        let sample = SlowReader::new(proc).read(&Question {
            at: 5,
            tasks: vec![1],
            list_tasks: true,
            ownerless: vec![9],
            ..Question::default()
        });
        assert_eq!((sample.at, sample.tasks_complete), (5, false));
        assert!(sample.tasks.is_empty() && sample.irqs.is_empty());
        assert_eq!(sample.notes.len(), 2, "{:?}", sample.notes);
    }

    #[test]
    fn namespaces_are_searched_for_at_once_when_a_process_began_and_else_after_a_while() {
        let (_dir, proc) = root_with(&[("proc/loadavg", "0.1 0.1 0.1 1/80 5\n")]);
        let netns = |pid: &str, inode: u64| {
            let at = proc.path(&format!("proc/{pid}/ns"));
            std::fs::create_dir_all(&at).expect("a directory");
            std::os::unix::fs::symlink(format!("net:[{inode}]"), at.join("net")).expect("a link");
        };
        netns("self", 1);
        let mut reader = SlowReader::new(proc.clone());
        let mut found = |at: u64| {
            reader.look_for_namespaces(at);
            let others = reader.others.iter().map(|other| other.inode);
            others.collect::<Vec<_>>()
        };
        let second = 1_000_000_000;
        assert_eq!(found(100 * second), [0_u64; 0]);
        netns("7", 2);
        assert_eq!(found(102 * second), [0_u64; 0], "no process began");
        std::fs::write(proc.path("proc/loadavg"), "0.1 0.1 0.1 1/81 7\n").expect("a file");
        assert_eq!(found(103 * second), [2]);
        // The young one is looked at again.
        assert_eq!(found(104 * second), [2]);
        netns("9", 3);
        assert_eq!(found(109 * second), [2]);
        assert_eq!(found(110 * second), [2, 3]);
    }

    #[test]
    fn this_host_is_read_without_a_complaint_about_its_own_namespace() {
        let me = std::process::id();
        let mut reader = SlowReader::new(Proc::host());
        let sample = reader.read(&Question {
            tasks: vec![me],
            ..Question::default()
        });
        assert!(sample.links.iter().any(|link| link.name == "lo"));
        assert!(!sample.protocols.is_empty());
        assert_eq!(sample.tasks.iter().map(|t| t.pid).collect::<Vec<_>>(), [me]);
        let question = Question {
            at: 1,
            list_tasks: true,
            ..Question::default()
        };
        let mut everyone = reader.read(&question);
        if !everyone.tasks_complete {
            // Of thousands it would have made the answer late.
            reader.read_later(&question);
            everyone = reader.read(&question);
        }
        assert!(everyone.tasks_complete);
        assert!(everyone.tasks.iter().any(|task| task.pid == me));
    }
}
