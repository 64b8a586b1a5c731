//! The body of a PERF_RECORD_SAMPLE → a [`Sample`] in a batch's arenas.
//! Order of the parts: `enum perf_event_type` in include/uapi/linux/perf_event.h.

use super::batch::{Batch, Sample, Span};
use super::caller::put_caller;
use super::format::Layout;
use super::session::EventId;

/// Record types of include/uapi/linux/perf_event.h.
pub const RECORD_LOST: u32 = 2;
pub const RECORD_THROTTLE: u32 = 5;
pub const RECORD_UNTHROTTLE: u32 = 6;
pub const RECORD_SAMPLE: u32 = 9;
pub const RECORD_LOST_SAMPLES: u32 = 13;

/// Chain entries from here up are PERF_CONTEXT_* markers, not addresses.
pub const CONTEXT_MAX: u64 = (-4095i64) as u64;
pub const CONTEXT_KERNEL: u64 = (-128i64) as u64;
/// Innermost frames of a gated sample that are the gate's own: the program's function that sends
/// it, the program, and the kernel's bpf_trace_runN.
const GATE_FRAMES: usize = 3;
pub const CONTEXT_USER: u64 = (-512i64) as u64;

/// What an id in a record stands for.
#[derive(Debug, Clone, Copy)]
pub struct Binding {
    pub event: EventId,
    pub layout: Layout,
    /// Sampling period in force; `None`: the sample carries its own (PERF_SAMPLE_PERIOD).
    pub period: Option<u64>,
}

/// Little-endian reads that end at the end of the record.
#[derive(Debug, Clone, Copy)]
pub struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub fn new(rest: &'a [u8]) -> Self {
        Cursor { rest }
    }

    /// What has not been read.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(head)
    }

    pub fn u32(&mut self) -> Option<u32> {
        let head: [u8; 4] = self.bytes(4)?.try_into().ok()?;
        Some(u32::from_le_bytes(head))
    }

    pub fn u64(&mut self) -> Option<u64> {
        let head: [u8; 8] = self.bytes(8)?.try_into().ok()?;
        Some(u64::from_le_bytes(head))
    }
}

/// Decodes a body of sample_type IDENTIFIER|TID|TIME|CPU|\[PERIOD|\]CALLCHAIN|RAW\[|STACK_USER\] and
/// appends it to `batch`.
/// `bind` says what the identifier stands for. `None`: the record is cut short or its identifier
/// unknown, and the batch is as it was.
pub fn decode_sample(
    body: &[u8],
    bind: impl FnOnce(u64) -> Option<Binding>,
    batch: &mut Batch,
) -> Option<()> {
    let mut cursor = Cursor::new(body);
    let header = Header::read(&mut cursor)?;
    let binding = bind(header.id)?;
    let period = match binding.period {
        Some(period) => period,
        None => cursor.u64()?,
    };
    let (chain, raw) = chain_and_raw(&mut cursor)?;
    let start = batch.frames.len() as u32;
    batch.frames.extend(words(chain));
    if binding.layout.brings_caller() {
        // Size of the copied stack, and the copy.
        let copied = cursor.u64().filter(|size| *size >= 8);
        if let Some(caller) = copied.and_then(|_| cursor.u64()) {
            put_caller(caller, start as usize, &mut batch.frames);
        }
    }
    let len = batch.frames.len() as u32 - start;
    append(&header, &binding, period, Span { start, len }, raw, batch);
    Some(())
}

/// The same of a sample that the gate let through: its raw bytes say which of the gate's programs
/// it is of and how many hits it stands for (`struct hit` of assets/bpf/gate.bpf.c).
/// `bind` says what the program's number stands for; its chain begins with the gate's own frames.
pub fn decode_gated(
    body: &[u8],
    bind: impl FnOnce(u16) -> Option<Binding>,
    batch: &mut Batch,
) -> Option<()> {
    let mut cursor = Cursor::new(body);
    let header = Header::read(&mut cursor)?;
    let (chain, raw) = chain_and_raw(&mut cursor)?;
    let mut hit = Cursor::new(raw);
    let program = (hit.u32()? & 0xffff) as u16;
    let weight = hit.u32()?;
    let binding = bind(program)?;
    hit.bytes(16)?;
    let caller = hit.u64()?;
    let owner = hit.u64()?;
    let own = match chain.first_chunk().map(|c| u64::from_le_bytes(*c)) {
        Some(CONTEXT_KERNEL) => (8 * GATE_FRAMES).min(chain.len() - 8),
        _ => 0,
    };
    let (marker, frames) = chain.split_at(if own > 0 { 8 } else { 0 });
    let start = batch.frames.len() as u32;
    batch.frames.extend(words(marker));
    batch.frames.extend(words(&frames[own..]));
    if binding.layout.brings_caller() {
        put_caller(caller, start as usize, &mut batch.frames);
    }
    let len = batch.frames.len() as u32 - start;
    append(
        &header,
        &binding,
        u64::from(weight),
        Span { start, len },
        raw,
        batch,
    );
    if let Some(sample) = batch.samples.last_mut() {
        sample.owner = owner;
    }
    Some(())
}

struct Header {
    id: u64,
    pid: u32,
    tid: u32,
    time: u64,
    cpu: u32,
}

impl Header {
    fn read(cursor: &mut Cursor<'_>) -> Option<Header> {
        let id = cursor.u64()?;
        let (pid, tid) = (cursor.u32()?, cursor.u32()?);
        let time = cursor.u64()?;
        let (cpu, _reserved) = (cursor.u32()?, cursor.u32()?);
        Some(Header {
            id,
            pid,
            tid,
            time,
            cpu,
        })
    }
}

fn chain_and_raw<'a>(cursor: &mut Cursor<'a>) -> Option<(&'a [u8], &'a [u8])> {
    let frames = usize::try_from(cursor.u64()?).ok()?;
    let chain = cursor.bytes(frames.checked_mul(8)?)?;
    let raw_len = cursor.u32()? as usize;
    Some((chain, cursor.bytes(raw_len)?))
}

fn words(chain: &[u8]) -> impl Iterator<Item = u64> {
    chain
        .chunks_exact(8)
        .filter_map(|c| c.try_into().ok())
        .map(u64::from_le_bytes)
}

fn append(
    header: &Header,
    binding: &Binding,
    period: u64,
    chain: Span,
    raw: &[u8],
    batch: &mut Batch,
) {
    let raw_span = Span {
        start: batch.raw.len() as u32,
        len: raw.len() as u32,
    };
    batch.raw.extend_from_slice(raw);
    batch.samples.push(Sample {
        event: binding.event,
        cpu: header.cpu,
        pid: header.pid,
        tid: header.tid,
        time: header.time,
        period,
        chain,
        raw: raw_span,
        owner: 0,
        values: binding.layout.read(raw, raw_span.start),
    });
}

/// The event whose samples a PERF_RECORD_LOST counts; LOST_SAMPLES names none in its body.
pub fn lost_event(kind: u32, body: &[u8]) -> Option<u64> {
    let id = Cursor::new(body).u64();
    id.filter(|_| kind == RECORD_LOST)
}

/// How many samples a PERF_RECORD_LOST { id, lost } or LOST_SAMPLES { lost } stands for.
pub fn decode_lost(kind: u32, body: &[u8]) -> Option<u64> {
    let mut cursor = Cursor::new(body);
    if kind == RECORD_LOST {
        cursor.u64()?;
    }
    cursor.u64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    pub fn body(id: u64, chain: &[u64], raw: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(id.to_le_bytes());
        out.extend(7u32.to_le_bytes());
        out.extend(8u32.to_le_bytes());
        out.extend(99u64.to_le_bytes());
        out.extend(3u32.to_le_bytes());
        out.extend(0u32.to_le_bytes());
        out.extend((chain.len() as u64).to_le_bytes());
        for address in chain {
            out.extend(address.to_le_bytes());
        }
        out.extend((raw.len() as u32).to_le_bytes());
        out.extend(raw);
        out
    }

    fn bind(id: u64) -> Option<Binding> {
        (id == 5).then_some(Binding {
            event: EventId(2),
            layout: Layout::default(),
            period: Some(97),
        })
    }

    #[test]
    fn a_sample_lands_in_the_arenas_with_its_chain_and_raw_bytes() {
        let mut batch = Batch::default();
        decode_sample(&body(5, &[1, 2, 3], b"raw!"), bind, &mut batch).unwrap();
        decode_sample(&body(5, &[4], b"xy"), bind, &mut batch).unwrap();
        let [first, second] = batch.samples[..] else {
            panic!("two samples")
        };
        assert_eq!((first.pid, first.tid, first.time, first.cpu), (7, 8, 99, 3));
        assert_eq!((first.event, first.period), (EventId(2), 97));
        assert_eq!(first.chain.of(&batch.frames), [1, 2, 3]);
        assert_eq!(second.chain.of(&batch.frames), [4]);
        assert_eq!(second.raw.of(&batch.raw), b"xy");
    }

    #[test]
    fn every_truncation_is_refused_and_leaves_the_batch_as_it_was() {
        let whole = body(5, &[1, 2, 3], b"raw!");
        for cut in 0..whole.len() {
            let mut batch = Batch::default();
            assert_eq!(
                decode_sample(&whole[..cut], bind, &mut batch),
                None,
                "cut at {cut}"
            );
            assert_eq!(batch, Batch::default());
        }
    }

    #[test]
    fn absurd_counts_are_refused_without_allocating() {
        for frames in [u64::MAX, u64::MAX / 8, 1 << 40] {
            let mut bytes = body(5, &[], b"");
            bytes[32..40].copy_from_slice(&frames.to_le_bytes());
            assert_eq!(decode_sample(&bytes, bind, &mut Batch::default()), None);
        }
    }

    #[test]
    fn a_breakpoint_brings_the_word_on_top_of_the_stack() {
        let mut bytes = body(5, &[CONTEXT_USER, 10], &[0; 4]);
        bytes.extend(8_u64.to_le_bytes());
        bytes.extend(20_u64.to_le_bytes());
        let breakpoint = |id| {
            let layout = Layout::default().with_caller(true);
            bind(id).map(|bound| Binding { layout, ..bound })
        };
        let mut batch = Batch::default();
        decode_sample(&bytes, breakpoint, &mut batch).unwrap();
        let nothing_copied = body(5, &[CONTEXT_USER, 10], &[0; 4]);
        decode_sample(&nothing_copied, breakpoint, &mut batch).unwrap();
        let chain = |at: usize| batch.samples[at].chain.of(&batch.frames);
        assert_eq!(chain(0), [CONTEXT_USER, 10, 20]);
        assert_eq!(chain(1), [CONTEXT_USER, 10]);
    }

    #[test]
    fn a_gated_breakpoint_brings_its_caller_in_two_halves() {
        let mut hit = Vec::new();
        hit.extend(17_u32.to_le_bytes());
        hit.extend(3_u32.to_le_bytes());
        hit.extend([0; 16]);
        hit.extend(0x7f12_3456_789a_u64.to_le_bytes());
        hit.extend([0; 24]);
        let bind = |program| {
            (program == 17).then_some(Binding {
                event: EventId(2),
                layout: Layout::default().with_caller(true),
                period: None,
            })
        };
        let mut batch = Batch::default();
        decode_gated(&body(5, &[CONTEXT_USER, 10], &hit), bind, &mut batch).unwrap();
        let sample = &batch.samples[0];
        let chain = sample.chain.of(&batch.frames);
        assert_eq!(chain, [CONTEXT_USER, 10, 0x7f12_3456_789a]);
        assert_eq!((sample.period, sample.owner), (3, 0));
    }

    #[test]
    fn an_unknown_identifier_is_refused() {
        assert_eq!(
            decode_sample(&body(6, &[1], b""), bind, &mut Batch::default()),
            None
        );
    }

    #[test]
    fn lost_records_give_their_number() {
        let lost = [1u64.to_le_bytes(), 42u64.to_le_bytes()].concat();
        assert_eq!(decode_lost(RECORD_LOST, &lost), Some(42));
        assert_eq!(decode_lost(RECORD_LOST_SAMPLES, &lost), Some(1));
        assert_eq!(decode_lost(RECORD_LOST, &lost[..15]), None);
    }

    proptest! {
        #[test]
        fn any_chain_and_payload_come_back(
            chain in prop::collection::vec(any::<u64>(), 0..40),
            raw in prop::collection::vec(any::<u8>(), 0..80),
        ) {
            let mut batch = Batch::default();
            decode_sample(&body(5, &chain, &raw), bind, &mut batch).unwrap();
            prop_assert_eq!(batch.samples[0].chain.of(&batch.frames), &chain[..]);
            prop_assert_eq!(batch.samples[0].raw.of(&batch.raw), &raw[..]);
        }

        #[test]
        fn any_bytes_are_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            let mut batch = Batch::default();
            let known = |_| bind(5);
            if decode_sample(&bytes, known, &mut batch).is_none() {
                prop_assert_eq!(batch, Batch::default());
            }
        }
    }
}
