//! Switches a device's offloads with SIOCETHTOOL, so that the tests need no ethtool command.
#![expect(
    unsafe_code,
    reason = "the ioctl has no safe wrapper among the test's crates"
)]

use std::net::UdpSocket;
use std::os::fd::AsRawFd;

/// include/uapi/linux/ethtool.h
const COMMANDS: [(&str, u32); 4] = [("tx", 0x17), ("tso", 0x1f), ("gso", 0x24), ("gro", 0x2c)];

/// include/uapi/linux/sockios.h
const SIOCETHTOOL: libc::c_ulong = 0x8946;

#[repr(C)]
struct Value {
    command: u32,
    data: u32,
}

/// Order `offloads DEV tso=0 gro=1 …`; any other order is not for us.
pub fn obey() {
    let Ok(order) = std::env::var("NETOP_TRAFFIC") else {
        return;
    };
    let mut words = order.split(' ');
    if words.next() != Some("offloads") {
        return;
    }
    let device = words.next().expect("a device");
    for word in words {
        let (name, value) = word.split_once('=').expect("name=value");
        let command = COMMANDS
            .iter()
            .find(|c| c.0 == name)
            .expect("a known offload")
            .1;
        set(device, command, value.parse().expect("a number"));
    }
    println!("ready");
    std::process::exit(0);
}

fn set(device: &str, command: u32, data: u32) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let mut value = Value { command, data };
    // SAFETY: an all-zero ifreq is a valid one.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(device.bytes().take(15)) {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_data = (&raw mut value).cast();
    // SAFETY: the request and the value it points to outlive the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL as _, &raw mut request) };
    assert_eq!(result, 0, "{device}: {}", std::io::Error::last_os_error());
}
