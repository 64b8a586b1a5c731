//! One thread per open ELF file: it reads, answers what it is asked, and takes with it what a
//! hostile file can break, be it that reading hangs (a file system in user space) or panics.

use std::fs::File;
use std::io::{Cursor, Read, Seek};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::build_id::same;
use super::debug_file::Whereabouts;
use super::elf::{self, Dwarf, Elf, Found};
use super::fuel::Fuel;
use super::mapped_file::MappedFile;
use super::pieces::Pieces;

/// Name of these threads: a panic in one is not netop's end.
pub const NAME: &str = "elf reader";

/// Questions answered while the others wait for their turn.
const MOST_AT_ONCE: usize = 4096;

/// Waited for another file's turn to end.
const PATIENCE: Duration = Duration::from_secs(2);

/// Files are read one after the other: netop shall not take all CPUs of the host it measures. A
/// file that keeps its turn too long is not waited for.
#[derive(Clone)]
pub struct Turns {
    token: (Sender<()>, Receiver<()>),
}

impl Default for Turns {
    fn default() -> Turns {
        let token = bounded(1);
        let _ = token.0.try_send(());
        Turns { token }
    }
}

impl Turns {
    fn take(&self) -> Turn<'_> {
        Turn {
            turns: self,
            mine: self.token.1.recv_timeout(PATIENCE).is_ok(),
        }
    }
}

struct Turn<'a> {
    turns: &'a Turns,
    mine: bool,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.mine {
            let _ = self.turns.token.0.try_send(());
        }
    }
}

/// The bytes of a mapped file.
pub enum Source {
    File(MappedFile),
    /// The vDSO.
    Image(Vec<u8>),
    Recorded(Recorded),
}

/// A file as a recording knows it.
pub struct Recorded {
    /// Where it may be, the likeliest first.
    pub paths: Vec<PathBuf>,
    /// `None`: whatever is there is taken for it.
    pub build_id: Option<Vec<u8>>,
}

impl Recorded {
    /// `Err`: why it is not here.
    fn open(self) -> Result<MappedFile, &'static str> {
        let mut why = "is not here: its functions have no names";
        for path in self.paths {
            let Some(file) = MappedFile::regular(&path) else {
                continue;
            };
            let Some(wanted) = &self.build_id else {
                return Ok(file);
            };
            let found = File::open(file.path()).ok().and_then(build_id);
            if found.is_some_and(|found| same(&found, wanted)) {
                return Ok(file);
            }
            why = "is another build here than in the recording: its functions have no names";
        }
        Err(why)
    }
}

/// A question; `T` finds its way back with the answer.
pub struct Asked<T> {
    pub offset: u64,
    pub tag: T,
}

pub enum Reply<T> {
    /// Innermost first; none: nobody knows.
    Functions(T, Vec<Found>),
    /// What is not known of the functions of this file and why, once; behind the file's name.
    GaveUp(&'static str),
}

/// What every thread shares.
#[derive(Clone)]
pub struct Shared {
    pub turns: Turns,
    /// A file that nobody has asked for so long is let go: what was asked is known by then.
    pub rest: Duration,
    /// Bytes that all open files hold.
    pub held: Arc<AtomicU64>,
}

impl Default for Shared {
    fn default() -> Shared {
        Shared {
            turns: Turns::default(),
            rest: Duration::from_secs(10),
            held: Arc::default(),
        }
    }
}

/// Runs until nobody asks any more for a while, or nobody listens.
pub fn run<T>(
    source: Source,
    places: &Whereabouts,
    shared: &Shared,
    questions: &Receiver<Asked<T>>,
    reply: impl Fn(Reply<T>) -> Option<()>,
) {
    let places = Some(places);
    let nothing = || Cursor::new(Vec::new());
    let (file, why) = match source {
        Source::Image(image) => {
            return serve(Cursor::new(image), None, None, shared, questions, reply);
        }
        Source::File(file) => (Some(file), None),
        Source::Recorded(recorded) => match recorded.open() {
            Ok(file) => (Some(file), None),
            Err(why) => (None, Some(why)),
        },
    };
    match file.and_then(|file| File::open(file.path()).ok()) {
        Some(opened) => serve(opened, places, why, shared, questions, reply),
        None => serve(nothing(), None, why, shared, questions, reply),
    }
}

/// `missing`: what is known to be missing before it is read.
fn serve<R: Read + Seek, T>(
    read: R,
    places: Option<&Whereabouts>,
    missing: Option<&'static str>,
    shared: &Shared,
    questions: &Receiver<Asked<T>>,
    reply: impl Fn(Reply<T>) -> Option<()>,
) {
    let turn = shared.turns.take();
    let pieces = Pieces::new(read);
    let mapped = elf::parse(&pieces);
    let stripped = mapped.as_ref().filter(|file| !elf::has_dwarf(file));
    let debug_pieces = stripped
        .zip(places)
        .and_then(|(file, places)| places.find(&elf::marks(file), build_id))
        .and_then(|file| File::open(file.path()).ok())
        .map(Pieces::new);
    let debug = debug_pieces.as_ref().and_then(elf::parse);
    let dwarf = match (&debug, &mapped) {
        (Some(debug), _) => Dwarf::read(debug),
        (None, Some(mapped)) => Dwarf::read(mapped),
        (None, None) => Ok(Dwarf::default()),
    };
    let mut said_before = false;
    let too_large = dwarf.is_err();
    let mut gave_up =
        missing.or(too_large.then_some("has more debug information than netop reads (384 MB)"));
    let dwarf = dwarf.unwrap_or_default();
    let fuel = Fuel::for_bytes(dwarf.bytes());
    let elf = mapped
        .as_ref()
        .map(|mapped| Elf::new(mapped, debug.as_ref(), &dwarf, &fuel));
    let bytes = pieces.read() + debug_pieces.as_ref().map_or(0, Pieces::read);
    let _weight = Weight::new(&shared.held, bytes);
    drop(turn);

    while let Ok(first) = questions.recv_timeout(shared.rest) {
        let turn = shared.turns.take();
        let batch = std::iter::once(first).chain(questions.try_iter().take(MOST_AT_ONCE));
        let answers: Vec<Reply<T>> = batch
            .map(|asked| {
                let functions = elf.as_ref().map(|elf| elf.functions(asked.offset));
                Reply::Functions(asked.tag, functions.unwrap_or_default())
            })
            .collect();
        drop(turn);
        if fuel.is_empty() {
            gave_up.get_or_insert("has debug information that takes too long to read");
        }
        let said = gave_up.filter(|_| !said_before).map(Reply::GaveUp);
        said_before |= said.is_some();
        for answer in said.into_iter().chain(answers) {
            if reply(answer).is_none() {
                return;
            }
        }
    }
}

/// Counted while the file is open.
struct Weight<'a> {
    held: &'a AtomicU64,
    bytes: u64,
}

impl<'a> Weight<'a> {
    fn new(held: &'a AtomicU64, bytes: u64) -> Weight<'a> {
        held.fetch_add(bytes, Ordering::Relaxed);
        Weight { held, bytes }
    }
}

impl Drop for Weight<'_> {
    fn drop(&mut self) {
        self.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

pub(super) fn build_id(file: File) -> Option<Vec<u8>> {
    let pieces = Pieces::new(file);
    let file = elf::parse(&pieces)?;
    elf::marks(&file).build_id
}
