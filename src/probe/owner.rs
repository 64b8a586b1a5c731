//! Who can be named for a hit, and the two events that say for whom a softirq has worked
//! (include/trace/events/tcp.h, sock.h): they belong to no row.

use super::event;
use crate::decode::{Event, EventSpec};

/// Who can be named for a hit, beside the task that ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// It happens in the process that it is for.
    Caller,
    /// The owner of the packet's socket, whoever ran.
    Socket,
    /// Nobody yet: the packet has not come to its socket.
    Nobody,
}

/// A segment of an established TCP connection; data for the reader of another socket.
pub fn receives() -> [EventSpec; 2] {
    [
        ("tcp", "tcp_probe", &["skaddr"][..]),
        ("sock", "sk_data_ready", &["skaddr", "protocol"][..]),
    ]
    .map(|(group, name, fields)| event(group, name, fields, None))
}

/// Fields with the kernel address of the socket that a hit was for.
const SOCKETS: [&str; 3] = ["sk", "skaddr", "rx_sk"];

/// Its samples say for which socket, without any help: this kernel's event has the field.
pub fn names_socket(event: &Event) -> bool {
    let wanted = event.spec.fields.iter();
    let mut wanted = wanted.filter(|field| SOCKETS.contains(&field.as_str()));
    let format = event.format.as_deref();
    wanted.any(|field| format.is_some_and(|text| text.contains(&format!(" {field};"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_event_that_has_the_field_names_a_socket() {
        let [probe, _] = receives();
        let mut event = Event {
            spec: probe,
            missing: None,
            gate: false,
            symbols: Vec::new(),
            format: Some("field:const void * skaddr;\toffset:128;".into()),
        };
        assert!(names_socket(&event));
        event.format = Some("field:__u64 sock_cookie;\toffset:112;".into());
        assert!(!names_socket(&event), "an older kernel");
        event.format = None;
        assert!(!names_socket(&event));
    }
}
