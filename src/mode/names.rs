//! The made-up machine's names, for the engine.

use std::sync::Arc;

use crate::model::{Name, Names};
use crate::source::demo;

pub struct DemoNames;

impl Names for DemoNames {
    fn kernel(&mut self, address: u64) -> Name {
        let text: Arc<str> =
            demo::symbol(address).map_or_else(|| format!("{address:#x}").into(), Into::into);
        Name {
            text,
            settled: true,
        }
    }

    fn user(&mut self, _pid: u32, address: u64) -> Name {
        self.kernel(address)
    }
}
