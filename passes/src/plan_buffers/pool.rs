//! The buffers that there are so far, and which of them are free.

use crate::placement::Type;

/// All buffers, those of the state variables first.
pub(super) struct Pool {
    states: usize,
    rooms: Vec<Room>,
}

/// A buffer: the largest type that it held, and whether it is free.
struct Room {
    ty: Type,
    free: bool,
    holds: Holds,
}

/// What values of a buffer there are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    Any,
    /// Some lie inside of others, and do not begin where the buffer begins.
    Inner,
    /// Some became others of another shape where they are.
    Reshaped,
    /// All of them pass through a region.
    Passing,
}

impl Pool {
    /// The buffers of the states, which are never free.
    pub fn new<'a>(states: impl Iterator<Item = &'a Type>) -> Pool {
        let room = |ty: &Type| Room { ty: ty.clone(), free: false, holds: Holds::Any };
        let rooms: Vec<_> = states.map(room).collect();
        Pool { states: rooms.len(), rooms }
    }

    /// Whether a buffer is that of a state.
    pub fn is_state(&self, b: u32) -> bool {
        (b as usize) < self.states
    }

    /// What values a buffer has held.
    pub fn holds(&self, b: u32) -> Holds {
        self.rooms[b as usize].holds
    }

    /// From now on a buffer holds such values too.
    pub fn mark(&mut self, b: u32, holds: Holds) {
        self.rooms[b as usize].holds = holds;
    }

    /// Nobody needs what a buffer holds.
    pub fn release(&mut self, b: u32) {
        self.rooms[b as usize].free = true;
    }

    /// A block has ended: all but the states are free.
    pub fn release_all(&mut self) {
        self.rooms[self.states..].iter_mut().for_each(|room| room.free = true);
    }

    /// A free buffer of the element type for values that pass or for others, the smallest that is
    /// large enough or else the largest; a new one if there is none.
    pub fn take(&mut self, ty: &Type, passes: bool) -> u32 {
        let need = ty.len();
        let fits = |room: &Room| {
            room.free && room.ty.dtype == ty.dtype && (room.holds == Holds::Passing) == passes
        };
        let candidates = (self.states..self.rooms.len()).filter(|&b| fits(&self.rooms[b]));
        let best = candidates.min_by_key(|&b| {
            let have = self.rooms[b].ty.len();
            let other = self.rooms[b].ty.placement.splits != ty.placement.splits;
            (other, if have >= need { have - need } else { usize::MAX - have }, b)
        });
        let b = best.unwrap_or_else(|| {
            let holds = if passes { Holds::Passing } else { Holds::Any };
            self.rooms.push(Room { ty: ty.clone(), free: true, holds });
            self.rooms.len() - 1
        });
        let room = &mut self.rooms[b];
        room.free = false;
        if room.ty.len() < need {
            room.ty = ty.clone();
        }
        b as u32
    }
}
