//! The names of everything that was sampled, gathered while it runs: in the end programs are gone.

use std::path::Path;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::decode::SideBand;
use crate::model::{Entry, Names, entries};
use crate::perfdata::Symbols;
use crate::symbol::HitFiles;

/// Addresses of each kind; samples beyond have no names on other hosts.
const MOST: usize = 1 << 17;

type Frames = Box<[Arc<str>]>;

pub struct Gathered {
    kernel: FxHashMap<u64, Option<Arc<str>>>,
    user: FxHashMap<(u32, u64), Option<Frames>>,
    /// To be asked again: somebody is still looking.
    unnamed_kernel: Vec<u64>,
    unnamed_user: Vec<(u32, u64)>,
    files: HitFiles,
}

impl Gathered {
    pub fn new() -> Gathered {
        Gathered {
            kernel: FxHashMap::default(),
            user: FxHashMap::default(),
            unnamed_kernel: Vec::new(),
            unnamed_user: Vec::new(),
            files: HitFiles::new(Path::new("/proc")),
        }
    }

    pub fn told(&mut self, happened: &SideBand) {
        self.files.told(happened);
    }

    /// A sample's chain. What is new is asked for at once.
    pub fn meet(&mut self, pid: u32, chain: &[u64], names: &mut dyn Names) {
        for entry in entries(chain) {
            match entry {
                Entry::Kernel(address) => {
                    if self.kernel.len() < MOST && !self.kernel.contains_key(&address) {
                        self.kernel.insert(address, None);
                        self.ask_kernel(address, names);
                    }
                }
                Entry::User(address) => {
                    let key = (pid, address);
                    if self.user.len() < MOST && !self.user.contains_key(&key) {
                        self.user.insert(key, None);
                        self.files.hit(pid, address);
                        self.ask_user(key, names);
                    }
                }
            }
        }
    }

    fn ask_kernel(&mut self, address: u64, names: &mut dyn Names) {
        let name = names.kernel(address);
        if name.settled {
            self.kernel.insert(address, Some(name.text));
        } else {
            self.unnamed_kernel.push(address);
        }
    }

    fn ask_user(&mut self, key: (u32, u64), names: &mut dyn Names) {
        let mut frames = Vec::new();
        if names.user(key.0, key.1, &mut frames) {
            self.user.insert(key, Some(frames.into()));
        } else {
            self.unnamed_user.push(key);
        }
    }

    /// Asks again for what had no name yet. True: everything has one.
    pub fn ask_again(&mut self, names: &mut dyn Names) -> bool {
        self.files.settle();
        for address in std::mem::take(&mut self.unnamed_kernel) {
            self.ask_kernel(address, names);
        }
        for key in std::mem::take(&mut self.unnamed_user) {
            self.ask_user(key, names);
        }
        self.unnamed_kernel.is_empty() && self.unnamed_user.is_empty()
    }

    pub fn count(&self) -> usize {
        self.kernel.len() + self.user.len()
    }

    /// Path and build id of the files that were hit.
    pub fn builds(&self) -> Vec<(String, Vec<u8>)> {
        self.files.builds()
    }

    /// `text`: address of `_text`, or 0.
    pub fn symbols(self, text: u64, drivers: Vec<String>, names: &dyn Names) -> Symbols {
        let kernel = self.kernel.into_iter();
        let mut kernel: Vec<_> = kernel
            .filter_map(|(address, name)| Some((address.wrapping_sub(text), name?.to_string())))
            .collect();
        kernel.sort_unstable();
        let mut user: Vec<_> = self.user.into_iter().collect();
        user.sort_unstable_by_key(|(key, _)| *key);
        let distinct: FxHashSet<&Arc<str>> =
            (user.iter().filter_map(|(_, frames)| frames.as_deref()))
                .flatten()
                .collect();
        let line = |frame: &Arc<str>| Some((frame.to_string(), names.location(frame)?.to_string()));
        let mut lines: Vec<_> = distinct.into_iter().filter_map(line).collect();
        lines.sort_unstable();
        let frames = |frames: Frames| frames.iter().map(ToString::to_string).collect();
        Symbols {
            text,
            kernel,
            user: user
                .into_iter()
                .filter_map(|((pid, address), found)| Some((pid, address, frames(found?))))
                .collect(),
            lines,
            drivers,
            kernel_missing: names.kernel_missing().map(str::to_owned),
            user_missing: names.user_missing().map(str::to_owned),
        }
    }
}
