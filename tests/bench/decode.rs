//! How fast records become figures, one core: decode and fold of synthetic samples with 16 frames;
//! and, as root, the fold of CPU samples that this host gave while it talked to itself.
//! `cargo bench --bench decode`

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use netop::decode::{Batch, Binding, Demand, EventId, Format, decode_sample};
use netop::model::{CpuFold, Fold, Hit, KernelFrames, KernelFunction, Kind, Name, Names, StageId};
use netop::source::live::{Live, Options};
use netop::source::{Source, Step};
use netop::symbol::HostNames;

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
    let mut best = [f64::INFINITY; 3];
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

        let began = Instant::now();
        let mut fold = CpuFold::new(KernelFrames::default());
        for index in 0..SAMPLES {
            decode(index, &mut batch);
            let sample = batch.samples.last().expect("just decoded");
            let chain = sample.chain.of(&batch.frames);
            fold.push(sample.cpu, sample.pid, sample.period, chain);
        }
        let folded = fold.finish((1.0, 30.0), |_, _| 1e9, |_, _| true, &mut Made);
        assert_eq!(folded.samples, SAMPLES as u64);
        best[2] = best[2].min(began.elapsed().as_secs_f64());
    }
    for (name, seconds) in ["decode", "decode + fold", "decode + stages"]
        .iter()
        .zip(best)
    {
        say(name, SAMPLES, seconds, &format!("{FRAMES} frames"));
    }
    match recorded() {
        Ok(samples) => fold_recorded(&samples),
        Err(why) => println!("no samples of this host: {why}"),
    }
}

fn say(name: &str, samples: usize, seconds: f64, what: &str) {
    let million = samples as f64 / seconds / 1e6;
    let ns = seconds * 1e9 / samples as f64;
    println!("{name:16} {million:6.1} M samples/s  {ns:6.1} ns each (best of 5, {what})");
}

/// Names of addresses that nobody compiled.
struct Made;

impl Names for Made {
    fn kernel(&mut self, _: u64) -> Name {
        Name {
            text: "made".into(),
            settled: true,
        }
    }

    fn function(&mut self, address: u64) -> Option<KernelFunction> {
        Some(KernelFunction {
            plain: "made".into(),
            module: None,
            kind: Kind {
                stage: StageId::new((address % 20) as usize),
                network: true,
                ..Kind::default()
            },
        })
    }

    fn stage(&self, _: StageId) -> &'static str {
        "made"
    }

    fn user(&mut self, _: u32, _: u64, frames: &mut Vec<Arc<str>>) -> bool {
        frames.push("made".into());
        true
    }
}

/// CPU, process and chain of a sample.
type Recorded = (u32, u32, Vec<u64>);

/// Two seconds of CPU samples while datagrams go over loopback.
fn recorded() -> Result<Vec<Recorded>, String> {
    let mut live = Live::open(Options {
        specs: Vec::new(),
        tracefs: Err("not needed".to_owned()),
        interval: Duration::from_millis(100),
        gate: None,
        clock: true,
        cpus: Vec::new().into(),
    })
    .map_err(|error| error.to_string())?;
    live.demand(&Demand {
        interval: Duration::from_millis(100),
        clock_hz: 4999,
        ..Demand::default()
    });
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let sender = thread::spawn(move || {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback");
        let to = socket.local_addr().expect("bound");
        let mut buffer = [0; 2048];
        while !stopped.load(Ordering::Relaxed) {
            let _full = socket.send_to(&[7; 1400], to);
            let _empty = socket.recv(&mut buffer);
        }
    });
    let mut samples = Vec::new();
    let until = Instant::now() + Duration::from_secs(2);
    while Instant::now() < until {
        let given = live
            .step(Duration::from_millis(50))
            .map_err(|e| e.to_string())?;
        if let Step::Batch(batch) = given {
            samples.extend(batch.samples.iter().map(|sample| {
                let chain = sample.chain.of(&batch.frames).to_vec();
                (sample.cpu, sample.pid, chain)
            }));
        }
    }
    stop.store(true, Ordering::Relaxed);
    let _sent = sender.join();
    if samples.is_empty() {
        return Err("CPU time cannot be sampled here: run as root".to_owned());
    }
    Ok(samples)
}

fn fold_recorded(samples: &[Recorded]) {
    let rounds = SAMPLES / samples.len() + 1;
    let mut names = HostNames::start(rustc_hash::FxHashSet::default());
    let mut best = f64::INFINITY;
    let mut stacks = 0;
    for _ in 0..5 {
        let mut fold = CpuFold::new(KernelFrames::default());
        let began = Instant::now();
        for (cpu, pid, chain) in (0..rounds).flat_map(|_| samples) {
            fold.push(*cpu, *pid, 200_000, chain);
        }
        let folded = fold.finish((1.0, 30.0), |_, _| 1e9, |_, _| true, &mut names);
        stacks = folded.spots.len();
        best = best.min(began.elapsed().as_secs_f64());
    }
    let frames: usize = samples.iter().map(|(.., chain)| chain.len()).sum();
    let what = format!("{stacks} stacks, {} frames", frames / samples.len());
    say("this host's own", rounds * samples.len(), best, &what);
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
