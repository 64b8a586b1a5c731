//! Everything that is too slow for the tick: one call reads it all. What fails is a note, and the
//! rest is read all the same.

use super::links::Links;
use super::netns::{self, Namespaces};
use super::proc::Proc;
use super::settings::Settings;
use super::socket_owners::sockets_of;
use super::sockets::Sockets;
use super::{accounting, interrupts, nodes, protocols, stacked, sysctls, tasks};
use crate::decode::SlowSample;
use crate::sys;

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
}

pub struct SlowReader {
    proc: Proc,
    links: Links,
    namespaces: Namespaces,
    sockets: Sockets,
    /// What is to be known of this kernel's CPU accounting; said with the first reading.
    accounting: Option<String>,
    nodes: Vec<(u32, u32)>,
    interrupts: interrupts::Interrupts,
    settings: Settings,
    protocols: protocols::Protocols,
}

impl SlowReader {
    pub fn new(proc: Proc) -> SlowReader {
        SlowReader {
            accounting: accounting::apart(&proc),
            nodes: nodes::read(&proc),
            proc,
            links: Links::default(),
            namespaces: Namespaces::default(),
            interrupts: interrupts::Interrupts::default(),
            settings: Settings::default(),
            protocols: protocols::Protocols::default(),
            sockets: Sockets::new(sys::monotonic_ns),
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
        let proc = &self.proc;
        let mut notes: Vec<String> = self.accounting.take().into_iter().collect();
        let own = netns::own(proc);
        let others = match &own {
            Ok(own) => self.namespaces.others(proc, *own, at, &mut notes),
            Err(error) => {
                notes.push(format!("cannot tell network namespaces apart: {error}"));
                Vec::new()
            }
        };
        let own = own.unwrap_or(0);
        let sockets = self.sockets.read(
            proc,
            own,
            &others,
            (question.sockets, &question.pids),
            &mut notes,
        );
        let mut devices = self.links.own(proc, own, at, &mut notes);
        devices.extend(self.links.others(proc, &others, at, &mut notes));
        self.settings.look(proc, &others, at);
        let protocols = self.protocols.read(proc, own, &others, &mut notes);
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
            wanted => self.sockets.users(proc, wanted),
        };
        let everyone = if question.list_tasks {
            proc.pids().ok()
        } else {
            None
        };
        SlowSample {
            at,
            softnet_inexact: stacked::why_inexact(&devices).or(vlan_inside),
            links: devices.into_iter().map(|device| device.link).collect(),
            protocols,
            tasks: tasks::read(
                proc,
                everyone.as_deref().unwrap_or(&question.tasks),
                &self.settings.netns_names,
            ),
            tasks_complete: everyone.is_some(),
            irqs,
            sysctls: self.settings.sysctls.clone(),
            capture_sockets: sysctls::capture_sockets(proc),
            sysctls_inside: self.links.sysctls_inside(),
            irqbalance: Some(self.settings.irqbalance),
            sockets: sockets.map(Box::new),
            socket_users,
            netns_names: self.settings.netns_names.clone(),
            nodes: self.nodes.clone(),
            notes,
        }
    }
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
        let everyone = reader.read(&Question {
            at: 1,
            list_tasks: true,
            ..Question::default()
        });
        assert!(everyone.tasks_complete);
        assert!(everyone.tasks.iter().any(|task| task.pid == me));
    }
}
