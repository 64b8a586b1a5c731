//! Rows of which exports have the first ones only, and those that matter in any case: a snapshot of a
//! host with thousands of devices stays readable.

use std::ops::Deref;

use serde::{Serialize, Serializer};

#[derive(Debug, Clone, PartialEq)]
pub struct Ranked<T> {
    rows: Vec<T>,
    /// How many of the first rows are exported.
    first: usize,
    /// Others that are exported, ascending.
    also: Vec<usize>,
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
        }
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

/// All of them are exported.
impl<T> From<Vec<T>> for Ranked<T> {
    fn from(rows: Vec<T>) -> Ranked<T> {
        Ranked {
            rows,
            first: usize::MAX,
            also: Vec::new(),
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
    type Target = Vec<T>;

    fn deref(&self) -> &Vec<T> {
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
        let many = Ranked::first((0..10).collect(), 2, |_| true);
        assert_eq!(many.exported().count(), 4, "bounded all the same");
        let all: Ranked<u32> = vec![1, 2].into();
        assert_eq!((all.exported().count(), all.left_out().count()), (2, 0));
    }
}
