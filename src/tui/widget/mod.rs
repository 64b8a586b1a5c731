//! Drawing that knows nothing of the model: tables, trees, flame graphs, sparklines, bars, heat, lines that shrink.

pub mod bar;
pub mod difference;
pub mod flame;
pub mod heat;
pub mod spark;
pub mod strip;
pub mod table;
pub mod tree;
