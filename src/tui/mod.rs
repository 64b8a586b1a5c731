//! The screen as a function: snapshots and keys in, a buffer of cells and effects out. Knows no
//! terminal, no clock, no file, no kernel.
//!
//! ```text
//!   KeyEvent ─► keymap ─► Action ─► update ─► UiState ─► render ─► Buffer
//!   Arc<Snapshot> ─────────────────────────────┘  └─► Effect ─► mode
//! ```
//!
//! `input`: from a key to an action. `state`: what actions and snapshots make of `UiState`. `stacks`: the
//! call tree of view 5. `screen` lays out, `chrome` draws the lines around every view, `view` has one file a
//! view (and one for the pane below it), `widget` what they are drawn with.

mod chrome;
mod figure;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod frames_test;
mod input;
mod screen;
mod stacks;
mod state;
mod text;
mod theme;
mod view;
mod widget;

pub use self::input::action::{Action, Effect, Step};
pub use self::input::key::{Key, parse_keys};
pub use self::input::keymap::{Binding, Context, KEYMAP, lookup, markdown};
pub use self::stacks::stack_query::Focus;
pub use self::state::history::MOST_RECORDED;
pub use screen::{frame_text, render};
pub use state::{Options, UiState};
pub use theme::{THEMES, Theme};
