//! How the model asks for the names of addresses, without knowing who finds them.

use std::sync::Arc;
use std::time::Duration;

use super::stage::{Kind, StageId};

/// A frame where nothing is mapped.
pub const NOWHERE: &str = "[unknown]";

/// One answer; `settled` is false while somebody is still looking (ask again at the next tick).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    pub text: Arc<str>,
    pub settled: bool,
}

/// What the stage model wants to know of a kernel function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelFunction {
    /// The name in the source: no module, nothing that a compiler appended.
    pub plain: Arc<str>,
    /// The module it is of, as kallsyms has it; `None`: the kernel itself.
    pub module: Option<Arc<str>>,
    pub kind: Kind,
}

/// Executable memory of a process, as a recording tells it.
#[derive(Debug, Clone, Copy)]
pub struct Mapped<'a> {
    /// `None`: the kernel's text, or a module's.
    pub pid: Option<u32>,
    pub start: u64,
    pub len: u64,
    /// Of the file, bytes.
    pub offset: u64,
    pub path: &'a str,
    pub build_id: Option<&'a [u8]>,
}

pub trait Names: Send {
    /// `name` or `name [module]`; an address nobody knows is itself in hex.
    fn kernel(&mut self, address: u64) -> Name;

    /// The same function for the stage model; `None`: somebody is still looking.
    fn function(&mut self, address: u64) -> Option<KernelFunction>;

    /// Why kernel functions have no names, in one sentence; known once somebody has looked.
    fn kernel_missing(&self) -> Option<&str> {
        None
    }

    /// What is missing of user functions and why, in one sentence, once it has happened.
    fn user_missing(&self) -> Option<&str> {
        None
    }

    fn stage(&self, stage: StageId) -> &'static str;

    /// Appends `name (file)` of a frame of process `pid`: the functions inlined there first, the
    /// innermost foremost. True: settled.
    fn user(&mut self, pid: u32, address: u64, frames: &mut Vec<Arc<str>>) -> bool;

    /// Names that are asked for now may be waited for so long, all together.
    fn be_patient(&mut self, _at_most: Duration) {}

    /// User frames are to have inlined functions and lines, or their functions' names will do.
    fn look_closely(&mut self, _closely: bool) {}

    /// Names that were settled in another epoch may say more now.
    fn epoch(&self) -> u32 {
        0
    }

    /// From here on this is mapped; names of a running host know by themselves.
    fn mapped(&mut self, _mapped: &Mapped<'_>) {}

    /// A process began as a copy of another.
    fn forked(&mut self, _parent: u32, _child: u32) {}

    /// A process is another program now: nothing that was mapped is.
    fn executed(&mut self, _pid: u32) {}

    /// `file:line` or `file:first-last` of a user frame that was named here, by its text: the
    /// lines of the source its addresses so far belong to. `None`: no debug information.
    fn location(&self, _frame: &str) -> Option<Arc<str>> {
        None
    }
}
