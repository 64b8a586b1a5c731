//! The thread that reads the slower host counters: netlink, namespaces, processes. It is asked
//! once per tick and never waited for longer than the tick allows; a late answer rides on the
//! next tick with its own time.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

use crate::decode::{Demand, SlowSample};
use crate::error::Error;
use crate::host::{Proc, Question, SlowReader};

pub struct Slow {
    questions: Sender<Question>,
    answers: Receiver<SlowSample>,
}

impl Slow {
    pub fn start(proc: Proc) -> Result<Slow, Error> {
        let (questions, asked) = crossbeam_channel::bounded::<Question>(1);
        let (answer, answers) = crossbeam_channel::bounded(2);
        std::thread::Builder::new()
            .name("counters".to_owned())
            .spawn(move || {
                let mut reader = SlowReader::new(proc);
                for question in asked {
                    let sample = reader.read(&question);
                    if answer.send(sample).is_err() {
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
            sockets: demand.sockets.clone(),
        };
        let _still_busy = self.questions.try_send(question);
    }

    /// The newest answer, waiting at most `patience` when there is none yet.
    pub fn answer(&self, patience: Duration) -> Option<Arc<SlowSample>> {
        let mut newest = self.answers.recv_timeout(patience).ok()?;
        while let Ok(newer) = self.answers.try_recv() {
            newest = newer;
        }
        Some(Arc::new(newest))
    }
}
