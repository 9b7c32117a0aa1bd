//! Kinds of local work: of which class an application is, and how much of it goes along rows.

use super::{Binding, Cost, Signature};
use crate::machine::Manner;
use serde::{Deserialize, Serialize};

/// A kind of local work: what a machine does alike fast.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Element by element.
    #[default]
    Update,
    /// Sums with a table of numbers, as of a matrix.
    Product,
    /// Sums of a few neighbours.
    Stencil,
    /// Sums of many neighbours.
    Convolution,
    /// Fast Fourier transforms.
    Transform,
    /// Sums from and to computed places.
    Gather,
    /// Copies to other places.
    Move,
}

impl std::fmt::Display for Class {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Class::Update => "update",
            Class::Product => "product",
            Class::Stencil => "stencil",
            Class::Convolution => "convolution",
            Class::Transform => "transform",
            Class::Gather => "gather",
            Class::Move => "move",
        })
    }
}

impl Signature {
    /// The kind of local work that an application is.
    pub fn class(&self) -> Class {
        let contracts = |f: usize| self.rule.in_domain(f) != self.rule.in_range(f);
        let reaches = |b: &Binding| b.halo != (0, 0);
        match self.cost_or_estimate() {
            Cost { class: Some(class), .. } => class,
            cost if cost.reads > 0.0 && (0..self.rule.factors.len()).any(contracts) => {
                Class::Product
            }
            _ if self.rule.domain.iter().flatten().any(reaches) => Class::Stencil,
            cost if self.laws.permutation || cost.flops == 0.0 => Class::Move,
            _ => Class::Update,
        }
    }

    /// How an application to so many vectors is done.
    pub fn manner(&self, batch: f64) -> Manner {
        let class = self.class();
        let along = match class {
            Class::Product => 1.0 / (batch * self.vectors()).max(1.0),
            _ if batch > 1.0 => 0.0,
            _ => self.along(class),
        };
        Manner { class, along }
    }

    /// How many vectors an application has for each number of the table that it reads.
    fn vectors(&self) -> f64 {
        let cost = self.cost_or_estimate();
        let once = if self.dtype.is_complex() { 8.0 } else { 2.0 };
        let table = cost.reads / self.dtype.size() as f64;
        if table > 0.0 { (cost.flops / (once * table)).max(1.0) } else { 1.0 }
    }

    /// The part of the work that goes along the last dim of the first part of the domain: of what
    /// is summed or made anew the part that is summed there; of stencils, which go over an array
    /// once, all if they reach along no other dim; of what is moved, all if that dim stays last.
    fn along(&self, class: Class) -> f64 {
        let passes = |b: &Binding| self.rule.in_range(b.factor);
        let sides = [&self.rule.domain, &self.rule.range].map(|side| side.first());
        let [Some(domain), Some(range)] = sides else { return 1.0 };
        let all = |holds: bool| if holds { 1.0 } else { 0.0 };
        let weight = |b: &Binding| match b.halo {
            (0, 0) => all(self.rule.factors[b.factor].whole || !passes(b)),
            (low, high) => (low + high + 1) as f64,
        };
        let sum = domain.iter().map(weight).sum::<f64>();
        match class {
            Class::Move => all(domain.last().map(|b| b.factor) == range.last().map(|b| b.factor)),
            Class::Stencil => all(domain.iter().rev().skip(1).all(|b| b.halo == (0, 0))),
            _ if sum > 0.0 => domain.last().map_or(1.0, |b| weight(b) / sum),
            _ => 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_small_matrices_are_vectors_too() {
        let plan = crate::examples::read(
            "mesh 1 rank
            let B = (k, i, z) <- (k, j, z) : f64[3, 6, 8, 5]
            %0 = input x : f64[6, 8]
            return %0",
        );
        let mut signature = (*plan.leaves[0].signature).clone();
        // Its table has no index for the columns.
        let (flops, reads) = (2.0 * 3.0 * 6.0 * 8.0 * 5.0, 3.0 * 6.0 * 8.0 * 8.0);
        signature.cost = Cost { flops, reads, holds: reads, ..Cost::default() };
        let along = |batch| signature.manner(batch).along;
        assert_eq!([along(1.0), along(4.0)], [0.2, 0.05]);
    }

    #[test]
    fn work_along_the_last_dim_is_told_from_other_work() {
        let plan = crate::examples::read(
            "mesh 1 rank
            let S = (i, j) <- (i~1:1, j~2:2) : f64[6, 8]
            let M = (i) <- (j) : f64[6, 8]
            let B = (k, i) <- (k, j) : f64[3, 6, 8]
            let T = (i, j) <- (j, i) permutation : f64[6, 8]
            let R = (i, j, k) <- (j, i, k) permutation : f64[6, 8, 2]
            %0 = input x : f64[6, 8]
            return %0",
        );
        let manner = |k: usize, batch| plan.leaves[k].signature.manner(batch);
        let stencil = Manner { class: Class::Stencil, along: 0.0 };
        assert_eq!([manner(0, 1.0), manner(0, 2.0)], [stencil; 2]);
        let product = |along| Manner { class: Class::Product, along };
        assert_eq!([manner(1, 1.0), manner(2, 4.0)], [product(1.0), product(0.25)]);
        let move_to = |along| Manner { class: Class::Move, along };
        assert_eq!([manner(3, 1.0), manner(4, 1.0)], [move_to(0.0), move_to(1.0)]);
    }
}
