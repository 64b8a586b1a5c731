//! A BPF array in this process's address space.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::ptr::NonNull;

use aya::Ebpf;
use aya::maps::{Map, MapData};

/// A BPF array's memory, shared with the kernel (BPF_F_MMAPABLE, Linux 5.5).
pub struct Shared<T> {
    start: NonNull<T>,
    /// How many `T` there are.
    pub entries: u32,
}

// SAFETY: `T` is made of atomics only, and the mapping lives as long as the value.
unsafe impl<T> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Shared<T> {}

impl<T> Shared<T> {
    pub fn map(ebpf: &Ebpf, name: &str, entries: u32) -> Result<Shared<T>, String> {
        let Some(Map::Array(data)) = ebpf.map(name) else {
            return Err(format!("the object has no map {name}"));
        };
        Shared::of_map(data, entries).map_err(|error| format!("map {name}: {error}"))
    }

    fn of_map(data: &MapData, entries: u32) -> io::Result<Shared<T>> {
        let bytes = entries as usize * size_of::<T>();
        let fd = data.fd().as_fd().as_raw_fd();
        // SAFETY: a new mapping of `bytes` of the map, whose entries are at least that large: an
        // object that disagrees with the types above makes the kernel refuse a longer mapping.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                fd,
                0,
            )
        };
        match NonNull::new(start.cast::<T>()) {
            Some(start) if start.as_ptr().cast() != libc::MAP_FAILED => {
                Ok(Shared { start, entries })
            }
            _ => Err(io::Error::last_os_error()),
        }
    }

    pub fn of(&self, cpu: u32) -> Option<&T> {
        // SAFETY: inside the mapping, which `self` keeps; the kernel writes to it at any time,
        // which atomics allow.
        (cpu < self.entries).then(|| unsafe { &*self.start.as_ptr().add(cpu as usize) })
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping made in `of_map`, to which no reference is left.
        unsafe {
            libc::munmap(
                self.start.as_ptr().cast(),
                self.entries as usize * size_of::<T>(),
            );
        }
    }
}
