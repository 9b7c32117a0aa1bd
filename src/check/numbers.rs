//! Numbers for tests: random vectors of several parts, and what is computed of them.

use adjoin_passes::Dtype;
use num_complex::Complex64;

/// The parts of a vector, in the widest type.
pub type Vector = Vec<Vec<Complex64>>;

/// Numbers between -1 and 1 that are the same each time; real if the type is, exact in `f32`.
pub fn random(seed: u64, sizes: &[usize], dtype: Dtype) -> Vector {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(1);
    let mut next = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from((state >> 41) as u32) / f64::from(1 << 22) - 1.0
    };
    let mut number = || Complex64::new(next(), if dtype.is_complex() { next() } else { 0.0 });
    sizes.iter().map(|&n| (0..n).map(|_| number()).collect()).collect()
}

/// `⟨a, b⟩`
pub fn dot(a: &Vector, b: &Vector) -> Complex64 {
    pairs(a, b).map(|(p, q)| p.conj() * q).sum()
}

/// The Euclidean norm.
pub fn norm(a: &Vector) -> f64 {
    a.iter().flatten().map(Complex64::norm_sqr).sum::<f64>().sqrt()
}

/// The largest absolute value.
pub fn top(a: &Vector) -> f64 {
    a.iter().flatten().map(|v| v.norm()).fold(0.0, f64::max)
}

/// `f` of each pair of elements.
pub fn zip(a: &Vector, b: &Vector, f: impl Fn(Complex64, Complex64) -> Complex64) -> Vector {
    a.iter().zip(b).map(|(a, b)| a.iter().zip(b).map(|(p, q)| f(*p, *q)).collect()).collect()
}

/// `f` of each element.
pub fn map(a: &Vector, f: impl Fn(Complex64) -> Complex64) -> Vector {
    a.iter().map(|part| part.iter().map(|v| f(*v)).collect()).collect()
}

/// The elements, by part and place, that differ by more than rounding.
pub fn differing(a: &Vector, b: &Vector, tolerance: f64) -> Vec<(usize, usize)> {
    let bound = tolerance * top(a).max(top(b)).max(f64::MIN_POSITIVE);
    let mut found = Vec::new();
    for (part, (a, b)) in a.iter().zip(b).enumerate() {
        let differ = |(_, (p, q)): &(usize, (&Complex64, &Complex64))| {
            let distance = (*p - *q).norm();
            distance > bound || distance.is_nan()
        };
        let places = a.iter().zip(b).enumerate().filter(differ).map(|(at, _)| (part, at));
        found.extend(places);
    }
    found
}

fn pairs<'a>(a: &'a Vector, b: &'a Vector) -> impl Iterator<Item = (&'a Complex64, &'a Complex64)> {
    a.iter().flatten().zip(b.iter().flatten())
}
