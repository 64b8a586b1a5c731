//! Requests at a fixed rate, whatever the answers do, and who answers them. How long an answer
//! took counts from when its request was due: a late sender hides nothing.

use std::net::UdpSocket;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::{say, told};

/// Every datagram goes back to where it came from, until the test closes the line.
pub fn answer(address: &str) {
    let socket = UdpSocket::bind(address).expect("the address is ours");
    say("ready");
    thread::spawn(move || {
        let mut buffer = [0; 2048];
        while let Ok((size, asker)) = socket.recv_from(&mut buffer) {
            let _dropped = socket.send_to(&buffer[..size], asker);
        }
    });
    while told() {}
}

/// `rate` 64-byte requests a second from the first line on. Each line is answered with the median
/// and the 99th percentile in ns, and the number, of the answers since the line before.
pub fn ask(to: &str, rate: usize) {
    // Sleep no longer than asked: threads inherit it. Else the kernel adds up to 50 µs.
    std::fs::write("/proc/self/timerslack_ns", "1").expect("the slack is ours");
    let socket = UdpSocket::bind("0.0.0.0:0").expect("any port");
    socket.connect(to).expect("an address");
    let answers = socket.try_clone().expect("the same socket");
    let period = Duration::from_secs(1) / rate as u32;
    say("ready");
    if !told() {
        return;
    }
    say("0 0 0 done");
    let began = Instant::now();
    let taken = Mutex::new(Vec::new());
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0u32.. {
                thread::sleep((began + period * number).saturating_duration_since(Instant::now()));
                let mut request = [7; 64];
                request[..4].copy_from_slice(&number.to_le_bytes());
                // Nobody answers yet, or the queue is full.
                let _refused = socket.send(&request);
            }
        });
        scope.spawn(|| {
            let mut answer = [0; 64];
            loop {
                if let Ok(64) = answers.recv(&mut answer) {
                    let number = u32::from_le_bytes([answer[0], answer[1], answer[2], answer[3]]);
                    let took = (began + period * number).elapsed().as_nanos() as u64;
                    let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
                    taken.push(took);
                }
            }
        });
        while told() {
            let mut taken =
                std::mem::take(&mut *taken.lock().unwrap_or_else(PoisonError::into_inner));
            taken.sort_unstable();
            let at = |percent| taken.get(taken.len() * percent / 100).unwrap_or(&0);
            say(&format!("{} {} {} done", at(50), at(99), taken.len()));
        }
        // The two threads never end by themselves.
        std::process::exit(0);
    });
}
