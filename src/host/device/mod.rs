//! Network devices: links and qdiscs, queues and their interrupts, drivers, and how each is set up.

pub mod device_details;
pub mod driver_counters;
pub mod drivers;
pub mod interrupts;
pub mod link_setup;
pub mod links;
pub mod net_dev;
pub mod qdiscs;
pub mod queues;
pub mod stacked;
