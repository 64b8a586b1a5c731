//! Samples of every shape.

use super::*;
use proptest::prelude::*;

fn attr(sample_type: u64, read_format: u64) -> Attr {
    Attr {
        sample_type,
        read_format,
        sample_id_all: true,
        ..Attr::default()
    }
}

fn words(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

#[test]
fn parts_are_read_in_their_order_and_others_passed_over() {
    let all = part::IDENTIFIER
        | part::IP
        | part::TID
        | part::TIME
        | part::ADDR
        | part::ID
        | part::STREAM_ID
        | part::CPU
        | part::PERIOD
        | part::CALLCHAIN
        | part::RAW
        | part::STACK_USER;
    let mut body = words(&[1, 0xf00, 7 | 8 << 32, 99, 2, 3, 4, 5, 1000, 2, 0xa, 0xb]);
    body.extend(4u32.to_le_bytes());
    body.extend(b"raw!stack and registers");
    let sample = SampleBody::parse(&attr(all, 0), &body).expect("whole");
    assert_eq!((sample.ip, sample.pid, sample.tid), (0xf00, 7, 8));
    assert_eq!(
        (sample.time, sample.cpu, sample.period),
        (Some(99), Some(5), Some(1000))
    );
    assert_eq!(
        (sample.chain, sample.raw),
        (&words(&[0xa, 0xb])[..], &b"raw!"[..])
    );
    let whole = body.len() - b"stack and registers".len();
    for cut in 0..whole {
        assert_eq!(
            SampleBody::parse(&attr(all, 0), &body[..cut]),
            None,
            "cut at {cut}"
        );
    }
}

#[test]
fn a_sample_has_no_parts_that_its_event_has_not() {
    let body = words(&[0xf00, 99]);
    let sample = SampleBody::parse(&attr(part::IP | part::TIME, 0), &body).expect("whole");
    assert_eq!(
        (sample.time, sample.cpu, sample.period),
        (Some(99), None, None)
    );
    assert!(sample.chain.is_empty() && sample.raw.is_empty());
}

#[test]
fn counters_are_read_alone_and_in_groups_with_times_and_without() {
    let times = TIME_ENABLED | TIME_RUNNING;
    for (format, body, expected) in [
        (0, &[42][..], &[(42, 0)][..]),
        (ID, &[42, 5], &[(42, 0)]),
        (ID | LOST, &[42, 5, 1], &[(42, 0)]),
        (times | ID, &[42, 1, 2, 5], &[(42, 0)]),
        (GROUP | ID, &[2, 42, 5, 43, 6], &[(42, 5), (43, 6)]),
        (GROUP | times | ID | LOST, &[1, 8, 9, 42, 5, 0], &[(42, 5)]),
    ] {
        let bytes = words(body);
        let sample = SampleBody::parse(&attr(part::READ, format), &bytes).expect("whole");
        let values: Vec<_> = sample.read.expect("it was asked for").values().collect();
        assert_eq!(values, expected, "format {format}");
        for cut in 0..bytes.len() {
            let short = SampleBody::parse(&attr(part::READ, format), &bytes[..cut]);
            assert_eq!(short, None, "format {format} cut at {cut}");
        }
    }
}

#[test]
fn an_id_is_found_where_its_parts_leave_it() {
    let early = IdPlace::of(&attr(part::IDENTIFIER | part::IP, 0));
    assert_eq!(early.in_sample(&words(&[5, 6])), Some(5));
    assert_eq!(early.in_tail(&words(&[1, 2, 5])), Some(5));
    let late = IdPlace::of(&attr(part::IP | part::TID | part::ID | part::CPU, 0));
    assert_eq!(late.in_sample(&words(&[1, 2, 5, 3])), Some(5));
    assert_eq!(late.in_tail(&words(&[9, 1, 5, 3])), Some(5));
    assert_eq!(late.in_sample(&words(&[1, 2])), None);
    assert_eq!(
        IdPlace::of(&attr(part::IP, 0)).in_sample(&words(&[1])),
        None
    );
}

#[test]
fn the_tail_of_other_records_says_when_and_where() {
    let attr = attr(part::TID | part::TIME | part::CPU | part::IDENTIFIER, 0);
    let tail = Tail::parse(&attr, &words(&[77, 78, 1, 99, 3, 5]));
    assert_eq!((tail.time, tail.cpu), (Some(99), Some(3)));
    assert_eq!(Tail::parse(&attr, &words(&[1, 2])), Tail::default());
}

proptest! {
    #[test]
    fn any_bytes_of_any_shape_are_decoded_or_refused(
        sample_type in any::<u64>(),
        read_format in 0u64..32,
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let attr = attr(sample_type, read_format);
        if let Some(sample) = SampleBody::parse(&attr, &body) {
            prop_assert!(sample.chain.len() + sample.raw.len() <= body.len());
            if let Some(read) = sample.read {
                prop_assert!(read.values().count() <= 25);
            }
        }
        let _any = Tail::parse(&attr, &body);
        let _any = IdPlace::of(&attr).in_sample(&body);
    }
}
