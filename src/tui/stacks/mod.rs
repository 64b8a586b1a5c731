//! The call tree of view 5: what is asked, the tree of the answer, what is open, found and zoomed in it.

pub mod call_tree;
pub mod frame_pointers;
pub mod recursion;
pub mod search;
pub mod stack_query;
pub mod tree_state;
