//! The machine and its kernel: which it is, its modules, its log, its settings.

pub mod accounting;
pub mod identity;
pub mod kernel_code;
pub mod kernel_log;
pub mod modules;
pub mod nodes;
pub mod sysctls;
