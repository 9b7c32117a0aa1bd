//! Large arrays on large pages.
//!
//! A sweep over an array asks for an address in a page table once in every page; on pages of 4 KiB
//! that takes as long as the memory itself (`benches/RESULTS.md`, "Pages").
//! Linux gives pages of 2 MiB to those who ask. A program asks for all its arrays by taking
//! [`LargePages`] as its allocator, as the command `adjoin` does:
//!
//! ```
//! #[global_allocator]
//! static PAGES: adjoin::LargePages = adjoin::LargePages;
//! # fn main() {
//! # let x = vec![0.0f64; 1 << 20];
//! # assert!(x.as_ptr().addr() % (2 << 20) == 0 || !cfg!(target_os = "linux"));
//! # }
//! ```
//! On other systems, and for small arrays, it is the system's allocator.

use std::alloc::{GlobalAlloc, Layout, System};

/// The system's allocator, with arrays of 2 MiB and more on pages of that size.
#[derive(Clone, Copy, Debug, Default)]
pub struct LargePages;

/// What a layout gets: small pages from the system, or a mapping of its own.
fn is_mapped(layout: Layout) -> bool {
    cfg!(target_os = "linux") && layout.size() >= mapping::PAGE && layout.align() <= mapping::PAGE
}

// SAFETY: a layout alone says who serves it, so memory goes back to where it came from; mappings
// are aligned to a large page, as long as was asked for at least, and zeroed.
unsafe impl GlobalAlloc for LargePages {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_mapped(layout) {
            return mapping::map(layout.size());
        }
        // SAFETY: the caller's promises are those of the system's allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if is_mapped(layout) {
            return mapping::map(layout.size());
        }
        // SAFETY: as for `alloc`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        if is_mapped(layout) {
            // SAFETY: memory of this layout came from `map` of the same size.
            return unsafe { mapping::unmap(start, layout.size()) };
        }
        // SAFETY: memory of this layout came from the system.
        unsafe { System.dealloc(start, layout) }
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that the size does not overflow when rounded to the alignment.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        if !is_mapped(layout) && !is_mapped(wanted) {
            // SAFETY: as for `alloc`.
            return unsafe { System.realloc(start, layout, size) };
        }
        // SAFETY: the new block is another one, and the smaller length lies in both.
        unsafe {
            let moved = self.alloc(wanted);
            if !moved.is_null() {
                moved.copy_from_nonoverlapping(start, layout.size().min(size));
                self.dealloc(start, layout);
            }
            moved
        }
    }
}

#[cfg(target_os = "linux")]
mod mapping {
    use std::ptr::null_mut;

    /// A large page, and the alignment of every mapping.
    pub const PAGE: usize = 2 << 20;

    /// A multiple of the small pages of all machines.
    const GRAIN: usize = 64 << 10;

    /// The part of a mapping that may be added to end it with a whole large page.
    const WASTE: usize = 8;

    /// New zeroed memory of so many bytes on large pages, or null.
    pub fn map(size: usize) -> *mut u8 {
        let Some(room) = size.checked_add(2 * PAGE) else { return null_mut() };
        let len = length(size);
        // SAFETY: a new private mapping at an address that the system chooses.
        let start = unsafe {
            let access = libc::PROT_READ | libc::PROT_WRITE;
            libc::mmap(null_mut(), room, access, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0)
        };
        if start == libc::MAP_FAILED {
            return null_mut();
        }
        let before = start.cast::<u8>().align_offset(PAGE);
        // SAFETY: all parts lie in the mapping, and those given back are not the one that is kept.
        unsafe {
            let kept = start.cast::<u8>().add(before);
            give_back(start.cast(), before);
            give_back(kept.add(len), room - before - len);
            // Without large pages there are small ones.
            libc::madvise(kept.cast(), len, libc::MADV_HUGEPAGE);
            kept
        }
    }

    /// # Safety
    /// The memory came from [`map`] with the same size, and nobody uses it any more.
    pub unsafe fn unmap(start: *mut u8, size: usize) {
        // SAFETY: `map` kept so many bytes from there.
        unsafe { give_back(start, length(size)) }
    }

    /// # Safety
    /// The bytes are mapped, and nobody uses them.
    unsafe fn give_back(start: *mut u8, len: usize) {
        if len > 0 {
            // SAFETY: the caller's promise.
            unsafe { libc::munmap(start.cast(), len) };
        }
    }

    /// The bytes of a mapping: whole large pages where that wastes little.
    fn length(size: usize) -> usize {
        let whole = size.next_multiple_of(PAGE);
        if whole - size <= size / WASTE { whole } else { size.next_multiple_of(GRAIN) }
    }
}

#[cfg(not(target_os = "linux"))]
mod mapping {
    pub const PAGE: usize = 2 << 20;

    pub fn map(_: usize) -> *mut u8 {
        unreachable!("only Linux has mappings")
    }

    pub unsafe fn unmap(_: *mut u8, _: usize) {
        unreachable!("only Linux has mappings")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 64).unwrap()
    }

    /// Sizes around the edges of large pages, and of what may be wasted.
    fn sizes() -> impl Iterator<Item = usize> {
        let page = 2usize << 20;
        let near = |n: usize| [n - 1, n, n + 1];
        [page, page + page / 9, 2 * page, 9 * page - page / 2, 8 * page + 70_000]
            .into_iter()
            .flat_map(near)
            .chain([1, 4096])
    }

    #[test]
    fn memory_is_zeroed_and_whole() {
        for size in sizes() {
            // SAFETY: each block is written within its size, and given back once.
            unsafe {
                let start = LargePages.alloc_zeroed(layout(size));
                let bytes = std::slice::from_raw_parts_mut(start, size);
                assert!(bytes.iter().all(|&b| b == 0), "{size}");
                bytes.fill(1);
                LargePages.dealloc(start, layout(size));
            }
        }
    }

    #[test]
    fn growing_and_shrinking_keep_what_was_there() {
        for (from, to) in sizes().zip(sizes().skip(1)).chain(sizes().map(|n| (n, 3 * n / 2))) {
            // SAFETY: each block is written within its size, and given back once.
            unsafe {
                let start = LargePages.alloc(layout(from));
                std::slice::from_raw_parts_mut(start, from).fill(7);
                let moved = LargePages.realloc(start, layout(from), to);
                let kept = std::slice::from_raw_parts_mut(moved, to);
                assert!(kept[..from.min(to)].iter().all(|&b| b == 7), "{from} to {to}");
                kept.fill(8);
                LargePages.dealloc(moved, layout(to));
            }
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn too_much_is_refused() {
        // SAFETY: a refusal allocates nothing.
        unsafe {
            assert!(LargePages.alloc(layout(isize::MAX as usize - 63)).is_null());
            let start = LargePages.alloc(layout(3 << 20));
            assert!(LargePages.realloc(start, layout(3 << 20), isize::MAX as usize - 63).is_null());
            LargePages.dealloc(start, layout(3 << 20));
        }
    }
}
