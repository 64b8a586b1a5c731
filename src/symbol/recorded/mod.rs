//! Names for recordings: what they carry, or what this host has of the same builds.

pub mod perf_file;
pub mod perf_file_kernel;
pub mod perf_file_user;
pub mod recorded_names;
