//! The losses that a counter of the kernel keeps, and the drop reasons that are the same packets:
//! so that each loss is one row, whoever saw it. What each counter means: signals.md 4.3.

use crate::model::{Class, Layer};

/// A loss that is counted host wide, over all network namespaces.
#[derive(Debug)]
pub struct Kind {
    pub place: &'static str,
    pub layer: Layer,
    pub unit: &'static str,
    pub class: Class,
    /// Their sum is the loss …
    pub counters: &'static [&'static str],
    /// … without these, which are in it and have rows of their own.
    pub minus: &'static [&'static str],
    /// Counters that hold these losses beside others.
    pub within: &'static [&'static str],
    /// The drop reasons of these packets, and what the dropping function's name begins with (without
    /// leading underscores); empty: any.
    pub reasons: &'static [&'static str],
    pub functions: &'static [&'static str],
    /// For those that no reason explains: what happened, and what to look at next.
    pub meaning: &'static str,
    pub next: &'static str,
}

const PLAIN: Kind = Kind {
    place: "",
    layer: Layer::Socket,
    unit: "datagrams",
    class: Class::Trouble,
    counters: &[],
    minus: &[],
    within: &[],
    reasons: &[],
    functions: &[],
    meaning: "",
    next: "",
};

const UDP: &[&str] = &["udp"];
const TCP: &[&str] = &["tcp"];
const UDP_ERRORS: &[&str] = &["Udp.InErrors", "Udp6.InErrors"];

pub static KINDS: &[Kind] = &[
    Kind {
        place: "socket buffer (UDP)",
        counters: &["Udp.RcvbufErrors", "Udp6.RcvbufErrors"],
        within: UDP_ERRORS,
        reasons: &["SOCKET_RCVBUFF"],
        functions: UDP,
        ..PLAIN
    },
    Kind {
        place: "udp_mem limit",
        counters: &["Udp.MemErrors", "Udp6.MemErrors"],
        within: UDP_ERRORS,
        reasons: &["PROTO_MEM"],
        functions: UDP,
        ..PLAIN
    },
    Kind {
        place: "bad checksum (UDP)",
        class: Class::Look,
        counters: &["Udp.InCsumErrors", "Udp6.InCsumErrors"],
        within: UDP_ERRORS,
        reasons: &["UDP_CSUM"],
        ..PLAIN
    },
    Kind {
        place: "closed port (UDP)",
        class: Class::Look,
        counters: &["Udp.NoPorts", "Udp6.NoPorts"],
        reasons: &["NO_SOCKET"],
        functions: UDP,
        ..PLAIN
    },
    Kind {
        place: "accept queue (TCP)",
        unit: "connection attempts",
        counters: &["TcpExt.ListenOverflows"],
        within: &["TcpExt.ListenDrops"],
        reasons: &["TCP_LISTEN_OVERFLOW"],
        meaning: "The accept queue of a listening socket was full: the server accepts too slowly. SYNs are dropped without any event.",
        next: "ss -ltn: Recv-Q against Send-Q; then the backlog of listen() and net.core.somaxconn",
        ..PLAIN
    },
    Kind {
        place: "SYN queue (TCP)",
        unit: "connection attempts",
        counters: &["TcpExt.TCPReqQFullDrop"],
        within: &["TcpExt.ListenDrops"],
        meaning: "The queue of half-open connections was full and SYN cookies are off.",
        next: "sysctl net.ipv4.tcp_syncookies net.ipv4.tcp_max_syn_backlog; ss -n state syn-recv",
        ..PLAIN
    },
    Kind {
        place: "connection attempts (TCP)",
        unit: "connection attempts",
        counters: &["TcpExt.ListenDrops"],
        minus: &["TcpExt.ListenOverflows", "TcpExt.TCPReqQFullDrop"],
        meaning: "A listening socket dropped a connection attempt, though its queues were not full: the SYN queue was three quarters full without SYN cookies, no memory, or no route back.",
        next: "nstat -az TcpExtListenDrops; ip route get PEER; free -m",
        ..PLAIN
    },
    Kind {
        place: "socket backlog (TCP)",
        unit: "segments",
        counters: &["TcpExt.TCPBacklogDrop"],
        reasons: &["SOCKET_BACKLOG"],
        ..PLAIN
    },
    Kind {
        place: "receive memory (TCP)",
        unit: "segments",
        counters: &["TcpExt.TCPRcvQDrop"],
        reasons: &["PROTO_MEM"],
        functions: TCP,
        ..PLAIN
    },
    Kind {
        place: "out-of-order queue (TCP)",
        unit: "segments",
        counters: &["TcpExt.OfoPruned"],
        within: &["TcpExt.PruneCalled"],
        reasons: &["TCP_OFO_QUEUE_PRUNE"],
        ..PLAIN
    },
    Kind {
        place: "zero window (TCP)",
        class: Class::Look,
        unit: "segments",
        counters: &["TcpExt.TCPZeroWindowDrop"],
        reasons: &["TCP_ZEROWINDOW"],
        ..PLAIN
    },
    Kind {
        place: "bad segment (TCP)",
        layer: Layer::Stack,
        class: Class::Look,
        unit: "segments",
        counters: &["Tcp.InErrs"],
        reasons: &["TCP_CSUM"],
        meaning: "TCP could not use it: a damaged header, a wrong checksum, or a state that it does not fit.",
        next: "nstat -az TcpInErrs TcpInCsumErrors; ethtool -k DEV (checksumming)",
        ..PLAIN
    },
    Kind {
        place: "ip input",
        layer: Layer::Stack,
        unit: "skbs",
        counters: &["Ip.InDiscards"],
        meaning: "IP had no memory for it.",
        next: "nstat -az IpInDiscards; free -m; vm.min_free_kbytes",
        ..PLAIN
    },
    Kind {
        place: "no route (IP)",
        layer: Layer::Stack,
        class: Class::Look,
        unit: "skbs",
        counters: &["Ip.OutNoRoutes"],
        reasons: &["IP_OUTNOROUTES"],
        ..PLAIN
    },
    Kind {
        place: "reassembly (IP)",
        layer: Layer::Stack,
        class: Class::Look,
        counters: &["Ip.ReasmFails"],
        reasons: &["FRAG_REASM_TIMEOUT"],
        ..PLAIN
    },
    Kind {
        place: "retransmits (TCP)",
        layer: Layer::Tcp,
        class: Class::Look,
        unit: "segments",
        counters: &["Tcp.RetransSegs"],
        meaning: "Segments sent again: lost here (see the rows above), on the way, at the peer, or only late.",
        next: "ss -ti: retrans by connection; the drops of this host beside it; nstat -az TcpExtTCPSpuriousRTOs",
        ..PLAIN
    },
];

impl Kind {
    /// These packets are this loss.
    pub fn is(&self, reason: &str, location: Option<&str>) -> bool {
        let function = location.map(|l| l.trim_start_matches('_'));
        let begins = |f: &str| self.functions.iter().any(|prefix| f.starts_with(prefix));
        self.reasons.contains(&reason) && (self.functions.is_empty() || function.is_none_or(begins))
    }
}

/// Reasons that a queueing discipline's own counter of drops holds too (signals.md 4.6).
pub fn by_qdisc(reason: &str) -> bool {
    ["QDISC_", "FQ_", "CAKE_", "DUALPI2_"]
        .iter()
        .any(|prefix| reason.starts_with(prefix))
}

/// Where a packet with this reason is lost.
pub fn layer_of(reason: &str) -> Layer {
    match reason {
        "CPU_BACKLOG" => Layer::Backlog,
        "XDP" => Layer::Xdp,
        "SOCKET_RCVBUFF"
        | "SOCKET_FILTER"
        | "SOCKET_CLOSE"
        | "PROTO_MEM"
        | "SOCKET_BACKLOG"
        | "TCP_ZEROWINDOW"
        | "TCP_OFO_QUEUE_PRUNE"
        | "TCP_OFO_DROP"
        | "TCP_LISTEN_OVERFLOW"
        | "PACKET_SOCK_ERROR"
        | "NO_SOCKET" => Layer::Socket,
        _ if by_qdisc(reason) => Layer::Qdisc,
        _ => Layer::Stack,
    }
}

/// The reasons with which the receiving or sending core also counts a device's drop.
pub const BY_DEVICE: &[&str] = &[
    "UNHANDLED_PROTO",
    "CPU_BACKLOG",
    "DEV_READY",
    "FULL_RING",
    "RECURSION_LIMIT",
    "NOMEM",
    "PFMEMALLOC",
];

/// What the function that gave it up belongs to, for the place of a row.
pub fn part_of(function: &str) -> Option<&'static str> {
    const PARTS: &[(&str, &str)] = &[
        ("tcp", "TCP"),
        ("udp", "UDP"),
        ("icmp", "ICMP"),
        ("ping", "ICMP"),
        ("raw", "raw"),
        ("ipv6", "IPv6"),
        ("ip6", "IPv6"),
        ("ndisc", "IPv6"),
        ("ip", "IP"),
        ("arp", "ARP"),
        ("neigh", "neighbour"),
        ("nf_", "netfilter"),
        ("packet_", "packet socket"),
        ("unix_", "unix socket"),
        ("br_", "bridge"),
        ("veth", "veth"),
        ("tun_", "tun"),
        ("netif_receive_skb", "receive"),
        ("netlink", "netlink"),
    ];
    let function = function.trim_start_matches('_');
    (PARTS.iter())
        .find(|(prefix, _)| function.starts_with(prefix))
        .map(|(_, part)| *part)
}
