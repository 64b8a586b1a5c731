//! Ends of send and receive system calls, in the caller's own context
//! (include/trace/events/sock.h, since 6.5).

use super::alias::{Alias, means};
use super::{Fields, Flow, Probe, What, Whose, event};
use crate::decode::EventSpec;
use crate::model::Direction;

pub struct SendLength;
pub struct RecvLength;

/// MSG_PEEK of linux/socket.h: the bytes stay in the queue and are not counted twice.
const MSG_PEEK: i64 = 2;

fn length(name: &str) -> Vec<EventSpec> {
    vec![event("sock", name, &["ret", "flags", "sk"], None)]
}

fn call<'a>(fields: &Fields<'a>, flow: Flow) -> What<'a> {
    let (ret, flags) = (fields.number(0), fields.number(1));
    let bytes = if ret > 0 && flags & MSG_PEEK == 0 {
        ret as f64
    } else {
        0.0
    };
    What {
        bytes: Some(bytes),
        flow: Some(flow),
        socket: fields.number(2) as u64,
        ..What::default()
    }
}

impl Probe for SendLength {
    fn function(&self) -> &'static str {
        "sock_send_length"
    }

    fn doc(&self) -> &'static str {
        "One send call on a socket returned (any family); per hit: bytes taken."
    }

    fn events(&self) -> Vec<EventSpec> {
        length("sock_send_length")
    }

    fn symbols(&self) -> &'static [&'static str] {
        &[
            "sock_sendmsg",
            "__sock_sendmsg",
            "sock_write_iter",
            "__sys_sendto",
            "____sys_sendmsg",
            "inet_sendmsg",
            "inet6_sendmsg",
        ]
    }

    fn direction(&self) -> Direction {
        Direction::Tx
    }

    fn whose(&self) -> Whose {
        Whose::Caller
    }

    fn since(&self) -> &'static str {
        "6.5"
    }

    fn aliases(&self) -> &'static [Alias] {
        const {
            &[means(
                &[
                    "tcp_sendmsg",
                    "udp_sendmsg",
                    "sock_sendmsg",
                    "inet_sendmsg",
                    "sendmsg",
                    "send",
                ],
                "No tracepoint of that name; showing sock_send_length: send calls of all sockets.",
            )]
        }
    }

    fn priority(&self) -> u8 {
        5
    }

    fn decode<'a>(&self, fields: Fields<'a>) -> What<'a> {
        call(&fields, Flow::Tx)
    }
}

impl Probe for RecvLength {
    fn function(&self) -> &'static str {
        "sock_recv_length"
    }

    fn doc(&self) -> &'static str {
        "One receive call on a socket returned (any family); per hit: bytes given."
    }

    fn events(&self) -> Vec<EventSpec> {
        length("sock_recv_length")
    }

    fn symbols(&self) -> &'static [&'static str] {
        &[
            "sock_recvmsg",
            "sock_read_iter",
            "__sys_recvfrom",
            "____sys_recvmsg",
            "inet_recvmsg",
            "inet6_recvmsg",
        ]
    }

    fn direction(&self) -> Direction {
        Direction::Rx
    }

    fn whose(&self) -> Whose {
        Whose::Caller
    }

    fn since(&self) -> &'static str {
        "6.5"
    }

    fn aliases(&self) -> &'static [Alias] {
        const {
            &[means(
                &[
                    "tcp_recvmsg",
                    "udp_recvmsg",
                    "sock_recvmsg",
                    "inet_recvmsg",
                    "recvmsg",
                    "recv",
                ],
                "No tracepoint of that name; showing sock_recv_length: receive calls of all sockets.",
            )]
        }
    }

    fn timed(&self) -> f64 {
        1.0
    }

    fn priority(&self) -> u8 {
        4
    }

    fn decode<'a>(&self, fields: Fields<'a>) -> What<'a> {
        call(&fields, Flow::Rx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{Batch, EventId, Sample, Span};

    fn bytes_of(ret: i64, flags: u64) -> Option<f64> {
        let sample = Sample {
            event: EventId(0),
            cpu: 0,
            pid: 1,
            tid: 1,
            time: 0,
            period: 1,
            chain: Span::default(),
            raw: Span::default(),
            owner: 0,
            values: [ret as u64, flags, 0, 0],
        };
        let batch = Batch::default();
        RecvLength
            .decode(Fields {
                sample: &sample,
                batch: &batch,
            })
            .bytes
    }

    #[test]
    fn errors_and_peeks_carry_no_bytes() {
        assert_eq!(bytes_of(1400, 0), Some(1400.0));
        assert_eq!(bytes_of(-11, 0), Some(0.0));
        assert_eq!(bytes_of(1400, 2), Some(0.0));
    }
}
