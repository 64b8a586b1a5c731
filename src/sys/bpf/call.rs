//! What aya has no call for: bpf(2) by hand.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use aya::Pod;

/// Commands of bpf(2), include/uapi/linux/bpf.h.
const MAP_UPDATE_ELEM: libc::c_long = 2;
const OBJ_GET_INFO_BY_FD: libc::c_long = 15;
const MAP_LOOKUP_BATCH: libc::c_long = 24;

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

/// Adds at most `room` entries of a hash map to `keys`, with `copies` values each to `values`. `at`: where
/// the last answer ended. `None`: that was the end. Keys and values must have the map's sizes.
pub fn entries<K: Pod, V: Pod>(
    map: BorrowedFd<'_>,
    at: Option<u32>,
    room: usize,
    copies: usize,
    (keys, values): (&mut Vec<K>, &mut Vec<V>),
) -> io::Result<Option<u32>> {
    #[repr(C)]
    struct Batch {
        at: u64,
        next: u64,
        keys: u64,
        values: u64,
        count: std::cell::Cell<u32>,
        map: u32,
        element_flags: u64,
        flags: u64,
    }
    keys.reserve(room);
    values.reserve(room * copies);
    // A bucket's number: four bytes in a hash map (kernel/bpf/hashtab.c).
    let mut next = 0_u32;
    let batch = Batch {
        at: at.as_ref().map_or(0, |at| &raw const *at as u64),
        next: &raw mut next as u64,
        keys: keys.spare_capacity_mut().as_mut_ptr() as u64,
        values: values.spare_capacity_mut().as_mut_ptr() as u64,
        count: std::cell::Cell::new(room as u32),
        map: map.as_raw_fd().cast_unsigned(),
        element_flags: 0,
        flags: 0,
    };
    let result = bpf(MAP_LOOKUP_BATCH, &batch);
    let ended = match result {
        Ok(()) => false,
        // It says so beside the last entries.
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => true,
        Err(error) => return Err(error),
    };
    let count = (batch.count.get() as usize).min(room);
    // SAFETY: there is room for that many, and the kernel has written each of them whole: keys and values
    // have the map's sizes, and any bytes are a value of a `Pod`.
    unsafe {
        keys.set_len(keys.len() + count);
        values.set_len(values.len() + count * copies);
    }
    Ok((!ended).then_some(next))
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
