use netop::sys::*;
use std::time::Instant;
const P: &[Program] = &[
    Program {
        name: "netop_queue",
        tracepoint: "net_dev_queue",
    },
    Program {
        name: "netop_xmit",
        tracepoint: "net_dev_start_xmit",
    },
    Program {
        name: "netop_poll",
        tracepoint: "napi_poll",
    },
    Program {
        name: "netop_gro",
        tracepoint: "napi_gro_receive_entry",
    },
    Program {
        name: "netop_gro_frags",
        tracepoint: "napi_gro_frags_entry",
    },
    Program {
        name: "netop_receive",
        tracepoint: "netif_receive_skb",
    },
    Program {
        name: "netop_rx",
        tracepoint: "netif_rx",
    },
    Program {
        name: "netop_drop",
        tracepoint: "kfree_skb",
    },
    Program {
        name: "netop_consume",
        tracepoint: "consume_skb",
    },
    Program {
        name: "netop_send",
        tracepoint: "sock_send_length",
    },
    Program {
        name: "netop_recv",
        tracepoint: "sock_recv_length",
    },
    Program {
        name: "netop_retransmit",
        tracepoint: "tcp_retransmit_skb",
    },
    Program {
        name: "netop_rx_action",
        tracepoint: "softirq_entry",
    },
    Program {
        name: "netop_tx_action",
        tracepoint: "softirq_entry",
    },
];
fn per_call(s: &std::os::unix::net::UnixDatagram) -> f64 {
    let mut best = f64::MAX;
    let mut b = [0u8; 8];
    for _ in 0..100 {
        let t = Instant::now();
        for _ in 0..2000 {
            let _ = s.recv(&mut b);
        }
        best = best.min(t.elapsed().as_nanos() as f64 / 2000.0);
    }
    best
}
#[test]
fn timing() {
    let t = Instant::now();
    let mut g = Gate::load(include_bytes!("../assets/bpf/gate.bpf.o"), P).unwrap();
    println!("load {:?} refused {:?}", t.elapsed(), g.refused);
    let s = std::os::unix::net::UnixDatagram::unbound().unwrap();
    s.set_nonblocking(true).unwrap();
    println!("none {:.1}", per_call(&s));
    let t = Instant::now();
    g.attach(10).unwrap();
    println!("attach {:?}", t.elapsed());
    println!("gate {:.1}", per_call(&s));
    for c in 0..2 {
        g.board
            .switch(c, 10, Switches::default().with(Switches::BY_PROCESS, true));
    }
    println!("gate by process {:.1}", per_call(&s));
    for c in 0..2 {
        g.board
            .switch(c, 10, Switches::default().with(Switches::SOME_PIDS, true));
    }
    println!("gate pids {:.1}", per_call(&s));
    println!(
        "{:?} misses {}",
        (g.board.tally(0, 10), g.board.tally(1, 10)),
        g.misses(10)
    );
    g.processes(|p, e, h, b| {
        println!("{p} {e} {h} {b}");
        true
    });
    let t = Instant::now();
    g.detach(10);
    println!("detach {:?}", t.elapsed());
    println!("none {:.1}", per_call(&s));
    let t = Instant::now();
    for i in 0..14 {
        g.attach(i).unwrap();
    }
    println!("attach all {:?}", t.elapsed());
    let u = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for c in 0..2 {
        for i in 0..14 {
            g.board
                .switch(c, i, Switches::default().with(Switches::BY_DEVICE, true));
        }
    }
    for _ in 0..1000 {
        u.send_to(b"x", u.local_addr().unwrap()).unwrap();
    }
    for i in 0..14 {
        println!(
            "{} {:?} {:?}",
            P[i].name,
            [0, 1].map(|c| g.board.tally(c, i)),
            [0, 1]
                .iter()
                .flat_map(|c| g.board.devices(*c, i))
                .map(|d| (
                    d.ifindex,
                    d.netns,
                    String::from_utf8_lossy(&d.name).into_owned(),
                    d.tally
                ))
                .collect::<Vec<_>>()
        );
    }
    let t = Instant::now();
    drop(g);
    println!("drop {:?}", t.elapsed());
}
