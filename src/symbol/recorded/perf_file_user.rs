//! Names of the user frames of a file that carries none: from the files of the same build that are
//! here, at their path or in perf's cache. Files are read by threads of their own.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, bounded};
use rustc_hash::FxHashMap;

use crate::model::{Mapped, NOWHERE};
use crate::symbol::answer::{Answer, Message};
use crate::symbol::elf::build_id::in_folders;
use crate::symbol::elf::debug_file::Whereabouts;
use crate::symbol::elf::demangle::readable;
use crate::symbol::elf::dwarf_budget::DwarfBudget;
use crate::symbol::elf::files::{Files, Handed, Tag, unnamed};
use crate::symbol::elf::mapped_file::Identity;
use crate::symbol::elf::reader::{Recorded, Source};
use crate::symbol::kernel::hex;
use crate::symbol::user::patience::Patience;
use crate::symbol::user::places::Places;
use crate::symbol::user::resolve::PATIENCE;
use crate::symbol::user::spaces::{Region, Spaces};

const QUEUE: usize = 4096;
const MOST_NAMES: usize = 1 << 17;
/// Files that are told apart, by path and build: what lies in more has no name.
const MOST_FILES: u32 = 1 << 16;

pub struct PerfFileUser {
    spaces: Spaces,
    mapped: Vec<MappedObject>,
    /// Path and build id → place in `mapped`.
    index: FxHashMap<(String, Option<Vec<u8>>), u32>,
    /// What the recording says in one place for all mappings of a path.
    build_ids: FxHashMap<String, Vec<u8>>,
    /// ~/.debug, where perf keeps files by build id.
    debug: Option<PathBuf>,
    files: Files,
    answers: Receiver<Message>,
    /// By object and offset: processes share them.
    known: FxHashMap<(u32, u64), State>,
    places: Places,
    missing: Option<String>,
    /// What is less than missing.
    doubtful: Option<String>,
}

struct MappedObject {
    /// Printable.
    object: Arc<str>,
    path: String,
    build_id: Option<Vec<u8>>,
    is_file: bool,
}

enum State {
    Asked { first: Instant, queued: bool },
    Named(Arc<[Arc<str>]>),
}

impl PerfFileUser {
    pub fn new(build_ids: FxHashMap<String, Vec<u8>>, debug: Option<PathBuf>) -> PerfFileUser {
        let (answer, answers) = bounded(QUEUE);
        PerfFileUser {
            spaces: Spaces::default(),
            mapped: Vec::new(),
            index: FxHashMap::default(),
            build_ids,
            debug,
            files: Files::new(answer, DwarfBudget::unlimited(), None),
            answers,
            known: FxHashMap::default(),
            places: Places::default(),
            missing: None,
            doubtful: None,
        }
    }

    pub fn mapped(&mut self, pid: u32, mapped: &Mapped<'_>) {
        let path = mapped
            .path
            .strip_suffix(" (deleted)")
            .unwrap_or(mapped.path);
        let id = mapped
            .build_id
            .or(self.build_ids.get(path).map(Vec::as_slice));
        let key = (path.to_owned(), id.map(<[u8]>::to_vec));
        let next = self.mapped.len() as u32;
        if next >= MOST_FILES && !self.index.contains_key(&key) {
            return;
        }
        let file = *self.index.entry(key).or_insert(next);
        if file == next {
            self.mapped.push(MappedObject {
                object: readable(path.rsplit('/').next().unwrap_or("")).into(),
                path: path.to_owned(),
                build_id: id.map(<[u8]>::to_vec),
                is_file: is_file(path),
            });
        }
        let region = Region {
            start: mapped.start,
            end: mapped.start.saturating_add(mapped.len),
            offset: mapped.offset,
            file,
        };
        self.spaces.add(pid, region);
    }

    pub fn forked(&mut self, parent: u32, child: u32) {
        self.spaces.fork(parent, child);
    }

    pub fn executed(&mut self, pid: u32) {
        self.spaces.empty(pid);
    }

    pub fn missing(&self) -> Option<&str> {
        self.missing
            .as_ref()
            .or(self.doubtful.as_ref())
            .map(String::as_str)
    }

    pub fn location(&self, frame: &str) -> Option<Arc<str>> {
        self.places.get(frame)
    }

    /// Appends the names of the functions at an address, innermost first. True: settled.
    pub fn name(
        &mut self,
        pid: u32,
        address: u64,
        names: &mut Vec<Arc<str>>,
        patience: &mut Patience,
    ) -> bool {
        while let Ok(message) = self.answers.try_recv() {
            self.take(message);
        }
        let Some(region) = self.spaces.find(pid, address) else {
            names.push(NOWHERE.into());
            return true;
        };
        let Some(object) = self.mapped.get(region.file as usize) else {
            return true;
        };
        if !object.is_file {
            let special = object.path.starts_with('[') && !object.path.starts_with("[anon");
            names.push(if special {
                Arc::clone(&object.object)
            } else {
                "[anon]".into()
            });
            return true;
        }
        let offset = (address - region.start).wrapping_add(region.offset);
        let key = (region.file, offset);
        loop {
            let is_under_way = self.ask(key);
            if self.is_named(key) || patience.is_spent() {
                break;
            }
            if !is_under_way {
                // A thread that came to rest is still leaving.
                patience.rest();
            } else if let Ok(message) = patience.receive(&self.answers) {
                self.take(message);
            }
        }
        let Some(State::Named(frames)) = self.known.get(&key) else {
            names.push(hex(address));
            return false;
        };
        names.extend(frames.iter().cloned());
        true
    }

    fn is_named(&self, key: (u32, u64)) -> bool {
        matches!(self.known.get(&key), Some(State::Named(_)))
    }

    /// True: the answer comes by itself. A question that stays without one is given up.
    fn ask(&mut self, key: (u32, u64)) -> bool {
        if self.known.len() >= MOST_NAMES {
            self.known.clear();
        }
        let now = Instant::now();
        let state = self.known.entry(key).or_insert(State::Asked {
            first: now,
            queued: false,
        });
        let State::Asked { first, queued } = state else {
            return false;
        };
        let first = *first;
        let given_up = now.duration_since(first) > PATIENCE;
        if *queued && !given_up {
            return true;
        }
        let handed = if given_up {
            Handed::Never
        } else {
            self.hand_over(key)
        };
        let state = match handed {
            Handed::Over => State::Asked {
                first,
                queued: true,
            },
            Handed::Later => return false,
            Handed::Never => {
                let object = self.mapped.get(key.0 as usize);
                let name = object.map_or_else(String::new, |object| unnamed(&object.object, key.1));
                State::Named([name.into()].into())
            }
        };
        self.known.insert(key, state);
        true
    }

    fn hand_over(&mut self, (file, offset): (u32, u64)) -> Handed {
        let Some(mapped) = self.mapped.get(file as usize) else {
            return Handed::Never;
        };
        // No file of this host: the number is enough.
        let identity = Identity {
            inode: file.into(),
            ..Identity::default()
        };
        let object = Arc::clone(&mapped.object);
        if !self.files.has(&identity, offset) {
            let paths = self.paths(mapped);
            if mapped.build_id.is_none() && paths.iter().any(|path| path.is_file()) {
                self.doubtful.get_or_insert_with(|| format!(
                    "the recording does not say which build of {object} it was: names are of the file that is here"
                ));
            }
            let source = Source::Recorded(Recorded {
                paths,
                build_id: mapped.build_id.clone(),
            });
            let places = Whereabouts::recorded(&mapped.path);
            self.files
                .open(identity, source, places, Arc::clone(&object));
        }
        // The answer finds its way back by these numbers.
        let tag = Tag {
            pid: file,
            life: 0,
            address: offset,
            offset,
            object,
        };
        self.files.ask(&identity, tag)
    }

    fn paths(&self, mapped: &MappedObject) -> Vec<PathBuf> {
        let id = mapped.build_id.as_deref().and_then(in_folders);
        let kept = self.debug.as_ref().zip(id).map(|(debug, id)| {
            let name = if mapped.path == VDSO { "vdso" } else { "elf" };
            debug.join(format!(".build-id/{id}/{name}"))
        });
        let there = (mapped.path != VDSO).then(|| PathBuf::from(&mapped.path));
        there.into_iter().chain(kept).collect()
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Answer(answer) => self.take_answer(answer),
            Message::GaveUp(why) => drop(self.missing.get_or_insert(why)),
            // Nothing of a recording changes.
            Message::Forget { .. } => {}
        }
    }

    fn take_answer(&mut self, answer: Answer) {
        let Some(frames) = answer.frames else {
            let asked = self.known.get_mut(&(answer.pid, answer.address));
            if let Some(State::Asked { queued, .. }) = asked {
                *queued = false;
            }
            return;
        };
        let places = &mut self.places;
        let texts = frames.into_iter().map(|named| {
            let text: Arc<str> = named.text.into();
            if let Some((file, line)) = named.place {
                places.add(&text, &file, line);
            }
            text
        });
        let names = State::Named(texts.collect());
        self.known.insert((answer.pid, answer.address), names);
    }
}

const VDSO: &str = "[vdso]";

/// Code that lies in a file; perf calls memory without one `//anon`.
fn is_file(path: &str) -> bool {
    let none = ["//", "/memfd:", "/dev/zero", "/SYSV"];
    path == VDSO || (path.starts_with('/') && !none.iter().any(|none| path.starts_with(none)))
}

#[cfg(test)]
#[path = "perf_file_user_tests.rs"]
mod tests;
