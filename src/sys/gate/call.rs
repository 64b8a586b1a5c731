//! What aya has no call for: bpf(2) by hand.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

/// Commands of bpf(2), include/uapi/linux/bpf.h.
const MAP_UPDATE_ELEM: libc::c_long = 2;
const OBJ_GET_INFO_BY_FD: libc::c_long = 15;

fn bpf<T>(command: libc::c_long, attributes: &T) -> io::Result<()> {
    // SAFETY: the kernel reads `attributes` and what it points to, all of which the callers keep
    // alive during the call; what it writes has room.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            &raw const *attributes,
            size_of::<T>(),
        )
    };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

pub fn update(map: BorrowedFd<'_>, key: &u32, value: &RawFd) -> io::Result<()> {
    #[repr(C)]
    struct Update {
        map: u64,
        key: u64,
        value: u64,
        flags: u64,
    }
    bpf(
        MAP_UPDATE_ELEM,
        &Update {
            map: map.as_raw_fd() as u64,
            key: &raw const *key as u64,
            value: &raw const *value as u64,
            flags: 0,
        },
    )
}

/// The beginning of `struct bpf_prog_info`.
#[repr(C)]
pub struct ProgramInfo {
    before: [u64; 26],
    pub recursion_misses: u64,
}

pub fn program_info(program: BorrowedFd<'_>) -> io::Result<ProgramInfo> {
    #[repr(C)]
    struct Question {
        program: u32,
        len: u32,
        info: u64,
    }
    let mut info = ProgramInfo {
        before: [0; 26],
        recursion_misses: 0,
    };
    bpf(
        OBJ_GET_INFO_BY_FD,
        &Question {
            program: program.as_raw_fd().cast_unsigned(),
            len: size_of::<ProgramInfo>() as u32,
            info: &raw mut info as u64,
        },
    )?;
    Ok(info)
}
