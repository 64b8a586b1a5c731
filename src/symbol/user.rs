//! Names of user frames. Files are read by one worker thread: asking never waits, an answer that
//! is not there yet is not settled, and a question that meets a full queue is asked again later.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded};
use rustc_hash::FxHashMap;

use super::kernel::hex;
use super::resolve::Resolver;
use crate::model::Name;

/// Questions and answers under way.
const QUEUE: usize = 4096;

/// Names kept; at this many all are forgotten and asked for again.
const MOST_NAMES: usize = 1 << 16;

pub struct UserNames {
    questions: Option<Sender<Question>>,
    answers: Receiver<Answer>,
    frames: FxHashMap<(u32, u64), Frame>,
}

#[derive(Debug, Clone)]
enum Frame {
    /// Since when, and whether the worker has the question.
    Asked {
        first: Instant,
        queued: bool,
    },
    Known(Arc<str>),
}

struct Question {
    pid: u32,
    address: u64,
    first_asked: Instant,
}

struct Answer {
    pid: u32,
    address: u64,
    /// `None`: ask again later.
    text: Option<Arc<str>>,
}

impl UserNames {
    /// `proc` is /proc.
    pub fn start(proc: PathBuf) -> UserNames {
        let (questions, asked) = bounded::<Question>(QUEUE);
        let (answer, answers) = bounded(QUEUE);
        let worker = thread::Builder::new()
            .name("user symbols".to_owned())
            .spawn(move || work(proc, &asked, &answer));
        UserNames {
            questions: worker.is_ok().then_some(questions),
            answers,
            frames: FxHashMap::default(),
        }
    }

    pub fn name(&mut self, pid: u32, address: u64) -> Name {
        self.take_answers();
        if self.frames.len() >= MOST_NAMES {
            self.frames.clear();
        }
        let frame = self
            .frames
            .entry((pid, address))
            .or_insert_with(|| Frame::Asked {
                first: Instant::now(),
                queued: false,
            });
        match frame {
            Frame::Known(text) => Name {
                text: text.clone(),
                settled: true,
            },
            Frame::Asked { queued: true, .. } => Name {
                text: hex(address),
                settled: self.questions.is_none(),
            },
            Frame::Asked { first, queued } => {
                let question = Question {
                    pid,
                    address,
                    first_asked: *first,
                };
                let sent = self.questions.as_ref().map(|to| to.try_send(question));
                *queued = matches!(sent, Some(Ok(())));
                if sent.is_some_and(|sent| sent.is_err_and(|error| error.is_disconnected())) {
                    self.questions = None;
                }
                Name {
                    text: hex(address),
                    settled: self.questions.is_none(),
                }
            }
        }
    }

    fn take_answers(&mut self) {
        while let Ok(answer) = self.answers.try_recv() {
            let key = (answer.pid, answer.address);
            match (answer.text, self.frames.get_mut(&key)) {
                (Some(text), _) => {
                    self.frames.insert(key, Frame::Known(text));
                }
                (None, Some(Frame::Asked { queued, .. })) => *queued = false,
                (None, _) => {}
            }
        }
    }
}

/// Ends when nobody asks or listens any more.
fn work(proc: PathBuf, questions: &Receiver<Question>, answers: &Sender<Answer>) {
    let mut resolver = Resolver::new(proc);
    let mut batch = Vec::new();
    while let Ok(question) = questions.recv() {
        batch.push(question);
        batch.extend(questions.try_iter().take(QUEUE));
        // Mappings first: a process may end while the symbols of another's files are loaded.
        for question in &batch {
            resolver.meet(question.pid);
        }
        for question in batch.drain(..) {
            let text = resolver.name(question.pid, question.address, question.first_asked);
            let answer = Answer {
                pid: question.pid,
                address: question.address,
                text: text.map(Into::into),
            };
            if answers.send(answer).is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn settled(names: &mut UserNames, pid: u32, address: u64) -> Arc<str> {
        for _ in 0..20_000 {
            let name = names.name(pid, address);
            if name.settled {
                return name.text;
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
        let mut names = UserNames::start("/proc".into());
        let name = names.name(std::process::id(), address + 1);
        assert_eq!((&*name.text, name.settled), (&*hex(address + 1), false));
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
    fn a_function_of_libc_has_its_name() {
        let address = libc::getpid as *const () as usize as u64;
        let mut names = UserNames::start("/proc".into());
        let text = settled(&mut names, std::process::id(), address);
        assert!(text.contains("getpid (libc"), "{text}");
    }

    #[test]
    fn addresses_nobody_maps_and_processes_that_ended_settle_as_unknown() {
        let mut names = UserNames::start("/proc".into());
        assert_eq!(&*settled(&mut names, std::process::id(), 0x10), "[unknown]");
        assert_eq!(&*settled(&mut names, u32::MAX, 0x7f00), "[unknown]");
    }

    #[test]
    fn a_full_queue_is_asked_again_later() {
        let mut names = UserNames::start("/proc".into());
        let (full, _kept) = bounded(0);
        let real = names.questions.replace(full);
        assert!(!names.name(1, 0x10).settled);
        names.questions = real;
        assert_eq!(&*settled(&mut names, u32::MAX, 0x10), "[unknown]");
    }

    #[test]
    fn without_a_worker_every_answer_is_settled_hex() {
        let mut names = UserNames::start("/proc".into());
        let (gone, _) = bounded(1);
        names.questions = Some(gone);
        let first = names.name(1, 0x10);
        assert_eq!((&*first.text, first.settled), ("0x10", true));
        assert!(names.name(1, 0x20).settled);
    }
}
