//! The ELF files that are open, bounded in number and in bytes. Each is read by one of a few
//! threads, which stay: a thread for each file anew would leave memory behind in every allocator
//! arena that was one of theirs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::thread;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use rustc_hash::FxHashMap;

use super::Found;
use super::answered::Answered;
use super::debug_file::Whereabouts;
use super::dwarf_budget::DwarfBudget;
use super::dwarf_limits::STACK;
use super::mapped_file::Identity;
use super::memory::FileMemory;
use super::reader;
use super::reader::{Asked, Order, Reply, Shared, Source};
use crate::symbol::answer::{Answer, Extent, Message, Named};
use crate::sys::run_in_background;

/// Files open at once, each in a thread.
const MOST_FILES: usize = 12;

/// While more is held, the file used longest ago goes. The debug information of a C library comes to
/// 20 MB, the symbols of a compiler to 10: closing and reading these in turns takes more CPU time
/// than everything else netop does.
const MOST_RESTING: u64 = 32 << 20;

/// Files that wait for a thread: with more, those there are are stuck in a file system that does
/// not answer.
const MOST_WAITING: usize = 4;

/// Questions under way to one file.
const QUEUE: usize = 4096;

/// Who asked for what, and how the frame is called if nobody knows.
pub struct Tag {
    pub pid: u32,
    pub life: u64,
    pub address: u64,
    pub offset: u64,
    pub object: Arc<str>,
}

pub struct Files {
    open: FxHashMap<Identity, OpenFile>,
    waiting: (Sender<Job>, Receiver<Job>),
    threads: Arc<Threads>,
    answered: Answered,
    shared: Shared,
    answers: Sender<Message>,
    /// Counts uses, so that the one used longest ago can go.
    turn: u64,
}

/// How many there are, and how many of them wait for a file.
#[derive(Default)]
struct Threads {
    all: AtomicUsize,
    free: AtomicUsize,
}

struct OpenFile {
    questions: Sender<Asked<Tag>>,
    file: Arc<FileState>,
    used: u64,
}

/// What a file's thread tells of it.
struct FileState {
    ended: AtomicU8,
    memory: FileMemory,
}

/// Values of `ended` beside 0.
const CAME_TO_REST: u8 = 1;
const PANICKED: u8 = 2;

/// A file for a thread.
struct Job {
    identity: Identity,
    source: Source,
    places: Whereabouts,
    object: Arc<str>,
    questions: Receiver<Asked<Tag>>,
    file: Arc<FileState>,
}

/// What became of a question.
pub enum Handed {
    /// The answer comes by itself.
    Over,
    /// The queue is full, or no thread has time for the file.
    Later,
    /// Nobody will answer.
    Never,
}

impl Files {
    /// `dwarf`, `brief`: [`Shared`].
    pub fn new(answers: Sender<Message>, dwarf: DwarfBudget, brief: Option<u32>) -> Files {
        Files {
            open: FxHashMap::default(),
            waiting: bounded(MOST_WAITING),
            threads: Arc::default(),
            answered: Answered::default(),
            shared: Shared {
                dwarf,
                brief,
                ..Shared::default()
            },
            answers,
            turn: 0,
        }
    }

    /// It is open, or need not be for what is at this offset.
    pub fn has(&self, file: &Identity, offset: u64) -> bool {
        self.open.contains_key(file) || self.said(file, offset).is_some()
    }

    /// What it has said of this offset. While debug information is not read, it would say no more now.
    fn said(&self, file: &Identity, offset: u64) -> Option<(Vec<Found>, Extent)> {
        let table = !self.shared.dwarf.is_open();
        self.answered.get(file, offset, table)
    }

    /// `object`: what the file is called when it must be told that it is given up. A file that no
    /// thread has time for is not open.
    pub fn open(&mut self, file: Identity, source: Source, places: Whereabouts, object: Arc<str>) {
        while self.open.len() >= MOST_FILES || (self.held() > MOST_RESTING && !self.open.is_empty())
        {
            self.let_go_oldest();
        }
        let (questions, asked) = bounded(QUEUE);
        let state = Arc::new(FileState {
            ended: AtomicU8::new(0),
            memory: self.shared.memory.file(),
        });
        let job = Job {
            identity: file,
            source,
            places,
            object,
            questions: asked,
            file: Arc::clone(&state),
        };
        if self.waiting.0.try_send(job).is_err() {
            return;
        }
        if self.threads.free.load(Ordering::Acquire) < self.waiting.0.len()
            && self.threads.all.load(Ordering::Acquire) < MOST_FILES
        {
            self.start_thread();
        }
        let open = OpenFile {
            questions,
            file: state,
            used: self.turn,
        };
        self.open.insert(file, open);
    }

    /// Its thread sees that nobody asks any more.
    fn let_go_oldest(&mut self) {
        let oldest = self.open.iter().min_by_key(|(_, file)| file.used);
        if let Some(oldest) = oldest.map(|(file, _)| *file) {
            self.open.remove(&oldest);
        }
    }

    fn held(&self) -> u64 {
        let files = self.open.values();
        files.map(|file| file.file.memory.bytes()).sum()
    }

    /// Lives until the files are dropped, or a file makes it panic.
    fn start_thread(&self) {
        let (jobs, threads) = (self.waiting.1.clone(), Arc::clone(&self.threads));
        let (shared, answers) = (self.shared.clone(), self.answers.clone());
        let answered = self.answered.clone();
        let counted = Counted::new(threads);
        let _without = thread::Builder::new()
            .name(reader::NAME.to_owned())
            .stack_size(STACK)
            .spawn(move || {
                // A batch waits for its names, a screen has other things to show first.
                if !shared.dwarf.is_open() {
                    run_in_background();
                }
                while let Some(job) = counted.wait(&jobs) {
                    read(job, &shared, &answered, &answers);
                }
            });
    }

    pub fn ask(&mut self, file: &Identity, tag: Tag) -> Handed {
        self.turn += 1;
        if let Some((functions, extent)) = self.said(file, tag.offset) {
            let answer = message(Reply::Functions(tag, functions, extent), "");
            // Whoever has to make room may be this thread.
            let sent = self.answers.try_send(answer);
            return sent.map_or(Handed::Later, |()| Handed::Over);
        }
        let Some(open) = self.open.get_mut(file) else {
            return Handed::Later;
        };
        open.used = self.turn;
        let asked = Asked {
            offset: tag.offset,
            brief: self.shared.brief == Some(tag.pid),
            tag,
        };
        let handed = match open.questions.try_send(asked) {
            Ok(()) => Handed::Over,
            Err(TrySendError::Full(_)) => Handed::Later,
            Err(TrySendError::Disconnected(_)) => self.ended(file),
        };
        if self.open.len() > 1 && self.held() > MOST_RESTING {
            self.let_go_oldest();
        }
        handed
    }

    /// A file that came to rest is opened again when the question comes back; one that a thread
    /// panicked over is not.
    fn ended(&mut self, file: &Identity) -> Handed {
        let ended = self.open.get(file).map(|open| &open.file.ended);
        match ended.map(|ended| ended.load(Ordering::Acquire)) {
            Some(PANICKED) => Handed::Never,
            Some(CAME_TO_REST) => {
                self.open.remove(file);
                Handed::Later
            }
            _ => Handed::Later,
        }
    }
}

/// One of the threads, while it lives.
struct Counted(Arc<Threads>);

impl Counted {
    fn new(threads: Arc<Threads>) -> Counted {
        threads.all.fetch_add(1, Ordering::AcqRel);
        Counted(threads)
    }

    /// `None`: there will be no more.
    fn wait(&self, jobs: &Receiver<Job>) -> Option<Job> {
        self.0.free.fetch_add(1, Ordering::AcqRel);
        let job = jobs.recv().ok();
        self.0.free.fetch_sub(1, Ordering::AcqRel);
        job
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.all.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Serves a file and says how it ended.
fn read(job: Job, shared: &Shared, answered: &Answered, answers: &Sender<Message>) {
    struct Ending(Arc<FileState>);
    impl Drop for Ending {
        fn drop(&mut self) {
            let how = if thread::panicking() {
                PANICKED
            } else {
                CAME_TO_REST
            };
            let _less = self.0.memory.hold(0);
            self.0.ended.store(how, Ordering::Release);
        }
    }
    let ending = Ending(job.file);
    let order = Order {
        shared,
        questions: &job.questions,
        memory: &ending.0.memory,
    };
    let object = &job.object;
    let reply = |reply: Reply<Tag>| {
        if let Reply::Functions(tag, functions, extent @ (Extent::Whole | Extent::Table)) = &reply {
            answered.keep(&job.identity, tag.offset, functions, *extent);
        }
        answers.send(message(reply, object)).ok()
    };
    reader::run(job.source, &job.places, &order, reply);
    // Who asked while it was closed asks again.
    for asked in job.questions.try_iter() {
        let later = Answer {
            pid: asked.tag.pid,
            life: asked.tag.life,
            address: asked.tag.address,
            frames: None,
            extent: Extent::Table,
        };
        if answers.send(Message::Answer(later)).is_err() {
            return;
        }
    }
}

/// Code that nobody has a name for.
pub fn unnamed(object: &str, offset: u64) -> String {
    format!("{object}+{offset:#x}")
}

fn message(reply: Reply<Tag>, object: &str) -> Message {
    match reply {
        Reply::GaveUp(why) => Message::GaveUp(format!("{object} {why}")),
        Reply::Functions(tag, functions, extent) => {
            let named = |found: Found| Named {
                text: format!("{} ({})", found.function, tag.object),
                place: found.place,
            };
            let mut frames: Vec<Named> = functions.into_iter().map(named).collect();
            if frames.is_empty() {
                frames.push(Named::only(unnamed(&tag.object, tag.offset)));
            }
            Message::Answer(Answer {
                pid: tag.pid,
                life: tag.life,
                address: tag.address,
                frames: Some(frames),
                extent,
            })
        }
    }
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
