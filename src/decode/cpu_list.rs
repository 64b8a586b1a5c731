//! Lists of CPUs as the kernel and users write them: `0-3,7`.

use std::fmt::{self, Display};

/// Larger CPU ids are not believed (the kernel's own limit is 8192).
pub const MOST_CPUS: usize = 1 << 16;

/// Ids, ascending, each once. `None`: that is no list, or an empty one.
pub fn cpu_list(text: &str) -> Option<Vec<u32>> {
    let mut cpus = Vec::new();
    for part in text.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        if last as usize >= MOST_CPUS {
            return None;
        }
        cpus.extend(first..=last);
    }
    cpus.sort_unstable();
    cpus.dedup();
    (!cpus.is_empty()).then_some(cpus)
}

/// Ascending ids as such a list.
pub struct CpuRanges<'a>(pub &'a [u32]);

impl Display for CpuRanges<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runs = self.0.chunk_by(|a, b| a.checked_add(1) == Some(*b));
        for (at, run) in runs.enumerate() {
            let comma = if at > 0 { "," } else { "" };
            match run {
                [only] => write!(f, "{comma}{only}")?,
                [first, .., last] => write!(f, "{comma}{first}-{last}")?,
                [] => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn cpu_lists_are_ranges_and_single_ids() {
        assert_eq!(cpu_list("0-1\n"), Some(vec![0, 1]));
        assert_eq!(cpu_list("7,0,2-3,2"), Some(vec![0, 2, 3, 7]));
        for wrong in ["", "a", "1-", "-1", "0,,1", "0-99999999"] {
            assert_eq!(cpu_list(wrong), None, "{wrong}");
        }
        assert_eq!(cpu_list("3-1"), None, "backwards it names none");
    }

    proptest! {
        #[test]
        fn a_list_that_was_written_is_read_as_it_was(
            cpus in proptest::collection::btree_set(0..MOST_CPUS as u32, 1..40)
        ) {
            let cpus: Vec<u32> = cpus.into_iter().collect();
            let written = CpuRanges(&cpus).to_string();
            prop_assert_eq!(cpu_list(&written), Some(cpus));
        }
    }
}
