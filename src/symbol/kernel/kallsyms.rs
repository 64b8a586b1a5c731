//! /proc/kallsyms → a sorted table of text symbols. All names lie in one string: 64 000 symbols
//! take about 2.5 MB.

use crate::symbol::elf::demangle::readable;

/// Farther than this from the symbol before it, an address belongs to nobody: kallsyms has no
/// sizes. Few kernel functions reach 64 KiB; modules and BPF programs lie apart from each other.
const LONGEST_FUNCTION: u64 = 256 << 10;
const LONGEST_IN_MODULE: u64 = 64 << 10;

/// A page of jumps to XDP programs (kernel/bpf/dispatcher.c), with other programs right behind it.
const DISPATCHER: &str = "bpf_dispatcher_";
const LONGEST_DISPATCHER: u64 = 4 << 10;

/// The linker's marks behind the kernel's code; what follows is data.
const ENDS: [&str; 2] = ["_etext", "_einittext"];

/// The linker's mark at the beginning of the kernel; everything in it keeps its distance from there
/// wherever a boot puts it.
const BEGIN: &str = "_text";

/// Bytes put before a function for patching; part of no call chain.
const PADDING: [&str; 2] = ["__pfx_", "__cfi_"];

/// Marks of the linker script between functions (`__sched_text_start`,
/// include/asm-generic/vmlinux.lds.h); the function beside one may be local and lose to it.
const MARKS: [&str; 2] = ["_text_start", "_text_end"];

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Kallsyms {
    /// Ascending, without repeats.
    pub(in crate::symbol) addresses: Vec<u64>,
    /// One per address.
    pub(in crate::symbol) names: Vec<Span>,
    pub(in crate::symbol) text: String,
    pub(in crate::symbol) modules: Vec<String>,
    /// Address of `_text`, where the kernel's code begins; 0: not known.
    pub(in crate::symbol) begin: u64,
}

/// A name in [`Kallsyms::text`]; an empty one marks an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::symbol) struct Span {
    pub(in crate::symbol) start: u32,
    pub(in crate::symbol) len: u16,
    /// 0: the kernel itself, else one more than the index into `modules`.
    pub(in crate::symbol) module: u16,
}

impl Kallsyms {
    /// `Err`: one sentence that says why there are no names.
    pub fn parse(text: &str) -> Result<Kallsyms, String> {
        let mut table = Kallsyms::default();
        let mut found: Vec<(u64, u32, Span)> = Vec::new();
        let mut hidden = 0usize;
        for line in text.lines() {
            let mut words = line.split_ascii_whitespace();
            let (Some(address), Some(kind), Some(name)) =
                (words.next(), words.next(), words.next())
            else {
                continue;
            };
            let Some(rank) = rank(kind, name) else {
                continue;
            };
            match u64::from_str_radix(address, 16) {
                Ok(0) => hidden += 1,
                Ok(address) => {
                    if name == BEGIN {
                        table.begin = address;
                    }
                    let span = table.keep(name, words.next());
                    found.push((address, rank, span));
                }
                Err(_) => {}
            }
        }
        if found.is_empty() {
            return Err(if hidden > 0 {
                "kernel function names are hidden: run as root with kernel.kptr_restrict=1, or see netop doctor".to_owned()
            } else {
                "/proc/kallsyms names no kernel function".to_owned()
            });
        }
        // The sort is stable: among equals the first of the file wins.
        found.sort_by_key(|(address, rank, _)| (*address, *rank));
        found.dedup_by_key(|(address, _, _)| *address);
        table.addresses = found.iter().map(|(address, _, _)| *address).collect();
        table.names = found.iter().map(|(_, _, span)| *span).collect();
        table.text.shrink_to_fit();
        Ok(table)
    }

    /// Where a kernel begins by the first lines of its kallsyms; `None`: not among them, or hidden.
    pub fn begin_in(head: &str) -> Option<u64> {
        let line = head.lines().find(|line| {
            let mut words = line.split_ascii_whitespace().skip(1);
            words.next().is_some_and(|kind| kind == "T") && words.next() == Some(BEGIN)
        })?;
        let address = u64::from_str_radix(line.split_ascii_whitespace().next()?, 16);
        address.ok().filter(|address| *address != 0)
    }

    pub fn has_names(&self) -> bool {
        !self.addresses.is_empty()
    }

    /// `name` or `name [module]`.
    pub fn name(&self, address: u64) -> Option<String> {
        let index = self
            .addresses
            .partition_point(|start| *start <= address)
            .checked_sub(1)?;
        let span = self.names[index];
        let start = span.start as usize;
        let name = self.text.get(start..start + usize::from(span.len))?;
        let module = usize::from(span.module)
            .checked_sub(1)
            .and_then(|index| self.modules.get(index));
        let limit = match module {
            Some(_) if name.starts_with(DISPATCHER) => LONGEST_DISPATCHER,
            Some(_) => LONGEST_IN_MODULE,
            None => LONGEST_FUNCTION,
        };
        if name.is_empty() || address - self.addresses[index] >= limit {
            return None;
        }
        Some(match module {
            Some(module) => format!("{} {}", readable(name), readable(module)),
            None => readable(name),
        })
    }

    fn keep(&mut self, name: &str, module: Option<&str>) -> Span {
        let start = self.text.len() as u32;
        // Kernel names are at most 511 bytes (KSYM_NAME_LEN).
        let name = name.get(..511).unwrap_or(name);
        let len = u16::try_from(name.len()).unwrap_or(0);
        if !ENDS.contains(&name) && len > 0 {
            self.text.push_str(name);
        }
        let module = module.map_or(0, |module| self.module(module));
        Span {
            start,
            len: (self.text.len() as u32 - start) as u16,
            module,
        }
    }

    /// Index of a module plus 1. Symbols of a module stand together, so the last is tried first.
    fn module(&mut self, module: &str) -> u16 {
        let known = self.modules.iter().rposition(|known| known == module);
        let index = known.unwrap_or_else(|| {
            self.modules.push(module.to_owned());
            self.modules.len() - 1
        });
        u16::try_from(index + 1).unwrap_or(0)
    }
}

/// Which of several names of one address is shown: the lowest; `None` for what is no code.
/// Global before weak before local, then fewer leading underscores.
fn rank(kind: &str, name: &str) -> Option<u32> {
    let binding = match kind {
        "T" => 0,
        "W" | "w" => 1,
        "t" => 2,
        _ => return None,
    };
    if PADDING.iter().any(|padding| name.starts_with(padding))
        || (name.starts_with("__") && MARKS.iter().any(|mark| name.ends_with(mark)))
    {
        return None;
    }
    // `__pi_`: the same code under the name that position-independent start-up code uses.
    let underscores = match name.strip_prefix("__pi_") {
        Some(_) => 9,
        None => name.len() - name.trim_start_matches('_').len(),
    };
    Some(binding << 16 | underscores.min(9) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
0000000000000000 A fixed_percpu_data
ffffffff81000000 T _stext
ffffffff81000100 t local_alias
ffffffff81000100 T __x64_sys_read
ffffffff81000100 T ksys_read
ffffffff810001f0 t __pfx_next
ffffffff81000200 T __sched_text_start
ffffffff81000200 t next
ffffffff81000280 T __sched_text_end
ffffffff81000300 T _etext
ffffffff81000400 D some_data
ffffffffc0300000 t bpf_prog_6deef7357e7b4530_sd_fw\t[bpf]
ffffffffc0201000 t veth_xmit\t[veth]
ffffffffc0201500 t veth_poll\t[veth]
";

    fn name(address: u64) -> Option<String> {
        Kallsyms::parse(TEXT).expect("symbols").name(address)
    }

    #[test]
    fn an_address_has_the_name_of_the_symbol_before_it() {
        for (address, expected) in [
            (0xffff_ffff_8100_0000, "_stext"),
            (0xffff_ffff_8100_0250, "next"),
            (0xffff_ffff_8100_0290, "next"),
            (0xffff_ffff_c020_14ff, "veth_xmit [veth]"),
            (0xffff_ffff_c020_1500, "veth_poll [veth]"),
            (
                0xffff_ffff_c030_0001,
                "bpf_prog_6deef7357e7b4530_sd_fw [bpf]",
            ),
        ] {
            assert_eq!(name(address).as_deref(), Some(expected), "{address:#x}");
        }
    }

    #[test]
    fn among_aliases_the_global_one_with_fewest_underscores_is_shown() {
        assert_eq!(name(0xffff_ffff_8100_0150).as_deref(), Some("ksys_read"));
        assert_eq!(name(0xffff_ffff_8100_01f8).as_deref(), Some("ksys_read"));
    }

    #[test]
    fn outside_any_function_there_is_no_name() {
        for address in [
            0,
            0x1000,
            0xffff_ffff_80ff_ffff,
            0xffff_ffff_8100_0300,
            0xffff_ffff_8100_0400,
            0xffff_ffff_c021_1500,
            0xffff_ffff_c031_0000,
            u64::MAX,
        ] {
            assert_eq!(name(address), None, "{address:#x}");
        }
    }

    #[test]
    fn zeros_mean_hidden_and_nothing_means_nothing() {
        let zeros = "0000000000000000 T _stext\n0000000000000000 t next\n";
        let hidden = Kallsyms::parse(zeros).expect_err("no addresses");
        assert!(hidden.contains("kptr_restrict"), "{hidden}");
        let none = Kallsyms::parse("").expect_err("no symbols");
        assert!(!none.contains("kptr_restrict"), "{none}");
    }

    #[test]
    fn garbage_and_any_truncation_are_survived() {
        for end in 0..TEXT.len() {
            if let Ok(table) = Kallsyms::parse(&TEXT[..end]) {
                table.name(0xffff_ffff_8100_0150);
            }
        }
        let garbage = "zz T a\n1\n2 T\n\u{1b} \u{1b} \u{1b}\nffffffffffffffffff T b\n9 T \u{1b}x\n";
        let table = Kallsyms::parse(garbage).expect("one symbol");
        assert_eq!(table.name(9).as_deref(), Some("?x"));
        let long = format!("9 T {}\n", "n".repeat(100_000));
        let table = Kallsyms::parse(&long).expect("one symbol");
        assert_eq!(table.name(9).map(|name| name.len()), Some(200));
    }
}
