//! The messages from one rank to another with one tag, first in, first out.
//!
//! Sender and receiver number their messages by themselves, and meet in the slot of a number.
//! Whoever comes second copies, so that a message is delivered when both have *started* it.

use super::super::staging::{Region, Staging};
use super::CommError;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64};

/// Messages that may be under way.
const DEPTH: usize = 128;

pub(super) struct Channel {
    from: usize,
    to: usize,
    tag: u32,
    sent: AtomicU64,
    claimed: AtomicU64,
    slots: [Slot; DEPTH],
}

/// The stamp is four times the number of the message that the slot is for, plus its state.
/// A parcel is put down before the state says so.
struct Slot {
    stamp: AtomicU64,
    letter: AtomicPtr<Parcel>,
    basket: AtomicPtr<Parcel>,
}

/// Nobody was here.
const EMPTY: u64 = 0;
/// The sender came first and left its letter.
const LETTER: u64 = 1;
/// The receiver came first and left its basket.
const BASKET: u64 = 2;
/// The sender has filled the basket.
const FILLED: u64 = 3;

/// The bytes of one message on either side. It keeps the staging alive, also after its rank failed.
pub(super) struct Parcel {
    _owner: Arc<Staging>,
    region: Region,
    unread: AtomicBool,
}

impl Parcel {
    pub(super) fn new(owner: Arc<Staging>, region: Region) -> Arc<Parcel> {
        Arc::new(Parcel { _owner: owner, region, unread: AtomicBool::new(false) })
    }

    /// Whether a letter is delivered, so that it can be packed again.
    pub(super) fn is_read(&self) -> bool {
        !self.unread.load(Acquire)
    }
}

/// What the other rank has already done.
#[derive(PartialEq, Eq)]
pub(super) enum Met {
    /// It comes later.
    Alone,
    /// It was there, and the message is delivered.
    Both,
}

impl Channel {
    pub(super) fn new(from: usize, to: usize, tag: u32) -> Arc<Channel> {
        let slot = |number| Slot {
            stamp: AtomicU64::new(4 * number as u64 + EMPTY),
            letter: AtomicPtr::default(),
            basket: AtomicPtr::default(),
        };
        let (sent, claimed) = (AtomicU64::new(0), AtomicU64::new(0));
        let slots = std::array::from_fn(slot);
        Arc::new(Channel { from, to, tag, sent, claimed, slots })
    }

    /// Sends a letter that is packed and read.
    ///
    /// # Safety
    /// Nobody writes the letter's region until it is read.
    pub(super) unsafe fn send(&self, letter: &Arc<Parcel>) -> Result<Met, CommError> {
        let number = self.sent.fetch_add(1, Relaxed);
        let slot = self.slot(number);
        letter.unread.store(true, Relaxed);
        if slot.stamp.load(Acquire) == 4 * number + EMPTY {
            put(&slot.letter, letter);
            if slot.advance(number, EMPTY, LETTER) {
                return Ok(Met::Alone);
            }
            // SAFETY: put above, and not announced.
            drop(unsafe { take(&slot.letter) });
        }
        if slot.stamp.load(Acquire) != 4 * number + BASKET {
            return Err(self.full());
        }
        // SAFETY: the state says that the basket is there, for the sender of this number.
        let basket = unsafe { take(&slot.basket) };
        // SAFETY: the caller's contract, and that of `receive`.
        unsafe { self.deliver(letter, &basket)? }
        slot.stamp.store(4 * number + FILLED, Release);
        Ok(Met::Both)
    }

    /// Receives the next message into a basket, and returns its number.
    ///
    /// # Safety
    /// Nobody else uses the basket's region until the message has arrived.
    pub(super) unsafe fn receive(&self, basket: &Arc<Parcel>) -> Result<(u64, Met), CommError> {
        let number = self.claimed.fetch_add(1, Relaxed);
        let slot = self.slot(number);
        if slot.stamp.load(Acquire) == 4 * number + EMPTY {
            put(&slot.basket, basket);
            if slot.advance(number, EMPTY, BASKET) {
                return Ok((number, Met::Alone));
            }
            // SAFETY: put above, and not announced.
            drop(unsafe { take(&slot.basket) });
        }
        if slot.stamp.load(Acquire) != 4 * number + LETTER {
            return Err(self.full());
        }
        // SAFETY: the state says that the letter is there, for the receiver of this number.
        let letter = unsafe { take(&slot.letter) };
        // SAFETY: the caller's contract, and that of `send`.
        unsafe { self.deliver(&letter, basket)? }
        self.clear(number);
        Ok((number, Met::Both))
    }

    /// Whether the basket of a message, which was left alone, is filled.
    pub(super) fn is_filled(&self, number: u64) -> bool {
        self.slot(number).stamp.load(Acquire) == 4 * number + FILLED
    }

    /// Gives the slot of a message, which is delivered, to a later one.
    pub(super) fn clear(&self, number: u64) {
        self.slot(number).stamp.store(4 * (number + DEPTH as u64) + EMPTY, Release);
    }

    /// # Safety
    /// Nobody writes the letter's region, and nobody else uses the basket's.
    unsafe fn deliver(&self, letter: &Parcel, basket: &Parcel) -> Result<(), CommError> {
        let Channel { from, to, tag, .. } = *self;
        let (sent, expected) = (letter.region.len(), basket.region.len());
        if sent != expected {
            return Err(CommError::Length { from, to, tag, sent, expected });
        }
        // SAFETY: the caller's contract; parcels keep their memory alive.
        unsafe { basket.region.bytes_mut().copy_from_slice(letter.region.bytes()) };
        letter.unread.store(false, Release);
        Ok(())
    }

    fn slot(&self, number: u64) -> &Slot {
        &self.slots[number as usize % DEPTH]
    }

    fn full(&self) -> CommError {
        let Channel { from, to, tag, .. } = *self;
        CommError::Full { from, to, tag, depth: DEPTH }
    }
}

impl Slot {
    fn advance(&self, number: u64, from: u64, to: u64) -> bool {
        let (from, to) = (4 * number + from, 4 * number + to);
        self.stamp.compare_exchange(from, to, AcqRel, Acquire).is_ok()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        for parcel in [&self.letter, &self.basket] {
            if !parcel.load(Relaxed).is_null() {
                // SAFETY: what is not null was put, and nobody else has the slot any more.
                drop(unsafe { take(parcel) });
            }
        }
    }
}

fn put(place: &AtomicPtr<Parcel>, parcel: &Arc<Parcel>) {
    place.store(Arc::into_raw(parcel.clone()).cast_mut(), Relaxed);
}

/// # Safety
/// A parcel was put there, and nobody else takes it.
unsafe fn take(place: &AtomicPtr<Parcel>) -> Arc<Parcel> {
    // SAFETY: the pointer is from `into_raw` in `put`, and is forgotten here.
    unsafe { Arc::from_raw(place.swap(ptr::null_mut(), Relaxed)) }
}
