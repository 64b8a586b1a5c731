//! The page of batch mode, as a person reads it.

use super::super::fixture;
use super::*;
use crate::model::Class;

#[test]
fn a_busy_page_looks_like_this() {
    let expected = "\
edge-12 6.8.0 4cpu LIVE 1.00s perf  cost cpu2 0.9% all –  lost 0  2026-11-22T15:45:01.123Z
LOSS 1.84k/s socket buffer (UDP)  since 2026-11-22T15:45:00.000Z  total 3312
HOT  cpu2 98% softirq · next cpu3 4.2%
NET  rx 71.4Gb/s 6.90Mpps · tx –b/s –pps · local –b/s –pps · 1.92/4 cores · 278 ns/pkt ±5.7%
EVENT 2026-11-22T15:45:01.123Z link: eth0: link down

FUNCTION          SOURCE     CALLS    RATE/s     TOTAL    PEAK/s  ±CALLS  B/HIT  CPU%  ±CPU  SELF%  NS/PKT  ±NS  NS/HIT
net_rx_action     perf      212433    212433    212433    212433       –      –     –     –      –       –    –       –
napi_gro_receive  perf    ≈6900128  ≈6900128  ≈6900128  ≈6900128    1200  ≈1448  27.4   2.2   11.0    39.7  3.3    40.1
netif_rx          –              –         –         –         –       –      –     –     –      –       –    –       –
sock_send_length  perf           0       0.0         0       0.0       –      –     –     –      –       –    –       –

STAGE     DIR    CPU%  ±CPU  INCL%  NS/PKT  ±NS  OF WHICH CPU%
driver    rx     58.2   4.5    116    84.5  6.8  lock=12.5 alloc=3.0
observer  other   2.5     –    5.0       –    –  lock=12.5 alloc=3.0

WAIT        DEVICE  COUNT  P50 ns  P99 ns  P99.9 ns  MAX ns  MATCHED%  REASON
xmit_queue  eth0     1200     656    1312      5376    9001      99.5  –

network 1.92 ±0.11 of 4 CPUs: rx 141% tx 40% sock 10% other 0.2% · 278 ns ±16 ns per packet at 6.90Mpps · observers 2.5% · last 30 s
contexts softirq 150% · idle 250%
note: netif_rx is not counted: over the budget

";
    assert_eq!(page(&fixture::busy()), expected);
}

#[test]
fn bytes_a_hit_are_marked_as_an_estimate_only_where_samples_say_them() {
    let mut snapshot = fixture::busy();
    assert!(page(&snapshot).contains("≈1448"));
    for row in &mut snapshot.functions {
        row.bytes_exact = true;
    }
    let page = page(&snapshot);
    assert!(page.contains(" 1448") && !page.contains("≈1448"), "{page}");
}

#[test]
fn an_empty_snapshot_shows_gaps_and_no_zeros() {
    let page = page(&fixture::empty());
    assert!(page.contains("LOSS –\nHOT  –\nNET  rx –b/s –pps"), "{page}");
    for figure in ["cores", "network", "contexts", "STAGE", "CPU%"] {
        assert!(!page.contains(figure), "{figure}: {page}");
    }
    let mut sampled = fixture::empty();
    sampled.host.clock = Some("cycles");
    assert!(super::page(&sampled).contains(" · –/4 cores\n"));
}

#[test]
fn the_filter_and_who_ended_are_said() {
    let mut snapshot = fixture::empty();
    snapshot.filter.pids = vec![1, 9127];
    snapshot.filter.ended = vec![9127];
    snapshot.filter.by = Some("context");
    snapshot.filter.device = Some("eth\x1b0".to_owned());
    let page = page(&snapshot);
    assert!(
        page.contains("ONLY pid 1, pid 9127 (ended), by context, device eth?0\n"),
        "{page}"
    );
}

#[test]
fn no_text_of_the_kernel_steers_the_terminal() {
    let mut snapshot = fixture::busy();
    snapshot.host.hostname = "a\x1b[31mb\rc".to_owned();
    snapshot.health.notes = vec!["x\ny".to_owned()];
    snapshot.functions[0].name = std::sync::Arc::from("n\x1bn\nn");
    let page = page(&snapshot);
    assert!(page.starts_with("a?[31mb?c "), "{page}");
    assert!(page.contains("\nn?n?n "), "{page}");
    assert!(page.contains("note: x?y\n"), "{page}");
}

#[test]
fn scaled_numbers_keep_three_digits() {
    let cases = [
        (0.0, "0"),
        (2.0, "2"),
        (2.5, "2.50"),
        (99.96, "100"),
        (999.4, "999"),
        (999.6, "1.00k"),
        (1840.4, "1.84k"),
        (212_433.0, "212k"),
        (99_960.0, "100k"),
        (999_600.0, "1.00M"),
        (71_400_000_000.0, "71.4G"),
    ];
    for (value, shown) in cases {
        assert_eq!(scaled(value), shown, "{value}");
    }
}

#[test]
fn what_rules_drop_and_what_was_read_late_stand_in_the_head() {
    let mut snapshot = fixture::busy();
    assert!(!page(&snapshot).contains("by rules"));
    let drop = snapshot.drops.first_mut().expect("a loss");
    (drop.class, drop.rate) = (Class::Policy, Some(412_587.0));
    snapshot.summary.devices_s = Some(2.0 * snapshot.interval_s);
    let page = page(&snapshot);
    let head = |name: &str| {
        let line = page.lines().find(|line| line.starts_with(name));
        line.expect(name).to_owned()
    };
    assert!(head("LOSS").ends_with(" · by rules 413k/s"), "{page}");
    assert!(head("NET").contains(" over 2.0 s"), "{page}");
}
