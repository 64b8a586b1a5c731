// netop's gate: counts hits of the network stack's tracepoints per CPU, device and process, and
// lets one in `period` through to the CPU's perf ring as a sample. One program per tracepoint.
//
// Exact without atomics, but for breakpoints: the kernel never runs a program within itself on one CPU, it counts such
// runs as misses instead (bpf_prog_info.recursion_misses), and netop adds those. A slot and a
// device's cell belong to one program and one CPU.
//
// Layouts are shared with src/sys/bpf/shared_maps.rs, the order of `enum event` and `struct hit` with
// src/source/live/gate/programs.rs, whose tests compare them. assets/bpf/build compiles it.
#include "kernel.h"

// Those before WITHOUT_DEVICE are also counted per device.
enum event {
	NET_DEV_QUEUE,
	NET_DEV_START_XMIT,
	NAPI_POLL,
	NAPI_GRO_RECEIVE_ENTRY,
	NAPI_GRO_FRAGS_ENTRY,
	NETIF_RECEIVE_SKB,
	NETIF_RX,
	KFREE_SKB,
	NET_DEV_XMIT,
	WITHOUT_DEVICE,
	CONSUME_SKB = WITHOUT_DEVICE,
	SOCK_SEND_LENGTH,
	SOCK_RECV_LENGTH,
	TCP_RETRANSMIT_SKB,
	NET_RX_ACTION,
	NET_TX_ACTION,
	TCP_PROBE,
	SK_DATA_READY,
	TCP_RECEIVE_RESET,
	TCP_SEND_RESET,
	BREAKPOINTS, // and those behind: breakpoints of one's own
	EVENTS = BREAKPOINTS + 16,
};

enum flags {
	BY_DEVICE = 1,      // count per device
	BY_PROCESS = 2,     // count per process
	ONE_DEVICE = 4,     // only hits of `filter.device`
	SOME_PIDS = 8,      // count per process only `pids`
	SAMPLE_PIDS = 16,   // sample only `pids`
	BY_SOCKET = 32,     // count per socket
	SAMPLE_CHOSEN = 64, // sample only `chosen` sockets
	CHOOSE = 128,       // sockets that `pids` use are chosen
	ELSEWHERE = 256,    // nothing counts on this CPU
	CALLED = 512,       // of a breakpoint: a function begins there, its caller is on top of the stack
};

// One cache line.
struct slot {
	u64 hits;
	u64 packets;
	u64 bytes;
	u64 overflow; // hits that found no room in `devices`, `processes` or `sockets`
	u32 since;    // hits since the last sample
	u32 period;   // 0: no samples
	u32 left;     // samples allowed until netop looks again
	u32 flags;
	u64 unused[2];
};

struct cpu {
	struct slot slots[EVENTS];
};

struct {
	__uint(type, MAP_ARRAY);
	__uint(map_flags, MMAPABLE);
	__uint(max_entries, 1); // possible CPUs; set at load time
	__type(key, u32);
	__type(value, struct cpu);
} cpus SEC(".maps");

#define CELLS 256 // a power of two
#define PROBES 8
#define NO_DEVICE 0xffffffff

struct cell {
	u32 ifindex; // 0: free
	u32 netns;
	u64 hits;
	u64 packets;
	u64 bytes;
	char name[16];
	u64 unused[2];
};

struct table {
	struct cell cells[WITHOUT_DEVICE][CELLS];
};

struct {
	__uint(type, MAP_ARRAY);
	__uint(map_flags, MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct table);
} devices SEC(".maps");

struct process {
	u32 tgid;
	u32 event;
};

struct work {
	u64 hits;
	u64 bytes;
};

struct {
	__uint(type, MAP_PERCPU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct process);
	__type(value, struct work);
} processes SEC(".maps");

// When each started: field 22 of /proc/PID/stat, in ticks of 10 ms (USER_HZ); 0: whoever has the number.
struct {
	__uint(type, MAP_HASH);
	__uint(max_entries, 1024);
	__type(key, u32);
	__type(value, u64);
} pids SEC(".maps");

// What went through a socket, whoever ran.
struct channel {
	u64 owner; // the socket's inode
	u32 event;
	u32 cpu; // of receives, else 0
};

struct transfer {
	u64 hits;
	u64 packets;
	u64 bytes;
};

struct {
	__uint(type, MAP_HASH);
	__uint(max_entries, 8192);
	__type(key, struct channel);
	__type(value, struct transfer);
} sockets SEC(".maps");

// Sockets of `pids` by their inodes, and whose they are.
struct {
	__uint(type, MAP_HASH);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, u32);
} chosen SEC(".maps");

struct filter {
	u64 device[2]; // name, padded with zeros
};

struct {
	__uint(type, MAP_ARRAY);
	__uint(map_flags, MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct filter);
} filters SEC(".maps");

struct {
	__uint(type, MAP_PERF_EVENT_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
} rings SEC(".maps");

// A sample's raw bytes.
struct hit {
	u16 event;
	u16 unused;
	u32 weight; // hits it stands for
	u32 ifindex;
	u32 netns;
	u32 len;
	u32 packets;
	s32 first;  // work, reason, ret or rc; of a breakpoint the lower half of its caller's address
	s32 second; // budget or flags; the upper half
	u64 owner;  // inode of the socket; 0: none
	char name[16];
};

// What a program knows of a hit before it is counted. `sk` is that of the call; one that `skb` has goes
// before it.
struct seen {
	u32 event;
	struct net_device *dev;
	struct sk_buff *skb;
	struct sock *sk;
	u32 packets;
	u32 bytes;
	s32 first;
	s32 second;
};

SELDOM int is_filters_device(struct net_device *dev)
{
	u32 zero = 0;
	struct filter *filter = map_lookup(&filters, &zero);
	if (!filter || !dev)
		return 0;
	// A name is padded with whatever was there: compared up to its end.
	const char *wanted = (const char *)filter->device;
#pragma clang loop unroll(disable)
	for (int i = 0; i < 16; i++) {
		char c = dev->name[i];
		if (c != wanted[i])
			return 0;
		if (!c)
			break;
	}
	return 1;
}

INLINE void count_device(struct slot *slot, const struct seen *seen, u32 cpu)
{
	struct net_device *dev = seen->dev;
	struct table *table = map_lookup(&devices, &cpu);
	// A poll without a device is that of the CPU's backlog.
	u32 ifindex = dev ? dev->ifindex : seen->event == NAPI_POLL ? NO_DEVICE : 0;
	if (!table || !ifindex)
		return;
	u32 netns = dev ? dev->nd_net.net->ns.inum : 0;
	// Interfaces and namespaces are numbered one after the other: spread over the table.
	u32 first = ifindex * 0x9e3779b1 ^ netns * 0x85ebca77;
	first ^= first >> 15;
#pragma clang loop unroll(disable)
	for (u32 probe = 0; probe < PROBES; probe++) {
		struct cell *cell = &table->cells[seen->event][(first + probe) % CELLS];
		if (cell->ifindex == ifindex && cell->netns == netns) {
			cell->hits++;
			cell->packets += seen->packets;
			cell->bytes += seen->bytes;
			return;
		}
		if (!cell->ifindex) {
			if (dev)
				probe_read_kernel(cell->name, sizeof(cell->name), dev->name);
			cell->netns = netns;
			cell->packets = seen->packets;
			cell->bytes = seen->bytes;
			cell->hits = 1;
			cell->ifindex = ifindex;
			return;
		}
	}
	slot->overflow++;
}

SELDOM void count_process(struct slot *slot, const struct seen *seen, u32 tgid)
{
	struct process key = {.tgid = tgid, .event = seen->event};
	struct work *work = map_lookup(&processes, &key);
	if (!work) {
		struct work none = {};
		map_update(&processes, &key, &none, NOEXIST);
		work = map_lookup(&processes, &key);
	}
	if (!work) {
		slot->overflow++;
		return;
	}
	work->hits++;
	work->bytes += seen->bytes;
}

// include/net/tcp_states.h: sockets without a process, and of another layout.
enum { TIME_WAIT = 6, NEW_SYN_RECV = 12 };

// Pointers are read as numbers: for each pointer that a program loads from a tracepoint's argument, on
// each of its paths, Linux 6.18 looks through all types for a mark of trust (btf_nested_type_is_trusted
// of kernel/bpf/verifier.c), and to load the programs takes three times as much CPU time.
SELDOM u64 owner_of(const struct seen *seen)
{
	struct sock *sk = 0;
	if (seen->skb)
		probe_read_kernel(&sk, sizeof(sk), &seen->skb->sk);
	if (!sk)
		sk = seen->sk;
	u8 state = 0;
	if (!sk || probe_read_kernel(&state, sizeof(state), (void *)&sk->__sk_common.skc_state) ||
	    state == TIME_WAIT || state == NEW_SYN_RECV)
		return 0;
	struct socket_alloc *both = 0;
	u64 owner = 0;
	probe_read_kernel(&both, sizeof(both), &sk->sk_socket);
	if (both)
		probe_read_kernel(&owner, sizeof(owner), &both->vfs_inode.i_ino);
	return owner;
}

// The CPUs share a socket's sums.
SELDOM void count_socket(struct slot *slot, const struct seen *seen, u64 owner, u32 cpu)
{
	struct channel key = {.owner = owner, .event = seen->event};
	if (seen->event == TCP_PROBE || seen->event == SK_DATA_READY)
		key.cpu = cpu;
	struct transfer *sum = map_lookup(&sockets, &key);
	if (!sum) {
		struct transfer none = {};
		map_update(&sockets, &key, &none, NOEXIST);
		sum = map_lookup(&sockets, &key);
	}
	if (!sum) {
		slot->overflow++;
		return;
	}
	__sync_fetch_and_add(&sum->hits, 1);
	__sync_fetch_and_add(&sum->packets, seen->packets);
	__sync_fetch_and_add(&sum->bytes, seen->bytes);
}

#define NS_PER_TICK 10000000

// The current process is one of `pids`, and not another that has got its number.
SELDOM int is_listed(u32 tgid)
{
	u64 *start = map_lookup(&pids, &tgid);
	if (!start || !*start)
		return !!start;
	struct task_struct *task = (void *)current_task(), *leader = 0;
	u64 began = 0;
	if (probe_read_kernel(&leader, sizeof(leader), &task->group_leader) ||
	    probe_read_kernel(&began, sizeof(began), &leader->start_boottime))
		return 1;
	return began / NS_PER_TICK == *start;
}

// The socket that a process of `pids` calls is chosen at once.
SELDOM void choose(u64 owner, u32 tgid)
{
	if (!map_lookup(&chosen, &owner))
		map_update(&chosen, &owner, &tgid, 0);
}

// decode/sample.rs leaves out its frame, the program's and the kernel's bpf_trace_runN.
SELDOM void sample(void *ctx, struct slot *slot, const struct seen *seen)
{
	struct hit hit = {
		.event = seen->event,
		.weight = slot->since,
		.len = seen->bytes,
		.packets = seen->packets,
		.first = seen->first,
		.second = seen->second,
		.owner = owner_of(seen),
	};
	if (seen->dev) {
		hit.ifindex = seen->dev->ifindex;
		if (hit.ifindex) {
			hit.netns = seen->dev->nd_net.net->ns.inum;
			probe_read_kernel(hit.name, sizeof(hit.name), seen->dev->name);
		}
	} else if (seen->event == NAPI_POLL) {
		__builtin_memcpy(hit.name, "(no_device)", sizeof("(no_device)"));
	}
	slot->since = 0;
	slot->left--;
	// What finds no room in the ring is in the kernel's own count of lost samples.
	perf_event_output(ctx, &rings, CURRENT_CPU, &hit, sizeof(hit));
}

INLINE int pass(void *ctx, const struct seen *seen)
{
	u32 cpu = processor_id();
	struct cpu *mine = map_lookup(&cpus, &cpu);
	if (!mine)
		return 0;
	struct slot *slot = &mine->slots[seen->event];
	u32 flags = slot->flags;
	if (flags & (ONE_DEVICE | ELSEWHERE) && (flags & ELSEWHERE || !is_filters_device(seen->dev)))
		return 0;
	slot->hits++;
	slot->packets += seen->packets;
	slot->bytes += seen->bytes;
	if (flags & BY_DEVICE && seen->event < WITHOUT_DEVICE)
		count_device(slot, seen, cpu);
	if (flags & (BY_PROCESS | SOME_PIDS | SAMPLE_PIDS)) {
		u32 tgid = current_pid_tgid() >> 32;
		int listed = !(flags & (SOME_PIDS | SAMPLE_PIDS)) || is_listed(tgid);
		if (flags & BY_PROCESS && (listed || !(flags & SOME_PIDS)))
			count_process(slot, seen, tgid);
		u64 owner = flags & CHOOSE && listed ? owner_of(seen) : 0;
		if (owner)
			choose(owner, tgid);
		if (flags & SAMPLE_PIDS && !listed)
			return 0;
	}
	if (flags & (BY_SOCKET | SAMPLE_CHOSEN)) {
		u64 owner = owner_of(seen);
		if (flags & BY_SOCKET && owner)
			count_socket(slot, seen, owner, cpu);
		if (flags & SAMPLE_CHOSEN && !map_lookup(&chosen, &owner))
			return 0;
	}
	// Hits that cannot become part of a sample are left out: the sum is known exactly anyway.
	u32 period = slot->period;
	if (period && slot->left && ++slot->since >= period)
		sample(ctx, slot, seen);
	return 0;
}

// The arguments are those of the tracepoint, in order (TP_PROTO in include/trace/events/).

INLINE int skb_passes(u64 *ctx, u32 event, u32 packets)
{
	struct sk_buff *skb = (void *)ctx[0];
	struct seen seen = {event, skb->dev, skb, 0, packets, skb->len};
	return pass(ctx, &seen);
}

SEC("tp_btf/net_dev_queue") int netop_queue(u64 *ctx)
{
	return skb_passes(ctx, NET_DEV_QUEUE, 0);
}

// Wire packets of an skb.
INLINE u32 packets_of(struct sk_buff *skb)
{
	// skb_shinfo(): behind the data; `end` is an offset on 64-bit kernels.
	struct skb_shared_info *shared = (void *)(skb->head + skb->end);
	u16 segments = 0;
	probe_read_kernel(&segments, sizeof(segments), &shared->gso_segs);
	return segments ?: 1;
}

SEC("tp_btf/net_dev_start_xmit") int netop_xmit(u64 *ctx)
{
	struct sk_buff *skb = (void *)ctx[0];
	struct seen seen = {NET_DEV_START_XMIT, (void *)ctx[1], skb, 0, packets_of(skb), skb->len};
	return pass(ctx, &seen);
}

SEC("tp_btf/napi_poll") int netop_poll(u64 *ctx)
{
	struct napi_struct *napi = (void *)ctx[0];
	s32 work = ctx[1], budget = ctx[2];
	struct seen seen = {NAPI_POLL, napi->dev, 0, 0, work, 0, work, budget};
	return pass(ctx, &seen);
}

SEC("tp_btf/napi_gro_receive_entry") int netop_gro(u64 *ctx)
{
	return skb_passes(ctx, NAPI_GRO_RECEIVE_ENTRY, 1);
}

SEC("tp_btf/napi_gro_frags_entry") int netop_gro_frags(u64 *ctx)
{
	return skb_passes(ctx, NAPI_GRO_FRAGS_ENTRY, 1);
}

SEC("tp_btf/netif_receive_skb") int netop_receive(u64 *ctx)
{
	return skb_passes(ctx, NETIF_RECEIVE_SKB, 0);
}

SEC("tp_btf/netif_rx") int netop_rx(u64 *ctx)
{
	return skb_passes(ctx, NETIF_RX, 0);
}

SEC("tp_btf/kfree_skb") int netop_drop(u64 *ctx)
{
	struct sk_buff *skb = (void *)ctx[0];
	// While a datagram is queued at its socket, `dev` holds something else (udp_dev_scratch): a
	// load from such an address gives 0, and ifindex 0 is no device.
	struct seen seen = {KFREE_SKB, skb->dev, skb, 0, 0, skb->len, ctx[2]};
	return pass(ctx, &seen);
}

// Since Linux 6.11 the event says for which socket the packet came in; older kernels refuse this one.
SEC("tp_btf/kfree_skb") int netop_drop_sk(u64 *ctx)
{
	struct sk_buff *skb = (void *)ctx[0];
	struct seen seen = {KFREE_SKB, skb->dev, skb, (void *)ctx[3], 0, skb->len, ctx[2]};
	return pass(ctx, &seen);
}

// The driver has the skb by now: only what the event itself says may be read.
SEC("tp_btf/net_dev_xmit") int netop_xmit_done(u64 *ctx)
{
	struct seen seen = {NET_DEV_XMIT, (void *)ctx[2], 0, 0, 0, ctx[3], ctx[1]};
	return pass(ctx, &seen);
}

SEC("tp_btf/consume_skb") int netop_consume(u64 *ctx)
{
	struct seen seen = {CONSUME_SKB, 0, (void *)ctx[0]};
	return pass(ctx, &seen);
}

#define MSG_PEEK 2

INLINE int call_ends(u64 *ctx, u32 event)
{
	s32 ret = ctx[1], flags = ctx[2];
	u32 bytes = ret > 0 && !(flags & MSG_PEEK) ? ret : 0;
	struct seen seen = {event, 0, 0, (void *)ctx[0], 0, bytes, ret, flags};
	return pass(ctx, &seen);
}

SEC("tp_btf/sock_send_length") int netop_send(u64 *ctx)
{
	return call_ends(ctx, SOCK_SEND_LENGTH);
}

SEC("tp_btf/sock_recv_length") int netop_recv(u64 *ctx)
{
	return call_ends(ctx, SOCK_RECV_LENGTH);
}

SEC("tp_btf/tcp_retransmit_skb") int netop_retransmit(u64 *ctx)
{
	struct seen seen = {TCP_RETRANSMIT_SKB, 0, 0, (void *)ctx[0]};
	return pass(ctx, &seen);
}

// include/linux/interrupt.h
enum { NET_TX_SOFTIRQ = 2, NET_RX_SOFTIRQ = 3 };

SEC("tp_btf/softirq_entry") int netop_rx_action(u64 *ctx)
{
	struct seen seen = {NET_RX_ACTION};
	return (u32)ctx[0] == NET_RX_SOFTIRQ ? pass(ctx, &seen) : 0;
}

SEC("tp_btf/softirq_entry") int netop_tx_action(u64 *ctx)
{
	struct seen seen = {NET_TX_ACTION};
	return (u32)ctx[0] == NET_TX_SOFTIRQ ? pass(ctx, &seen) : 0;
}

// For whom a softirq works is known late: TCP says it of each segment of an established connection,
// the other protocols when they wake the reader.

SEC("tp_btf/tcp_probe") int netop_segment(u64 *ctx)
{
	struct sk_buff *skb = (void *)ctx[1];
	struct seen seen = {TCP_PROBE, 0, 0, (void *)ctx[0], packets_of(skb), skb->len};
	return pass(ctx, &seen);
}

// include/linux/socket.h, include/uapi/linux/in.h
enum { INET = 2, INET6 = 10, TCP = 6 };

SEC("tp_btf/sk_data_ready") int netop_ready(u64 *ctx)
{
	struct sock *sk = (void *)ctx[0];
	u16 family = sk->__sk_common.skc_family;
	// TCP has said it; a local socket's data came from no softirq.
	int received = (family == INET || family == INET6) && sk->sk_protocol != TCP;
	struct seen seen = {SK_DATA_READY, 0, 0, received ? sk : 0, received};
	return pass(ctx, &seen);
}

SEC("tp_btf/tcp_receive_reset") int netop_reset_in(u64 *ctx)
{
	struct seen seen = {TCP_RECEIVE_RESET, 0, 0, (void *)ctx[0]};
	return pass(ctx, &seen);
}

// A reset may answer a segment that belongs to no socket.
SEC("tp_btf/tcp_send_reset") int netop_reset_out(u64 *ctx)
{
	struct seen seen = {TCP_SEND_RESET, 0, 0, (void *)ctx[0]};
	return pass(ctx, &seen);
}

// Since Linux 6.10 the event says why; older kernels refuse this one.
SEC("tp_btf/tcp_send_reset") int netop_reset_why(u64 *ctx)
{
	struct seen seen = {TCP_SEND_RESET, 0, 0, (void *)ctx[0], 0, 0, ctx[2]};
	return pass(ctx, &seen);
}

// All breakpoints in user space share a program, and the cookie of the attachment says which it
// is. A process may be preempted in it, by another that comes here: sums are atomic.
INLINE int strike(struct pt_regs *ctx)
{
	u64 breakpoint = attach_cookie(ctx);
	if (breakpoint >= EVENTS - BREAKPOINTS)
		return 0;
	u32 cpu = processor_id(), event = BREAKPOINTS + breakpoint;
	struct cpu *mine = map_lookup(&cpus, &cpu);
	if (!mine)
		return 0;
	struct seen seen = {event};
	struct slot *slot = &mine->slots[event];
	u32 flags = slot->flags;
	if (flags & ELSEWHERE)
		return 0;
	__sync_fetch_and_add(&slot->hits, 1);
	if (flags & (BY_PROCESS | SOME_PIDS | SAMPLE_PIDS)) {
		struct process key = {.tgid = current_pid_tgid() >> 32, .event = event};
		int listed = !(flags & (SOME_PIDS | SAMPLE_PIDS)) || is_listed(key.tgid);
		if (flags & BY_PROCESS && (listed || !(flags & SOME_PIDS))) {
			struct work none = {};
			map_update(&processes, &key, &none, NOEXIST);
			struct work *work = map_lookup(&processes, &key);
			__sync_fetch_and_add(work ? &work->hits : &slot->overflow, 1);
		}
		if (flags & SAMPLE_PIDS && !listed)
			return 0;
	}
	u32 period = slot->period;
	if (!period || !slot->left || __sync_fetch_and_add(&slot->since, 1) + 1 < period)
		return 0;
	u64 caller = 0;
	if (flags & CALLED)
		probe_read_user(&caller, sizeof(caller), (void *)ctx->sp);
	seen.first = caller;
	seen.second = caller >> 32;
	sample(ctx, slot, &seen);
	return 0;
}

SEC("uprobe") int netop_call(struct pt_regs *ctx)
{
	return strike(ctx);
}

SEC("uretprobe") int netop_return(struct pt_regs *ctx)
{
	return strike(ctx);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
