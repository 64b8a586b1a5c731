//! Where in the source frames lie. A frame's text says its function only, so that stacks merge; it
//! stands for many addresses, and the lines of all of them are one range.

use std::sync::Arc;

use rustc_hash::FxHashMap;

/// At this many frames all are forgotten.
const MOST: usize = 1 << 15;

#[derive(Debug, Default)]
pub struct Places {
    lines: FxHashMap<Arc<str>, Lines>,
}

#[derive(Debug)]
struct Lines {
    /// Of the first address: functions of the same name in two files are rare.
    file: Box<str>,
    first: u32,
    last: u32,
}

impl Places {
    pub fn add(&mut self, frame: &Arc<str>, file: &str, line: u32) {
        if let Some(lines) = self.lines.get_mut(frame) {
            if *lines.file == *file {
                lines.first = lines.first.min(line);
                lines.last = lines.last.max(line);
            }
            return;
        }
        if self.lines.len() >= MOST {
            self.lines.clear();
        }
        let lines = Lines {
            file: file.into(),
            first: line,
            last: line,
        };
        self.lines.insert(frame.clone(), lines);
    }

    /// `file:line`, or `file:first-last` when samples hit more than one line of it.
    pub fn get(&self, frame: &str) -> Option<Arc<str>> {
        let Lines { file, first, last } = self.lines.get(frame)?;
        Some(if first == last {
            format!("{file}:{first}").into()
        } else {
            format!("{file}:{first}-{last}").into()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_has_the_lines_of_all_its_addresses_in_one_file() {
        let mut places = Places::default();
        let frame = Arc::from("send (prog)");
        assert_eq!(places.get(&frame), None);
        places.add(&frame, "a.c", 20);
        assert_eq!(places.get(&frame).as_deref(), Some("a.c:20"));
        for (file, line) in [("a.c", 31), ("a.c", 12), ("other.c", 1)] {
            places.add(&frame, file, line);
        }
        assert_eq!(places.get(&frame).as_deref(), Some("a.c:12-31"));
    }

    #[test]
    fn only_so_many_are_kept() {
        let mut places = Places::default();
        for n in 0..=MOST {
            places.add(&Arc::from(n.to_string()), "a.c", 1);
        }
        assert!(places.lines.len() <= MOST && places.get(&MOST.to_string()).is_some());
    }
}
