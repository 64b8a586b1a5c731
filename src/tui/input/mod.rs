//! From a key to what it means: keys, the table of bindings, actions, and the line that is typed in.

pub mod action;
pub mod key;
pub mod keymap;
pub mod prompt;
