//! A source of which only some CPUs are told (`-C`): for recordings and the made-up machine. The
//! live source opens nothing on the others in the first place.

use std::time::Duration;

use crossbeam_channel::Receiver;

use super::{Source, Step};
use crate::decode::{Batch, CpuRanges, Demand, Session};
use crate::error::Error;

struct CpuFilter {
    source: Box<dyn Source>,
    session: Session,
    cpus: Vec<u32>,
}

/// `source` with those CPUs; none asked for: as it is.
pub fn narrowed(source: Box<dyn Source>, cpus: &[u32]) -> Result<Box<dyn Source>, Error> {
    if cpus.is_empty() {
        return Ok(source);
    }
    all_there(&source.session().host.cpus, cpus)?;
    let mut narrowed = CpuFilter {
        session: source.session().clone(),
        source,
        cpus: cpus.to_vec(),
    };
    narrowed.learn();
    Ok(Box::new(narrowed))
}

/// A CPU that is not there is a slip of the user's.
pub fn all_there(online: &[u32], cpus: &[u32]) -> Result<(), Error> {
    let missing: Vec<u32> = (cpus.iter().copied())
        .filter(|cpu| !online.contains(cpu))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let online = CpuRanges(online);
    Err(Error::nothing(
        format!(
            "there is no CPU {} online, only {online}",
            CpuRanges(&missing)
        ),
        format!("netop -C {online}"),
    ))
}

impl CpuFilter {
    /// What the source says of itself, which changes as it goes.
    fn learn(&mut self) {
        self.session.clone_from(self.source.session());
        self.session.host.cpus.retain(|cpu| self.cpus.contains(cpu));
    }
}

impl Source for CpuFilter {
    fn session(&self) -> &Session {
        &self.session
    }

    fn step(&mut self, patience: Duration) -> Result<Step, Error> {
        let mut step = self.source.step(patience)?;
        let ours = |cpu: u32| self.cpus.contains(&cpu);
        match &mut step {
            Step::Batch(batch) => batch.samples.retain(|sample| ours(sample.cpu)),
            Step::Tick(tick) => {
                // What was counted over all CPUs says nothing of some.
                tick.counts.retain(|counts| counts.cpu.is_some_and(ours));
                tick.sockets.retain(|counts| counts.cpu.is_some_and(ours));
                tick.devices.retain(|counts| ours(counts.cpu));
                tick.host.cpus.retain(|counters| ours(counters.cpu));
                tick.carried.clear();
            }
            Step::Idle | Step::End => {}
        }
        if matches!(step, Step::Tick(_)) {
            self.learn();
        }
        Ok(step)
    }

    fn wake_by(&mut self, wake: Receiver<()>) -> bool {
        self.source.wake_by(wake)
    }

    fn demand(&mut self, demand: &Demand) {
        self.source.demand(demand);
        self.learn();
    }

    fn recycle(&mut self, batch: Batch) {
        self.source.recycle(batch);
    }
}

#[cfg(test)]
mod tests {
    use super::super::demo::{Demo, Pace};
    use super::*;
    use crate::decode::Sample;

    fn demo() -> Box<dyn Source> {
        Box::new(Demo::new(1, Pace::AsFastAsPossible, Vec::new()))
    }

    #[test]
    fn only_the_chosen_cpus_are_told() {
        let mut source = narrowed(demo(), &[1, 2]).expect("the demo has them");
        let mut ticks = 0;
        while ticks < 3 {
            match source.step(Duration::ZERO).expect("a step") {
                Step::Tick(tick) => {
                    let told: Vec<u32> = tick.host.cpus.iter().map(|c| c.cpu).collect();
                    assert_eq!(told, [1, 2]);
                    ticks += 1;
                }
                Step::Batch(batch) => {
                    let chosen = |sample: &Sample| [1, 2].contains(&sample.cpu);
                    assert!(batch.samples.iter().all(chosen));
                }
                Step::Idle | Step::End => {}
            }
        }
        assert_eq!(source.session().host.cpus, [1, 2]);
    }

    #[test]
    fn a_cpu_that_is_not_there_is_an_error_with_those_that_are() {
        let error = narrowed(demo(), &[0, 99]).err().expect("no CPU 99");
        assert!(
            error.to_string().contains("no CPU 99 online, only 0-"),
            "{error}"
        );
        assert_eq!(error.exit_code(), 1);
    }
}
