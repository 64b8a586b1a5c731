//! TCP and UDP sockets of a network namespace by sock_diag, one by one: what the kernel tells is
//! handed on and not kept. Knows no other reading.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use netlink_bindings::inet_diag::{
    IterableReplyAttrs, Msg, OpTcpDiagDump, ReplyAttrs, ReqV2, Request, TcpInfo,
};
use netlink_bindings::traits::NetlinkRequest;
use netlink_socket2::NetlinkSocket;

use crate::decode::{SocketCounters, TcpCounters, TcpState};

/// Bits of `idiag_ext`: 1 << (INET_DIAG_x - 1) (linux/inet_diag.h).
const INFO: u8 = 1 << 1;
const SKMEMINFO: u8 = 1 << 6;

/// Bits of `idiag_states`. In TIME_WAIT there is no socket any more; connections that begin
/// (NEW_SYN_RECV) have none yet.
const TCP_STATES: u32 = !(1 << 6 | 1 << 7 | 1 << 12 | 1 << 13);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Tcp,
    Udp,
}

/// Gives every socket of a family to `each` until it says no; false: it said so. Of the namespace
/// in which `socket` was first used.
pub fn read(
    socket: &mut NetlinkSocket,
    netns: u64,
    (family, protocol): (i32, Protocol),
    each: &mut dyn FnMut(SocketCounters) -> bool,
) -> io::Result<bool> {
    let mut ask = ReqV2::new();
    ask.family = family as u8;
    match protocol {
        Protocol::Tcp => {
            ask.protocol = libc::IPPROTO_TCP as u8;
            ask.ext = INFO | SKMEMINFO;
            ask.states = TCP_STATES;
            dump(socket, &Request::new().op_tcp_diag_dump(&ask), netns, each)
        }
        Protocol::Udp => {
            ask.protocol = libc::IPPROTO_UDP as u8;
            ask.ext = SKMEMINFO;
            ask.states = u32::MAX;
            dump(socket, &Request::new().op_udp_diag_dump(&ask), netns, each)
        }
    }
}

/// Opens the socket in the namespace of the thread. Of no state there is no socket: the kernel walks
/// no table for this answer (tcp_diag_dump of net/ipv4/tcp_diag.c).
pub fn open(socket: &mut NetlinkSocket) -> io::Result<()> {
    let mut ask = ReqV2::new();
    ask.family = libc::AF_INET as u8;
    ask.protocol = libc::IPPROTO_TCP as u8;
    ask.states = 0;
    let request = Request::new().op_tcp_diag_dump(&ask);
    dump(socket, &request, 0, &mut |_| true).map(|_| ())
}

fn dump<R>(
    socket: &mut NetlinkSocket,
    request: &R,
    netns: u64,
    each: &mut dyn FnMut(SocketCounters) -> bool,
) -> io::Result<bool>
where
    R: for<'a> NetlinkRequest<ReplyType<'a> = (Msg, IterableReplyAttrs<'a>)>,
{
    let mut replies = socket.request(request)?;
    while let Some(reply) = replies.recv() {
        let (header, attributes) = reply.map_err(io::Error::from)?;
        if let Some(counters) = decode(netns, &header, attributes)
            && !each(counters)
        {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether the bytes of one message are a socket this program understands.
pub fn is_socket(payload: &[u8]) -> bool {
    let (header, attributes) = <OpTcpDiagDump<'_> as NetlinkRequest>::decode_reply(payload);
    decode(0, &header, attributes).is_some()
}

/// `None`: not a socket this program understands.
fn decode(netns: u64, header: &Msg, attributes: IterableReplyAttrs<'_>) -> Option<SocketCounters> {
    let id = &header.sockid;
    let cookie = u64::from_ne_bytes(id.cookie);
    let mut counters = SocketCounters {
        // Two halves of 32 bits, the low one first (sock_diag_save_cookie).
        cookie: if cfg!(target_endian = "big") {
            cookie.rotate_left(32)
        } else {
            cookie
        },
        inode: header.inode,
        netns,
        local: SocketAddr::new(address(header.family, id.src)?, id.sport()),
        remote: SocketAddr::new(address(header.family, id.dst)?, id.dport()),
        state: TcpState::from_kernel(header.state)?,
        owner: None,
        rx_queue: header.rqueue,
        tx_queue: header.wqueue,
        rx_memory: None,
        oldest_rx_ms: None,
        drops: None,
        drops_since: None,
        rcvbuf: None,
        sndbuf: None,
        cgroup: None,
        tcp: None,
        since: None,
    };
    let mut queued = None;
    for attribute in attributes {
        // What follows an attribute that is broken is none.
        match attribute.ok()? {
            ReplyAttrs::TcpInfo(info) => counters.tcp = Some(tcp(&info)),
            ReplyAttrs::CgroupId(id) => counters.cgroup = Some(id),
            ReplyAttrs::Skmeminfo(words) => {
                // SK_MEMINFO_x (linux/sock_diag.h)
                let word = |at: usize| {
                    let bytes = words.get(4 * at..4 * at + 4)?;
                    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
                };
                counters.rx_memory = word(0);
                counters.rcvbuf = word(1);
                counters.sndbuf = word(3);
                counters.drops = word(8);
                queued = word(5);
            }
            _ => {}
        }
    }
    if let (Some(tcp), Some(queued), Some(room)) = (&mut counters.tcp, queued, counters.sndbuf) {
        // A writer is woken when a third is free (sk_stream_is_writeable).
        tcp.sndbuf_full = u64::from(queued) * 3 >= u64::from(room) * 2;
    }
    Some(counters)
}

/// An IPv4 address in an IPv6 socket is an IPv4 address.
fn address(family: u8, bytes: [u8; 16]) -> Option<IpAddr> {
    match i32::from(family) {
        libc::AF_INET => Some(Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]).into()),
        libc::AF_INET6 => Some(IpAddr::from(Ipv6Addr::from(bytes)).to_canonical()),
        _ => None,
    }
}

/// A field that an older kernel does not have is 0, as if it had not happened.
fn tcp(info: &TcpInfo) -> TcpCounters {
    TcpCounters {
        // Linux before 4.19 does not count what was sent; acknowledged, that is without the SYN.
        bytes_sent: match info.bytes_sent {
            0 => info.bytes_acked.saturating_sub(1),
            sent => sent,
        },
        bytes_acked: info.bytes_acked,
        bytes_received: info.bytes_received,
        bytes_retrans: info.bytes_retrans,
        segs_out: info.segs_out,
        segs_in: info.segs_in,
        data_segs_out: info.data_segs_out,
        segs_retrans: info.total_retrans,
        busy_us: info.busy_time,
        rwnd_us: info.rwnd_limited,
        sndbuf_us: info.sndbuf_limited,
        srtt_us: info.rtt,
        min_rtt_us: (info.min_rtt != u32::MAX && info.min_rtt != 0).then_some(info.min_rtt),
        cwnd: info.snd_cwnd,
        mss: info.snd_mss,
        unacked: info.unacked,
        lost: info.lost,
        reordered: info.reord_seen,
        timeouts: info.retransmits.into(),
        notsent: info.notsent_bytes,
        snd_wnd: info.snd_wnd,
        pacing_rate: info.pacing_rate,
        delivery_rate: info.delivery_rate,
        app_limited: info.delivery_rate_app_limited() != 0,
        sndbuf_full: false,
        last_data_ms: info.last_data_recv,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use netlink_bindings::inet_diag::OpTcpDiagDump;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream, UdpSocket};

    /// A reply as the kernel lays it out: inet_diag_msg, then attributes of even length.
    fn reply(info: &TcpInfo) -> Vec<u8> {
        let mut header = Msg::new();
        header.family = libc::AF_INET6 as u8;
        header.state = 1;
        header.inode = 77;
        header.rqueue = 5;
        header.sockid.set_sport(443);
        header.sockid.set_dport(50_000);
        header.sockid.src = Ipv4Addr::new(10, 0, 0, 1).to_ipv6_mapped().octets();
        header.sockid.dst = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 9).octets();
        header.sockid.cookie = 0x1_0000_0002_u64.to_ne_bytes();
        let mut bytes = header.as_slice().to_vec();
        let mut attribute = |kind: u16, payload: &[u8]| {
            bytes.extend((payload.len() as u16 + 4).to_ne_bytes());
            bytes.extend(kind.to_ne_bytes());
            bytes.extend(payload);
        };
        let words: Vec<u8> = (10..19_u32).flat_map(u32::to_ne_bytes).collect();
        attribute(7, &words);
        attribute(2, info.as_slice());
        bytes
    }

    fn decoded(bytes: &[u8]) -> Option<SocketCounters> {
        let (header, attributes) = <OpTcpDiagDump<'_> as NetlinkRequest>::decode_reply(bytes);
        decode(9, &header, attributes)
    }

    fn some_info() -> TcpInfo {
        let mut info = TcpInfo::new();
        info.bytes_sent = 1 << 40;
        info.min_rtt = u32::MAX;
        info.rtt = 250;
        info.busy_time = 3;
        info
    }

    #[test]
    fn a_reply_is_read_whole() {
        let socket = decoded(&reply(&some_info())).expect("a socket");
        assert_eq!(socket.local.to_string(), "10.0.0.1:443");
        assert_eq!(socket.remote.to_string(), "[2001:db8::9]:50000");
        assert_eq!((socket.inode, socket.netns, socket.rx_queue), (77, 9, 5));
        assert_eq!(socket.state, TcpState::Established);
        assert_eq!(
            (socket.rcvbuf, socket.sndbuf, socket.drops),
            (Some(11), Some(13), Some(18))
        );
        let tcp = socket.tcp.expect("of TCP");
        assert_eq!(
            (tcp.bytes_sent, tcp.srtt_us, tcp.busy_us),
            (1 << 40, 250, 3)
        );
        assert_eq!(tcp.min_rtt_us, None, "nothing was measured yet");
    }

    #[test]
    fn every_truncation_is_a_socket_that_tells_less_or_none() {
        let bytes = reply(&some_info());
        let whole = decoded(&bytes).expect("a socket");
        for len in 0..bytes.len() {
            let Some(socket) = decoded(&bytes[..len]) else {
                continue;
            };
            assert!(len >= Msg::len(), "{len} bytes are no socket");
            assert_eq!((socket.local, socket.tcp), (whole.local, None), "{len}");
        }
        let mut unknown = bytes.clone();
        unknown[1] = 99;
        assert_eq!(decoded(&unknown), None, "an unknown state");
        unknown[0] = 99;
        assert_eq!(decoded(&unknown), None, "an unknown family");
        let mut long = bytes;
        let at = Msg::len();
        long[at..at + 2].copy_from_slice(&u16::MAX.to_ne_bytes());
        assert!(decoded(&long).is_none_or(|socket| socket.drops.is_none()));
    }

    #[test]
    fn sockets_of_this_process_are_found_with_their_bytes() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let at = listener.local_addr().expect("an address");
        let mut client = TcpStream::connect(at).expect("a connection");
        let (mut server, _) = listener.accept().expect("a connection");
        client.write_all(&[7; 12_345]).expect("room");
        server.read_exact(&mut [0; 12_000]).expect("data");
        let udp = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let mut found = Vec::new();
        let tcp = (libc::AF_INET, Protocol::Tcp);
        let all = read(&mut NetlinkSocket::new(), 1, tcp, &mut |socket| {
            found.push(socket);
            true
        });
        assert!(all.expect("sock_diag answers"));
        let own = |local, remote| {
            let mut found = found.iter();
            found.find(|s: &&SocketCounters| s.local == local && s.remote == remote)
        };
        let from = client.local_addr().expect("an address");
        let sent = own(from, at).expect("the client").tcp.expect("info");
        assert_eq!(sent.bytes_sent, 12_345);
        let got = own(at, from).expect("the server");
        assert_eq!(got.rx_queue, 345);
        assert_eq!(got.tcp.expect("info").bytes_received, 12_345);
        let listening = found
            .iter()
            .find(|s| s.state == TcpState::Listen && s.local == at);
        assert_eq!(listening.expect("the listener").tx_queue, 128);

        let mut datagrams = Vec::new();
        let udp4 = (libc::AF_INET, Protocol::Udp);
        read(&mut NetlinkSocket::new(), 1, udp4, &mut |socket| {
            datagrams.push(socket.local);
            true
        })
        .expect("udp_diag answers");
        assert!(datagrams.contains(&udp.local_addr().expect("an address")));
    }

    #[test]
    fn who_says_no_is_not_asked_again() {
        let _one = TcpListener::bind("127.0.0.1:0").expect("a port");
        let _two = TcpListener::bind("127.0.0.1:0").expect("a port");
        let mut asked = 0;
        let tcp = (libc::AF_INET, Protocol::Tcp);
        let all = read(&mut NetlinkSocket::new(), 1, tcp, &mut |_| {
            asked += 1;
            false
        });
        assert_eq!((all.expect("sock_diag answers"), asked), (false, 1));
    }
}
