// What netop's programs read of the kernel. Only the names count: offsets are relocated at load time
// against the running kernel's BTF (CO-RE).
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef int s32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))
// Not worth its place in every program.
#define SELDOM static __attribute__((noinline))
#define __uint(name, value) int(*name)[value]
#define __type(name, value) typeof(value) *name

// include/uapi/linux/bpf.h
enum { MAP_HASH = 1, MAP_ARRAY = 2, MAP_PERF_EVENT_ARRAY = 4, MAP_PERCPU_HASH = 5 };
enum { MMAPABLE = 1 << 10, NOEXIST = 1 };
#define CURRENT_CPU 0xffffffffULL

static void *(*map_lookup)(void *map, const void *key) = (void *)1;
static long (*map_update)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static u64 (*monotonic_ns)(void) = (void *)5;
static u32 (*processor_id)(void) = (void *)8;
static u64 (*current_pid_tgid)(void) = (void *)14;
static u64 (*current_task)(void) = (void *)35;
static long (*current_comm)(void *to, u32 size) = (void *)16;
static long (*perf_event_output)(void *ctx, void *map, u64 flags, void *data, u64 size) = (void *)25;
static u32 (*numa_node_id)(void) = (void *)42;
static u64 (*attach_cookie)(void *ctx) = (void *)174;
static long (*probe_read_user)(void *to, u32 size, const void *from) = (void *)112;
static long (*probe_read_kernel)(void *to, u32 size, const void *from) = (void *)113;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct pt_regs {
	unsigned long sp;
};

struct ns_common {
	u32 inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct task_struct {
	struct task_struct *group_leader;
	u64 start_boottime;
};

struct net_device {
	char name[16];
	s32 ifindex;
	possible_net_t nd_net;
};

struct inode {
	unsigned long i_ino;
};

struct socket {
};

// include/net/sock.h: a socket and its inode lie together.
struct socket_alloc {
	struct socket socket;
	struct inode vfs_inode;
};

struct sock_common {
	u16 skc_family;
	volatile u8 skc_state;
};

struct sock {
	struct sock_common __sk_common;
	u16 sk_protocol;
	struct socket *sk_socket;
};

struct skb_shared_info {
	u16 gso_segs;
};

struct netdev_queue {
	struct net_device *dev;
};

struct sk_buff {
	struct sk_buff *next;
	struct net_device *dev;
	struct sock *sk;
	u32 len;
	u32 end;
	unsigned char *head;
};

struct napi_struct {
	struct net_device *dev;
};

#pragma clang attribute pop
