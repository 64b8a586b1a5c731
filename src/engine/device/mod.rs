//! Devices and what they carried.

pub mod device_parts;
pub mod devices;
pub mod traffic;
