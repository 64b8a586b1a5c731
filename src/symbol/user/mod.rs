//! Names of user frames. Files are read by a worker and threads of its own: asking never waits, an
//! answer that is not there yet is not settled, and a question that meets a full queue is asked
//! again later.

pub mod patience;
pub mod spaces;

pub mod hit_files;
pub mod perf_map;
pub mod places;
pub mod process;
pub mod resolve;

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use rustc_hash::FxHashMap;

use self::patience::Patience;
use self::places::Places;
use self::resolve::{Frame, Name, PATIENCE, Resolver};
use super::answer::Extent;
use super::answer::{Answer, Message, Named};
use super::elf::dwarf_budget::DwarfBudget;
use super::elf::files::Files;
use super::kernel::hex;

/// Questions and answers under way.
const QUEUE: usize = 4096;

/// Addresses whose names are kept; at this many all are forgotten and asked for again.
const MOST_NAMES: usize = 1 << 16;

/// A process is looked at this often: it may be another one under the same pid.
const CHECK_AFTER: Duration = Duration::from_secs(1);

/// What a table of symbols has named is asked for again after so long at least.
const ASK_AGAIN: Duration = Duration::from_secs(1);

pub struct UserNames {
    questions: Option<Sender<Question>>,
    answers: Receiver<Message>,
    processes: FxHashMap<u32, Known>,
    /// How many addresses all processes have.
    addresses: usize,
    /// Counts programs: an answer about one that is gone is thrown away.
    lives: u64,
    places: Places,
    missing: Option<String>,
    patience: Patience,
    dwarf: DwarfBudget,
    /// Debug information is read in this interval.
    reads: bool,
    /// Counts the times that it began to be read: names that were settled before say less.
    epoch: u32,
}

/// What is known of a process.
struct Known {
    life: u64,
    checked: Instant,
    frames: FxHashMap<u64, State>,
}

enum State {
    /// Since when, and since when the worker has the question.
    Asked {
        first: Instant,
        queued: Option<Instant>,
        /// What the table of symbols says. The question is not asked again before `first`.
        so_far: Option<Arc<[Arc<str>]>>,
    },
    Named(Arc<[Arc<str>]>),
}

enum Question {
    Name(Frame),
    /// Is it the same program still?
    Check {
        pid: u32,
        life: u64,
    },
}

impl UserNames {
    /// `proc` is /proc. While `dwarf` is closed names are those of tables of symbols, and not settled where
    /// there is debug information. Of the process `brief` they are that for good.
    pub fn start(proc: PathBuf, dwarf: DwarfBudget, brief: Option<u32>) -> UserNames {
        let readers = dwarf.clone();
        let (questions, asked) = bounded::<Question>(QUEUE);
        let (answer, answers) = bounded(QUEUE);
        let worker = thread::Builder::new()
            .name("user symbols".to_owned())
            .spawn(move || {
                let files = Files::new(answer.clone(), readers, brief);
                work(Resolver::new(proc, files), &asked, &answer);
            });
        UserNames {
            questions: worker.is_ok().then_some(questions),
            answers,
            processes: FxHashMap::default(),
            addresses: 0,
            lives: 0,
            places: Places::default(),
            missing: None,
            patience: Patience::new(Duration::ZERO),
            dwarf,
            reads: true,
            epoch: 0,
        }
    }

    /// Answers are waited for so long, all together.
    pub fn be_patient(&mut self, at_most: Duration) {
        self.patience = Patience::new(at_most);
    }

    /// Debug information is read, or tables of symbols will do. Once an interval.
    pub fn look_closely(&mut self, closely: bool) {
        self.dwarf.want(closely);
        let reads = self.dwarf.is_open();
        self.epoch += u32::from(reads && !self.reads);
        self.reads = reads;
    }

    /// Names that were settled in another one may say more now.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Why functions of a program have no names or no lines, of the first that it happened to.
    pub fn missing(&self) -> Option<&str> {
        self.missing.as_deref()
    }

    /// `file:line` of a frame that was named here.
    pub fn location(&self, frame: &str) -> Option<Arc<str>> {
        self.places.get(frame)
    }

    /// Appends the names of the functions at an address, innermost first. True: settled.
    pub fn name(&mut self, pid: u32, address: u64, names: &mut Vec<Arc<str>>) -> bool {
        self.take_answers();
        loop {
            match self.known(pid, address, names) {
                Some(Extent::Whole | Extent::Enough) => return true,
                // Nothing more is to be had now.
                Some(Extent::Table) => return !self.reads,
                None => {}
            }
            if self.questions.is_none() || self.patience.is_spent() {
                names.push(hex(address));
                return self.questions.is_none();
            }
            match self.patience.receive(&self.answers) {
                // What cannot be told yet is not asked for again at once.
                Ok(Message::Answer(answer)) if answer.frames.is_none() => {
                    self.take(answer);
                    self.patience.rest();
                }
                Ok(message) => self.hear(message),
                Err(_) => self.patience = Patience::new(Duration::ZERO),
            }
        }
    }

    /// Appends the names that are known and says how much they tell; asks for what is not known.
    fn known(&mut self, pid: u32, address: u64, names: &mut Vec<Arc<str>>) -> Option<Extent> {
        if self.addresses >= MOST_NAMES {
            self.processes.clear();
            self.addresses = 0;
        }
        let now = Instant::now();
        let known = self.processes.entry(pid).or_insert_with(|| {
            self.lives += 1;
            Known {
                life: self.lives,
                checked: now,
                frames: FxHashMap::default(),
            }
        });
        let life = known.life;
        if now.duration_since(known.checked) >= CHECK_AFTER {
            known.checked = now;
            send(&mut self.questions, Question::Check { pid, life });
        }
        let state = known.frames.entry(address).or_insert_with(|| {
            self.addresses += 1;
            State::Asked {
                first: now,
                queued: None,
                so_far: None,
            }
        });
        match state {
            State::Named(frames) => {
                names.extend(frames.iter().cloned());
                return Some(Extent::Whole);
            }
            State::Asked {
                first,
                queued,
                so_far,
            } => {
                let too_early = so_far.is_some() && (now < *first || !self.dwarf.is_open());
                if !too_early && queued.is_none_or(|at| now.duration_since(at) > PATIENCE) {
                    if so_far.is_some() {
                        // A question of its own: the file has its time anew.
                        *first = now;
                    }
                    let frame = Frame {
                        pid,
                        life,
                        address,
                        first_asked: *first,
                    };
                    *queued = send(&mut self.questions, Question::Name(frame)).then_some(now);
                }
                let so_far = so_far.as_deref()?;
                names.extend(so_far.iter().cloned());
            }
        }
        Some(Extent::Table)
    }

    fn take_answers(&mut self) {
        while let Ok(message) = self.answers.try_recv() {
            self.hear(message);
        }
    }

    fn hear(&mut self, message: Message) {
        match message {
            Message::Answer(answer) => self.take(answer),
            Message::Forget { pid, life } => self.forget(pid, life),
            Message::GaveUp(why) => drop(self.missing.get_or_insert(why)),
        }
    }

    fn take(&mut self, answer: Answer) {
        let known = self.processes.get_mut(&answer.pid);
        let known = known.filter(|known| known.life == answer.life);
        let Some(state) = known.and_then(|known| known.frames.get_mut(&answer.address)) else {
            return;
        };
        match (answer.frames, state) {
            (Some(frames), state) => {
                let places = &mut self.places;
                let texts = frames.into_iter().map(|named| {
                    let text: Arc<str> = named.text.into();
                    if let Some((file, line)) = named.place {
                        places.add(&text, &file, line);
                    }
                    text
                });
                let texts: Arc<[Arc<str>]> = texts.collect();
                match (answer.extent, state) {
                    // Its file did not answer this time: the process is gone, or no thread had time.
                    (
                        Extent::Enough,
                        state @ State::Asked {
                            so_far: Some(_), ..
                        },
                    ) => {
                        if let State::Asked { so_far, .. } = &mut *state
                            && let Some(texts) = so_far.take()
                        {
                            *state = State::Named(texts);
                        }
                    }
                    (Extent::Whole | Extent::Enough, state) => *state = State::Named(texts),
                    (
                        Extent::Table,
                        State::Asked {
                            first,
                            queued,
                            so_far,
                        },
                    ) => {
                        *first = self.dwarf.opens_at().max(Instant::now() + ASK_AGAIN);
                        (*queued, *so_far) = (None, Some(texts));
                    }
                    (Extent::Table, State::Named(_)) => {}
                }
            }
            (None, State::Asked { queued, .. }) => *queued = None,
            (None, State::Named(_)) => {}
        }
    }

    fn forget(&mut self, pid: u32, life: u64) {
        if self
            .processes
            .get(&pid)
            .is_some_and(|known| known.life == life)
            && let Some(known) = self.processes.remove(&pid)
        {
            self.addresses -= known.frames.len();
        }
    }
}

/// True: it is under way. A worker that is gone is not asked again.
fn send(questions: &mut Option<Sender<Question>>, question: Question) -> bool {
    let sent = questions.as_ref().map(|to| to.try_send(question));
    match sent {
        Some(Ok(())) => return true,
        Some(Err(error)) if error.is_disconnected() => *questions = None,
        Some(Err(_)) | None => {}
    }
    false
}

/// Ends when nobody asks or listens any more.
fn work(mut resolver: Resolver, questions: &Receiver<Question>, answers: &Sender<Message>) {
    let mut batch = Vec::new();
    while let Ok(question) = questions.recv() {
        batch.push(question);
        batch.extend(questions.try_iter().take(QUEUE));
        // Mappings first: a process may end while those of others are read.
        for question in &batch {
            let (Question::Name(Frame { pid, .. }) | Question::Check { pid, .. }) = question;
            resolver.meet(*pid);
        }
        for question in batch.drain(..) {
            let heard = match question {
                Question::Name(frame) => name(&mut resolver, &frame, answers),
                Question::Check { pid, life } if resolver.check(pid) => {
                    answers.send(Message::Forget { pid, life }).ok()
                }
                Question::Check { .. } => Some(()),
            };
            if heard.is_none() {
                return;
            }
        }
    }
}

/// `None`: nobody listens.
fn name(resolver: &mut Resolver, frame: &Frame, answers: &Sender<Message>) -> Option<()> {
    let (pid, life, address) = (frame.pid, frame.life, frame.address);
    let resolve::Outcome { name, forget } = resolver.name(frame);
    let frames = match name {
        Name::Is(text) => Some(vec![Named::only(text)]),
        Name::Later => None,
        Name::Coming => return forgotten(forget, pid, life, answers),
    };
    let answer = Answer {
        pid,
        life,
        address,
        frames,
        // What the resolver itself says of it.
        extent: Extent::Enough,
    };
    answers.send(Message::Answer(answer)).ok()?;
    forgotten(forget, pid, life, answers)
}

fn forgotten(forget: bool, pid: u32, life: u64, answers: &Sender<Message>) -> Option<()> {
    if forget {
        return answers.send(Message::Forget { pid, life }).ok();
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn settled(names: &mut UserNames, pid: u32, address: u64) -> Arc<str> {
        for _ in 0..20_000 {
            let mut frames = Vec::new();
            if names.name(pid, address, &mut frames) {
                return frames.pop().expect("the outermost function");
            }
            thread::park_timeout(Duration::from_millis(1));
        }
        panic!("no answer for {address:#x}");
    }

    #[inline(never)]
    fn a_function_with_a_long_name() -> u32 {
        std::hint::black_box(7)
    }

    #[test]
    fn a_function_of_this_program_has_its_name_and_file() {
        let address = a_function_with_a_long_name as fn() -> u32 as usize as u64;
        let mut names = UserNames::start("/proc".into(), DwarfBudget::unlimited(), None);
        let mut first = Vec::new();
        assert!(!names.name(std::process::id(), address + 1, &mut first));
        assert_eq!(first, [hex(address + 1)]);
        let text = settled(&mut names, std::process::id(), address + 1);
        let (symbol, file) = text.split_once(" (").expect("a file");
        assert_eq!(
            symbol,
            "netop::symbol::user::tests::a_function_with_a_long_name"
        );
        assert!(file.starts_with("netop-") && file.ends_with(')'), "{file}");
        assert_eq!(a_function_with_a_long_name(), 7);
    }

    #[test]
    fn before_debug_information_is_read_a_function_has_its_name_without_a_line() {
        let address = a_function_with_a_long_name as fn() -> u32 as usize as u64;
        let after = Duration::from_millis(1500);
        let debug_from = Instant::now() + after;
        let mut names = UserNames::start("/proc".into(), DwarfBudget::live(after), None);
        let mut ask = || {
            let mut frames = Vec::new();
            let settled = names.name(std::process::id(), address + 1, &mut frames);
            let place = frames.last().and_then(|frame| names.location(frame));
            (settled, frames, place)
        };
        let mut early = None;
        let (frames, place) = loop {
            let (settled, frames, place) = ask();
            if settled {
                break (frames, place);
            }
            if frames != [hex(address + 1)] {
                early.get_or_insert((frames, place));
            }
            assert!(debug_from.elapsed() < Duration::from_secs(60));
            thread::park_timeout(Duration::from_millis(1));
        };
        assert!(Instant::now() >= debug_from);
        let (early, nowhere) = early.expect("a name before");
        assert_eq!((early, nowhere), (frames, None));
        assert!(place.is_some_and(
            |place| place.starts_with("user/mod.rs:") || place.contains("/user/mod.rs:")
        ));
    }

    #[test]
    fn a_name_that_the_table_settled_gets_its_line_when_somebody_looks_however_late() {
        let address = a_function_with_a_long_name as fn() -> u32 as usize as u64 + 1;
        let me = std::process::id();
        let mut names = UserNames::start("/proc".into(), DwarfBudget::live(Duration::ZERO), None);
        names.look_closely(false);
        let table = settled(&mut names, me, address);
        assert!(table.contains("a_function_with_a_long_name"), "{table}");
        assert_eq!((names.location(&table), names.epoch()), (None, 0));
        let known = names.processes.get_mut(&me).expect("asked for");
        for state in known.frames.values_mut() {
            if let State::Asked { first, .. } = state {
                *first -= 2 * PATIENCE;
            }
        }
        names.look_closely(true);
        assert_eq!(names.epoch(), 1);
        let whole = settled(&mut names, me, address);
        assert_eq!(whole, table);
        assert!(
            names
                .location(&whole)
                .is_some_and(|line| line.contains("mod.rs:"))
        );
    }

    #[test]
    fn what_the_resolver_says_of_a_process_that_ended_takes_no_name_away() {
        let mut names = UserNames::start("/proc".into(), DwarfBudget::unlimited(), None);
        let _asked = names.name(u32::MAX, 0x10, &mut Vec::new());
        let life = names.processes[&u32::MAX].life;
        let answer = |text: &str, extent| Answer {
            pid: u32::MAX,
            life,
            address: 0x10,
            frames: Some(vec![Named::only(text.to_owned())]),
            extent,
        };
        names.take(answer("f (libf.so)", Extent::Table));
        names.take(answer("[unknown]", Extent::Enough));
        let known = &names.processes[&u32::MAX].frames[&0x10];
        assert!(matches!(known, State::Named(texts) if &*texts[0] == "f (libf.so)"));
    }

    #[test]
    fn a_function_of_a_process_whose_symbols_are_enough_has_no_line() {
        let address = a_function_with_a_long_name as fn() -> u32 as usize as u64;
        let me = std::process::id();
        let mut names = UserNames::start("/proc".into(), DwarfBudget::unlimited(), Some(me));
        let text = settled(&mut names, me, address + 1);
        assert!(text.contains("a_function_with_a_long_name"), "{text}");
        assert_eq!(names.location(&text), None);
    }

    #[test]
    fn a_function_of_libc_has_its_name() {
        let address = libc::getpid as *const () as usize as u64;
        let mut names = UserNames::start("/proc".into(), DwarfBudget::unlimited(), None);
        let text = settled(&mut names, std::process::id(), address);
        assert!(text.contains("getpid (libc"), "{text}");
    }

    #[test]
    fn addresses_nobody_maps_and_processes_that_ended_settle_as_unknown() {
        let mut names = UserNames::start("/proc".into(), DwarfBudget::unlimited(), None);
        assert_eq!(&*settled(&mut names, std::process::id(), 0x10), "[unknown]");
        assert_eq!(&*settled(&mut names, u32::MAX, 0x7f00), "[unknown]");
    }

    #[test]
    fn a_full_queue_is_asked_again_later() {
        let mut names = UserNames::start("/proc".into(), DwarfBudget::unlimited(), None);
        let (full, _kept) = bounded(0);
        let real = names.questions.replace(full);
        assert!(!names.name(u32::MAX, 0x10, &mut Vec::new()));
        names.questions = real;
        assert_eq!(&*settled(&mut names, u32::MAX, 0x10), "[unknown]");
    }

    #[test]
    fn without_a_worker_every_answer_is_settled_hex() {
        let mut names = UserNames::start("/proc".into(), DwarfBudget::unlimited(), None);
        let (gone, _) = bounded(1);
        names.questions = Some(gone);
        let mut frames = Vec::new();
        assert!(names.name(1, 0x10, &mut frames) && names.name(1, 0x20, &mut frames));
        assert_eq!(frames, [hex(0x10), hex(0x20)]);
    }
}
