//! The made-up machine's names, for the engine.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use crate::model::{KernelFunction, Name, Names, StageId};
use crate::source::demo;
use crate::symbol::StageTable;

pub struct DemoNames {
    stages: StageTable,
    drivers: FxHashSet<String>,
}

/// Modules that drive its network devices.
pub const DEMO_DRIVERS: [&str; 2] = ["ice", "mlx4_en"];

impl Default for DemoNames {
    fn default() -> DemoNames {
        DemoNames {
            stages: StageTable::builtin(),
            drivers: DEMO_DRIVERS.map(str::to_owned).into_iter().collect(),
        }
    }
}

impl Names for DemoNames {
    fn kernel(&mut self, address: u64) -> Name {
        let text: Arc<str> =
            demo::symbol(address).map_or_else(|| format!("{address:#x}").into(), Into::into);
        Name {
            text,
            settled: true,
        }
    }

    fn function(&mut self, address: u64) -> Option<KernelFunction> {
        let name = self.kernel(address);
        Some(self.stages.function(&name.text, &self.drivers))
    }

    fn stage(&self, stage: StageId) -> &'static str {
        self.stages.name(stage)
    }

    fn user(&mut self, _pid: u32, address: u64, frames: &mut Vec<Arc<str>>) -> bool {
        frames.push(self.kernel(address).text);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;
    use crate::decode::{CONTEXT_MAX, CONTEXT_USER, Demand, EventId};
    use crate::model::{Context, Kind, Task, judge};
    use crate::source::demo::{Demo, Pace};
    use crate::source::{Source, Step};

    /// Judged CPU samples of ten busy seconds: all of them, and those of each stage, of each
    /// context, of nowhere in the network.
    #[derive(Default)]
    struct Judged {
        all: f64,
        network: f64,
        stages: BTreeMap<&'static str, f64>,
        contexts: BTreeMap<String, f64>,
        stageless: BTreeMap<String, f64>,
    }

    fn judged() -> Judged {
        let mut names = DemoNames::default();
        let mut demo = Demo::new(1, Pace::AsFastAsPossible, Vec::new());
        demo.demand(&Demand {
            interval: Duration::from_secs(1),
            clock_hz: 1_000,
            ..Demand::default()
        });
        let mut judged = Judged::default();
        let mut known = BTreeMap::new();
        let mut ticks = 0;
        while ticks < 11 {
            let batch = match demo.step(Duration::ZERO).expect("the demo never fails") {
                Step::Batch(batch) => batch,
                Step::Tick(_) => {
                    ticks += 1;
                    continue;
                }
                other => panic!("{other:?}"),
            };
            for sample in &batch.samples {
                assert_eq!(sample.event, EventId::CLOCK);
                let chain = sample.chain.of(&batch.frames);
                let kernel = chain.iter().take_while(|&&address| address != CONTEXT_USER);
                let kernel: Vec<_> = kernel.copied().filter(|a| *a < CONTEXT_MAX).collect();
                let kinds: Vec<Kind> = kernel
                    .iter()
                    .map(|&address| {
                        let mut looked_up = || names.function(address).expect("a name of the demo");
                        *known.entry(address).or_insert_with(|| looked_up().kind)
                    })
                    .collect();
                let verdict = judge(&kinds, Task::of(sample.pid, &kinds));
                judged.all += 1.0;
                let context = format!("{:?}", verdict.context);
                *judged.contexts.entry(context).or_default() += 1.0;
                match verdict.exclusive {
                    Some(stage) => *judged.stages.entry(names.stage(stage)).or_default() += 1.0,
                    None if verdict.context != Context::Idle && !kernel.is_empty() => {
                        let leaf = names.kernel(kernel[0]).text.to_string();
                        *judged.stageless.entry(leaf).or_default() += 1.0;
                    }
                    None => {}
                }
                if verdict.network {
                    judged.network += 1.0;
                }
            }
        }
        judged
    }

    #[test]
    fn the_demo_is_a_host_that_mainly_receives_by_its_own_stage_table() {
        let judged = judged();
        let cores = 4.0 * judged.network / judged.all;
        assert!((1.3..2.2).contains(&cores), "{cores} cores");
        let share = |stage: &str| judged.stages.get(stage).unwrap_or(&0.0) / judged.network;
        let driven = share("driver") + share("napi") + share("gro");
        assert!(
            (0.33..0.47).contains(&driven),
            "{driven} {:?}",
            judged.stages
        );
        for (stage, least) in [
            ("driver", 0.1),
            ("gro", 0.15),
            ("tcp", 0.12),
            ("copy", 0.08),
            ("skb_mem", 0.05),
            ("ip", 0.02),
            ("udp", 0.02),
            ("core_rx", 0.01),
            ("napi", 0.01),
            ("sock_wake", 0.01),
            ("socket", 0.01),
            ("xmit", 0.002),
            ("qdisc", 0.002),
            ("virt_dev", 0.0005),
        ] {
            assert!(share(stage) > least, "{stage}: {}", share(stage));
        }
        let in_interrupts = judged.stages["driver_irq"] / judged.all;
        assert!((0.001..0.02).contains(&in_interrupts), "{in_interrupts}");
    }

    #[test]
    fn every_context_of_the_demo_has_its_share_and_little_has_no_stage() {
        let judged = judged();
        for (context, least) in [
            ("Idle", 0.3),
            ("Softirq", 0.1),
            ("Ksoftirqd", 0.05),
            ("Process", 0.1),
            ("Interrupt", 0.001),
        ] {
            let share = judged.contexts.get(context).unwrap_or(&0.0) / judged.all;
            assert!(share > least, "{context}: {share}");
        }
        let leaves: Vec<_> = judged.stageless.keys().map(String::as_str).collect();
        assert_eq!(leaves, ["__do_softirq", "do_syscall_64"]);
    }
}
