//! The screen as a function: snapshots and keys in, a buffer of cells and effects out. Knows no
//! terminal, no clock, no file, no kernel.
//!
//! ```text
//!   KeyEvent ─► keymap ─► Action ─► update ─► UiState ─► render ─► Buffer
//!   Arc<Snapshot> ─────────────────────────────┘  └─► Effect ─► mode
//! ```

mod action;
mod baseline;
mod call_tree;
mod events_line;
mod experiment;
mod figure;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod fixture_cpu;
#[cfg(test)]
mod fixture_device;
#[cfg(test)]
mod fixture_profile;
mod footer;
mod frame_pointers;
#[cfg(test)]
mod frames_test;
mod grouping;
mod header;
mod help;
mod history;
mod key;
mod keymap;
mod limits;
mod net_line;
mod pane;
mod probes;
mod prompt;
mod recording;
mod recursion;
mod screen;
mod search;
mod stack_query;
mod state;
mod text;
mod theme;
mod tree_state;
mod update;
mod view;
mod widget;

pub use action::{Action, Effect, Step};
pub use history::MOST_RECORDED;
pub use key::{Key, parse_keys};
pub use keymap::{Binding, Context, KEYMAP, lookup, markdown};
pub use screen::{frame_text, render};
pub use stack_query::Focus;
pub use state::{Options, UiState};
pub use theme::{THEMES, Theme};
