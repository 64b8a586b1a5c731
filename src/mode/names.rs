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

impl DemoNames {
    pub fn new() -> DemoNames {
        DemoNames {
            stages: StageTable::builtin(),
            drivers: ["ice", "mlx4_en"].map(str::to_owned).into_iter().collect(),
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
