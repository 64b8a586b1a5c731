//! The kernel's free counters at the edges of a window: what was carried in between.

use crate::decode::Softnet;

/// What the kernel's free counters say at one edge of a window.
#[derive(Debug, Default)]
pub struct WindowEdge {
    /// CLOCK_MONOTONIC, ns.
    pub at: u64,
    /// Of the chosen CPUs; `None`: it could not be read.
    pub softnet: Option<Vec<(u32, Softnet)>>,
}

impl WindowEdge {
    /// Packets that softnet processed since the other edge; `None`: not known, or a CPU came or went.
    pub fn packets_since(&self, before: &WindowEdge) -> Option<u64> {
        let (before, now) = (before.softnet.as_ref()?, self.softnet.as_ref()?);
        let mut packets = 0;
        for ((cpu, then), (same, now)) in before.iter().zip(now) {
            if cpu != same {
                return None;
            }
            packets += now.since(then).processed;
        }
        (before.len() == now.len()).then_some(packets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(cpus: &[(u32, u64)]) -> WindowEdge {
        let softnet = cpus.iter().map(|&(cpu, processed)| {
            let softnet = Softnet {
                processed,
                ..Softnet::default()
            };
            (cpu, softnet)
        });
        WindowEdge {
            at: 0,
            softnet: Some(softnet.collect()),
        }
    }

    #[test]
    fn packets_of_a_window_are_those_of_its_cpus_if_these_stayed() {
        let opened = edge(&[(0, u64::from(u32::MAX)), (2, 10)]);
        let closed = edge(&[(0, 4), (2, 20)]);
        assert_eq!(closed.packets_since(&opened), Some(15));
        for other in [
            edge(&[(0, 4)]),
            edge(&[(0, 4), (1, 900), (2, 20)]),
            WindowEdge::default(),
        ] {
            assert_eq!(other.packets_since(&opened), None);
            assert_eq!(opened.packets_since(&other), None);
        }
    }
}
