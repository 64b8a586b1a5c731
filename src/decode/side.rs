//! What the kernel tells of processes beside samples: the side band of perf events. It gives
//! recordings and foreign files what /proc gives a running host.

/// Something that happened to a process, in the order of its CPU's ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SideBand {
    /// In the clock of the samples, ns.
    pub time: u64,
    pub cpu: u32,
    pub pid: u32,
    pub tid: u32,
    pub what: Happened,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happened {
    /// Executable memory was mapped (PERF_RECORD_MMAP, MMAP2).
    Mapped(Mapping),
    /// A task has a new name (PERF_RECORD_COMM); `exec`: and is a new program.
    Named { comm: String, exec: bool },
    /// The task was started by another (PERF_RECORD_FORK).
    Forked { parent: u32, parent_tid: u32 },
    /// PERF_RECORD_EXIT.
    Ended,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mapping {
    pub start: u64,
    pub len: u64,
    /// Of the file, bytes.
    pub offset: u64,
    pub path: String,
    pub file: MappedFile,
    /// The kernel's or a module's text; then `pid` is -1.
    pub kernel: bool,
}

/// What says which file it was.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum MappedFile {
    #[default]
    Unknown,
    BuildId(Vec<u8>),
    Inode {
        major: u32,
        minor: u32,
        inode: u64,
        generation: u64,
    },
}
