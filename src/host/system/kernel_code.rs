//! Where the kernel's own code and its modules' lie.

use std::io::{BufRead, BufReader};

use crate::decode::{Happened, MappedFile, Mapping, SideBand};
use crate::host::proc::Proc;

/// perf calls the kernel's code by the symbol that it begins with.
const KERNEL: &str = "[kernel.kallsyms]_text";

/// The kernel's code first, then the modules'; its `start` is the address of `_text`. Without the
/// right to see addresses there is nothing to tell.
pub fn kernel_code(proc: &Proc) -> Vec<SideBand> {
    let kernel =
        kernel(proc).map(|(start, end)| mapped(KERNEL.to_owned(), start, end - start, start));
    let modules = proc.text("proc/modules").unwrap_or_default();
    let modules = modules.lines().filter_map(module);
    let modules = modules.map(|(name, start, len)| mapped(format!("[{name}]"), start, len, 0));
    kernel.into_iter().chain(modules).collect()
}

fn mapped(path: String, start: u64, len: u64, offset: u64) -> SideBand {
    SideBand {
        time: 0,
        cpu: 0,
        pid: u32::MAX,
        tid: 0,
        what: Happened::Mapped(Mapping {
            start,
            len,
            offset,
            path,
            file: MappedFile::Unknown,
            kernel: true,
        }),
    }
}

/// `_text` and `_etext`: the list is read as far as they are.
fn kernel(proc: &Proc) -> Option<(u64, u64)> {
    let mut lines = BufReader::new(proc.open("proc/kallsyms").ok()?);
    let (mut start, mut line) = (None, Vec::new());
    loop {
        line.clear();
        if lines.read_until(b'\n', &mut line).ok()? == 0 {
            return None;
        }
        let name = line.trim_ascii_end();
        if !name.ends_with(b"text") {
            continue;
        }
        let text = std::str::from_utf8(name).ok()?;
        let mut words = text.split_ascii_whitespace();
        let address = u64::from_str_radix(words.next()?, 16).ok();
        let address = address.filter(|address| *address > 0);
        match words.nth(1)? {
            "_text" => start = Some(address?),
            "_etext" => return start.zip(address).filter(|(start, end)| start < end),
            _ => {}
        }
    }
}

/// `virtio_net 98304 0 - Live 0xffffffffc0400000` (kernel/module/procfs.c).
fn module(line: &str) -> Option<(&str, u64, u64)> {
    let mut words = line.split(' ');
    let (name, len) = (words.next()?, words.next()?.parse().ok()?);
    let start = words.nth(3)?.strip_prefix("0x")?;
    let start = u64::from_str_radix(start, 16)
        .ok()
        .filter(|start| *start > 0)?;
    Some((name, start, len))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::proc::tests::root_with;

    const KALLSYMS: &str = "\
ffffffff81000000 T _stext
ffffffff81000000 T _text
ffffffff81000010 t __sched_text
ffffffff82000000 T _etext
";
    const MODULES: &str = "\
veth 45056 0 - Live 0xffffffffc0400000
hidden 4096 0 - Live 0x0000000000000000
";

    #[test]
    fn the_kernel_and_its_modules_have_their_places() {
        let (_dir, proc) = root_with(&[("proc/kallsyms", KALLSYMS), ("proc/modules", MODULES)]);
        let places: Vec<_> = kernel_code(&proc)
            .into_iter()
            .map(|told| match told.what {
                Happened::Mapped(m) => (m.path, m.start, m.len, m.offset),
                other => panic!("{other:?}"),
            })
            .collect();
        let (text, veth) = (0xffff_ffff_8100_0000, 0xffff_ffff_c040_0000);
        let kernel = (KERNEL.to_owned(), text, 0x100_0000, text);
        assert_eq!(places, [kernel, ("[veth]".to_owned(), veth, 45056, 0)]);
    }

    #[test]
    fn hidden_addresses_are_no_place() {
        let hidden = KALLSYMS
            .replace("ffffffff81", "0000000000")
            .replace("ffffffff82", "0000000000");
        let (_dir, proc) = root_with(&[("proc/kallsyms", &hidden)]);
        assert_eq!(kernel_code(&proc), []);
    }
}
