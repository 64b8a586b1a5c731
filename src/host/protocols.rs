//! Protocol counters of a network namespace that mean lost packets: /proc/PID/net/snmp, netstat
//! and snmp6. By name: the columns differ from kernel to kernel (signals.md 4.3).

use std::io;

use super::proc::Proc;
use crate::decode::ProtocolCounters;

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

/// Counters of the namespace at `at` (`proc` or `proc/PID`); `None` when its process ended.
pub fn read(
    proc: &Proc,
    at: &str,
    netns: u64,
    notes: &mut Vec<String>,
) -> Option<ProtocolCounters> {
    let mut counters = Vec::new();
    let mut failed = None;
    for (file, parse) in [
        ("snmp", pairs as fn(&str, &mut Vec<(String, u64)>)),
        ("netstat", pairs),
        ("snmp6", udp6),
    ] {
        match proc.text(&format!("{at}/net/{file}")) {
            Ok(text) => parse(&text, &mut counters),
            // IPv6 may be off; a process may end.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => failed = Some(format!("cannot read /{at}/net/{file}: {error}")),
        }
    }
    notes.extend(failed);
    (!counters.is_empty()).then_some(ProtocolCounters { netns, counters })
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
        let read = read(&proc, "proc/7", 5, &mut notes).expect("counters");
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
        assert_eq!(notes, Vec::<String>::new());
    }

    #[test]
    fn a_process_that_ended_has_no_counters_and_no_note() {
        let (_dir, proc) = root_with(&[]);
        let mut notes = Vec::new();
        assert_eq!(read(&proc, "proc/7", 5, &mut notes), None);
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
        let read = read(&Proc::host(), "proc", 1, &mut notes).expect("counters");
        for name in ["Udp.RcvbufErrors", "TcpExt.ListenOverflows", "Tcp.OutSegs"] {
            assert!(read.counters.iter().any(|(n, _)| n == name), "{name}");
        }
    }
}
