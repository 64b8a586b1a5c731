//! The ELF files that are open, each in its thread, bounded in number and in bytes.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Sender, TrySendError, bounded};
use rustc_hash::FxHashMap;

use super::debug_file::Whereabouts;
use super::elf::Found;
use super::elf_thread::{self, Asked, Reply, Shared, Source};
use super::fuel::STACK;
use super::mapped_file::Identity;
use super::user::{Answer, Message, Named};

const MOST_FILES: usize = 48;

/// Before another file is opened, one of those goes that hold more.
const MOST_HELD: u64 = 768 << 20;

/// Threads that were let go and have not ended: stuck in a file system that does not answer.
const MOST_STUCK: usize = 4;

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
    leaving: Vec<JoinHandle<()>>,
    shared: Shared,
    answers: Sender<Message>,
    /// Counts uses, so that the one used longest ago can go.
    turn: u64,
}

struct OpenFile {
    questions: Sender<Asked<Tag>>,
    /// `None`: it panicked.
    thread: Option<JoinHandle<()>>,
    used: u64,
}

/// What became of a question.
pub enum Handed {
    /// The answer comes by itself.
    Over,
    /// The queue is full.
    Later,
    /// Nobody will answer.
    Never,
}

impl Files {
    pub fn new(answers: Sender<Message>) -> Files {
        Files {
            open: FxHashMap::default(),
            leaving: Vec::new(),
            shared: Shared::default(),
            answers,
            turn: 0,
        }
    }

    pub fn has(&self, file: &Identity) -> bool {
        self.open.contains_key(file)
    }

    /// `object`: what the file is called when it must be told that it is given up.
    pub fn open(&mut self, file: Identity, source: Source, places: Whereabouts, object: Arc<str>) {
        let heavy = self.shared.held.load(Ordering::Relaxed) > MOST_HELD;
        if self.open.len() >= MOST_FILES || heavy {
            let oldest = self.open.iter().min_by_key(|(_, file)| file.used);
            if let Some(oldest) = oldest.map(|(file, _)| *file)
                && let Some(file) = self.open.remove(&oldest)
            {
                self.leaving.extend(file.thread);
            }
        }
        self.leaving.retain(|thread| !thread.is_finished());
        if self.leaving.len() >= MOST_STUCK {
            return;
        }
        let (questions, asked) = bounded(QUEUE);
        let (shared, answers) = (self.shared.clone(), self.answers.clone());
        let thread = thread::Builder::new()
            .name(elf_thread::NAME.to_owned())
            .stack_size(STACK)
            .spawn(move || {
                let reply = |reply| answers.send(message(reply, &object)).ok();
                elf_thread::run(source, &places, &shared, &asked, reply);
            });
        if let Ok(thread) = thread {
            let file_thread = OpenFile {
                questions,
                thread: Some(thread),
                used: self.turn,
            };
            self.open.insert(file, file_thread);
        }
    }

    pub fn ask(&mut self, file: &Identity, tag: Tag) -> Handed {
        self.turn += 1;
        let Some(open) = self.open.get_mut(file) else {
            return Handed::Never;
        };
        open.used = self.turn;
        let asked = Asked {
            offset: tag.offset,
            tag,
        };
        match open.questions.try_send(asked) {
            Ok(()) => Handed::Over,
            Err(TrySendError::Full(_)) => Handed::Later,
            Err(TrySendError::Disconnected(_)) => self.ended(file),
        }
    }

    /// A thread that came to rest is started again when the question comes back; one that
    /// panicked is not.
    fn ended(&mut self, file: &Identity) -> Handed {
        let Some(open) = self.open.get_mut(file) else {
            return Handed::Never;
        };
        match open.thread.take_if(|thread| thread.is_finished()) {
            Some(thread) => match thread.join() {
                Ok(()) => {
                    self.open.remove(file);
                    Handed::Later
                }
                Err(_panicked) => Handed::Never,
            },
            None if open.thread.is_some() => Handed::Later,
            None => Handed::Never,
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
        Reply::Functions(tag, functions) => {
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
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn files() -> (Files, crossbeam_channel::Receiver<Message>) {
        let (answers, heard) = bounded(64);
        (Files::new(answers), heard)
    }

    fn nowhere() -> Whereabouts {
        Whereabouts::of("/nowhere/proc".as_ref(), 1, "/x/y")
    }

    fn file(inode: u64) -> Identity {
        Identity {
            inode,
            ..Identity::default()
        }
    }

    fn tag() -> Tag {
        Tag {
            pid: 1,
            life: 0,
            address: 0x5010,
            offset: 0x10,
            object: "x".into(),
        }
    }

    #[test]
    fn a_file_that_is_no_program_answers_with_offsets() {
        let (mut files, heard) = files();
        files.open(file(1), Source::Image(vec![1; 99]), nowhere(), "x".into());
        assert!(matches!(files.ask(&file(1), tag()), Handed::Over));
        let Ok(Message::Answer(answer)) = heard.recv() else {
            panic!("no answer");
        };
        let frames = answer.frames.expect("frames");
        assert_eq!((frames[0].text.as_str(), frames.len()), ("x+0x10", 1));
    }

    #[test]
    fn only_so_many_files_are_open_and_the_one_used_longest_ago_goes() {
        let (mut files, _heard) = files();
        let most = MOST_FILES as u64;
        for inode in 0..most {
            files.open(
                file(inode),
                Source::Image(Vec::new()),
                nowhere(),
                "x".into(),
            );
            files.ask(&file(inode), tag());
        }
        files.ask(&file(0), tag());
        files.open(file(most), Source::Image(Vec::new()), nowhere(), "x".into());
        assert_eq!(files.open.len(), MOST_FILES);
        assert!(files.has(&file(0)) && !files.has(&file(1)) && files.has(&file(most)));
        assert!(matches!(files.ask(&file(1), tag()), Handed::Never));
    }

    #[test]
    fn a_file_that_nobody_asks_for_a_while_is_let_go_and_can_be_opened_again() {
        let (mut files, heard) = files();
        files.shared.rest = Duration::from_millis(20);
        for _ in 0..2 {
            files.open(file(1), Source::Image(vec![1; 99]), nowhere(), "x".into());
            assert!(matches!(files.ask(&file(1), tag()), Handed::Over));
            assert!(heard.recv_timeout(Duration::from_secs(5)).is_ok());
            let began = Instant::now();
            while files.has(&file(1)) {
                assert!(began.elapsed() < Duration::from_secs(5), "it never rests");
                thread::sleep(Duration::from_millis(10));
                if let Handed::Over = files.ask(&file(1), tag()) {
                    thread::sleep(Duration::from_millis(100));
                }
            }
        }
        assert_eq!(files.shared.held.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn no_file_is_opened_while_too_many_threads_are_stuck() {
        let (mut files, _heard) = files();
        let (release, stuck) = bounded::<()>(0);
        for _ in 0..MOST_STUCK {
            let stuck = stuck.clone();
            let thread = thread::spawn(move || while stuck.recv().is_ok() {});
            files.leaving.push(thread);
        }
        files.open(file(1), Source::Image(Vec::new()), nowhere(), "x".into());
        assert!(!files.has(&file(1)));
        drop(release);
        for thread in files.leaving.drain(..) {
            thread.join().expect("ended");
        }
        files.open(file(1), Source::Image(Vec::new()), nowhere(), "x".into());
        assert!(files.has(&file(1)));
    }
}
