//! The gate's programs, in the order of `enum event` of assets/bpf/gate.bpf.c, and the layout of
//! their samples (`struct hit` there) as the text of a `format` file, with each event's own names.

use std::fmt::Write;

use crate::decode::EventSpec;
use crate::sys::Program;

/// The compiled programs; .ci/run compares them with their source.
pub const OBJECT: &[u8] = include_bytes!("../../../assets/bpf/gate.bpf.o");

struct Observes {
    group: &'static str,
    event: &'static str,
    filter: Option<&'static str>,
    /// What its samples' `name`, `first` and `second` are called.
    name: &'static str,
    first: &'static str,
    second: &'static str,
}

const fn observes(
    group: &'static str,
    event: &'static str,
    [name, first, second]: [&'static str; 3],
) -> Observes {
    Observes {
        group,
        event,
        filter: None,
        name,
        first,
        second,
    }
}

const fn softirq(filter: &'static str) -> Observes {
    Observes {
        filter: Some(filter),
        ..observes("irq", "softirq_entry", PLAIN)
    }
}

const PLAIN: [&str; 3] = ["name", "first", "second"];
const CALL: [&str; 3] = ["name", "ret", "flags"];

const OBSERVES: [Observes; 16] = [
    observes("net", "net_dev_queue", PLAIN),
    observes("net", "net_dev_start_xmit", PLAIN),
    observes("napi", "napi_poll", ["dev_name", "work", "budget"]),
    observes("net", "napi_gro_receive_entry", PLAIN),
    observes("net", "napi_gro_frags_entry", PLAIN),
    observes("net", "netif_receive_skb", PLAIN),
    observes("net", "netif_rx", PLAIN),
    observes("skb", "kfree_skb", ["name", "reason", "second"]),
    observes("skb", "consume_skb", PLAIN),
    observes("sock", "sock_send_length", CALL),
    observes("sock", "sock_recv_length", CALL),
    observes("tcp", "tcp_retransmit_skb", PLAIN),
    softirq("vec == 3"),
    softirq("vec == 2"),
    observes("tcp", "tcp_probe", PLAIN),
    observes("sock", "sk_data_ready", PLAIN),
];

/// Names of the programs in the object; the kernel shows them as such.
const NAMES: [&str; OBSERVES.len()] = [
    "netop_queue",
    "netop_xmit",
    "netop_poll",
    "netop_gro",
    "netop_gro_frags",
    "netop_receive",
    "netop_rx",
    "netop_drop",
    "netop_consume",
    "netop_send",
    "netop_recv",
    "netop_retransmit",
    "netop_rx_action",
    "netop_tx_action",
    "netop_segment",
    "netop_ready",
];

/// The program of skb:kfree_skb.
const DROPS: usize = 7;

/// Programs before this one also count per device (`WITHOUT_DEVICE`).
pub const WITHOUT_DEVICE: usize = 8;

pub static PROGRAMS: [Program; OBSERVES.len()] = {
    let mut programs = [Program {
        name: "",
        richer: None,
        tracepoint: "",
    }; OBSERVES.len()];
    let mut index = 0;
    while index < OBSERVES.len() {
        programs[index] = Program {
            name: NAMES[index],
            richer: if index == DROPS {
                Some("netop_drop_sk")
            } else {
                None
            },
            tracepoint: OBSERVES[index].event,
        };
        index += 1;
    }
    programs
};

/// The program that counts what `spec` asks for.
pub fn observing(spec: &EventSpec) -> Option<usize> {
    OBSERVES.iter().position(|observes| {
        observes.group == spec.group
            && observes.event == spec.name
            && observes.filter == spec.filter.as_deref()
    })
}

/// The program of net:net_dev_queue.
pub const QUEUE: usize = 0;

/// The program of net:netif_receive_skb.
pub const RECEIVE_SKB: usize = 5;

/// The program of sock:sock_recv_length.
pub const RECEIVES: usize = 10;

/// Programs that run in the process that called.
pub const CALLS: [usize; 2] = [9, RECEIVES];

/// Programs that say for whose socket a softirq works.
pub const FOR_SOCKETS: [usize; 2] = [14, 15];

/// The layout of the program's samples.
pub fn format(program: usize) -> String {
    let Some(observes) = OBSERVES.get(program) else {
        // A breakpoint's say nothing.
        return format!("ID: {program}\n");
    };
    let fields = [
        ("u32", "ifindex", 8, 4, 0),
        ("u32", "netns", 12, 4, 0),
        ("u32", "len", 16, 4, 0),
        ("u32", "gso_segs", 20, 4, 0),
        ("int", observes.first, 24, 4, 1),
        ("int", observes.second, 28, 4, 1),
        ("u64", "owner", 32, 8, 0),
    ];
    let mut text = format!("name: {}\nID: {program}\nformat:\n", NAMES[program]);
    for (kind, name, offset, size, signed) in fields {
        let _infallible = writeln!(
            text,
            "\tfield:{kind} {name};\toffset:{offset};\tsize:{size};\tsigned:{signed};"
        );
    }
    let name = observes.name;
    let _infallible = writeln!(
        text,
        "\tfield:char {name}[16];\toffset:40;\tsize:16;\tsigned:0;"
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{Format, Span};

    #[test]
    fn every_field_of_a_sample_is_read_where_the_program_wrote_it() {
        let format = Format::parse(&format(2)).unwrap();
        let wanted = ["dev_name", "work", "budget"].map(str::to_owned);
        let (layout, missing) = format.bind(&wanted);
        assert!(missing.is_empty());
        let mut raw = [0u8; 56];
        raw[24..28].copy_from_slice(&7u32.to_le_bytes());
        raw[28..32].copy_from_slice(&64u32.to_le_bytes());
        raw[40..44].copy_from_slice(b"eth0");
        let values = layout.read(&raw, 0);
        assert_eq!(values[1..3], [7, 64]);
        assert_eq!(Span::unpack(values[0]), Span { start: 40, len: 16 });
    }

    #[test]
    fn the_object_has_every_program_that_the_source_names() {
        let source = include_str!("../../../assets/bpf/gate.bpf.c");
        let mut from = 0;
        for (name, observes) in NAMES.iter().zip(&OBSERVES) {
            let line = format!("SEC(\"tp_btf/{}\") int {name}(u64 *ctx)", observes.event);
            from += source[from..].find(&line).expect(&line);
            assert!(OBJECT.windows(name.len()).any(|w| w == name.as_bytes()));
        }
    }
}
