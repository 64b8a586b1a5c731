//! The rows of view 9: connections, sums of them, or listening sockets, all in one shape.

use crate::model::{Flow, Listener, Snapshot, Tcp, TcpGroup};
use crate::tui::state::grouping::Grouping;
use crate::tui::state::pane;

/// Its own copy: a table's columns know no borrowed rows, and these are few.
pub enum Entry {
    One(Box<Tcp>),
    Sum(Box<TcpGroup>),
    Listens(Box<Listener>),
}

pub fn entries(snapshot: &Snapshot, grouping: Grouping) -> Vec<Entry> {
    match grouping {
        Grouping::Connection => {
            let all = snapshot.tcp.iter().cloned();
            all.map(|tcp| Entry::One(Box::new(tcp))).collect()
        }
        Grouping::Listening => {
            let all = snapshot.listeners.iter().cloned();
            all.map(|socket| Entry::Listens(Box::new(socket))).collect()
        }
        sum => {
            let wanted = (snapshot.tcp_groups.iter()).filter(|group| Some(group.by) == sum.by());
            let all = wanted.cloned();
            all.map(|group| Entry::Sum(Box::new(group))).collect()
        }
    }
}

impl Entry {
    pub fn row(&self) -> pane::Row {
        match self {
            Entry::One(tcp) => pane::Row::Socket(tcp.netns, tcp.cookie),
            Entry::Listens(socket) => pane::Row::Socket(socket.netns, socket.cookie),
            Entry::Sum(group) => pane::Row::Group(format!("{} {}", group.by, group.name).into()),
        }
    }

    pub fn pid(&self) -> Option<u32> {
        match self {
            Entry::One(tcp) => tcp.pid,
            Entry::Listens(socket) => socket.pid,
            Entry::Sum(group) => group.pid,
        }
    }

    /// Of a socket that listens there is none.
    pub fn flow(&self) -> Option<&Flow> {
        match self {
            Entry::One(tcp) => Some(&tcp.flow),
            Entry::Sum(group) => Some(&group.flow),
            Entry::Listens(_) => None,
        }
    }

    pub fn local(&self) -> &str {
        match self {
            Entry::One(tcp) => &tcp.local,
            Entry::Listens(socket) => &socket.local,
            Entry::Sum(_) => "",
        }
    }

    /// The peer, or what the group has in common.
    pub fn name(&self) -> &str {
        match self {
            Entry::One(tcp) => &tcp.remote,
            Entry::Sum(group) => &group.name,
            Entry::Listens(_) => "",
        }
    }

    /// `nginx(812)`; a socket that no process has open has its state instead.
    pub fn process(&self) -> String {
        let (comm, pid) = match self {
            Entry::One(tcp) => (tcp.comm.as_deref(), tcp.pid),
            Entry::Listens(socket) => (socket.comm.as_deref(), socket.pid),
            Entry::Sum(_) => (None, None),
        };
        match (comm, pid, self) {
            (Some(comm), Some(pid), _) => format!("{comm}({pid})"),
            (_, Some(pid), _) => format!("({pid})"),
            (_, None, Entry::One(tcp)) if tcp.state != "established" => format!("[{}]", tcp.state),
            _ => String::new(),
        }
    }
}
