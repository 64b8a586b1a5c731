//! Formats in the tracing-data section, and formats that are made up.

use super::*;
use crate::decode::{EventSpec, Format, Span};

fn known() -> Event {
    Event {
        spec: EventSpec {
            place: crate::decode::Place::Tracepoint,
            group: "net".into(),
            name: "net_dev_queue".into(),
            filter: None,
            fields: vec!["len".into(), "name".into(), "ret".into()],
            device_field: Some("name".into()),
        },
        missing: None,
        gate: false,
        symbols: Vec::new(),
        format: None,
    }
}

#[test]
fn what_has_no_format_is_read_back_by_the_one_that_is_made_for_it() {
    let known = known();
    let (synthetic, text) = Synthetic::new(EventId(4), &known);
    let format = Format::parse(&text).unwrap();
    assert_eq!(format.id, 5);
    let (layout, missing) = format.bind(&known.spec.fields);
    assert!(missing.is_empty());
    let mut batch = Batch {
        raw: b"..eth0\0".to_vec(),
        ..Batch::default()
    };
    let name = Span { start: 2, len: 5 };
    let sample = Sample {
        event: EventId(4),
        cpu: 0,
        pid: 1,
        tid: 2,
        time: 3,
        period: 4,
        chain: Span::default(),
        raw: Span::default(),
        owner: 0,
        values: [1500, name.pack(), (-11i64).cast_unsigned(), 0],
    };
    let mut raw = Vec::new();
    synthetic.raw(&sample, &batch, &mut raw);
    let base = batch.raw.len() as u32;
    batch.raw.extend_from_slice(&raw);
    let read = layout.read(&raw, base);
    assert_eq!((read[0], read[2]), (1500, (-11i64).cast_unsigned()));
    assert_eq!(batch.text(read[1]), b"eth0");
}

#[test]
fn a_breakpoint_has_a_name_without_a_path_and_an_id_that_no_tracepoint_has() {
    let mut known = known();
    known.spec.place = Place::User {
        file: "/usr/lib/libssl.so.3".into(),
        offset: 0x35430,
        returns: false,
        begins: true,
    };
    known.spec.name = "/usr/lib/libssl.so.3:SSL_read".into();
    known.spec.fields.clear();
    let (_, text) = Synthetic::new(EventId(4), &known);
    assert!(
        text.starts_with("name: _usr_lib_libssl_so_3_SSL_read\n"),
        "{text}"
    );
    assert_eq!(Format::parse(&text).expect("a format").id, 65_531);
}

#[test]
fn a_format_that_two_events_have_is_written_once() {
    let once = section([("irq", "ID: 1"), ("net", "ID: 2")]);
    let again = section([("irq", "ID: 1"), ("net", "ID: 2"), ("irq", "ID: 1")]);
    assert_eq!(once, again);
    assert!(once.starts_with(b"\x17\x08\x44tracing0.6\0\0\x08"));
}
