//! Sockets: receive buffers, backlogs, accept and SYN queues (signals.md A27–A31).

use super::card::About;
use super::limits::Limits;
use super::window::Window;
use crate::model::{Drop, Finding, Severity};

fn at(place: &'static str) -> impl Fn(&Drop) -> bool {
    move |drop| drop.place.starts_with(place)
}

/// Who it happens to, as far as it is known: `statsd(812)`, else where.
fn whom(drop: &Drop) -> String {
    match (&drop.comm, drop.pid) {
        (Some(comm), Some(pid)) if comm != "–" => format!("{comm}({pid})"),
        (_, Some(pid)) => format!("process {pid}"),
        _ => drop
            .place
            .split_once(" in ")
            .map(|(_, place)| place.to_owned())
            .unwrap_or_default(),
    }
}

const UDP: About = About {
    rule: "A27",
    name: "udp-rcvbuf",
    source: "Documentation/networking/snmp_counter.rst; admin-guide/sysctl/net.rst (rmem_max)",
};

pub fn udp_buffer(window: &Window<'_>, limits: &Limits) -> Vec<Finding> {
    // The place is of both versions of IP.
    let both = |name: &str| {
        window.counter(&format!("Udp.{name}")) + window.counter(&format!("Udp6.{name}"))
    };
    let received = both("InDatagrams");
    let found = window.losses(at("socket buffer (UDP)")).into_iter().filter_map(|(drop, rate)| {
        let share = 100.0 * rate / (received + rate).max(1e-9);
        if rate < limits.get("A27.drops") || share < limits.get("A27.share") {
            return None;
        }
        let whom = whom(drop);
        let (max, default) = (
            window.sysctl_number("net.core.rmem_max"),
            window.sysctl_number("net.core.rmem_default"),
        );
        let wanted = 8 << 20;
        let old = max.unwrap_or(212_992);
        let of_all = both("MemErrors");
        let reader = drop.pid.and_then(|pid| window.now.processes.iter().find(|p| p.pid == pid));
        let waits = reader.and_then(|p| p.runq_delay_ms);
        let stopped = reader.and_then(|p| p.throttled_pct);
        let why = if stopped.is_some_and(|pct| pct >= limits.get("A27.throttled_pct")) {
            "Datagrams came while the socket's receive buffer was full, and its reader's group is stopped by its CPU quota: raise that quota (cpu.max, a pod's CPU limit) first, a larger buffer only takes what comes meanwhile."
        } else {
            "Datagrams came while the socket's receive buffer was full: its reader is too slow, or the buffer too small for the burst. A larger buffer (SO_RCVBUF, bounded by rmem_max) takes bursts; against a reader that is always behind only a faster or a second one helps (recvmmsg, SO_REUSEPORT)."
        };
        let card = UDP
            .card(Severity::Drop, drop.place.clone(), format!("{rate:.0} datagrams a second find a receive buffer full{}", if whom.is_empty() { String::new() } else { format!(": {whom}") }))
            .why(why)
            .saw("datagrams lost", rate, "/s")
            .saw("share of those that came", share, "%")
            .state("net.core.rmem_max", max.map(|v| v as f64), "bytes")
            .state("net.core.rmem_default", default.map(|v| v as f64), "bytes")
            .state("the reader waited for a CPU", waits, "ms")
            .state("its CPU quota stopped it", stopped, "% of the periods")
            .guard("udp_mem, the limit of all sockets", format!("{of_all:.1} MemErrors/s"), of_all < 0.1 * rate)
            .check("nstat -az UdpRcvbufErrors UdpMemErrors; ss -uampn");
        let card = if old < wanted {
            card.attempt(format!("sysctl -w net.core.rmem_max={wanted}"), format!("sysctl -w net.core.rmem_max={old}"))
        } else if let Some(default) = default.filter(|default| *default < 1 << 20) {
            card.attempt(
                format!("sysctl -w net.core.rmem_default={}", 1 << 20),
                format!("sysctl -w net.core.rmem_default={default}"),
            )
        } else {
            card
        };
        card.done()
    });
    found.collect()
}

const TCP_BUFFER: About = About {
    rule: "A28",
    name: "tcp-rcvbuf-pressure",
    source: "Documentation/networking/snmp_counter.rst (PruneCalled …); ip-sysctl.rst (tcp_rmem)",
};

pub fn tcp_buffer(window: &Window<'_>, limits: &Limits) -> Option<Finding> {
    let sum = |names: &[&str]| -> f64 { names.iter().map(|name| window.counter(name)).sum() };
    let prunes = sum(&[
        "TcpExt.PruneCalled",
        "TcpExt.RcvPruned",
        "TcpExt.TCPRcvQDrop",
        "TcpExt.TCPZeroWindowDrop",
    ]);
    let zero = window.counter("TcpExt.TCPToZeroWindowAdv");
    // The kernel's own clock of it, at the sender: where that is this host too.
    let held_up = (window.now.tcp.iter())
        .filter_map(|tcp| Some((tcp.flow.limited.rwnd_pct?, tcp)))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(share, _)| *share >= limits.get("A28.rwnd"));
    if prunes < limits.get("A28.prunes")
        && zero < limits.get("A28.zero_windows")
        && held_up.is_none()
    {
        return None;
    }
    let pressure = window.counter("TcpExt.TCPMemoryPressures");
    let old = window
        .sysctl("net.ipv4.tcp_rmem")
        .unwrap_or("4096 131072 6291456");
    let words: Vec<u64> = old
        .split(' ')
        .filter_map(|word| word.parse().ok())
        .collect();
    let [least, default, most] = words[..] else {
        return None;
    };
    TCP_BUFFER
        .card(Severity::Latency, "", "TCP receivers run out of buffer")
        .why("A receiver closed its window or dropped segments because its buffer was full: the reader is slower than the sender, or tcp_rmem's maximum is small for this bandwidth and delay. Where the reader is slow on purpose this back-pressure is right.")
        .saw("prunes and drops", prunes, "/s")
        .saw("zero windows advertised", zero, "/s")
        .state("longest wait for the peer's window", held_up.map(|(share, _)| share), "% of the time")
        .state("tcp_rmem, maximum", Some(most as f64), "bytes")
        .guard("tcp_mem, the limit of all sockets", format!("{pressure:.1} pressures/s"), pressure < 1.0)
        .check(match held_up {
            Some((_, tcp)) => format!("ss -tmi dst {}  # its reader; then: nstat -az | grep -E 'Prune|ZeroWindow|RcvQDrop'", tcp.remote),
            None => "nstat -az | grep -E 'Prune|ZeroWindow|RcvQDrop'; ss -tmi".to_owned(),
        })
        .attempt(
            format!("sysctl -w net.ipv4.tcp_rmem=\"{least} {default} {}\"", 2 * most),
            format!("sysctl -w net.ipv4.tcp_rmem=\"{least} {default} {most}\""),
        )
        .done()
}

const TCP_BACKLOG: About = About {
    rule: "A29",
    name: "tcp-backlog-drop",
    source: "net/ipv4/tcp_ipv4.c tcp_add_backlog",
};

pub fn tcp_backlog(window: &Window<'_>, limits: &Limits) -> Option<Finding> {
    let lost = window.losses(at("socket backlog (TCP)"));
    let rate: f64 = lost.iter().map(|(_, rate)| rate).sum();
    if rate < limits.get("A29.drops") {
        return None;
    }
    TCP_BACKLOG
        .card(Severity::Drop, "", format!("{rate:.0} segments a second come while their socket is locked"))
        .why("Segments came while the program held the socket in a long send or receive call, and the queue beside it overflowed. Shorter calls or larger buffers help.")
        .saw("segments lost", rate, "/s")
        .check("nstat -az TcpExtTCPBacklogDrop; ss -tmi")
        .attempt("", "")
        .done()
}

const LISTEN: About = About {
    rule: "A30",
    name: "listen-overflow",
    source: "Documentation/networking/snmp_counter.rst; ip-sysctl.rst (somaxconn)",
};

pub fn listen(window: &Window<'_>, limits: &Limits) -> Option<Finding> {
    let lost = window.losses(at("accept queue (TCP)"));
    let rate: f64 = lost.iter().map(|(_, rate)| rate).sum();
    // Fullest first; one that is full loses the next connection attempt, however few come.
    let full = window
        .now
        .listeners
        .iter()
        .find(|listener| listener.is_full());
    if rate < limits.get("A30.overflows") && !(rate > 0.0 && full.is_some()) {
        return None;
    }
    let inside = full.and_then(|listener| listener.netns_name.as_deref());
    let old = window
        .sysctl_inside(inside, "net.core.somaxconn")
        .and_then(|text| text.parse::<u64>().ok());
    let old = old.unwrap_or(4096);
    let whose = full.map_or_else(String::new, |listener| {
        let program = match (&listener.comm, listener.pid) {
            (Some(comm), Some(pid)) => format!(" of {comm}({pid})"),
            _ => String::new(),
        };
        format!(": {}{program}", listener.local)
    });
    let own_limit = full.is_some_and(|listener| listener.backlog < old);
    let typed = |command: &str| inside_of(inside, full.and_then(|l| l.pid), command);
    let first = if own_limit {
        "  # after a larger backlog in the program's listen(): that is the limit now"
    } else {
        "  # then restart the server"
    };
    LISTEN
        .card(Severity::Drop, "", format!("{rate:.0} connection attempts a second find an accept queue full{whose}"))
        .why("A server does not accept() fast enough: finished handshakes have no place and new SYNs are dropped, without any drop event. The queue is min(backlog of listen(), somaxconn): raise the program's backlog first, then the setting, and restart the server.")
        .saw("connection attempts lost", rate, "/s")
        .state("waiting to be accepted", full.map(|listener| listener.queue as f64), "connections")
        .state("its backlog", full.map(|listener| listener.backlog as f64), "connections")
        .state("net.core.somaxconn", Some(old as f64), "connections")
        .check(typed("nstat -az TcpExtListenOverflows TcpExtListenDrops; ss -ltnp"))
        .attempt(
            format!("{}{first}", typed(&format!("sysctl -w net.core.somaxconn={}", 2 * old))),
            typed(&format!("sysctl -w net.core.somaxconn={old}")),
        )
        .done()
}

/// A command as it is typed in another network namespace: by its name, else through a process.
fn inside_of(name: Option<&str>, pid: Option<u32>, command: &str) -> String {
    match (name, pid) {
        (Some(name), _) if name.parse::<u64>().is_err() => {
            format!("ip netns exec {name} {command}")
        }
        (Some(_), Some(pid)) => format!("nsenter -t {pid} -n {command}"),
        _ => command.to_owned(),
    }
}

const SYN: About = About {
    rule: "A31",
    name: "syn-queue",
    source: "Documentation/networking/ip-sysctl.rst (tcp_max_syn_backlog, tcp_syncookies)",
};

pub fn syn_queue(window: &Window<'_>, limits: &Limits) -> Option<Finding> {
    // Without cookies the kernel drops SYNs of peers it does not know from three quarters of
    // tcp_max_syn_backlog on, and counts that as ListenDrops only (tcp_input.c tcp_conn_request).
    let early = window.counter("TcpExt.ListenDrops") - window.counter("TcpExt.ListenOverflows");
    let dropped = window.counter("TcpExt.TCPReqQFullDrop").max(early);
    let cookies = window.counter("TcpExt.TCPReqQFullDoCookies");
    if dropped.max(cookies) < limits.get("A31.full") {
        return None;
    }
    let old = window
        .sysctl_number("net.ipv4.tcp_max_syn_backlog")
        .unwrap_or(1024);
    let finished = window.counter("Tcp.PassiveOpens");
    let severity = if dropped >= limits.get("A31.full") {
        Severity::Drop
    } else {
        Severity::Info
    };
    SYN.card(severity, "", "Too many half-open connections for a listening socket")
        .why("With SYN cookies the kernel still answers, without them SYNs are lost. Many sources of which few finish are a SYN flood: that is no tuning matter.")
        .saw("SYNs dropped", dropped, "/s")
        .saw("answered with cookies", cookies, "/s")
        .saw("connections that were opened", finished, "/s")
        .check("nstat -az | grep ReqQ; sysctl net.ipv4.tcp_max_syn_backlog net.ipv4.tcp_syncookies")
        .attempt(
            format!("sysctl -w net.ipv4.tcp_max_syn_backlog={}", 2 * old),
            format!("sysctl -w net.ipv4.tcp_max_syn_backlog={old}"),
        )
        .done()
}
