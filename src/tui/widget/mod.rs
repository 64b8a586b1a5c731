//! Drawing that knows nothing of the model: tables, trees, sparklines, bars, lines that shrink.

pub mod bar;
pub mod spark;
pub mod strip;
pub mod table;
pub mod tree;
