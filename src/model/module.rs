//! The functions of one kernel module that samples met (`--module`), each with a bit of its own.

use std::sync::Arc;

use super::names::KernelFunction;

/// Functions told apart; those met later share the last bit.
const MOST: usize = 64;

/// What the shared bit stands for.
pub const OTHER_FUNCTIONS: &str = "[others]";

#[derive(Debug)]
pub struct ModuleFunctions {
    module: Arc<str>,
    names: Vec<Arc<str>>,
}

impl ModuleFunctions {
    /// `module` as kallsyms has it, without its brackets.
    pub fn of(module: &str) -> ModuleFunctions {
        ModuleFunctions {
            module: module.into(),
            names: Vec::new(),
        }
    }

    pub fn module(&self) -> &str {
        &self.module
    }

    /// As they are named in the source; the place of each is its bit.
    pub fn names(&self) -> &[Arc<str>] {
        &self.names
    }

    /// The function's bit; 0: it is not of the module.
    pub fn bit(&mut self, function: &KernelFunction) -> u64 {
        if function.module.as_deref() != Some(&*self.module) {
            return 0;
        }
        let known = self.names.iter().position(|name| *name == function.plain);
        let place = known.unwrap_or_else(|| match self.names.len() {
            full if full >= MOST => MOST - 1,
            last if last == MOST - 1 => self.add(OTHER_FUNCTIONS.into()),
            _ => self.add(Arc::clone(&function.plain)),
        });
        1 << place
    }

    fn add(&mut self, name: Arc<str>) -> usize {
        self.names.push(name);
        self.names.len() - 1
    }
}

#[cfg(test)]
mod tests {
    use super::super::stage::Kind;
    use super::*;

    fn function(name: &str, module: Option<&str>) -> KernelFunction {
        KernelFunction {
            plain: name.into(),
            module: module.map(Into::into),
            kind: Kind::default(),
        }
    }

    #[test]
    fn only_the_modules_functions_have_a_bit_and_each_keeps_its_own() {
        let mut functions = ModuleFunctions::of("veth");
        assert_eq!(functions.bit(&function("net_rx_action", None)), 0);
        assert_eq!(functions.bit(&function("ice_napi_poll", Some("ice"))), 0);
        assert_eq!(functions.bit(&function("veth_poll", Some("veth"))), 1);
        assert_eq!(functions.bit(&function("veth_xmit", Some("veth"))), 2);
        assert_eq!(functions.bit(&function("veth_poll", Some("veth"))), 1);
        assert_eq!(functions.names().len(), 2);
    }

    #[test]
    fn a_module_with_too_many_functions_has_one_bit_for_the_rest() {
        let mut functions = ModuleFunctions::of("big");
        let mut bit = |n: usize| functions.bit(&function(&format!("f{n}"), Some("big")));
        let first: Vec<u64> = (0..63).map(&mut bit).collect();
        assert_eq!(first.iter().fold(0, |all, bit| all | bit), u64::MAX >> 1);
        assert_eq!((bit(63), bit(64), bit(100)), (1 << 63, 1 << 63, 1 << 63));
        assert_eq!(bit(5), 1 << 5);
        assert_eq!(&*functions.names()[63], OTHER_FUNCTIONS);
    }
}
