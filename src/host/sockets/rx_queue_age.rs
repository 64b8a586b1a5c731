//! How long the oldest data in a socket has waited for its reader. The kernel keeps no such time; from
//! one reading to the next it shows whether the reader has passed what was there the time before.

/// By that moment the stream had brought so many bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    pub bytes: u64,
    /// CLOCK_MONOTONIC, ns.
    pub at: u64,
}

/// The earliest of the marks that the reader has not passed; `None`: nothing waits. `kept` is the
/// answer of the reading before, `last` where the stream was then.
pub fn oldest(kept: Option<Mark>, last: Option<Mark>, now: Mark, unread: u64) -> Option<Mark> {
    let read = now.bytes.saturating_sub(unread);
    let marks = kept.into_iter().chain(last).chain([now]);
    marks.into_iter().find(|mark| mark.bytes > read)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(bytes: u64, at: u64) -> Mark {
        Mark { bytes, at }
    }

    #[test]
    fn data_is_as_old_as_the_first_reading_that_saw_it() {
        // 300 bytes come per reading; the reader stops after 100, and goes on at the end.
        let mut kept = None;
        let mut last = None;
        let mut ages = Vec::new();
        for (reading, read) in [(1, 100), (2, 100), (3, 100), (4, 700), (5, 1500)] {
            let now = mark(300 * reading, reading);
            kept = oldest(kept, last, now, now.bytes - read);
            ages.push(kept.map(|mark| reading - mark.at));
            last = Some(now);
        }
        assert_eq!(ages, [Some(0), Some(1), Some(2), Some(1), None]);
    }

    #[test]
    fn a_stream_that_is_read_but_for_its_newest_bytes_has_nothing_old() {
        let (last, now) = (mark(500, 1), mark(900, 2));
        assert_eq!(oldest(None, Some(last), now, 400), Some(now));
        assert_eq!(oldest(None, Some(last), now, 0), None);
        assert_eq!(oldest(Some(mark(100, 0)), Some(last), now, 401), Some(last));
    }
}
