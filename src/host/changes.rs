//! What changed on the host between two readings: devices and their links, how they are set up,
//! sysctls. What came and went in between is seen where the kernel counts it.

use std::collections::BTreeMap;

use super::netns;
use super::proc::Proc;
use crate::decode::{EventKind, LinkCounters, LinkSetup, LinkState, SlowSample};

/// No settings: the kernel changes them.
const MEASURED: &[&str] = &["net.netfilter.nf_conntrack_count"];

/// Kind, device, what happened.
pub type Change = (EventKind, Option<String>, String);

pub struct Changes {
    own: u64,
    /// `None`: nothing was read yet.
    links: Option<BTreeMap<Key, Known>>,
    sysctls: BTreeMap<String, String>,
}

/// Namespace and ifindex; /proc/PID/net/dev, for a namespace that may not be entered, has only names.
type Key = (u64, u32, Option<String>);

fn key(link: &LinkCounters) -> Key {
    let name = (link.ifindex == 0).then(|| link.name.clone());
    (link.netns, link.ifindex, name)
}

struct Known {
    name: String,
    state: Option<LinkState>,
    qdisc: Option<String>,
    settings: BTreeMap<String, String>,
}

impl Known {
    /// Nothing that this reading says of it differs.
    fn is_as(&self, link: &LinkCounters) -> bool {
        link.setup.is_none()
            && self.state == link.state
            && self.qdisc == link.qdisc
            && self.name == link.name
    }
}

impl Changes {
    pub fn new(proc: &Proc) -> Changes {
        Changes {
            own: netns::own(proc).unwrap_or(0),
            links: None,
            sysctls: BTreeMap::new(),
        }
    }

    /// Names of the devices as last read.
    pub fn devices(&self) -> Vec<&str> {
        let links = self.links.iter().flat_map(BTreeMap::values);
        links.map(|known| known.name.as_str()).collect()
    }

    /// Between the reading before and this one; of the first one nothing is told.
    pub fn since(&mut self, slow: &SlowSample) -> Vec<Change> {
        let mut told = Vec::new();
        let mut now = BTreeMap::new();
        let first = self.links.is_none();
        let mut before = self.links.take().unwrap_or_default();
        for link in &slow.links {
            let key = key(link);
            let known = before.remove(&key);
            let known = match known {
                // Of most devices nothing has changed.
                Some(known) if known.is_as(link) => {
                    now.insert(key, known);
                    continue;
                }
                known => known,
            };
            let mut settings = settings(link);
            match &known {
                Some(known) => {
                    compare(known, link, &mut told);
                    settings_changed(known, &settings, &link.name, &mut told);
                }
                // Of a namespace that is met for the first time nothing is new.
                None if !first && link.netns == self.own => {
                    let kind = link.kind.as_deref().unwrap_or("device");
                    told.push(of_link(&link.name, format!("{} came ({kind})", link.name)));
                }
                None => {}
            }
            if let Some(known) = known {
                // Not every reading has all of them.
                for (name, value) in known.settings {
                    settings.entry(name).or_insert(value);
                }
            }
            let known = Known {
                name: link.name.clone(),
                state: link.state,
                qdisc: link.qdisc.clone(),
                settings,
            };
            now.insert(key, known);
        }
        let own = before.iter().filter(|((netns, ..), _)| *netns == self.own);
        told.extend(own.map(|(_, gone)| of_link(&gone.name, format!("{} went", gone.name))));
        let unread = slow.times().unread;
        before.retain(|(netns, ..), _| unread.contains(netns));
        now.append(&mut before);
        self.links = Some(now);
        self.sysctls_changed(&slow.sysctls, &mut told);
        told
    }

    fn sysctls_changed(&mut self, now: &BTreeMap<String, String>, told: &mut Vec<Change>) {
        for (name, value) in now {
            let before = self.sysctls.get(name).filter(|before| *before != value);
            if let Some(before) = before.filter(|_| !MEASURED.contains(&name.as_str())) {
                let text = format!("{name}: {before} → {value}");
                told.push((EventKind::Setting, None, text));
            }
        }
        self.sysctls.clone_from(now);
    }
}

fn of_link(device: &str, text: String) -> Change {
    (EventKind::Link, Some(device.to_owned()), text)
}

fn compare(known: &Known, link: &LinkCounters, told: &mut Vec<Change>) {
    let name = &link.name;
    let mut tell = |text: String| told.push(of_link(name, text));
    if known.name != *name {
        tell(format!("{} is called {name} now", known.name));
    }
    let (Some(before), Some(now)) = (known.state, link.state) else {
        return;
    };
    if before.up != now.up {
        tell(format!(
            "{name} was set {}",
            if now.up { "up" } else { "down" }
        ));
    }
    if before.carrier != now.carrier {
        tell(format!(
            "{name}: link {}",
            if now.carrier { "up" } else { "down" }
        ));
    } else if before.changes != now.changes {
        let state = if now.carrier { "up" } else { "down" };
        let times = now.changes.wrapping_sub(before.changes);
        tell(format!(
            "{name}: link changed {times} times, and is {state} again"
        ));
    }
    if before.master != now.master {
        let of = |master: Option<u32>| master.map_or("none".to_owned(), |m| format!("if{m}"));
        tell(format!(
            "{name}: master {} → {}",
            of(before.master),
            of(now.master)
        ));
    }
}

fn settings_changed(
    known: &Known,
    now: &BTreeMap<String, String>,
    device: &str,
    told: &mut Vec<Change>,
) {
    for (name, value) in now {
        if let Some(before) = known.settings.get(name).filter(|before| *before != value) {
            let text = format!("{device}: {name} {before} → {value}");
            told.push((EventKind::Setting, Some(device.to_owned()), text));
        }
    }
}

/// What this reading says of them, by name.
fn settings(link: &LinkCounters) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut set = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            all.insert(name.to_owned(), value);
        }
    };
    let mtu = link.state.and_then(|state| state.mtu);
    set("mtu", mtu.map(|mtu| mtu.to_string()));
    set("qdisc", link.qdisc.clone());
    if let Some(setup) = &link.setup {
        set_up(setup, &mut set);
    }
    all
}

fn set_up(setup: &LinkSetup, set: &mut impl FnMut(&str, Option<String>)) {
    let number = |number: u32| number.to_string();
    let on = |on: bool| if on { "on" } else { "off" }.to_owned();
    set("driver", setup.driver.clone());
    set("speed", setup.speed.map(|speed| format!("{speed} Mb/s")));
    for (name, is_on) in &setup.offloads {
        set(name, Some(on(*is_on)));
    }
    set("rx ring", setup.rings.map(|ring| number(ring.rx)));
    set("tx ring", setup.rings.map(|ring| number(ring.tx)));
    set("channels", setup.channels.map(number));
    if let Some(coalesce) = setup.coalesce {
        set("adaptive-rx", Some(on(coalesce.adaptive_rx)));
        set("adaptive-tx", Some(on(coalesce.adaptive_tx)));
        // The driver moves them while they are adaptive.
        let fixed = |adaptive: bool, value: u32| (!adaptive).then(|| number(value));
        set("rx-usecs", fixed(coalesce.adaptive_rx, coalesce.rx_us));
        set("rx-frames", fixed(coalesce.adaptive_rx, coalesce.rx_frames));
        set("tx-usecs", fixed(coalesce.adaptive_tx, coalesce.tx_us));
        set("tx-frames", fixed(coalesce.adaptive_tx, coalesce.tx_frames));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::proc::tests::root_with;
    use super::*;

    fn changes() -> Changes {
        let (_dir, proc) = root_with(&[]);
        Changes::new(&proc)
    }

    fn link(name: &str, carrier: bool, changes: u32) -> LinkCounters {
        LinkCounters {
            ifindex: 2,
            name: name.to_owned(),
            state: Some(LinkState {
                up: true,
                carrier,
                changes,
                master: None,
                mtu: Some(1500),
            }),
            ..LinkCounters::default()
        }
    }

    fn reading(links: Vec<LinkCounters>) -> SlowSample {
        SlowSample {
            links,
            ..SlowSample::default()
        }
    }

    fn texts(changes: Vec<Change>) -> Vec<String> {
        changes.into_iter().map(|(_, _, text)| text).collect()
    }

    #[test]
    fn devices_that_come_change_and_go_are_told_and_the_first_reading_is_not() {
        let mut changes = changes();
        let mut told = |links| texts(changes.since(&reading(links)));
        assert!(told(vec![]).is_empty());
        assert_eq!(told(vec![link("eth0", true, 1)]), ["eth0 came (device)"]);
        assert_eq!(told(vec![link("eth0", false, 2)]), ["eth0: link down"]);
        assert_eq!(told(vec![link("eth0", true, 3)]), ["eth0: link up"]);
        assert_eq!(
            told(vec![link("eth0", true, 5)]),
            ["eth0: link changed 2 times, and is up again"]
        );
        assert!(told(vec![link("eth0", true, 5)]).is_empty());
        assert_eq!(told(vec![link("wan", true, 5)]), ["eth0 is called wan now"]);
        assert_eq!(told(vec![]), ["wan went"]);
    }

    #[test]
    fn devices_without_an_index_are_told_apart_by_their_names() {
        let mut changes = changes();
        let from_proc = |name| LinkCounters {
            ifindex: 0,
            ..link(name, true, 1)
        };
        let mut told = |links| texts(changes.since(&reading(links)));
        assert!(told(vec![from_proc("lo"), from_proc("va")]).is_empty());
        assert!(told(vec![from_proc("lo"), from_proc("va")]).is_empty());
        assert_eq!(told(vec![from_proc("lo")]), ["va went"]);
    }

    #[test]
    fn a_setup_that_is_not_read_each_time_is_compared_with_the_last_one_read() {
        let mut changes = changes();
        let with = |gro: Option<bool>| {
            let mut link = link("eth0", true, 1);
            let setup = |on| LinkSetup {
                offloads: vec![("gro".to_owned(), on)],
                ..LinkSetup::default()
            };
            link.setup = gro.map(|on| Arc::new(setup(on)));
            reading(vec![link])
        };
        changes.since(&with(Some(true)));
        assert!(changes.since(&with(None)).is_empty());
        assert_eq!(
            texts(changes.since(&with(Some(false)))),
            ["eth0: gro on → off"]
        );
    }

    #[test]
    fn a_sysctl_that_was_set_is_told_and_one_that_measures_is_not() {
        let mut changes = changes();
        let with = |value: &str| SlowSample {
            sysctls: ["net.core.rmem_max", MEASURED[0]]
                .map(|name| (name.to_owned(), value.to_owned()))
                .into(),
            ..SlowSample::default()
        };
        assert!(changes.since(&with("1")).is_empty());
        assert_eq!(
            texts(changes.since(&with("2"))),
            ["net.core.rmem_max: 1 → 2"]
        );
    }
}
