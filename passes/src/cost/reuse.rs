//! How much else was touched since something was touched last: what caches must hold to have it yet.

use crate::ir::LeafId;

/// What lies in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thing {
    /// The data of an operator.
    Leaf(LeafId),
    /// A value that has no buffer yet.
    Value(usize),
    /// A state variable that has none.
    State(u32),
    /// A buffer, whatever lies there.
    Buffer(u32),
}

/// Everything, what was touched last at the end.
#[derive(Default)]
pub(super) struct Recent {
    things: Vec<Touched>,
    sweeps: usize,
}

/// Something with its bytes, the sweep that touched it last, and the bytes of all of that sweep.
struct Touched {
    thing: Thing,
    size: f64,
    sweep: usize,
    beside: f64,
}

impl Recent {
    /// Touches things piece by piece, all of the first piece and then all of the next; for each
    /// how many different bytes are touched from a piece of it in an earlier sweep to the same piece
    /// in this one, or infinitely many if it never was.
    ///
    /// What is read and then written is twice among them.
    pub(super) fn sweep(&mut self, moves: &[(Thing, f64)]) -> Vec<f64> {
        let mut known: Vec<(Thing, f64)> = Vec::new();
        for &(thing, size) in moves {
            match known.iter_mut().find(|(other, _)| *other == thing) {
                Some((_, most)) => *most = most.max(size),
                None => known.push((thing, size)),
            }
        }
        let beside: f64 = known.iter().map(|(_, size)| size).sum();
        let distances = moves.iter().map(|(thing, _)| self.distance(*thing, beside)).collect();
        self.sweeps += 1;
        for (thing, size) in known {
            let before = self.things.iter().position(|touched| touched.thing == thing);
            // Of something larger that shares its place the rest has stayed as it was.
            let held = before.map_or(size, |at| self.things.remove(at).size.max(size));
            self.things.push(Touched { thing, size: held, sweep: self.sweeps, beside });
        }
        distances
    }

    fn distance(&self, thing: Thing, beside: f64) -> f64 {
        let Some(last) = self.things.iter().find(|touched| touched.thing == thing) else {
            return f64::INFINITY;
        };
        let later = self.things.iter().rev().take_while(|touched| touched.sweep > last.sweep);
        // The rest of the pieces of the one sweep, and as many of the other as come before.
        later.map(|touched| touched.size).sum::<f64>() + f64::midpoint(last.beside, beside)
    }

    /// Something lies from now on where something else does.
    pub(super) fn rename(&mut self, from: Thing, to: Thing) {
        if self.things.iter().any(|touched| touched.thing == from) {
            self.things.retain(|touched| touched.thing != to);
            self.things.iter_mut().filter(|t| t.thing == from).for_each(|t| t.thing = to);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: f64 = f64::INFINITY;

    #[test]
    fn what_was_touched_twice_counts_once() {
        let mut recent = Recent::default();
        let [a, b, c] = [0, 1, 2].map(Thing::Buffer);
        assert_eq!(recent.sweep(&[(a, 10.0)]), [NEVER]);
        for _ in 0..3 {
            recent.sweep(&[(b, 4.0)]);
        }
        recent.sweep(&[(c, 1.0)]);
        assert_eq!(recent.sweep(&[(a, 10.0)]), [15.0]);
        assert_eq!(recent.sweep(&[(a, 10.0)]), [10.0]);
        assert_eq!(recent.sweep(&[(b, 4.0)]), [15.0]);
    }

    #[test]
    fn what_is_swept_together_is_in_the_way_of_each_other() {
        let mut recent = Recent::default();
        let [a, b, c] = [0, 1, 2].map(Thing::Buffer);
        // Read and written.
        assert_eq!(recent.sweep(&[(a, 4.0), (b, 4.0), (b, 4.0)]), [NEVER; 3]);
        assert_eq!(recent.sweep(&[(a, 4.0), (b, 4.0), (b, 4.0)]), [8.0; 3]);
        // Half of eight bytes and half of five.
        assert_eq!(recent.sweep(&[(b, 4.0), (c, 1.0)]), [6.5, NEVER]);
        // In between the last sweep.
        assert_eq!(recent.sweep(&[(a, 4.0)]), [5.0 + 6.0]);
    }

    #[test]
    fn what_changes_its_name_stays_where_it_is() {
        let mut recent = Recent::default();
        let [value, state] = [Thing::Value(3), Thing::State(0)];
        recent.sweep(&[(state, 7.0)]);
        recent.sweep(&[(value, 7.0)]);
        recent.sweep(&[(Thing::Value(4), 2.0)]);
        recent.rename(value, state);
        assert_eq!(recent.sweep(&[(state, 7.0), (value, 7.0)])[1], NEVER);
    }
}
