//! Random leaves: for each leaf an operator over GF(p²) with the same rule, linearity and laws.
//!
//! An entry is a hash of the leaf and of the indices that it connects, so that every rank draws
//! the same operator and nothing is stored.
//! What a rewrite may assume of a leaf, the stand-in has; what it may not assume, it has not.
//!
//! | law | the stand-in, between the indices that are not shared |
//! |---|---|
//! | none | random entries |
//! | isometry, co-isometry | a Householder reflection with random phases, rows or columns dropped |
//! | half spectrum | a real reflection, two rows of which make a complex one but for real frequencies |
//! | fourier | the discrete Fourier transform, orthonormal, if its size is a power of two |
//! | projection | onto a random vector; of a diagonal operator random zeros and ones |
//! | permutation | a rotation by a random distance, turned over if it is self-adjoint |
//! | self-adjoint | random entries mirrored about the diagonal |

mod dims;
mod law;

use crate::field::{Gf, hash, random};
use crate::ir::Leaf;
use crate::placement::{Region, volume};
use crate::signature::{Binding, Linearity, Signature, Typing};
use dims::{Part, Place};
use law::Law;
use std::ops::Range;

/// One leaf's random operator.
pub struct StandIn<'a> {
    signature: &'a Signature,
    seed: u64,
    complex: bool,
    law: Law,
}

/// A part to read or write: which indices are held, and the elements.
pub type Held<'a, T> = (&'a Region, T);

impl<'a> StandIn<'a> {
    /// The stand-in of a leaf; `index` tells leaves apart.
    pub fn new(leaf: &'a Leaf, index: usize) -> Self {
        let signature = &leaf.signature;
        let complex = signature.dtype.is_complex() || signature.typing != Typing::Same;
        let seed = hash(&[0x1eaf, index as u64]);
        StandIn { signature, seed, complex, law: Law::of(signature) }
    }

    /// Why the stand-in is not as general as the signature, if it is not.
    pub fn weakness(&self) -> Option<&'static str> {
        law::weakness(self.signature)
    }

    /// Whether boxes are those of a tile: the range is what it makes, and the domain that is read
    /// holds what it reaches.
    pub fn fits(
        &self,
        adjoint: bool,
        tile: &[Range<usize>],
        inputs: &[Region],
        outputs: &[Region],
    ) -> Result<(), String> {
        let rule = &self.signature.rule;
        let reached = |b: &Binding| {
            let own = &tile[b.factor];
            let (start, end) = (b.spread.at(own.start), b.spread.at(own.end));
            start.saturating_sub(b.halo.0)..(end + b.halo.1).min(rule.extent(b))
        };
        let all = |side: &[Vec<Binding>], held: &[Region], exact: bool| {
            let dim = |(b, held): (&Binding, &Range<usize>)| {
                let own = reached(b);
                own == *held || !exact && held.start <= own.start && own.end <= held.end
            };
            let part = |(bindings, held): (&Vec<Binding>, &Region)| {
                volume(held) == 0 || bindings.iter().zip(held).all(dim)
            };
            side.iter().zip(held).all(part)
        };
        let (range, domain) = if adjoint { (inputs, outputs) } else { (outputs, inputs) };
        let empty = tile.iter().any(Range::is_empty);
        if empty || all(&rule.range, range, true) && (adjoint || all(&rule.domain, domain, false)) {
            return Ok(());
        }
        Err(format!("a tile {tile:?} is applied where {inputs:?} gives {outputs:?}"))
    }

    /// `y += A x` on a tile, or `y += Aᴴ x`; batch dims are trailing ones.
    pub fn apply(
        &self,
        adjoint: bool,
        tile: &[Range<usize>],
        inputs: &[Held<'_, &[Gf]>],
        outputs: &mut [Held<'_, &mut [Gf]>],
    ) {
        let rule = &self.signature.rule;
        for (o, (out_held, out)) in outputs.iter_mut().enumerate() {
            for (i, (in_held, input)) in inputs.iter().enumerate() {
                let (row, column) = if adjoint { (i, o) } else { (o, i) };
                let (row_held, column_held) =
                    if adjoint { (*in_held, *out_held) } else { (*out_held, *in_held) };
                let range = Part::new(rule, &rule.range, row, row_held, tile);
                let domain = Part::new(rule, &rule.domain, column, column_held, tile);
                let batch = out_held[if adjoint { domain.dims() } else { range.dims() }..]
                    .iter()
                    .map(Range::len)
                    .product();
                self.pair(adjoint, (&range, &domain), batch, input, out);
            }
        }
    }

    /// One part of the range with one of the domain.
    fn pair(
        &self,
        adjoint: bool,
        (range, domain): (&Part, &Part),
        batch: usize,
        input: &[Gf],
        out: &mut [Gf],
    ) {
        if self.signature.laws.zero {
            return;
        }
        let side = hash(&[self.seed, range.index as u64, domain.index as u64]);
        range.each(|row| {
            let row_hash = hash(&[side, row.flat as u64]);
            domain.connected(range, row, |column| {
                let (m, n) = self.entry(row_hash, (range, domain), row, column);
                let (from, to) = if adjoint { (row, column) } else { (column, row) };
                for b in 0..batch {
                    let x = input[from.position * batch + b];
                    let y = &mut out[to.position * batch + b];
                    *y = *y + self.multiply(adjoint, m, n, x);
                }
            });
        });
    }

    /// `m x + n x̄`, or the adjoint of that map under the real inner product.
    fn multiply(&self, adjoint: bool, m: Gf, n: Gf, x: Gf) -> Gf {
        let linear = if adjoint { m.conj() * x } else { m * x };
        let product = if n == Gf::ZERO { linear } else { linear + n * x.conj() };
        match (self.signature.typing, adjoint) {
            (Typing::RealToComplex, true) | (Typing::ComplexToReal, false) => product.re(),
            (Typing::Same | Typing::RealToComplex | Typing::ComplexToReal, _) => product,
        }
    }

    /// The linear and the antilinear coefficient.
    fn entry(
        &self,
        row_hash: u64,
        (range, domain): (&Part, &Part),
        row: &Place,
        column: &Place,
    ) -> (Gf, Gf) {
        let s = self.signature;
        let entry = match &self.law {
            Law::None => random(&[row_hash, column.flat as u64], self.complex),
            law => law.entry(self.seed, self.complex, (range, domain), row, column),
        };
        match (s.linearity, s.typing) {
            (Linearity::Antilinear, _) => (Gf::ZERO, entry),
            // A map from or to real vectors has its two halves tied already.
            (Linearity::Complex, _)
            | (Linearity::Real, Typing::RealToComplex | Typing::ComplexToReal) => (entry, Gf::ZERO),
            (Linearity::Real, Typing::Same) => {
                self.law.real(self.seed, row_hash, self.complex, entry, row, column)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::Dtype;
    use crate::placement::Split;
    use crate::signature::Rule;
    use crate::signature::{Cost, Factor, Laws};
    use std::sync::Arc;

    fn leaf(rows: usize, columns: usize, dtype: Dtype, laws: Laws) -> Leaf {
        let rule = Rule {
            factors: vec![Factor::free("i", rows), Factor::free("j", columns)],
            domain: vec![vec![Binding::plain(1)]],
            range: vec![vec![Binding::plain(0)]],
        };
        let signature = Signature {
            kind: "Test".into(),
            dtype,
            typing: Typing::Same,
            domain: vec![vec![columns]],
            range: vec![vec![rows]],
            rule,
            linearity: Linearity::Complex,
            laws,
            cost: Cost::default(),
        };
        Leaf { name: "A".into(), signature: Arc::new(signature), tile: vec![Split::none(); 2] }
    }

    fn apply(leaf: &Leaf, adjoint: bool, x: &[Gf], n: usize) -> Vec<Gf> {
        let s = StandIn::new(leaf, 0);
        let tile: Vec<_> = leaf.signature.rule.factors.iter().map(|f| 0..f.size).collect();
        let mut y = vec![Gf::ZERO; n];
        let held = |n: usize| -> Region { std::iter::once(0..n).collect() };
        let (from, to) = (held(x.len()), held(n));
        s.apply(adjoint, &tile, &[(&from, x)], &mut [(&to, &mut y)]);
        y
    }

    #[test]
    fn isometries_preserve_every_vector() {
        for dtype in [Dtype::F64, Dtype::C128] {
            for (rows, columns) in [(5, 5), (6, 4), (3, 5)] {
                let laws = Laws {
                    isometry: rows >= columns,
                    co_isometry: rows <= columns,
                    ..Laws::default()
                };
                let a = leaf(rows, columns, dtype, laws);
                let n = rows.min(columns);
                let x: Vec<_> = (0..n as u64).map(|k| random(&[k], true)).collect();
                let tall = rows >= columns;
                let there = apply(&a, !tall, &x, rows.max(columns));
                assert_eq!(apply(&a, tall, &there, n), x, "{rows} {columns} {dtype}");
            }
        }
    }

    #[test]
    fn isometries_of_real_vectors_have_fewer_complex_rows() {
        let laws = Laws { isometry: true, ..Laws::default() };
        let mut a = leaf(5, 8, Dtype::F64, laws);
        Arc::make_mut(&mut a.signature).typing = Typing::RealToComplex;
        let x: Vec<_> = (0..8).map(|k| random(&[k], false)).collect();
        let there = apply(&a, false, &x, 5);
        assert!(there.iter().any(|y| y.im != 0));
        assert_eq!(apply(&a, true, &there, 8), x);
    }

    #[test]
    fn half_spectra_lose_imaginary_parts_of_real_frequencies_only() {
        for (m, n) in [(1, 1), (2, 2), (2, 3), (4, 6), (4, 7)] {
            let laws = Laws { isometry: true, half_spectrum: true, ..Laws::default() };
            let mut a = leaf(m, n, Dtype::F64, laws);
            let signature = Arc::make_mut(&mut a.signature);
            signature.typing = Typing::RealToComplex;
            signature.rule.factors.iter_mut().for_each(|f| f.whole = true);
            let x: Vec<_> = (0..n as u64).map(|k| random(&[k], false)).collect();
            assert_eq!(apply(&a, true, &apply(&a, false, &x, m), n), x, "F.H F of {n}");
            let y: Vec<_> = (0..m as u64).map(|k| random(&[k], true)).collect();
            let real = |k: usize| k == 0 || 2 * k == n;
            let kept = |(k, z): (usize, &Gf)| if real(k) { z.re() } else { *z };
            let wanted: Vec<_> = y.iter().enumerate().map(kept).collect();
            assert_eq!(apply(&a, false, &apply(&a, true, &y, n), m), wanted, "F F.H of {n}");
        }
    }

    #[test]
    fn fourier_transforms_are_unitary_and_symmetric() {
        let laws = Laws { isometry: true, co_isometry: true, fourier: true, ..Laws::default() };
        for n in [1, 2, 4, 8, 6] {
            let mut a = leaf(n, n, Dtype::C128, laws);
            for factor in &mut Arc::make_mut(&mut a.signature).rule.factors {
                factor.whole = true;
            }
            let x: Vec<_> = (0..n as u64).map(|k| random(&[k], true)).collect();
            let conj = |x: &[Gf]| x.iter().map(|z| z.conj()).collect::<Vec<_>>();
            let there = apply(&a, false, &x, n);
            assert_eq!(apply(&a, true, &there, n), x, "F.H F of {n}");
            assert_eq!(apply(&a, false, &apply(&a, true, &x, n), n), x, "F F.H of {n}");
            let adjoint = apply(&a, true, &x, n);
            let inverse = conj(&apply(&a, false, &conj(&x), n));
            assert_eq!(adjoint == inverse, n.is_power_of_two(), "F.H = conj(F) of {n}");
        }
    }

    #[test]
    fn real_linear_leaves_pass_the_dot_test_of_real_parts_exactly() {
        let typings = [Typing::Same, Typing::RealToComplex, Typing::ComplexToReal];
        let projection = Laws { projection: true, diagonal: true, ..Laws::default() };
        for linearity in [Linearity::Complex, Linearity::Real, Linearity::Antilinear] {
            for typing in typings {
                for laws in [Laws::default(), projection] {
                    let mut a = leaf(4, 4, Dtype::C128, laws);
                    let s = Arc::make_mut(&mut a.signature);
                    (s.linearity, s.typing) = (linearity, typing);
                    let x: Vec<_> =
                        (0..4).map(|k| random(&[k], typing != Typing::RealToComplex)).collect();
                    let u: Vec<_> =
                        (0..4).map(|k| random(&[9, k], typing != Typing::ComplexToReal)).collect();
                    let dot = |a: &[Gf], b: &[Gf]| {
                        a.iter().zip(b).fold(Gf::ZERO, |s, (a, b)| s + a.conj() * *b).re()
                    };
                    let (ax, au) = (apply(&a, false, &x, 4), apply(&a, true, &u, 4));
                    assert_eq!(dot(&ax, &u), dot(&x, &au), "{linearity:?} {typing:?}");
                    if laws.projection && typing == Typing::Same && linearity == Linearity::Real {
                        assert_eq!(apply(&a, false, &ax, 4), ax);
                        assert_eq!(apply(&a, true, &x, 4), ax);
                    }
                }
            }
        }
    }

    #[test]
    fn permutations_move_elements_and_may_be_their_own_adjoint() {
        for self_adjoint in [false, true] {
            let square = Laws { isometry: true, co_isometry: true, ..Laws::default() };
            let a = leaf(7, 7, Dtype::C128, Laws { permutation: true, self_adjoint, ..square });
            let x: Vec<_> = (0..7).map(|k| random(&[k], true)).collect();
            let there = apply(&a, false, &x, 7);
            assert!(x.iter().all(|z| there.contains(z)));
            assert_ne!(there, x);
            assert_eq!(apply(&a, true, &there, 7), x);
            assert_eq!(there == apply(&a, true, &x, 7), self_adjoint);
        }
    }

    #[test]
    fn adjoints_pass_the_dot_test_exactly() {
        let a = leaf(4, 6, Dtype::C128, Laws::default());
        let x: Vec<_> = (0..6).map(|k| random(&[k], true)).collect();
        let u: Vec<_> = (0..4).map(|k| random(&[9, k], true)).collect();
        let dot =
            |a: &[Gf], b: &[Gf]| a.iter().zip(b).fold(Gf::ZERO, |s, (a, b)| s + a.conj() * *b);
        assert_eq!(dot(&apply(&a, false, &x, 4), &u), dot(&x, &apply(&a, true, &u, 6)));
    }
}
