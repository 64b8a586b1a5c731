// netop's latencies: the time between two tracepoints of the same softirq, packet or socket, as
// histograms per CPU, pair and device (or process). Attached only while somebody looks.
//
// Layouts and the order of pairs are shared with src/sys/bpf/latency.rs, the programs with
// src/source/live/gate/latency.rs. assets/bpf/build compiles it.
//
// Counters and histograms belong to one CPU and one program each, so they need no atomics; only
// `hits` is everybody's, and may miss one that came in an interrupt.
#include "kernel.h"

// The first are found by address (of the skb, or the socket), the rest by CPU.
enum pair {
	BACKLOG,      // netif_rx -> netif_receive_skb
	GRO,          // napi_gro_receive_entry -> netif_receive_skb
	QUEUE,        // net_dev_queue -> net_dev_start_xmit
	QDISC,        // qdisc_enqueue -> qdisc_dequeue
	READER,       // sk_data_ready -> sock_recv_length
	BY_ADDRESS,
	TX_RAISE = BY_ADDRESS, // softirq_raise -> softirq_entry
	RX_RAISE,
	TX_RUN,       // softirq_entry -> softirq_exit
	RX_RUN,
	PAIRS,
};

struct settings {
	u64 salt;     // with the address it makes the hash that chooses
	u32 skbs;     // 1 in so many is followed, a power of two
	u32 sockets;
	u32 softirqs;
	u32 unused;
};

struct {
	__uint(type, MAP_ARRAY);
	__uint(map_flags, MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct settings);
} settings SEC(".maps");

struct side {
	u64 started;
	u64 matched;
	u64 freed;    // before the second event
	u64 replaced; // by another first event: the second was not seen
	u64 merged;   // into another skb, by GRO
	u64 orphans;  // second events without a first
};

// Programs that need an address as a number, see number_of.
enum user { RECEIVE, XMIT, DEQUEUE, ENQUEUE, CONSUME, DROP, RX, GRO_RECEIVE, GRO_FRAGS, TX, READY, READ, USERS };

struct cpu {
	u64 addresses[USERS];
	u64 hits;
	u64 gro;      // the skb that napi_gro_receive works on, if it is followed
	u64 raised[2];  // 0: not raised; NOT_FOLLOWED, or when
	u64 entered[2];
	u64 dice[2];
	struct side sides[PAIRS];
};

struct {
	__uint(type, MAP_ARRAY);
	__uint(map_flags, MMAPABLE);
	__uint(max_entries, 1); // possible CPUs; set at load time
	__type(key, u32);
	__type(value, struct cpu);
} cpus SEC(".maps");

// What is under way: a hash table without chains. Who finds no room is not followed, which is no
// bias. Its cells are freed by the second event, by the end of the skb, and by netop after a while.
#define WAITING 8192
#define TRIES 4

struct waiting {
	u64 address;
	u64 at[BY_ADDRESS];
	u64 socket; // of the sock: another one may come to the same address
	u32 cpu;
	u32 node;
};

struct {
	__uint(type, MAP_ARRAY);
	__uint(map_flags, MMAPABLE);
	__uint(max_entries, WAITING);
	__type(key, u32);
	__type(value, struct waiting);
} under_way SEC(".maps");

// Histograms: 16 buckets per power of two, up to 2^35 ns.
#define BUCKETS 512
#define CELLS 64
#define PROBES 4

struct cell {
	u32 pair; // 1 + enum pair; 0: free
	u32 netns;
	u32 id;   // ifindex, or the process; 0: neither, or no room
	u32 crossed; // ended on another CPU than it started, and on another NUMA node
	u32 crossed_nodes;
	u32 orphans; // second events without a first: of segments that were not there before
	u64 sum;
	u64 max;
	char name[16];
	u32 buckets[BUCKETS];
};

// The last cells are those of the pairs without a device or process.
struct table {
	struct cell cells[CELLS + PAIRS];
};

struct {
	__uint(type, MAP_ARRAY);
	__uint(map_flags, MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct table);
} histograms SEC(".maps");

INLINE struct cpu *mine(void)
{
	u32 cpu = processor_id();
	struct cpu *mine = map_lookup(&cpus, &cpu);
	if (mine)
		mine->hits++;
	return mine;
}

// The kernel lets nobody calculate with a pointer; one that comes out of a map is a number. Each
// program has a place of its own, as one may interrupt another.
INLINE u64 number_of(struct cpu *cpu, enum user user, u64 pointer)
{
	volatile u64 *place = &cpu->addresses[user];
	*place = pointer;
	return *place;
}

INLINE u32 bucket_of(u64 ns)
{
	if (ns < 16)
		return ns;
	if (ns >> 35)
		return BUCKETS - 1;
	u32 log = 0;
	u64 rest = ns;
	if (rest >> 32)
		log += 32, rest >>= 32;
	if (rest >> 16)
		log += 16, rest >>= 16;
	if (rest >> 8)
		log += 8, rest >>= 8;
	if (rest >> 4)
		log += 4, rest >>= 4;
	if (rest >> 2)
		log += 2, rest >>= 2;
	if (rest >> 1)
		log += 1;
	return (log - 3) << 4 | (ns >> (log - 4) & 15);
}

// Of a device, of a process (which says its name), or of neither.
struct place {
	u32 pair;
	u32 netns;
	u32 id;
	struct net_device *dev;
};

SELDOM struct cell *cell_of(const struct place *place)
{
	u32 cpu = processor_id();
	struct table *table = map_lookup(&histograms, &cpu);
	if (!table || place->pair >= PAIRS)
		return 0;
	u32 wanted = place->pair + 1;
	u32 hash = (place->pair * 31 + place->netns + place->id) * 0x9e3779b1u >> 16;
	for (u32 probe = 0; place->id && probe < PROBES; probe++) {
		struct cell *cell = &table->cells[(hash + probe) % CELLS];
		if (cell->pair == wanted && cell->id == place->id && cell->netns == place->netns)
			return cell;
		if (!cell->pair) {
			if (place->dev)
				probe_read_kernel(cell->name, sizeof(cell->name), place->dev->name);
			else
				current_comm(cell->name, sizeof(cell->name));
			cell->netns = place->netns;
			cell->id = place->id;
			cell->pair = wanted;
			return cell;
		}
	}
	struct cell *cell = &table->cells[CELLS + place->pair];
	cell->pair = wanted;
	return cell;
}

SELDOM void matched(const struct place *place, u64 from, u64 to, int crossed)
{
	struct cell *cell = cell_of(place);
	if (!cell)
		return;
	// The clocks of two CPUs may differ by a little.
	u64 ns = to > from ? to - from : 0;
	cell->buckets[bucket_of(ns) & (BUCKETS - 1)]++;
	cell->sum += ns;
	if (ns > cell->max)
		cell->max = ns;
	cell->crossed += crossed & 1;
	cell->crossed_nodes += crossed >> 1 & 1;
}

INLINE u64 hash_of(u64 address, u64 salt)
{
	return ((address >> 6) + salt) * 0x9e3779b97f4a7c15ULL >> 32;
}

INLINE int chosen(u64 address, int socket)
{
	u32 zero = 0;
	struct settings *set = map_lookup(&settings, &zero);
	return set && !(hash_of(address, set->salt) & ((socket ? set->sockets : set->skbs) - 1));
}

SELDOM struct waiting *find(u64 address)
{
	u32 first = hash_of(address, 0);
	for (u32 i = 0; i < TRIES; i++) {
		u32 index = (first + i) & (WAITING - 1);
		struct waiting *waiting = map_lookup(&under_way, &index);
		if (waiting && waiting->address == address)
			return waiting;
	}
	return 0;
}

SELDOM struct waiting *make_room(u64 address)
{
	u32 first = hash_of(address, 0);
	for (u32 i = 0; i < TRIES; i++) {
		u32 index = (first + i) & (WAITING - 1);
		struct waiting *waiting = map_lookup(&under_way, &index);
		if (waiting && !waiting->address && !__sync_val_compare_and_swap(&waiting->address, 0, address))
			return waiting;
	}
	return 0;
}

SELDOM void start_over(struct waiting *waiting, struct cpu *cpu, int freed)
{
#pragma clang loop unroll(full)
	for (u32 pair = 0; pair < BY_ADDRESS; pair++) {
		if (waiting->at[pair]) {
			waiting->at[pair] = 0;
			if (freed)
				cpu->sides[pair].freed++;
			else
				cpu->sides[pair].replaced++;
		}
	}
}

INLINE void from_here(struct waiting *waiting, struct cpu *cpu, u32 pair)
{
	waiting->cpu = processor_id();
	waiting->node = numa_node_id();
	waiting->at[pair] = monotonic_ns();
	cpu->sides[pair].started++;
}

// A new way of an skb through the stack begins: what was known of its address is over.
INLINE struct waiting *set_out(struct cpu *cpu, u64 skb, u32 pair)
{
	struct waiting *waiting = find(skb);
	int follow = chosen(skb, 0);
	if (waiting)
		start_over(waiting, cpu, 0);
	if (waiting && !follow)
		waiting->address = 0;
	if (!follow)
		return 0;
	if (!waiting)
		waiting = make_room(skb);
	if (waiting)
		from_here(waiting, cpu, pair);
	return waiting;
}

SELDOM void arrive(struct waiting *waiting, struct cpu *cpu, const struct place *place)
{
	u32 pair = place->pair;
	if (pair >= BY_ADDRESS)
		return;
	u64 from = waiting->at[pair];
	if (!from)
		return;
	waiting->at[pair] = 0;
	cpu->sides[pair].matched++;
	int crossed = (waiting->cpu != processor_id()) | (waiting->node != numa_node_id()) << 1;
	matched(place, from, monotonic_ns(), crossed);
}

INLINE void leave(struct waiting *waiting)
{
	u64 left = 0;
#pragma clang loop unroll(full)
	for (u32 pair = 0; pair < BY_ADDRESS; pair++)
		left |= waiting->at[pair];
	if (!left)
		waiting->address = 0;
}

INLINE struct place on_device(u32 pair, struct net_device *dev)
{
	struct place place = {.pair = pair, .dev = dev};
	if (dev) {
		place.id = dev->ifindex;
		place.netns = dev->nd_net.net->ns.inum;
	}
	return place;
}

// A second event of an skb that would have been followed, if it had been there before.
SELDOM void miss(u64 skb, const struct place *place)
{
	struct cell *cell = chosen(skb, 0) ? cell_of(place) : 0;
	if (cell)
		cell->orphans++;
}

// include/linux/interrupt.h
enum { NET_TX_SOFTIRQ = 2, NET_RX_SOFTIRQ = 3 };

// A softirq that is raised or runs, and is not timed.
#define NOT_FOLLOWED 1

// Is this run of the softirq timed? A linear congruential generator's upper bits say so.
INLINE int rolled(struct cpu *cpu, u32 rx)
{
	u32 zero = 0;
	struct settings *set = map_lookup(&settings, &zero);
	u64 dice = cpu->dice[rx] = cpu->dice[rx] * 6364136223846793005ULL + 1442695040888963407ULL;
	return set && !(dice >> 33 & (set->softirqs - 1));
}

SEC("tp_btf/softirq_raise") int netop_raise(u64 *ctx)
{
	u32 rx = (u32)ctx[0] - NET_TX_SOFTIRQ;
	struct cpu *cpu = rx < 2 ? mine() : 0;
	// The first raise since the last run counts; the bit is set already with later ones.
	if (!cpu || cpu->raised[rx & 1])
		return 0;
	rx &= 1;
	if (!rolled(cpu, rx)) {
		cpu->raised[rx] = NOT_FOLLOWED;
		return 0;
	}
	cpu->raised[rx] = monotonic_ns();
	cpu->sides[TX_RAISE + rx].started++;
	return 0;
}

SEC("tp_btf/softirq_entry") int netop_entry(u64 *ctx)
{
	u32 rx = (u32)ctx[0] - NET_TX_SOFTIRQ;
	struct cpu *cpu = rx < 2 ? mine() : 0;
	if (!cpu)
		return 0;
	rx &= 1;
	u64 raised = cpu->raised[rx];
	cpu->raised[rx] = 0;
	if (raised == NOT_FOLLOWED || (!raised && !rolled(cpu, rx))) {
		cpu->entered[rx] = NOT_FOLLOWED;
		return 0;
	}
	u64 now = monotonic_ns();
	struct place place = {.pair = TX_RAISE + rx};
	if (raised) {
		cpu->sides[TX_RAISE + rx].matched++;
		matched(&place, raised, now, 0);
	} else {
		cpu->sides[TX_RAISE + rx].orphans++;
	}
	cpu->sides[TX_RUN + rx].started++;
	cpu->entered[rx] = now;
	return 0;
}

SEC("tp_btf/softirq_exit") int netop_exit(u64 *ctx)
{
	u32 rx = (u32)ctx[0] - NET_TX_SOFTIRQ;
	struct cpu *cpu = rx < 2 ? mine() : 0;
	if (!cpu)
		return 0;
	rx &= 1;
	u64 entered = cpu->entered[rx];
	struct place place = {.pair = TX_RUN + rx};
	cpu->entered[rx] = 0;
	if (entered == NOT_FOLLOWED)
		return 0;
	if (entered) {
		cpu->sides[TX_RUN + rx].matched++;
		matched(&place, entered, monotonic_ns(), 0);
	} else {
		cpu->sides[TX_RUN + rx].orphans++;
	}
	return 0;
}

SEC("tp_btf/netif_rx") int netop_rx(u64 *ctx)
{
	struct cpu *cpu = mine();
	if (cpu)
		set_out(cpu, number_of(cpu, RX, ctx[0]), BACKLOG);
	return 0;
}

INLINE int gro_begins(u64 *ctx, enum user user)
{
	struct cpu *cpu = mine();
	if (cpu) {
		u64 skb = number_of(cpu, user, ctx[0]);
		cpu->gro = set_out(cpu, skb, GRO) ? skb : 0;
	}
	return 0;
}

// include/linux/netdevice.h, enum gro_result: these do not come out as themselves.
enum { GRO_MERGED = 0, GRO_MERGED_FREE = 1, GRO_CONSUMED = 4 };

INLINE int gro_ends(u64 *ctx)
{
	s32 ret = ctx[0];
	struct cpu *cpu = mine();
	if (!cpu || !cpu->gro)
		return 0;
	struct waiting *waiting = find(cpu->gro);
	cpu->gro = 0;
	if (waiting && waiting->at[GRO] && (ret == GRO_MERGED || ret == GRO_MERGED_FREE || ret == GRO_CONSUMED)) {
		waiting->at[GRO] = 0;
		cpu->sides[GRO].merged++;
		leave(waiting);
	}
	return 0;
}

SEC("tp_btf/napi_gro_receive_entry") int netop_gro(u64 *ctx)
{
	return gro_begins(ctx, GRO_RECEIVE);
}

SEC("tp_btf/napi_gro_frags_entry") int netop_gro_frags(u64 *ctx)
{
	return gro_begins(ctx, GRO_FRAGS);
}

SEC("tp_btf/napi_gro_receive_exit") int netop_gro_end(u64 *ctx)
{
	return gro_ends(ctx);
}

SEC("tp_btf/napi_gro_frags_exit") int netop_gro_frags_end(u64 *ctx)
{
	return gro_ends(ctx);
}

SEC("tp_btf/netif_receive_skb") int netop_receive(u64 *ctx)
{
	struct sk_buff *skb = (void *)ctx[0];
	struct cpu *cpu = mine();
	struct waiting *waiting = cpu ? find(number_of(cpu, RECEIVE, ctx[0])) : 0;
	if (!waiting)
		return 0;
	struct place place = on_device(BACKLOG, skb->dev);
	arrive(waiting, cpu, &place);
	place.pair = GRO;
	arrive(waiting, cpu, &place);
	leave(waiting);
	return 0;
}

SEC("tp_btf/net_dev_queue") int netop_queue(u64 *ctx)
{
	struct cpu *cpu = mine();
	if (cpu)
		set_out(cpu, number_of(cpu, TX, ctx[0]), QUEUE);
	return 0;
}

SEC("tp_btf/net_dev_start_xmit") int netop_xmit(u64 *ctx)
{
	struct cpu *cpu = mine();
	if (!cpu)
		return 0;
	u64 skb = number_of(cpu, XMIT, ctx[0]);
	struct waiting *waiting = find(skb);
	struct place place = on_device(QUEUE, (void *)ctx[1]);
	if (waiting) {
		arrive(waiting, cpu, &place);
		leave(waiting);
	} else {
		miss(skb, &place);
	}
	return 0;
}

SEC("tp_btf/qdisc_enqueue") int netop_enqueue(u64 *ctx)
{
	struct cpu *cpu = mine();
	struct waiting *waiting = cpu ? find(number_of(cpu, ENQUEUE, ctx[2])) : 0;
	// Those whose way was followed from net_dev_queue on.
	if (waiting && waiting->at[QUEUE] && !waiting->at[QDISC])
		from_here(waiting, cpu, QDISC);
	return 0;
}

// Skbs that a qdisc hands out at once, of which the event names the first.
#define BULK 16

SEC("tp_btf/qdisc_dequeue") int netop_dequeue(u64 *ctx)
{
	struct netdev_queue *queue = (void *)ctx[1];
	s32 packets = ctx[2];
	struct sk_buff *skb = (void *)ctx[3];
	struct cpu *cpu = mine();
	if (!cpu || !skb)
		return 0;
	struct place place = on_device(QDISC, queue->dev);
#pragma clang loop unroll(disable)
	for (s32 i = 0; i < BULK && i < packets && skb; i++) {
		u64 address = number_of(cpu, DEQUEUE, (u64)skb);
		struct waiting *waiting = find(address);
		if (waiting) {
			arrive(waiting, cpu, &place);
			leave(waiting);
		} else {
			miss(address, &place);
		}
		skb = skb->next;
	}
	return 0;
}

INLINE int ends(u64 *ctx, enum user user)
{
	struct cpu *cpu = mine();
	struct waiting *waiting = cpu ? find(number_of(cpu, user, ctx[0])) : 0;
	if (waiting) {
		start_over(waiting, cpu, 1);
		waiting->address = 0;
	}
	return 0;
}

SEC("tp_btf/consume_skb") int netop_consume(u64 *ctx)
{
	return ends(ctx, CONSUME);
}

SEC("tp_btf/kfree_skb") int netop_drop(u64 *ctx)
{
	return ends(ctx, DROP);
}

// include/linux/socket.h
enum { AF_INET = 2, AF_INET6 = 10 };

SEC("tp_btf/sk_data_ready") int netop_ready(u64 *ctx)
{
	struct sock *sk = (void *)ctx[0];
	struct cpu *cpu = mine();
	u16 family = sk->__sk_common.skc_family;
	if (!cpu || (family != AF_INET && family != AF_INET6))
		return 0;
	u64 address = number_of(cpu, READY, ctx[0]);
	if (!chosen(address, 1))
		return 0;
	struct waiting *waiting = find(address);
	// The first since it was last read counts.
	if (waiting && waiting->at[READER] && waiting->socket == (u64)sk->sk_socket)
		return 0;
	if (waiting && waiting->at[READER])
		cpu->sides[READER].replaced++;
	if (!waiting)
		waiting = make_room(address);
	if (waiting) {
		waiting->socket = (u64)sk->sk_socket;
		from_here(waiting, cpu, READER);
	}
	return 0;
}

#define MSG_PEEK 2

SEC("tp_btf/sock_recv_length") int netop_read(u64 *ctx)
{
	struct sock *sk = (void *)ctx[0];
	s32 ret = ctx[1], flags = ctx[2];
	struct cpu *cpu = mine();
	if (!cpu || ret <= 0 || flags & MSG_PEEK)
		return 0;
	struct waiting *waiting = find(number_of(cpu, READ, ctx[0]));
	if (!waiting)
		return 0;
	if (waiting->socket == (u64)sk->sk_socket) {
		struct place place = {.pair = READER, .id = current_pid_tgid() >> 32};
		arrive(waiting, cpu, &place);
	} else {
		start_over(waiting, cpu, 0);
	}
	waiting->address = 0;
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
