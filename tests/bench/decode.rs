//! How fast records become figures: decode and fold of synthetic samples with 16 frames, one core.
//! `cargo bench --bench decode`

use std::time::Instant;

use netop::decode::{Batch, Binding, EventId, Format, decode_sample};
use netop::model::{Fold, Hit};

const SAMPLES: usize = 4_000_000;
const STACKS: u64 = 500;
const FRAMES: u64 = 16;
const FORMAT: &str = "ID: 1\n\tfield:unsigned int len;\toffset:16;\tsize:4;\tsigned:0;\n\
    \tfield:__data_loc char[] name;\toffset:20;\tsize:4;\tsigned:0;\n";

fn main() {
    let (layout, missing) = Format::parse(FORMAT)
        .expect("a format")
        .bind(&["name".into(), "len".into()]);
    assert!(missing.is_empty());
    let records: Vec<Vec<u8>> = (0..STACKS).map(record).collect();
    let binding = Binding {
        event: EventId(0),
        layout,
        period: Some(97),
    };
    let decode = |index: usize, batch: &mut Batch| {
        if index.is_multiple_of(1024) {
            batch.clear();
        }
        decode_sample(&records[index % records.len()], |_| Some(binding), batch)
            .expect("a whole record");
    };
    let mut best = [f64::INFINITY; 2];
    for _ in 0..5 {
        let mut batch = Batch::default();
        let began = Instant::now();
        for index in 0..SAMPLES {
            decode(index, &mut batch);
        }
        best[0] = best[0].min(began.elapsed().as_secs_f64());

        let began = Instant::now();
        let mut fold = Fold::default();
        for index in 0..SAMPLES {
            decode(index, &mut batch);
            let sample = batch.samples.last().expect("just decoded");
            let hit = Hit {
                event: 0,
                cpu: sample.cpu,
                pid: sample.pid,
                period: sample.period,
                chain: sample.chain.of(&batch.frames),
                tag: std::str::from_utf8(batch.text(sample.values[0]))
                    .ok()
                    .map(|name| ("device", name)),
                packets: None,
                bytes: Some(sample.values[1] as f64),
            };
            fold.push(&hit, true);
        }
        std::hint::black_box(fold.finish(1.0, 30.0, |_, _| None));
        best[1] = best[1].min(began.elapsed().as_secs_f64());
    }
    for (name, seconds) in ["decode", "decode + fold"].iter().zip(best) {
        let (million, ns) = (
            SAMPLES as f64 / seconds / 1e6,
            seconds * 1e9 / SAMPLES as f64,
        );
        println!(
            "{name:14} {million:6.1} M samples/s  {ns:6.1} ns each (best of 5, {FRAMES} frames)"
        );
    }
}

/// A body of IDENTIFIER|TID|TIME|CPU|CALLCHAIN|RAW.
fn record(stack: u64) -> Vec<u8> {
    let mut body = Vec::new();
    let word = |body: &mut Vec<u8>, value: u64| body.extend(value.to_le_bytes());
    word(&mut body, 1);
    word(&mut body, 4242 + (4242 << 32));
    word(&mut body, 1_000_000);
    word(&mut body, stack % 2);
    word(&mut body, FRAMES + 2);
    word(&mut body, (-128i64) as u64);
    for frame in 0..FRAMES {
        if frame == 12 {
            word(&mut body, (-512i64) as u64);
        }
        let text = if frame < 12 {
            0xffff_ffff_8100_0000
        } else {
            0x5581_0000_0000
        };
        word(&mut body, text + frame * 0x100 + (stack >> (frame % 8)));
    }
    let mut raw = vec![0u8; 24];
    raw[16..20].copy_from_slice(&1400u32.to_le_bytes());
    raw[20..24].copy_from_slice(&((5u32 << 16) + 24).to_le_bytes());
    raw.extend(b"eth0\0\0\0\0");
    body.extend((raw.len() as u32).to_le_bytes());
    body.extend(raw);
    body
}
