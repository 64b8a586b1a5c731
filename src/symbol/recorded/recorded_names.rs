//! Names that a recording of netop carries: what the samples' addresses were called on the host
//! that was recorded. Another host's files are not looked at. The recording is a stranger's.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::model::{KernelFunction, Name, Names, StageId};
use crate::symbol::StageTable;
use crate::symbol::elf::demangle::printable;
use crate::symbol::kernel::hex;

/// Longest name shown: `function (file)` at the most that netop writes.
const LONGEST: usize = 512;

/// Plain values of a recording's trailer.
#[derive(Debug, Clone, Default)]
pub struct RecordedSymbols {
    /// Address of `_text`; 0: `kernel` holds addresses.
    pub text: u64,
    /// Address as it was asked for, less `text` (wrapping), and its name.
    pub kernel: Vec<(u64, String)>,
    /// pid, address, the functions there, innermost first.
    pub user: Vec<(u32, u64, Vec<String>)>,
    /// `file:line` by frame.
    pub lines: Vec<(String, String)>,
    /// Modules that drive a network device there.
    pub drivers: Vec<String>,
    pub kernel_missing: Option<String>,
    pub user_missing: Option<String>,
}

impl RecordedSymbols {
    /// Those that kernel functions are of, with repeats.
    pub fn modules(&self) -> impl Iterator<Item = &str> {
        let modules = self.kernel.iter().map(|(_, name)| {
            let (_, module) = name.strip_suffix(']')?.rsplit_once(" [")?;
            Some(module)
        });
        modules.flatten()
    }
}

pub struct RecordedNames {
    text: u64,
    kernel: FxHashMap<u64, Arc<str>>,
    user: FxHashMap<(u32, u64), Box<[Arc<str>]>>,
    lines: FxHashMap<Arc<str>, Arc<str>>,
    drivers: FxHashSet<String>,
    stages: StageTable,
    kernel_missing: Option<String>,
    user_missing: Option<String>,
}

impl RecordedNames {
    pub fn new(kept: RecordedSymbols) -> RecordedNames {
        let shown = |text: String| printable(&text, LONGEST);
        let mut frames = FxHashMap::default();
        // A frame stands at many addresses; its text is held once.
        let mut frame = |text: String| -> Arc<str> {
            let text: Arc<str> = shown(text).into();
            Arc::clone(frames.entry(Arc::clone(&text)).or_insert(text))
        };
        let named = |(pid, address, names): (u32, u64, Vec<String>)| {
            ((pid, address), names.into_iter().map(&mut frame).collect())
        };
        let line = |(frame, line): (String, String)| (shown(frame).into(), shown(line).into());
        let offset = |(offset, name): (u64, String)| (offset, shown(name).into());
        RecordedNames {
            text: kept.text,
            user: kept.user.into_iter().map(named).collect(),
            kernel: kept.kernel.into_iter().map(offset).collect(),
            lines: kept.lines.into_iter().map(line).collect(),
            drivers: kept.drivers.into_iter().collect(),
            stages: StageTable::builtin(),
            kernel_missing: kept.kernel_missing.map(shown),
            user_missing: kept.user_missing.map(shown),
        }
    }
}

impl Names for RecordedNames {
    fn kernel(&mut self, address: u64) -> Name {
        let name = self.kernel.get(&address.wrapping_sub(self.text));
        Name {
            text: name.map_or_else(|| hex(address), Arc::clone),
            settled: true,
        }
    }

    fn function(&mut self, address: u64) -> Option<KernelFunction> {
        let name = self.kernel(address);
        (self.kernel_missing.is_none()).then(|| self.stages.function(&name.text, &self.drivers))
    }

    fn kernel_missing(&self) -> Option<&str> {
        self.kernel_missing.as_deref()
    }

    fn user_missing(&self) -> Option<&str> {
        self.user_missing.as_deref()
    }

    fn stage(&self, stage: StageId) -> &'static str {
        self.stages.name(stage)
    }

    fn user(&mut self, pid: u32, address: u64, frames: &mut Vec<Arc<str>>) -> bool {
        match self.user.get(&(pid, address)) {
            Some(names) => frames.extend(names.iter().cloned()),
            None => frames.push(hex(address)),
        }
        true
    }

    fn location(&self, frame: &str) -> Option<Arc<str>> {
        self.lines.get(frame).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: u64 = 0xffff_ffff_9a00_0000;

    fn kept() -> RecordedSymbols {
        RecordedSymbols {
            text: TEXT,
            kernel: vec![
                (0x110, "tcp_ack\u{1b}[2J".to_owned()),
                (0xc000_0000_u64.wrapping_sub(TEXT), "poll [nic]".to_owned()),
            ],
            user: vec![(
                7,
                0x5010,
                vec!["inner (a)".to_owned(), "outer (a)".to_owned()],
            )],
            lines: vec![("outer (a)".to_owned(), "a.c:7".to_owned())],
            drivers: vec!["nic".to_owned()],
            ..RecordedSymbols::default()
        }
    }

    fn user(names: &mut RecordedNames, pid: u32, address: u64) -> Vec<String> {
        let mut frames = Vec::new();
        assert!(names.user(pid, address, &mut frames));
        frames.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_address_has_the_name_it_was_recorded_with_or_is_itself() {
        let mut names = RecordedNames::new(kept());
        for (address, name) in [
            (TEXT + 0x110, "tcp_ack?[2J"),
            (0xc000_0000, "poll [nic]"),
            (TEXT + 0x111, "0xffffffff9a000111"),
        ] {
            assert_eq!(&*names.kernel(address).text, name);
            assert!(names.kernel(address).settled);
        }
        assert_eq!(user(&mut names, 7, 0x5010), ["inner (a)", "outer (a)"]);
        assert_eq!(user(&mut names, 8, 0x5010), ["0x5010"]);
        assert_eq!(names.location("outer (a)").as_deref(), Some("a.c:7"));
        assert_eq!(names.location("inner (a)"), None);
    }

    #[test]
    fn the_drivers_of_the_recorded_host_have_their_stage() {
        let mut names = RecordedNames::new(kept());
        let stage = |names: &mut RecordedNames| names.function(0xc000_0000)?.kind.stage;
        let driver = stage(&mut names).expect("a stage");
        assert_eq!(names.stage(driver), "driver");
        names = RecordedNames::new(RecordedSymbols {
            drivers: Vec::new(),
            ..kept()
        });
        assert_eq!(stage(&mut names), None);
    }

    #[test]
    fn where_no_kernel_name_was_known_there_is_no_function_and_the_reason_stands() {
        let mut names = RecordedNames::new(RecordedSymbols {
            kernel_missing: Some("hidden".to_owned()),
            ..RecordedSymbols::default()
        });
        assert_eq!(names.function(TEXT), None);
        assert_eq!(names.kernel_missing(), Some("hidden"));
    }
}
