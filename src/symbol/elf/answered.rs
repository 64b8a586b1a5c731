//! What files have answered: programs that come and go map the same libraries, and nobody reads a
//! file again for what it has said.

use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;

use super::Found;
use super::mapped_file::Identity;
use crate::symbol::answer::Extent;

/// Answers kept, some 300 bytes each; at so many all are forgotten.
const MOST: usize = 1 << 13;

/// By file and offset in it.
type Answers = FxHashMap<(Identity, u64), (Vec<Found>, Extent)>;

#[derive(Clone, Default)]
pub struct Answered(Arc<Mutex<Answers>>);

impl Answered {
    /// What the file has said of an offset, if that is the whole or `table` will do.
    pub fn get(&self, file: &Identity, offset: u64, table: bool) -> Option<(Vec<Found>, Extent)> {
        let said = self.with(|answers| answers.get(&(*file, offset)).cloned());
        said.filter(|(_, extent)| table || *extent == Extent::Whole)
    }

    pub fn keep(&self, file: &Identity, offset: u64, functions: &[Found], extent: Extent) {
        self.with(|answers| {
            if answers.len() >= MOST {
                answers.clear();
            }
            answers.insert((*file, offset), (functions.to_vec(), extent));
        });
    }

    fn with<T>(&self, work: impl FnOnce(&mut Answers) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_kept_by_file_and_offset_and_not_without_end() {
        let answered = Answered::default();
        let other = Identity {
            inode: 1,
            ..Identity::default()
        };
        let found = [Found {
            function: "f".to_owned(),
            place: None,
        }];
        answered.keep(&other, 7, &found, Extent::Table);
        assert_eq!(answered.get(&other, 7, false), None);
        let said = |extent| Some((found.to_vec(), extent));
        assert_eq!(answered.get(&other, 7, true), said(Extent::Table));
        answered.keep(&other, 7, &found, Extent::Whole);
        assert_eq!(answered.get(&other, 7, false), said(Extent::Whole));
        let has = |file, offset| answered.get(file, offset, true).is_some();
        assert!(!has(&other, 8) && !has(&Identity::default(), 7));
        for offset in 0..2 * MOST as u64 {
            answered.keep(&Identity::default(), offset, &[], Extent::Whole);
        }
        assert!(answered.with(|answers| answers.len()) <= MOST);
    }
}
