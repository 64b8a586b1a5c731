//! Devices at the end of an interval, and what they and the processes make the CPUs do.

use super::Engine;
use crate::decode::DeviceCounts;
use crate::model::{Busy, Cpu, Device};

impl Engine {
    /// The rows of the devices; fills the CPUs' part of it. `order`: the CPU of each column of
    /// the interrupts.
    pub(super) fn device_rows(
        &mut self,
        counted: &[DeviceCounts],
        cpus: &mut [Cpu],
        order: &[u32],
    ) -> Vec<Device> {
        for counts in counted {
            let row = self.registry.row_of(counts.event);
            if let Some(place) = row.and_then(|row| self.registry.rows[row].probe.point()) {
                self.devices.counted(place, counts);
            }
        }
        let devices = self.devices.finish(cpus, order);
        for cpu in cpus {
            let occupied = self.cpu_time.occupied.get(&cpu.cpu).into_iter().flatten();
            let busy = occupied.map(|&(pid, cpu_pct)| Busy {
                pid,
                comm: self.processes.name(pid).to_string(),
                cpu_pct,
            });
            cpu.processes = busy.collect();
        }
        devices
    }
}
