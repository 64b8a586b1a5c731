//! What of a snapshot's stacks view 5 looks at and from which side: CPU time or hits, of whom,
//! from the outermost frame or from the leaf, with recursion folded or not.

use std::sync::Arc;

use super::recursion::{Step, fold};
use crate::model::{Function, Snapshot, Stack};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Cpu,
    Hits,
}

impl Source {
    /// How much of the past its stacks cover.
    pub fn seconds(self, snapshot: &Snapshot) -> f64 {
        match self {
            Source::Cpu => snapshot.cpu_profile_s,
            Source::Hits => snapshot.profile_s,
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Focus {
    #[default]
    All,
    Function(String),
    /// Of [`Stack::stage`]; hits have none.
    Stage(String),
    Process(u32),
}

#[derive(Debug, Clone)]
pub struct StackQuery {
    pub focus: Focus,
    /// None: CPU time where there is any, of a function its hits.
    pub source: Option<Source>,
    pub inverted: bool,
    /// Repeats of a frame stand for themselves.
    pub unrolled: bool,
    pub flame: bool,
}

impl StackQuery {
    pub const fn new() -> StackQuery {
        StackQuery {
            focus: Focus::All,
            source: None,
            inverted: false,
            unrolled: false,
            flame: false,
        }
    }

    pub fn picture(&self, snapshot: &Snapshot) -> Picture {
        let hits = match self.focus {
            Focus::Stage(_) => false,
            // Where no event is at it samples are all there is.
            Focus::Function(ref name) => function(snapshot, name).is_none_or(Function::has_event),
            Focus::All | Focus::Process(_) => snapshot.cpu_profile.is_empty(),
        };
        let source = match self.source {
            Some(source) => source,
            None if hits => Source::Hits,
            None => Source::Cpu,
        };
        let row = match &self.focus {
            Focus::Function(name) => function(snapshot, name),
            _ => None,
        };
        Picture {
            source,
            focus: self.focus.clone(),
            symbols: row.map_or_else(|| Arc::from([]), |row| Arc::clone(&row.symbols)),
            observers: row.is_some_and(|row| !row.has_event()),
            inverted: self.inverted,
            unrolled: self.unrolled,
        }
    }
}

fn function<'a>(snapshot: &'a Snapshot, name: &str) -> Option<&'a Function> {
    snapshot.functions.iter().find(|row| &*row.name == name)
}

/// The query of one snapshot: everything that the shape of the tree depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    pub source: Source,
    pub focus: Focus,
    /// The kernel functions of a row of view 1; empty: it has no CPU time of its own.
    pub symbols: Arc<[Arc<str>]>,
    /// A row of a module: it may be a profiler's.
    pub observers: bool,
    pub inverted: bool,
    pub unrolled: bool,
}

impl Picture {
    pub fn profile<'a>(&self, snapshot: &'a Snapshot) -> &'a Arc<[Stack]> {
        match self.source {
            Source::Cpu => &snapshot.cpu_profile,
            Source::Hits => &snapshot.profile,
        }
    }

    /// The frames of a stack from the top of the tree down, its function or "cpu" not among them;
    /// `None`: it is not looked at.
    pub fn way(&self, stack: &Stack) -> Option<Vec<Step>> {
        let inside = inside(stack);
        let is_sound = stack.weight.is_finite() && stack.weight >= 0.0;
        if !is_sound || !self.selects(stack, inside) {
            return None;
        }
        let context = match self.source {
            Source::Cpu => Some(context(stack)),
            Source::Hits => None,
        };
        let frames = inside.iter().rev().cloned();
        let mut way = fold(context.into_iter().chain(frames), self.unrolled);
        if self.inverted {
            way.reverse();
        }
        Some(way)
    }

    fn selects(&self, stack: &Stack, inside: &[Arc<str>]) -> bool {
        // An idle CPU takes no time from anybody.
        if self.source == Source::Cpu && stack.context == Some("idle") {
            return false;
        }
        match (&self.focus, self.source) {
            (Focus::All, _) => true,
            (Focus::Function(name), Source::Hits) => **name == *stack.function,
            // A profiler's work inside of it is not the function's, here as in view 1.
            (Focus::Function(_), Source::Cpu)
                if stack.stage == Some("observer") && !self.observers =>
            {
                false
            }
            (Focus::Function(_), Source::Cpu) => {
                let is_one = |name: &str| self.symbols.iter().any(|symbol| **symbol == *name);
                (inside.iter()).any(|frame| plain(frame).is_some_and(is_one))
            }
            (Focus::Stage(stage), _) => stack.stage == Some(stage),
            (Focus::Process(pid), _) => stack.pid == *pid,
        }
    }
}

/// What ran in the sample's context, leaf first; the rest was interrupted.
pub fn inside(stack: &Stack) -> &[Arc<str>] {
    &stack.frames[..stack.cut.min(stack.frames.len())]
}

fn context(stack: &Stack) -> Arc<str> {
    match stack.context {
        Some("process") if !stack.comm.is_empty() => format!("process {}", stack.comm).into(),
        Some(context) => context.into(),
        None => "unknown context".into(),
    }
}

/// The name in the source of a kernel frame: `tcp_v4_rcv.isra.0 [mod]` is tcp_v4_rcv.
fn plain(frame: &str) -> Option<&str> {
    if is_user(frame) {
        return None;
    }
    frame.split([' ', '.']).next()
}

pub fn is_user(frame: &str) -> bool {
    // `object+0x1f` is user code: kernel addresses without a name are bare.
    frame.ends_with(')')
        || frame.ends_with(" [jit]")
        // Of a kernel module it says so behind.
        || (frame.contains("+0x") && !frame.ends_with(']'))
        || matches!(frame, "[unknown]" | "[anon]" | "[vdso]")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::fixture::{busy, cpu_stack, stack};

    fn names(way: Option<Vec<Step>>) -> Vec<String> {
        let named = |step: Step| step.name.to_string();
        way.map_or_else(Vec::new, |way| way.into_iter().map(named).collect())
    }

    fn picture(focus: Focus, source: Source) -> Picture {
        Picture {
            source,
            focus,
            symbols: ["tcp_v4_rcv".into()].into(),
            observers: false,
            inverted: false,
            unrolled: false,
        }
    }

    #[test]
    fn what_was_interrupted_is_cut_off_and_the_context_stands_above() {
        let frames = ["tcp_v4_rcv.isra.0 [m]", "net_rx_action", "main (app)"];
        let mut softirq = cpu_stack("softirq", 7, "app", 5.0, &frames);
        softirq.cut = 2;
        let all = picture(Focus::All, Source::Cpu);
        let want = ["softirq", "net_rx_action", "tcp_v4_rcv.isra.0 [m]"];
        assert_eq!(names(all.way(&softirq)), want);
        let process = cpu_stack("process", 7, "app", 5.0, &frames);
        assert_eq!(names(all.way(&process))[..2], ["process app", "main (app)"]);
        let turned = Picture {
            inverted: true,
            ..all.clone()
        };
        let want = ["tcp_v4_rcv.isra.0 [m]", "net_rx_action", "softirq"];
        assert_eq!(names(turned.way(&softirq)), want);
        assert!(
            all.way(&cpu_stack("idle", 0, "swapper", 9.0, &[]))
                .is_none()
        );
    }

    #[test]
    fn a_focus_selects_by_function_stage_and_process() {
        let frames = ["tcp_v4_rcv.isra.0 [m]", "net_rx_action", "tcp_v4_rcv (app)"];
        let mut sample = cpu_stack("softirq", 7, "app", 5.0, &frames);
        let selects = |focus, stack: &Stack| picture(focus, Source::Cpu).way(stack).is_some();
        let function = Focus::Function("tcp".into());
        assert!(selects(function.clone(), &sample));
        assert!(selects(Focus::Process(7), &sample) && !selects(Focus::Process(8), &sample));
        assert!(!selects(Focus::Stage("tcp".into()), &sample));
        sample.stage = Some("tcp");
        assert!(selects(Focus::Stage("tcp".into()), &sample));
        sample.stage = Some("observer");
        assert!(!selects(function.clone(), &sample), "a profiler ran in it");
        sample.stage = Some("tcp");
        sample.cut = 0;
        assert!(!selects(function.clone(), &sample), "it was interrupted");
        sample.frames = sample.frames[1..].into();
        sample.cut = 2;
        assert!(!selects(function, &sample), "a user function of that name");
    }

    #[test]
    fn cpu_time_is_shown_first_unless_a_function_was_drilled_or_there_is_none() {
        let mut snapshot = busy();
        let mut stack_query = StackQuery::new();
        assert_eq!(stack_query.picture(&snapshot).source, Source::Hits);
        snapshot.cpu_profile = vec![cpu_stack("softirq", 1, "a", 1.0, &["x"])].into();
        assert_eq!(stack_query.picture(&snapshot).source, Source::Cpu);
        stack_query.focus = Focus::Function("net_rx_action".into());
        assert_eq!(stack_query.picture(&snapshot).source, Source::Hits);
        stack_query.source = Some(Source::Cpu);
        assert_eq!(stack_query.picture(&snapshot).source, Source::Cpu);
    }

    #[test]
    fn broken_weights_are_left_out() {
        for weight in [f64::NAN, f64::INFINITY, -1.0] {
            let broken = stack("f", 1, "a", weight, &["x"]);
            assert!(picture(Focus::All, Source::Hits).way(&broken).is_none());
        }
    }
}
