//! CPU time of packets that arrive, on the time of whoever was interrupted.

use super::{Work, soft};
use crate::source::demo::chains::{
    ACK, BACKLOG, CLEAN_TX, DEV_XMIT, GRO_ETH0, GRO_ETH1, NAPI_ETH0, NAPI_ETH1, POLL_ETH0,
    POLL_ETH1, QUEUE, SOFTIRQ, Segment, TCP_PUSH, TCP_RCV, UDP_QUEUE, UDP_RCV,
};
use crate::source::demo::load::Flow;

const IRQ: Segment = &[
    "__handle_irq_event_percpu",
    "handle_irq_event",
    "handle_edge_irq",
    "__common_interrupt",
];
const SEND_ACK: Segment = &[
    "__tcp_send_ack.part.0",
    "tcp_send_ack",
    "__tcp_ack_snd_check",
];

pub static IN_SOFTIRQ: &[Work] = &[
    soft(
        Flow::RunRx,
        &[SOFTIRQ],
        &[
            (200, &[]),
            (350, &["net_rx_action"]),
            (400, &["__napi_poll", "net_rx_action"]),
        ],
    ),
    // The driver: a descriptor, its buffer, an skb around it.
    soft(
        Flow::PollEth0,
        &[NAPI_ETH0, SOFTIRQ],
        &[(500, &[]), (250, &["napi_complete_done"])],
    ),
    soft(
        Flow::GroEth0,
        &[&["ice_clean_rx_irq [ice]"], NAPI_ETH0, SOFTIRQ],
        &[
            (170, &[]),
            (50, &["ice_process_skb_fields [ice]"]),
            (60, &["ice_alloc_rx_bufs [ice]"]),
            (
                55,
                &[
                    "kmem_cache_alloc_bulk",
                    "napi_skb_cache_get",
                    "napi_build_skb",
                ],
            ),
            (40, &["__build_skb_around", "napi_build_skb"]),
            (35, &["eth_type_trans"]),
        ],
    ),
    soft(
        Flow::GroEth1,
        &[&["mlx4_en_process_rx_cq [mlx4_en]"], NAPI_ETH1, SOFTIRQ],
        &[(200, &[]), (80, &["kmem_cache_alloc", "napi_get_frags"])],
    ),
    soft(
        Flow::GroEth0,
        &[POLL_ETH0, SOFTIRQ],
        &[
            (40, &[]),
            (100, &["dev_gro_receive"]),
            (65, &["inet_gro_receive", "dev_gro_receive"]),
            (
                75,
                &[
                    "tcp_gro_receive",
                    "tcp4_gro_receive",
                    "inet_gro_receive",
                    "dev_gro_receive",
                ],
            ),
            (
                95,
                &[
                    "skb_gro_receive",
                    "tcp_gro_receive",
                    "tcp4_gro_receive",
                    "inet_gro_receive",
                    "dev_gro_receive",
                ],
            ),
        ],
    ),
    soft(
        Flow::GroEth1,
        &[POLL_ETH1, SOFTIRQ],
        &[
            (60, &[]),
            (150, &["dev_gro_receive"]),
            (
                90,
                &[
                    "tcp_gro_receive",
                    "tcp4_gro_receive",
                    "inet_gro_receive",
                    "dev_gro_receive",
                ],
            ),
        ],
    ),
    // A merged TCP skb up to its socket.
    soft(
        Flow::StackTcp,
        &[GRO_ETH0, SOFTIRQ],
        &[
            (300, &["__netif_receive_skb_core.constprop.0"]),
            (350, &["ip_rcv_core", "ip_list_rcv"]),
            (300, &["ip_rcv_finish_core", "ip_list_rcv"]),
        ],
    ),
    soft(
        Flow::StackTcp,
        &[TCP_RCV, GRO_ETH0, SOFTIRQ],
        &[
            (1100, &[]),
            (450, &["tcp_mstamp_refresh"]),
            (700, &["tcp_ack"]),
            (
                350,
                &[
                    "kmem_cache_free",
                    "tcp_clean_rtx_queue.constprop.0",
                    "tcp_ack",
                ],
            ),
            (300, &["tcp_data_queue"]),
            (
                450,
                &[
                    "skb_release_data",
                    "kfree_skb_partial",
                    "tcp_queue_rcv",
                    "tcp_data_queue",
                ],
            ),
            (200, &["sock_def_readable", "tcp_data_queue"]),
            (
                350,
                &[
                    "ep_poll_callback",
                    "__wake_up_common",
                    "__wake_up_sync_key",
                    "sock_def_readable",
                    "tcp_data_queue",
                ],
            ),
            (
                400,
                &[
                    "try_to_wake_up",
                    "default_wake_function",
                    "ep_poll_callback",
                    "__wake_up_common",
                    "__wake_up_sync_key",
                    "sock_def_readable",
                    "tcp_data_queue",
                ],
            ),
        ],
    ),
    soft(
        Flow::StackEth1,
        &[GRO_ETH1, SOFTIRQ],
        &[
            (300, &["__netif_receive_skb_core.constprop.0"]),
            (600, &["ip_rcv_core", "ip_list_rcv"]),
        ],
    ),
    soft(
        Flow::StackEth1,
        &[TCP_RCV, GRO_ETH1, SOFTIRQ],
        &[
            (1300, &[]),
            (1200, &["tcp_ack"]),
            (
                900,
                &[
                    "ep_poll_callback",
                    "__wake_up_common",
                    "__wake_up_sync_key",
                    "sock_def_readable",
                    "tcp_data_queue",
                ],
            ),
        ],
    ),
    // A datagram up to statsd's socket, or not.
    soft(
        Flow::StackUdp,
        &[GRO_ETH0, SOFTIRQ],
        &[
            (300, &["__netif_receive_skb_core.constprop.0"]),
            (250, &["ip_rcv_core", "ip_list_rcv"]),
        ],
    ),
    soft(
        Flow::StackUdp,
        &[UDP_RCV, GRO_ETH0, SOFTIRQ],
        &[(400, &["__udp4_lib_lookup"])],
    ),
    soft(
        Flow::StackUdp,
        &[UDP_QUEUE, UDP_RCV, GRO_ETH0, SOFTIRQ],
        &[
            (250, &[]),
            (450, &["_raw_spin_lock", "__udp_enqueue_schedule_skb"]),
            (500, &["sock_def_readable", "__udp_enqueue_schedule_skb"]),
        ],
    ),
    soft(
        Flow::DropRcvbuf,
        &[UDP_QUEUE, UDP_RCV, GRO_ETH0, SOFTIRQ],
        &[(600, &["skb_release_data", "kfree_skb_reason"])],
    ),
    soft(
        Flow::Lo,
        &[BACKLOG, SOFTIRQ],
        &[(700, &["ip_rcv_core", "ip_rcv"])],
    ),
    // What arrivals send, and what is freed when it was sent.
    soft(
        Flow::AckTx,
        &[SEND_ACK, TCP_RCV, GRO_ETH0, SOFTIRQ],
        &[
            (400, &["__tcp_transmit_skb"]),
            (250, &["kmem_cache_alloc_node", "__alloc_skb"]),
        ],
    ),
    soft(
        Flow::AckTx,
        &[QUEUE, ACK, TCP_RCV, GRO_ETH0, SOFTIRQ],
        &[
            (300, &[]),
            (
                250,
                &["fq_codel_enqueue", "dev_qdisc_enqueue", "__dev_xmit_skb"],
            ),
            (
                600,
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
    soft(
        Flow::KafkaTxSoft,
        &[TCP_RCV, GRO_ETH0, SOFTIRQ],
        &[(1500, &["tcp_write_xmit", "__tcp_push_pending_frames"])],
    ),
    soft(
        Flow::KafkaTxSoft,
        &[DEV_XMIT, QUEUE, TCP_PUSH, TCP_RCV, GRO_ETH0, SOFTIRQ],
        &[(2500, &["ice_start_xmit [ice]"])],
    ),
    soft(
        Flow::TxDone,
        &[&["ice_clean_tx_irq [ice]"], NAPI_ETH0, SOFTIRQ],
        &[(300, &[])],
    ),
    soft(
        Flow::TxDone,
        &[CLEAN_TX, SOFTIRQ],
        &[(350, &["skb_release_data"])],
    ),
];

pub static IN_INTERRUPT: &[Work] = &[soft(
    Flow::PollEth0,
    &[IRQ],
    &[
        (200, &[]),
        (350, &["ice_msix_clean_rings [ice]"]),
        (150, &["__napi_schedule", "ice_msix_clean_rings [ice]"]),
    ],
)];
