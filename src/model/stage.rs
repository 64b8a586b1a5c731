//! A kernel call chain becomes a verdict: which stage of the network stack a sample belongs to and
//! in which context it ran. Pure over what is known of each frame; knows no names and no table.

/// The index of a stage in the stage table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StageId(u8);

impl StageId {
    /// How many there may be: a [`StageSet`] is one word.
    pub const MOST: usize = 64;

    pub fn new(index: usize) -> Option<StageId> {
        (index < StageId::MOST).then_some(StageId(index as u8))
    }

    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StageSet(u64);

impl StageSet {
    pub fn insert(&mut self, stage: StageId) {
        self.0 |= 1 << stage.0;
    }

    pub fn contains(self, stage: StageId) -> bool {
        self.0 & 1 << stage.0 != 0
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn iter(self) -> impl Iterator<Item = StageId> {
        (0..StageId::MOST as u8)
            .map(StageId)
            .filter(move |&stage| self.contains(stage))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Direction {
    Rx,
    Tx,
    Sock,
    /// Of a frame: that of its caller. Of a verdict: no frame said.
    #[default]
    Other,
}

impl Direction {
    pub const ALL: [Direction; 4] = [
        Direction::Rx,
        Direction::Tx,
        Direction::Sock,
        Direction::Other,
    ];

    /// As in the snapshot.
    pub fn name(self) -> &'static str {
        match self {
            Direction::Rx => "rx",
            Direction::Tx => "tx",
            Direction::Sock => "sock",
            Direction::Other => "other",
        }
    }
}

/// Where one context interrupts another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boundary {
    Softirq,
    Interrupt,
}

/// What the innermost function does, whichever stage it does it for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Leaf {
    Lock,
    Alloc,
    Copy,
    Csum,
    Memset,
    /// With the cpu-clock timer only: code near by had interrupts off, the sample came late.
    IrqOff,
}

impl Leaf {
    pub const ALL: [Leaf; 6] = [
        Leaf::Lock,
        Leaf::Alloc,
        Leaf::Copy,
        Leaf::Csum,
        Leaf::Memset,
        Leaf::IrqOff,
    ];

    /// As in the snapshot.
    pub fn name(self) -> &'static str {
        match self {
            Leaf::Lock => "lock",
            Leaf::Alloc => "alloc",
            Leaf::Copy => "copy",
            Leaf::Csum => "csum",
            Leaf::Memset => "memset",
            Leaf::IrqOff => "irq_off",
        }
    }
}

/// What is known of a function, once per symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Kind {
    pub stage: Option<StageId>,
    pub direction: Direction,
    /// Only the network runs it; other subsystems copy, map DMA and wake tasks too.
    pub network: bool,
    /// It is a profiler's: what it calls is the profiler's cost.
    pub observer: bool,
    pub boundary: Option<Boundary>,
    pub leaf: Option<Leaf>,
    /// Only such a task runs it.
    pub task: Option<Task>,
}

/// What a task is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    Idle,
    Ksoftirqd,
    NapiThread,
    Process,
}

impl Task {
    /// A kernel thread is known by the function it runs in its loop; whole chains have it.
    ///
    /// `frames`: those of the kernel. The idle task has no others: without them pid 0 is a process
    /// that is outside of the recorder's PID namespace.
    pub fn of(pid: u32, frames: &[Kind]) -> Task {
        if pid == 0 && !frames.is_empty() {
            return Task::Idle;
        }
        let thread = frames.iter().rev().find_map(|frame| frame.task);
        thread.unwrap_or(Task::Process)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Context {
    /// On the time of the task that was interrupted, or of the idle one.
    Softirq,
    Ksoftirqd,
    NapiThread,
    Interrupt,
    Process,
    Idle,
}

impl Context {
    pub const ALL: [Context; 6] = [
        Context::Softirq,
        Context::Ksoftirqd,
        Context::NapiThread,
        Context::Interrupt,
        Context::Process,
        Context::Idle,
    ];

    /// As in the snapshot.
    pub fn name(self) -> &'static str {
        match self {
            Context::Softirq => "softirq",
            Context::Ksoftirqd => "ksoftirqd",
            Context::NapiThread => "napi thread",
            Context::Interrupt => "interrupt",
            Context::Process => "process",
            Context::Idle => "idle",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// The stage whose code ran; each sample has one at most.
    pub exclusive: Option<StageId>,
    /// Whose work it was: of the first frame from the exclusive one outwards that says.
    pub direction: Direction,
    /// Every stage that was under way, the exclusive one among them.
    pub inclusive: StageSet,
    pub leaf: Option<Leaf>,
    pub context: Context,
    pub network: bool,
    /// How many frames, from the leaf, are of this context; the boundary is not.
    pub cut: usize,
    /// There is a boundary: what is outside of it was interrupted.
    pub interrupted: bool,
}

/// Judges a sample by its kernel frames, leaf first; none when user code ran.
///
/// The chain is cut at its innermost boundary: what is outside was interrupted, however much of
/// the network stack it holds (a sender's `__dev_queue_xmit` under its own receive softirq).
pub fn judge(frames: &[Kind], task: Task) -> Verdict {
    let cut = frames
        .iter()
        .position(|frame| frame.boundary.is_some())
        .unwrap_or(frames.len());
    let inside = &frames[..cut];
    let observer = inside.iter().rposition(|frame| frame.observer);
    let own = &inside[observer.unwrap_or(0)..];

    let mut inclusive = StageSet::default();
    for stage in own.iter().filter_map(|frame| frame.stage) {
        inclusive.insert(stage);
    }
    let first = own.iter().position(|frame| frame.stage.is_some());
    let network = own.iter().any(|frame| frame.network);
    let direction = match (first, observer) {
        (Some(first), None) => own[first..]
            .iter()
            .map(|frame| frame.direction)
            .find(|&direction| direction != Direction::Other),
        _ => None,
    };
    let boundary = frames.get(cut).and_then(|frame| frame.boundary);
    Verdict {
        exclusive: first.and_then(|first| own[first].stage),
        direction: direction.unwrap_or_default(),
        inclusive,
        leaf: frames.first().and_then(|frame| frame.leaf),
        context: context(boundary, task, network),
        network,
        cut,
        interrupted: boundary.is_some(),
    }
}

fn context(boundary: Option<Boundary>, task: Task, network: bool) -> Context {
    match (boundary, task) {
        (Some(Boundary::Interrupt), _) => Context::Interrupt,
        (_, Task::Ksoftirqd) => Context::Ksoftirqd,
        (Some(Boundary::Softirq), _) => Context::Softirq,
        (None, Task::NapiThread) => Context::NapiThread,
        // The idle task runs what other CPUs' interrupts left it (rps_trigger_softirq).
        (None, Task::Idle) if network => Context::Interrupt,
        (None, Task::Idle) => Context::Idle,
        (None, Task::Process) => Context::Process,
    }
}

#[cfg(test)]
#[path = "stage_tests.rs"]
mod tests;
