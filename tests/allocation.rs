//! Nothing is allocated per sample once everything is warm: not where records are decoded, not
//! where batches are folded. Counted by the allocator itself.
#![expect(
    unsafe_code,
    reason = "a global allocator is an unsafe trait; this one counts and passes on"
)]

#[path = "synthetic/mod.rs"]
mod synthetic;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use netop::decode::{Batch, Binding, EventId, Format, decode_sample};
use netop::engine::{Engine, Progress};
use synthetic::Load;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    /// Bytes that are held.
    static HELD: Cell<isize> = const { Cell::new(0) };
}

fn hold(bytes: isize) {
    HELD.set(HELD.get() + bytes);
}

struct Counter;

// SAFETY: every call is passed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counter {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        hold(layout.size().cast_signed());
        // SAFETY: the caller's promise is the one that is asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        hold(size.cast_signed() - layout.size().cast_signed());
        // SAFETY: as above.
        unsafe { System.realloc(old, layout, size) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        hold(-layout.size().cast_signed());
        // SAFETY: as above.
        unsafe { System.dealloc(old, layout) }
    }
}

#[global_allocator]
static COUNTER: Counter = Counter;

/// What `work` allocates.
fn allocations<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let before = ALLOCATIONS.get();
    let result = work();
    (result, ALLOCATIONS.get() - before)
}

/// Allocations of an interval's batches and of its tick.
fn interval(engine: &mut Engine) -> (u64, u64) {
    let mut batches = 0;
    loop {
        let (progress, made) = allocations(|| engine.step(Duration::ZERO).expect("no end"));
        match progress {
            Progress::Working => batches += made,
            Progress::Snapshot(_) => return (batches, made),
            Progress::End => unreachable!("it never ends"),
        }
    }
}

/// The same of an interval with so many samples, when everything is warm.
fn warm_interval(samples: usize) -> (u64, u64) {
    let mut engine = synthetic::engine(Load {
        cpus: 4,
        samples,
        // With every event fewer than the window keeps whole: a stack it folds is new next time.
        stacks: 40,
        new_every: 0,
    });
    for _ in 0..40 {
        interval(&mut engine);
    }
    interval(&mut engine)
}

#[test]
fn folding_samples_allocates_nothing_and_an_interval_as_much_for_many_as_for_few() {
    let (few_batches, few_tick) = warm_interval(4_096);
    let (many_batches, many_tick) = warm_interval(40_960);
    println!("4 k samples: {few_batches} in batches, {few_tick} in the tick");
    println!("40 k samples: {many_batches} in batches, {many_tick} in the tick");
    // The first sample of an interval for each device.
    assert!(few_batches <= 8, "{few_batches}");
    assert_eq!(few_batches, many_batches);
    assert!(
        many_tick < few_tick + few_tick / 10,
        "{few_tick} → {many_tick}"
    );
}

#[test]
fn memory_stands_still_however_many_stacks_and_cpus_there_are() {
    let mut engine = synthetic::engine(Load {
        cpus: 16,
        samples: 8_192,
        stacks: 2000,
        new_every: 4,
    });
    let mut held_after = |intervals: u64| {
        for _ in 0..intervals {
            interval(&mut engine);
        }
        HELD.get()
    };
    let window = held_after(36);
    let later = held_after(24);
    println!("{window} bytes held after 36 intervals, {later} after 60");
    assert!(later < window + window / 20, "{window} → {later}");
    assert!(later < 64 << 20, "{later} bytes");
}

#[test]
fn decoding_into_a_batch_that_came_back_allocates_nothing() {
    let format = "ID: 1\n\tfield:unsigned int len;\toffset:8;\tsize:4;\tsigned:0;\n";
    let (layout, missing) = (Format::parse(format).expect("a format")).bind(&["len".into()]);
    assert!(missing.is_empty());
    let bound = |_| {
        Some(Binding {
            event: EventId(0),
            layout,
            period: Some(97),
        })
    };
    let record: Vec<u8> = [1, 7 + (7 << 32), 99, 3, 16]
        .into_iter()
        .chain(0xffff_ffff_8100_0000..0xffff_ffff_8100_0010)
        .flat_map(u64::to_le_bytes)
        .chain(12u32.to_le_bytes())
        .chain([0; 12])
        .collect();
    let mut batch = Batch::default();
    let mut fill = || {
        batch.clear();
        for _ in 0..1024 {
            decode_sample(&record, bound, &mut batch).expect("a whole record");
        }
    };
    let ((), first) = allocations(&mut fill);
    let ((), again) = allocations(&mut fill);
    assert!(first > 0, "the arenas grow once");
    assert_eq!(again, 0);
}
