//! The thread that reads the slower host counters: netlink, namespaces, processes. It is asked
//! once per tick and never waited for longer than the tick allows; a late answer rides on the
//! next tick with its own time.

use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use crate::decode::{Demand, SlowSample};
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
                }
            })
            .map_err(|e| Error::failed(format!("cannot start a thread: {e}"), "ulimit -u"))?;
        Ok(Slow { questions, answers })
    }

    /// Asks unless the last question is still being worked on.
    pub fn ask(&self, at: u64, demand: &Demand) {
        let question = Question {
            at,
            tasks: demand.tasks.clone(),
            list_tasks: demand.list_tasks,
            sockets: demand.sockets,
            pids: demand.pids.clone(),
            ownerless: demand.ownerless.clone(),
        };
        let by_socket = demand.attached.iter().any(|a| a.by_socket);
        let pids = if by_socket {
            demand.pids.clone()
        } else {
            Vec::new()
        };
        let _still_busy = self.questions.try_send((question, pids));
    }

    /// The newest answer, waiting at most `patience` when there is none yet.
    pub fn answer(&self, patience: Duration) -> Option<Answer> {
        let mut newest = self.answers.recv_timeout(patience).ok()?;
        while let Ok(mut newer) = self.answers.try_recv() {
            // Not every answer has them.
            newer.sample.sockets = newer.sample.sockets.or(newest.sample.sockets);
            newest = newer;
        }
        Some(newest)
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
