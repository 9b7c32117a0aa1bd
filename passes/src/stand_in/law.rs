//! Entries of operators of which laws are known.
//!
//! For each value of the factors that range and domain share the operator is a block between the
//! other indices: those of factors of one side, and places within ragged values.

use super::dims::{Part, Place};
use crate::field::{Gf, P, hash, random};
use crate::signature::{Laws, Linearity, Rule, Signature, Typing};
use crate::spectrum::HalfSpectrum;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// What the entries obey.
pub(super) enum Law {
    /// Nothing: random.
    None,
    /// `x`
    Identity,
    /// A rotation of each block.
    Permutation,
    /// A rotation of each block turned over, which is its own adjoint.
    Involution,
    /// Zeros and ones on the diagonal.
    Mask,
    /// A reflection of each block, with phases unless it is its own adjoint.
    Isometry(Reflectors, Phases),
    /// A real reflection of each block, two rows of which make a complex one.
    RealToComplex(Reflectors),
    /// The same, but the rows of frequencies that are real have no second one.
    HalfSpectrum(Reflectors, HalfSpectrum),
    /// A real reflection of each block, two columns of which make a complex one.
    ComplexToReal(Reflectors),
    /// The projection of each block onto a vector.
    Projection(Reflectors),
    /// The powers of a root of unity, over the square root of the size.
    Fourier(Vec<Gf>),
    /// Mirrored about the diagonal.
    SelfAdjoint,
}

/// Which side of a reflection has random phases.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Phases {
    None,
    Domain,
    Range,
}

/// The vectors of reflections, by block and length, with two over their square.
type Reflectors = RefCell<BTreeMap<(u64, usize), Rc<(Vec<Gf>, Gf)>>>;

impl Law {
    /// What the laws of a signature ask for.
    pub fn of(signature: &Signature) -> Self {
        let laws = signature.laws;
        if laws.identity {
            Law::Identity
        } else if laws.permutation && laws.self_adjoint {
            Law::Involution
        } else if laws.permutation {
            Law::Permutation
        } else if laws.projection && laws.diagonal {
            Law::Mask
        } else if let Some(n) = fourier(signature) {
            Law::Fourier(roots(n))
        } else if let Some(spectrum) = HalfSpectrum::of(signature) {
            Law::HalfSpectrum(Reflectors::default(), spectrum)
        } else if laws.isometry || laws.co_isometry {
            match signature.typing {
                Typing::Same => Law::Isometry(Reflectors::default(), phases(laws)),
                Typing::RealToComplex => Law::RealToComplex(Reflectors::default()),
                Typing::ComplexToReal => Law::ComplexToReal(Reflectors::default()),
            }
        } else if laws.projection {
            Law::Projection(Reflectors::default())
        } else if laws.self_adjoint {
            Law::SelfAdjoint
        } else {
            Law::None
        }
    }

    /// One entry.
    pub fn entry(
        &self,
        seed: u64,
        complex: bool,
        (range, domain): (&Part, &Part),
        row: &Place,
        column: &Place,
    ) -> Gf {
        let one = |yes: bool| if yes { Gf::ONE } else { Gf::ZERO };
        match self {
            Law::None => Gf::ZERO,
            Law::Identity => one(range.index == domain.index && row.at == column.at),
            Law::Mask => {
                let kept = hash(&[seed, 1, range.index as u64, row.flat as u64]) & 1;
                if row.at == column.at { Gf::real(kept) } else { Gf::ZERO }
            }
            Law::SelfAdjoint => mirrored(seed, complex, (range, domain), row, column),
            Law::Permutation => {
                let block = Block::of(seed, (range, domain), row, column);
                let turn = (hash(&[block.key, 6]) % block.size() as u64) as usize;
                one((block.column + turn) % block.size() == block.row)
            }
            Law::Involution => {
                let block = Block::of(seed, (range, domain), row, column);
                let turn = (hash(&[block.key, 6]) % block.size() as u64) as usize;
                one((block.row + block.column) % block.size() == turn)
            }
            Law::Fourier(roots) => {
                let block = Block::of(seed, (range, domain), row, column);
                roots[block.row * block.column % roots.len()]
            }
            Law::RealToComplex(known) => {
                let block = Block::of(seed, (range, domain), row, column);
                let n = block.columns.max(2 * block.rows);
                let vector = block.reflector(known, n, false);
                let part = |k: usize| reflected(&vector, 2 * block.row + k, block.column).re;
                Gf { re: part(0), im: part(1) }
            }
            Law::HalfSpectrum(known, spectrum) => {
                let block = Block::of(seed, (range, domain), row, column);
                let vector = block.reflector(known, spectrum.samples, false);
                let part = |k: usize| reflected(&vector, k, block.column).re;
                match block.row {
                    0 => Gf::real(part(0)),
                    row if 2 * row == spectrum.samples => Gf::real(part(2 * row - 1)),
                    row => Gf { re: part(2 * row - 1), im: part(2 * row) },
                }
            }
            Law::ComplexToReal(known) => {
                let block = Block::of(seed, (range, domain), row, column);
                let n = block.rows.max(2 * block.columns);
                let vector = block.reflector(known, n, false);
                let part = |k: usize| reflected(&vector, block.row, 2 * block.column + k).re;
                Gf { re: part(0), im: part(1) }.conj()
            }
            Law::Projection(known) => {
                let block = Block::of(seed, (range, domain), row, column);
                let vector = block.reflector(known, block.size(), complex);
                let half = vector.1 * Gf::real(2).inverse();
                half * vector.0[block.row] * vector.0[block.column].conj()
            }
            Law::Isometry(known, phases) => {
                let block = Block::of(seed, (range, domain), row, column);
                let vector = block.reflector(known, block.size(), complex);
                let entry = reflected(&vector, block.row, block.column);
                let phase = |k: usize| random(&[block.key, 7, k as u64], complex).unit();
                match phases {
                    Phases::None => entry,
                    Phases::Domain => entry * phase(block.column),
                    Phases::Range => entry * phase(block.row),
                }
            }
        }
    }

    /// The two coefficients of a real-linear operator with this entry.
    pub fn real(
        &self,
        seed: u64,
        row_hash: u64,
        complex: bool,
        entry: Gf,
        row: &Place,
        column: &Place,
    ) -> (Gf, Gf) {
        let half = Gf::real(2).inverse();
        match self {
            Law::None => (entry, random(&[row_hash, column.flat as u64, 0xa], complex)),
            Law::SelfAdjoint => {
                let (low, high) = (row.flat.min(column.flat), row.flat.max(column.flat));
                (entry, random(&[seed, 3, low as u64, high as u64], complex))
            }
            // The projection onto a random real line of each element.
            Law::Mask if row.at == column.at => {
                let line = random(&[seed, 4, row.flat as u64], complex).unit();
                (half, half * line)
            }
            Law::Mask
            | Law::Identity
            | Law::Permutation
            | Law::Involution
            | Law::Isometry(..)
            | Law::RealToComplex(_)
            | Law::HalfSpectrum(..)
            | Law::ComplexToReal(_)
            | Law::Projection(_)
            | Law::Fourier(_) => (entry, Gf::ZERO),
        }
    }
}

/// Why the stand-in lacks a law of a signature, or has more of them than it says.
pub(super) fn weakness(signature: &Signature) -> Option<&'static str> {
    let (laws, rule) = (signature.laws, &signature.rule);
    let structured = laws.isometry
        || laws.co_isometry
        || laws.permutation
        || laws.projection
        || laws.fourier
        || laws.half_spectrum;
    if !structured || laws.zero || laws.identity {
        return None;
    }
    if rule.domain.iter().flatten().any(|b| b.halo != (0, 0)) {
        return Some("a law of a stencil");
    }
    if (rule.domain.len() > 1 || rule.range.len() > 1) && !same_shared(rule) {
        return Some("a law of parts that share different factors");
    }
    let real = signature.linearity == Linearity::Real && signature.typing == Typing::Same;
    if real && !(laws.projection && laws.diagonal) {
        return Some("a law of a real-linear operator");
    }
    if laws.half_spectrum && HalfSpectrum::of(signature).is_none() {
        return Some("a half spectrum of another rule");
    }
    if laws.projection && (laws.isometry || laws.co_isometry) {
        return Some("a projection that is an isometry");
    }
    None
}

/// Whether all parts of a side have the same factors of the other.
fn same_shared(rule: &Rule) -> bool {
    let shared = |part: &Vec<crate::signature::Binding>| -> Vec<usize> {
        let both = part.iter().map(|b| b.factor);
        let mut both: Vec<_> = both.filter(|&f| rule.in_domain(f) && rule.in_range(f)).collect();
        both.sort_unstable();
        both
    };
    let all: Vec<_> = rule.domain.iter().chain(&rule.range).map(shared).collect();
    all.windows(2).all(|w| w[0] == w[1])
}

fn phases(laws: Laws) -> Phases {
    match (laws.self_adjoint, laws.isometry) {
        (true, _) => Phases::None,
        (false, true) => Phases::Domain,
        // A wide co-isometry keeps rows, and phases of columns would be lost with them.
        (false, false) => Phases::Range,
    }
}

/// The size of the Fourier transform that can stand in for a leaf, if one can.
fn fourier(signature: &Signature) -> Option<usize> {
    let rule = &signature.rule;
    if !signature.laws.fourier || signature.typing != Typing::Same {
        return None;
    }
    let own = |f: &usize| rule.factors[*f].whole && rule.in_domain(*f) != rule.in_range(*f);
    let own: Vec<_> = (0..rule.factors.len()).filter(own).collect();
    match own.as_slice() {
        [a, b] => {
            let (n, m) = (rule.factors[*a].size, rule.factors[*b].size);
            let plain = rule.domain.len() == 1 && rule.range.len() == 1;
            (n == m && n.is_power_of_two() && plain).then_some(n)
        }
        _ => None,
    }
}

/// The powers of a root of unity of order `n`, a power of two, over the square root of `n`.
/// As p = 2⁶¹ − 1, the square root of two is 2³¹.
fn roots(n: usize) -> Vec<Gf> {
    let log = n.trailing_zeros();
    let scale = Gf::real(1 << 31).pow(u64::from(log)).inverse();
    let root = Gf::root(log);
    (0..n as u64).map(|k| scale * root.pow(k)).collect()
}

/// An entry of the reflection along a vector.
fn reflected(vector: &(Vec<Gf>, Gf), row: usize, column: usize) -> Gf {
    let delta = if row == column { Gf::ONE } else { Gf::ZERO };
    delta - vector.1 * vector.0[row] * vector.0[column].conj()
}

fn mirrored(
    seed: u64,
    complex: bool,
    (range, domain): (&Part, &Part),
    row: &Place,
    column: &Place,
) -> Gf {
    let (r, d) = ((range.index as u64, row.flat as u64), (domain.index as u64, column.flat as u64));
    let (low, high) = (r.min(d), r.max(d));
    let z = random(&[seed, 2, low.0, low.1, high.0, high.1], complex);
    match r.cmp(&d) {
        std::cmp::Ordering::Less => z,
        std::cmp::Ordering::Equal => z.re(),
        std::cmp::Ordering::Greater => z.conj(),
    }
}

/// A block, and the place of an entry in it.
struct Block {
    key: u64,
    row: usize,
    column: usize,
    rows: usize,
    columns: usize,
}

impl Block {
    fn of(seed: u64, (range, domain): (&Part, &Part), row: &Place, column: &Place) -> Self {
        let rule = range.rule();
        let mut key = hash(&[seed, 5]);
        for f in 0..rule.factors.len() {
            let at = range.bindings().iter().position(|b| b.factor == f);
            let shared = at.filter(|_| domain.bindings().iter().any(|b| b.factor == f));
            if let Some(d) = shared {
                key = hash(&[key, f as u64, row.values[d] as u64]);
            }
        }
        let (row, rows) = own(range, &rule.range, &rule.domain, row);
        let (column, columns) = own(domain, &rule.domain, &rule.range, column);
        Block { key, row, column, rows, columns }
    }

    fn size(&self) -> usize {
        self.rows.max(self.columns)
    }

    fn reflector(&self, known: &Reflectors, n: usize, complex: bool) -> Rc<(Vec<Gf>, Gf)> {
        let make = || {
            let vector: Vec<_> = (0..n as u64).map(|k| random(&[self.key, k], complex)).collect();
            let square =
                vector.iter().fold(0u128, |s, z| (s + u128::from(z.norm())) % u128::from(P));
            Rc::new((vector, Gf::real(2) * Gf::real(square as u64).inverse()))
        };
        known.borrow_mut().entry((self.key, n)).or_insert_with(make).clone()
    }
}

/// The index among those that the other side does not share, and how many there are: the parts of
/// a side one after the other, in each the places of its dims, row-major.
fn own(
    part: &Part,
    side: &[Vec<crate::signature::Binding>],
    other: &[Vec<crate::signature::Binding>],
    place: &Place,
) -> (usize, usize) {
    let rule = part.rule();
    let shared = |f: usize| other.iter().flatten().any(|b| b.factor == f);
    let extent = |b: &crate::signature::Binding, value: usize| {
        if shared(b.factor) { b.spread.at(value + 1) - b.spread.at(value) } else { rule.extent(b) }
    };
    let value = |factor: usize| {
        let at = part.bindings().iter().position(|b| b.factor == factor);
        at.map_or(0, |d| place.values[d])
    };
    let mut before = 0;
    let mut all = 0;
    for (p, bindings) in side.iter().enumerate() {
        let n: usize = bindings.iter().map(|b| extent(b, value(b.factor))).product();
        if p < part.index {
            before += n;
        }
        all += n;
    }
    let mut index = 0;
    for (d, b) in part.bindings().iter().enumerate() {
        let within =
            if shared(b.factor) { place.at[d] - b.spread.at(place.values[d]) } else { place.at[d] };
        index = index * extent(b, place.values[d]) + within;
    }
    (before + index, all)
}
