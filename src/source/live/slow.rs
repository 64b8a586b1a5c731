//! The thread that reads the slower host counters: netlink, namespaces, processes. It is asked
//! once per tick and never waited for longer than the tick allows; a late answer rides on the
//! next tick with its own time.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use rustc_hash::FxHashMap;

use crate::decode::{Demand, DeviceCounts, SlowSample, later_reading};
use crate::error::Error;
use crate::host::{Proc, Question, SlowReader};
use crate::sys::Surplus;

type Asked = (Question, Vec<u32>);

/// Sockets in other network namespaces, which keep these alive after their last process, are not
/// kept without a question for longer than this.
const KEPT_OPEN: Duration = Duration::from_secs(2);

pub struct Slow {
    questions: Sender<Asked>,
    answers: Receiver<Answer>,
    /// Questions that are still to be answered.
    waiting: usize,
}

pub struct Answer {
    pub sample: SlowSample,
    /// Sockets of the filter's processes, where hits are counted by socket.
    pub sockets: Vec<(u64, u32)>,
}

impl Slow {
    pub fn start(proc: Proc) -> Result<Slow, Error> {
        let (questions, asked) = crossbeam_channel::bounded::<Asked>(1);
        let (answer, answers) = crossbeam_channel::bounded(2);
        std::thread::Builder::new()
            .name("counters".to_owned())
            .spawn(move || {
                let mut reader = SlowReader::new(proc);
                let mut surplus = Surplus::default();
                while let Some((question, pids)) = next(&asked, &mut reader) {
                    // Here nobody waits for it.
                    surplus.give_back(question.at);
                    let given = Answer {
                        sample: reader.read(&question),
                        sockets: reader.sockets_of(&pids),
                    };
                    if answer.send(given).is_err() {
                        return;
                    }
                    reader.read_later(&question);
                }
            })
            .map_err(|e| Error::no_thread(&e))?;
        Ok(Slow {
            questions,
            answers,
            waiting: 0,
        })
    }

    /// Asks unless the last question is still being worked on.
    /// `devices`: what the gate counted of them since the question before, or a part of it.
    pub fn ask<'a>(
        &mut self,
        at: u64,
        demand: &Demand,
        devices: impl Iterator<Item = &'a DeviceCounts>,
    ) {
        let mut active: FxHashMap<u64, u64> = FxHashMap::default();
        for counts in devices {
            *active.entry(counts.netns).or_default() += counts.hits;
        }
        let question = Question {
            at,
            tasks: demand.tasks.clone(),
            list_tasks: demand.list_tasks,
            sockets: demand.sockets,
            pids: demand.pids.clone(),
            ownerless: demand.ownerless.clone(),
            active,
        };
        let by_socket = demand.attached.iter().any(|a| a.by_socket);
        let pids = if by_socket {
            demand.pids.clone()
        } else {
            Vec::new()
        };
        if self.questions.try_send((question, pids)).is_ok() {
            self.waiting += 1;
        }
    }

    /// The newest answer. Waits at most `patience` for that to the last question: an answer that
    /// came late must not make each answer after it ride one tick late too.
    pub fn answer(&mut self, patience: Duration) -> Option<Answer> {
        let until = Instant::now() + patience;
        let mut newest: Option<Answer> = None;
        while self.waiting > 0 {
            let Ok(mut newer) = self.answers.recv_deadline(until) else {
                break;
            };
            self.waiting -= 1;
            if let Some(older) = newest {
                // Not every reading says how devices are set up, for one.
                newer.sample = later_reading(&older.sample, newer.sample);
            }
            newest = Some(newer);
        }
        newest
    }
}

/// `None`: nobody asks any more.
fn next(asked: &Receiver<Asked>, reader: &mut SlowReader) -> Option<Asked> {
    match asked.recv_timeout(KEPT_OPEN) {
        Ok(asked) => Some(asked),
        Err(RecvTimeoutError::Timeout) => {
            reader.let_go();
            asked.recv().ok()
        }
        Err(RecvTimeoutError::Disconnected) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a tick sees of a thread that answers each question at once, but the first one late.
    fn after_a_late_answer() -> Slow {
        let (questions, asked) = crossbeam_channel::unbounded::<Asked>();
        let (answer, answers) = crossbeam_channel::unbounded();
        std::thread::spawn(move || {
            let mut late = Some(Duration::from_millis(120));
            for (question, _) in asked {
                let sample = SlowSample {
                    at: question.at,
                    sockets: late.is_some().then(Box::default),
                    ..SlowSample::default()
                };
                std::thread::sleep(late.take().unwrap_or(Duration::from_millis(10)));
                let _nobody_asks = answer.send(Answer {
                    sample,
                    sockets: Vec::new(),
                });
            }
        });
        Slow {
            questions,
            answers,
            waiting: 0,
        }
    }

    #[test]
    fn after_an_answer_that_came_late_the_next_tick_has_its_own_again() {
        let mut slow = after_a_late_answer();
        slow.ask(1, &Demand::default(), std::iter::empty());
        let first = slow.answer(Duration::from_millis(1));
        assert!(first.is_none(), "it is late");
        std::thread::sleep(Duration::from_millis(200));
        for at in [2, 3] {
            slow.ask(at, &Demand::default(), std::iter::empty());
            let answer = slow.answer(Duration::from_secs(2)).expect("an answer");
            assert_eq!(answer.sample.at, at);
            // What only the late one said is not lost.
            assert_eq!(answer.sample.sockets.is_some(), at == 2);
        }
    }

    #[test]
    fn a_tick_does_not_wait_where_nothing_was_asked() {
        let mut slow = after_a_late_answer();
        let began = Instant::now();
        assert!(slow.answer(Duration::from_secs(5)).is_none());
        assert!(began.elapsed() < Duration::from_secs(1));
    }
}
