//! The tables netop carries, held against themselves, against functions that are known, and
//! against names that only look like the network's.

use super::*;
use crate::model::{Context, Task, Verdict, judge};

fn no_drivers() -> FxHashSet<String> {
    FxHashSet::default()
}

fn stage_of(table: &StageTable, text: &str) -> Option<&'static str> {
    let kind = table.kind(text, &no_drivers());
    kind.stage.map(|stage| table.name(stage))
}

fn judged(table: &StageTable, task: Task, chain: &str) -> Verdict {
    let frames: Vec<Kind> = chain
        .split_whitespace()
        .map(|name| table.kind(name, &no_drivers()))
        .collect();
    judge(&frames, task)
}

fn inclusive(table: &StageTable, verdict: &Verdict) -> Vec<&'static str> {
    verdict.inclusive.iter().map(|id| table.name(id)).collect()
}

/// signals.md 8: a sender whose receive softirq ran inside its own transmit.
const NESTED_RECEIVE: &str = "tcp_v4_rcv ip_protocol_deliver_rcu ip_local_deliver_finish \
    __netif_receive_skb_one_core process_backlog __napi_poll net_rx_action handle_softirqs \
    do_softirq.part.0 __local_bh_enable_ip __dev_queue_xmit ip_finish_output2 ip_output \
    __ip_queue_xmit __tcp_transmit_skb tcp_write_xmit tcp_sendmsg_locked tcp_sendmsg \
    sock_write_iter vfs_write ksys_write do_syscall_64 entry_SYSCALL_64_after_hwframe";

#[test]
fn a_senders_nested_receive_is_tcp_receiving_in_softirq_and_not_xmit() {
    let table = StageTable::builtin();
    let verdict = judged(&table, Task::Process, NESTED_RECEIVE);
    assert_eq!(verdict.exclusive, table.id("tcp"));
    assert_eq!(verdict.direction, Direction::Rx);
    assert_eq!(verdict.context, Context::Softirq);
    assert!(verdict.network);
    assert_eq!(verdict.cut, 7);
    assert_eq!(
        inclusive(&table, &verdict),
        ["napi", "core_rx", "ip", "tcp"]
    );
}

#[test]
fn the_same_chain_without_the_nested_part_is_the_senders_xmit() {
    let table = StageTable::builtin();
    let (_, sending) = NESTED_RECEIVE
        .split_once("__local_bh_enable_ip ")
        .expect("it is there");
    let verdict = judged(&table, Task::Process, sending);
    assert_eq!(verdict.exclusive, table.id("xmit"));
    assert_eq!(verdict.direction, Direction::Tx);
    assert_eq!(verdict.context, Context::Process);
    assert_eq!(inclusive(&table, &verdict), ["xmit", "ip", "tcp", "socket"]);
}

#[test]
fn a_stage_of_both_directions_takes_its_callers() {
    let table = StageTable::builtin();
    for (chain, stage, direction) in [
        (
            "kmem_cache_free skb_release_data tcp_rcv_established tcp_v4_rcv",
            "skb_mem",
            "rx",
        ),
        ("__alloc_skb tcp_sendmsg sock_write_iter", "skb_mem", "sock"),
        ("fib_table_lookup ip_route_input_slow ip_rcv", "ip", "rx"),
        ("_copy_to_iter tcp_recvmsg", "copy", "sock"),
        ("sock_def_readable udp_rcv", "sock_wake", "rx"),
        ("nf_hook_slow ip_output", "netfilter", "tx"),
        ("perf_tp_event ip_rcv", "observer", "other"),
    ] {
        let verdict = judged(&table, Task::Process, chain);
        assert_eq!(verdict.exclusive, table.id(stage), "{chain}");
        assert_eq!(verdict.direction.name(), direction, "{chain}");
    }
}

#[test]
fn reading_a_file_or_a_disk_is_no_network() {
    let table = StageTable::builtin();
    for chain in [
        "rep_movs_alternative _copy_to_iter copy_page_to_iter filemap_read vfs_read",
        "virtqueue_add_sgs virtblk_add_req virtio_queue_rq blk_mq_dispatch_rq_list",
        "_copy_to_user cp_new_stat __do_sys_newstat",
        "import_iovec vfs_readv",
        "dma_map_page_attrs nvme_map_data",
        "try_to_wake_up wake_up_q futex_wake",
        "perf_output_begin perf_event_mmap",
    ] {
        assert!(!judged(&table, Task::Process, chain).network, "{chain}");
    }
}

#[test]
fn another_profilers_bpf_work_in_a_tracepoint_is_the_observers() {
    let table = StageTable::builtin();
    let chain = "skb_copy_bits bpf_skb_load_bytes bpf_prog_0123456789abcdef_count \
        bpf_trace_run2 __traceiter_netif_receive_skb __netif_receive_skb_core.constprop.0";
    let verdict = judged(&table, Task::Process, chain);
    assert_eq!(verdict.exclusive, table.id("observer"));
    assert_eq!(inclusive(&table, &verdict), ["observer", "core_rx"]);
}

#[test]
fn known_functions_have_their_stage() {
    let table = StageTable::builtin();
    for (name, stage) in [
        ("net_rx_action", "napi"),
        ("net_tx_action", "nettx_softirq"),
        ("gro_receive_skb", "gro"),
        ("tcp4_gro_receive", "gro"),
        ("udp4_gro_complete", "gro"),
        ("sch_handle_ingress", "tc"),
        ("__qdisc_run", "qdisc"),
        ("fq_codel_dequeue", "qdisc"),
        ("__dev_queue_xmit", "xmit"),
        ("validate_xmit_skb.isra.0", "xmit"),
        ("passthru_features_check", "xmit"),
        ("tcp_gso_segment", "gso_csum"),
        ("nf_hook_slow", "netfilter"),
        ("nf_ip_checksum", "gso_csum"),
        ("br_handle_frame", "bridge_ovs"),
        ("br_nf_pre_routing", "netfilter"),
        ("veth_xmit", "virt_dev"),
        ("veth_xdp_rcv_one", "xdp_bpf"),
        ("xfrm_input", "ipsec_tls"),
        ("__netif_receive_skb_core.constprop.0", "core_rx"),
        ("__netif_rx", "core_rx"),
        ("tpacket_rcv", "tap_capture"),
        ("ip_rcv", "ip"),
        ("ip6_tnl_xmit", "virt_dev"),
        ("ip6_finish_output2", "ip"),
        ("ipv6_conntrack_in", "netfilter"),
        ("ipv6_rcv", "ip"),
        ("tcp_v4_rcv", "tcp"),
        ("__inet_lookup_established", "tcp"),
        ("__udp4_lib_rcv.part.0.isra.0", "udp"),
        ("udp_tunnel_xmit_skb", "virt_dev"),
        ("icmp_rcv", "other_l4"),
        ("tcp_zerocopy_receive", "copy"),
        ("skb_copy_datagram_iter", "copy"),
        ("__skb_wait_for_more_packets", "socket"),
        ("skb_recv_datagram", "socket"),
        ("consume_skb", "skb_mem"),
        ("kfree_skb_list_reason", "skb_mem"),
        ("ep_poll_callback", "sock_wake"),
        ("inet_sendmsg", "socket"),
        ("__x64_sys_sendto", "socket"),
        ("vring_interrupt", "driver_irq"),
        ("xennet_rx_interrupt", "driver_irq"),
        ("xennet_poll", "driver"),
        ("virtnet_poll", "driver"),
        ("__local_bh_enable_ip", "softirq_core"),
        ("perf_tp_event", "observer"),
        ("__traceiter_netif_rx", "observer"),
    ] {
        assert_eq!(stage_of(&table, name), Some(stage), "{name}");
    }
}

/// signals.md 3.2, and what the original table still took on this kind of kernel.
#[test]
fn names_that_only_look_like_the_networks_have_no_stage() {
    let table = StageTable::builtin();
    for name in [
        "dev_pm_qos_update_request",
        "dev_dax_probe",
        "mq_find",
        "do_mq_timedsend",
        "fq_put_unmap",
        "prio_changed_fair",
        "rt_mutex_adjust_pi",
        "rt_task_fits_capacity",
        "raw_spin_rq_lock_nested",
        "__raw_callee_save___pv_queued_spin_unlock",
        "_raw_spin_lock",
        "do_output_char",
        "ah_mt",
        "bpf_prog_load",
        "bpf_prog_run_pin_on_cpu",
        "fifo_open",
        "import_single_range",
        "noop_apic_write",
        "noop_dirty_folio",
        "noop_llseek",
        "vhost_task_fn",
        "dma_sync_wait",
        "receive_buf",
        "receive_fd",
        "__x64_sys_sendfile64",
        "__cgroup_bpf_run_filter_sysctl",
        "handle_softirqs",
        "0xffffffff81000000",
        "",
    ] {
        assert_eq!(stage_of(&table, name), None, "{name}");
    }
}

#[test]
fn padding_before_a_function_is_no_function() {
    let table = StageTable::builtin();
    for name in ["__pfx_ip_rcv", "__pfx_handle_softirqs", "__pfx_memcpy"] {
        assert_eq!(table.kind(name, &no_drivers()), Kind::default(), "{name}");
    }
}

#[test]
fn what_compilers_append_is_taken_off() {
    for (name, source) in [
        ("ip_rcv", "ip_rcv"),
        ("ip_rcv.cold", "ip_rcv"),
        ("ip_rcv.part.0", "ip_rcv"),
        ("ip_rcv.constprop.0.isra.3", "ip_rcv"),
        ("ip_rcv.llvm.1234567890", "ip_rcv"),
        ("ip_rcv.lto_priv.0", "ip_rcv"),
        ("ip_rcv.0", "ip_rcv.0"),
        ("ip_rcv.coldest", "ip_rcv.coldest"),
        (".cold", ""),
    ] {
        assert_eq!(without_suffixes(name), source);
    }
}

#[test]
fn compiled_programs_are_xdp_and_netops_own_are_the_observers() {
    let table = StageTable::builtin();
    for (text, stage) in [
        ("bpf_prog_0123456789abcdef_xdp_drop [bpf]", Some("xdp_bpf")),
        ("bpf_prog_0123456789abcdef [bpf]", Some("xdp_bpf")),
        (
            "bpf_prog_0123456789abcdef_netop_count [bpf]",
            Some("observer"),
        ),
        ("bpf_prog_0123456789abcdef_netopper", Some("xdp_bpf")),
        ("bpf_prog_0123456789abcdefg", None),
        ("bpf_prog_0123456789abcde_netop_x", None),
        ("bpf_prog_netop_x", None),
        ("bpf_prog_ééééééééé", None),
    ] {
        assert_eq!(stage_of(&table, text), stage, "{text}");
    }
    let own = table.kind("bpf_prog_0123456789abcdef_netop_count", &no_drivers());
    assert!(own.observer && !own.network);
}

#[test]
fn functions_of_a_driving_module_are_the_drivers_unless_a_rule_before_says_else() {
    let table = StageTable::builtin();
    let drivers: FxHashSet<String> = ["newnic", "igb"].map(str::to_owned).into_iter().collect();
    for (text, stage) in [
        ("clean_rx [newnic]", Some("driver")),
        ("clean_rx.isra.0 [newnic]", Some("driver")),
        ("clean_rx [other]", None),
        ("clean_rx", None),
        ("igb_msix_ring [igb]", Some("driver_irq")),
        ("igb_poll [igb]", Some("driver")),
        ("skb_put [newnic]", Some("skb_mem")),
        ("run_ksoftirqd [newnic]", Some("softirq_core")),
    ] {
        let kind = table.kind(text, &drivers);
        assert_eq!(kind.stage.map(|id| table.name(id)), stage, "{text}");
    }
    assert!(table.kind("clean_rx [newnic]", &drivers).network);
}

#[test]
fn boundaries_and_leaves_are_known() {
    let table = StageTable::builtin();
    let kind = |name| table.kind(name, &no_drivers());
    for (name, boundary) in [
        ("handle_softirqs", Some(Boundary::Softirq)),
        ("__do_softirq", Some(Boundary::Softirq)),
        ("asm_sysvec_apic_timer_interrupt", Some(Boundary::Interrupt)),
        ("asm_common_interrupt", Some(Boundary::Interrupt)),
        ("el1h_64_irq", Some(Boundary::Interrupt)),
        ("do_softirq", None),
        ("asm_exc_page_fault", None),
    ] {
        assert_eq!(kind(name).boundary, boundary, "{name}");
    }
    for (name, leaf) in [
        ("native_queued_spin_lock_slowpath", Some(Leaf::Lock)),
        ("_raw_spin_lock_bh", Some(Leaf::Lock)),
        ("kmem_cache_alloc_node_noprof", Some(Leaf::Alloc)),
        ("__slab_free", Some(Leaf::Alloc)),
        ("rep_movs_alternative", Some(Leaf::Copy)),
        ("csum_partial", Some(Leaf::Csum)),
        ("clear_page_erms", Some(Leaf::Memset)),
        ("_raw_spin_unlock_irqrestore", Some(Leaf::IrqOff)),
        ("finish_task_switch.isra.0", Some(Leaf::IrqOff)),
        ("clear_page_dirty_for_io", None),
        ("kfree_skb", None),
        ("ip_rcv", None),
    ] {
        assert_eq!(kind(name).leaf, leaf, "{name}");
    }
}

/// A prefix that an earlier prefix of another line begins never matches. Wanted ones would be
/// listed here with their reason; there are none.
const ACCEPTED_SHADOWS: &[&str] = &[];

#[test]
fn no_rule_is_shadowed_by_accident() {
    let found: Vec<String> = [STAGES, FRAMES].into_iter().flat_map(shadows).collect();
    assert_eq!(found, ACCEPTED_SHADOWS);
    let planted = "a\tother\tnet\t^tcp_ =ip_rcv\nb\tother\tnet\t^tcp_zerocopy =tcp_x\n";
    assert_eq!(shadows(planted), ["^tcp_zerocopy by ^tcp_"]);
}

/// Also within a line, where a rule is only of no use.
fn shadows(table: &'static str) -> Vec<String> {
    let rules: Vec<&str> = lines(table)
        .flat_map(|line| line.rsplit('\t').next().expect("rules").split(' '))
        .filter(|rule| rule.starts_with('^'))
        .collect();
    let mut found = Vec::new();
    for (i, rule) in rules.iter().enumerate() {
        if let Some(by) = rules[..i].iter().find(|by| rule.starts_with(**by)) {
            found.push(format!("{rule} by {by}"));
        }
    }
    found
}

#[test]
fn every_rule_matches_what_it_names() {
    let table = StageTable::builtin();
    for (index, line) in lines(STAGES).enumerate() {
        let [_, _, _, rules] = columns(line).expect("four columns");
        for rule in rules.split(' ').filter(|rule| !rule.contains('<')) {
            // What a prefix alone names may be somebody else's exact rule.
            let name = match rule.strip_prefix('^') {
                Some(prefix) => format!("{prefix}zzz"),
                None => rule[1..].to_owned(),
            };
            let kind = table.kind(&name, &no_drivers());
            assert_eq!(kind.stage, table.kinds[index].stage, "{rule}");
            assert_eq!(kind.direction, table.kinds[index].direction, "{rule}");
        }
    }
}

#[test]
fn stages_have_names_that_fit_the_screen_and_ids_that_lead_back() {
    let table = StageTable::builtin();
    assert!(table.names().len() > 20);
    for name in table.names() {
        assert!(name.len() <= 13, "{name}");
        let id = table.id(name).expect("its own name");
        assert_eq!(table.name(id), *name);
    }
    assert_eq!(table.id("no such stage"), None);
}

#[test]
fn a_broken_table_says_which_rule() {
    for (stages, why) in [
        ("ip\tother\tnet\t=a =a", "=a: twice"),
        ("ip\tother\tnet\t^ab", "^ab: too short a prefix"),
        ("ip\tother\tnet\tab", "ab: begins with neither = nor ^"),
        ("ip\tother\tnet\t=", "=: not a function's name"),
        ("ip\tother\tnet\t^a$b", "^a$b: not a function's name"),
        ("ip\tother\tnet\té", "é: not a function's name"),
        ("ip\tup\tnet\t=a", "no direction: up"),
        ("ip\tother\tmaybe\t=a", "neither net nor -: maybe"),
        ("ip\tother\t=a", "not 4 columns: ip\tother\t=a"),
        ("ip\tother\tnet\t=a", "no stage observer"),
    ] {
        assert_eq!(StageTable::parse(stages, "").err().as_deref(), Some(why));
    }
}
