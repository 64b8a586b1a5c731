//! What holds a process up most: its CPU, its own reading, or what its connections wait for.

use crate::decode::{SocketReader, TcpSince};
use crate::model::Process;

/// Less than this share of the time, percent, holds nobody up.
const HELD_UP: f64 = 5.0;

/// A receive buffer this full stays so because nobody reads, percent.
const UNREAD_PCT: u32 = 50;

/// The name of the tightest and how tight it is, percent: the quota of its group stops it (`cpu`: of
/// the periods), it waits for a CPU (`runq`), its senders wait (`rwnd`, `sndbuf`, `cwnd`: of the
/// time), its receive buffer is full (`rcvbuf`: of the room). Where nothing is, its senders have
/// nothing to send (`app`).
pub fn tightest(process: &Process, sockets: Option<&SocketReader>) -> Option<String> {
    let quota = process.throttled_pct.map(|pct| ("cpu", pct));
    // A delay of 10 ms per second is 1 %.
    let queue = process.runq_delay_ms.map(|ms| ("runq", ms / 10.0));
    let mut held: Vec<(&str, f64)> = quota.into_iter().chain(queue).collect();
    held.retain(|(_, pct)| *pct >= HELD_UP);
    // Who gets no CPU reads late: the full buffer follows from it.
    if held.is_empty() {
        held.extend(sockets.and_then(full).map(|pct| ("rcvbuf", pct)));
    }
    let since = sockets.map(|sockets| &sockets.since);
    for (name, of) in SENDERS {
        held.extend(since.and_then(|since| Some((*name, share(since, *of)?))));
    }
    held.retain(|(_, pct)| *pct >= HELD_UP);
    if held.is_empty() {
        let nothing_to_send = since.and_then(|since| share(since, |since| since.app_us));
        held.extend(nothing_to_send.map(|pct| ("app", pct)));
    }
    let (what, pct) = held.into_iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
    Some(format!("{what} {:.0}%", pct.min(100.0)))
}

type Time = fn(&TcpSince) -> u64;

static SENDERS: &[(&str, Time)] = &[
    ("rwnd", |since| since.rwnd_us),
    ("sndbuf", |since| since.sndbuf_us),
    ("cwnd", |since| since.cwnd_us),
];

/// Of the time of its connections that send.
fn share(since: &TcpSince, of: Time) -> Option<f64> {
    (since.span_us > 0).then(|| 100.0 * of(since) as f64 / since.span_us as f64)
}

fn full(sockets: &SocketReader) -> Option<f64> {
    if sockets.dropped > 0 {
        return Some(100.0);
    }
    let pct = sockets.fullest_pct.filter(|pct| *pct >= UNREAD_PCT)?;
    Some(pct.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(throttled_pct: Option<f64>, runq_delay_ms: Option<f64>) -> Process {
        Process {
            runq_delay_ms,
            throttled_pct,
            ..Process::default()
        }
    }

    fn sockets(times: [u64; 4], fullest: u32) -> SocketReader {
        SocketReader {
            fullest_pct: Some(fullest),
            since: TcpSince {
                span_us: times.iter().sum(),
                rwnd_us: times[0],
                sndbuf_us: times[1],
                cwnd_us: times[2],
                app_us: times[3],
                ..TcpSince::default()
            },
            ..SocketReader::of(7)
        }
    }

    fn of(process: &Process, sockets: &SocketReader) -> String {
        tightest(process, Some(sockets)).unwrap_or_default()
    }

    #[test]
    fn the_tightest_is_named_with_its_share() {
        let free = process(None, Some(3.0));
        let none = SocketReader::default();
        assert_eq!(of(&free, &none), "");
        assert_eq!(of(&process(Some(61.0), Some(412.0)), &none), "cpu 61%");
        assert_eq!(of(&process(Some(9.0), Some(412.0)), &none), "runq 41%");
        assert_eq!(of(&free, &sockets([70, 0, 20, 10], 10)), "rwnd 70%");
        assert_eq!(of(&free, &sockets([0, 64, 22, 14], 10)), "sndbuf 64%");
        assert_eq!(of(&free, &sockets([0, 0, 93, 7], 10)), "cwnd 93%");
        assert_eq!(of(&free, &sockets([0, 0, 0, 0], 98)), "rcvbuf 98%");
    }

    #[test]
    fn senders_without_anything_to_send_are_named_only_where_nothing_else_is_tight() {
        let free = process(None, None);
        assert_eq!(of(&free, &sockets([0, 0, 3, 97], 10)), "app 97%");
        assert_eq!(of(&free, &sockets([0, 0, 6, 94], 10)), "cwnd 6%");
        assert_eq!(of(&free, &sockets([0, 0, 0, 0], 10)), "");
    }

    #[test]
    fn a_full_buffer_of_one_that_gets_no_cpu_is_the_cpus_doing() {
        let late = process(None, Some(120.0));
        assert_eq!(of(&late, &sockets([0, 0, 0, 0], 98)), "runq 12%");
        let dropping = SocketReader {
            dropped: 3,
            ..SocketReader::default()
        };
        assert_eq!(of(&process(None, None), &dropping), "rcvbuf 100%");
        assert_eq!(of(&process(Some(20.0), None), &dropping), "cpu 20%");
    }
}
