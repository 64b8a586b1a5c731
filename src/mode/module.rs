//! `--module`: is there such a module?

use std::collections::BTreeSet;

use crate::error::Error;
use crate::export;
use crate::host::{Proc, modules};

/// BPF programs are a module in kallsyms, whether modules can be loaded or not.
const BPF: &str = "bpf";

/// kallsyms calls the kernel's own trampolines after who made them (kernel/kprobes.c).
const BUILT_IN: &str = "__builtin_";

/// On this host.
pub fn loaded_here(wanted: Option<&str>) -> Result<(), Error> {
    let Some(wanted) = wanted else { return Ok(()) };
    let modules = modules(&Proc::host());
    if wanted == BPF || wanted.starts_with(BUILT_IN) || modules.iter().any(|m| m == wanted) {
        return Ok(());
    }
    let why = "what is built into the kernel is no module, bpf is its BPF programs";
    Err(Error::nothing(
        format!("there is no module {wanted} here: {why}"),
        "lsmod",
    ))
}

/// Among those that samples of a recording, or of the made-up machine, are of; `place`: what that
/// is called.
pub fn met<'a>(
    wanted: Option<&str>,
    modules: impl Iterator<Item = &'a str>,
    (place, hint): (&str, &str),
) -> Result<(), Error> {
    let Some(wanted) = wanted else { return Ok(()) };
    let met: BTreeSet<&str> = modules.collect();
    if met.contains(wanted) {
        return Ok(());
    }
    let met: Vec<_> = met.into_iter().map(export::clean).collect();
    let others = match met.as_slice() {
        [] => "no sample is of any module".to_owned(),
        met => format!("modules there: {}", met.join(", ")),
    };
    Err(Error::nothing(
        format!("no sample of {place} is of a module {wanted}: {others}"),
        hint,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bpf_programs_are_a_module_everywhere_and_a_slip_has_lsmod_as_its_next_command() {
        assert!(loaded_here(None).is_ok());
        assert!(loaded_here(Some("bpf")).is_ok());
        let slip = loaded_here(Some("no_such_module")).expect_err("there is none");
        assert_eq!((slip.exit_code(), slip.hint()), (1, "lsmod"));
    }

    #[test]
    fn a_recording_without_the_module_names_those_it_has() {
        let modules = ["veth", "ice", "veth"];
        let met = |wanted| met(Some(wanted), modules.into_iter(), ("a.data", "netop"));
        assert!(met("ice").is_ok());
        let error = met("mlx5_core").expect_err("it is not there").to_string();
        assert!(error.contains("modules there: ice, veth"), "{error}");
    }
}
