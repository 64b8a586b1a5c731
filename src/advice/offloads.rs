//! What a device could do for the CPU and is told not to: merging, cutting (signals.md A10–A12,
//! A15). Figures are of the last reading of the devices.

use super::card::About;
use super::limits::Limits;
use super::window::Window;
use crate::model::{Device, Finding, Setup, Severity};

/// Ethernet's header: what a full packet has beside its MTU.
const HEADER: f64 = 14.0;

/// Full packets of the wire's size: neither small messages nor merged ones.
fn full_packets(length: Option<f64>, setup: &Setup) -> bool {
    let most = f64::from(setup.mtu.unwrap_or(1500)) + HEADER;
    length.is_some_and(|length| length >= 0.6 * most && length <= 1.2 * most)
}

fn devices<'a>(window: &Window<'a>) -> impl Iterator<Item = (&'a Device, &'a Setup)> {
    let with_setup = |device: &'a Device| Some((device, device.setup.as_deref()?));
    window.now.devices.iter().filter_map(with_setup)
}

const GRO_OFF: About = About {
    rule: "A10",
    name: "gro-off",
    source: "Documentation/networking/segmentation-offloads.rst (Generic Receive Offload)",
};

const VETH_GRO: About = About {
    rule: "A11",
    name: "veth-gro",
    source: "drivers/net/veth.c; Documentation/networking/segmentation-offloads.rst",
};

pub fn gro_off(window: &Window<'_>, limits: &Limits) -> Vec<Finding> {
    let physical = |device: &Device| device.kind.as_deref() != Some("veth") && device.physical;
    without_gro(
        window,
        limits,
        GRO_OFF,
        "A10.packets",
        Severity::Info,
        physical,
    )
}

/// Only where the packets come segmented: of a local sender with TSO, veth passes on 64 KiB at once.
pub fn veth_gro(window: &Window<'_>, limits: &Limits) -> Vec<Finding> {
    let veth = |device: &Device| device.kind.as_deref() == Some("veth");
    without_gro(
        window,
        limits,
        VETH_GRO,
        "A11.packets",
        Severity::Cost,
        veth,
    )
}

fn without_gro(
    window: &Window<'_>,
    limits: &Limits,
    about: About,
    least: &'static str,
    severity: Severity,
    is: impl Fn(&Device) -> bool,
) -> Vec<Finding> {
    let tcp = window.counter("Tcp.InSegs");
    let captures = window.facts().capture_sockets;
    let found = devices(window).filter_map(|(device, setup)| {
        let rate = device.rx_rate?;
        let off = setup.offload("gro") == Some(false) && setup.offload("gro-hw") != Some(true);
        if !is(device) || !off || rate < limits.get(least) || !full_packets(device.rx_length, setup) {
            return None;
        }
        let name = &device.name;
        about
            .card(severity, name.clone(), format!("{name} receives {rate:.0} packets a second one by one: GRO is off"))
            .why("Every packet walks the whole stack alone. GRO merges packets of one flow first, so that the stack runs once for up to 64 KiB; it gains nothing for small messages.")
            .state("packets received", Some(rate), "/s")
            .state("mean length", device.rx_length, "bytes")
            .saw("TCP segments received", tcp, "/s")
            .guard("TCP, which GRO merges", format!("{tcp:.0} segments/s"), tcp >= 0.5 * rate)
            .guard("no capture needs single packets", captures.map_or_else(|| "–".to_owned(), |n| format!("{n} capture sockets")), true)
            .check(device.inside(&format!("ethtool -k {name} | grep -E 'generic-receive|rx-gro'")))
            .attempt(device.inside(&format!("ethtool -K {name} gro on")), device.inside(&format!("ethtool -K {name} gro off")))
            .done()
    });
    found.collect()
}

const RATIO: About = About {
    rule: "A12",
    name: "gro-ratio-low",
    source: "net/core/gro.c; Documentation/networking/napi.rst",
};

pub fn gro_ratio(window: &Window<'_>, limits: &Limits) -> Vec<Finding> {
    let tcp = window.counter("Tcp.InSegs");
    let found = devices(window).filter_map(|(device, setup)| {
        let (rate, ratio) = (device.rx_rate?, device.gro_ratio?);
        let on = setup.offload("gro") == Some(true);
        let low = rate >= limits.get("A12.packets") && ratio < limits.get("A12.ratio");
        if !on || !low || !full_packets(device.rx_length, setup) {
            return None;
        }
        let name = &device.name;
        let card = RATIO
            .card(Severity::Info, name.clone(), format!("GRO of {name} merges only {ratio:.1} packets into one"))
            .why("GRO sees packets but cannot merge them within one poll: missing receive checksums, polls of few packets, or very many flows are the usual causes. More packets a poll give it more to merge.")
            .state("packets into GRO for one out of it", Some(ratio), "")
            .state("packets received", Some(rate), "/s")
            .state("packets a poll", device.packets_per_poll, "")
            .guard("TCP, which GRO merges", format!("{tcp:.0} segments/s"), tcp >= 0.5 * rate)
            .guard("receive checksums", match setup.offload("rx-csum") {
                Some(true) => "by the device",
                Some(false) => "off: see A14",
                None => "–",
            }, true)
            .check(device.inside(&format!("ethtool -k {name}; ethtool -c {name}")))
;
        match deferral(device) {
            Some((attempt, revert)) => card.attempt(attempt, revert),
            None => card,
        }
        .done()
    });
    found.collect()
}

/// The commands that let a NIC's packets wait for 20 µs and two polls without an interrupt, and that set what
/// is set now; `None`: they wait as long already.
pub fn deferral(device: &Device) -> Option<(String, String)> {
    let now = device.setup.as_ref().and_then(|setup| setup.napi);
    let now = now.unwrap_or_default();
    let (old_ns, old_irqs) = (now.gro_flush_timeout, now.defer_hard_irqs);
    let (flush_ns, irqs) = (old_ns.max(20_000), old_irqs.max(2));
    let dir = format!("/sys/class/net/{}", device.name);
    let set = |flush_ns: u64, irqs: u64| {
        format!(
            "echo {flush_ns} > {dir}/gro_flush_timeout; echo {irqs} > {dir}/napi_defer_hard_irqs"
        )
    };
    ((flush_ns, irqs) != (old_ns, old_irqs)).then(|| (set(flush_ns, irqs), set(old_ns, old_irqs)))
}

const TSO: About = About {
    rule: "A15",
    name: "tso-off",
    source: "Documentation/networking/segmentation-offloads.rst",
};

/// Qdiscs that cut large packets on purpose.
const CUTS: [&str; 2] = ["tbf", "cake"];

pub fn tso_off(window: &Window<'_>, limits: &Limits) -> Vec<Finding> {
    let tcp = window.counter("Tcp.OutSegs");
    let found = devices(window).filter_map(|(device, setup)| {
        let rate = device.tx_rate?;
        if setup.offload("tso") != Some(false) || rate < limits.get("A15.packets") || !full_packets(device.tx_length, setup) {
            return None;
        }
        let name = &device.name;
        // TSO needs the others.
        let needed = [("sg", "sg"), ("tx-csum", "tx"), ("tso", "tso"), ("gso", "gso")];
        let off = needed.into_iter().filter(|(offload, _)| setup.offload(offload) == Some(false));
        let set = |to: &str| off.clone().map(|(_, name)| format!("{name} {to}")).collect::<Vec<_>>().join(" ");
        let (wanted, before) = (set("on"), set("off"));
        let qdisc = device.qdisc.clone().unwrap_or_else(|| "–".to_owned());
        TSO
            .card(Severity::Cost, name.clone(), format!("{name} is handed {rate:.0} packets a second one by one: TSO is off"))
            .why("The CPU cuts what TCP sends into packets of the MTU. With TSO the device does it, and the stack and the qdisc run once for up to 64 KiB.")
            .state("packets sent", Some(rate), "/s")
            .state("mean length", device.tx_length, "bytes")
            .saw("TCP segments sent", tcp, "/s")
            .guard("TCP, which TSO cuts", format!("{tcp:.0} segments/s"), tcp >= 0.5 * rate)
            .guard("no shaper that cuts on purpose", qdisc.clone(), !CUTS.contains(&&*qdisc))
            .check(device.inside(&format!("ethtool -k {name} | grep -E 'segmentation|scatter|checksum'")))
            .attempt(device.inside(&format!("ethtool -K {name} {wanted}")), device.inside(&format!("ethtool -K {name} {before}")))
            .done()
    });
    found.collect()
}
