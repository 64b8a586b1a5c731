//! Records whole, cut, absurd and compressed.

use std::io::Cursor as Bytes;

use super::*;

fn record(kind: u32, body: &[u8]) -> Vec<u8> {
    let mut out = kind.to_le_bytes().to_vec();
    out.extend([2, 0]);
    out.extend((body.len() as u16 + 8).to_le_bytes());
    out.extend(body);
    out
}

fn records(bytes: Vec<u8>) -> Records {
    Records::new(Stream::new(Box::new(Bytes::new(bytes)), 104))
}

/// Everything that comes, and how it ends.
fn all(mut records: Records) -> (Vec<(u32, Vec<u8>)>, Option<Fault>) {
    let mut seen = Vec::new();
    loop {
        match records.next() {
            Ok(Some(record)) => seen.push((record.kind, record.body.to_vec())),
            Ok(None) => return (seen, None),
            Err(fault) => return (seen, Some(fault)),
        }
    }
}

#[test]
fn records_come_in_order_and_one_can_be_given_once_more() {
    let bytes = [record(9, b"sample!!"), record(3, b"comm")].concat();
    let mut records = records(bytes);
    assert_eq!(records.next().unwrap().unwrap().body, b"sample!!");
    records.unread();
    let again = records.next().unwrap().unwrap();
    assert_eq!((again.kind, again.misc, again.offset), (9, 2, 104));
    assert_eq!(records.next().unwrap().unwrap().offset, 120);
    assert!(records.next().unwrap().is_none());
}

#[test]
fn every_truncation_gives_what_was_whole_and_names_where_it_ends() {
    let bytes = [record(9, b"sample!!"), record(3, b"comm")].concat();
    for cut in 1..bytes.len() {
        let (seen, fault) = all(records(bytes[..cut].to_vec()));
        assert_eq!(seen.len(), usize::from(cut >= 16));
        let fault = fault.filter(|_| cut != 16);
        let offset = fault.as_ref().map(|fault| fault.offset);
        let expected = match cut {
            16 => None,
            0..16 => Some(104),
            _ => Some(120),
        };
        assert_eq!(offset, expected, "cut at {cut}: {fault:?}");
    }
}

#[test]
fn a_record_without_length_ends_the_reading_instead_of_turning_for_ever() {
    let mut bytes = record(9, b"sample!!");
    bytes.extend([0; 64]);
    let (seen, fault) = all(records(bytes));
    assert_eq!(seen.len(), 1);
    assert!(
        fault
            .unwrap()
            .to_string()
            .starts_with("at byte 120: a record of at least 8")
    );
}

#[test]
fn compressed_records_are_one_stream_whose_records_may_be_cut_anywhere() {
    let plain: Vec<u8> = (0..500u32)
        .flat_map(|n| record(9, &n.to_le_bytes().repeat(20)))
        .collect();
    let packed = zstd::encode_all(&plain[..], 3).unwrap();
    for (kind, piece) in [(81, 50), (81, 1000), (83, 77)] {
        let mut bytes = record(68, b"");
        for part in packed.chunks(piece) {
            let mut body = Vec::new();
            if kind == 83 {
                body.extend((part.len() as u64).to_le_bytes());
            }
            body.extend(part);
            if kind == 83 {
                body.extend([0; 5]);
            }
            bytes.extend(record(kind, &body));
        }
        let (seen, fault) = all(records(bytes));
        assert_eq!(fault, None);
        assert_eq!(seen.len(), 501);
        assert_eq!(seen[500].1[..4], 499u32.to_le_bytes());
    }
}

#[test]
fn what_is_no_zstd_is_said() {
    let (_, fault) = all(records(record(81, b"not compressed at all")));
    assert!(fault.unwrap().what.starts_with("zstd data is expected"));
}

#[test]
fn trace_data_behind_its_record_is_passed_over() {
    let mut bytes = record(71, &3_000_000u64.to_le_bytes());
    bytes.extend(vec![7; 3_000_000]);
    bytes.extend(record(9, b"x"));
    let (seen, fault) = all(records(bytes.clone()));
    assert_eq!((seen.len(), fault), (1, None));
    bytes[8..16].fill(0xff);
    assert!(all(records(bytes)).1.is_some());
}
