//! The detail pane of view 9: us, the peer, or the wire? In a sentence, with its figures.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Span;

use super::paragraphs::{self, Paragraph};
use super::tcp_rows::Entry;
use super::{Scene, rule};
use crate::model::{Flow, Limit, Listener, Sockets, Tcp, TcpGroup};
use crate::tui::figure;
use crate::tui::text::clean;

/// Beyond this share of what was sent, what was sent again tells of loss, percent.
const LOSSY_PCT: f64 = 0.1;

/// A round trip this many times the least one waits in a queue somewhere.
const QUEUED: u64 = 2;

pub fn render(scene: &Scene<'_>, entry: &Entry, area: Rect, buf: &mut Buffer) {
    let dim = scene.theme.dim;
    let (title, answer, more) = match entry {
        Entry::One(tcp) => {
            let title = format!("{} → {}", tcp.local, tcp.remote);
            (title, connection(tcp), one(tcp))
        }
        Entry::Sum(group) => (group.name.clone(), sum(group), vec![shares(&group.flow)]),
        Entry::Listens(socket) => (socket.local.clone(), listener(socket), Vec::new()),
    };
    let process = Span::styled(clean(&entry.process()).into_owned(), dim);
    let title = Span::styled(clean(&title).into_owned(), scene.theme.strong);
    rule(scene, vec![title, process], area, buf);
    let below = Rect {
        y: area.y.saturating_add(1),
        height: area.height.saturating_sub(1),
        ..area
    };
    let mut list = vec![Paragraph::new(0, answer, Style::new())];
    let lines = more.into_iter().zip(1..);
    list.extend(lines.map(|(text, rank)| Paragraph::new(rank, text, Style::new())));
    if let Some(sockets) = &scene.snapshot.sockets {
        list.push(Paragraph::new(9, reading(sockets), dim));
    }
    paragraphs::render(list, below, buf);
}

fn connection(tcp: &Tcp) -> String {
    let flow = &tcp.flow;
    let Some(limit) = flow.limit else {
        return match flow.received_bps {
            None => "Nothing to compare with yet: it was read once.".to_owned(),
            Some(rate) if rate > 0.0 => {
                let unread = figure::bytes(Some(flow.rx_queue as f64));
                format!(
                    "It receives: what holds the sender up is known at its end; {unread} wait here to be read."
                )
            }
            Some(_) => "Nothing was sent or received.".to_owned(),
        };
    };
    let pct = figure::percent(flow.limited.of(limit));
    let bytes = |bytes: u64| figure::bytes(Some(bytes as f64));
    let of = |buffer: Option<u64>| {
        buffer.map_or_else(String::new, |size| format!(" of {}", bytes(size)))
    };
    match limit {
        Limit::Rwnd => format!(
            "The peer: its window ({}) was full {pct} of the time: its process reads late, or its receive buffer is small.",
            bytes(tcp.peer_window)
        ),
        Limit::Sndbuf => format!(
            "Us: our send buffer{} was full {pct} of the time: a larger SO_SNDBUF or net.ipv4.tcp_wmem would let more be on its way.",
            of(tcp.sndbuf)
        ),
        Limit::Cwnd => wire(flow, &pct, Some(tcp)),
        Limit::App => format!(
            "Us: the application had nothing to send {pct} of the time; neither the network nor the peer held it up."
        ),
        Limit::Reader => format!(
            "Us: {}{} wait to be read: the process is late, not the network.",
            bytes(flow.rx_queue),
            of(tcp.rcvbuf)
        ),
    }
}

fn wire(flow: &Flow, pct: &str, one: Option<&Tcp>) -> String {
    let trip = round_trip(flow);
    let loss = flow.retrans_pct.filter(|pct| *pct >= LOSSY_PCT);
    if let Some(loss) = loss {
        return format!(
            "The wire: {} of the bytes had to be sent again, and it waited for the network {pct} of the time; {trip}.",
            figure::percent(Some(loss))
        );
    }
    let queued = flow.srtt_us.zip(flow.min_rtt_us);
    if queued.is_some_and(|(now, least)| now > QUEUED * least) {
        return format!(
            "The wire: it waited for acknowledgements {pct} of the time, and a queue on the way makes them late; {trip}."
        );
    }
    let window = one.map_or_else(String::new, |tcp| {
        format!(
            " with {} segments of {} B on their way",
            tcp.unacked, tcp.mss
        )
    });
    format!("The wire: it waited for acknowledgements {pct} of the time{window}; {trip}.")
}

fn round_trip(flow: &Flow) -> String {
    let time = |us: Option<u64>| figure::cost_words(us.map(|us| us as f64 * 1000.0));
    let (now, least) = (time(flow.srtt_us), time(flow.min_rtt_us));
    format!("round trip {now}, at least {least}")
}

/// The figures of one connection.
fn one(tcp: &Tcp) -> Vec<String> {
    let bytes = |bytes: u64| figure::bytes(Some(bytes as f64));
    let mut now = vec![
        format!("{} {}", tcp.state, round_trip(&tcp.flow)),
        format!("cwnd {} × {} B", tcp.cwnd, tcp.mss),
        format!("unacked {}", tcp.unacked),
        format!("unsent {}", bytes(tcp.notsent)),
    ];
    if let Some(rate) = tcp.pacing_rate {
        now.push(format!(
            "paced to {}",
            figure::bits(Some(rate as f64 * 8.0))
        ));
    }
    if tcp.lost > 0 {
        now.push(format!("{} held for lost", tcp.lost));
    }
    if tcp.reordered > 0 {
        now.push(format!("reordered {} times", tcp.reordered));
    }
    if tcp.timeouts > 0 {
        now.push(format!("{} timeouts in a row", tcp.timeouts));
    }
    let total = format!(
        "since it began: sent {}, of it again {} · received {}",
        bytes(tcp.total_sent),
        bytes(tcp.total_retrans),
        bytes(tcp.total_received)
    );
    vec![shares(&tcp.flow), now.join(" · "), total]
}

fn shares(flow: &Flow) -> String {
    let share = |limit: Limit| figure::percent(flow.limited.of(limit));
    let (tx, rx) = (flow.tx_queue as f64, flow.rx_queue as f64);
    format!(
        "peer's window {} · our send buffer {} · network {} · application {} of the time · queues: tx {} rx {}",
        share(Limit::Rwnd),
        share(Limit::Sndbuf),
        share(Limit::Cwnd),
        share(Limit::App),
        figure::bytes(Some(tx)),
        figure::bytes(Some(rx))
    )
}

fn sum(group: &TcpGroup) -> String {
    let flow = &group.flow;
    let pct = |limit: Limit| figure::percent(flow.limited.of(limit));
    let answer = match flow.limit {
        None if group.active == 0 => "Nothing was sent or received.".to_owned(),
        None => "Nothing held them up.".to_owned(),
        Some(Limit::Cwnd) => wire(flow, &pct(Limit::Cwnd), None),
        Some(Limit::Rwnd) => format!(
            "The peers: their windows were full {} of the time.",
            pct(Limit::Rwnd)
        ),
        Some(Limit::Sndbuf) => format!(
            "Us: send buffers were full {} of the time.",
            pct(Limit::Sndbuf)
        ),
        Some(_) => format!(
            "Us: the applications had nothing to send {} of the time.",
            pct(Limit::App)
        ),
    };
    format!(
        "{answer} {} of {} connections were active.",
        group.active, group.connections
    )
}

fn listener(socket: &Listener) -> String {
    let waiting = format!(
        "{} connections wait to be accepted, {} may",
        socket.queue, socket.backlog
    );
    let dropped = match socket.dropped {
        Some(0) => ", none was dropped".to_owned(),
        Some(1) => ", 1 was dropped or refused".to_owned(),
        Some(n) => format!(", {n} were dropped or refused"),
        None => String::new(),
    };
    let why = if socket.is_full() {
        ": the queue is full, its process accepts too late. Raise the backlog of listen() and net.core.somaxconn, or accept faster"
    } else {
        ""
    };
    format!("{waiting}{dropped}{why}.")
}

fn reading(sockets: &Sockets) -> String {
    let every = sockets.interval_s.map_or_else(String::new, |s| {
        format!(" every {}s", figure::rate(Some(s)))
    });
    let cut = if sockets.cut { ", not all of them" } else { "" };
    let (opened, closed) = (figure::count(sockets.opened), figure::count(sockets.closed));
    format!(
        "{} TCP and {} UDP sockets, {opened} new, {closed} gone; read{every} in {}{cut}: what lived shorter, and the last bytes of what ended, were not seen",
        figure::count(Some(sockets.tcp)),
        figure::count(Some(sockets.udp)),
        figure::milliseconds(Some(sockets.took_ms))
    )
}
