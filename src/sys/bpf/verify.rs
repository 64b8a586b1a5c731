//! Programs into the kernel, several at a time: its verifier takes some 3 ms for each, and whoever
//! starts netop waits for it.

use std::collections::HashMap;
use std::thread;

use aya::programs::BtfTracePoint;
use aya::{Btf, Ebpf};

use super::{Program, reason};

/// More at once than CPUs do not help.
const THREADS: usize = 4;

/// Why a program is not loaded that nobody asked for.
pub const UNWANTED: &str = "no row of this run asks for it";

struct Job<'a> {
    of: &'a Program,
    richer: Option<(&'static str, &'a mut aya::programs::Program)>,
    plain: Option<&'a mut aya::programs::Program>,
    /// The name it goes by, and why it was refused.
    loaded: (&'static str, Option<String>),
}

/// Of each program, in order, the name it goes by and why it was refused.
pub fn load(
    ebpf: &mut Ebpf,
    programs: &'static [Program],
    wanted: &[bool],
    btf: &Btf,
) -> Vec<(&'static str, Option<String>)> {
    let mut all: HashMap<String, &mut aya::programs::Program> = (ebpf.programs_mut())
        .map(|(name, program)| (name.to_owned(), program))
        .collect();
    let mut jobs: Vec<Job<'_>> = (programs.iter())
        .map(|of| Job {
            of,
            richer: of.richer.and_then(|name| Some((name, all.remove(name)?))),
            plain: all.remove(of.name),
            loaded: (of.name, Some("no thread could be started".to_owned())),
        })
        .collect();
    let mut asked: Vec<&mut Job<'_>> = (jobs.iter_mut().zip(wanted))
        .filter_map(|(job, wanted)| wanted.then_some(job))
        .collect();
    let threads = thread::available_parallelism().map_or(1, |cpus| cpus.get().min(THREADS));
    let each = asked.len().div_ceil(threads).max(1);
    thread::scope(|scope| {
        for part in asked.chunks_mut(each) {
            let work = move || part.iter_mut().for_each(|job| job.load(btf));
            // What it would have loaded says that it was not.
            let named = thread::Builder::new().name("verifier".to_owned());
            let _not_started = named.spawn_scoped(scope, work);
        }
    });
    for (job, _) in jobs.iter_mut().zip(wanted).filter(|(_, wanted)| !**wanted) {
        job.loaded.1 = Some(UNWANTED.to_owned());
    }
    jobs.into_iter().map(|job| job.loaded).collect()
}

impl Job<'_> {
    fn load(&mut self, btf: &Btf) {
        if let Some((name, program)) = &mut self.richer
            && into_kernel(program, self.of.tracepoint, btf).is_ok()
        {
            self.loaded = (name, None);
            return;
        }
        let loaded = match &mut self.plain {
            Some(program) => into_kernel(program, self.of.tracepoint, btf),
            None => Err(format!("the object has no program {}", self.of.name)),
        };
        self.loaded.1 = loaded.err();
    }
}

fn into_kernel(
    program: &mut aya::programs::Program,
    tracepoint: &str,
    btf: &Btf,
) -> Result<(), String> {
    let program: &mut BtfTracePoint = program
        .try_into()
        .map_err(|error: aya::programs::ProgramError| error.to_string())?;
    program.load(tracepoint, btf).map_err(|e| reason(&e))
}
