//! Devices at the end of an interval, and what they and the processes make the CPUs do.

use super::Engine;
use crate::decode::Tick;
use crate::model::{Busy, Cpu, Device, Ranked};

/// Devices that exports have one by one; as many more where they matter.
pub const MOST_DEVICES: usize = 64;

impl Engine {
    /// The rows of the devices at the end of an interval; fills the CPUs' part of it. `order`: the CPU
    /// of each column of the interrupts.
    pub(super) fn device_rows(
        &mut self,
        tick: &Tick,
        cpus: &mut [Cpu],
        order: &[u32],
    ) -> Ranked<Device> {
        for counts in &tick.devices {
            let row = self.registry.row_of(counts.event);
            if let Some(place) = row.and_then(|row| self.registry.rows[row].probe.point()) {
                self.devices.counted(place, counts);
            }
        }
        let devices = self.devices.finish(tick.at, cpus, order);
        for cpu in cpus {
            let occupied = self.cpu_time.occupied.get(&cpu.cpu).into_iter().flatten();
            let busy = occupied.map(|&(pid, cpu_pct)| Busy {
                pid,
                comm: self.processes.name(pid).to_string(),
                cpu_pct,
            });
            cpu.processes = busy.collect();
        }
        if self.want.all {
            return devices.into();
        }
        let wanted = self.want.device.as_deref();
        let matters = |device: &Device| device.matters() || wanted == Some(&device.name);
        Ranked::first(devices, MOST_DEVICES, matters)
    }
}
