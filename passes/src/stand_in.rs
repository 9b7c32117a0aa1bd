//! Random leaves: for each leaf an operator over GF(p²) with the same rule, linearity and laws.
//!
//! An entry is a hash of the leaf and of the indices that it connects, so that every rank draws
//! the same operator and nothing is stored.
//! What a rewrite may assume of a leaf, the stand-in has; what it may not assume, it has not.

use crate::field::{Gf, hash, random};
use crate::ir::Leaf;
use crate::placement::Region;
use crate::signature::{Binding, Linearity, Rule, Signature, Spread, Typing};
use std::ops::Range;

/// One leaf's random operator.
pub struct StandIn<'a> {
    signature: &'a Signature,
    seed: u64,
}

/// An index of one part: the dims, and for each the factor, its value and the place within it.
struct Index {
    flat: Vec<usize>,
    factors: Vec<(usize, usize, usize)>,
}

/// A part to read or write: which indices are held, and the elements.
pub type Held<'a, T> = (&'a Region, T);

impl<'a> StandIn<'a> {
    /// The stand-in of a leaf; `index` tells leaves apart.
    pub fn new(leaf: &'a Leaf, index: usize) -> Self {
        StandIn { signature: &leaf.signature, seed: hash(&[0x1eaf, index as u64]) }
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
        let (ins, outs) =
            if adjoint { (&rule.range, &rule.domain) } else { (&rule.domain, &rule.range) };
        for (o, (out_held, out)) in outputs.iter_mut().enumerate() {
            for (i, (in_held, input)) in inputs.iter().enumerate() {
                let part = if adjoint { (i, o) } else { (o, i) };
                let rows = indices(rule, &outs[o], out_held);
                let columns = indices(rule, &ins[i], in_held);
                let batch = batch(&outs[o], out_held);
                for (r, row) in rows.iter().enumerate() {
                    for (c, column) in columns.iter().enumerate() {
                        let (range, domain) = if adjoint { (column, row) } else { (row, column) };
                        if !self.connects(
                            tile,
                            range,
                            domain,
                            (&rule.range[part.0], &rule.domain[part.1]),
                        ) {
                            continue;
                        }
                        let (m, n) = self.entry(part, range, domain);
                        for b in 0..batch {
                            let x = input[c * batch + b];
                            let y = &mut out[r * batch + b];
                            *y = *y + self.multiply(adjoint, m, n, x);
                        }
                    }
                }
            }
        }
    }

    /// `m x + n x̄`, or the adjoint of that map under the real inner product.
    fn multiply(&self, adjoint: bool, m: Gf, n: Gf, x: Gf) -> Gf {
        let product = if adjoint { m.conj() * x + n * x.conj() } else { m * x + n * x.conj() };
        match (self.signature.typing, adjoint) {
            (Typing::RealToComplex, true) | (Typing::ComplexToReal, false) => product.re(),
            (Typing::Same | Typing::RealToComplex | Typing::ComplexToReal, _) => product,
        }
    }

    /// Whether the operator may have an entry here, and the tile contains it.
    fn connects(
        &self,
        tile: &[Range<usize>],
        range: &Index,
        domain: &Index,
        bindings: (&[Binding], &[Binding]),
    ) -> bool {
        let inside = |(f, value, _): &(usize, usize, usize)| tile[*f].contains(value);
        if !range.factors.iter().all(inside) {
            return false;
        }
        domain.factors.iter().zip(bindings.1).all(|(d, binding)| {
            match range.factors.iter().find(|r| r.0 == d.0) {
                Some(r) => d.1 + binding.halo.0 >= r.1 && d.1 <= r.1 + binding.halo.1,
                None => inside(d),
            }
        })
    }

    /// The linear and the antilinear coefficient.
    fn entry(&self, part: (usize, usize), range: &Index, domain: &Index) -> (Gf, Gf) {
        let s = self.signature;
        let complex = s.dtype.is_complex() || s.typing != Typing::Same;
        let laws = s.laws;
        let words = |what: u64, range: &[usize], domain: &[usize]| -> Vec<u64> {
            let head = [self.seed, what, part.0 as u64, part.1 as u64];
            let tail = range.iter().chain(domain).map(|&i| i as u64);
            head.into_iter().chain(tail).collect()
        };
        if laws.zero {
            return (Gf::ZERO, Gf::ZERO);
        }
        if laws.identity {
            let same = part.0 == part.1 && range.flat == domain.flat;
            return (if same { Gf::ONE } else { Gf::ZERO }, Gf::ZERO);
        }
        if laws.permutation {
            return (Gf::ONE, Gf::ZERO);
        }
        if laws.projection && laws.diagonal {
            return (Gf::real(hash(&words(1, &range.flat, &[])) & 1), Gf::ZERO);
        }
        if laws.isometry || laws.co_isometry {
            return (self.isometry(range, domain, complex), Gf::ZERO);
        }
        if laws.self_adjoint {
            let (low, high) = (
                range.flat.clone().min(domain.flat.clone()),
                range.flat.clone().max(domain.flat.clone()),
            );
            let z = random(&words(2, &low, &high), complex);
            let z = if low == high { z.re() } else { z };
            return (if range.flat <= domain.flat { z } else { z.conj() }, Gf::ZERO);
        }
        let m = random(&words(3, &range.flat, &domain.flat), complex);
        let n = random(&words(4, &range.flat, &domain.flat), complex);
        match (s.linearity, s.typing) {
            (Linearity::Complex, _) => (m, Gf::ZERO),
            (Linearity::Antilinear, _) => (Gf::ZERO, m),
            // A map from or to real vectors has its two halves tied already.
            (Linearity::Real, Typing::RealToComplex | Typing::ComplexToReal) => (m, Gf::ZERO),
            (Linearity::Real, Typing::Same) => (m, n),
        }
    }

    /// An entry of a random isometry: for each value of the shared factors a Householder
    /// reflection between the others, of which an isometry keeps the leading columns.
    fn isometry(&self, range: &Index, domain: &Index, complex: bool) -> Gf {
        let rule = &self.signature.rule;
        let shared = |i: &Index, other: &Index| -> Vec<u64> {
            let both = i.factors.iter().filter(|f| other.factors.iter().any(|o| o.0 == f.0));
            both.flat_map(|f| [f.1 as u64, 0]).collect()
        };
        let own = |i: &Index, other: &Index| -> (usize, usize) {
            let mine = i.factors.iter().filter(|f| !other.factors.iter().any(|o| o.0 == f.0));
            mine.fold((0, 1), |(at, n), f| {
                let size = rule.factors[f.0].size;
                (at * size + f.1, n * size)
            })
        };
        let ((r, rows), (d, columns)) = (own(range, domain), own(domain, range));
        let block = hash(&[&[self.seed, 5][..], &shared(range, domain)].concat());
        if self.signature.typing == Typing::RealToComplex {
            // Of real vectors: real and imaginary part of a complex row are two real rows.
            let n = columns.max(2 * rows);
            let real = |r: usize| reflection(block, n, (r, d), false).re;
            return Gf { re: real(2 * r), im: real(2 * r + 1) };
        }
        let sign = if complex { random(&[block, 7, d as u64], true).unit() } else { Gf::ONE };
        let reflected = reflection(block, rows.max(columns), (r, d), complex);
        if laws_transposed(self.signature) { reflected } else { reflected * sign }
    }
}

/// An entry of a random Householder reflection of vectors of `n` elements.
fn reflection(block: u64, n: usize, (r, d): (usize, usize), complex: bool) -> Gf {
    let z = |k: usize| random(&[block, k as u64], complex);
    let norm =
        (0..n).fold(0u128, |sum, k| (sum + u128::from(z(k).norm())) % u128::from(crate::field::P));
    let scale = Gf::real(2) * Gf::real(norm as u64).inverse();
    let delta = if r == d { Gf::ONE } else { Gf::ZERO };
    delta - scale * z(r) * z(d).conj()
}

/// A co-isometry that is wide keeps rows, and phases of columns would be lost with them.
fn laws_transposed(signature: &Signature) -> bool {
    signature.laws.co_isometry && !signature.laws.isometry
}

/// The indices of the dims that the signature binds, in row-major order.
fn indices(rule: &Rule, bindings: &[Binding], held: &Region) -> Vec<Index> {
    let mut all = vec![Index { flat: Vec::new(), factors: Vec::new() }];
    for (binding, range) in bindings.iter().zip(held) {
        let table = locate(rule, binding, range);
        all = all
            .into_iter()
            .flat_map(|index| {
                table.iter().map(move |&(e, value, place)| {
                    let mut flat = index.flat.clone();
                    flat.push(e);
                    let mut factors = index.factors.clone();
                    factors.push((binding.factor, value, place));
                    Index { flat, factors }
                })
            })
            .collect();
    }
    all
}

/// For each element of a range of a dim the factor's value, and the place within it.
fn locate(rule: &Rule, binding: &Binding, range: &Range<usize>) -> Vec<(usize, usize, usize)> {
    let size = rule.factors[binding.factor].size;
    let value = |e: usize| match &binding.spread {
        Spread::One => e,
        Spread::Uniform(k) => e / k,
        Spread::Table(table) => table.partition_point(|&begin| begin <= e).clamp(1, size) - 1,
    };
    let place = |e: usize| e - binding.spread.at(value(e));
    range.clone().map(|e| (e, value(e), place(e))).collect()
}

fn batch(bindings: &[Binding], held: &Region) -> usize {
    held[bindings.len()..].iter().map(Range::len).product()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::Dtype;
    use crate::placement::Split;
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
        let (from, to) = (vec![0..x.len()], vec![0..n]);
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
    fn adjoints_pass_the_dot_test_exactly() {
        let a = leaf(4, 6, Dtype::C128, Laws::default());
        let x: Vec<_> = (0..6).map(|k| random(&[k], true)).collect();
        let u: Vec<_> = (0..4).map(|k| random(&[9, k], true)).collect();
        let dot =
            |a: &[Gf], b: &[Gf]| a.iter().zip(b).fold(Gf::ZERO, |s, (a, b)| s + a.conj() * *b);
        assert_eq!(dot(&apply(&a, false, &x, 4), &u), dot(&x, &apply(&a, true, &u, 6)));
    }
}
