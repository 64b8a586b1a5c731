//! Traffic that is lost on purpose: a listener that nobody accepts from, clients that knock at it,
//! frames of a protocol that nobody speaks.
#![expect(
    unsafe_code,
    reason = "a short backlog and raw frames have no safe wrapper among the test's crates"
)]

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// For local experiments (include/uapi/linux/if_ether.h has no name for it).
const ETHERTYPE: u16 = 0x88b5;

/// Listens with a backlog of one: two connections fit in its queue.
pub fn listen(address: &str) -> TcpListener {
    let listener = TcpListener::bind(address).expect("the address is ours");
    // SAFETY: a listening socket may be told to listen again.
    let result = unsafe { libc::listen(listener.as_raw_fd(), 1) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    listener
}

/// Connections to a port where nobody listens.
pub fn refused(to: &str, count: usize) {
    for _ in 0..count {
        let refused = std::net::TcpStream::connect(to).expect_err("nobody listens there");
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    }
}

/// So many connects at once; each gives up after its first retry, which follows after a second.
pub fn knock(to: &str, count: usize) {
    let to: SocketAddr = to.parse().expect("an address");
    let knock = move || TcpStream::connect_timeout(&to, Duration::from_millis(1600));
    let waiting: Vec<_> = (0..count).map(|_| std::thread::spawn(knock)).collect();
    let _opened: Vec<_> = waiting
        .into_iter()
        .map(std::thread::JoinHandle::join)
        .collect();
}

fn raw() -> OwnedFd {
    // SAFETY: a plain system call; its result is checked and owned.
    unsafe {
        let fd = libc::socket(libc::AF_PACKET, libc::SOCK_RAW, 0);
        assert!(fd >= 0, "{}", std::io::Error::last_os_error());
        OwnedFd::from_raw_fd(fd)
    }
}

fn address_of(device: &str, protocol: u16) -> libc::sockaddr_ll {
    let name = std::ffi::CString::new(device).expect("a name");
    // SAFETY: all-zero is a valid address; the name ends with NUL.
    let (mut address, index) = unsafe {
        (
            std::mem::zeroed::<libc::sockaddr_ll>(),
            libc::if_nametoindex(name.as_ptr()),
        )
    };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_ifindex = index.cast_signed();
    address.sll_protocol = protocol.to_be();
    address
}

/// Reads every packet of the device, as captures do.
pub fn tap(device: &str) {
    let socket = raw();
    let address = address_of(device, libc::ETH_P_ALL as u16);
    // SAFETY: the address outlives the call and has this size.
    let result = unsafe {
        libc::bind(
            socket.as_raw_fd(),
            (&raw const address).cast(),
            size_of::<libc::sockaddr_ll>() as libc::socklen_t,
        )
    };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    std::thread::spawn(move || {
        let mut packet = [0u8; 2048];
        // SAFETY: the buffer outlives the call and has this length.
        while unsafe {
            libc::recv(
                socket.as_raw_fd(),
                packet.as_mut_ptr().cast(),
                packet.len(),
                0,
            )
        } > 0
        {}
    });
}

pub fn frames(device: &str, count: usize) {
    let socket = raw();
    let address = address_of(device, 0);
    let mut frame = vec![0xff; 6];
    frame.extend([2, 0, 0, 0, 0, 0x0a]);
    frame.extend(ETHERTYPE.to_be_bytes());
    frame.resize(74, 7);
    for _ in 0..count {
        // SAFETY: frame and address outlive the call and have these sizes.
        let sent = unsafe {
            libc::sendto(
                socket.as_raw_fd(),
                frame.as_ptr().cast(),
                frame.len(),
                0,
                (&raw const address).cast(),
                size_of::<libc::sockaddr_ll>() as libc::socklen_t,
            )
        };
        assert_eq!(sent, 74, "{}", std::io::Error::last_os_error());
    }
}
