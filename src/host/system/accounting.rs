//! Does this kernel charge the time of softirqs to the process that they interrupted?
//! CONFIG_IRQ_TIME_ACCOUNTING and CONFIG_VIRT_CPU_ACCOUNTING_NATIVE account it apart
//! (kernel/sched/cputime.c): the process loses the CPU all the same, and top does not show it.

use crate::host::proc::Proc;

/// Fewer interrupt ticks than this tell nothing.
const TELLING_TICKS: u64 = 1000;

/// The sentence for a kernel that accounts it apart; `None`: it charges the victim, or nobody can
/// tell.
pub fn apart(proc: &Proc) -> Option<String> {
    let how = match config(proc) {
        Some(config) => configured(&config)?,
        None => seen(proc).then_some("the interrupt time of /proc/stat moves")?,
    };
    Some(format!(
        "STOLEN time is not in the CPU% that top shows of a process: this kernel accounts softirqs apart ({how})"
    ))
}

/// What the kernel was built with, where that can be read.
fn config(proc: &Proc) -> Option<String> {
    let release = proc.text("proc/sys/kernel/osrelease").ok()?;
    proc.text(&format!("boot/config-{}", release.trim())).ok()
}

/// The option that accounts it apart.
fn configured(config: &str) -> Option<&'static str> {
    let options = [
        "CONFIG_IRQ_TIME_ACCOUNTING",
        "CONFIG_VIRT_CPU_ACCOUNTING_NATIVE",
    ];
    let on = |option: &&str| config.lines().any(|line| line == format!("{option}=y"));
    options.into_iter().find(on)
}

/// Ticks hardly ever hit an interrupt: where the sixth number of /proc/stat grows, interrupts are
/// timed.
fn seen(proc: &Proc) -> bool {
    let stat = proc.text("proc/stat").unwrap_or_default();
    let ticks: Vec<u64> = (stat.lines().next().unwrap_or_default())
        .split_whitespace()
        .skip(1)
        .map_while(|word| word.parse().ok())
        .collect();
    let [user, nice, system, _idle, _iowait, irq, softirq, ..] = ticks[..] else {
        return false;
    };
    let others = [user, nice, system, softirq];
    let others = others.into_iter().fold(0, u64::saturating_add);
    irq >= TELLING_TICKS && irq > others / 1000
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::proc::tests::root_with;

    #[test]
    fn the_kernels_configuration_decides_where_it_can_be_read() {
        let release = ("proc/sys/kernel/osrelease", "6.8.0\n");
        let stat = ("proc/stat", "cpu 9 0 9 9 9 5000 9 0\n");
        for (config, apart_here) in [
            ("CONFIG_IRQ_TIME_ACCOUNTING=y\n", true),
            ("CONFIG_VIRT_CPU_ACCOUNTING_NATIVE=y\n", true),
            ("# CONFIG_IRQ_TIME_ACCOUNTING is not set\n", false),
        ] {
            let (_dir, proc) = root_with(&[release, ("boot/config-6.8.0", config), stat]);
            assert_eq!(apart(&proc).is_some(), apart_here, "{config}");
        }
    }

    #[test]
    fn without_it_interrupt_time_that_moves_tells() {
        for (stat, apart_here) in [
            ("cpu  90000 0 9000 9 9 5000 9 0\n", true),
            ("cpu  90000 0 9000 9 9 12 9 0\n", false),
            ("cpu  18446744073709551615 442 9000 9 9 5000 9 0\n", false),
            ("cpu  1 2\n", false),
            ("", false),
        ] {
            let (_dir, proc) = root_with(&[("proc/stat", stat)]);
            assert_eq!(apart(&proc).is_some(), apart_here, "{stat}");
        }
    }
}
