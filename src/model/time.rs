//! Points in time as files have them: RFC 3339, UTC, milliseconds.

use serde::Serializer;

/// `2026-11-22T15:45:01.123Z`
pub fn format_time(at_ns: u64) -> String {
    i64::try_from(at_ns / 1_000_000)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .map_or_else(|| "-".to_owned(), |t| format!("{t:.3}"))
}

/// What [`format_time`] wrote; ns since 1970 UTC.
pub fn parse_time(text: &str) -> Option<u64> {
    let time: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(time.as_nanosecond()).ok()
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's serialize_with passes the field by reference"
)]
pub(super) fn rfc3339<S: Serializer>(at: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format_time(*at))
}

#[expect(
    clippy::ref_option,
    reason = "serde's serialize_with passes the field by reference"
)]
pub(super) fn rfc3339_option<S: Serializer>(
    at: &Option<u64>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => rfc3339(at, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_rfc3339_in_utc_with_milliseconds() {
        assert_eq!(
            format_time(1_795_362_301_123_999_000),
            "2026-11-22T15:45:01.123Z"
        );
        let read = parse_time("2026-11-22T15:45:01.123Z");
        assert_eq!(read, Some(1_795_362_301_123_000_000));
        assert_eq!(parse_time("yesterday"), None);
        assert_eq!(parse_time("0001-01-01T00:00:00Z"), None);
    }
}
