//! A BPF array in this process's address space.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::ptr::NonNull;

use aya::Ebpf;
use aya::maps::{Map, MapData};

/// A BPF array's memory, shared with the kernel (BPF_F_MMAPABLE, Linux 5.5).
pub struct Shared<T> {
    start: NonNull<T>,
    /// Of the array.
    pub entries: u32,
    /// How many `T` an entry is.
    each: usize,
}

// SAFETY: `T` is made of atomics only, and the mapping lives as long as the value.
unsafe impl<T> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// An array of `T`.
    pub fn map(ebpf: &Ebpf, name: &str, entries: u32) -> Result<Shared<T>, String> {
        Shared::map_rows(ebpf, name, entries, 1)
    }

    /// An array of `each` `T`.
    pub fn map_rows(
        ebpf: &Ebpf,
        name: &str,
        entries: u32,
        each: usize,
    ) -> Result<Shared<T>, String> {
        let Some(Map::Array(data)) = ebpf.map(name) else {
            return Err(format!("the object has no map {name}"));
        };
        let failed = |error: &dyn std::fmt::Display| format!("map {name}: {error}");
        // What is read beside each other must lie where the programs write it.
        let wide = data.info().map_err(|e| failed(&e))?.value_size() as usize;
        if wide != each * size_of::<T>() {
            return Err(failed(&"the object has another layout"));
        }
        Shared::of_map(data, entries, each).map_err(|e| failed(&e))
    }

    fn of_map(data: &MapData, entries: u32, each: usize) -> io::Result<Shared<T>> {
        let bytes = entries as usize * each * size_of::<T>();
        let fd = data.fd().as_fd().as_raw_fd();
        // SAFETY: a new mapping of `bytes` of the map, whose entries are that large (`map_rows`).
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
            Some(start) if start.as_ptr().cast() != libc::MAP_FAILED => Ok(Shared {
                start,
                entries,
                each,
            }),
            _ => Err(io::Error::last_os_error()),
        }
    }

    pub fn row(&self, entry: u32) -> Option<&[T]> {
        // SAFETY: inside the mapping, which `self` keeps; the kernel writes to it at any time,
        // which atomics allow.
        (entry < self.entries).then(|| unsafe {
            let start = self.start.as_ptr().add(entry as usize * self.each);
            std::slice::from_raw_parts(start, self.each)
        })
    }

    pub fn of(&self, entry: u32) -> Option<&T> {
        self.row(entry)?.first()
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping made in `of_map`, to which no reference is left.
        unsafe {
            libc::munmap(
                self.start.as_ptr().cast(),
                self.entries as usize * self.each * size_of::<T>(),
            );
        }
    }
}
