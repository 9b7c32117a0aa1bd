//! Crews: the threads of one rank, among which kernels divide their work.
//!
//! A rank's thread enters its [`Crew`] once.
//! A kernel then asks how many [`hands`] so much work is worth, and runs [`each`] of them: the first
//! on the rank's own thread, the others on threads that have been there since the crew was made.
//! Work is handed over through an atomic number for each thread; nothing is allocated or locked.
//! Without a crew, and within work that is shared already, everything is done by one hand.
//!
//! Kernels are cut only where bits do not depend on ranges, so results do not depend on crews.
//! A thread that has nothing to do looks out for work for a moment and then sleeps.
//! A panic of any hand goes on in the rank's thread, after all hands have stopped.

mod rest;

use rest::Bell;
use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::io;
use std::marker::PhantomData;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::NonNull;
use std::sync::atomic::Ordering::{Acquire, SeqCst};
use std::sync::atomic::{AtomicUsize, fence};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

/// Work that is worth a hand of its own, where a unit is about what it takes to move a byte or to
/// do an arithmetic operation: some microseconds in a cache, many times what handing over takes.
pub const LEAST: usize = 1 << 19;

/// The threads of a rank.
pub struct Crew {
    shared: Arc<Shared>,
    mates: Vec<JoinHandle<()>>,
    least: usize,
}

/// What a hand does.
type Task = *const (dyn Fn(usize) + Sync);

struct Shared {
    /// Rings for each thread but the rank's own.
    bells: Vec<Bell>,
    /// What is shared at the moment; written while no thread has work.
    task: UnsafeCell<Option<Task>>,
    /// Threads that have not finished.
    left: AtomicUsize,
    /// Rings for the rank's own thread when all have finished.
    done: Bell,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

// SAFETY: `task` is written by the rank's thread before it rings, while all others rest, and read
// by them after that; what it points to is `Sync`.
unsafe impl Sync for Shared {}
// SAFETY: as above; the pointer is followed only while the rank's thread is within `each`.
unsafe impl Send for Shared {}

thread_local! {
    static CREW: Cell<Option<NonNull<Crew>>> = const { Cell::new(None) };
}

impl Crew {
    /// So many threads, the one of the rank among them; the others look out for work before they
    /// sleep if each thread of the machine can have a core.
    pub fn new(threads: usize, cores: bool) -> io::Result<Crew> {
        let others = threads.saturating_sub(1);
        let shared = Arc::new(Shared {
            bells: (0..others).map(|_| Bell::new(cores)).collect(),
            task: UnsafeCell::new(None),
            left: AtomicUsize::new(0),
            done: Bell::new(cores),
            panic: Mutex::new(None),
        });
        let mut crew = Crew { shared: shared.clone(), mates: Vec::new(), least: LEAST };
        for mate in 0..others {
            let shared = shared.clone();
            let builder = Builder::new().name(format!("hand {}", mate + 1));
            crew.mates.push(builder.spawn(move || shared.serve(mate))?);
        }
        Ok(crew)
    }

    /// Other work that is worth a hand than [`LEAST`].
    pub fn sharing_from(mut self, least: usize) -> Crew {
        self.least = least.max(1);
        self
    }

    /// How many threads it has.
    pub fn threads(&self) -> usize {
        self.mates.len() + 1
    }

    /// Makes this the crew of the current thread until what is returned is dropped.
    ///
    /// Only one thread at a time may be in a crew.
    ///
    /// # Panics
    ///
    /// If another thread is in the crew.
    pub fn enter(self: &Arc<Self>) -> Entered {
        self.shared.done.take();
        let before = CREW.replace((self.threads() > 1).then(|| NonNull::from(&**self)));
        Entered { crew: self.clone(), before, here: PhantomData }
    }

    /// Runs a task on so many hands.
    fn run(&self, hands: usize, body: &(dyn Fn(usize) + Sync)) {
        let Shared { task, left, .. } = &*self.shared;
        #[allow(clippy::transmute_ptr_to_ptr)] // A cast cannot change a lifetime.
        // SAFETY: only the lifetime is lost: every thread that gets the task has finished with it
        // when `left` is zero, which is waited for below, before anything may unwind.
        let lasting =
            unsafe { std::mem::transmute::<*const (dyn Fn(usize) + Sync + '_), Task>(body) };
        // SAFETY: no other thread has work, so none reads.
        unsafe { *task.get() = Some(lasting) };
        left.store(hands - 1, SeqCst);
        for (bell, mate) in self.shared.bells[..hands - 1].iter().zip(&self.mates) {
            bell.ring(mate.thread());
        }
        let own = catch_unwind(AssertUnwindSafe(|| body(0)));
        self.shared.done.wait(|| left.load(Acquire) == 0);
        if let Err(panic) = own {
            self.shared.panicked().take();
            resume_unwind(panic);
        }
        if let Some(panic) = self.shared.panicked().take() {
            resume_unwind(panic);
        }
    }
}

impl Shared {
    /// A thread's life.
    fn serve(&self, mate: usize) {
        let bell = &self.bells[mate];
        bell.take();
        while bell.next() {
            // SAFETY: the bell rang after the task was written, and the task lives and stays until
            // `left` has been counted down below.
            let done = unsafe {
                let task = (*self.task.get()).expect("a task");
                catch_unwind(AssertUnwindSafe(|| (*task)(mate + 1)))
            };
            if let Err(panic) = done {
                self.panicked().get_or_insert(panic);
            }
            if self.left.fetch_sub(1, SeqCst) == 1 {
                self.done.wake();
            }
        }
    }

    fn panicked(&self) -> std::sync::MutexGuard<'_, Option<Box<dyn Any + Send>>> {
        self.panic.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        for (bell, mate) in self.shared.bells.iter().zip(&self.mates) {
            bell.end(mate.thread());
        }
        for mate in self.mates.drain(..) {
            let _ = mate.join();
        }
    }
}

/// The current thread is in a crew.
pub struct Entered {
    crew: Arc<Crew>,
    before: Option<NonNull<Crew>>,
    here: PhantomData<*const ()>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        CREW.set(self.before);
        if self.before.is_none_or(|before| !std::ptr::eq(before.as_ptr(), &raw const *self.crew)) {
            self.crew.shared.done.leave();
        }
    }
}

/// How many threads the crew of the current thread has.
pub fn threads() -> usize {
    current().map_or(1, Crew::threads)
}

/// How many threads so much work is worth.
#[inline]
pub fn hands(work: usize) -> usize {
    match current() {
        None => 1,
        Some(crew) => (work / crew.least).clamp(1, crew.threads()),
    }
}

#[inline]
fn current<'a>() -> Option<&'a Crew> {
    // SAFETY: whoever is in a crew keeps it alive, and only the current thread, which returns
    // before it leaves, gets the reference.
    CREW.get().map(|crew| unsafe { crew.as_ref() })
}

/// Runs the body once for each of so many hands, as far as there are threads at the same time;
/// what it runs is not shared again.
pub fn each(hands: usize, body: impl Fn(usize) + Sync) {
    match current() {
        Some(crew) if (2..=crew.threads()).contains(&hands) => {
            let _alone = Alone(CREW.take());
            crew.run(hands, &body);
        }
        _ => (0..hands).for_each(body),
    }
}

/// The current thread has no crew for a while.
struct Alone(Option<NonNull<Crew>>);

impl Drop for Alone {
    fn drop(&mut self) {
        CREW.set(self.0);
    }
}

/// The part of `n` things that a hand gets, in whole units.
pub fn part(n: usize, unit: usize, hands: usize, hand: usize) -> Range<usize> {
    let units = n.div_ceil(unit.max(1));
    let cut = |hand: usize| (units * hand / hands * unit).min(n);
    cut(hand)..cut(hand + 1)
}

/// Divides an array among the hands that the work is worth, in whole units of elements; the body
/// gets each part with its place.
#[inline]
pub fn over<T: Send>(
    work: usize,
    unit: usize,
    array: &mut [T],
    body: impl Fn(Range<usize>, &mut [T]) + Sync,
) {
    let (n, hands) = (array.len(), hands(work));
    if hands == 1 {
        return body(0..n, array);
    }
    let cut = Divided::new(array);
    each(hands, |hand| {
        let part = part(n, unit, hands, hand);
        // SAFETY: the parts of hands do not overlap.
        body(part.clone(), unsafe { cut.part(part) });
    });
}

/// Gives each hand one of the slots, of which there is one for each hand.
pub fn with<T: Send>(slots: &mut [T], body: impl Fn(usize, &mut T) + Sync) {
    let hands = slots.len();
    let cut = Divided::new(slots);
    // SAFETY: every hand has a slot of its own.
    each(hands, |hand| body(hand, unsafe { cut.one(hand) }));
}

/// An array of which several hands write different parts.
pub struct Divided<'a, T> {
    start: *mut T,
    len: usize,
    array: PhantomData<&'a mut [T]>,
}

// SAFETY: a part is lent to whoever asks, whose duty it is that parts do not overlap.
unsafe impl<T: Send> Sync for Divided<'_, T> {}

impl<'a, T> Divided<'a, T> {
    /// The array to be divided.
    pub fn new(array: &'a mut [T]) -> Self {
        Divided { start: array.as_mut_ptr(), len: array.len(), array: PhantomData }
    }

    /// Some of the elements.
    ///
    /// # Safety
    /// Nobody else has any of them while what is returned lives.
    ///
    /// # Panics
    /// If there are no such elements.
    #[allow(clippy::mut_from_ref)] // That is what it is for.
    pub unsafe fn part(&self, range: Range<usize>) -> &mut [T] {
        assert!(range.start <= range.end && range.end <= self.len, "a part of the array");
        // SAFETY: the elements are there, and the caller's duty.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.len()) }
    }

    /// Whether there are so many elements.
    pub fn has(&self, elements: usize) -> bool {
        elements <= self.len
    }

    /// Where an element is, or would be.
    pub fn place(&self, at: usize) -> *const T {
        self.start.wrapping_add(at)
    }

    /// One of the elements.
    ///
    /// # Safety
    /// As for [`Divided::part`].
    ///
    /// # Panics
    /// If there is no such element.
    #[allow(clippy::mut_from_ref)] // That is what it is for.
    pub unsafe fn one(&self, at: usize) -> &mut T {
        // SAFETY: the caller's duty.
        unsafe { &mut self.part(at..at + 1)[0] }
    }
}

#[cfg(test)]
mod tests;
