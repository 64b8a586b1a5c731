//! What the kernel says of the network from now on: records of /dev/kmsg
//! (Documentation/ABI/testing/dev-kmsg) that name a device or come from the stack.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;

use crate::host::proc::printable;

/// One read gives one record, at most so long (PRINTK_MESSAGE_MAX and its header).
const RECORD: usize = 8192;

/// A kernel that says more between two readings is not read to the end.
const MOST_RECORDS: usize = 1000;

/// Longest text kept, characters.
const LONGEST: usize = 300;

/// How the stack's own messages begin.
const STACK: &[&str] = &[
    "TCP:",
    "UDP:",
    "UDPv6:",
    "IPv4:",
    "IPv6:",
    "ICMP",
    "nf_conntrack",
    "neighbour:",
    "NETDEV WATCHDOG",
    "net_ratelimit",
    "bonding:",
    "xfrm",
];

pub struct KernelLog(File);

impl KernelLog {
    /// From its end on.
    pub fn open() -> io::Result<KernelLog> {
        let mut file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open("/dev/kmsg")?;
        file.seek(SeekFrom::End(0))?;
        Ok(KernelLog(file))
    }

    /// What it has said since, with the device where one of `devices` is named.
    pub fn read<'a>(
        &'a mut self,
        devices: &'a [&str],
    ) -> impl Iterator<Item = (Option<String>, String)> + 'a {
        let records = (0..MOST_RECORDS).map_while(|_| self.record());
        records.filter_map(|record| told(&record, devices))
    }

    fn record(&mut self) -> Option<String> {
        let mut record = [0; RECORD];
        match self.0.read(&mut record) {
            Ok(0) => None,
            Ok(bytes) => Some(String::from_utf8_lossy(&record[..bytes]).into_owned()),
            // Some were overwritten before they were read: the next read goes on behind them.
            Err(error) if error.raw_os_error() == Some(libc::EPIPE) => Some(String::new()),
            Err(_) => None,
        }
    }
}

/// `6,371,8259304192,-;text`, then lines ` KEY=value`; `None`: of the network it says nothing.
fn told(record: &str, devices: &[&str]) -> Option<(Option<String>, String)> {
    let (head, rest) = record.split_once(';')?;
    let priority: u32 = head.split(',').next()?.parse().ok()?;
    // Facility 0 is the kernel: user space writes here too.
    if priority >> 3 != 0 {
        return None;
    }
    let mut lines = rest.lines();
    let text = lines.next()?;
    let of_net = lines.any(|line| line == " SUBSYSTEM=net");
    let mut words = text.split(|c: char| !c.is_alphanumeric() && !"_.-@".contains(c));
    // "lo" is a word of its own in no language that the kernel speaks.
    let device = words.find(|word| devices.contains(word));
    if device.is_none() && !of_net && !STACK.iter().any(|begin| text.starts_with(begin)) {
        return None;
    }
    let text: String = text.chars().take(LONGEST).collect();
    Some((device.map(str::to_owned), printable(&text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_a_device_or_comes_from_the_stack_is_told() {
        let devices = ["lo", "eth0"];
        let cases = [
            (
                "6,1,5,-;e1000e 0000:00:1f.6 eth0: NIC Link is Down\n SUBSYSTEM=pci",
                Some(true),
            ),
            (
                "4,2,5,-;NETDEV WATCHDOG: eth0 (e1000e): queue 0 timed out",
                Some(true),
            ),
            (
                "6,3,5,-;TCP: request_sock_TCP: Possible SYN flooding",
                Some(false),
            ),
            (
                "6,4,5,-;virtio_net virtio0 ens3: renamed\n SUBSYSTEM=net\n DEVICE=n2",
                Some(false),
            ),
            ("6,5,5,-;smpboot: CPU 1 is now offline", None),
            ("6,5,5,-;eth01: another", None),
            ("12,6,5,-;eth0: user space says so", None),
            ("", None),
            (";", None),
            ("x;eth0", None),
        ];
        for (record, expected) in cases {
            let named = told(record, &devices).map(|(device, _)| device.is_some());
            assert_eq!(named, expected, "{record}");
        }
    }

    #[test]
    fn a_long_message_is_cut_and_has_no_escapes() {
        let text = format!("6,1,5,-;TCP: \u{1b}{}", "é".repeat(400));
        let (_, text) = told(&text, &[]).expect("of the stack");
        assert!(text.chars().count() == LONGEST && text.starts_with("TCP: ?é"));
    }
}
