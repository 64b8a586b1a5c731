//! Files whole, cut at every byte, and with every number of their header made absurd.

use std::fs;
use std::io::Write;

use super::*;

fn words(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn record(kind: u32, body: &[u8]) -> Vec<u8> {
    let mut out = kind.to_le_bytes().to_vec();
    out.extend([0, 0]);
    out.extend((body.len() as u16 + 8).to_le_bytes());
    out.extend(body);
    out
}

/// One event with the ids 5 and 6, three records, the hostname.
fn file() -> Vec<u8> {
    let ids = 104;
    let attrs = ids + 16;
    let data = attrs + 144;
    let records = [
        record(9, b"sample 1"),
        record(68, b""),
        record(9, b"sample 2"),
    ]
    .concat();
    let mut out = MAGIC.to_vec();
    out.extend(words(&[
        104,
        144,
        attrs,
        144,
        data,
        records.len() as u64,
        0,
        0,
        1 << 3,
        0,
        0,
        0,
    ]));
    out.extend(words(&[5, 6]));
    let mut attr = vec![0; 128];
    attr[0] = 2;
    attr[8] = 77;
    out.extend(attr);
    out.extend(words(&[ids, 16]));
    out.extend(records);
    let table = out.len() as u64;
    out.extend(words(&[table + 16, 12]));
    out.extend(8u32.to_le_bytes());
    out.extend(b"host\0\0\0\0");
    out
}

fn opened(bytes: &[u8]) -> Result<Recording, Fault> {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(bytes).expect("room");
    Recording::read(file, Some(bytes.len() as u64))
}

/// Bodies of the kernel's records, and how the reading ends.
fn read(mut recording: Recording) -> (Vec<Vec<u8>>, Option<Fault>) {
    let mut bodies = Vec::new();
    loop {
        match recording.record() {
            Ok(Some(record)) if record.is_kernels() => bodies.push(record.body.to_vec()),
            Ok(Some(_)) => {}
            Ok(None) => return (bodies, None),
            Err(fault) => return (bodies, Some(fault)),
        }
    }
}

#[test]
fn a_file_has_its_events_its_host_and_its_records() {
    let recording = opened(&file()).expect("whole");
    let described = &recording.described;
    assert_eq!(described.hostname.as_deref(), Some("host"));
    assert_eq!(
        (described.attrs[0].config, &described.attrs[0].ids[..]),
        (77, &[5, 6][..])
    );
    assert!(recording.notes.is_empty());
    let (bodies, fault) = read(recording);
    assert_eq!(
        (bodies, fault),
        (vec![b"sample 1".to_vec(), b"sample 2".to_vec()], None)
    );
}

#[test]
fn a_file_that_is_cut_anywhere_gives_what_it_has_or_says_where_it_ends() {
    let whole = file();
    for cut in 0..whole.len() {
        match opened(&whole[..cut]) {
            Err(fault) => assert!(cut < 264 && !fault.what.is_empty(), "cut at {cut}: {fault}"),
            Ok(recording) => {
                let said = !recording.notes.is_empty();
                let (bodies, fault) = read(recording);
                assert_eq!(
                    bodies.len(),
                    usize::from(cut >= 280) + usize::from(cut >= 304)
                );
                assert!(said || fault.is_some(), "cut at {cut}");
            }
        }
    }
}

#[test]
fn an_interrupted_file_is_read_to_its_end() {
    let mut bytes = file();
    bytes[48..56].fill(0);
    bytes.truncate(304);
    let recording = opened(&bytes).expect("an event and samples");
    assert!(recording.notes[0].contains("interrupted"));
    assert_eq!(read(recording).0.len(), 2);
}

#[test]
fn absurd_numbers_in_the_header_are_refused_or_passed_over() {
    for absurd in [u64::MAX, u64::MAX / 2, 1 << 40, 1, 0] {
        for at in (8..104).step_by(8).chain([248, 256]) {
            let mut bytes = file();
            bytes[at..at + 8].copy_from_slice(&absurd.to_le_bytes());
            if let Ok(recording) = opened(&bytes) {
                let (bodies, _) = read(recording);
                assert!(bodies.len() <= 20, "{absurd} at {at}");
            }
        }
    }
}

#[test]
fn a_pipe_is_described_by_its_first_records() {
    let mut attr = vec![0; 128];
    attr[4] = 128;
    let host = [&words(&[3])[..], &8u32.to_le_bytes(), b"host\0\0\0\0"].concat();
    let name = [&words(&[2, 6])[..], b"net:x\0\0\0"].concat();
    let formats = b"formats of nothing..";
    let tracing = record(66, &(formats.len() as u32).to_le_bytes());
    let mut bytes = [&MAGIC[..], &words(&[16])].concat();
    for part in [
        record(64, &[attr, words(&[5, 6])].concat()),
        record(80, &host),
        record(78, &name),
        [&tracing[..], formats].concat(),
        record(9, b"sample 1"),
    ] {
        bytes.extend(part);
    }
    let recording = opened(&bytes).expect("whole");
    let described = &recording.described;
    assert_eq!(described.hostname.as_deref(), Some("host"));
    assert_eq!(described.attrs[0].name.as_deref(), Some("net:x"));
    assert_eq!(read(recording), (vec![b"sample 1".to_vec()], None));
}

#[test]
fn what_is_no_recording_is_told_apart() {
    for (bytes, why) in [
        (&b"#!/bin/sh\necho no recording"[..], "it is text"),
        (b"a.out 17 [000] 1.5: cycles", "it is text"),
        (b"2ELIFREP\0\0\0\0\0\0\0\x68", "big-endian"),
        (b"EPFRLI2E\0\0\0\0\0\0\0\x68", "swapped"),
        (b"\x1f\x8b\x08\0\0\0\0\0\0\x03abcdef", "gunzip"),
        (b"\x28\xb5\x2f\xfd\0\0\0\0\0\0\0\0\0\0\0\0", "unzstd"),
        (b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0", "no recording"),
        (b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "begins with PERFILE2"),
        (b"PERFILE2\x20\0\0\0\0\0\0\0", "a header of"),
        (b"", "header"),
    ] {
        let fault = opened(bytes).expect_err("no recording");
        assert!(fault.what.contains(why), "{fault}");
    }
    let dir = tempfile::tempdir().expect("a directory");
    assert!(Recording::open(dir.path()).is_err());
    let there = dir.path().join("x");
    fs::write(&there, file()).expect("room");
    assert!(Recording::open(&there).is_ok());
}
