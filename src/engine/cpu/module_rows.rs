//! The rows of one kernel module (`--module`): of all its functions together and of each, with their CPU time.

use std::cmp::Ordering;
use std::sync::Arc;

use super::bucket::Bucket;
use super::cpu_time::CpuTime;
use crate::model::{Direction, Function, OTHER_FUNCTIONS};

impl CpuTime {
    /// Rows of the wanted module and of each of its functions that samples met, heaviest first.
    pub fn module(&self, per_packet: bool) -> Vec<Function> {
        let Some(module) = self.fold.module() else {
            return Vec::new();
        };
        let timed = |name, symbols, time: &dyn Fn(&Bucket) -> (f64, f64)| {
            let cpu = self.pct(|part| time(part).0);
            let cost = self.per_packet(|part| time(part).0, Direction::Other);
            let cost = cost.filter(|_| per_packet);
            Function {
                cpu_pct: cpu.map(|cpu| cpu.value),
                cpu_error: cpu.and_then(|cpu| cpu.error),
                self_pct: self.pct(|part| time(part).1).map(|own| own.value),
                ns_per_packet: cost.map(|cost| cost.value),
                ns_error: cost.and_then(|cost| cost.error),
                ..row(module.module(), name, symbols)
            }
        };
        let all = timed(None, module.names().into(), &|part| part.module.all);
        let functions = module.names().iter().enumerate().map(|(place, name)| {
            let symbols = [Arc::clone(name)].into();
            timed(Some(name), symbols, &|part| part.module.function(place))
        });
        // What the window holds no more goes.
        let mut functions: Vec<Function> = functions
            .filter(|f| f.cpu_pct.is_some_and(|pct| pct > 0.0))
            .collect();
        functions.sort_by(|a, b| b.cpu_pct.partial_cmp(&a.cpu_pct).unwrap_or(Ordering::Equal));
        std::iter::once(all).chain(functions).collect()
    }
}

/// What kallsyms calls the BPF programs of the host.
const BPF: &str = "bpf";

/// The row of a module's function, or of the module itself, without its time.
pub fn row(module: &str, function: Option<&str>, symbols: Arc<[Arc<str>]>) -> Function {
    let what = match module {
        BPF => "BPF program of this host",
        _ => "function of the kernel module",
    };
    let tag = if module == BPF {
        String::new()
    } else {
        format!(" {module}")
    };
    let (name, doc) = match function {
        Some(name) => (
            format!("{name} [{module}]"),
            format!("A {what}{tag}, as CPU samples met it."),
        ),
        None => (
            format!("[{module}]"),
            format!("Every {what}{tag} that CPU samples met, and what they called."),
        ),
    };
    Function {
        name: name.into(),
        doc: doc.into(),
        reason: Some(uncounted(module, function).into()),
        label: "–".into(),
        symbols,
        ..Function::default()
    }
}

/// Why its hits are not counted.
fn uncounted(module: &str, function: Option<&str>) -> String {
    match function {
        Some(OTHER_FUNCTIONS) => "these are several functions".to_owned(),
        Some(_) if module == BPF => {
            "programs have no tracepoint; sysctl kernel.bpf_stats_enabled=1 and bpftool prog count their runs".to_owned()
        }
        Some(name) => format!(
            "no tracepoint is at it; where the kernel has kprobes -e kprobe:{module}:{name} counts it"
        ),
        None => "several functions are no event; each has a row of its own".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_why_it_has_no_hits_and_what_would_count_them() {
        let reason = |module, function| {
            let row = row(module, function, [].into());
            row.reason.expect("a reason").to_string()
        };
        assert!(reason("veth", Some("veth_xmit")).contains("-e kprobe:veth:veth_xmit"));
        let program = reason("bpf", Some("bpf_prog_6deef7357e7b4530_fw"));
        assert!(
            program.contains("bpftool prog") && !program.contains("kprobe"),
            "{program}"
        );
        assert!(!reason("veth", Some(OTHER_FUNCTIONS)).contains("kprobe"));
    }
}
