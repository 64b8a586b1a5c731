//! The lines of /proc/interrupts (kernel/irq/proc.c) that belong to network devices, and on which
//! CPUs those interrupts may arrive and do.

use std::collections::BTreeMap;
use std::io;

use crate::decode::IrqCounter;
use crate::host::proc::{MOST_ENTRIES, Proc, printable};

/// How network interrupts are told from others.
#[derive(Debug, Default, PartialEq, Eq)]
struct Owners {
    /// Vectors of devices.
    irqs: BTreeMap<u32, String>,
    /// Names that an action has as one of its words, `eth0`, `virtio3`, and their devices.
    words: BTreeMap<String, String>,
}

/// Which device has which vector changes with the devices: read anew as often as the affinities.
#[derive(Default)]
pub struct Interrupts {
    owners: Option<(u64, Owners)>,
    affinities: Affinities,
}

impl Interrupts {
    /// The counts of now; `at`: CLOCK_MONOTONIC, ns.
    pub fn read(&mut self, proc: &Proc, at: u64) -> io::Result<Vec<IrqCounter>> {
        let fresh = |(read_at, _): &(u64, Owners)| at.saturating_sub(*read_at) < AFFINITY_NS;
        let owners = match self.owners.take().filter(fresh) {
            Some(known) => known,
            None => (at, owners(proc)?),
        };
        let (_, owners) = self.owners.insert(owners);
        let mut irqs = parse(&proc.text("proc/interrupts")?, owners);
        self.affinities.add(proc, &mut irqs, at);
        Ok(irqs)
    }
}

fn owners(proc: &Proc) -> io::Result<Owners> {
    let mut owners = Owners::default();
    for name in proc.list("sys/class/net")? {
        let device = format!("sys/class/net/{name}/device");
        if !proc.exists(&device) {
            continue;
        }
        // A virtio device's vectors are its PCI parent's; any other parent is a bridge, whose
        // vectors are not the device's.
        let virtio = proc
            .link_name(&format!("{device}/subsystem"))
            .is_ok_and(|bus| bus == "virtio");
        let vectors = if virtio {
            let word = proc.link_name(&device).ok();
            owners.words.extend(word.map(|word| (word, name.clone())));
            format!("{device}/../msi_irqs")
        } else {
            format!("{device}/msi_irqs")
        };
        let irqs = proc.list(&vectors).unwrap_or_default();
        owners.irqs.extend(
            irqs.iter()
                .filter_map(|irq| Some((irq.parse::<u32>().ok()?, name.clone()))),
        );
        owners.words.insert(name.clone(), name);
    }
    Ok(owners)
}

fn parse(text: &str, owners: &Owners) -> Vec<IrqCounter> {
    let mut lines = text.lines();
    // One column per online CPU, ascending.
    let cpus = lines.next().unwrap_or("").split_whitespace().count();
    let irqs = lines.take(MOST_ENTRIES).filter_map(|line| {
        let (irq, rest) = line.split_once(':')?;
        let irq = irq.trim().parse().ok()?;
        let mut words = rest.split_ascii_whitespace();
        let per_cpu: Vec<u64> = words
            .by_ref()
            .take(cpus)
            .map_while(|count| count.parse().ok())
            .collect();
        if per_cpu.len() != cpus {
            return None;
        }
        // chip, hardware number, then after two spaces the action names.
        let actions = rest.trim_end().rsplit("  ").next()?.trim();
        let by_word = || {
            actions
                .split(|c: char| !c.is_alphanumeric() && c != '_' && c != '.')
                .find_map(|word| owners.words.get(word))
        };
        let device = owners.irqs.get(&irq).or_else(by_word)?;
        Some(IrqCounter {
            irq,
            name: printable(actions),
            device: Some(device.clone()),
            per_cpu,
            ..IrqCounter::default()
        })
    });
    irqs.collect()
}

/// Where interrupts are sent is changed rarely, and each has two files.
const AFFINITY_NS: u64 = 10_000_000_000;

/// The affinities as last read.
#[derive(Default)]
struct Affinities {
    read_at: Option<u64>,
    /// May go to, goes to; by interrupt.
    known: BTreeMap<u32, [Option<String>; 2]>,
}

impl Affinities {
    /// `at`: CLOCK_MONOTONIC, ns.
    fn add(&mut self, proc: &Proc, irqs: &mut [IrqCounter], at: u64) {
        let due = (self.read_at).is_none_or(|last| at.saturating_sub(last) >= AFFINITY_NS);
        if due || irqs.iter().any(|irq| !self.known.contains_key(&irq.irq)) {
            self.read_at = Some(at);
            let lists = |irq: u32| {
                ["smp_affinity_list", "effective_affinity_list"].map(|file| {
                    let text = proc.text(&format!("proc/irq/{irq}/{file}")).ok()?;
                    Some(printable(text.trim())).filter(|list| !list.is_empty())
                })
            };
            self.known = irqs.iter().map(|irq| (irq.irq, lists(irq.irq))).collect();
        }
        for irq in irqs {
            let [affinity, effective] = self.known.get(&irq.irq).cloned().unwrap_or_default();
            irq.affinity = affinity;
            irq.effective = effective;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::proc::tests::root_with;
    use std::fs;
    use std::os::unix::fs::symlink;

    const TEXT: &str = "           CPU0       CPU1       
 24:          1          0  IO-APIC   5-edge      ACPI:Ged
 31:          7          8  IO-APIC   6-edge      eth1
 38:          0       3743 PCI-MSIX-0000:00:03.0   1-edge      virtio2-input.0
 41:       1553          0 PCI-MSIX-0000:00:04.0   1-edge      virtio3-rx
 42:          0       3450 PCI-MSIX-0000:00:04.0   2-edge      some-queue
 50:          2          3 PCI-MSI-0000:00:05.0   2-edge      floppy, eth1-TxRx-0
NMI:          0          0   Non-maskable interrupts
ERR:          0
";

    fn irq(irq: u32, name: &str, device: &str, per_cpu: [u64; 2]) -> IrqCounter {
        IrqCounter {
            irq,
            name: name.to_owned(),
            device: Some(device.to_owned()),
            per_cpu: per_cpu.into(),
            ..IrqCounter::default()
        }
    }

    #[test]
    fn affinities_are_read_anew_after_ten_seconds_or_for_a_new_interrupt() {
        let (_dir, proc) = root_with(&[
            ("proc/irq/31/smp_affinity_list", "0-3\n"),
            ("proc/irq/31/effective_affinity_list", "2\n"),
        ]);
        let mut affinities = Affinities::default();
        let mut at = |second: u64| {
            let mut irqs = [irq(31, "eth1", "eth1", [7, 8])];
            affinities.add(&proc, &mut irqs, second * 1_000_000_000);
            let [irq] = irqs;
            (irq.affinity, irq.effective)
        };
        let lists = |a: &str, b: &str| (Some(a.to_owned()), Some(b.to_owned()));
        assert_eq!(at(1), lists("0-3", "2"));
        fs::write(proc.path("proc/irq/31/smp_affinity_list"), "1\n").expect("file");
        assert_eq!(at(9), lists("0-3", "2"));
        assert_eq!(at(11), lists("1", "2"));
        let mut unknown = [irq(99, "eth9", "eth9", [0, 0])];
        affinities.add(&proc, &mut unknown, 12_000_000_000);
        assert_eq!(
            (&unknown[0].affinity, &unknown[0].effective),
            (&None, &None)
        );
    }

    #[test]
    fn lines_belong_by_vector_or_by_a_word_of_the_action() {
        let owners = Owners {
            irqs: [(42, "eth2".to_owned())].into(),
            words: [("eth1", "eth1"), ("virtio3", "eth0"), ("lo", "lo")]
                .map(|(word, device)| (word.to_owned(), device.to_owned()))
                .into(),
        };
        let expected = [
            irq(31, "eth1", "eth1", [7, 8]),
            irq(41, "virtio3-rx", "eth0", [1553, 0]),
            irq(42, "some-queue", "eth2", [0, 3450]),
            irq(50, "floppy, eth1-TxRx-0", "eth1", [2, 3]),
        ];
        assert_eq!(parse(TEXT, &owners), expected);
    }

    #[test]
    fn any_truncation_is_survived() {
        let owners = Owners {
            irqs: (0..100).map(|irq| (irq, "eth0".to_owned())).collect(),
            ..Owners::default()
        };
        for end in 0..TEXT.len() {
            assert!(parse(&TEXT[..end], &owners).len() <= 6);
        }
    }

    #[test]
    fn a_virtio_device_has_its_parents_vectors_and_a_pci_device_its_own() {
        let (_dir, proc) = root_with(&[
            ("sys/pci0/msi_irqs/40", ""),
            ("sys/pci0/virtio3/x", ""),
            ("sys/bridge/msi_irqs/9", ""),
            ("sys/bridge/nic/msi_irqs/31", ""),
            ("sys/bus/virtio/x", ""),
            ("sys/bus/pci/x", ""),
            ("sys/class/net/lo/mtu", ""),
            ("sys/class/net/eth0/mtu", ""),
            ("sys/class/net/eth1/mtu", ""),
        ]);
        for (link, target) in [
            ("sys/pci0/virtio3/subsystem", "sys/bus/virtio"),
            ("sys/bridge/nic/subsystem", "sys/bus/pci"),
            ("sys/class/net/eth0/device", "sys/pci0/virtio3"),
            ("sys/class/net/eth1/device", "sys/bridge/nic"),
        ] {
            symlink(proc.path(target), proc.path(link)).expect("link");
        }
        let expected = Owners {
            irqs: [(31, "eth1"), (40, "eth0")]
                .map(|(irq, device)| (irq, device.to_owned()))
                .into(),
            words: [("eth0", "eth0"), ("eth1", "eth1"), ("virtio3", "eth0")]
                .map(|(word, device)| (word.to_owned(), device.to_owned()))
                .into(),
        };
        assert_eq!(owners(&proc).expect("class/net"), expected);
        fs::write(proc.path("sys/class/net/bonding_masters"), "").expect("file");
        assert_eq!(owners(&proc).expect("class/net"), expected);
    }
}
