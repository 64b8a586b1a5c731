//! What rules need to see, and why they could not be judged here or now.

use super::limits::Limits;
use super::rules::Rule;
use super::window::Window;
use crate::model::{Role, Snapshot};

/// What a rule needs to be judged at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// CPU samples.
    CpuTime,
    /// Drop reasons (events).
    Reasons,
    /// Counters of /proc.
    Counters,
    /// How the devices are set up.
    Devices,
    /// Which interrupts are a device's.
    Interrupts,
    /// What drivers say of their queues.
    Queues,
    /// How full polls are.
    Polls,
    /// What GRO merges, per device.
    Gro,
    /// How long packets wait.
    Latency,
}

impl Signal {
    /// What it is, for docs/advice.md.
    pub fn name(self) -> &'static str {
        match self {
            Signal::CpuTime => "CPU samples",
            Signal::Reasons => "drop reasons",
            Signal::Counters => "counters of /proc",
            Signal::Devices => "setup of devices",
            Signal::Interrupts => "interrupts of devices",
            Signal::Queues => "queues of drivers",
            Signal::Polls => "fill of polls",
            Signal::Gro => "GRO by device",
            Signal::Latency => "latency",
        }
    }

    /// Why it cannot be had; `None`: it is here.
    pub fn missing(self, snapshot: &Snapshot) -> Option<&'static str> {
        let rows = &snapshot.functions;
        let devices = &snapshot.devices;
        match self {
            Signal::CpuTime if snapshot.summary.net_cores.is_none() => {
                Some("CPU time is not sampled")
            }
            Signal::CpuTime if snapshot.filter.module.is_some() => {
                Some("the CPU time is that of one module (--module)")
            }
            Signal::Reasons
                if rows
                    .iter()
                    .any(|f| f.role == Some(Role::Drops) && f.rate.is_none()) =>
            {
                Some("kfree_skb is not counted")
            }
            Signal::Counters if snapshot.cpus.is_empty() => {
                Some("the counters of /proc cannot be read")
            }
            Signal::Devices if devices.iter().all(|d| d.setup.is_none()) => {
                Some("the devices' setup cannot be read")
            }
            Signal::Interrupts if devices.iter().all(|d| d.irqs.is_empty()) => {
                Some("no interrupt here is known to be a device's")
            }
            Signal::Queues
                if devices
                    .iter()
                    .all(|d| d.queues.iter().all(|q| q.rate.is_none())) =>
            {
                Some("no driver here tells what its queues carry")
            }
            Signal::Polls if devices.iter().all(|d| d.full_polls_pct.is_none()) => {
                Some("no poll of a device was sampled")
            }
            Signal::Gro if devices.iter().all(|d| d.gro_ratio.is_none()) => {
                Some("what goes into GRO and comes out is not counted by device")
            }
            Signal::Latency if snapshot.latency.iter().all(|l| l.crossed_cpu_pct.is_none()) => {
                Some("waits are not measured (view 7, or --latency)")
            }
            _ => None,
        }
    }
}

/// What makes rules blind for a while, whatever they look at (signals.md 5.0, global guards).
#[derive(Default)]
pub struct Hindrance {
    /// Percent of the samples that were lost, where that is too many: what is missing may be what
    /// a rule would need.
    lost_pct: Option<f64>,
    /// The CPU of which the hypervisor takes too much, and how much, percent: shares of CPU time
    /// mean nothing then.
    stolen: Option<(u32, f64)>,
}

pub fn hindrance(window: &Window<'_>, limits: &Limits) -> Hindrance {
    let stolen = window.cpus().into_iter();
    let stolen = stolen.filter_map(|cpu| Some((cpu.cpu, cpu.steal_pct?)));
    Hindrance {
        lost_pct: Some(window.lost_pct()).filter(|pct| *pct > limits.get("lost_pct")),
        stolen: stolen
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .filter(|(_, pct)| *pct > limits.get("steal_pct")),
    }
}

impl Hindrance {
    pub fn why(&self, rule: &Rule) -> Option<String> {
        if let Some(pct) = self.lost_pct {
            return Some(format!("{pct:.0}% of the samples were lost"));
        }
        let (cpu, pct) = self.stolen.filter(|_| rule.needs == Signal::CpuTime)?;
        Some(format!("the hypervisor takes {pct:.0}% of cpu{cpu} away"))
    }

    pub fn lets(&self, rule: &Rule) -> bool {
        self.why(rule).is_none()
    }
}
