//! Steps as codes of a machine with one accumulator, which is a tile in registers.
//!
//! Steps that use what the last one has made come first, as far as their order does not matter.
//! The accumulator then has one of their operands already, and what it held has to be stored only
//! if somebody reads it later.

use super::Step;

/// What is done to a tile: `t` is the accumulator and `x` a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    /// `t = x`
    Load(Operand),
    /// `x = t`
    Store(Operand),
    /// `t = x t`, or `t = conj(x) t`.
    Times { conj: bool, x: Operand },
    /// `t = a t`
    Scale { a: usize },
    /// `t = a x + t`
    Plus { a: usize, x: Operand },
    /// `t = a t + x`
    Over { a: usize, x: Operand },
    /// `t = t + x`
    Add(Operand),
    /// `t = t - x`
    Sub(Operand),
    /// `t = x - t`
    Less(Operand),
    /// `Σ conj(t) t`
    Square { real: bool, sum: usize },
    /// `Σ conj(t) x`
    Dot { real: bool, x: Operand, sum: usize },
}

/// A place, and whether it is the first time that a tile needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Operand {
    pub(super) place: usize,
    pub(super) first: bool,
}

/// The steps in another order and as codes; what is made in a place that is `near` is stored only
/// if a code reads it.
pub(super) fn codes(steps: &[Step], near: impl Fn(usize) -> bool) -> Vec<Code> {
    let mut codes = Vec::new();
    let mut held = None;
    for k in order(steps) {
        emit(&steps[k], &mut held, &mut codes);
    }
    let mut codes = without_dead_stores(codes, near);
    let mut known = Vec::new();
    for from in codes.iter_mut().filter_map(Code::place_mut) {
        from.first = !known.contains(&from.place);
        known.push(from.place);
    }
    codes
}

/// An order in which steps follow what they use, as soon as the accumulator has it: first sums of
/// it, which keep it, then what replaces it.
fn order(steps: &[Step]) -> Vec<usize> {
    let mut left: Vec<usize> = (0..steps.len()).collect();
    let mut order = Vec::new();
    let mut held = None;
    while !left.is_empty() {
        let rank = |k: usize| match (&steps[k], held) {
            (Step::Dot { x, y, real, .. }, Some(t)) if *x == t || (*real && *y == t) => 0,
            (step, Some(t)) if step.takes(t) => 1,
            _ => 2,
        };
        let is_ready =
            |&at: &usize| left[..at].iter().all(|&before| !steps[before].meets(&steps[left[at]]));
        let at = (0..left.len()).filter(is_ready).min_by_key(|&at| (rank(left[at]), left[at]));
        let next = left.remove(at.unwrap_or(0));
        held = steps[next].result().or(held);
        order.push(next);
    }
    order
}

impl Step {
    /// The places that it reads.
    fn operands(&self) -> [usize; 2] {
        match *self {
            Step::Weigh { d, x, .. } => [d, x],
            Step::Scale { x, .. } => [x, x],
            Step::Axpy { x, z, .. } | Step::Add { x, z, .. } | Step::Sub { x, z, .. } => [x, z],
            Step::Dot { x, y, .. } => [x, y],
        }
    }

    /// The place that it writes.
    fn result(&self) -> Option<usize> {
        match *self {
            Step::Weigh { y, .. }
            | Step::Scale { y, .. }
            | Step::Axpy { y, .. }
            | Step::Add { y, .. }
            | Step::Sub { y, .. } => Some(y),
            Step::Dot { .. } => None,
        }
    }

    /// Whether an operand may be in the accumulator.
    fn takes(&self, place: usize) -> bool {
        match *self {
            Step::Weigh { x, .. } => x == place,
            Step::Scale { .. } | Step::Axpy { .. } | Step::Add { .. } | Step::Sub { .. } => {
                self.operands().contains(&place)
            }
            Step::Dot { real, x, y, .. } => x == place || (real && y == place),
        }
    }

    /// Whether the order of two steps matters.
    fn meets(&self, other: &Step) -> bool {
        let writes = |a: &Step, b: &Step| {
            a.result().is_some_and(|y| b.operands().contains(&y) || b.result() == Some(y))
        };
        writes(self, other) || writes(other, self)
    }
}

/// The codes of a step; `held` is the place whose elements the accumulator has.
fn emit(step: &Step, held: &mut Option<usize>, codes: &mut Vec<Code>) {
    let from = |place| Operand { place, first: false };
    let has = |place| *held == Some(place);
    // What is loaded if the accumulator has no operand, and what is done then.
    let (load, code) = match *step {
        Step::Weigh { conj, d, x, .. } => (x, Code::Times { conj, x: from(d) }),
        Step::Scale { a, x, .. } => (x, Code::Scale { a }),
        Step::Axpy { a, x, z, .. } if has(x) && !has(z) => (x, Code::Over { a, x: from(z) }),
        Step::Axpy { a, x, z, .. } => (z, Code::Plus { a, x: from(x) }),
        Step::Add { x, z, .. } if has(z) => (z, Code::Add(from(x))),
        Step::Add { x, z, .. } => (x, Code::Add(from(z))),
        Step::Sub { x, z, .. } if has(z) && !has(x) => (z, Code::Less(from(x))),
        Step::Sub { x, z, .. } => (x, Code::Sub(from(z))),
        Step::Dot { real, x, y, sum } if x == y => (x, Code::Square { real, sum }),
        Step::Dot { real: true, x, y, sum } if has(y) => {
            (y, Code::Dot { real: true, x: from(x), sum })
        }
        Step::Dot { real, x, y, sum } => (x, Code::Dot { real, x: from(y), sum }),
    };
    if !has(load) {
        codes.push(Code::Load(from(load)));
        *held = Some(load);
    }
    codes.push(code);
    if let Some(y) = step.result() {
        codes.push(Code::Store(from(y)));
        *held = Some(y);
    }
}

impl Code {
    fn place_mut(&mut self) -> Option<&mut Operand> {
        match self {
            Code::Load(x)
            | Code::Store(x)
            | Code::Times { x, .. }
            | Code::Plus { x, .. }
            | Code::Over { x, .. }
            | Code::Add(x)
            | Code::Sub(x)
            | Code::Less(x)
            | Code::Dot { x, .. } => Some(x),
            Code::Scale { .. } | Code::Square { .. } => None,
        }
    }
}

/// Leaves out stores that nobody reads.
fn without_dead_stores(codes: Vec<Code>, near: impl Fn(usize) -> bool) -> Vec<Code> {
    let mut read = Vec::new();
    let mut kept: Vec<Code> = Vec::new();
    for mut code in codes.into_iter().rev() {
        if let Code::Store(Operand { place, .. }) = code {
            let is_read = read.contains(&place);
            read.retain(|&other| other != place);
            if near(place) && !is_read {
                continue;
            }
        } else if let Some(from) = code.place_mut() {
            read.push(from.place);
        }
        kept.push(code);
    }
    kept.reverse();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(place: usize, first: bool) -> Operand {
        Operand { place, first }
    }

    #[test]
    fn what_was_made_is_used_before_it_is_stored() {
        // Weights 0, elements 1 and 2, room 3: an update of 2, weighed once more, and both norms.
        let steps = [
            Step::Weigh { conj: false, d: 0, x: 1, y: 3 },
            Step::Axpy { a: 0, x: 2, z: 3, y: 2 },
            Step::Weigh { conj: false, d: 0, x: 2, y: 3 },
            Step::Dot { real: true, x: 3, y: 3, sum: 0 },
            Step::Dot { real: true, x: 2, y: 2, sum: 1 },
        ];
        let expected = [
            Code::Load(at(1, true)),
            Code::Times { conj: false, x: at(0, true) },
            Code::Plus { a: 0, x: at(2, true) },
            Code::Store(at(2, false)),
            Code::Square { real: true, sum: 1 },
            Code::Times { conj: false, x: at(0, false) },
            Code::Square { real: true, sum: 0 },
        ];
        assert_eq!(codes(&steps, |place| place == 3), expected);
    }

    #[test]
    fn what_is_read_again_is_stored() {
        let steps = [
            Step::Scale { a: 0, x: 0, y: 3 },
            Step::Add { x: 3, z: 1, y: 1 },
            Step::Sub { x: 2, z: 3, y: 2 },
        ];
        let expected = [
            Code::Load(at(0, true)),
            Code::Scale { a: 0 },
            Code::Store(at(3, true)),
            Code::Add(at(1, true)),
            Code::Store(at(1, false)),
            Code::Load(at(2, true)),
            Code::Sub(at(3, false)),
            Code::Store(at(2, false)),
        ];
        assert_eq!(codes(&steps, |place| place == 3), expected);
    }
}
