//! One pinned sender that fills its CPU with 64-byte datagrams, many to a system call, and a pinned
//! reader on another CPU.
#![expect(
    unsafe_code,
    reason = "sendmmsg and recvmmsg have no safe wrapper among the test's crates"
)]

use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::ptr;
use std::thread;

use super::cycle::pin;
use super::{say, told};

/// Datagrams to a system call.
const BATCH: usize = 64;

/// Sends from `cpu` from the first line on, until the line is closed.
pub fn send(to: &str, cpu: usize) {
    let socket = UdpSocket::bind("0.0.0.0:0").expect("any port");
    socket.connect(to).expect("an address");
    say("ready");
    if !told() {
        return;
    }
    thread::spawn(move || {
        pin(cpu);
        let mut all = Messages::new(64);
        loop {
            all.send(&socket);
        }
    });
    while told() {}
}

/// Reads on `cpu` until the line is closed.
pub fn drain(address: &str, cpu: usize) {
    let socket = UdpSocket::bind(address).expect("the address is ours");
    thread::spawn(move || {
        pin(cpu);
        let mut all = Messages::new(2048);
        loop {
            all.receive(&socket);
        }
    });
    say("ready");
    while told() {}
}

/// As many buffers as go with a call.
struct Messages {
    headers: Vec<libc::mmsghdr>,
    _parts: Vec<libc::iovec>,
    _data: Vec<u8>,
}

impl Messages {
    fn new(size: usize) -> Messages {
        let mut data = vec![7u8; BATCH * size];
        let mut parts: Vec<libc::iovec> = (data.chunks_mut(size))
            .map(|part| libc::iovec {
                iov_base: part.as_mut_ptr().cast(),
                iov_len: size,
            })
            .collect();
        let headers = (parts.iter_mut())
            .map(|part| {
                // SAFETY: a header of zeros names nobody and holds nothing.
                let mut header: libc::mmsghdr = unsafe { std::mem::zeroed() };
                header.msg_hdr.msg_iov = part;
                header.msg_hdr.msg_iovlen = 1;
                header
            })
            .collect();
        Messages {
            headers,
            _parts: parts,
            _data: data,
        }
    }

    fn send(&mut self, socket: &UdpSocket) {
        // SAFETY: the headers and what they point to live as long as this value. What the kernel
        // refuses was a packet all the same.
        unsafe {
            libc::sendmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                BATCH as libc::c_uint,
                0,
            );
        }
    }

    fn receive(&mut self, socket: &UdpSocket) {
        // SAFETY: as above; the buffers are as long as the parts say.
        unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                BATCH as libc::c_uint,
                libc::MSG_WAITFORONE,
                ptr::null_mut(),
            );
        }
    }
}
