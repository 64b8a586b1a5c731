//! CPU time of one kernel module (`--module`): of all its functions, and of each.

use crate::model::Judged;

/// ns of CPU time: the functions and what they called, and themselves.
pub type Time = (f64, f64);

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

    /// A sample's time.
    pub fn add(&mut self, judged: &Judged, ns: f64) {
        let inside = judged.module;
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
