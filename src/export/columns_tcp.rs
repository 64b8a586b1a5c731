//! The columns of the tables of sockets: connections, their sums, listening sockets.

use super::table::Unit::{Bits, Bytes, Count, None as Bare, PerS, Percent};
use super::table::{Cell, Column};
use crate::model::{Flow, Limit, Listener, Tcp, TcpGroup};

pub const TCP: &[Column<Tcp>] = &[
    Column::new("local", Bare, |t| (&t.local).into()),
    Column::new("remote", Bare, |t| (&t.remote).into()),
    Column::new("netns", Bare, |t| t.netns.into()),
    Column::new("cookie", Bare, |t| t.cookie.into()),
    Column::new("pid", Bare, |t| t.pid.into()),
    Column::new("comm", Bare, |t| t.comm.as_ref().into()),
    Column::new("state", Bare, |t| t.state.into()),
    Column::new("bytes_sent", Bytes, |t| t.flow.bytes_sent.into()),
    Column::new("bytes_received", Bytes, |t| t.flow.bytes_received.into()),
    Column::new("bytes_retrans", Bytes, |t| t.flow.bytes_retrans.into()),
    Column::new("sent_bps", Bits, |t| t.flow.sent_bps.into()),
    Column::new("received_bps", Bits, |t| t.flow.received_bps.into()),
    Column::new("retransmit_rate", PerS, |t| t.flow.retransmit_rate.into()),
    Column::new("retrans_pct", Percent, |t| t.flow.retrans_pct.into()),
    Column::new("srtt_us", Count, |t| t.flow.srtt_us.into()),
    Column::new("min_rtt_us", Count, |t| t.flow.min_rtt_us.into()),
    Column::new("cwnd", Count, |t| t.cwnd.into()),
    Column::new("delivery_rate", Bytes, |t| t.flow.delivery_rate.into()),
    Column::new("pacing_rate", Bytes, |t| t.pacing_rate.into()),
    Column::new("rx_queue", Bytes, |t| t.flow.rx_queue.into()),
    Column::new("tx_queue", Bytes, |t| t.flow.tx_queue.into()),
    Column::new("limit", Bare, |t| limit(&t.flow)),
    Column::new("limited", Bare, |t| limited(&t.flow)),
    Column::new("total_sent", Bytes, |t| t.total_sent.into()),
    Column::new("total_received", Bytes, |t| t.total_received.into()),
    Column::new("total_retrans", Bytes, |t| t.total_retrans.into()),
    Column::new("unacked", Count, |t| t.unacked.into()),
    Column::new("lost", Count, |t| t.lost.into()),
    Column::new("reordered", Count, |t| t.reordered.into()),
    Column::new("timeouts", Count, |t| t.timeouts.into()),
];

pub const TCP_GROUPS: &[Column<TcpGroup>] = &[
    Column::new("by", Bare, |g| g.by.into()),
    Column::new("name", Bare, |g| (&g.name).into()),
    Column::new("pid", Bare, |g| g.pid.into()),
    Column::new("connections", Count, |g| g.connections.into()),
    Column::new("active", Count, |g| g.active.into()),
    Column::new("bytes_sent", Bytes, |g| g.flow.bytes_sent.into()),
    Column::new("bytes_received", Bytes, |g| g.flow.bytes_received.into()),
    Column::new("bytes_retrans", Bytes, |g| g.flow.bytes_retrans.into()),
    Column::new("sent_bps", Bits, |g| g.flow.sent_bps.into()),
    Column::new("received_bps", Bits, |g| g.flow.received_bps.into()),
    Column::new("retransmit_rate", PerS, |g| g.flow.retransmit_rate.into()),
    Column::new("retrans_pct", Percent, |g| g.flow.retrans_pct.into()),
    Column::new("srtt_us", Count, |g| g.flow.srtt_us.into()),
    Column::new("min_rtt_us", Count, |g| g.flow.min_rtt_us.into()),
    Column::new("delivery_rate", Bytes, |g| g.flow.delivery_rate.into()),
    Column::new("rx_queue", Bytes, |g| g.flow.rx_queue.into()),
    Column::new("tx_queue", Bytes, |g| g.flow.tx_queue.into()),
    Column::new("limit", Bare, |g| limit(&g.flow)),
    Column::new("limited", Bare, |g| limited(&g.flow)),
];

pub const LISTENERS: &[Column<Listener>] = &[
    Column::new("local", Bare, |l| (&l.local).into()),
    Column::new("netns", Bare, |l| l.netns.into()),
    Column::new("cookie", Bare, |l| l.cookie.into()),
    Column::new("pid", Bare, |l| l.pid.into()),
    Column::new("comm", Bare, |l| l.comm.as_ref().into()),
    Column::new("queue", Count, |l| l.queue.into()),
    Column::new("backlog", Count, |l| l.backlog.into()),
    Column::new("dropped", Count, |l| l.dropped.into()),
    Column::new("dropped_total", Count, |l| l.dropped_total.into()),
];

fn limit(flow: &Flow) -> Cell {
    flow.limit.map(Limit::name).into()
}

/// `rwnd=1.0 sndbuf=0.0 cwnd=80.2 app=18.8`, percent of the time.
fn limited(flow: &Flow) -> Cell {
    let part = |limit: Limit| Some(format!("{}={:.1}", limit.name(), flow.limited.of(limit)?));
    let parts = [Limit::Rwnd, Limit::Sndbuf, Limit::Cwnd, Limit::App];
    let parts: Option<Vec<String>> = parts.into_iter().map(part).collect();
    parts.map(|parts| parts.join(" ")).as_ref().into()
}
