//! Who lives on the machine, and whom its softirqs interrupt.

/// User frames, leaf first.
pub type Frames = &'static [&'static str];

/// A process; kernel threads have no user frames.
#[derive(Debug, PartialEq, Eq)]
pub struct Process {
    pub pid: u32,
    pub comm: &'static str,
    pub container: Option<&'static str>,
    /// What a softirq interrupts.
    pub busy: Frames,
}

pub static SWAPPER: Process = Process {
    pid: 0,
    comm: "swapper",
    container: None,
    busy: &[],
};
pub static KSOFTIRQD: Process = Process {
    pid: 25,
    comm: "ksoftirqd/2",
    container: None,
    busy: &[],
};
pub static SSHD: Process = Process {
    pid: 812,
    comm: "sshd",
    container: Some("ssh.service"),
    busy: &[],
};
pub static NGINX: Process = Process {
    pid: 2231,
    comm: "nginx",
    container: Some("nginx.service"),
    busy: &[],
};
pub static STATSD: Process = Process {
    pid: 9127,
    comm: "statsd",
    container: Some("metrics-0"),
    busy: &[
        "parse_line (statsd)",
        "on_datagram (statsd)",
        "main (statsd)",
    ],
};
pub static KAFKA: Process = Process {
    pid: 18211,
    comm: "kafka",
    container: Some("kafka-2"),
    busy: &[
        "crc32c_sse42 (kafka)",
        "append_batch (kafka)",
        "handle_request (kafka)",
        "start_thread (libc.so.6)",
    ],
};

/// What they do in system calls.
pub const FLUSH: Frames = &[
    "__libc_sendto (libc.so.6)",
    "flush_metrics (statsd)",
    "main (statsd)",
    "__libc_start_call_main (libc.so.6)",
];
pub const READ_STATS: Frames = &[
    "__libc_recvfrom (libc.so.6)",
    "on_datagram (statsd)",
    "main (statsd)",
    "__libc_start_call_main (libc.so.6)",
];
pub const FETCH: Frames = &[
    "__GI___writev (libc.so.6)",
    "send_fetch_response (kafka)",
    "handle_request (kafka)",
    "start_thread (libc.so.6)",
];
pub const PRODUCE: Frames = &[
    "__libc_recv (libc.so.6)",
    "read_produce_request (kafka)",
    "handle_request (kafka)",
    "start_thread (libc.so.6)",
];
pub const SERVE: Frames = &[
    "__GI___writev (libc.so.6)",
    "ngx_writev (nginx)",
    "ngx_http_write_filter (nginx)",
    "main (nginx)",
];
pub const REQUEST: Frames = &[
    "__libc_recv (libc.so.6)",
    "ngx_unix_recv (nginx)",
    "ngx_http_wait_request_handler (nginx)",
    "main (nginx)",
];
pub const SHELL: Frames = &[
    "__GI___libc_write (libc.so.6)",
    "ssh_packet_write_poll (sshd)",
    "main (sshd)",
];

pub const EPOLL: Frames = &[
    "epoll_wait (libc.so.6)",
    "ngx_epoll_process_events (nginx)",
    "main (nginx)",
];

/// What they do with their own code.
pub const BUILD: Frames = &[
    "encode_batch (kafka)",
    "send_fetch_response (kafka)",
    "handle_request (kafka)",
    "start_thread (libc.so.6)",
];
pub const PARSE: Frames = &[
    "ngx_http_parse_header_line (nginx)",
    "ngx_http_process_request_headers (nginx)",
    "main (nginx)",
];

pub static PROCESSES: [&Process; 6] = [&SWAPPER, &KSOFTIRQD, &SSHD, &NGINX, &STATSD, &KAFKA];

/// Splits hits in softirq among those whose time they took; the parts add up to `hits`.
pub fn interrupted(cpu: usize, hits: u64) -> [(&'static Process, u64); 4] {
    let percent = |share: u64| hits * share / 100;
    let (thread, kafka, statsd) = if cpu == 2 {
        (percent(58), percent(14), percent(6))
    } else {
        (0, percent(15), percent(3))
    };
    [
        (&SWAPPER, hits - thread - kafka - statsd),
        (&KSOFTIRQD, thread),
        (&KAFKA, kafka),
        (&STATSD, statsd),
    ]
}
