//! An XDP program that drops everything, at once or after much work, on a device of the namespace
//! that the program runs in.
#![expect(
    unsafe_code,
    reason = "bpf(2) has no safe wrapper among the test's crates"
)]

use std::io::{self, Read};

/// Commands, types and flags of include/uapi/linux/bpf.h and if_link.h.
const LOAD: libc::c_int = 5;
const LINK_CREATE: libc::c_int = 28;
const TYPE_XDP: u32 = 6;
const ATTACH_XDP: u32 = 37;
const IN_DRIVER: u32 = 1 << 2;

/// r0 = XDP_DROP; exit
const DROP: [u64; 2] = [0x1_0000_00b7, 0x95];

/// r0 += 1
const ADD: u64 = 0x1_0000_0007;

/// Additions of a program with much work: each takes its time after the one before.
const WORK: usize = 8000;

/// Order `xdp-drop DEV`, or `xdp-work DEV`: says "ready", and why it was refused; drops until the
/// test ends it.
pub fn obey() {
    let Ok(order) = std::env::var("NETOP_TRAFFIC") else {
        return;
    };
    let (name, work, device) = match order.split_once(' ') {
        Some(("xdp-drop", device)) => ("nt_drop_all", 0, device),
        Some(("xdp-work", device)) => ("nt_work", WORK, device),
        _ => return,
    };
    let index = std::fs::read_to_string(format!("/sys/class/net/{device}/ifindex"));
    let index = index.expect("the device is here").trim().parse();
    match attach(index.expect("a number"), name, work) {
        Ok(()) => println!("ready"),
        Err(error) => println!("refused: {error}; ready"),
    }
    let _closed = io::stdin().read_to_end(&mut Vec::new());
    // The link goes with this program.
    std::process::exit(0);
}

fn attach(ifindex: u32, name: &str, work: usize) -> io::Result<()> {
    let mut text = vec![DROP[0]];
    text.extend(std::iter::repeat_n(ADD, work));
    text.extend(DROP);
    let mut attr = [0_u32; 32];
    (attr[0], attr[1]) = (TYPE_XDP, text.len() as u32);
    for (at, address) in [(2, text.as_ptr() as u64), (4, c"GPL".as_ptr() as u64)] {
        attr[at] = address as u32;
        attr[at + 1] = (address >> 32) as u32;
    }
    for (index, byte) in name.as_bytes().iter().enumerate() {
        attr[12 + index / 4] |= u32::from(*byte) << (8 * (index % 4));
    }
    let program = bpf(LOAD, &mut attr)?;
    let mut attr = [0_u32; 32];
    attr[..4].copy_from_slice(&[program, ifindex, ATTACH_XDP, IN_DRIVER]);
    bpf(LINK_CREATE, &mut attr)?;
    Ok(())
}

fn bpf(command: libc::c_int, attr: &mut [u32; 32]) -> io::Result<u32> {
    // SAFETY: the attributes and what they point to outlive the call, which is told their size.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attr.as_mut_ptr(), 128) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result as u32)
}
