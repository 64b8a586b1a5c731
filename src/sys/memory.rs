//! Memory that cannot be had ends netop with a sentence; Rust's own answer is an abort with a core dump.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use super::close_in_child::exit_now;
use crate::error::EXIT_FAILED;

/// The system's allocator. It never answers that it has nothing.
pub struct Allocator;

/// Less than that is of no use to any command.
const LEAST_BYTES: usize = 4 << 20;

/// Gives the terminal back.
static BEFORE: OnceLock<fn()> = OnceLock::new();
static ENTERED: AtomicBool = AtomicBool::new(false);

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
}

/// Bytes that the calling thread has asked for, less those that it has given back, whoever asked for them.
/// What two readings differ by is what the work between them holds.
pub fn held_by_thread() -> isize {
    // A thread that ends has no counter any more.
    HELD.try_with(Cell::get).unwrap_or_default()
}

#[inline]
fn hold(bytes: usize, before: usize) {
    let more = bytes.cast_signed() - before.cast_signed();
    let _ending = HELD.try_with(|held| held.set(held.get() + more));
}

/// What is done before netop ends for want of memory. It may not need much itself.
pub fn before_out_of_memory(work: fn()) {
    // The first one stays.
    let _already_set = BEFORE.set(work);
}

/// Ends netop, with the sentence, where not even this much can be had: glibc itself aborts a program that
/// gets no memory for what a thread keeps (`__cxa_thread_atexit_impl`), and says so without a next command.
pub fn expect_room() {
    let layout = Layout::new::<[u8; LEAST_BYTES]>();
    // SAFETY: the layout has a size, and what was got is given back as it was.
    unsafe {
        let room = there(System.alloc(layout), LEAST_BYTES);
        System.dealloc(room, layout);
    }
}

// SAFETY: every call is passed on to the system's allocator as it is; null is not returned.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        hold(layout.size(), 0);
        // SAFETY: the caller's promise is the one that is asked for.
        there(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        hold(layout.size(), 0);
        // SAFETY: as above.
        there(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        hold(size, layout.size());
        // SAFETY: as above.
        there(unsafe { System.realloc(old, layout, size) }, size)
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        hold(0, layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(old, layout) }
    }
}

#[inline]
fn there(memory: *mut u8, bytes: usize) -> *mut u8 {
    if memory.is_null() {
        end(bytes);
    }
    memory
}

#[cold]
fn end(bytes: usize) -> ! {
    // What is done before may want memory, too: then it is left out.
    if !ENTERED.swap(true, Ordering::Relaxed)
        && let Some(before) = BEFORE.get()
    {
        before();
    }
    // Nothing is allocated here.
    let mut text = [0; 256];
    let mut line = io::Cursor::new(&mut text[..]);
    let _fits = write!(
        line,
        "netop: there is no memory for {bytes} more bytes: it is limited (ulimit -v), or the host has none left\n  try: ulimit -v unlimited\n"
    );
    let length = line.position() as usize;
    let _nobody_reads = io::stderr().write_all(&text[..length]);
    exit_now(EXIT_FAILED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[global_allocator]
    static ALLOCATOR: Allocator = Allocator;

    #[test]
    fn a_thread_holds_what_it_asked_for_less_what_it_gave_back() {
        let before = held_by_thread();
        let mut bytes: Vec<u8> = Vec::with_capacity(5000);
        assert_eq!(held_by_thread() - before, 5000);
        bytes.reserve_exact(7000);
        assert_eq!(held_by_thread() - before, 7000);
        let freed_elsewhere = std::thread::spawn(move || {
            let before = held_by_thread();
            drop(bytes);
            before - held_by_thread()
        });
        assert_eq!(freed_elsewhere.join().expect("no panic"), 7000);
    }
}
