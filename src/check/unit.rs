//! What is checked as one: a leaf, or one block of a family, applied tile by tile without a plan.
//!
//! Gather what a tile reads, apply its kernel, scatter what it makes.

use super::fault::Place;
use super::numbers::{Vector, random};
use crate::elements::Elements;
use crate::ops::{Operator, OperatorError, Patch, PatchMut, Tile};
use adjoin_kernels::host::Acc;
use adjoin_kernels::host::star::Sums;
use adjoin_passes::Dtype;
use adjoin_passes::placement::{Region, volume};
use adjoin_passes::signature::Signature;
use num_complex::Complex64;
use std::ops::Range;

/// A direction of an operator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Way {
    Forward,
    Adjoint,
}

/// A leaf or a block of one.
pub struct Unit<'a> {
    pub operator: &'a dyn Operator,
    /// All of it as one tile.
    pub tile: Tile,
    /// The indices of each part of the domain that it reads.
    pub domain: Vec<Region>,
    /// The indices of each part of the range that it makes.
    pub range: Vec<Region>,
}

/// One tile with the boxes of its parts, from where to where.
struct Job<'a> {
    tile: &'a Tile,
    way: Way,
    acc: Acc,
    from: Vec<Region>,
    to: Vec<Region>,
}

impl<'a> Unit<'a> {
    /// A whole leaf, on vectors of a type.
    pub fn whole(operator: &'a dyn Operator, vector: Dtype) -> Self {
        Unit::of(operator, Tile::whole(operator.signature(), vector))
    }

    /// One index of a factor alone.
    pub fn only(&self, factor: usize, index: usize) -> Self {
        let mut tile = self.tile.clone();
        tile.factors[factor] = index..index + 1;
        Unit::of(self.operator, tile)
    }

    fn of(operator: &'a dyn Operator, tile: Tile) -> Self {
        let rule = &operator.signature().rule;
        let domain = (0..rule.domain.len()).map(|part| tile.domain_box(rule, part)).collect();
        let range = (0..rule.range.len()).map(|part| tile.range_box(rule, part)).collect();
        Unit { operator, tile, domain, range }
    }

    pub fn signature(&self) -> &Signature {
        self.operator.signature()
    }

    /// A random vector for a direction.
    pub fn input(&self, way: Way, seed: u64) -> Vector {
        random(seed, &self.sizes(way), self.types(way).0)
    }

    /// Elements of the parts that go in.
    pub fn sizes(&self, way: Way) -> Vec<usize> {
        self.boxes(way).0.iter().map(volume).collect()
    }

    /// The element types of what goes in and what comes out.
    pub fn types(&self, way: Way) -> (Dtype, Dtype) {
        match way {
            Way::Forward => (self.tile.domain, self.tile.range),
            Way::Adjoint => (self.tile.range, self.tile.domain),
        }
    }

    /// What may be rounded away, relative to the largest element.
    pub fn tolerance(&self) -> f64 {
        if self.tile.domain.is_double() { 1e-10 } else { 2e-4 }
    }

    fn boxes(&self, way: Way) -> (&[Region], &[Region]) {
        match way {
            Way::Forward => (&self.domain, &self.range),
            Way::Adjoint => (&self.range, &self.domain),
        }
    }

    /// Applies it as one tile.
    pub fn apply(&self, way: Way, input: &Vector) -> Result<Vector, OperatorError> {
        self.apply_tiles(std::slice::from_ref(&self.tile), way, input)
    }

    /// Applies it as one tile together with its adjoint, if that is a way to apply it.
    pub fn normal(&self, sums: Sums, input: &Vector) -> Result<Option<Vector>, OperatorError> {
        let mut local = self.operator.build(&self.tile)?;
        if !local.has_normal() {
            return Ok(None);
        }
        let dtype = self.tile.domain;
        let input: Vec<_> = input.iter().map(|part| Elements::nearest(part, dtype)).collect();
        let zeros = self.domain.iter().map(|held| Elements::zeros(dtype, volume(held)));
        let mut output: Vec<_> = zeros.collect();
        let x = input.iter().zip(&self.domain);
        let x: Vec<_> = x.map(|(part, held)| Patch { data: part.slice(), held }).collect();
        let z = output.iter_mut().zip(&self.domain);
        let mut z: Vec<_> =
            z.map(|(part, held)| PatchMut { data: part.slice_mut(), held }).collect();
        local.normal(&x, &mut z, Acc::Set, sums)?;
        drop(z);
        Ok(Some(output.iter().map(Elements::widest).collect()))
    }

    /// Applies it tile by tile and adds up what they make.
    pub fn apply_tiles(
        &self,
        tiles: &[Tile],
        way: Way,
        input: &Vector,
    ) -> Result<Vector, OperatorError> {
        let zeros = self.boxes(way).1.iter().map(|held| vec![Complex64::ZERO; volume(held)]);
        let mut output: Vector = zeros.collect();
        for tile in tiles {
            self.add_tile(tile, way, Acc::Set, input, &mut output)?;
        }
        Ok(output)
    }

    /// Applies it as one tile that adds to what is there.
    pub fn apply_adding(
        &self,
        way: Way,
        input: &Vector,
        before: &Vector,
    ) -> Result<Vector, OperatorError> {
        let mut output = before.clone();
        self.add_tile(&self.tile, way, Acc::Add, input, &mut output)?;
        Ok(output)
    }

    /// Adds what a tile makes; one that adds by itself finds there what `output` holds.
    fn add_tile(
        &self,
        tile: &Tile,
        way: Way,
        acc: Acc,
        input: &Vector,
        output: &mut Vector,
    ) -> Result<(), OperatorError> {
        let rule = &self.signature().rule;
        if tile.factors.iter().zip(&self.tile.factors).any(|(t, w)| t.is_empty() && !w.is_empty()) {
            return Ok(());
        }
        let unit = Unit::of(self.operator, tile.clone());
        debug_assert_eq!(unit.domain.len(), rule.domain.len());
        let (from, to) = match way {
            Way::Forward => (unit.domain, unit.range),
            Way::Adjoint => (unit.range, unit.domain),
        };
        let job = Job { tile, way, acc, from, to };
        let (whole_from, whole_to) = self.boxes(way);
        let local: Vector = (0..input.len())
            .map(|p| places(&whole_from[p], &job.from[p]).map(|at| input[p][at]).collect())
            .collect();
        let start: Vector = (0..output.len())
            .map(|p| places(&whole_to[p], &job.to[p]).map(|at| output[p][at]).collect())
            .collect();
        let made = job.run(self.operator, &local, &start)?;
        for (p, part) in made.iter().enumerate() {
            for (at, value) in places(&whole_to[p], &job.to[p]).zip(part) {
                match acc {
                    Acc::Set => output[p][at] += value,
                    Acc::Add => output[p][at] = *value,
                }
            }
        }
        Ok(())
    }

    /// The smallest box that holds some elements of the part of the first.
    pub fn place(&self, range: bool, elements: &[(usize, usize)]) -> Place {
        let Some(&(part, _)) = elements.first() else { return Place::default() };
        let held = if range { &self.range[part] } else { &self.domain[part] };
        let mut found: Vec<Range<usize>> = Vec::new();
        for &(_, at) in elements.iter().filter(|(p, _)| *p == part) {
            let index = indices(held, at);
            if found.is_empty() {
                found = index.iter().map(|&index| index..index + 1).collect();
            }
            for (found, index) in found.iter_mut().zip(index) {
                *found = found.start.min(index)..found.end.max(index + 1);
            }
        }
        Place { range, part, held: found }
    }
}

impl Job<'_> {
    fn run(
        &self,
        operator: &dyn Operator,
        input: &Vector,
        start: &Vector,
    ) -> Result<Vector, OperatorError> {
        let mut local = operator.build(self.tile)?;
        let (from, to) = match self.way {
            Way::Forward => (self.tile.domain, self.tile.range),
            Way::Adjoint => (self.tile.range, self.tile.domain),
        };
        let input: Vec<_> = input.iter().map(|part| Elements::nearest(part, from)).collect();
        let before = |part: &Vec<Complex64>| match self.acc {
            // What was there before must not matter.
            Acc::Set => Elements::nearest(&vec![Complex64::new(3.0, 0.0); part.len()], to),
            Acc::Add => Elements::nearest(part, to),
        };
        let mut output: Vec<_> = start.iter().map(before).collect();
        let x: Vec<_> = input
            .iter()
            .zip(&self.from)
            .map(|(part, held)| Patch { data: part.slice(), held })
            .collect();
        let mut y: Vec<_> = output
            .iter_mut()
            .zip(&self.to)
            .map(|(part, held)| PatchMut { data: part.slice_mut(), held })
            .collect();
        match self.way {
            Way::Forward => local.forward(&x, &mut y, self.acc)?,
            Way::Adjoint => local.adjoint(&x, &mut y, self.acc)?,
        }
        Ok(output.iter().map(Elements::widest).collect())
    }
}

/// The global indices of an element of a box.
pub fn indices(held: &Region, mut at: usize) -> Vec<usize> {
    let mut index = vec![0; held.len()];
    for d in (0..held.len()).rev() {
        let n = held[d].len().max(1);
        index[d] = held[d].start + at % n;
        at /= n;
    }
    index
}

/// The places of the elements of a box within a larger one.
fn places<'a>(whole: &'a Region, held: &'a Region) -> impl Iterator<Item = usize> + 'a {
    (0..volume(held)).map(move |mut k| {
        let (mut at, mut stride) = (0, 1);
        for d in (0..whole.len()).rev() {
            let n = held[d].len();
            at += (held[d].start + k % n - whole[d].start) * stride;
            k /= n;
            stride *= whole[d].len();
        }
        at
    })
}
