//! One open ELF file, in a thread that reads, answers what it is asked, and takes with it what a
//! hostile file can break, be it that reading hangs (a file system in user space) or panics.

use std::fs::File;
use std::io::{Cursor, Read, Seek};
use std::path::PathBuf;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, select};

use super::build_id::same;
use super::debug_file::Whereabouts;
use super::dwarf_budget::DwarfBudget;
use super::dwarf_limits::DwarfLimits;
use super::mapped_file::MappedFile;
use super::memory::{ElfMemory, FileMemory, NoRoom};
use super::sections::{MOST_BYTES, Pieces};
use super::{Dwarf, Elf, Found};
use crate::symbol::answer::Extent;
use crate::symbol::elf;
use crate::sys::{held_by_thread, thread_cpu_ns};

/// Name of these threads: a panic in one is not netop's end.
pub const NAME: &str = "elf reader";

/// Questions answered while the others wait for their turn, and before it is seen how much the
/// file has come to hold.
const MOST_AT_ONCE: usize = 256;

/// A file that has grown by so much since it was opened, or by a quarter of it and may soon hold no
/// more, is begun anew: most of what it holds was for names that are known by now.
const GROWTH: u64 = MOST_BYTES / 2;

/// Waited for another file's turn to end.
const PATIENCE: Duration = Duration::from_secs(2);

/// Debug information that others left no room for is tried again after so long.
const TRY_AGAIN: Duration = Duration::from_secs(10);

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
    /// The table of symbols is enough.
    pub brief: bool,
    pub tag: T,
}

pub enum Reply<T> {
    /// Innermost first; none: nobody knows.
    Functions(T, Vec<Found>, Extent),
    /// What is not known of the functions of this file and why, once; behind the file's name.
    GaveUp(&'static str),
}

/// What every thread shares.
#[derive(Clone)]
pub struct Shared {
    pub turns: Turns,
    /// A file that nobody has asked for so long is let go: what was asked is known by then.
    pub rest: Duration,
    /// When debug information may be read.
    pub dwarf: DwarfBudget,
    pub memory: ElfMemory,
    /// netop itself on a live host, PID: on a quiet one most samples are its own, and reading debug
    /// information for them would cost more than all else that it does.
    pub brief: Option<u32>,
}

impl Default for Shared {
    fn default() -> Shared {
        Shared {
            turns: Turns::default(),
            rest: Duration::from_secs(10),
            dwarf: DwarfBudget::unlimited(),
            memory: ElfMemory::default(),
            brief: None,
        }
    }
}

/// A file to be read and whoever asks about it.
pub struct Order<'a, T> {
    pub shared: &'a Shared,
    pub questions: &'a Receiver<Asked<T>>,
    pub memory: &'a FileMemory,
}

/// Runs until nobody asks any more for a while, or nobody listens.
pub fn run<T>(
    source: Source,
    places: &Whereabouts,
    order: &Order<T>,
    reply: impl Fn(Reply<T>) -> Option<()>,
) {
    let places = Some(places);
    let nothing = || Cursor::new(Vec::new());
    let (file, why) = match source {
        Source::Image(image) => {
            let _small = serve(Cursor::new(image), None, (None, true), order, &reply);
            return;
        }
        Source::File(file) => (Some(file), None),
        Source::Recorded(recorded) => match recorded.open() {
            Ok(file) => (Some(file), None),
            Err(why) => (None, Some(why)),
        },
    };
    let mut why = why;
    if let Some(file) = file {
        let mut brief = true;
        while let Ok(opened) = File::open(file.path()) {
            match serve(opened, places, (why.take(), brief), order, &reply) {
                After::Nothing => return,
                After::BeginAnew { wholly } => brief = !wholly,
            }
        }
    }
    let _nothing = serve(nothing(), None, (why, true), order, &reply);
}

/// What is to be done when a file has been served.
enum After {
    Nothing,
    /// Nothing is wrong, and there may be questions left; with the debug information, too.
    BeginAnew {
        wholly: bool,
    },
}

/// `missing`: what is known to be missing before it is read. `brief`: questions that the table of symbols
/// answers may have that alone.
fn serve<R: Read + Seek, T>(
    read: R,
    places: Option<&Whereabouts>,
    (missing, brief): (Option<&'static str>, bool),
    order: &Order<T>,
    reply: &impl Fn(Reply<T>) -> Option<()>,
) -> After {
    let Order { shared, memory, .. } = order;
    let _less = memory.hold(0);
    let Some(waiting) = batch(order) else {
        return After::Nothing;
    };
    let mut before_ns = thread_cpu_ns();
    // Before the turn ends: whoever has it next shall know.
    let mut spend = |extent: Extent| {
        let now_ns = thread_cpu_ns();
        let spent_ns = now_ns - std::mem::replace(&mut before_ns, now_ns);
        if extent == Extent::Whole {
            shared.dwarf.spend(spent_ns);
        }
    };
    let brief = brief && waiting.iter().all(|asked| asked.brief);
    let turn = shared.turns.take();
    let before = held_by_thread();
    let pieces = Pieces::new(read);
    let mapped = elf::parse(&pieces);
    let stripped = mapped.as_ref().filter(|file| !elf::has_dwarf(file));
    let debug_pieces = stripped
        .zip(places)
        .and_then(|(file, places)| places.find(&elf::marks(file), build_id))
        .and_then(|file| File::open(file.path()).ok())
        .map(Pieces::new);
    let debug = debug_pieces.as_ref().and_then(elf::parse);
    let informed = debug.is_some() || mapped.as_ref().is_some_and(elf::has_dwarf);
    let extent = if informed && (brief || !shared.dwarf.is_open()) {
        Extent::Table
    } else {
        Extent::Whole
    };
    let dwarf = match (extent, &debug, &mapped) {
        (Extent::Whole, Some(debug), _) => Dwarf::read(debug),
        (Extent::Whole, None, Some(mapped)) => Dwarf::read(mapped),
        _ => Ok(Dwarf::default()),
    };
    let mut said_before = false;
    let too_large = dwarf.is_err();
    let mut gave_up = missing
        .or(too_large.then_some("has more packed debug information than netop reads (24 MB)"));
    let dwarf = dwarf.unwrap_or_default();
    let limits = DwarfLimits::for_bytes(dwarf.bytes(), memory);
    limits.go_on(u64::try_from(held_by_thread() - before).unwrap_or(0));
    let elf = mapped
        .as_ref()
        .map(|mapped| Elf::new(mapped, debug.as_ref(), &dwarf, &limits));
    let holds_most = || pieces.is_full() || debug_pieces.as_ref().is_some_and(Pieces::is_full);
    let most_read = || (pieces.read()).max(debug_pieces.as_ref().map_or(0, Pieces::read));
    let at_first = limits.bytes();
    let mut weight = at_first;
    let _room = memory.hold(weight);
    spend(if informed { extent } else { Extent::Table });
    drop(turn);

    let mut waiting = Some(waiting);
    let next = || batch(order);
    while let Some(batch) = waiting.take().or_else(next) {
        let turn = shared.turns.take();
        let mut brief = true;
        let answers: Vec<Reply<T>> = (batch.into_iter())
            .map(|asked| {
                limits.go_on(weight);
                let (functions, extent) = elf.as_ref().map_or((Vec::new(), extent), |elf| {
                    let brief = informed && asked.brief;
                    answer(elf, asked.offset, (extent, brief), &limits)
                });
                brief &= asked.brief;
                // The answer is not held: it goes.
                weight = limits.bytes().saturating_sub(bytes(&functions));
                Reply::Functions(asked.tag, functions, extent)
            })
            .collect();
        let _room = memory.hold(weight);
        spend(if informed { extent } else { Extent::Table });
        drop(turn);
        if holds_most() {
            gave_up.get_or_insert("has more debug information than netop holds (32 MB)");
        }
        gave_up = gave_up.or(ended_early(&limits));
        let said = gave_up.filter(|_| !said_before).map(Reply::GaveUp);
        said_before |= said.is_some();
        for answer in said.into_iter().chain(answers) {
            if reply(answer).is_none() {
                return After::Nothing;
            }
        }
        let nearly_full = most_read() > MOST_BYTES / 4 * 3;
        if extent == Extent::Table && !brief && shared.dwarf.is_open() {
            return After::BeginAnew { wholly: true };
        }
        if limits.no_room() == Some(NoRoom::Crowded) {
            shared.dwarf.rest(TRY_AGAIN);
            return After::BeginAnew { wholly: false };
        }
        let grown = weight.saturating_sub(at_first);
        if grown > GROWTH || (nearly_full && grown > GROWTH / 4) {
            return After::BeginAnew { wholly: false };
        }
    }
    After::Nothing
}

/// The functions at an offset. `brief`: the table of symbols is enough.
fn answer(
    elf: &Elf,
    offset: u64,
    (extent, brief): (Extent, bool),
    limits: &DwarfLimits,
) -> (Vec<Found>, Extent) {
    if brief {
        return (elf.by_symbol(offset), Extent::Enough);
    }
    let functions = elf.functions(offset);
    if limits.no_room() == Some(NoRoom::Crowded) {
        return (elf.by_symbol(offset), Extent::Table);
    }
    (functions, extent)
}

/// Why debug information was not read to its end, for good.
fn ended_early(limits: &DwarfLimits) -> Option<&'static str> {
    match limits.no_room() {
        Some(NoRoom::TooLarge) => {
            Some("has debug information that takes more than 64 MB of memory to read")
        }
        Some(NoRoom::Crowded) => None,
        None => (limits.is_empty()).then_some("has debug information that takes too long to read"),
    }
}

/// The questions that wait, or the next ones; `None`: nobody asks for so long, or another file needs the
/// room.
fn batch<T>(order: &Order<T>) -> Option<Vec<Asked<T>>> {
    let Order {
        shared,
        questions,
        memory,
    } = order;
    let first = questions.try_recv().ok().or_else(|| {
        select! {
            recv(questions) -> first => first.ok(),
            recv(memory.idle()) -> _ => questions.try_recv().ok(),
            default(shared.rest) => None,
        }
    })?;
    memory.reading();
    let more = questions.try_iter().take(MOST_AT_ONCE);
    Some(std::iter::once(first).chain(more).collect())
}

/// What an answer takes.
fn bytes(functions: &[Found]) -> u64 {
    let text = |found: &Found| {
        let place = found.place.as_ref().map_or(0, |(file, _)| file.capacity());
        found.function.capacity() + place
    };
    let texts: usize = functions.iter().map(text).sum();
    (texts + size_of_val(functions)) as u64
}

pub(in crate::symbol) fn build_id(file: File) -> Option<Vec<u8>> {
    let pieces = Pieces::new(file);
    let file = elf::parse(&pieces)?;
    elf::marks(&file).build_id
}
