//! Names of the kernel addresses of a file that carries none: a kernel of the same build has them,
//! moved by the difference of the two beginnings. Another kernel's names are never taken.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use rustc_hash::FxHashMap;

use crate::model::{Mapped, Name};
use crate::symbol::elf::build_id::{hex as hex_id, in_folders, same};
use crate::symbol::elf::demangle::readable;
use crate::symbol::kernel;
use crate::symbol::kernel::cache::KernelCache;
use crate::symbol::kernel::kallsyms::Kallsyms;
use crate::symbol::kernel::{KernelFiles, hex};
use crate::symbol::user::patience::Patience;

/// What perf calls the kernel's own text; the symbol its `pgoff` is the address of stands behind.
const KERNEL: &str = "[kernel.kallsyms]";

const MOST_NAMES: usize = 1 << 16;
const MOST_MODULES: usize = 1 << 14;

/// Digits of a build id that are shown.
const SHOWN: usize = 12;

pub struct PerfFileKernel {
    files: KernelFiles,
    cache: Option<KernelCache>,
    /// ~/.debug, where perf keeps files by build id.
    debug: Option<PathBuf>,
    build_id: Option<Vec<u8>>,
    release: Option<String>,
    /// Address of `_text` there.
    begin: Option<u64>,
    modules: Vec<Module>,
    search: Search,
    table: Table,
    known: FxHashMap<u64, Arc<str>>,
    missing: Option<String>,
}

/// Where a module's code was.
struct Module {
    start: u64,
    len: u64,
    name: String,
}

enum Search {
    NotBegun,
    Reading(Receiver<Result<Table, String>>),
    Ended,
}

/// The same kernel, here.
#[derive(Default)]
struct Table {
    symbols: Kallsyms,
    /// Module → start of its code.
    modules: FxHashMap<String, u64>,
}

impl PerfFileKernel {
    pub fn new(
        files: KernelFiles,
        cache: Option<KernelCache>,
        debug: Option<PathBuf>,
        build_id: Option<Vec<u8>>,
        release: Option<String>,
    ) -> PerfFileKernel {
        PerfFileKernel {
            files,
            cache,
            debug,
            build_id,
            release,
            begin: None,
            modules: Vec::new(),
            search: Search::NotBegun,
            table: Table::default(),
            known: FxHashMap::default(),
            missing: None,
        }
    }

    pub fn mapped(&mut self, mapped: &Mapped<'_>) {
        self.known.clear();
        if let Some(symbol) = mapped.path.strip_prefix(KERNEL) {
            if self.begin.is_none() && symbol == "_text" {
                self.begin = Some(mapped.offset);
                let id = mapped.build_id.map(<[u8]>::to_vec);
                self.build_id = self.build_id.take().or(id);
                // It may have been looked for in vain.
                self.search = Search::NotBegun;
                self.missing = None;
            }
        } else if self.modules.len() < MOST_MODULES
            && let Some(name) = module_name(mapped.path)
        {
            self.modules.push(Module {
                start: mapped.start,
                len: mapped.len,
                name,
            });
        }
    }

    pub fn missing(&self) -> Option<&str> {
        self.missing.as_deref()
    }

    pub fn name(&mut self, address: u64, patience: &mut Patience) -> Name {
        if let Some(text) = self.known.get(&address) {
            return Name {
                text: Arc::clone(text),
                settled: true,
            };
        }
        if let Search::NotBegun = self.search {
            self.begin_search();
        }
        let mut text = self.look_up(address);
        if text.is_none()
            && let Search::Reading(_) = self.search
        {
            self.take_reading(patience);
            text = self.look_up(address);
        }
        let settled = text.is_some() || matches!(self.search, Search::Ended);
        let text = text.map_or_else(|| self.unnamed(address), Into::into);
        if settled {
            if self.known.len() >= MOST_NAMES {
                self.known.clear();
            }
            self.known.insert(address, Arc::clone(&text));
        }
        Name { text, settled }
    }

    fn look_up(&self, address: u64) -> Option<String> {
        let Table { symbols, modules } = &self.table;
        if let Some(module) = self.module(address) {
            let start = modules.get(&module.name)?;
            let name = symbols.name(start.wrapping_add(address - module.start))?;
            let of_module = name
                .strip_suffix(']')?
                .ends_with(&format!(" [{}", module.name));
            return of_module.then_some(name);
        }
        let offset = address.wrapping_sub(self.begin?);
        let name = symbols.name(symbols.begin.wrapping_add(offset))?;
        // What lies outside the kernel itself is elsewhere at each boot.
        (!name.ends_with(']')).then_some(name)
    }

    fn module(&self, address: u64) -> Option<&Module> {
        let holds = |module: &&Module| {
            let within = address.checked_sub(module.start);
            within.is_some_and(|within| within < module.len)
        };
        // What was loaded last, where two were one after the other.
        self.modules.iter().rev().find(holds)
    }

    fn unnamed(&self, address: u64) -> Arc<str> {
        let Some(module) = self.module(address) else {
            return hex(address);
        };
        let Module { start, name, .. } = module;
        let name = readable(name);
        format!("{name}+{:#x} [{name}]", address - start).into()
    }

    fn begin_search(&mut self) {
        self.search = Search::Ended;
        let Some(begin) = self.begin else {
            self.missing = Some(
                "the recording does not say where its kernel began, and has no names of kernel functions; netop record keeps them".to_owned(),
            );
            return;
        };
        let here = kernel::running_build_id(&self.files);
        let is_here = match (&self.build_id, &here) {
            (Some(there), Some(here)) => same(there, here),
            (Some(_), None) => false,
            // The same release that began at the same address; perf takes any.
            (None, _) => {
                let release = fs::read_to_string(&self.files.release).unwrap_or_default();
                self.release.as_deref() == Some(release.trim())
                    && kernel::begin(&self.files) == Some(begin)
            }
        };
        let id = if is_here {
            here.clone()
        } else {
            self.build_id.clone()
        };
        let cache = self.cache.clone().zip(id.clone());
        let kept = cache.as_ref().and_then(|(cache, id)| cache.read(id, begin));
        let is_kept = kept.is_some();
        if let Some(symbols) = kept {
            self.table.symbols = symbols;
        }
        if is_here {
            // What is kept has no modules.
            if !is_kept || !self.modules.is_empty() {
                let files = self.files.clone();
                let cache = cache.filter(|_| !is_kept);
                self.read_in_thread(move || read_here(&files, cache));
            }
        } else if !is_kept {
            match self.in_perfs_cache() {
                // Not for netop's cache: whose home it is, is not known.
                Some(path) => self.read_in_thread(move || {
                    let symbols = kernel::read(&path)?;
                    let modules = FxHashMap::default();
                    Ok(Table { symbols, modules })
                }),
                None => self.missing = Some(self.why_missing(here.as_deref())),
            }
        }
    }

    fn read_in_thread(&mut self, read: impl FnOnce() -> Result<Table, String> + Send + 'static) {
        let (found, reading) = bounded(1);
        let thread = thread::Builder::new().name("kallsyms".to_owned());
        let spawned = thread.spawn(move || {
            // Nobody may be waiting any more.
            let _ = found.send(read());
        });
        if spawned.is_ok() {
            self.search = Search::Reading(reading);
        }
    }

    fn take_reading(&mut self, patience: &mut Patience) {
        let Search::Reading(reading) = &self.search else {
            return;
        };
        let answer = match patience.receive(reading) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout) => return,
            Err(RecvTimeoutError::Disconnected) => Err("reading kallsyms failed".to_owned()),
        };
        self.search = Search::Ended;
        match answer {
            Ok(table) => self.table = table,
            // What was kept is still good.
            Err(_) if self.table.symbols.has_names() => {}
            Err(why) => self.missing = Some(why),
        }
    }

    fn in_perfs_cache(&self) -> Option<PathBuf> {
        let id = in_folders(self.build_id.as_deref()?)?;
        let path = self
            .debug
            .as_ref()?
            .join(format!(".build-id/{id}/kallsyms"));
        fs::metadata(&path)
            .is_ok_and(|data| data.is_file())
            .then_some(path)
    }

    fn why_missing(&self, here: Option<&[u8]>) -> String {
        let shown = |id: &[u8]| {
            let mut text = hex_id(id);
            text.truncate(SHOWN);
            text
        };
        match (&self.build_id, here) {
            (Some(there), Some(here)) => format!(
                "the recording is of another kernel (build id {}…, here {}…) and has no names of its functions; netop record keeps them",
                shown(there),
                shown(here)
            ),
            (Some(_), None) => "the build id of the kernel here cannot be read (/sys/kernel/notes): the recording may be of another".to_owned(),
            (None, _) => "the recording does not say which kernel it is of; netop record keeps names, perf record the build id unless it writes to a pipe".to_owned(),
        }
    }
}

fn read_here(files: &KernelFiles, cache: Option<(KernelCache, Vec<u8>)>) -> Result<Table, String> {
    let symbols = kernel::read(&files.kallsyms)?;
    if symbols.begin == 0 {
        return Err("kallsyms here does not say where the kernel begins".to_owned());
    }
    if let Some((cache, id)) = cache {
        // A folder that cannot be written is no reason to have no names.
        let _not_kept = cache.write(&id, &symbols);
    }
    let modules = loaded_modules(&files.modules);
    Ok(Table { symbols, modules })
}

/// man 5 proc_modules: `name size uses users state address`.
fn loaded_modules(path: &Path) -> FxHashMap<String, u64> {
    let mut text = String::new();
    let file = File::open(path).map(|file| file.take(4 << 20));
    // A kernel without modules has no such file.
    let _ = file.and_then(|mut file| file.read_to_string(&mut text));
    let module = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let name = words.next()?;
        let start = words.nth(4)?.strip_prefix("0x")?;
        let start = u64::from_str_radix(start, 16).ok()?;
        (start != 0).then(|| (name.to_owned(), start))
    };
    text.lines().filter_map(module).collect()
}

/// `[veth]` or `/lib/modules/…/veth.ko.zst`; a file may have `-` where the module has `_`.
fn module_name(path: &str) -> Option<String> {
    if let Some(name) = path.strip_prefix('[') {
        return Some(name.strip_suffix(']')?.to_owned());
    }
    let (name, _) = path.rsplit('/').next()?.split_once(".ko")?;
    Some(name.replace('-', "_"))
}

#[cfg(test)]
#[path = "perf_file_kernel_tests.rs"]
mod tests;
