//! Who can be named for a hit, and the two events that say for whom a softirq has worked
//! (include/trace/events/tcp.h, and sock.h since 6.4): they belong to no row.

use super::event;
use crate::decode::EventSpec;

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
    [("tcp", "tcp_probe"), ("sock", "sk_data_ready")]
        .map(|(group, name)| event(group, name, &[], None))
}
