//! What is kept open of a network namespace to list its sockets: sock_diag, and the kernel's own
//! numbers of them, which spare the walk through tables that have none. The kernel looks at every
//! bucket of its one table of connections for each namespace and family: 0.2 ms on a small host.

use std::fs::File;
use std::io;

use netlink_socket2::NetlinkSocket;

use super::inet_diag;
use super::inet_diag::Protocol;
use crate::decode::SocketCounters;
use crate::host::fast::contents;
use crate::host::proc::{Proc, because_of_netlink};

/// The families as sock_diag numbers them, where their numbers are, and how the lines are called
/// (net/ipv4/proc.c, net/ipv6/proc.c).
const FAMILIES: [(i32, &str, &str); 2] = [
    (libc::AF_INET, "sockstat", ""),
    (libc::AF_INET6, "sockstat6", "6"),
];

pub struct Diag {
    /// Opens its socket in the namespace where it is first used.
    netlink: NetlinkSocket,
    is_open: bool,
    in_use: [Option<File>; 2],
    /// By family: TCP and UDP sockets, as last looked at; what is not known may be there.
    numbers: [[Option<u64>; 2]; 2],
    buffer: Vec<u8>,
}

impl Diag {
    /// `at`: `proc`, or `proc/thread-self` where the thread has entered the namespace. The thread is there
    /// when it is read for the first time.
    pub fn new(proc: &Proc, at: &str) -> Diag {
        let open = |(_, file, _)| proc.open(&format!("{at}/net/{file}")).ok();
        Diag {
            netlink: NetlinkSocket::new(),
            is_open: false,
            in_use: FAMILIES.map(open),
            numbers: [[None; 2]; 2],
            buffer: vec![0; 4096],
        }
    }

    /// Looks where there are sockets: before each reading.
    pub fn look(&mut self) {
        let files = FAMILIES.into_iter().zip(&self.in_use);
        for (((_, _, version), file), numbers) in files.zip(&mut self.numbers) {
            let text = file.as_ref().map(|file| contents(file, &mut self.buffer));
            let text = text.and_then(Result::ok);
            let number = |protocol| in_use(text?, protocol, version);
            *numbers = [Protocol::Tcp, Protocol::Udp].map(number);
        }
    }

    /// Gives every socket to `each` until it says no; false: it said so. Only after true there is
    /// another reading: an answer that is not read to its end keeps the socket busy.
    pub fn read(
        &mut self,
        netns: u64,
        protocol: Protocol,
        each: &mut dyn FnMut(SocketCounters) -> bool,
    ) -> io::Result<bool> {
        if !self.is_open {
            inet_diag::open(&mut self.netlink)?;
            self.is_open = true;
        }
        for ((family, ..), numbers) in FAMILIES.into_iter().zip(self.numbers) {
            if numbers[usize::from(protocol == Protocol::Udp)] == Some(0) {
                continue;
            }
            if !inet_diag::read(&mut self.netlink, netns, (family, protocol), each)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The sentence for a reading that failed.
pub fn missing(protocol: Protocol, error: &io::Error) -> String {
    let (name, module) = match protocol {
        Protocol::Tcp => ("TCP", "tcp_diag"),
        Protocol::Udp => ("UDP", "udp_diag"),
    };
    // The kernel looks for a module before it says ENOENT.
    let next = match error.raw_os_error() {
        Some(libc::ENOENT) => format!(": modprobe {module}"),
        _ => String::new(),
    };
    format!(
        "sock_diag does not list the {name} sockets ({}){next}",
        because_of_netlink(error)
    )
}

/// `TCP: inuse 3 orphan 0 …`: sockets that are bound, listen or are connected.
fn in_use(text: &str, protocol: Protocol, version: &str) -> Option<u64> {
    let name = match protocol {
        Protocol::Tcp => "TCP",
        Protocol::Udp => "UDP",
    };
    text.lines().find_map(|line| {
        let rest = line.strip_prefix(name)?.strip_prefix(version)?;
        let rest = rest.strip_prefix(": inuse ")?;
        rest.split(' ').next()?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    #[test]
    fn numbers_are_of_their_protocol_and_family() {
        let text =
            "sockets: used 9\nTCP: inuse 3 orphan 0 tw 7\nUDP: inuse 0 mem 1\nUDPLITE: inuse 5\n";
        assert_eq!(in_use(text, Protocol::Tcp, ""), Some(3));
        assert_eq!(in_use(text, Protocol::Udp, ""), Some(0));
        assert_eq!(in_use(text, Protocol::Udp, "6"), None);
        let text = "TCP6: inuse 2\nUDP6: inuse 1\nUDPLITE6: inuse 0\n";
        assert_eq!(in_use(text, Protocol::Tcp, "6"), Some(2));
        assert_eq!(in_use(text, Protocol::Udp, "6"), Some(1));
    }

    #[test]
    fn only_a_missing_module_is_to_be_loaded() {
        let said = |errno| missing(Protocol::Tcp, &io::Error::from_raw_os_error(errno));
        assert!(said(libc::ENOENT).ends_with("modprobe tcp_diag"));
        assert!(said(libc::EMFILE).contains("ulimit -n"));
        assert!(!said(libc::EMFILE).contains("modprobe"));
        assert!(!said(libc::EPERM).contains("modprobe"));
    }

    #[test]
    fn a_socket_that_is_opened_between_two_readings_is_found() {
        let mut diag = Diag::new(&Proc::host(), "proc");
        let mut ports = || {
            diag.look();
            let mut ports = Vec::new();
            let each = &mut |socket: SocketCounters| {
                ports.push(socket.local.port());
                true
            };
            assert!(diag.read(1, Protocol::Udp, each).expect("sock_diag"));
            ports
        };
        let before = ports();
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let port = socket.local_addr().expect("an address").port();
        assert!(!before.contains(&port));
        assert!(ports().contains(&port));
    }
}
