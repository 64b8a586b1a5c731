//! Reads a file of perf, or of a netop that was killed, record by record.

use super::Options;
use super::decoder::Decoder;
use super::opened::Opened;
use super::outlet::{Closed, Outlet};
use crate::decode::Session;
use crate::perfdata::Recording;

pub struct Reader {
    recording: Recording,
    decoder: Decoder,
}

impl Reader {
    pub fn new(opened: Opened, options: Options, outlet: Outlet) -> Reader {
        let decoder = Decoder::new(&opened, options, outlet);
        Reader {
            recording: opened.recording,
            decoder,
        }
    }

    pub fn session(&self) -> Session {
        self.decoder.session.clone()
    }

    /// Reads to the end, or until nobody listens.
    pub fn run(mut self) -> Option<String> {
        let _nobody_listens = self.read();
        None
    }

    fn read(&mut self) -> Result<(), Closed> {
        let mut newest_before = 0;
        loop {
            match self.recording.record() {
                Ok(Some(record)) if record.ends_round() => {
                    self.decoder.intervals.end_round(newest_before);
                    newest_before = self.decoder.intervals.newest();
                    self.decoder.tick_what_is_over()?;
                    if self.decoder.intervals.is_past() {
                        break;
                    }
                }
                Ok(Some(record)) if record.is_kernels() => self.decoder.take(&record)?,
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(fault) => {
                    let size = self.recording.size;
                    let whole = size.map_or(String::new(), |size| format!(" of {size}"));
                    let note = format!(
                        "the file could be read up to byte {}{whole} only, which is shown; {fault}",
                        fault.offset
                    );
                    self.decoder.notes.push(note);
                    self.decoder.now.loss.undecodable += 1;
                    break;
                }
            }
        }
        let trace = self.recording.trace_bytes();
        if trace > 0 {
            self.decoder.notes.push(format!(
                "{trace} bytes of processor trace (AUX: Intel PT, CoreSight) are not decoded; perf script --itrace=i1us does"
            ));
        }
        self.decoder.finish()
    }
}
