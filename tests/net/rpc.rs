//! Many TCP connections on which small requests and their answers go to and fro without a pause:
//! a pinned thread per CPU asks, and one per CPU in the other namespace answers.
#![expect(
    unsafe_code,
    reason = "epoll has no safe wrapper among the test's crates"
)]

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::thread;

use super::gauge::Gauge;
use super::{pin, say, told};

const CPUS: usize = 2;

/// Bytes of a request and of an answer.
const SIZE: usize = 64;

/// Looks at sockets for as many as are ready, up to this many.
const READY: u8 = 64;

/// Listens on a port per CPU from `port` on and answers on `each` connections to it.
pub fn answer(address: &str, port: usize, each: usize) {
    for cpu in 0..CPUS {
        let listener = TcpListener::bind((address, (port + cpu) as u16)).expect("our address");
        thread::spawn(move || {
            pin(cpu);
            let accept = |_| listener.accept().expect("a connection").0;
            let mut connections = Connections::new((0..each).map(accept).collect());
            while connections.turn(|_, stream, bytes| stream.write_all(bytes)) {}
        });
    }
    say("ready");
    while told() {}
}

/// Asks on `each` connections per CPU, which go to the ports in turn.
pub fn ask(address: &str, port: usize, each: usize, gauge: &str) {
    let ports = (0..CPUS).cycle();
    let to = |at: usize| TcpStream::connect((address, (port + at) as u16)).expect("a listener");
    let mut all: Vec<TcpStream> = ports.take(CPUS * each).map(to).collect();
    say("ready");
    if !told() {
        return;
    }
    for cpu in 0..CPUS {
        let mut connections = Connections::new(all.split_off(all.len() - each));
        let mut gauge = Gauge::create(&format!("{gauge}{cpu}"));
        thread::spawn(move || {
            pin(cpu);
            for stream in &mut connections.streams {
                stream.write_all(&[7; SIZE]).expect("room for a request");
            }
            let mut missing = vec![SIZE; each];
            while connections.turn(|at, stream, bytes| {
                missing[at] -= bytes.len();
                if missing[at] == 0 {
                    missing[at] = SIZE;
                    stream.write_all(&[7; SIZE])?;
                }
                Ok(())
            }) {
                gauge.look();
            }
        });
    }
    while told() {}
}

/// Connections of a thread, and which of them have something to read.
struct Connections {
    streams: Vec<TcpStream>,
    epoll: OwnedFd,
}

impl Connections {
    fn new(streams: Vec<TcpStream>) -> Connections {
        // SAFETY: the call takes no memory; what it returns is ours alone.
        let epoll = unsafe { OwnedFd::from_raw_fd(libc::epoll_create1(0)) };
        for (at, stream) in streams.iter().enumerate() {
            stream.set_nonblocking(true).expect("its option");
            stream.set_nodelay(true).expect("its option");
            let mut event = libc::epoll_event {
                events: libc::EPOLLIN as u32,
                u64: at as u64,
            };
            // SAFETY: both files are open, and the event outlives the call.
            let result = unsafe {
                libc::epoll_ctl(
                    epoll.as_raw_fd(),
                    libc::EPOLL_CTL_ADD,
                    stream.as_raw_fd(),
                    &raw mut event,
                )
            };
            assert_eq!(result, 0, "{}", io::Error::last_os_error());
        }
        Connections { streams, epoll }
    }

    /// Waits for bytes and hands on what came, with the connection and its place among them.
    /// False: the other end is gone.
    fn turn(
        &mut self,
        mut with: impl FnMut(usize, &mut TcpStream, &[u8]) -> io::Result<()>,
    ) -> bool {
        let mut ready = [libc::epoll_event { events: 0, u64: 0 }; READY as usize];
        // SAFETY: the kernel writes as many events as it is told there is room for.
        let count = unsafe {
            libc::epoll_wait(self.epoll.as_raw_fd(), ready.as_mut_ptr(), READY.into(), -1)
        };
        for event in ready.iter().take(usize::try_from(count).unwrap_or(0)) {
            let at = event.u64 as usize;
            let stream = &mut self.streams[at];
            let mut buffer = [0; SIZE];
            let went = match stream.read(&mut buffer) {
                Ok(0) => false,
                Ok(size) => with(at, stream, &buffer[..size]).is_ok(),
                Err(why) => why.kind() == ErrorKind::WouldBlock,
            };
            if !went {
                return false;
            }
        }
        true
    }
}
