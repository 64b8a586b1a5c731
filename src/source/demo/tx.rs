//! The events of what the machine sends, from the system call to the freed skb.

use super::chains::{
    ACK, CLEAN_TX, DEV_XMIT, GRO_ETH0, QUEUE, SENDTO, SOFTIRQ, TCP_AGAIN, TCP_PUSH, TCP_RCV,
    TCP_SEND, TCP_XMIT, UDP_SEND, WRITEV,
};
use super::events::{Row, by, kind, segs, soft};
use super::load::{Flow, KAFKA_SEGS, NGINX_SEGS};
use super::process::{FETCH, FLUSH, KAFKA, NGINX, SERVE, SHELL, SSHD, STATSD};

const KAFKA_LEN: u64 = KAFKA_SEGS * 1448 + 66;
const NGINX_LEN: u64 = NGINX_SEGS * 1448 + 66;

pub static ROWS: &[Row] = &[
    kind(
        2,
        "vec==2",
        soft("irq:softirq_entry", Flow::RunTx, "", 0, &[SOFTIRQ]),
    ),
    by(
        &STATSD,
        FLUSH,
        soft(
            "net:netif_rx",
            Flow::Lo,
            "lo",
            220,
            &[
                &["netif_rx_internal", "__netif_rx", "loopback_xmit"],
                DEV_XMIT,
                QUEUE,
                UDP_SEND,
            ],
        ),
    ),
    by(
        &STATSD,
        FLUSH,
        soft("net:net_dev_queue", Flow::Lo, "lo", 220, &[QUEUE, UDP_SEND]),
    ),
    by(
        &KAFKA,
        FETCH,
        soft(
            "net:net_dev_queue",
            Flow::KafkaTx,
            "eth0",
            KAFKA_LEN,
            &[QUEUE, TCP_PUSH, TCP_SEND, WRITEV],
        ),
    ),
    soft(
        "net:net_dev_queue",
        Flow::KafkaTxSoft,
        "eth0",
        KAFKA_LEN,
        &[QUEUE, TCP_PUSH, TCP_RCV, GRO_ETH0, SOFTIRQ],
    ),
    by(
        &NGINX,
        SERVE,
        soft(
            "net:net_dev_queue",
            Flow::NginxTx,
            "eth1",
            NGINX_LEN,
            &[QUEUE, TCP_PUSH, TCP_SEND, WRITEV],
        ),
    ),
    by(
        &SSHD,
        SHELL,
        soft(
            "net:net_dev_queue",
            Flow::SshTx,
            "eth1",
            180,
            &[QUEUE, TCP_PUSH, TCP_SEND, WRITEV],
        ),
    ),
    soft(
        "net:net_dev_queue",
        Flow::AckTx,
        "eth0",
        66,
        &[QUEUE, ACK, TCP_RCV, GRO_ETH0, SOFTIRQ],
    ),
    soft(
        "net:net_dev_queue",
        Flow::Retransmit,
        "eth0",
        1514,
        &[QUEUE, TCP_XMIT, TCP_AGAIN, TCP_RCV, GRO_ETH0, SOFTIRQ],
    ),
    by(
        &STATSD,
        FLUSH,
        soft(
            "net:net_dev_start_xmit",
            Flow::Lo,
            "lo",
            220,
            &[DEV_XMIT, QUEUE, UDP_SEND],
        ),
    ),
    segs(
        KAFKA_SEGS,
        by(
            &KAFKA,
            FETCH,
            soft(
                "net:net_dev_start_xmit",
                Flow::KafkaTx,
                "eth0",
                KAFKA_LEN,
                &[DEV_XMIT, QUEUE, TCP_PUSH, TCP_SEND, WRITEV],
            ),
        ),
    ),
    segs(
        KAFKA_SEGS,
        soft(
            "net:net_dev_start_xmit",
            Flow::KafkaTxSoft,
            "eth0",
            KAFKA_LEN,
            &[DEV_XMIT, QUEUE, TCP_PUSH, TCP_RCV, GRO_ETH0, SOFTIRQ],
        ),
    ),
    segs(
        NGINX_SEGS,
        by(
            &NGINX,
            SERVE,
            soft(
                "net:net_dev_start_xmit",
                Flow::NginxTx,
                "eth1",
                NGINX_LEN,
                &[DEV_XMIT, QUEUE, TCP_PUSH, TCP_SEND, WRITEV],
            ),
        ),
    ),
    by(
        &SSHD,
        SHELL,
        soft(
            "net:net_dev_start_xmit",
            Flow::SshTx,
            "eth1",
            180,
            &[DEV_XMIT, QUEUE, TCP_PUSH, TCP_SEND, WRITEV],
        ),
    ),
    soft(
        "net:net_dev_start_xmit",
        Flow::AckTx,
        "eth0",
        66,
        &[DEV_XMIT, QUEUE, ACK, TCP_RCV, GRO_ETH0, SOFTIRQ],
    ),
    soft(
        "net:net_dev_start_xmit",
        Flow::Retransmit,
        "eth0",
        1514,
        &[
            DEV_XMIT, QUEUE, TCP_XMIT, TCP_AGAIN, TCP_RCV, GRO_ETH0, SOFTIRQ,
        ],
    ),
    soft("skb:consume_skb", Flow::TxDone, "", 0, &[CLEAN_TX, SOFTIRQ]),
    soft(
        "tcp:tcp_retransmit_skb",
        Flow::Retransmit,
        "",
        0,
        &[TCP_AGAIN, TCP_RCV, GRO_ETH0, SOFTIRQ],
    ),
    by(
        &STATSD,
        FLUSH,
        soft(
            "sock:sock_send_length",
            Flow::Lo,
            "",
            178,
            &[&["call_trace_sock_send_length", "sock_sendmsg"], SENDTO],
        ),
    ),
    by(
        &KAFKA,
        FETCH,
        soft(
            "sock:sock_send_length",
            Flow::KafkaSend,
            "",
            32_768,
            &[&["call_trace_sock_send_length"], WRITEV],
        ),
    ),
    by(
        &NGINX,
        SERVE,
        soft(
            "sock:sock_send_length",
            Flow::NginxSend,
            "",
            24_000,
            &[&["call_trace_sock_send_length"], WRITEV],
        ),
    ),
    by(
        &SSHD,
        SHELL,
        soft(
            "sock:sock_send_length",
            Flow::SshSend,
            "",
            120,
            &[&["call_trace_sock_send_length"], WRITEV],
        ),
    ),
];
