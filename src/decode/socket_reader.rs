//! How a process gets on with its sockets, all of them together: does it read what comes, and what
//! keeps it from sending.

use serde::{Deserialize, Serialize};

use super::socket::{SocketCounters, TcpSince, TcpState};

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SocketReader {
    pub pid: u32,
    /// Of what it has not read the oldest has waited so long at least, ms; `None`: everything was
    /// read, or its sockets do not say (UDP).
    pub oldest_rx_ms: Option<u64>,
    /// Of its receive buffers the fullest, percent; `None`: no socket said.
    pub fullest_pct: Option<u32>,
    /// Datagrams that found no room in its buffers since the reading before.
    pub dropped: u64,
    /// Sums of its TCP connections; times only of those that send.
    pub since: TcpSince,
}

impl SocketReader {
    pub fn of(pid: u32) -> SocketReader {
        SocketReader {
            pid,
            ..SocketReader::default()
        }
    }

    /// Sockets that listen have queues of another kind: they are not added.
    pub fn add(&mut self, socket: &SocketCounters) {
        if socket.state == TcpState::Listen {
            return;
        }
        self.oldest_rx_ms = self.oldest_rx_ms.max(socket.oldest_rx_ms);
        let room = socket.rcvbuf.filter(|room| *room > 0);
        if let (Some(taken), Some(room)) = (socket.rx_memory, room) {
            let pct = 100 * u64::from(taken) / u64::from(room);
            // A buffer may take one packet more than it has room for.
            self.fullest_pct = self.fullest_pct.max(Some(pct.min(100) as u32));
        }
        if socket.tcp.is_none() {
            self.dropped += u64::from(socket.drops_since.unwrap_or(0));
        }
        let Some(since) = socket.since else { return };
        if since.receives() || since.bytes() == 0 && since.app_us >= since.span_us {
            self.since.add(&since.untimed());
        } else {
            self.since.add(&since);
        }
    }
}
