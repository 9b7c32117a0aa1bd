//! Operators applied tile by tile, without a plan: gather what a tile reads, apply, scatter what it
//! makes. Global arrays have the widest type.

use adjoin::Dtype;
use adjoin::elements::Elements;
use adjoin::ops::{Handle, Operator, Patch, PatchMut, Tile};
use adjoin_kernels::host::Acc;
use adjoin_passes::Signature;
use adjoin_passes::signature::Linearity;
use num_complex::Complex64;
use std::ops::Range;

pub type Vector = Vec<Complex64>;
type Box_ = Vec<Range<usize>>;

/// A direction of an operator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Way {
    Forward,
    Adjoint,
}

/// The tiles of an operator whose factor `f` is cut into `pieces[f]`.
pub fn tiles(signature: &Signature, vector: Dtype, pieces: &[usize]) -> Vec<Tile> {
    let whole = Tile::whole(signature, vector);
    let mut tiles = vec![whole.clone()];
    for (f, &p) in pieces.iter().enumerate() {
        let n = whole.factors[f].len();
        let cut = |k: usize| n / p * k + k.min(n % p);
        let with = |tile: &Tile, k| {
            let mut tile = tile.clone();
            tile.factors[f] = cut(k)..cut(k + 1);
            tile
        };
        tiles = tiles
            .iter()
            .flat_map(|t| (0..p).map(move |k| with(t, k)).collect::<Vec<_>>())
            .collect();
    }
    tiles
}

/// Applies an operator of one part on either side to an array with a trailing batch.
pub fn apply(
    operator: &dyn Operator,
    way: Way,
    vector: Dtype,
    pieces: &[usize],
    batch: Option<usize>,
    input: &[Complex64],
) -> Vector {
    let signature = operator.signature();
    let (mut from_dims, mut to_dims) = (signature.domain[0].clone(), signature.range[0].clone());
    if way == Way::Adjoint {
        std::mem::swap(&mut from_dims, &mut to_dims);
    }
    from_dims.extend(batch);
    to_dims.extend(batch);
    assert_eq!(input.len(), from_dims.iter().product::<usize>());
    let mut output = vec![Complex64::ZERO; to_dims.iter().product()];
    for tile in tiles(signature, vector, pieces) {
        let mut from = (tile.domain_box(&signature.rule, 0), tile.domain);
        let mut to = (tile.range_box(&signature.rule, 0), tile.range);
        if way == Way::Adjoint {
            std::mem::swap(&mut from, &mut to);
        }
        from.0.extend(batch.map(|b| 0..b));
        to.0.extend(batch.map(|b| 0..b));
        let local = gather(input, &from_dims, &from.0);
        let made = apply_tile(operator, &tile, way, (&local, &from.0, from.1), (&to.0, to.1));
        scatter(&mut output, &to_dims, &to.0, &made);
    }
    output
}

/// Applies one tile, once replacing garbage and once adding to the result.
fn apply_tile(
    operator: &dyn Operator,
    tile: &Tile,
    way: Way,
    (input, from, from_type): (&[Complex64], &Box_, Dtype),
    (to, to_type): (&Box_, Dtype),
) -> Vector {
    let mut local = operator.build(tile).unwrap();
    let mut made = vec![Complex64::new(3.0, 0.0); volume(to)];
    let input = Elements::nearest(input, from_type);
    let mut previous = made.clone();
    for acc in [Acc::Set, Acc::Add] {
        let mut output = Elements::nearest(&made, to_type);
        let x = Patch { data: input.slice(), held: from };
        let mut y = [PatchMut { data: output.slice_mut(), held: to }];
        match way {
            Way::Forward => local.forward(&[x], &mut y, acc),
            Way::Adjoint => local.adjoint(&[x], &mut y, acc),
        }
        .unwrap();
        previous = std::mem::replace(&mut made, output.widest());
    }
    let twice: Vector = previous.iter().map(|v| v * 2.0).collect();
    assert!(error(&made, &twice) < 1e-5, "adding is not setting twice");
    previous
}

/// Every split gives what the whole gives, in both directions, with and without a batch, and the
/// adjoint is that of the forward.
pub fn check_splits(operator: &Handle, vector: Dtype) {
    let signature = operator.signature();
    let name = &signature.kind;
    let (domain, range) = signature.types(vector);
    let one = vec![1; signature.rule.factors.len()];
    for batch in [None, Some(2)] {
        let b = batch.unwrap_or(1);
        let x = values(1, signature.columns() * b, domain);
        let u = values(2, signature.rows() * b, range);
        let run = |way, pieces: &[usize], x| apply(&**operator, way, vector, pieces, batch, x);
        let (y, v) = (run(Way::Forward, &one, &x), run(Way::Adjoint, &one, &u));
        for pieces in splits(signature) {
            assert!(error(&run(Way::Forward, &pieces, &x), &y) < 1e-12, "{name} {pieces:?}");
            assert!(error(&run(Way::Adjoint, &pieces, &u), &v) < 1e-12, "{name} {pieces:?}");
        }
        let (left, right) = (dot(&y, &u), dot(&x, &v));
        let real = signature.linearity == Linearity::Real;
        let gap = if real { (left - right).re.abs() } else { (left - right).norm() };
        assert!(gap < 1e-12 * (1.0 + dot(&y, &y).norm() + dot(&u, &u).norm()), "{name}: {gap}");
    }
}

/// `max|a - b| / max|b|`, absolute if `b` is zero.
pub fn error(a: &[Complex64], b: &[Complex64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let top = |v: &mut dyn Iterator<Item = f64>| v.fold(0.0, f64::max);
    let difference = top(&mut a.iter().zip(b).map(|(p, q)| (p - q).norm()));
    assert!(a.iter().all(|v| v.is_finite()));
    match top(&mut b.iter().map(|v| v.norm())) {
        0.0 => difference,
        scale => difference / scale,
    }
}

/// `⟨a, b⟩`
pub fn dot(a: &[Complex64], b: &[Complex64]) -> Complex64 {
    a.iter().zip(b).map(|(p, q)| p.conj() * q).sum()
}

/// Numbers between -1 and 1 that are the same each time; real if the type is, exact in `f32`.
pub fn values(seed: u64, n: usize, dtype: Dtype) -> Vector {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(1);
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from((state >> 41) as u32) / f64::from(1 << 22) - 1.0
    };
    (0..n).map(|_| Complex64::new(next(), if dtype.is_complex() { next() } else { 0.0 })).collect()
}

/// For each factor that may be split, for each count, the pieces with that factor alone split, and
/// then all of them.
pub fn splits(signature: &Signature) -> Vec<Vec<usize>> {
    let factors = &signature.rule.factors;
    let free: Vec<usize> = (0..factors.len()).filter(|&f| !factors[f].whole).collect();
    let mut splits = vec![vec![1; factors.len()]];
    for count in [2, 3, 4, 7] {
        for &f in &free {
            let mut pieces = vec![1; factors.len()];
            pieces[f] = count;
            splits.push(pieces);
        }
    }
    for counts in [[2, 3], [3, 2]] {
        let mut pieces = vec![1; factors.len()];
        free.iter().enumerate().for_each(|(k, &f)| pieces[f] = counts[k % 2]);
        splits.push(pieces);
    }
    splits
}

fn volume(held: &[Range<usize>]) -> usize {
    held.iter().map(Range::len).product()
}

/// The places of a box's elements in a global array.
fn places<'a>(dims: &'a [usize], held: &'a Box_) -> impl Iterator<Item = usize> + 'a {
    (0..volume(held)).map(move |mut k| {
        let (mut at, mut stride) = (0, 1);
        for d in (0..dims.len()).rev() {
            at += (held[d].start + k % held[d].len()) * stride;
            k /= held[d].len();
            stride *= dims[d];
        }
        at
    })
}

fn gather(global: &[Complex64], dims: &[usize], held: &Box_) -> Vector {
    places(dims, held).map(|at| global[at]).collect()
}

fn scatter(global: &mut [Complex64], dims: &[usize], held: &Box_, local: &[Complex64]) {
    places(dims, held).zip(local).for_each(|(at, v)| global[at] += v);
}
