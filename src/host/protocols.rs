//! Protocol counters of a network namespace that mean lost packets: /proc/PID/net/snmp, netstat
//! and snmp6. By name: the columns differ from kernel to kernel (signals.md 4.3).

use std::collections::BTreeMap;
use std::fs::File;
use std::io;

use rustc_hash::FxHashSet;

use super::fast::contents;
use super::netns::Netns;
use super::proc::Proc;
use crate::decode::ProtocolCounters;
use crate::sys::in_netns;

/// What is kept, by the group of its line.
const WANTED: [(&str, &[&str]); 5] = [
    (
        "Ip",
        &[
            "InDiscards",
            "OutDiscards",
            "OutNoRoutes",
            "ReasmFails",
            "ForwDatagrams",
        ],
    ),
    (
        "Tcp",
        &["InSegs", "RetransSegs", "OutSegs", "InErrs", "PassiveOpens"],
    ),
    ("Udp", UDP),
    ("Udp6", UDP),
    (
        "TcpExt",
        &[
            "ListenOverflows",
            "ListenDrops",
            "TCPBacklogDrop",
            "TCPRcvQDrop",
            "TCPReqQFullDrop",
            "PruneCalled",
            "RcvPruned",
            "OfoPruned",
            "TCPZeroWindowDrop",
            "TCPToZeroWindowAdv",
            "TCPReqQFullDoCookies",
            "TCPMemoryPressures",
            "TCPDSACKRecv",
            "IPReversePathFilter",
            "BusyPollRxPackets",
        ],
    ),
];

const UDP: &[&str] = &[
    "InDatagrams",
    "RcvbufErrors",
    "SndbufErrors",
    "MemErrors",
    "InErrors",
    "NoPorts",
    "InCsumErrors",
];

const FILES: [(&str, Parse); 3] = [("snmp", pairs), ("netstat", pairs), ("snmp6", udp6)];

type Parse = fn(&str, &mut Vec<(String, u64)>);

/// /proc shows no namespace that no process is in.
const NOWHERE: &str = "proc/0";

/// The files, kept open: each belongs to the namespace of the process that it was opened through.
#[derive(Default)]
pub struct Protocols {
    open: BTreeMap<u64, [Option<File>; 3]>,
    buffer: Vec<u8>,
}

impl Protocols {
    /// Closes what keeps namespaces alive.
    pub fn let_go(&mut self) {
        self.open.clear();
    }

    /// Forgets namespaces that are gone.
    pub fn retain(&mut self, own: u64, others: &[Netns]) {
        let there: FxHashSet<u64> = others.iter().map(|other| other.inode).collect();
        self.open
            .retain(|kept, _| *kept == own || there.contains(kept));
    }

    /// Of the own namespace.
    pub fn own(
        &mut self,
        proc: &Proc,
        own: u64,
        notes: &mut Vec<String>,
    ) -> Option<ProtocolCounters> {
        self.namespace(proc, "proc", own, notes)
    }

    /// Of another one; `keep`: its files may stay open.
    pub fn other(
        &mut self,
        proc: &Proc,
        other: &Netns,
        keep: bool,
        notes: &mut Vec<String>,
    ) -> Option<ProtocolCounters> {
        let at = other.in_proc(proc).unwrap_or_else(|| {
            self.open_inside(proc, other);
            NOWHERE.to_owned()
        });
        let counters = self.namespace(proc, &at, other.inode, notes);
        if !keep {
            self.open.remove(&other.inode);
        }
        counters
    }

    /// Opens the files of a namespace that nobody is in, where they are not open yet. One that may not be
    /// entered has none: reading its devices says why.
    fn open_inside(&mut self, proc: &Proc, other: &Netns) {
        let files = self.open.entry(other.inode).or_default();
        if files.iter().any(Option::is_some) {
            return;
        }
        let Ok(netns) = other.open(proc) else { return };
        let open = |(name, _)| proc.open(&format!("proc/thread-self/net/{name}")).ok();
        if let Ok(opened) = in_netns(&netns, || FILES.map(open)) {
            *files = opened;
        }
    }

    /// Counters of the namespace at `at` (`proc` or `proc/PID`); `None` when its process ended.
    fn namespace(
        &mut self,
        proc: &Proc,
        at: &str,
        netns: u64,
        notes: &mut Vec<String>,
    ) -> Option<ProtocolCounters> {
        let mut counters = Vec::new();
        let mut failed = None;
        let files = self.open.entry(netns).or_default();
        for ((name, parse), file) in FILES.into_iter().zip(files) {
            let path = format!("{at}/net/{name}");
            match text(proc, &path, file, &mut self.buffer) {
                Ok(text) => parse(text, &mut counters),
                Err(error) => {
                    *file = None;
                    // IPv6 may be off; a process may end.
                    if error.kind() != io::ErrorKind::NotFound {
                        failed = Some(format!("cannot read /{path}: {error}"));
                    }
                }
            }
        }
        notes.extend(failed);
        (!counters.is_empty()).then_some(ProtocolCounters { netns, counters })
    }
}

/// The file's text of now: from its start, the kernel writes it anew.
fn text<'a>(
    proc: &Proc,
    path: &str,
    file: &mut Option<File>,
    buffer: &'a mut Vec<u8>,
) -> io::Result<&'a str> {
    let file = match file {
        Some(open) => open,
        None => file.insert(proc.open(path)?),
    };
    if buffer.is_empty() {
        buffer.resize(16 << 10, 0);
    }
    contents(file, buffer)
}

fn wanted(group: &str, name: &str) -> bool {
    WANTED
        .iter()
        .any(|(known, names)| *known == group && names.contains(&name))
}

/// Pairs of lines: `Udp: InDatagrams NoPorts …`, `Udp: 12 0 …`.
fn pairs(text: &str, counters: &mut Vec<(String, u64)>) {
    let mut lines = text.lines();
    while let (Some(names), Some(values)) = (lines.next(), lines.next()) {
        let (Some((group, names)), Some((same, values))) =
            (names.split_once(':'), values.split_once(':'))
        else {
            continue;
        };
        if group != same {
            continue;
        }
        for (name, value) in names
            .split_ascii_whitespace()
            .zip(values.split_ascii_whitespace())
        {
            if wanted(group, name)
                && let Ok(value) = value.parse()
            {
                counters.push((format!("{group}.{name}"), value));
            }
        }
    }
}

/// One per line: `Udp6RcvbufErrors    0`.
fn udp6(text: &str, counters: &mut Vec<(String, u64)>) {
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        if let (Some(name), Some(value)) = (words.next(), words.next())
            && let Some(name) = name.strip_prefix("Udp6")
            && wanted("Udp6", name)
            && let Ok(value) = value.parse()
        {
            counters.push((format!("Udp6.{name}"), value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::proc::tests::root_with;
    use super::*;

    const SNMP: &str = "Ip: Forwarding InDiscards ReasmFails\nIp: 1 2 3\n\
        Tcp: MaxConn OutSegs RetransSegs\nTcp: -1 40 5\n\
        Udp: InDatagrams NoPorts InErrors RcvbufErrors\nUdp: 9 8 7 6\n\
        UdpLite: RcvbufErrors\nUdpLite: 99\n";
    const NETSTAT: &str = "TcpExt: SyncookiesSent ListenOverflows\nTcpExt: 1 8\n";
    const SNMP6: &str = "Ip6InReceives 4\nUdp6RcvbufErrors 11\nUdpLite6RcvbufErrors 5\n";

    #[test]
    fn lost_packets_are_found_by_name_and_nothing_else_is_kept() {
        let (_dir, proc) = root_with(&[
            ("proc/7/net/snmp", SNMP),
            ("proc/7/net/netstat", NETSTAT),
            ("proc/7/net/snmp6", SNMP6),
        ]);
        let mut notes = Vec::new();
        let mut protocols = Protocols::default();
        let read = protocols.namespace(&proc, "proc/7", 5, &mut notes);
        let read = read.expect("counters");
        let expected = [
            ("Ip.InDiscards", 2),
            ("Ip.ReasmFails", 3),
            ("Tcp.OutSegs", 40),
            ("Tcp.RetransSegs", 5),
            ("Udp.InDatagrams", 9),
            ("Udp.NoPorts", 8),
            ("Udp.InErrors", 7),
            ("Udp.RcvbufErrors", 6),
            ("TcpExt.ListenOverflows", 8),
            ("Udp6.RcvbufErrors", 11),
        ];
        let expected: Vec<_> = expected.map(|(n, v)| (n.to_owned(), v)).into();
        assert_eq!((read.netns, read.counters), (5, expected));
        let newer = SNMP.replace("Udp: 9 8", "Udp: 10 8");
        std::fs::write(proc.path("proc/7/net/snmp"), newer).expect("file");
        let read = protocols.namespace(&proc, "proc/7", 5, &mut notes);
        assert_eq!(read.expect("counters").counters[4].1, 10);
        assert_eq!(notes, Vec::<String>::new());
    }

    #[test]
    fn a_process_that_ended_has_no_counters_and_no_note() {
        let (_dir, proc) = root_with(&[]);
        let mut notes = Vec::new();
        let mut protocols = Protocols::default();
        assert_eq!(protocols.namespace(&proc, "proc/7", 5, &mut notes), None);
        assert_eq!(notes, Vec::<String>::new());
    }

    #[test]
    fn any_truncation_is_survived() {
        for text in [SNMP, NETSTAT, SNMP6] {
            for end in 0..text.len() {
                let mut counters = Vec::new();
                pairs(&text[..end], &mut counters);
                udp6(&text[..end], &mut counters);
                assert!(counters.len() < 10);
            }
        }
    }

    #[test]
    fn this_kernel_has_the_counters_the_loss_line_needs() {
        let mut notes = Vec::new();
        let mut protocols = Protocols::default();
        let read = protocols
            .own(&Proc::host(), 1, &mut notes)
            .expect("counters");
        for name in ["Udp.RcvbufErrors", "TcpExt.ListenOverflows", "Tcp.OutSegs"] {
            assert!(read.counters.iter().any(|(n, _)| n == name), "{name}");
        }
    }
}
