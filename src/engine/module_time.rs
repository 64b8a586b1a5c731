//! CPU time of one kernel module (`--module`): of all its functions, of each, and their rows.

use std::sync::Arc;

use crate::model::{Function, Judged};

/// ns of CPU time: the functions and what they called, and themselves.
type Time = (f64, f64);

#[derive(Debug, Clone, Default)]
pub struct ModuleTime {
    pub all: Time,
    /// By their bits ([`crate::model::ModuleFunctions`]).
    functions: Vec<Time>,
}

impl ModuleTime {
    pub fn function(&self, place: usize) -> Time {
        self.functions.get(place).copied().unwrap_or_default()
    }

    /// A sample's time. What a profiler does within a function of the module is not the
    /// function's; a profiler that is of the module itself has the time it runs.
    pub fn add(&mut self, judged: &Judged, ns: f64) {
        let inside = if judged.observer {
            judged.module_own
        } else {
            judged.module
        };
        if inside == 0 {
            return;
        }
        self.all.0 += ns;
        if judged.module_own != 0 {
            self.all.1 += ns;
        }
        let met = 64 - inside.leading_zeros() as usize;
        if self.functions.len() < met {
            self.functions.resize(met, Time::default());
        }
        for (place, time) in self.functions.iter_mut().enumerate() {
            if inside & 1 << place != 0 {
                time.0 += ns;
            }
            if judged.module_own & 1 << place != 0 {
                time.1 += ns;
            }
        }
    }

    pub fn merge(&mut self, later: &ModuleTime) {
        if self.functions.len() < later.functions.len() {
            self.functions
                .resize(later.functions.len(), Time::default());
        }
        let mine = std::iter::once(&mut self.all).chain(&mut self.functions);
        let its = std::iter::once(&later.all).chain(&later.functions);
        for (mine, its) in mine.zip(its) {
            mine.0 += its.0;
            mine.1 += its.1;
        }
    }
}

/// The row of a module's function, or of the module itself, without its time.
pub fn row(module: &str, function: Option<&str>, symbols: Arc<[Arc<str>]>) -> Function {
    let (name, doc, reason) = match function {
        Some(name) => (
            format!("{name} [{module}]"),
            format!("A function of the kernel module {module}, as CPU samples met it."),
            format!(
                "no tracepoint is at it; where the kernel has kprobes -e kprobe:{module}:{name} counts it"
            ),
        ),
        None => (
            format!("[{module}]"),
            format!("All functions of the kernel module {module} together, and what they called."),
            "a module has no hits of its own, its functions have".to_owned(),
        ),
    };
    Function {
        name: name.into(),
        doc: doc.into(),
        reason: Some(reason.into()),
        label: "–".into(),
        symbols,
        ..Function::default()
    }
}
