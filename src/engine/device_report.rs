//! Devices at the end of an interval, and what they and the processes make the CPUs do.

use super::Engine;
use super::devices::Which;
use crate::decode::Tick;
use crate::model::{Busy, Cpu, Device, OtherDevices, Ranked};

impl Engine {
    /// The rows of the devices at the end of an interval; fills the CPUs' part of it. `order`: the CPU
    /// of each column of the interrupts.
    pub(super) fn device_rows(
        &mut self,
        tick: &Tick,
        cpus: &mut [Cpu],
        order: &[u32],
    ) -> (Ranked<Device>, Option<OtherDevices>) {
        for counts in &tick.devices {
            let row = self.registry.row_of(counts.event);
            if let Some(place) = row.and_then(|row| self.registry.rows[row].probe.point()) {
                self.devices.counted(place, counts);
            }
        }
        let which = Which {
            all: self.want.all,
            listed: self.want.list_devices,
            wanted: self.want.device.as_deref(),
        };
        let devices = self.devices.finish(tick.at, (cpus, order), &which);
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
