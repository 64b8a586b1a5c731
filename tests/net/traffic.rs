//! What the traffic program does inside its namespace: an order in its environment, "ready" when
//! it could start, one line on its input to go, "done" when it has sent everything.

mod cycle;
#[path = "fill.rs"]
mod fill;
mod gauge;
mod held_up;
mod losses;
mod open_loop;
mod paced;
mod rpc;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

/// Obeys the order; without one this is no traffic program and there is nothing to do.
pub fn obey() {
    let Ok(order) = std::env::var("NETOP_TRAFFIC") else {
        return;
    };
    let words: Vec<&str> = order.split(' ').collect();
    match words[..] {
        ["udp-receive", address] => receive(address),
        ["udp-deaf", address] => deaf(address),
        ["udp-sleepy", address, ms] => sleepy(address, number(ms) as u64),
        ["udp-send", from, to, threads, each, size] => {
            send(from, to, number(threads), number(each), number(size));
        }
        ["udp-flood", from, to, seconds] => flood(from, to, number(seconds)),
        ["udp-blast", from, to, count] => blast(from, to, number(count)),
        ["tcp-receive", address] => tcp_receive(address),
        ["tcp-send", to, bytes] => tcp_send(to, number(bytes)),
        ["tcp-paced", to, bytes, rate] => held_up::paced(to, number(bytes), number(rate)),
        ["tcp-full", address] => {
            let _listener = losses::listen(address);
            say("ready");
            while told() {}
        }
        ["tcp-knock", to, count] => when_told(|| losses::knock(to, number(count))),
        ["tcp-refused", to, count] => when_told(|| losses::refused(to, number(count))),
        ["capture", device] => {
            losses::tap(device);
            say("ready");
            while told() {}
        }
        ["frames", device, count] => when_told(|| losses::frames(device, number(count))),
        ["tcp-slow", address] => held_up::slow(address),
        ["tcp-fast", address] => held_up::fast(address),
        ["tcp-stream", to] => held_up::stream(to, false),
        ["tcp-stream-sndbuf", to] => held_up::stream(to, true),
        ["tcp-at-rate", to, rate] => held_up::at_rate(to, number(rate)),
        ["tcp-trickle", to] => held_up::trickle(to),
        ["tcp-portion", to, bytes] => held_up::portion(to, number(bytes)),
        ["tcp-listen", address, backlog] => held_up::listen(address, number(backlog) as u16),
        ["tcp-queue-up", to, times] => held_up::queue_up(to, number(times)),
        ["udp-answer", address] => open_loop::answer(address),
        ["udp-ask", to, rate] => open_loop::ask(to, number(rate)),
        ["udp-cycle", namespace, address, port, gauge] => {
            busy(cycle::udp, namespace, address, port, gauge);
        }
        ["tcp-cycle", namespace, address, port, gauge] => {
            busy(cycle::tcp, namespace, address, port, gauge);
        }
        ["udp-paced", namespace, address, port, gauge] => {
            busy(paced::half, namespace, address, port, gauge);
        }
        ["rpc-answer", address, port, each] => rpc::answer(address, number(port), number(each)),
        ["rpc-ask", address, port, each, gauge] => {
            rpc::ask(address, number(port), number(each), gauge);
        }
        ["udp-fill", to, cpu] => fill::send(to, number(cpu), None),
        ["udp-fill", to, cpu, gauge] => fill::send(to, number(cpu), Some(gauge)),
        ["udp-burst", to, cpu, gauge] => fill::burst(to, number(cpu), gauge),
        ["udp-drain", address, cpu] => fill::drain(address, number(cpu)),
        ["offloads", ..] => {}
        _ => panic!("unknown order {order}"),
    }
}

pub use cycle::pin;

fn number(word: &str) -> usize {
    word.parse().expect("a number")
}

fn say(word: &str) {
    println!("{word}");
    std::io::stdout().flush().expect("the test reads");
}

/// Starts threads that run until the test closes the line.
fn busy(
    start: fn(&'static str, &'static str, u16, &'static str),
    namespace: &str,
    address: &str,
    port: &str,
    gauge: &str,
) {
    let whole = |word: &str| -> &'static str { Box::leak(word.into()) };
    start(
        whole(namespace),
        whole(address),
        number(port) as u16,
        whole(gauge),
    );
    say("ready");
    while told() {}
}

fn when_told(work: impl Fn()) {
    say("ready");
    while told() {
        work();
        say("done");
    }
}

/// False: the test has closed the line.
fn told() -> bool {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).is_ok_and(|n| n > 0)
}

/// A bound socket that is read until the test closes the line.
fn receive(address: &str) {
    let socket = UdpSocket::bind(address).expect("the address is ours");
    socket
        .set_read_timeout(Some(Duration::from_millis(50)))
        .expect("a valid timeout");
    say("ready");
    thread::spawn(move || {
        let mut buffer = [0; 2048];
        loop {
            let _timeout = socket.recv(&mut buffer);
        }
    });
    while told() {}
}

/// A bound socket whose reader sleeps when there is something, and then reads all of it.
fn sleepy(address: &str, ms: u64) {
    let socket = UdpSocket::bind(address).expect("the address is ours");
    say("ready");
    thread::spawn(move || {
        let mut buffer = [0; 2048];
        while socket.peek(&mut buffer).is_ok() {
            thread::sleep(Duration::from_millis(ms));
            socket.set_nonblocking(true).expect("a mode");
            while socket.recv(&mut buffer).is_ok() {}
            socket.set_nonblocking(false).expect("a mode");
        }
    });
    while told() {}
}

/// A bound socket with the smallest buffer that nobody reads.
fn deaf(address: &str) {
    let socket = UdpSocket::bind(address).expect("the address is ours");
    crate::buffer::smallest(&socket);
    say("ready");
    while told() {}
}

/// `threads` threads, started when told, send `each` datagrams each.
fn send(from: &str, to: &str, threads: usize, each: usize, size: usize) {
    say("ready");
    while told() {
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    let socket = UdpSocket::bind(from).expect("the address is ours");
                    let payload = vec![7u8; size];
                    for sent in 0..each {
                        socket.send_to(&payload, to).expect("a sent datagram");
                        // The receiver shall not drop: this is about exact counts.
                        if sent % 64 == 63 {
                            thread::sleep(Duration::from_micros(200));
                        }
                    }
                });
            }
        });
        say("done");
    }
}

fn flood(from: &str, to: &str, seconds: usize) {
    let socket = UdpSocket::bind(from).expect("the address is ours");
    say("ready");
    told();
    let until = std::time::Instant::now() + Duration::from_secs(seconds as u64);
    while std::time::Instant::now() < until {
        for _ in 0..256 {
            // A full queue is part of a flood.
            let _dropped = socket.send_to(&[7; 64], to);
        }
    }
    say("done");
}

/// A fixed number of 64-byte datagrams as fast as they go, each time it is told.
fn blast(from: &str, to: &str, count: usize) {
    let socket = UdpSocket::bind(from).expect("the address is ours");
    say("ready");
    while told() {
        for _ in 0..count {
            // A full queue is part of it: the packet was made all the same.
            let _dropped = socket.send_to(&[7; 64], to);
        }
        say("done");
    }
}

fn tcp_receive(address: &str) {
    let listener = TcpListener::bind(address).expect("the address is ours");
    say("ready");
    let (mut stream, _) = listener.accept().expect("a connection");
    let mut buffer = vec![0; 256 * 1024];
    while stream.read(&mut buffer).expect("a healthy stream") > 0 {}
    say("done");
    while told() {}
}

fn tcp_send(to: &str, bytes: usize) {
    say("ready");
    told();
    let mut stream = TcpStream::connect(to).expect("a listener");
    let payload = vec![7; 64 * 1024];
    let mut left = bytes;
    while left > 0 {
        let part = left.min(payload.len());
        stream
            .write_all(&payload[..part])
            .expect("a healthy stream");
        left -= part;
    }
    drop(stream);
    say("done");
    while told() {}
}
