//! What a driver says of its device, by SIOCETHTOOL (linux/ethtool.h); the numbers of the netlink
//! family's commands are wrong in the library at hand. The socket belongs to the namespace in
//! which it was made, and so do the names. A driver that knows no answer says EOPNOTSUPP.

use std::ffi::CStr;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;

/// linux/sockios.h
const SIOCETHTOOL: libc::c_ulong = 0x8946;

const GDRVINFO: u32 = 0x03;
const GCOALESCE: u32 = 0x0e;
const GRINGPARAM: u32 = 0x10;
const GPAUSEPARAM: u32 = 0x12;
const GSTRINGS: u32 = 0x1b;
const GSTATS: u32 = 0x1d;
const GRXFH: u32 = 0x29;
const GSSET_INFO: u32 = 0x37;
const GRXFHINDIR: u32 = 0x38;
const GFEATURES: u32 = 0x3a;
const GCHANNELS: u32 = 0x3c;

/// UDP_V4_FLOW
const UDP4: u32 = 0x02;

/// RXH_* bits of the hash, and the letters that `ethtool -N … rx-flow-hash` has for them.
const HASHED: [(u32, char); 7] = [
    (1 << 1, 'm'),
    (1 << 2, 'v'),
    (1 << 3, 't'),
    (1 << 4, 's'),
    (1 << 5, 'd'),
    (1 << 6, 'f'),
    (1 << 7, 'n'),
];

/// No device has a longer indirection table.
const MOST_TABLE: usize = 16_384;

/// ETH_GSTRING_LEN, and no driver has more strings than this.
const STRING: usize = 32;
const MOST_STRINGS: usize = 16_384;

/// The kernel writes as many statistics as there are now, whatever it was told: queues may have
/// been added since they were counted.
const SPARE: usize = 4096;

/// enum ethtool_stringset
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strings {
    Statistics = 1,
    Features = 4,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Driver {
    pub name: String,
    /// `0000:00:05.0` of a PCI device.
    pub bus: String,
}

pub struct Ethtool {
    /// Of any family: this one is in no table of connections, where it would be read as one of the
    /// host's sockets.
    socket: UnixDatagram,
}

impl Ethtool {
    /// For the devices of the namespace that this thread is in.
    pub fn new() -> io::Result<Ethtool> {
        let socket = UnixDatagram::unbound()?;
        Ok(Ethtool { socket })
    }

    pub fn driver(&self, device: &CStr) -> io::Result<Driver> {
        // struct ethtool_drvinfo: command, then driver, version, firmware, bus of 32 bytes each.
        let answer = self.ask(device, &[GDRVINFO], 512)?;
        Ok(Driver {
            name: text(&answer, 4),
            bus: text(&answer, 4 + 3 * STRING),
        })
    }

    /// struct ethtool_ringparam without the command: rx, mini, jumbo, tx at most; the same now.
    pub fn rings(&self, device: &CStr) -> io::Result<[u32; 8]> {
        self.numbers(device, GRINGPARAM)
    }

    /// struct ethtool_channels: rx, tx, other, combined at most; the same now.
    pub fn channels(&self, device: &CStr) -> io::Result<[u32; 8]> {
        self.numbers(device, GCHANNELS)
    }

    /// struct ethtool_coalesce: rx µs, frames, (irq), tx µs, frames, (irq), block, adaptive rx, tx …
    pub fn coalesce(&self, device: &CStr) -> io::Result<[u32; 22]> {
        self.numbers(device, GCOALESCE)
    }

    /// struct ethtool_pauseparam: negotiated, rx, tx.
    pub fn pause(&self, device: &CStr) -> io::Result<[u32; 3]> {
        self.numbers(device, GPAUSEPARAM)
    }

    /// The receive queue of each entry of the indirection table.
    pub fn indirection(&self, device: &CStr) -> io::Result<Vec<u32>> {
        // struct ethtool_rxfh_indir: command, size, entries; of size 0 the kernel tells the size.
        let size = word(&self.ask(device, &[GRXFHINDIR, 0], 0)?, 1) as usize;
        let size = size.min(MOST_TABLE);
        let answer = self.ask(device, &[GRXFHINDIR, size as u32], size * 4)?;
        Ok((0..size).map(|i| word(&answer, 2 + i)).collect())
    }

    /// What is hashed of UDP over IPv4: `sd`, `sdfn`.
    pub fn udp_hash(&self, device: &CStr) -> io::Result<String> {
        // struct ethtool_rxnfc: command, flow type, 64 bits of data; then what other commands use.
        let bits = word(&self.ask(device, &[GRXFH, UDP4], 256)?, 2);
        let hashed = HASHED.iter().filter(|(bit, _)| bits & bit != 0);
        Ok(hashed.map(|(_, letter)| letter).collect())
    }

    pub fn strings(&self, device: &CStr, set: Strings) -> io::Result<Vec<String>> {
        let count = self.count(device, set)?;
        let room = (count + SPARE) * STRING;
        let answer = self.ask(device, &[GSTRINGS, set as u32, count as u32], room)?;
        let count = count.min(word(&answer, 2) as usize);
        Ok((0..count).map(|i| text(&answer, 12 + i * STRING)).collect())
    }

    /// Whether each of [`Strings::Features`] is on.
    pub fn features(&self, device: &CStr, count: usize) -> io::Result<Vec<bool>> {
        let blocks = count.div_ceil(32).min(MOST_STRINGS);
        let answer = self.ask(device, &[GFEATURES, blocks as u32], blocks * 16)?;
        // Blocks of available, requested, active, never changed.
        let active = |i: usize| word(&answer, 2 + i / 32 * 4 + 2) >> (i % 32) & 1 == 1;
        Ok((0..count).map(active).collect())
    }

    /// In the order of [`Strings::Statistics`].
    pub fn statistics(&self, device: &CStr, count: usize) -> io::Result<Vec<u64>> {
        let count = count.min(MOST_STRINGS);
        let answer = self.ask(device, &[GSTATS, count as u32], (count + SPARE) * 8)?;
        let count = count.min(word(&answer, 1) as usize);
        let (values, _) = answer[8..].as_chunks::<8>();
        let values = values.iter().take(count);
        Ok(values.map(|value| u64::from_ne_bytes(*value)).collect())
    }

    fn count(&self, device: &CStr, set: Strings) -> io::Result<usize> {
        // struct ethtool_sset_info: command, reserved, u64 mask of sets; their sizes.
        let mask = (1u64 << set as u32).to_ne_bytes();
        let [low, high] =
            [[0, 1, 2, 3], [4, 5, 6, 7]].map(|of| u32::from_ne_bytes(of.map(|i| mask[i])));
        let answer = self.ask(device, &[GSSET_INFO, 0, low, high], 8)?;
        // The kernel clears the bit of a set that the driver does not have.
        if word(&answer, 2) == 0 && word(&answer, 3) == 0 {
            return Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP));
        }
        Ok((word(&answer, 4) as usize).min(MOST_STRINGS))
    }

    fn numbers<const N: usize>(&self, device: &CStr, command: u32) -> io::Result<[u32; N]> {
        let answer = self.ask(device, &[command], N * 4)?;
        Ok(std::array::from_fn(|i| word(&answer, i + 1)))
    }

    /// Sends the words and returns the answer in their place, with room for `more` bytes behind.
    fn ask(&self, device: &CStr, words: &[u32], more: usize) -> io::Result<Vec<u8>> {
        let mut buffer: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        buffer.resize(buffer.len() + more, 0);
        // SAFETY: an ifreq is plain bytes, for which zeros are valid.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        if device.count_bytes() >= request.ifr_name.len() {
            return Err(io::Error::from_raw_os_error(libc::ENODEV));
        }
        for (to, from) in request
            .ifr_name
            .iter_mut()
            .zip(device.to_bytes().iter().copied())
        {
            *to = libc::c_char::from_ne_bytes([from]);
        }
        request.ifr_ifru.ifru_data = buffer.as_mut_ptr().cast();
        // SAFETY: the buffer outlives the call and has room for what the kernel writes for this
        // command: see `SPARE` for those whose length it chooses itself.
        let result =
            unsafe { libc::ioctl(self.socket.as_raw_fd(), SIOCETHTOOL as _, &raw mut request) };
        if result < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(buffer)
    }
}

fn word(buffer: &[u8], index: usize) -> u32 {
    let bytes = buffer.get(4 * index..4 * index + 4);
    bytes.map_or(0, |bytes| {
        u32::from_ne_bytes(bytes.try_into().unwrap_or_default())
    })
}

/// A string of at most [`STRING`] bytes at this byte.
fn text(buffer: &[u8], at: usize) -> String {
    let bytes = buffer.get(at..at + STRING).unwrap_or_default();
    let end = bytes.iter().position(|&byte| byte == 0);
    String::from_utf8_lossy(&bytes[..end.unwrap_or(bytes.len())]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_texts_beyond_the_answer_are_nothing() {
        let mut buffer = [1u32.to_ne_bytes(), 2u32.to_ne_bytes()].concat();
        buffer.extend(b"veth");
        buffer.resize(8 + STRING, 0);
        assert_eq!([0, 1, 99].map(|i| word(&buffer, i)), [1, 2, 0]);
        assert_eq!(text(&buffer, 8), "veth");
        assert_eq!(text(&buffer, 64), "");
    }

    #[test]
    fn loopback_has_features_and_no_rings() {
        let ethtool = Ethtool::new().expect("a socket");
        let names = ethtool.strings(c"lo", Strings::Features).expect("features");
        let active = ethtool.features(c"lo", names.len()).expect("features");
        let on = |name: &str| names.iter().zip(&active).any(|(n, on)| n == name && *on);
        // net/core/dev.c: loopback is always NETIF_F_LOOPBACK, and GRO is a soft feature of all.
        assert!(on("loopback") && on("rx-gro"), "{names:?}");
        let refused = ethtool.rings(c"lo").expect_err("no rings");
        assert_eq!(refused.raw_os_error(), Some(libc::EOPNOTSUPP));
        let none = ethtool.strings(c"lo", Strings::Statistics);
        assert_eq!(
            none.expect_err("none").raw_os_error(),
            Some(libc::EOPNOTSUPP)
        );
    }

    #[test]
    fn a_name_that_is_too_long_or_unknown_is_no_device() {
        let ethtool = Ethtool::new().expect("a socket");
        for name in [c"no-such-device-by-any-means", c"nosuch0"] {
            let refused = ethtool.driver(name).expect_err("unknown");
            assert_eq!(refused.raw_os_error(), Some(libc::ENODEV), "{name:?}");
        }
    }
}
