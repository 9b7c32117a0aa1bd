//! The part of a vector that the new basis cannot express: a multiple of one vector `e`.

use crate::dtype::Dtype;
use crate::ir::{Block, Map, Op, Value};
use crate::placement::Type;

/// The factor of `e` in a vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// 0
    None,
    /// 1
    Whole,
    /// A number.
    Share(Value),
}

/// What is known of the factor in a variable of the state, whenever a block begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It is 0.
    None,
    /// It is 1.
    Whole,
    /// It is a variable itself.
    Share,
}

impl Kind {
    /// What is known if either holds.
    pub fn or(self, other: Self) -> Self {
        if self == other { self } else { Kind::Share }
    }
}

impl Rest {
    /// What is known of it.
    pub fn kind(self) -> Kind {
        match self {
            Rest::None => Kind::None,
            Rest::Whole => Kind::Whole,
            Rest::Share(_) => Kind::Share,
        }
    }
}

/// Numbers in a block: factors of rests, all of one type.
pub(super) struct Numbers<'a> {
    pub block: &'a mut Block,
    /// The type of a factor.
    pub ty: &'a Type,
    /// `‖e‖²`
    pub square: Value,
}

impl Numbers<'_> {
    /// The factor as a number; it does not matter where `e` is zero.
    pub fn number(&mut self, rest: Rest) -> Option<Value> {
        match rest {
            Rest::None => None,
            Rest::Whole => Some(self.map(Map::Div, self.square, self.square)),
            Rest::Share(number) => Some(number),
        }
    }

    /// `a ρ`
    pub fn scaled(&mut self, a: Value, rest: Rest) -> Rest {
        match self.number(rest) {
            Some(number) => Rest::Share(self.map(Map::Mul, a, number)),
            None => Rest::None,
        }
    }

    /// `-ρ`
    pub fn negated(&mut self, rest: Rest) -> Rest {
        match self.number(rest) {
            Some(number) => Rest::Share(self.block.push(Op::Neg, &[number], self.ty.clone())),
            None => Rest::None,
        }
    }

    /// The sum of some.
    pub fn sum(&mut self, rests: &[Rest]) -> Rest {
        let kept: Vec<_> = rests.iter().copied().filter(|r| *r != Rest::None).collect();
        if let [one] = kept.as_slice() {
            return *one;
        }
        let numbers: Vec<_> = kept.into_iter().filter_map(|rest| self.number(rest)).collect();
        if numbers.is_empty() {
            return Rest::None;
        }
        Rest::Share(self.block.push(Op::Add, &numbers, self.ty.clone()))
    }

    /// `ρ σ ‖e‖²`
    pub fn product(&mut self, a: Rest, b: Rest) -> Option<Value> {
        if a == Rest::None || b == Rest::None {
            return None;
        }
        let shares = [a, b].into_iter().filter_map(|rest| match rest {
            Rest::Share(number) => Some(number),
            Rest::None | Rest::Whole => None,
        });
        let shares: Vec<_> = shares.collect();
        Some(
            shares
                .into_iter()
                .fold(self.square, |product, share| self.map(Map::Mul, share, product)),
        )
    }

    fn map(&mut self, map: Map, a: Value, b: Value) -> Value {
        debug_assert_eq!(self.ty.dtype, Dtype::F64);
        self.block.push(Op::Map(map), &[a, b], self.ty.clone())
    }
}
