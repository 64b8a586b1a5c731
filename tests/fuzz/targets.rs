//! What reads bytes of strangers, and what it is given to begin with. A new one is one row: the tests of
//! `main.rs` and cargo-fuzz (`Cargo.toml`, where it has a name) run each.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use netop::cli::Cli;
use netop::decode::Demand;
use netop::engine::Registry;
use netop::flight::{Begin, Ring, SegmentReader};
use netop::host::{FastCounters, Proc, Question, SlowReader, is_link, is_qdisc, is_socket};
use netop::perfdata::Run;
use netop::source::demo::{Demo, Pace};
use netop::source::replay::{Cut, Opened, Options, Replay};
use netop::source::{Source, Step};
use netop::symbol::{PerfMap, functions_of, of_address, of_function};

pub struct Target {
    pub name: &'static str,
    /// Whatever the bytes: it neither panics nor hangs. `scratch` is a directory of its own, in memory.
    pub run: fn(bytes: &[u8], scratch: &Path),
    /// Inputs that are as they should be; `netop` is the program.
    pub seeds: fn(netop: &Path, scratch: &Path) -> Vec<Vec<u8>>,
}

/// A recording and a stream are read alike; where a recording has netop's trailer, damage hits that often.
pub const TARGETS: [Target; 10] = [
    Target {
        name: "recording",
        run: recording,
        seeds: recordings,
    },
    Target {
        name: "stream",
        run: stream,
        seeds: streams,
    },
    Target {
        name: "trailer",
        run: trailer,
        seeds: recordings,
    },
    Target {
        name: "segment",
        run: segment,
        seeds: segments,
    },
    Target {
        name: "snapshot",
        run: snapshot,
        seeds: snapshots,
    },
    Target {
        name: "rules",
        run: rules,
        seeds: |_, _| vec![b"# mine\n\"A22.softirq_pct\" = 60\n\"A27.drops\" = 5.5\n".to_vec()],
    },
    Target {
        name: "perf_map",
        run: perf_map,
        seeds: |_, _| vec![b"7f00 40 alpha\n7f40 20 LazyCompile:~beta app.js:1\n".to_vec()],
    },
    Target {
        name: "elf",
        run: elf,
        seeds: programs,
    },
    Target {
        name: "netlink",
        run: netlink,
        seeds: |_, _| vec![a_socket(), a_link(), a_qdisc()],
    },
    Target {
        name: "counters",
        run: counters,
        seeds: |_, _| counter_files(),
    },
];

pub fn named(name: &str) -> &'static Target {
    let found = TARGETS.iter().find(|target| target.name == name);
    found.expect("a row of TARGETS")
}

fn written(scratch: &Path, bytes: &[u8]) -> PathBuf {
    let path = scratch.join("input");
    fs::write(&path, bytes).expect("room in memory");
    path
}

fn recording(bytes: &[u8], scratch: &Path) {
    let path = written(scratch, bytes);
    let cuts = [Cut::Whole, Cut::Every(1_000_000), Cut::Recorded];
    let Ok(opened) = Opened::open(&path) else {
        return;
    };
    let options = Options {
        specs: Registry::new(Vec::new()).specs(),
        cut: cuts[bytes.len() % cuts.len()],
        ..Options::default()
    };
    let mut replay = Replay::start(opened, options).expect("a thread");
    loop {
        match replay.step(Duration::from_secs(120)) {
            Ok(Step::Batch(batch)) => replay.recycle(batch),
            Ok(Step::Tick(_)) => {}
            Ok(Step::Idle) => panic!("it hangs"),
            Ok(Step::End) => return,
            // Not even one interval could be read, which is said.
            Err(error) if !error.to_string().contains("a fault of netop") => return,
            Err(error) => panic!("the reader failed: {error:?}"),
        }
    }
}

/// A file that begins as a pipe of perf does is read as one.
fn stream(bytes: &[u8], scratch: &Path) {
    const PIPED: [u8; 16] = *b"PERFILE2\x10\0\0\0\0\0\0\0";
    let mut bytes = bytes.to_vec();
    let head = bytes.len().min(PIPED.len());
    bytes[..head].copy_from_slice(&PIPED[..head]);
    recording(&bytes, scratch);
}

/// The damage of the last bytes is in what netop wrote behind perf's records: what comes before stays.
fn trailer(bytes: &[u8], scratch: &Path) {
    recording(bytes, scratch);
}

/// The first byte says whether these are a segment's bytes, or its lines, which are packed as they should be.
fn segment(bytes: &[u8], scratch: &Path) {
    let Some((packed, bytes)) = bytes.split_first() else {
        return;
    };
    let path = match packed % 2 {
        0 => written(scratch, bytes),
        _ => written(scratch, &packed_segment(bytes)),
    };
    if let Ok(mut reader) = SegmentReader::open(&path) {
        while reader.read().is_ok() {}
    }
}

/// Bytes before the first block, and before what each block holds (src/flight/mod.rs).
const SEGMENT_HEAD: usize = 16;
const BLOCK_HEAD: usize = 8;

fn packed_segment(lines: &[u8]) -> Vec<u8> {
    let block = zstd::encode_all(lines, 1).expect("memory");
    let mut segment = netop::flight::MAGIC.to_vec();
    segment.extend(netop::flight::VERSION.to_le_bytes());
    segment.extend([0; 4]);
    segment.extend((block.len() as u32).to_le_bytes());
    segment.extend(crc32fast::hash(&block).to_le_bytes());
    segment.extend(block);
    segment
}

fn lines_of(segment: &[u8]) -> Vec<u8> {
    let (mut packed, mut rest) = (Vec::new(), &segment[SEGMENT_HEAD..]);
    while let Some((size, _)) = rest.split_first_chunk::<4>() {
        let end = BLOCK_HEAD + u32::from_le_bytes(*size) as usize;
        packed.extend(&rest[BLOCK_HEAD..end]);
        rest = &rest[end..];
    }
    zstd::decode_all(&packed[..]).expect("a whole segment")
}

fn snapshot(bytes: &[u8], _: &Path) {
    let _read_or_refused = netop::export::parse(&String::from_utf8_lossy(bytes));
}

fn rules(bytes: &[u8], scratch: &Path) {
    let path = written(scratch, bytes);
    let words = ["netop", "--rules", path.to_str().expect("a plain name")];
    let typed = Cli::from_words(words).expect("a flag of netop");
    let _read_or_refused = netop::plan::demo(&typed.live);
}

fn perf_map(bytes: &[u8], scratch: &Path) {
    let process = scratch.join("7");
    fs::create_dir_all(process.join("root/tmp")).expect("room in memory");
    fs::write(process.join("status"), "NSpid:\t7\n").expect("room in memory");
    fs::write(process.join("root/tmp/perf-7.map"), bytes).expect("room in memory");
    let map = PerfMap::read(scratch, 7);
    for address in [0, 0x7f00, 0x7f41, u64::MAX] {
        let _named_or_not = map.name(address);
    }
}

fn elf(bytes: &[u8], scratch: &Path) {
    let path = written(scratch, bytes);
    let _read_or_refused = functions_of(&path);
    for address in [0, 0x1000, 0x1139, u64::MAX] {
        let _read_or_refused = of_address(&path, address);
    }
    let _read_or_refused = of_function(&path, "main", 1);
}

fn netlink(bytes: &[u8], _: &Path) {
    is_socket(bytes);
    is_link(bytes);
    is_qdisc(bytes);
}

/// The first byte chooses the file.
const FILES: [&str; 12] = [
    "proc/stat",
    "proc/net/softnet_stat",
    "proc/softirqs",
    "proc/interrupts",
    "proc/net/dev",
    "proc/net/snmp",
    "proc/net/netstat",
    "proc/net/snmp6",
    "proc/net/packet",
    "proc/modules",
    "proc/1/stat",
    "proc/1/cgroup",
];

fn counters(bytes: &[u8], scratch: &Path) {
    let Some((chosen, text)) = bytes.split_first() else {
        return;
    };
    for (at, file) in FILES.iter().enumerate() {
        let path = scratch.join(file);
        fs::create_dir_all(path.parent().expect("a directory")).expect("room in memory");
        let chosen = usize::from(*chosen) % FILES.len() == at;
        let own = || fs::read(Path::new("/").join(file)).unwrap_or_default();
        if chosen {
            fs::write(&path, text).expect("room in memory");
        } else if !path.exists() {
            fs::write(&path, own()).expect("room in memory");
        }
    }
    let proc = Proc::at(scratch);
    if let Ok(mut fast) = FastCounters::open(&proc) {
        let _read_or_refused = fast.read();
    }
    let mut slow = SlowReader::new(proc.clone());
    for at in [1, 1_000_000_000] {
        slow.read(&Question {
            at,
            tasks: vec![1],
            list_tasks: true,
            ..Question::default()
        });
    }
    // Whole again for the next one.
    let file = FILES[usize::from(*chosen) % FILES.len()];
    fs::remove_file(scratch.join(file)).expect("it was written");
}

fn counter_files() -> Vec<Vec<u8>> {
    let seed = |(at, file): (usize, &&str)| {
        let text = fs::read(Path::new("/").join(file)).unwrap_or_default();
        [&[at as u8][..], &text].concat()
    };
    FILES.iter().enumerate().map(seed).collect()
}

/// What the command writes into a file.
fn made(netop: &Path, scratch: &Path, words: &[&str]) -> Vec<u8> {
    let path = scratch.join("seed");
    let ran = Command::new(netop).args(words).arg(&path).output();
    let ran = ran.expect("netop runs");
    assert!(ran.status.success(), "{ran:?}");
    fs::read(path).expect("it was written")
}

/// Two of netop's; more of NETOP_FUZZ_CORPUS (see `main.rs`).
fn recordings(netop: &Path, scratch: &Path) -> Vec<Vec<u8>> {
    let of = |seconds: &str| {
        let words = ["record", "--demo", "--duration", seconds, "-F", "19", "-o"];
        made(netop, scratch, &words)
    };
    vec![of("1"), of("2")]
}

/// `perf record -o -` writes attributes as records: those of the file's header.
fn streams(netop: &Path, scratch: &Path) -> Vec<Vec<u8>> {
    recordings(netop, scratch)
        .into_iter()
        .filter_map(|file| {
            let number = |at: usize| {
                let bytes = file.get(at..at + 8)?.try_into().ok()?;
                usize::try_from(u64::from_le_bytes(bytes)).ok()
            };
            // struct perf_file_header: magic, size, attr_size, attrs, data (tools/perf/util/header.h).
            let (each, attrs, attrs_size) = (number(16)?, number(24)?, number(32)?);
            let (data, data_size) = (number(40)?, number(48)?);
            let mut stream = b"PERFILE2\x10\0\0\0\0\0\0\0".to_vec();
            for attr in file.get(attrs..attrs + attrs_size)?.chunks_exact(each) {
                let (ids_at, ids) = attr.split_last_chunk::<16>()?;
                let number =
                    |bytes: &[u8]| Some(u64::from_le_bytes(bytes.try_into().ok()?) as usize);
                let (from, size) = (number(&ids[..8])?, number(&ids[8..])?);
                let body = [ids_at, file.get(from..from + size)?].concat();
                // PERF_RECORD_HEADER_ATTR
                stream.extend(64u32.to_le_bytes());
                stream.extend([0; 2]);
                stream.extend((8 + body.len() as u16).to_le_bytes());
                stream.extend(body);
            }
            stream.extend(file.get(data..data + data_size)?);
            Some(stream)
        })
        .collect()
}

/// Six seconds of the made-up machine's free counters.
fn segments(_: &Path, scratch: &Path) -> Vec<Vec<u8>> {
    let specs = Registry::new(Vec::new()).specs();
    let mut demo = Demo::new(1, Pace::AsFastAsPossible, specs);
    demo.demand(&Demand {
        interval: Duration::from_secs(1),
        ..Demand::default()
    });
    let begin = Begin {
        run: Run {
            netop: "test".to_owned(),
            interval_ns: 1_000_000_000,
            max_overhead_pct: 100.0,
            counting: "proc".to_owned(),
            ..Run::default()
        },
        session: demo.session().clone(),
        boot: "b".to_owned(),
    };
    let dir = scratch.join("ring");
    fs::create_dir_all(&dir).expect("room in memory");
    let mut ring = Ring::open(&dir, netop::flight::Limits::default(), begin).expect("a ring");
    let mut ticks = 0;
    while ticks < 6 {
        if let Step::Tick(tick) = demo.step(Duration::ZERO).expect("the demo never fails") {
            ring.tick(&tick).expect("room");
            ticks += 1;
        }
    }
    ring.finish().expect("an end");
    let all = netop::flight::segments(&dir).expect("a ring");
    let read = |segment: netop::flight::Segment| fs::read(segment.path).expect("it is there");
    let files: Vec<Vec<u8>> = all.into_iter().map(read).collect();
    let bytes = files.iter().map(|file| [&[0][..], file].concat());
    let lines = files
        .iter()
        .map(|file| [&[1][..], &lines_of(file)].concat());
    bytes.chain(lines).collect()
}

fn snapshots(netop: &Path, scratch: &Path) -> Vec<Vec<u8>> {
    let words = [
        "demo", "-b", "-n", "2", "-d", "0.1", "--format", "json", "-o",
    ];
    vec![made(netop, scratch, &words)]
}

/// The program itself is large: its head, with the tables cut away, and a small library.
fn programs(netop: &Path, _: &Path) -> Vec<Vec<u8>> {
    let head = |path: &Path| {
        let mut bytes = fs::read(path).unwrap_or_default();
        bytes.truncate(1 << 20);
        bytes
    };
    let small = Path::new("/usr/bin/true");
    vec![head(small), head(netop)]
}

/// A netlink attribute: length, type, payload, padding to four bytes (linux/netlink.h).
fn attribute(kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (4 + payload.len() as u16).to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// struct inet_diag_msg of an established IPv4 connection, INET_DIAG_INFO, _SKMEMINFO, _CGROUP_ID.
fn a_socket() -> Vec<u8> {
    let mut bytes = vec![2, 1, 0, 0];
    bytes.resize(72, 1);
    bytes.extend(attribute(2, &[3; 240]));
    bytes.extend(attribute(7, &[4; 36]));
    bytes.extend(attribute(21, &[5; 8]));
    bytes
}

/// struct ifinfomsg, IFLA_IFNAME, _MTU, _STATS64, _LINKINFO, _XDP, _CARRIER.
fn a_link() -> Vec<u8> {
    let mut bytes = vec![0; 16];
    bytes.extend(attribute(3, b"veth0\0"));
    bytes.extend(attribute(4, &1500u32.to_ne_bytes()));
    bytes.extend(attribute(23, &[7; 25 * 8]));
    bytes.extend(attribute(18, &attribute(1, b"veth\0")));
    bytes.extend(attribute(43, &attribute(4, &[9, 0, 0, 0])));
    bytes.extend(attribute(33, &[1]));
    bytes
}

/// struct tcmsg, TCA_KIND, _OPTIONS, _STATS2.
fn a_qdisc() -> Vec<u8> {
    let mut bytes = vec![0; 20];
    bytes.extend(attribute(1, b"pfifo\0"));
    bytes.extend(attribute(2, &100u32.to_ne_bytes()));
    let stats = [
        attribute(1, &[3; 16]),
        attribute(3, &[4; 20]),
        attribute(8, &[5; 8]),
    ];
    bytes.extend(attribute(7, &stats.concat()));
    bytes
}
