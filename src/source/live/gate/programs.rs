//! The gate's programs, in the order of `enum event` of assets/bpf/gate.bpf.c, and the layout of
//! their samples (`struct hit` there) as the text of a `format` file, with each event's own names.

use std::fmt::Write;

use crate::decode::EventSpec;
use crate::sys::Program;

/// The compiled programs; .ci/run compares them with their source.
pub const OBJECT: &[u8] = include_bytes!("../../../../assets/bpf/gate.bpf.o");

/// A program: one row says all that is special about it. Its number, slot and place in the kernel's maps
/// are its place in [`OBSERVES`].
struct Observes {
    /// Its name in the object, by which the kernel shows it.
    program: &'static str,
    /// One that tells more, which older kernels refuse.
    richer: Option<&'static str>,
    group: &'static str,
    event: &'static str,
    filter: Option<&'static str>,
    /// What its samples' `name`, `first` and `second` are called.
    says: [&'static str; 3],
    /// It counts per device too; those that do come first (`WITHOUT_DEVICE`).
    by_device: bool,
    role: Role,
}

/// What a program is to the gate, beside its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Plain,
    /// An skb is handed to a device.
    Send,
    /// It counts what softnet counts.
    Receive,
    /// It runs in the process that called.
    Call,
    /// The same, and it is what hits are priced with.
    PricedCall,
    /// It says for whose socket a softirq works.
    ForSocket,
}

const fn observes(program: &'static str, group: &'static str, event: &'static str) -> Observes {
    Observes {
        program,
        richer: None,
        group,
        event,
        filter: None,
        says: ["name", "first", "second"],
        by_device: false,
        role: Role::Plain,
    }
}

impl Observes {
    const fn by_device(self) -> Observes {
        Observes {
            by_device: true,
            ..self
        }
    }

    const fn role(self, role: Role) -> Observes {
        Observes { role, ..self }
    }

    const fn says(self, says: [&'static str; 3]) -> Observes {
        Observes { says, ..self }
    }

    const fn filter(self, filter: &'static str) -> Observes {
        Observes {
            filter: Some(filter),
            ..self
        }
    }

    const fn or(self, richer: &'static str) -> Observes {
        Observes {
            richer: Some(richer),
            ..self
        }
    }
}

const CALL: [&str; 3] = ["name", "ret", "flags"];

const OBSERVES: &[Observes] = &[
    observes("netop_queue", "net", "net_dev_queue")
        .by_device()
        .role(Role::Send),
    observes("netop_xmit", "net", "net_dev_start_xmit").by_device(),
    observes("netop_poll", "napi", "napi_poll")
        .by_device()
        .says(["dev_name", "work", "budget"]),
    observes("netop_gro", "net", "napi_gro_receive_entry").by_device(),
    observes("netop_gro_frags", "net", "napi_gro_frags_entry").by_device(),
    observes("netop_receive", "net", "netif_receive_skb")
        .by_device()
        .role(Role::Receive),
    observes("netop_rx", "net", "netif_rx").by_device(),
    observes("netop_drop", "skb", "kfree_skb")
        .by_device()
        .or("netop_drop_sk")
        .says(["name", "reason", "second"]),
    observes("netop_xmit_done", "net", "net_dev_xmit")
        .by_device()
        .says(["name", "rc", "second"]),
    observes("netop_consume", "skb", "consume_skb"),
    observes("netop_send", "sock", "sock_send_length")
        .says(CALL)
        .role(Role::Call),
    observes("netop_recv", "sock", "sock_recv_length")
        .says(CALL)
        .role(Role::PricedCall),
    observes("netop_retransmit", "tcp", "tcp_retransmit_skb"),
    observes("netop_rx_action", "irq", "softirq_entry").filter("vec == 3"),
    observes("netop_tx_action", "irq", "softirq_entry").filter("vec == 2"),
    observes("netop_segment", "tcp", "tcp_probe").role(Role::ForSocket),
    observes("netop_ready", "sock", "sk_data_ready").role(Role::ForSocket),
    observes("netop_reset_in", "tcp", "tcp_receive_reset"),
    observes("netop_reset_out", "tcp", "tcp_send_reset")
        .or("netop_reset_why")
        .says(["name", "reason", "second"]),
];

pub static PROGRAMS: [Program; OBSERVES.len()] = {
    let mut programs = [Program {
        name: "",
        richer: None,
        tracepoint: "",
        by_device: false,
    }; OBSERVES.len()];
    let mut index = 0;
    while index < OBSERVES.len() {
        let row = &OBSERVES[index];
        programs[index] = Program {
            name: row.program,
            richer: row.richer,
            tracepoint: row.event,
            by_device: row.by_device,
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

fn has(program: usize, roles: &[Role]) -> bool {
    (OBSERVES.get(program)).is_some_and(|observes| roles.contains(&observes.role))
}

/// It counts per device.
pub fn counts_devices(program: usize) -> bool {
    (OBSERVES.get(program)).is_some_and(|observes| observes.by_device)
}

/// It counts the skbs that are handed to devices.
pub fn sends(program: usize) -> bool {
    has(program, &[Role::Send])
}

/// It counts what softnet counts.
pub fn receives(program: usize) -> bool {
    has(program, &[Role::Receive])
}

/// It runs in the process that called.
pub fn is_call(program: usize) -> bool {
    has(program, &[Role::Call, Role::PricedCall])
}

/// The programs that do (`is_call`).
pub fn calls() -> impl Iterator<Item = usize> {
    (0..OBSERVES.len()).filter(|program| is_call(*program))
}

/// It says for whose socket a softirq works.
pub fn is_for_a_socket(program: usize) -> bool {
    has(program, &[Role::ForSocket])
}

/// What hits are priced with.
pub fn priced() -> Option<usize> {
    (0..OBSERVES.len()).find(|program| has(*program, &[Role::PricedCall]))
}

/// The layout of the program's samples.
pub fn format(program: usize) -> String {
    let Some(observes) = OBSERVES.get(program) else {
        // A breakpoint's say nothing.
        return format!("ID: {program}\n");
    };
    let [name, first, second] = observes.says;
    let fields = [
        ("u32", "ifindex", 8, 4, 0),
        ("u32", "netns", 12, 4, 0),
        ("u32", "len", 16, 4, 0),
        ("u32", "gso_segs", 20, 4, 0),
        ("int", first, 24, 4, 1),
        ("int", second, 28, 4, 1),
        ("u64", "owner", 32, 8, 0),
    ];
    let mut text = format!("name: {}\nID: {program}\nformat:\n", observes.program);
    for (kind, name, offset, size, signed) in fields {
        let _infallible = writeln!(
            text,
            "\tfield:{kind} {name};\toffset:{offset};\tsize:{size};\tsigned:{signed};"
        );
    }
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
    fn table_source_and_object_have_the_same_programs_in_the_same_order() {
        let source = include_str!("../../../../assets/bpf/gate.bpf.c");
        let object = |name: &str| OBJECT.windows(name.len()).any(|w| w == name.as_bytes());
        let section = |observes: &Observes, program: &str| {
            let event = observes.event;
            let line = format!("SEC(\"tp_btf/{event}\") int {program}(u64 *ctx)");
            assert!(source.contains(&line) && object(program), "{line}");
        };
        let (_, list) = source
            .split_once("enum event {\n")
            .expect("the list of events");
        let (list, _) = list
            .split_once("BREAKPOINTS")
            .expect("behind the last event");
        let slots: Vec<&str> = list
            .split(',')
            .map(str::trim)
            .filter(|slot| !slot.is_empty())
            .collect();
        let without = slots.iter().position(|slot| *slot == "WITHOUT_DEVICE");
        let slots: Vec<&str> = (slots.into_iter())
            .filter(|slot| *slot != "WITHOUT_DEVICE")
            .map(|slot| slot.split(" = ").next().unwrap_or(slot))
            .collect();
        let expected: Vec<String> = (OBSERVES.iter())
            .map(|observes| match observes.filter {
                None => observes.event.to_uppercase(),
                Some(_) => observes.program.replace("netop_", "net_").to_uppercase(),
            })
            .collect();
        assert_eq!(slots, expected);
        let by_device = OBSERVES.iter().take_while(|observes| observes.by_device);
        assert_eq!(without, Some(by_device.count()));
        assert!(
            !OBSERVES
                .iter()
                .skip(without.unwrap_or(0))
                .any(|o| o.by_device)
        );
        for observes in OBSERVES {
            section(observes, observes.program);
            if let Some(richer) = observes.richer {
                section(observes, richer);
            }
        }
    }
}
