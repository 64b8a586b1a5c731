//! The tap of a recording: everything that comes goes to the writer, and every address is asked
//! for its name while somebody knows it.

use std::fs::File;
use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::output::Output;
use super::symbols::Gathered;
use crate::decode::{Batch, Happened, Session, SideBand, SourceKind, Tick};
use crate::engine::Tap;
use crate::error::Error;
use crate::host::{Proc, drivers, kernel_code, processes};
use crate::mode::names::DEMO_DRIVERS;
use crate::model::Names;
use crate::perfdata::{Begin, BuildId, Ending, Writer};
use crate::symbol::build_id_in_notes;

/// What the names of one address take in the trailer, packed, at the most.
const NAME_BYTES: u64 = 100;

/// How long the end waits for names that somebody is still looking up.
const NAMES_PATIENCE: Duration = Duration::from_millis(400);

/// perf's name of the kernel among files.
const KERNEL: &str = "[kernel.kallsyms]";

pub struct Tape {
    output: Output,
    /// The recording and its trailer, and what goes into its head: until the session is known.
    blank: Option<(File, File, Begin)>,
    writer: Option<Writer>,
    gathered: Gathered,
    /// Address of `_text`, or 0.
    text: u64,
    live: bool,
    /// Of the intervals that are shown.
    elapsed_ns: u64,
    /// What the disk said; nothing is written after it.
    failure: Option<io::Error>,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recorded {
    pub elapsed_ns: u64,
    pub samples: u64,
    pub lost: u64,
    pub bytes: u64,
}

impl Tape {
    pub fn new(output: Output, out: File, spill: File, begin: Begin) -> Tape {
        Tape {
            output,
            blank: Some((out, spill, begin)),
            writer: None,
            gathered: Gathered::new(),
            text: 0,
            live: false,
            elapsed_ns: 0,
            failure: None,
        }
    }

    pub fn recorded(&self) -> Recorded {
        let of = |figure: fn(&Writer) -> u64| self.writer.as_ref().map_or(0, figure);
        Recorded {
            elapsed_ns: self.elapsed_ns,
            samples: of(Writer::samples),
            lost: of(Writer::lost),
            bytes: of(Writer::bytes),
        }
    }

    fn begin(&mut self, session: &Session) -> io::Result<()> {
        let Some((out, spill, begin)) = self.blank.take() else {
            return Ok(());
        };
        let mut writer = Writer::begin(out, spill, begin, session)?;
        self.live = session.source == SourceKind::Live;
        if self.live {
            // The side band is on by now: who begins while this is read is told twice at worst.
            let proc = Proc::host();
            let kernel = kernel_code(&proc);
            self.text = kernel.first().map_or(0, start_of);
            let state = [kernel, processes(&proc)].concat();
            for happened in &state {
                self.gathered.told(happened);
            }
            writer.start_state(&state);
        }
        self.writer = Some(writer);
        Ok(())
    }

    fn write(
        &mut self,
        session: &Session,
        what: impl FnOnce(&mut Tape) -> io::Result<()>,
    ) -> Result<(), Error> {
        if self.failure.is_some() {
            return Ok(());
        }
        let written = self.begin(session).and_then(|()| what(self));
        written.map_err(|error| {
            let said = Error::failed(error.to_string(), "df -h");
            self.failure = Some(error);
            said
        })
    }

    /// There was nothing to record.
    pub fn discard(&self) {
        self.output.discard();
    }

    /// Completes the file. The second value: why it ended before it should.
    pub fn finish(mut self, names: &mut dyn Names) -> (io::Result<Recorded>, Option<io::Error>) {
        let began = Instant::now();
        while !self.gathered.ask_again(names) && began.elapsed() < NAMES_PATIENCE {
            sleep(Duration::from_millis(5));
        }
        let mut recorded = self.recorded();
        let Some(writer) = self.writer.take() else {
            self.output.discard();
            return (Ok(recorded), self.failure);
        };
        let drivers = if self.live {
            let mut drivers: Vec<String> = drivers(&Proc::host()).into_iter().collect();
            drivers.sort_unstable();
            drivers
        } else {
            DEMO_DRIVERS.map(str::to_owned).to_vec()
        };
        let ending = Ending {
            build_ids: self.build_ids(),
            symbols: self.gathered.symbols(self.text, drivers, names),
        };
        self.output.give_room();
        let finished = writer.finish(ending).map(|bytes| {
            recorded.bytes = bytes;
            recorded
        });
        (finished, self.failure)
    }

    fn build_ids(&self) -> Vec<BuildId> {
        let file = |(path, id)| BuildId {
            kernel: false,
            id,
            path,
        };
        let notes = std::fs::read("/sys/kernel/notes")
            .ok()
            .filter(|_| self.live);
        let kernel = notes.and_then(|notes| build_id_in_notes(&notes));
        let kernel = kernel.map(|id| BuildId {
            kernel: true,
            id,
            path: KERNEL.to_owned(),
        });
        let files = self.gathered.builds().into_iter().map(file);
        kernel.into_iter().chain(files).collect()
    }
}

fn start_of(kernel: &SideBand) -> u64 {
    match &kernel.what {
        Happened::Mapped(mapping) if mapping.path.starts_with(KERNEL) => mapping.start,
        _ => 0,
    }
}

impl Tap for Tape {
    fn batch(
        &mut self,
        session: &Session,
        batch: &Batch,
        names: &mut dyn Names,
    ) -> Result<(), Error> {
        self.write(session, |tape| {
            for happened in &batch.side {
                tape.gathered.told(happened);
            }
            for sample in &batch.samples {
                let chain = sample.chain.of(&batch.frames);
                tape.gathered.meet(sample.pid, chain, names);
            }
            if let Some(writer) = &mut tape.writer {
                writer.batch(batch);
            }
            Ok(())
        })
    }

    fn tick(
        &mut self,
        session: &Session,
        tick: &Tick,
        shown: bool,
        names: &mut dyn Names,
    ) -> Result<(), Error> {
        self.write(session, |tape| {
            tape.gathered.ask_again(names);
            let Some(writer) = &mut tape.writer else {
                return Ok(());
            };
            writer.tick(session, tick, shown)?;
            if shown {
                tape.elapsed_ns += tick.interval_ns;
            }
            let trailer = writer.trailer_bytes()?;
            let names = NAME_BYTES * tape.gathered.count() as u64;
            tape.output.keep_free(trailer + names)
        })
    }
}
