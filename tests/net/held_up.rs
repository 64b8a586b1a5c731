//! TCP streams with a known cause that holds them up.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::{say, told};

/// Longer than any test looks.
const LONG: Duration = Duration::from_secs(120);

/// Reads a little at a time, and seldom.
pub fn slow(address: &str) {
    receive(address, |stream| {
        thread::sleep(Duration::from_millis(20));
        stream.read(&mut [0; 8192])
    });
}

pub fn fast(address: &str) {
    let mut buffer = vec![0; 256 * 1024];
    receive(address, move |stream| stream.read(&mut buffer));
}

fn receive(
    address: &str,
    mut read: impl FnMut(&mut TcpStream) -> std::io::Result<usize> + Send + 'static,
) {
    let listener = TcpListener::bind(address).expect("the address is ours");
    say("ready");
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        while read(&mut stream).is_ok_and(|n| n > 0) {}
        thread::sleep(LONG);
    });
    while told() {}
}

/// As much as goes, until the test has seen enough; `small`: through a send buffer of 8 KiB.
pub fn stream(to: &str, small: bool) {
    say("ready");
    told();
    let mut stream = TcpStream::connect(to).expect("a listener");
    if small {
        crate::buffer::small_send(&stream, 4096);
    }
    let payload = vec![7; 64 * 1024];
    let until = Instant::now() + LONG;
    while Instant::now() < until && stream.write_all(&payload).is_ok() {}
}

/// No faster than `rate` bytes per second, until the test has seen enough.
pub fn at_rate(to: &str, rate: usize) {
    say("ready");
    told();
    let mut stream = TcpStream::connect(to).expect("a listener");
    crate::buffer::pace(&stream, i32::try_from(rate).expect("a rate"));
    let payload = vec![7; 64 * 1024];
    let until = Instant::now() + LONG;
    while Instant::now() < until && stream.write_all(&payload).is_ok() {}
}

/// So many bytes, no faster than `rate` bytes per second: they leave when a timer says so.
pub fn paced(to: &str, bytes: usize, rate: usize) {
    say("ready");
    told();
    let mut stream = TcpStream::connect(to).expect("a listener");
    crate::buffer::pace(&stream, i32::try_from(rate).expect("a rate"));
    // One call for all of it would return, and tell whose socket it is, at the very end.
    for part in vec![7; bytes].chunks(64 * 1024) {
        stream.write_all(part).expect("a healthy stream");
    }
    // It stays open: what a closed socket still has to send has no process any more.
    stream.shutdown(Shutdown::Write).expect("it is open");
    say("done");
    while told() {}
}

/// A hundred bytes every 5 ms.
pub fn trickle(to: &str) {
    say("ready");
    told();
    let mut stream = TcpStream::connect(to).expect("a listener");
    stream.set_nodelay(true).expect("a TCP socket");
    while stream.write_all(&[7; 100]).is_ok() {
        thread::sleep(Duration::from_millis(5));
    }
}

/// So many bytes; the connection stays.
pub fn portion(to: &str, bytes: usize) {
    say("ready");
    told();
    let mut stream = TcpStream::connect(to).expect("a listener");
    stream.write_all(&vec![7; bytes]).expect("a healthy stream");
    say("done");
    while told() {}
}

/// A listener that accepts nobody.
pub fn listen(address: &str, backlog: u16) {
    let listener = TcpListener::bind(address).expect("the address is ours");
    crate::buffer::backlog(&listener, backlog);
    say("ready");
    while told() {}
}

/// So many connections at once; some may never come about.
pub fn queue_up(to: &str, times: usize) {
    say("ready");
    told();
    for _ in 0..times {
        let to = to.to_owned();
        thread::spawn(move || {
            let _open = TcpStream::connect(to);
            thread::sleep(LONG);
        });
    }
    thread::sleep(Duration::from_millis(1500));
    say("done");
    while told() {}
}
