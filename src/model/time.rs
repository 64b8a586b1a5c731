//! Points in time as files have them: RFC 3339, UTC, milliseconds.

use jiff::tz::TimeZone;
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

/// The last time not after `now_ns` that the clocks of a zone showed `03:11` or `03:11:20`; ns
/// since 1970 UTC.
pub fn last_time_of_day(text: &str, now_ns: u64, zone: &TimeZone) -> Option<u64> {
    let time: jiff::civil::Time = text.parse().ok()?;
    let now = jiff::Timestamp::from_nanosecond(i128::from(now_ns)).ok()?;
    let today = now.to_zoned(zone.clone()).date();
    // Near the change of the day, or where clocks were set forward over it.
    let days = [Some(today), today.yesterday().ok()];
    let at = |day: jiff::civil::Date| day.to_datetime(time).to_zoned(zone.clone()).ok();
    let mut moments = days.into_iter().flatten().filter_map(at);
    let moment = moments.find(|moment| moment.timestamp() <= now)?;
    u64::try_from(moment.timestamp().as_nanosecond()).ok()
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

    #[test]
    fn a_time_of_the_day_is_the_last_one_by_the_clock_of_the_zone() {
        let now = parse_time("2026-11-23T03:20:00Z").expect("a time");
        let last = |text, hours| {
            let zone = jiff::tz::offset(hours).to_time_zone();
            last_time_of_day(text, now, &zone).map(format_time)
        };
        let at = |text: &str| Some(text.to_owned());
        assert_eq!(last("03:11", 0), at("2026-11-23T03:11:00.000Z"));
        assert_eq!(last("03:20:01", 0), at("2026-11-22T03:20:01.000Z"));
        assert_eq!(last("04:11", 1), at("2026-11-23T03:11:00.000Z"));
        assert_eq!(last("23:00", -5), at("2026-11-22T04:00:00.000Z"));
        for bad in ["", "25:00", "3.5", "now"] {
            assert_eq!(last(bad, 0), None, "{bad}");
        }
    }
}
