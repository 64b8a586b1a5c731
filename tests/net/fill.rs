//! One pinned sender that fills its CPU with 64-byte datagrams, many to a system call, and a pinned
//! reader on another CPU.
#![expect(
    unsafe_code,
    reason = "sendmmsg and recvmmsg have no safe wrapper among the test's crates"
)]

use std::cell::RefCell;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::ptr;
use std::thread;
use std::time::{Duration, Instant};

use super::gauge::Gauge;
use super::{pin, say, told, when_told};

/// Datagrams to a system call.
pub const BATCH: usize = 64;

/// How long a burst is.
const BURST: Duration = Duration::from_millis(1050);

/// Sends from `cpu` from the first line on, until the line is closed; gauges the CPU in the file.
pub fn send(to: &str, cpu: usize, gauge: Option<&str>) {
    let socket = connected(to);
    let mut gauge = gauge.map(Gauge::create);
    say("ready");
    if !told() {
        return;
    }
    thread::spawn(move || {
        pin(cpu);
        let mut all = Messages::new(64);
        loop {
            all.send(&socket);
            if let Some(gauge) = &mut gauge {
                gauge.look();
            }
        }
    });
    while told() {}
}

/// Sends from `cpu` for a little more than a second after each line.
pub fn burst(to: &str, cpu: usize, gauge: &str) {
    let socket = connected(to);
    pin(cpu);
    let all = RefCell::new((Messages::new(64), Gauge::create(gauge)));
    when_told(|| {
        let (messages, gauge) = &mut *all.borrow_mut();
        let until = Instant::now() + BURST;
        while Instant::now() < until {
            messages.send(&socket);
            gauge.look();
        }
    });
}

pub fn connected(to: &str) -> UdpSocket {
    let socket = UdpSocket::bind("0.0.0.0:0").expect("any port");
    socket.connect(to).expect("an address");
    socket
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
pub struct Messages {
    headers: Vec<libc::mmsghdr>,
    _parts: Vec<libc::iovec>,
    data: Vec<u8>,
    size: usize,
}

impl Messages {
    pub fn new(size: usize) -> Messages {
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
            data,
            size,
        }
    }

    /// The first eight bytes of each.
    pub fn mark(&mut self, mark: u64) {
        for data in self.data.chunks_mut(self.size) {
            data[..8].copy_from_slice(&mark.to_le_bytes());
        }
    }

    /// The same of the first `count`.
    pub fn marks(&self, count: usize) -> impl Iterator<Item = u64> {
        let first = |data: &[u8]| u64::from_le_bytes(data[..8].try_into().expect("eight bytes"));
        self.data.chunks(self.size).take(count).map(first)
    }

    pub fn send(&mut self, socket: &UdpSocket) {
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

    /// How many have come.
    pub fn receive(&mut self, socket: &UdpSocket) -> usize {
        // SAFETY: as above; the buffers are as long as the parts say.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                BATCH as libc::c_uint,
                libc::MSG_WAITFORONE,
                ptr::null_mut(),
            )
        };
        usize::try_from(count).unwrap_or(0)
    }
}
