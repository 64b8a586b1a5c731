//! What a program has counted per device, from reading to reading. Its table of a CPU has [`CELLS`] cells
//! (count_device of assets/bpf/gate.bpf.c); a cell whose device is quiet is freed when they get scarce, for
//! containers come and go, and each brings a device.

use rustc_hash::FxHashMap;

use crate::decode::{DeviceCounts, EventId};
use crate::sys::{CELLS, DeviceTally, Switchboard, Tally};

/// `ifindex` of polls that belong to no device: a CPU's backlog.
const NO_DEVICE: u32 = u32::MAX;

/// Cells are freed when so many of a table are in use.
const SCARCE: usize = CELLS / 2;

/// … if they have not grown for so many readings in which the CPU had hits.
const IDLE: u32 = 30;

#[derive(Debug)]
struct Seen {
    netns: u32,
    ifindex: u32,
    tally: Tally,
    /// Readings without growth.
    idle: u32,
}

/// Of one program; as of the last reading.
#[derive(Debug, Default)]
pub struct ByDevice {
    /// By CPU and cell.
    cells: FxHashMap<(u32, u32), Seen>,
}

impl ByDevice {
    /// What is there already is not counted.
    pub fn start(board: &Switchboard, program: usize) -> ByDevice {
        let mut started = ByDevice::default();
        for cpu in 0..board.possible() {
            for device in board.devices(cpu, program) {
                started.cells.insert((cpu, device.cell), seen(&device));
            }
        }
        started
    }

    /// The hits since the last reading.
    pub fn read(
        &mut self,
        (event, program): (EventId, usize),
        board: &Switchboard,
        cpu: u32,
        out: &mut Vec<DeviceCounts>,
    ) {
        let devices = board.devices(cpu, program);
        for cell in self.grown(event, cpu, devices, out) {
            board.free_cell(cpu, program, cell);
        }
    }

    /// Returns the cells to be freed.
    fn grown(
        &mut self,
        event: EventId,
        cpu: u32,
        devices: impl Iterator<Item = DeviceTally>,
        out: &mut Vec<DeviceCounts>,
    ) -> Vec<u32> {
        let mut used = Vec::new();
        for device in devices {
            used.push(device.cell);
            let (netns, ifindex, tally) = (device.netns, device.ifindex, device.tally);
            let before = self
                .cells
                .entry((cpu, device.cell))
                .or_insert_with(|| Seen {
                    tally: Tally::default(),
                    ..seen(&device)
                });
            let same = (before.netns, before.ifindex) == (netns, ifindex);
            if !same || tally.hits < before.tally.hits {
                before.tally = Tally::default();
            }
            let idle = if tally.hits > before.tally.hits {
                out.push(DeviceCounts {
                    event,
                    cpu,
                    netns: u64::from(netns),
                    ifindex,
                    name: named(&device),
                    hits: tally.hits - before.tally.hits,
                    packets: tally.packets.saturating_sub(before.tally.packets),
                    bytes: tally.bytes.saturating_sub(before.tally.bytes),
                });
                0
            } else {
                before.idle.saturating_add(1)
            };
            *before = Seen {
                idle,
                ..seen(&device)
            };
        }
        if used.len() <= SCARCE {
            return Vec::new();
        }
        let idle = |cell: &u32| {
            self.cells
                .get(&(cpu, *cell))
                .is_some_and(|c| c.idle >= IDLE)
        };
        let free: Vec<u32> = used.into_iter().filter(idle).collect();
        for cell in &free {
            self.cells.remove(&(cpu, *cell));
        }
        free
    }
}

fn seen(device: &DeviceTally) -> Seen {
    Seen {
        netns: device.netns,
        ifindex: device.ifindex,
        tally: device.tally,
        idle: 0,
    }
}

fn named(device: &DeviceTally) -> String {
    if device.ifindex == NO_DEVICE {
        return "(no_device)".to_owned();
    }
    let end = device.name.iter().position(|&b| b == 0).unwrap_or(16);
    String::from_utf8_lossy(&device.name[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(cell: u32, ifindex: u32, hits: u64) -> DeviceTally {
        let mut name = [0; 16];
        name[..2].copy_from_slice(b"e0");
        DeviceTally {
            cell,
            netns: 7,
            ifindex,
            name,
            tally: Tally {
                hits,
                packets: hits,
                ..Tally::default()
            },
        }
    }

    /// Device and hits of a reading, and what is to be freed.
    fn read(by: &mut ByDevice, cells: &[DeviceTally]) -> (Vec<(u32, u64)>, Vec<u32>) {
        let mut out = Vec::new();
        let free = by.grown(EventId(0), 0, cells.iter().copied(), &mut out);
        (out.iter().map(|d| (d.ifindex, d.hits)).collect(), free)
    }

    #[test]
    fn a_cell_that_went_to_another_device_begins_at_nought() {
        let mut by = ByDevice::default();
        assert_eq!(read(&mut by, &[cell(3, 5, 10)]).0, [(5, 10)]);
        assert_eq!(read(&mut by, &[cell(3, 5, 12)]).0, [(5, 2)]);
        assert_eq!(read(&mut by, &[cell(3, 6, 50)]).0, [(6, 50)]);
        // Freed and taken again by the same device.
        assert_eq!(read(&mut by, &[cell(3, 6, 4)]).0, [(6, 4)]);
    }

    #[test]
    fn a_device_in_two_cells_has_the_hits_of_both() {
        let mut by = ByDevice::default();
        read(&mut by, &[cell(4, 5, 10)]);
        let both = read(&mut by, &[cell(3, 5, 2), cell(4, 5, 11)]).0;
        assert_eq!(both, [(5, 2), (5, 1)]);
    }

    #[test]
    fn quiet_cells_are_freed_when_they_are_scarce_and_only_then() {
        let cells = |count: u32, grown: u64| -> Vec<DeviceTally> {
            let hits = |n: u32| if n == 0 { grown } else { 1 };
            (0..count).map(|n| cell(n, n + 1, hits(n))).collect()
        };
        let (few, many) = (SCARCE as u32, SCARCE as u32 + 1);
        for (count, freed) in [(few, 0), (many, many - 1)] {
            let mut by = ByDevice::default();
            for n in 1..=u64::from(IDLE) {
                assert_eq!(read(&mut by, &cells(count, n)).1, [0_u32; 0]);
            }
            let free = read(&mut by, &cells(count, 100)).1;
            assert_eq!(free.len(), freed as usize);
            assert!(!free.contains(&0), "it has grown");
        }
    }
}
