//! What values take on the heap, counted by the allocator of the program.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

/// Before each piece of memory glibc keeps its size.
const HEADER: usize = size_of::<usize>();

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
}

/// The allocator of the system, which counts for each thread what it holds.
#[derive(Debug)]
pub struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

/// Bytes that dropping `value` gives back, the allocator's share included, and its own.
pub fn live_bytes<T>(value: T) -> usize {
    let before = HELD.get();
    drop(value);
    before.wrapping_sub(HELD.get()) + size_of::<T>()
}

/// Counts what lies at `at`, or no longer does.
fn count(at: *mut u8, change: fn(usize, usize) -> usize) {
    if !at.is_null() {
        // SAFETY: `at` was returned by malloc, and has not been freed.
        let bytes = HEADER + unsafe { libc::malloc_usable_size(at.cast()) };
        HELD.set(change(HELD.get(), bytes));
    }
}

// SAFETY: everything is done by `System`; counting neither allocates nor touches the memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        let at = unsafe { System.alloc(layout) };
        count(at, usize::wrapping_add);
        at
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        let at = unsafe { System.alloc_zeroed(layout) };
        count(at, usize::wrapping_add);
        at
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(at, usize::wrapping_sub);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(at, layout) };
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(at, usize::wrapping_sub);
        // SAFETY: as the caller promises.
        let moved = unsafe { System.realloc(at, layout, size) };
        // Where that fails the old one stays.
        count(if moved.is_null() { at } else { moved }, usize::wrapping_add);
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_weighs_what_it_holds_and_itself_also_what_it_only_keeps_room_for() {
        let few = live_bytes(vec![1_u8, 2, 3]);
        assert!((24 + 3..=24 + 32).contains(&few), "{few}");
        let mut roomy = Vec::with_capacity(10_000);
        roomy.push(1_u8);
        let roomy = live_bytes(roomy);
        assert!((10_024..=10_080).contains(&roomy), "{roomy}");
        assert_eq!(live_bytes(7_u64), 8);
    }
}
