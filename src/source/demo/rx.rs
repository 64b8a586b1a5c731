//! The events of what the machine receives, from the softirq to the reader.

use super::chains::{
    BACKLOG, GRO_ETH0, GRO_ETH1, POLL_ETH0, POLL_ETH1, RECV, RECVMSG, SOFTIRQ, TCP_RCV, UDP_QUEUE,
    UDP_RCV,
};
use super::events::{NO_SOCKET, Row, SOCKET_RCVBUFF, by, kind, segs, soft};
use super::load::{ETH1_MERGED, Flow, TCP_MERGED};
use super::process::{KAFKA, NGINX, PRODUCE, READ_STATS, REQUEST, STATSD};

pub static ROWS: &[Row] = &[
    kind(
        3,
        "vec==3",
        soft("irq:softirq_entry", Flow::RunRx, "", 0, &[SOFTIRQ]),
    ),
    soft(
        "napi:napi_poll",
        Flow::PollEth0,
        "eth0",
        30,
        &[&["__napi_poll", "net_rx_action"], SOFTIRQ],
    ),
    soft(
        "napi:napi_poll",
        Flow::PollEth1,
        "eth1",
        20,
        &[&["__napi_poll", "net_rx_action"], SOFTIRQ],
    ),
    soft(
        "napi:napi_poll",
        Flow::PollBacklog,
        "(no_device)",
        3,
        &[&["__napi_poll", "net_rx_action"], SOFTIRQ],
    ),
    soft(
        "net:napi_gro_receive_entry",
        Flow::GroEth0,
        "eth0",
        1500,
        &[POLL_ETH0, SOFTIRQ],
    ),
    soft(
        "net:napi_gro_frags_entry",
        Flow::GroEth1,
        "eth1",
        1500,
        &[POLL_ETH1, SOFTIRQ],
    ),
    soft(
        "net:netif_receive_skb",
        Flow::StackTcp,
        "eth0",
        TCP_MERGED * 1448 + 52,
        &[&["__netif_receive_skb_core.constprop.0"], GRO_ETH0, SOFTIRQ],
    ),
    soft(
        "net:netif_receive_skb",
        Flow::StackUdp,
        "eth0",
        300,
        &[&["__netif_receive_skb_core.constprop.0"], GRO_ETH0, SOFTIRQ],
    ),
    soft(
        "net:netif_receive_skb",
        Flow::StackEth1,
        "eth1",
        ETH1_MERGED * 1448 + 52,
        &[&["__netif_receive_skb_core.constprop.0"], GRO_ETH1, SOFTIRQ],
    ),
    soft(
        "net:netif_receive_skb",
        Flow::Lo,
        "lo",
        220,
        &[&["__netif_receive_skb_core.constprop.0"], BACKLOG, SOFTIRQ],
    ),
    segs(
        TCP_MERGED,
        soft(
            "tcp:tcp_probe",
            Flow::StackTcp,
            "",
            TCP_MERGED * 1448,
            &[TCP_RCV, GRO_ETH0, SOFTIRQ],
        ),
    ),
    segs(
        ETH1_MERGED,
        soft(
            "tcp:tcp_probe",
            Flow::StackEth1,
            "",
            ETH1_MERGED * 1448,
            &[TCP_RCV, GRO_ETH1, SOFTIRQ],
        ),
    ),
    soft(
        "sock:sk_data_ready",
        Flow::StatsdRecv,
        "",
        250,
        &[UDP_QUEUE, UDP_RCV, GRO_ETH0, SOFTIRQ],
    ),
    kind(
        SOCKET_RCVBUFF,
        "",
        soft(
            "skb:kfree_skb",
            Flow::DropRcvbuf,
            "",
            0,
            &[&["kfree_skb_reason"], UDP_QUEUE, UDP_RCV, GRO_ETH0, SOFTIRQ],
        ),
    ),
    kind(
        NO_SOCKET,
        "",
        soft(
            "skb:kfree_skb",
            Flow::DropNoSocket,
            "",
            0,
            &[&["kfree_skb_reason"], UDP_RCV, GRO_ETH0, SOFTIRQ],
        ),
    ),
    by(
        &STATSD,
        READ_STATS,
        soft(
            "skb:consume_skb",
            Flow::StatsdRecv,
            "",
            0,
            &[
                &["__consume_stateless_skb", "skb_consume_udp", "udp_recvmsg"],
                RECVMSG,
            ],
        ),
    ),
    by(
        &STATSD,
        READ_STATS,
        soft(
            "sock:sock_recv_length",
            Flow::StatsdRecv,
            "",
            250,
            &[&["call_trace_sock_recv_length", "sock_recvmsg"], RECV],
        ),
    ),
    by(
        &KAFKA,
        PRODUCE,
        soft(
            "sock:sock_recv_length",
            Flow::KafkaRecv,
            "",
            60_000,
            &[&["call_trace_sock_recv_length", "sock_recvmsg"], RECV],
        ),
    ),
    by(
        &NGINX,
        REQUEST,
        soft(
            "sock:sock_recv_length",
            Flow::NginxRecv,
            "",
            900,
            &[&["call_trace_sock_recv_length", "sock_recvmsg"], RECV],
        ),
    ),
];
