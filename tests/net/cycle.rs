//! A load that keeps every CPU busy and leaves nothing to the scheduler: one pinned thread per CPU
//! sends through the veth pair and receives at its other end itself. What a packet costs is then
//! the time that all CPUs have, divided by the packets. Each thread gauges its CPU in a file, whose
//! name is the one given and the CPU's number.
#![expect(
    unsafe_code,
    reason = "pinning a thread and entering a namespace have no safe wrapper among the test's crates"
)]

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::thread;

use super::gauge::Gauge;

/// Datagrams sent before they are received: as many as a NAPI poll takes.
const BURST: usize = 64;

/// Runs `turn` on every CPU until the process ends.
fn on_every_cpu(gauge: &'static str, turn: impl Fn(u16, Gauge) + Send + Sync + Copy + 'static) {
    let cpus = thread::available_parallelism().expect("CPUs").get();
    for cpu in 0..cpus {
        thread::spawn(move || {
            pin(cpu);
            turn(cpu as u16, Gauge::create(&format!("{gauge}{cpu}")));
        });
    }
}

/// To `address`, a host in `namespace`, with a port per CPU from `port` on.
pub fn udp(namespace: &'static str, address: &'static str, port: u16, gauge: &'static str) {
    on_every_cpu(gauge, move |cpu, mut gauge| {
        let to = (address, port + cpu);
        let receiver = inside(namespace, || {
            UdpSocket::bind(to).expect("the address is theirs")
        });
        receiver.set_nonblocking(true).expect("its option");
        let sender = UdpSocket::bind("0.0.0.0:0").expect("a socket");
        sender.connect(to).expect("a route");
        let mut buffer = [0; 256];
        loop {
            for _ in 0..BURST {
                let _full = sender.send(&[7; 64]);
            }
            while receiver.recv(&mut buffer).is_ok() {}
            gauge.look();
        }
    });
}

pub fn tcp(namespace: &'static str, address: &'static str, port: u16, gauge: &'static str) {
    on_every_cpu(gauge, move |cpu, mut gauge| {
        let to = (address, port + cpu);
        let listener = inside(namespace, || {
            TcpListener::bind(to).expect("the address is theirs")
        });
        let mut sender = TcpStream::connect(to).expect("a listener");
        let (mut receiver, _) = listener.accept().expect("a connection");
        sender.set_nonblocking(true).expect("its option");
        receiver.set_nonblocking(true).expect("its option");
        let mut buffer = vec![0; 64 * 1024];
        let payload = vec![7; 64 * 1024];
        loop {
            check(&sender.write(&payload));
            check(&receiver.read(&mut buffer));
            gauge.look();
        }
    });
}

fn check(result: &std::io::Result<usize>) {
    let blocked = |error: &std::io::Error| error.kind() == ErrorKind::WouldBlock;
    assert!(
        result.as_ref().map_or_else(blocked, |&n| n > 0),
        "{result:?}"
    );
}

pub fn pin(cpu: usize) {
    // SAFETY: a CPU set is plain bits, for which zeros are valid; the call reads it.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        assert_eq!(
            libc::sched_setaffinity(0, size_of_val(&set), &raw const set),
            0
        );
    }
}

/// Runs `make` with this thread in a namespace that `ip netns` made.
pub fn inside<T>(namespace: &str, make: impl FnOnce() -> T) -> T {
    let enter = |file: &File| {
        // SAFETY: an open file that is a network namespace; only this thread is moved.
        let result = unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) };
        assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    };
    let own = File::open("/proc/thread-self/ns/net").expect("a namespace");
    let other = File::open(format!("/run/netns/{namespace}"))
        .or_else(|_| File::open(format!("/var/run/netns/{namespace}")));
    enter(&other.expect("a namespace of ip netns"));
    let socket = make();
    enter(&own);
    socket
}
