//! How a thread rests until it is rung for: it looks out for a moment, gives way to others for
//! some more, and then sleeps.

use super::{AtomicUsize, SeqCst, fence};
use std::hint::spin_loop;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Relaxed};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, Thread};

/// Looks before giving way, where each thread can have a core; some tens of microseconds, which
/// waking takes as well.
const LOOKS: u32 = 1 << 11;

/// How often a thread gives way to others before it sleeps; some hundreds of microseconds if there
/// are none, since the hands of one kernel seldom finish together.
const YIELDS: u32 = 1 << 10;

/// The number of rings after which a thread ends.
const END: usize = usize::MAX;

/// Rings for one thread, on a cache line of its own.
#[repr(align(128))]
pub(super) struct Bell {
    /// How often it has rung.
    rings: AtomicUsize,
    /// How often that has been heard.
    heard: AtomicUsize,
    asleep: AtomicBool,
    /// Whose bell it is, where that is not known to whoever rings.
    thread: Mutex<Option<Thread>>,
    looks: u32,
    yields: u32,
}

impl Bell {
    pub(super) fn new(cores: bool) -> Bell {
        Bell {
            rings: AtomicUsize::new(0),
            heard: AtomicUsize::new(0),
            asleep: AtomicBool::new(false),
            thread: Mutex::new(None),
            looks: if cores { LOOKS } else { 0 },
            yields: if cores { YIELDS } else { 0 },
        }
    }

    /// The bell is the current thread's.
    pub(super) fn take(&self) {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        let own = thread::current();
        assert!(thread.as_ref().is_none_or(|t| t.id() == own.id()), "one thread is in a crew");
        *thread = Some(own);
    }

    /// The bell is nobody's.
    pub(super) fn leave(&self) {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Rings for the thread, which has heard all rings before.
    pub(super) fn ring(&self, thread: &Thread) {
        self.rings.fetch_add(1, SeqCst);
        if self.asleep.load(SeqCst) {
            thread.unpark();
        }
    }

    /// Rings for the last time.
    pub(super) fn end(&self, thread: &Thread) {
        self.rings.store(END, SeqCst);
        thread.unpark();
    }

    /// Waits for the next ring; false after the last one.
    pub(super) fn next(&self) -> bool {
        let heard = self.heard.load(Relaxed);
        self.wait(|| self.rings.load(Acquire) != heard);
        self.heard.store(heard + 1, Relaxed);
        self.rings.load(Acquire) != END
    }

    /// Waits until something holds after whose change the bell's thread is woken.
    pub(super) fn wait(&self, until: impl Fn() -> bool) {
        for _ in 0..self.looks {
            if until() {
                return;
            }
            spin_loop();
        }
        for _ in 0..self.yields {
            if until() {
                return;
            }
            thread::yield_now();
        }
        while !until() {
            self.asleep.store(true, SeqCst);
            // Either this sees the change, or whoever makes it sees the sleeper.
            fence(SeqCst);
            if !until() {
                thread::park();
            }
            self.asleep.store(false, SeqCst);
        }
    }

    /// Wakes the thread after a change that it waits for.
    pub(super) fn wake(&self) {
        fence(SeqCst);
        if self.asleep.load(SeqCst) {
            let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
            thread.iter().for_each(Thread::unpark);
        }
    }
}
