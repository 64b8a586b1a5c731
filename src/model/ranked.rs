//! Rows of which exports have the first ones only, and those that matter in any case: a snapshot of a
//! host with thousands of devices stays readable.

use std::ops::{Deref, DerefMut};

use serde::{Serialize, Serializer};

#[derive(Debug, Clone, PartialEq)]
pub struct Ranked<T> {
    rows: Vec<T>,
    /// How many of the first rows are exported.
    first: usize,
    /// Others that are exported, ascending.
    also: Vec<usize>,
    /// How many rows were here and are no longer.
    forgotten: usize,
}

impl<T> Ranked<T> {
    /// The `first` rows, and as many of the others that `matter`.
    pub fn first(rows: Vec<T>, first: usize, matter: impl Fn(&T) -> bool) -> Ranked<T> {
        let others = rows.iter().enumerate().skip(first);
        let also = others.filter(|(_, row)| matter(row)).map(|(at, _)| at);
        Ranked {
            also: also.take(first).collect(),
            rows,
            first,
            forgotten: 0,
        }
    }

    /// Frees the rows that exports do not have.
    pub fn forget_left_out(&mut self) {
        let (first, before) = (self.first, self.rows.len());
        let also = std::mem::take(&mut self.also);
        let mut at = 0;
        self.rows.retain(|_| {
            at += 1;
            at <= first || also.binary_search(&(at - 1)).is_ok()
        });
        self.rows.shrink_to_fit();
        self.forgotten += before - self.rows.len();
        self.first = usize::MAX;
    }

    /// How many rows [`Ranked::forget_left_out`] has freed.
    pub fn forgotten(&self) -> usize {
        self.forgotten
    }

    /// The rows that exports have.
    pub fn exported(&self) -> impl Iterator<Item = &T> {
        let also = self.also.iter().filter_map(|at| self.rows.get(*at));
        self.rows.iter().take(self.first).chain(also)
    }

    /// And those that they do not have.
    pub fn left_out(&self) -> impl Iterator<Item = &T> {
        let others = self.rows.iter().enumerate().skip(self.first);
        others
            .filter(|(at, _)| self.also.binary_search(at).is_err())
            .map(|(_, row)| row)
    }
}

impl<T: Clone> Ranked<&T> {
    pub fn cloned(self) -> Ranked<T> {
        Ranked {
            rows: self.rows.into_iter().cloned().collect(),
            first: self.first,
            also: self.also,
            forgotten: self.forgotten,
        }
    }
}

impl<T> DerefMut for Ranked<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.rows
    }
}

/// All of them are exported.
impl<T> From<Vec<T>> for Ranked<T> {
    fn from(rows: Vec<T>) -> Ranked<T> {
        Ranked {
            rows,
            first: usize::MAX,
            also: Vec::new(),
            forgotten: 0,
        }
    }
}

impl<T> FromIterator<T> for Ranked<T> {
    fn from_iter<I: IntoIterator<Item = T>>(rows: I) -> Ranked<T> {
        Vec::from_iter(rows).into()
    }
}

impl<T> Default for Ranked<T> {
    fn default() -> Ranked<T> {
        Vec::new().into()
    }
}

impl<T> Deref for Ranked<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.rows
    }
}

impl<'a, T> IntoIterator for &'a Ranked<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.rows.iter()
    }
}

impl<T: Serialize> Serialize for Ranked<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.exported())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rows_and_those_that_matter_are_exported_and_the_others_are_left_out() {
        let rows = Ranked::first((0..10).collect(), 2, |row| row % 4 == 1);
        assert_eq!(rows.exported().copied().collect::<Vec<_>>(), [0, 1, 5, 9]);
        assert_eq!(
            rows.left_out().copied().collect::<Vec<_>>(),
            [2, 3, 4, 6, 7, 8]
        );
        assert_eq!(serde_json::to_string(&rows).expect("numbers"), "[0,1,5,9]");
        assert_eq!(rows.len(), 10);
        let mut less = rows.clone();
        less.forget_left_out();
        assert_eq!((less.to_vec(), less.forgotten()), (vec![0, 1, 5, 9], 6));
        assert_eq!(less.exported().count(), 4);
        let many = Ranked::first((0..10).collect(), 2, |_| true);
        assert_eq!(many.exported().count(), 4, "bounded all the same");
        let all: Ranked<u32> = vec![1, 2].into();
        assert_eq!((all.exported().count(), all.left_out().count()), (2, 0));
    }
}
