//! What each drop reason of the kernel means (include/net/dropreason-core.h), how grave it is, and
//! what to look at next. Reasons come and go with every release: names are matched, never numbers,
//! and a name nobody knows here is classed by its family.

use super::drop::Class::{self, Expected, Look, Policy, Trouble};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    pub class: Class,
    /// What happened, one sentence.
    pub meaning: &'static str,
    /// What to look at or to type next.
    pub next: &'static str,
}

/// Names (a trailing `*`: all that begin so), class, meaning, next. The first that matches counts.
type Entry = (&'static [&'static str], Class, &'static str, &'static str);

#[rustfmt::skip]
static REASONS: &[Entry] = &[
    // Lost for lack of room or time.
    (&["SOCKET_RCVBUFF"], Trouble, "The socket's receive buffer was full: its reader is too slow or the buffer too small for the burst.", "ss -uampn shows Recv-Q and drops (d); then SO_RCVBUF, net.core.rmem_max, or the reader's CPU"),
    (&["PROTO_MEM"], Trouble, "The protocol's memory limit for the whole host was reached.", "sysctl net.ipv4.udp_mem net.ipv4.tcp_mem; cat /proc/net/sockstat"),
    (&["SOCKET_BACKLOG"], Trouble, "The socket was in use by its process and its backlog overflowed.", "ss -tmin of that socket: a process that holds its socket long; net.ipv4.tcp_rmem"),
    (&["TCP_LISTEN_OVERFLOW"], Trouble, "The accept queue of a listening socket was full: the server accepts too slowly.", "ss -ltn: Recv-Q against Send-Q; then the backlog of listen() and net.core.somaxconn"),
    (&["TCP_OVERWINDOW"], Trouble, "The peer sent beyond the window it was given.", "ss -ti of that connection; net.ipv4.tcp_rmem"),
    (&["TCP_OFO_QUEUE_PRUNE", "TCP_OFO_DROP"], Trouble, "Data that came out of order found no room and has to be sent again.", "nstat -az TcpExtOfoPruned TcpExtTCPRcvQDrop; net.ipv4.tcp_rmem; loss before this host"),
    (&["CPU_BACKLOG"], Trouble, "A CPU's backlog queue was full: it gets more than it can process (or the flow limit hit).", "/proc/net/softnet_stat; net.core.netdev_max_backlog; spread the load (RPS)"),
    (&["QDISC_BURST_DROP"], Trouble, "Too many packets came to a queueing discipline at once.", "sysctl net.core.qdisc_max_burst"),
    (&["QDISC_CONGESTED", "DUALPI2_STEP_DROP"], Policy, "The queueing discipline's congestion control dropped it to slow the sender down.", "tc -s qdisc: drops beside the backlog and the configured target"),
    (&["QDISC_*", "CAKE_FLOOD", "FQ_*"], Trouble, "The queueing discipline was full: more is sent than the device or the shaper lets through.", "tc -s qdisc show dev DEV: dropped, overlimits, backlog; then its limit or rate"),
    (&["FULL_RING"], Trouble, "The ring of a tun, tap or veth device was full: its reader is too slow.", "ip -s link; the process or guest behind the device"),
    (&["NOMEM", "PFMEMALLOC"], Trouble, "The kernel had no memory for it.", "vm.min_free_kbytes; dmesg for allocation failures; free -m"),
    (&["DEV_READY"], Trouble, "The device was down or not ready to send.", "ip link; the device's carrier"),
    (&["SKB_GSO_SEG"], Trouble, "A large packet could not be cut into segments.", "ethtool -k DEV; a tunnel or virtual device in the way"),
    (&["SKB_UCOPY_FAULT"], Trouble, "Its data could not be copied from or to the process.", "the process that owns the socket or the tap device"),
    (&["HDR_TRUNC"], Trouble, "Its headers could not be read from the fragments.", "the device that made it (tun, tap)"),
    (&["RECURSION_LIMIT", "TC_RECLASSIFY_LOOP"], Trouble, "It went round in a loop of devices or classifiers.", "ip -d link; tc filter show"),
    (&["MACVLAN_BROADCAST_BACKLOG", "IPVLAN_MULTICAST_BACKLOG"], Trouble, "The queue for broadcasts to macvlan or ipvlan devices was full.", "bcqueuelen of ip link; who sends so many broadcasts"),
    // A rule or a program.
    (&["NETFILTER_DROP"], Policy, "A firewall rule dropped it.", "nft list ruleset, iptables -nvL: the rule whose counter moves"),
    (&["XDP"], Policy, "An XDP program dropped it.", "ip -d link show dev DEV names the program; bpftool net"),
    (&["TC_INGRESS", "TC_EGRESS"], Policy, "A tc filter or BPF program on the device dropped it.", "tc -s filter show dev DEV ingress, egress; bpftool net"),
    (&["BPF_CGROUP_EGRESS"], Policy, "A BPF program of the sender's cgroup dropped it.", "bpftool cgroup tree"),
    (&["SECURITY_HOOK"], Policy, "A security module (SELinux, AppArmor …) dropped it.", "ausearch -m avc; dmesg"),
    (&["XFRM_POLICY"], Policy, "An IPsec policy dropped it.", "ip xfrm policy; cat /proc/net/xfrm_stat"),
    (&["TCP_MD5*", "TCP_AO*", "TCP_AUTH_HDR"], Policy, "Its TCP signature (MD5, AO) was missing or wrong.", "the peer's key; ss -tin"),
    (&["TCP_MINTTL"], Policy, "Its TTL was below the socket's minimum.", "the application that set IP_MINTTL"),
    (&["PSP_*"], Policy, "The encryption (PSP) of the connection did not let it pass.", "the keys of that connection"),
    // Part of normal work.
    (&["QUEUE_PURGE", "SOCKET_CLOSE", "UNIX_*"], Expected, "It was still queued when its socket or queue was closed.", "nothing, unless it goes with restarts of a process"),
    (&["OTHERHOST"], Expected, "It is for another host: the device listens to everything (promiscuous).", "ip -d link: promiscuity; who captures"),
    (&["UNHANDLED_PROTO"], Expected, "Nobody here speaks this protocol (LLDP, STP …).", "tcpdump -e -ni DEV for the ethertype"),
    (&["IPV6DISABLED"], Expected, "IPv6 is switched off here.", "sysctl net.ipv6.conf.all.disable_ipv6"),
    (&["SOCKET_FILTER", "TAP_FILTER", "TAP_TXFILTER"], Expected, "A socket's or tap device's own filter did its job.", "nothing, unless the application misses packets"),
    (&["MAC_IEEE_MAC_CONTROL"], Expected, "A control frame of the link layer.", "nothing; pause frames: ethtool -S DEV"),
    (&["BRIDGE_INGRESS_STP_STATE"], Expected, "The bridge port is not forwarding (spanning tree).", "bridge link"),
    (&["LOCAL_MAC"], Expected, "Its source address is one of this bridge's own.", "a loop, when there are many: bridge fdb"),
    (&["IPV6_NDISC_NS_OTHERHOST"], Expected, "A neighbour solicitation for another host.", "nothing"),
    // Configuration, peer, back-pressure.
    (&["NO_SOCKET"], Look, "No socket is bound there: a closed port, a service that is down, a scan.", "who sends it (tcpdump), and which service should listen (ss -lntup)"),
    (&["TCP_OLD_DATA", "TCP_OLD_SEQUENCE", "TCP_OLD_ACK", "TCP_OFOMERGE", "TCP_TOO_OLD_ACK"], Look, "Data or acknowledgement that was already there: somebody retransmits needlessly, or acks were lost or reordered.", "nstat -az TcpExtTCPDSACKRecv TcpExtTCPSpuriousRTOs on both sides"),
    (&["TCP_ZEROWINDOW"], Look, "The receiver's window was closed: its application reads too slowly (back-pressure).", "ss -tmin: the reader of that connection"),
    (&["TCP_RESET"], Look, "The connection was reset by the peer.", "nstat -az TcpEstabResets; the peer's application"),
    (&["TCP_RFC7323_*"], Look, "Its TCP timestamp was not valid (PAWS): old duplicates, or address translation that mixes hosts.", "nstat -az TcpExtPAWSEstab; NAT on the way"),
    (&["TCP_FASTOPEN"], Look, "A TCP Fast Open request that could not be used.", "nstat -az TcpExtTCPFastOpenPassiveFail"),
    (&["TCP_CSUM", "UDP_CSUM", "IP_CSUM", "ICMP_CSUM", "SKB_CSUM"], Look, "Its checksum was wrong: damaged on the way, or an offload that is broken.", "ethtool -k DEV (checksumming); ethtool -S DEV for errors"),
    (&["TCP_*"], Look, "TCP could not use it: flags, sequence or state did not fit the connection.", "nstat -az | grep TcpExt; ss -ti of that connection; the peer"),
    (&["IP_RPFILTER"], Look, "Its source address is not reachable by the device it came from (reverse path filter).", "sysctl net.ipv4.conf.all.rp_filter; ip route get SOURCE"),
    (&["IP_OUTNOROUTES", "IP_INNOROUTES"], Look, "There is no route to its destination.", "ip route get DESTINATION"),
    (&["IP_INADDRERRORS", "IP_LOCAL_SOURCE", "IP_INVALID_SOURCE", "IP_LOCALNET", "IP_INVALID_DEST", "MAC_INVALID_SOURCE"], Look, "Its address is not valid there.", "tcpdump -e -ni DEV: who sends it"),
    (&["IP_INHDR", "PKT_TOO_SMALL", "INVALID_PROTO", "DEV_HDR"], Look, "Its headers are damaged or too short.", "tcpdump -e -ni DEV; ethtool -S DEV for errors"),
    (&["IP_NOPROTO"], Look, "Nothing here handles the protocol inside its IP header.", "tcpdump -ni DEV; a missing module (gre, esp …)"),
    (&["UNICAST_IN_L2_MULTICAST"], Look, "A unicast IP packet in a multicast frame.", "switches and clusters that flood: tcpdump -e"),
    (&["PKT_TOO_BIG"], Look, "It is larger than the MTU of its way.", "ip link: MTU; tracepath DESTINATION"),
    (&["DUP_FRAG", "FRAG_*"], Look, "A fragment was doubled, too late or too far from the others.", "nstat -az IpReasmFails; net.ipv4.ipfrag_high_thresh; who sends fragments"),
    (&["NEIGH_*"], Look, "The next hop's hardware address is not known or does not answer.", "ip neigh; ip -s ntable (table overflow)"),
    (&["VXLAN_*", "IP_TUNNEL_ECN", "TUNNEL_TXINFO", "NO_TX_TARGET"], Look, "A tunnel or virtual device could not take it.", "ip -d link; bridge fdb; the tunnel's other end"),
    (&["ARP_PVLAN_DISABLE"], Look, "A reply of private-VLAN ARP proxying that would go back out of its port.", "sysctl net.ipv4.conf.all.proxy_arp_pvlan"),
    (&["IPV6_*"], Look, "IPv6 or its neighbour discovery found it not valid.", "nstat -az Icmp6InErrors; tcpdump -ni DEV icmp6"),
    (&["TC_*"], Look, "tc could not classify it.", "tc -s filter show dev DEV"),
    (&["PACKET_SOCK_ERROR"], Look, "A capture or packet socket could not take it.", "ss -0ampn; the program that captures"),
    (&["CAN*"], Look, "A CAN frame that is not valid.", "ip -d -s link show type can"),
    (&["NOT_SPECIFIED", "NOT_DROPPED_YET"], Look, "The kernel names no reason; the function that dropped it is the clue.", "the location, and the stacks: Enter"),
];

/// The families of names that are not in the table.
#[rustfmt::skip]
static SUBSYSTEMS: &[Entry] = &[
    (&["openvswitch"], Policy, "Open vSwitch dropped it.", "ovs-appctl coverage/show; ovs-dpctl dump-flows"),
    (&["mac80211"], Look, "The wireless stack did not use it.", "iw dev DEV station dump"),
];

const UNKNOWN: Known = Known {
    class: Look,
    meaning: "netop does not know this reason yet; the function that dropped it is the clue.",
    next: "the location, and the stacks: Enter",
};

/// `ping_rcv`: every reply to a raw socket's ping is also offered to ping sockets, which nobody has.
const PING: &str = "ping_rcv";

/// What is known of a reason, given the function that dropped.
pub fn known(reason: &str, location: Option<&str>) -> Known {
    if reason == "NO_SOCKET" && location.is_some_and(|l| l.trim_start_matches('_') == PING) {
        return Known {
            class: Expected,
            meaning: "The reply to a ping, which was also offered to ping sockets; nothing is lost.",
            next: "nothing",
        };
    }
    find(reason).unwrap_or(UNKNOWN)
}

fn find(reason: &str) -> Option<Known> {
    let matches = |pattern: &&str| match pattern.strip_suffix('*') {
        Some(prefix) => reason.starts_with(prefix),
        None => reason == *pattern,
    };
    let family = reason.split(':').next().unwrap_or(reason);
    let entry = (REASONS.iter())
        .find(|(names, ..)| names.iter().any(matches))
        .or_else(|| {
            SUBSYSTEMS
                .iter()
                .find(|(names, ..)| names.contains(&family))
        });
    entry.map(|&(_, class, meaning, next)| Known {
        class,
        meaning,
        next,
    })
}

/// Subsystems of a reason's upper 16 bits (include/net/dropreason.h). The second was mac80211's too
/// in 6.5; from 6.8 on it is Open vSwitch's.
pub fn subsystem(value: u64) -> Option<&'static str> {
    match value >> 16 & 0xffff {
        1 => Some("mac80211"),
        2 => Some("openvswitch"),
        3 => Some("QDISC_"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `{ 6, "SOCKET_RCVBUFF" }` of this kernel's print format; none without tracefs.
    fn of_this_kernel() -> Vec<String> {
        let file = "/sys/kernel/tracing/events/skb/kfree_skb/format";
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let names = text.split('"').skip(3).step_by(2);
        names
            .filter(|name| *name != "MAX")
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn every_reason_of_this_kernel_is_known_by_name_or_family() {
        for name in of_this_kernel() {
            assert!(find(&name).is_some(), "{name} has no class");
        }
    }

    #[test]
    fn classes_are_those_of_the_reference() {
        let class = |name| known(name, None).class;
        for trouble in [
            "SOCKET_RCVBUFF",
            "QDISC_DROP",
            "QDISC_OVERLIMIT",
            "FQ_BAND_LIMIT",
            "CPU_BACKLOG",
            "TCP_LISTEN_OVERFLOW",
            "PFMEMALLOC",
            "FULL_RING",
            "RECURSION_LIMIT",
        ] {
            assert_eq!(class(trouble), Trouble, "{trouble}");
        }
        for look in [
            "NO_SOCKET",
            "TCP_OLD_DATA",
            "TCP_OLD_ACK",
            "TCP_OFOMERGE",
            "TCP_ZEROWINDOW",
            "NOT_SPECIFIED",
            "UDP_CSUM",
            "NEIGH_FAILED",
            "TCP_FLAGS",
        ] {
            assert_eq!(class(look), Look, "{look}");
        }
        for policy in [
            "NETFILTER_DROP",
            "XDP",
            "TC_EGRESS",
            "TCP_MD5NOTFOUND",
            "QDISC_CONGESTED",
        ] {
            assert_eq!(class(policy), Policy, "{policy}");
        }
        for expected in [
            "QUEUE_PURGE",
            "UNHANDLED_PROTO",
            "UNIX_SKIP_OOB",
            "OTHERHOST",
        ] {
            assert_eq!(class(expected), Expected, "{expected}");
        }
    }

    #[test]
    fn a_pings_reply_is_no_loss_but_a_closed_port_is_one_to_look_at() {
        assert_eq!(known("NO_SOCKET", Some("ping_rcv")).class, Expected);
        assert_eq!(known("NO_SOCKET", Some("udp_unicast_rcv_skb")).class, Look);
    }

    #[test]
    fn names_of_tomorrow_are_classed_by_their_family() {
        assert_eq!(known("QDISC_NEW", None).class, Trouble);
        assert_eq!(known("TCP_SOMETHING_NEW", None).class, Look);
        assert_eq!(known("NEVER_HEARD_OF", None).class, Look);
        assert_eq!(known("openvswitch:0x20003", None).class, Policy);
        assert_eq!(subsystem(0x2_0003), Some("openvswitch"));
        assert_eq!(subsystem(6), None);
    }

    #[test]
    fn every_entry_says_what_it_means_and_what_to_do_next() {
        for (names, _, meaning, next) in REASONS.iter().chain(SUBSYSTEMS) {
            assert!(meaning.ends_with('.') && !next.is_empty(), "{names:?}");
        }
    }
}
