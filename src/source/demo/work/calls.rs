//! CPU time of the machine's processes: their system calls, and their own code.

use super::{Work, by};
use crate::source::demo::chains::{
    DEV_XMIT, QUEUE, RECV, RECVMSG, SENDTO, Segment, TCP_PUSH, TCP_SEND, UDP_SEND, WRITEV,
};
use crate::source::demo::load::Flow;
use crate::source::demo::process::{
    BUILD, EPOLL, FETCH, FLUSH, Frames, KAFKA, NGINX, PARSE, PRODUCE, Process, READ_STATS, REQUEST,
    SERVE, SHELL, SSHD, STATSD,
};

type Who = (&'static Process, Frames);

const READS: Who = (&STATSD, READ_STATS);
const FLUSHES: Who = (&STATSD, FLUSH);
const TAKES: Who = (&KAFKA, PRODUCE);
const GIVES: Who = (&KAFKA, FETCH);
const SERVES: Who = (&NGINX, SERVE);

const SYSCALL: Segment = &["do_syscall_64", "entry_SYSCALL_64_after_hwframe"];
const UDP_READ: Segment = &["udp_recvmsg"];
const TCP_READ: Segment = &["tcp_recvmsg_locked", "tcp_recvmsg"];
const WRITE: Segment = &["tcp_sendmsg_locked", "tcp_sendmsg", "inet_sendmsg"];
const UDP_WRITE: Segment = &["udp_sendmsg", "inet_sendmsg"];

pub static IN_CALLS: &[Work] = &[
    by(READS, Flow::StatsdRecv, &[SYSCALL], &[(250, &[])]),
    by(READS, Flow::StatsdRecv, &[RECV], &[(250, &[])]),
    by(
        READS,
        Flow::StatsdRecv,
        &[UDP_READ, RECVMSG],
        &[
            (450, &[]),
            (250, &["_raw_spin_lock_bh", "__skb_recv_udp"]),
            (
                500,
                &[
                    "rep_movs_alternative",
                    "_copy_to_iter",
                    "__skb_datagram_iter",
                    "skb_copy_datagram_iter",
                ],
            ),
            (
                350,
                &[
                    "kmem_cache_free",
                    "__consume_stateless_skb",
                    "skb_consume_udp",
                ],
            ),
            (
                300,
                &[
                    "finish_task_switch.isra.0",
                    "__schedule",
                    "schedule",
                    "schedule_timeout",
                    "__skb_wait_for_more_packets",
                    "__skb_recv_udp",
                ],
            ),
        ],
    ),
    by(TAKES, Flow::KafkaRecv, &[SYSCALL], &[(300, &[])]),
    by(
        TAKES,
        Flow::KafkaRecv,
        &[RECVMSG],
        &[
            (
                300,
                &["_raw_spin_lock_bh", "lock_sock_nested", "tcp_recvmsg"],
            ),
            (300, &["release_sock", "tcp_recvmsg"]),
        ],
    ),
    by(
        TAKES,
        Flow::KafkaRecv,
        &[TCP_READ, RECVMSG],
        &[
            (900, &[]),
            (
                6000,
                &[
                    "rep_movs_alternative",
                    "_copy_to_iter",
                    "__skb_datagram_iter",
                    "skb_copy_datagram_iter",
                ],
            ),
            (
                1300,
                &["free_unref_page", "skb_release_data", "__kfree_skb"],
            ),
        ],
    ),
    by(
        (&NGINX, REQUEST),
        Flow::NginxRecv,
        &[TCP_READ, RECVMSG],
        &[(1400, &[])],
    ),
    by(
        (&NGINX, EPOLL),
        Flow::NginxRecv,
        &[SYSCALL],
        &[(
            600,
            &[
                "ep_send_events",
                "ep_poll",
                "do_epoll_wait",
                "__x64_sys_epoll_wait",
            ],
        )],
    ),
    by(GIVES, Flow::KafkaSend, &[SYSCALL], &[(300, &[])]),
    by(GIVES, Flow::KafkaSend, &[WRITEV], &[(250, &[])]),
    by(
        GIVES,
        Flow::KafkaSend,
        &[WRITE, WRITEV],
        &[
            (900, &[]),
            (4000, &["rep_movs_alternative", "_copy_from_iter"]),
            (
                400,
                &[
                    "kmem_cache_alloc_node",
                    "__alloc_skb",
                    "tcp_stream_alloc_skb",
                ],
            ),
            (
                400,
                &[
                    "get_page_from_freelist",
                    "__alloc_pages",
                    "skb_page_frag_refill",
                    "sk_page_frag_refill",
                ],
            ),
        ],
    ),
    by(
        GIVES,
        Flow::KafkaTx,
        &[TCP_SEND, WRITEV],
        &[(900, &["tcp_write_xmit", "__tcp_push_pending_frames"])],
    ),
    by(
        GIVES,
        Flow::KafkaTx,
        &[TCP_PUSH, TCP_SEND, WRITEV],
        &[(350, &[])],
    ),
    by(
        GIVES,
        Flow::KafkaTx,
        &[QUEUE, TCP_PUSH, TCP_SEND, WRITEV],
        &[
            (400, &[]),
            (
                250,
                &["fq_codel_enqueue", "dev_qdisc_enqueue", "__dev_xmit_skb"],
            ),
            (250, &["_raw_spin_lock", "__dev_xmit_skb"]),
            (
                1900,
                &[
                    "ice_start_xmit [ice]",
                    "dev_hard_start_xmit",
                    "sch_direct_xmit",
                    "__qdisc_run",
                    "__dev_xmit_skb",
                ],
            ),
        ],
    ),
    by(SERVES, Flow::NginxSend, &[SYSCALL], &[(300, &[])]),
    by(
        SERVES,
        Flow::NginxSend,
        &[WRITE, WRITEV],
        &[
            (800, &[]),
            (3000, &["rep_movs_alternative", "_copy_from_iter"]),
        ],
    ),
    by(
        SERVES,
        Flow::NginxTx,
        &[TCP_SEND, WRITEV],
        &[(900, &["tcp_write_xmit", "__tcp_push_pending_frames"])],
    ),
    by(
        SERVES,
        Flow::NginxTx,
        &[QUEUE, TCP_PUSH, TCP_SEND, WRITEV],
        &[
            (300, &[]),
            (1500, &["mlx4_en_xmit [mlx4_en]", "dev_hard_start_xmit"]),
        ],
    ),
    by(FLUSHES, Flow::Lo, &[SENDTO], &[(250, &[])]),
    by(
        FLUSHES,
        Flow::Lo,
        &[UDP_WRITE, SENDTO],
        &[
            (400, &[]),
            (
                300,
                &[
                    "kmem_cache_alloc_node",
                    "__alloc_skb",
                    "sock_alloc_send_pskb",
                    "__ip_append_data",
                    "ip_make_skb",
                ],
            ),
        ],
    ),
    by(FLUSHES, Flow::Lo, &[QUEUE, UDP_SEND], &[(200, &[])]),
    by(
        FLUSHES,
        Flow::Lo,
        &[DEV_XMIT, QUEUE, UDP_SEND],
        &[(250, &["loopback_xmit"])],
    ),
    by(
        (&SSHD, SHELL),
        Flow::SshSend,
        &[WRITE, WRITEV],
        &[(8000, &[])],
    ),
];

pub static IN_PROGRAMS: &[Work] = &[
    by(
        (&STATSD, STATSD.busy),
        Flow::StatsdRecv,
        &[],
        &[(3000, &[])],
    ),
    by((&KAFKA, KAFKA.busy), Flow::KafkaRecv, &[], &[(6000, &[])]),
    by((&KAFKA, BUILD), Flow::KafkaSend, &[], &[(3500, &[])]),
    by((&NGINX, PARSE), Flow::NginxSend, &[], &[(9000, &[])]),
];
