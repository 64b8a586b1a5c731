//! The faults, the loads beside them, and the healthy loads.

use crate::lab::{Case, Load};

const PLAIN: Case = Case {
    name: "",
    expect: &[],
    setup: &[],
    host: &[],
    traffic: &[],
    quick: false,
};

/// A stream through the pair at full speed.
const BULK: [(char, &str, usize); 2] = [
    ('b', "tcp-fast 10.99.0.2:9100", 0),
    ('a', "tcp-stream 10.99.0.2:9100", 1),
];

pub static LOADS: &[Load] = &[
    Load {
        name: "",
        traffic: &[],
    },
    Load {
        name: "+ requests",
        traffic: &[
            ('b', "udp-answer 10.99.0.2:9200", 0),
            ('a', "udp-ask 10.99.0.2:9200 1000", 1),
        ],
    },
    Load {
        name: "+ trickle",
        traffic: &[
            ('b', "tcp-fast 10.99.0.2:9300", 0),
            ('a', "tcp-trickle 10.99.0.2:9300", 1),
        ],
    },
];

pub static FAULTS: &[Case] = &[
    Case {
        name: "tiny UDP buffer",
        expect: &["A27"],
        traffic: &[
            ('b', "udp-deaf 10.99.0.2:9000", 0),
            ('a', "udp-ask 10.99.0.2:9000 2000", 1),
        ],
        quick: true,
        ..PLAIN
    },
    Case {
        name: "sleepy UDP reader",
        expect: &["A27"],
        traffic: &[
            ('b', "udp-sleepy 10.99.0.2:9000 400", 0),
            ('a', "udp-ask 10.99.0.2:9000 4000", 1),
        ],
        ..PLAIN
    },
    Case {
        name: "UDP flood",
        expect: &["A27"],
        setup: &[],
        traffic: &[
            ('b', "udp-deaf 10.99.0.2:9000", 0),
            ('a', "udp-flood 10.99.0.1:0 10.99.0.2:9000 60", 1),
        ],
        ..PLAIN
    },
    Case {
        name: "nobody accepts",
        expect: &["A30"],
        traffic: &[
            ('b', "tcp-full 10.99.0.2:9000", 0),
            ('a', "tcp-knock 10.99.0.2:9000 40", 40),
        ],
        quick: true,
        ..PLAIN
    },
    Case {
        name: "SYN queue full",
        expect: &["A31"],
        setup: &[
            ('b', "echo 0 > /proc/sys/net/ipv4/tcp_syncookies"),
            ('b', "echo 8 > /proc/sys/net/ipv4/tcp_max_syn_backlog"),
            // The answers go to a host that is not there.
            (
                'b',
                "ip neigh replace 10.99.0.1 lladdr 02:00:00:00:00:99 dev {vb} nud permanent",
            ),
        ],
        traffic: &[
            ('b', "tcp-listen 10.99.0.2:9000 8", 0),
            ('a', "tcp-knock 10.99.0.2:9000 40", 40),
        ],
        ..PLAIN
    },
    Case {
        name: "backlog full behind RPS",
        expect: &["A02"],
        setup: &[('b', "echo 2 > /sys/class/net/{vb}/queues/rx-0/rps_cpus")],
        host: &[("net.core.netdev_max_backlog", "4")],
        traffic: &[
            ('b', "udp-receive 10.99.0.2:9000", 0),
            ('a', "udp-flood 10.99.0.1:0 10.99.0.2:9000 60", 1),
        ],
        ..PLAIN
    },
    Case {
        name: "TSO off, veth without GRO",
        expect: &["A11", "A15"],
        setup: &[('a', "offloads {va} tso=0 gso=0")],
        traffic: &BULK,
        ..PLAIN
    },
    Case {
        name: "TSO off, GSO cuts",
        expect: &["A11", "A15"],
        setup: &[('a', "offloads {va} tso=0")],
        traffic: &BULK,
        ..PLAIN
    },
    Case {
        name: "checksums by the CPU",
        expect: &["A14", "A15"],
        setup: &[('a', "offloads {va} tx=0")],
        traffic: &BULK,
        ..PLAIN
    },
    Case {
        name: "short pfifo under a shaper",
        expect: &["A23"],
        setup: &[
            (
                'a',
                "tc qdisc add dev {va} root handle 1: tbf rate 4mbit burst 4k limit 400k",
            ),
            (
                'a',
                "tc qdisc add dev {va} parent 1:1 handle 2: pfifo limit 5",
            ),
        ],
        traffic: &[
            ('b', "udp-receive 10.99.0.2:9000", 0),
            ('a', "udp-ask 10.99.0.2:9000 9000", 1),
        ],
        quick: true,
        ..PLAIN
    },
    Case {
        name: "shaper",
        expect: &["A23"],
        setup: &[(
            'a',
            "tc qdisc add dev {va} root tbf rate 4mbit burst 4k limit 6k",
        )],
        traffic: &[
            ('b', "udp-receive 10.99.0.2:9000", 0),
            ('a', "udp-ask 10.99.0.2:9000 9000", 1),
        ],
        ..PLAIN
    },
    Case {
        name: "TCP against a short queue",
        expect: &["A23", "A32"],
        setup: &[(
            'a',
            "tc qdisc add dev {va} root tbf rate 50mbit burst 64k limit 64k",
        )],
        traffic: &BULK,
        ..PLAIN
    },
    Case {
        name: "neighbour does not answer",
        expect: &["A42"],
        traffic: &[('a', "udp-ask 10.99.0.77:9000 500", 1)],
        quick: true,
        ..PLAIN
    },
    Case {
        name: "reverse path filter",
        expect: &["A43"],
        setup: &[
            ('b', "echo 1 > /proc/sys/net/ipv4/conf/all/rp_filter"),
            ('a', "ip addr add 10.77.0.1/32 dev lo"),
            ('a', "ip route replace 10.99.0.2/32 dev {va} src 10.77.0.1"),
        ],
        traffic: &[
            ('b', "udp-receive 10.99.0.2:9000", 0),
            ('a', "udp-ask 10.99.0.2:9000 500", 1),
        ],
        quick: true,
        ..PLAIN
    },
    Case {
        name: "frames nobody wants",
        expect: &["A44"],
        traffic: &[('a', "frames {va} 200", 400)],
        ..PLAIN
    },
    Case {
        name: "capture socket",
        expect: &["A40"],
        traffic: &[
            ('b', "capture {vb}", 0),
            ('b', "capture {vb}", 0),
            ('b', "udp-receive 10.99.0.2:9000", 0),
            ('a', "udp-flood 10.99.0.1:0 10.99.0.2:9000 60", 1),
        ],
        ..PLAIN
    },
    Case {
        name: "slow TCP reader",
        expect: &["A28"],
        traffic: &[
            ('b', "tcp-slow 10.99.0.2:9000", 0),
            ('a', "tcp-stream 10.99.0.2:9000", 1),
        ],
        quick: true,
        ..PLAIN
    },
];

pub static HEALTHY: &[Case] = &[
    Case {
        name: "idle",
        ..PLAIN
    },
    Case {
        name: "TCP bulk",
        traffic: &BULK,
        ..PLAIN
    },
    Case {
        name: "requests",
        traffic: &[
            ('b', "udp-answer 10.99.0.2:9000", 0),
            ('a', "udp-ask 10.99.0.2:9000 2000", 1),
        ],
        quick: true,
        ..PLAIN
    },
    Case {
        name: "many requests",
        traffic: &[
            ('b', "udp-answer 10.99.0.2:9000", 0),
            ('a', "udp-ask 10.99.0.2:9000 8000", 1),
        ],
        ..PLAIN
    },
    Case {
        name: "trickle",
        traffic: &[
            ('b', "tcp-fast 10.99.0.2:9000", 0),
            ('a', "tcp-trickle 10.99.0.2:9000", 1),
        ],
        quick: true,
        ..PLAIN
    },
    Case {
        name: "shaped TCP, deep queue",
        setup: &[(
            'a',
            "tc qdisc add dev {va} root tbf rate 200mbit burst 128k limit 8m",
        )],
        traffic: &BULK,
        ..PLAIN
    },
    Case {
        name: "a long queue that is not full",
        setup: &[('a', "tc qdisc add dev {va} root pfifo limit 2000")],
        traffic: &BULK,
        ..PLAIN
    },
    Case {
        name: "bulk and requests",
        traffic: &[
            BULK[0],
            BULK[1],
            ('b', "udp-answer 10.99.0.2:9000", 0),
            ('a', "udp-ask 10.99.0.2:9000 500", 1),
        ],
        ..PLAIN
    },
    Case {
        name: "RPS without a flood",
        setup: &[('b', "echo 2 > /sys/class/net/{vb}/queues/rx-0/rps_cpus")],
        traffic: &[
            ('b', "udp-answer 10.99.0.2:9000", 0),
            ('a', "udp-ask 10.99.0.2:9000 2000", 1),
        ],
        quick: true,
        ..PLAIN
    },
    Case {
        name: "a capture beside little traffic",
        traffic: &[
            ('b', "capture {vb}", 0),
            ('b', "udp-answer 10.99.0.2:9000", 0),
            ('a', "udp-ask 10.99.0.2:9000 500", 1),
        ],
        ..PLAIN
    },
];
