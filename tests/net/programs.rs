//! The BPF programs that the kernel holds, by its own list; and one to find in it.
#![expect(
    unsafe_code,
    reason = "bpf(2) has no safe wrapper among the test's crates"
)]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Commands of `enum bpf_cmd` and the offset of the name in `struct bpf_prog_info` and in the load
/// command's part of `union bpf_attr` (include/uapi/linux/bpf.h).
const LOAD: libc::c_int = 5;
const NEXT_ID: libc::c_int = 11;
const FD_BY_ID: libc::c_int = 13;
const INFO: libc::c_int = 15;
const NAME_IN_INFO: usize = 64;
const NAME: usize = 16;

fn bpf(command: libc::c_int, attr: &mut [u32; 32]) -> io::Result<libc::c_long> {
    // SAFETY: the attributes outlive the call, which is told their size; what they point to is the
    // caller's, alive and as long as they say.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attr.as_mut_ptr(), 128) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}

fn descriptor(result: libc::c_long) -> OwnedFd {
    // SAFETY: the kernel has just made it for us.
    unsafe { OwnedFd::from_raw_fd(result as i32) }
}

fn put_address(attr: &mut [u32; 32], at: usize, address: u64) {
    attr[at] = address as u32;
    attr[at + 1] = (address >> 32) as u32;
}

/// Id and name of every loaded program.
pub fn loaded() -> Vec<(u32, String)> {
    let mut programs = Vec::new();
    let mut id = 0;
    loop {
        let mut attr = [0; 32];
        attr[0] = id;
        match bpf(NEXT_ID, &mut attr) {
            Ok(_) => id = attr[1],
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return programs,
            Err(error) => panic!("the kernel's programs cannot be listed: {error}"),
        }
        let mut attr = [0; 32];
        attr[0] = id;
        // It may have gone since.
        let Ok(program) = bpf(FD_BY_ID, &mut attr).map(descriptor) else {
            continue;
        };
        let mut info = [0u8; 256];
        let mut attr = [0; 32];
        attr[0] = program.as_raw_fd() as u32;
        attr[1] = info.len() as u32;
        put_address(&mut attr, 2, info.as_mut_ptr() as u64);
        bpf(INFO, &mut attr).expect("a program that is held says what it is");
        let name = info[NAME_IN_INFO..NAME_IN_INFO + NAME].split(|b| *b == 0);
        let name = String::from_utf8_lossy(name.into_iter().next().unwrap_or(&[]));
        programs.push((id, name.into_owned()));
    }
}

/// Loads a socket filter that drops everything, attached to nothing; it goes with its descriptor.
pub fn load(name: &str) -> OwnedFd {
    // r0 = 0; exit
    let code: [u64; 2] = [0xb7, 0x95];
    let license = c"GPL";
    let mut attr = [0; 32];
    attr[0] = 1;
    attr[1] = code.len() as u32;
    put_address(&mut attr, 2, code.as_ptr() as u64);
    put_address(&mut attr, 4, license.as_ptr() as u64);
    for (index, byte) in name.bytes().enumerate() {
        attr[12 + index / 4] |= u32::from(byte) << (8 * (index % 4));
    }
    descriptor(bpf(LOAD, &mut attr).expect("root may load a socket filter"))
}
