//! Call chains, each kept once. Memory is bounded by what is referenced: a chain that no
//! interval of the window holds any more leaves the table.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::judged::{Judged, KernelFrames};
use super::names::{NOWHERE, Names};

/// Chain entries from here up are PERF_CONTEXT_* markers (linux/perf_event.h), not addresses.
const CONTEXT_MAX: u64 = (-4095i64) as u64;
const CONTEXT_USER: u64 = (-512i64) as u64;

/// Where user code can lie on any architecture: above the null page, below 2^56.
const USER_SPACE: std::ops::Range<u64> = 0x1000..1 << 56;

/// Distinct chains that are kept: of the window and an interval (about 300 bytes each).
const CHAINS: usize = 72 * 1024;

/// Cells that an interval keeps apart: as many as chains times the CPUs they ran on.
pub const CELLS_PER_INTERVAL: usize = 128 * 1024;

/// A chain's slot; valid while it is held.
pub type ChainId = u32;

#[derive(Debug, Default)]
pub struct ChainTable {
    /// Key: the pid, then the chain as the kernel gave it, markers included.
    ids: FxHashMap<Arc<[u64]>, ChainId>,
    slots: Vec<Slot>,
    free: Vec<ChainId>,
    scratch: Vec<u64>,
}

/// Names of a chain's frames, leaf first.
pub type Frames = Arc<[Arc<str>]>;

#[derive(Debug, Default)]
struct Slot {
    key: Option<Arc<[u64]>>,
    holds: u32,
    /// Names once every frame of it is settled, and in which epoch ([`Names::epoch`]).
    names: Option<(u32, Frames)>,
    judged: Option<Judged>,
}

/// The frames of hits that were kept without a stack.
pub fn others() -> Frames {
    Arc::from([Arc::from("[others]")])
}

/// A frame of a chain; all but the innermost of a part are looked up at the call, which is one
/// byte before the return address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    Kernel(u64),
    User(u64),
}

/// The frames of a chain as the kernel gave it, markers included.
pub fn entries(chain: &[u64]) -> impl Iterator<Item = Entry> + '_ {
    let (mut user, mut leaf) = (false, true);
    chain.iter().filter_map(move |&entry| {
        if entry >= CONTEXT_MAX {
            user = entry == CONTEXT_USER;
            leaf = true;
            return None;
        }
        let address = if leaf { entry } else { entry.saturating_sub(1) };
        leaf = false;
        Some(if user {
            Entry::User(address)
        } else {
            Entry::Kernel(address)
        })
    })
}

impl ChainTable {
    /// The id of a sampled chain, for a caller that holds it at once or lets it go. `None`: there is
    /// no chain, or it is new and there are too many.
    pub fn meet(&mut self, pid: u32, chain: &[u64]) -> Option<ChainId> {
        if chain.is_empty() {
            return None;
        }
        self.make_key(pid, chain);
        let known = self.ids.get(self.scratch.as_slice()).copied();
        known.or_else(|| (self.ids.len() < CHAINS).then(|| self.add()))
    }

    /// Lets go of a chain that was only met.
    pub fn forgo(&mut self, id: ChainId) {
        if self.slots[id as usize].holds == 0 {
            self.hold_again(id);
            self.release(id);
        }
    }

    fn make_key(&mut self, pid: u32, chain: &[u64]) {
        self.scratch.clear();
        self.scratch.push(u64::from(pid));
        let mut user = false;
        for &entry in chain {
            if entry >= CONTEXT_MAX {
                user = entry == CONTEXT_USER;
            } else if user && !USER_SPACE.contains(&entry) {
                // No frame pointers: the kernel followed a register that held something else.
                continue;
            }
            self.scratch.push(entry);
        }
    }

    /// The id of a chain, held once more by the caller.
    pub fn hold(&mut self, pid: u32, chain: &[u64]) -> ChainId {
        self.make_key(pid, chain);
        let known = self.ids.get(self.scratch.as_slice()).copied();
        let id = known.unwrap_or_else(|| self.add());
        self.hold_again(id);
        id
    }

    /// A chain for the key that was made, held by nobody yet.
    fn add(&mut self) -> ChainId {
        let key: Arc<[u64]> = self.scratch.as_slice().into();
        let slot = Slot {
            key: Some(Arc::clone(&key)),
            holds: 0,
            names: None,
            judged: None,
        };
        let id = if let Some(id) = self.free.pop() {
            self.slots[id as usize] = slot;
            id
        } else {
            self.slots.push(slot);
            (self.slots.len() - 1) as ChainId
        };
        self.ids.insert(key, id);
        id
    }

    pub fn hold_again(&mut self, id: ChainId) {
        self.slots[id as usize].holds += 1;
    }

    pub fn release(&mut self, id: ChainId) {
        let slot = &mut self.slots[id as usize];
        slot.holds -= 1;
        if slot.holds == 0 {
            if let Some(key) = slot.key.take() {
                self.ids.remove(&key);
            }
            slot.names = None;
            slot.judged = None;
            self.free.push(id);
        }
    }

    /// The outermost `most` frames of a held chain, as a chain of its own.
    pub fn outermost(&self, id: ChainId, most: usize) -> Vec<u64> {
        let key = self.slots[id as usize].key.as_deref().unwrap_or(&[]);
        let chain = key.get(1..).unwrap_or(&[]);
        let mut kept = 0;
        let mut start = chain.len();
        while start > 0 && kept < most {
            start -= 1;
            kept += usize::from(chain[start] < CONTEXT_MAX);
        }
        let marker = chain[..start].iter().rfind(|&&entry| entry >= CONTEXT_MAX);
        let mut outer: Vec<u64> = marker.into_iter().chain(&chain[start..]).copied().collect();
        let inside_a_part = start > 0 && chain[start - 1] < CONTEXT_MAX;
        if let (true, Some(leaf)) = (inside_a_part, outer.get_mut(1)) {
            // It was a return address; as the innermost frame it is looked up where it is.
            *leaf -= 1;
        }
        outer
    }

    /// How many chains are held.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The frames' names, leaf first.
    pub fn names(&mut self, id: ChainId, names: &mut dyn Names) -> Frames {
        let slot = &mut self.slots[id as usize];
        let epoch = names.epoch();
        if let Some((_, known)) = slot.names.as_ref().filter(|(at, _)| *at == epoch) {
            return Arc::clone(known);
        }
        let key = slot.key.as_deref().unwrap_or(&[]);
        let Some((&pid, chain)) = key.split_first() else {
            return Arc::from([]);
        };
        let mut settled = true;
        let mut frames = Vec::with_capacity(chain.len());
        let kernel = entries(chain).filter(|entry| matches!(entry, Entry::Kernel(_)));
        let kernel = kernel.count();
        for entry in entries(chain) {
            match entry {
                Entry::User(address) => settled &= names.user(pid as u32, address, &mut frames),
                Entry::Kernel(address) => {
                    let name = names.kernel(address);
                    settled &= name.settled;
                    frames.push(name.text);
                }
            }
        }
        // Code without frame pointers leads the kernel out of what is mapped: no caller is there.
        while frames.len() > kernel + 1 && frames.last().is_some_and(|last| **last == *NOWHERE) {
            frames.pop();
        }
        let frames: Frames = frames.into();
        if settled {
            slot.names = Some((epoch, Arc::clone(&frames)));
        }
        frames
    }

    /// The verdict on the chain; `None`: names are still being looked up.
    pub fn judged(
        &mut self,
        id: ChainId,
        frames: &mut KernelFrames,
        names: &mut dyn Names,
    ) -> Option<Judged> {
        let slot = &mut self.slots[id as usize];
        if slot.judged.is_none() {
            let (&pid, chain) = slot.key.as_deref()?.split_first()?;
            slot.judged = frames.judge(pid as u32, chain, names);
        }
        slot.judged
    }
}

#[cfg(test)]
mod tests {
    use super::super::names::{KernelFunction, Name};
    use super::super::stage::StageId;
    use super::*;

    /// Says in which epoch it was asked.
    struct Later(u32);

    impl Names for Later {
        fn kernel(&mut self, _: u64) -> Name {
            Name {
                text: format!("in {}", self.0).into(),
                settled: true,
            }
        }
        fn function(&mut self, _: u64) -> Option<KernelFunction> {
            None
        }
        fn stage(&self, _: StageId) -> &'static str {
            "none"
        }
        fn user(&mut self, _: u32, _: u64, _: &mut Vec<Arc<str>>) -> bool {
            true
        }
        fn epoch(&self) -> u32 {
            self.0
        }
    }

    #[test]
    fn names_are_asked_for_again_in_another_epoch_only() {
        let mut chains = ChainTable::default();
        let id = chains.hold(7, &[0xffff_8000_0000_1000]);
        let first = chains.names(id, &mut Later(0));
        assert_eq!(&*first[0], "in 0");
        assert!(Arc::ptr_eq(&first, &chains.names(id, &mut Later(0))));
        assert_eq!(&*chains.names(id, &mut Later(1))[0], "in 1");
    }

    struct Hex;

    impl Names for Hex {
        fn kernel(&mut self, address: u64) -> Name {
            Name {
                text: format!("k{address}").into(),
                settled: true,
            }
        }
        fn function(&mut self, _: u64) -> Option<KernelFunction> {
            None
        }
        fn stage(&self, _: StageId) -> &'static str {
            "none"
        }
        fn user(&mut self, pid: u32, address: u64, frames: &mut Vec<Arc<str>>) -> bool {
            // Nothing is mapped below.
            frames.push(match address {
                ..20_000 => NOWHERE.into(),
                _ => format!("u{pid}:{address}").into(),
            });
            true
        }
    }

    const KERNEL: u64 = (-128i64) as u64;

    fn named(table: &mut ChainTable, id: ChainId) -> Vec<String> {
        table
            .names(id, &mut Hex)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn callers_are_looked_up_at_their_call_and_leaves_where_they_are() {
        let mut table = ChainTable::default();
        let id = table.hold(9, &[KERNEL, 100, 200, CONTEXT_USER, 30000, 40000]);
        assert_eq!(
            named(&mut table, id),
            ["k100", "k199", "u9:30000", "u9:39999"]
        );
    }

    #[test]
    fn words_that_cannot_be_user_code_are_no_frames_and_make_no_chains_of_their_own() {
        let mut table = ChainTable::default();
        let ids: Vec<ChainId> = (0..10)
            .map(|junk| {
                table.hold(
                    9,
                    &[
                        KERNEL,
                        100,
                        CONTEXT_USER,
                        30000,
                        0x6efe_d7c8_0000_00ff + junk,
                    ],
                )
            })
            .collect();
        assert!(ids.iter().all(|&id| id == ids[0]));
        assert_eq!(named(&mut table, ids[0]), ["k100", "u9:30000"]);
    }

    #[test]
    fn outermost_frames_where_nothing_is_mapped_are_no_callers() {
        let mut table = ChainTable::default();
        for (chain, expected) in [
            (
                [CONTEXT_USER, 30000, 9001, 40001, 9001, 9002],
                vec!["u9:30000", NOWHERE, "u9:40000"],
            ),
            (
                [KERNEL, 100, CONTEXT_USER, 9001, 9002, 9003],
                vec!["k100", NOWHERE],
            ),
        ] {
            let id = table.hold(9, &chain);
            assert_eq!(named(&mut table, id), expected);
        }
    }

    #[test]
    fn equal_chains_of_one_process_share_a_slot_and_other_processes_do_not() {
        let mut table = ChainTable::default();
        let a = table.hold(1, &[5, 6]);
        assert_eq!(table.hold(1, &[5, 6]), a);
        assert_ne!(table.hold(2, &[5, 6]), a);
        assert_eq!(table.len(), 2);
    }

    #[test]
    fn with_too_many_chains_the_known_ones_are_still_told_apart() {
        let mut table = ChainTable::default();
        let first = table.meet(1, &[5]);
        for new in 1..CHAINS as u64 {
            assert!(table.meet(1, &[100 + new]).is_some());
        }
        assert_eq!(table.meet(1, &[5]), first);
        assert_eq!(table.meet(1, &[6]), None);
        assert_eq!(table.meet(1, &[]), None, "no chain at all");
        table.forgo(first.expect("it was met"));
        assert!(table.meet(1, &[6]).is_some(), "there is room again");
    }

    #[test]
    fn a_chain_leaves_with_its_last_hold_and_its_slot_is_used_again() {
        let mut table = ChainTable::default();
        let a = table.hold(1, &[5]);
        table.hold_again(a);
        table.release(a);
        assert_eq!(table.len(), 1);
        table.release(a);
        assert!(table.is_empty());
        assert_eq!(table.hold(1, &[7]), a);
    }
}
