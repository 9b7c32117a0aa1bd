//! Sums over the middle axis of `[outer, n, inner]`: `y[o, c] (+)= Σᵢ x[o, i, c]`, and the adjoint,
//! which spreads: `z[o, i, c] (+)= y[o, c]`.

use super::{Acc, Scalar, combine};

/// Rows of one pass over the output.
const GROUP: usize = 8;

/// `y[o, c] (+)= Σᵢ x[o, i, c]`
///
/// # Panics
///
/// If the arrays have different outer extents.
pub fn sum<S: Scalar>(n: usize, inner: usize, x: &[S], y: &mut [S], acc: Acc) {
    assert_eq!(x.len(), y.len() * n, "arrays with the same outer extent");
    acc.prepare(y);
    if x.is_empty() {
        return;
    }
    for (x, out) in x.chunks_exact(n * inner).zip(y.chunks_exact_mut(inner)) {
        if let [out] = out {
            *out += lanes(x);
            continue;
        }
        for rows in x.chunks(GROUP * inner) {
            let count = rows.len() / inner;
            let rows: [&[S]; GROUP] = std::array::from_fn(|k| {
                let k = k.min(count - 1);
                &rows[k * inner..(k + 1) * inner]
            });
            combine::linear(&[S::ONE; GROUP][..count], &rows[..count], out, Acc::Add);
        }
    }
}

/// `z[o, i, c] (+)= y[o, c]`
///
/// # Panics
///
/// If the arrays have different outer extents.
pub fn spread<S: Scalar>(n: usize, inner: usize, y: &[S], z: &mut [S], acc: Acc) {
    assert_eq!(z.len(), y.len() * n, "arrays with the same outer extent");
    if z.is_empty() {
        return;
    }
    for (y, z) in y.chunks_exact(inner).zip(z.chunks_exact_mut(n * inner)) {
        for out in z.chunks_exact_mut(inner) {
            match acc {
                Acc::Set => out.copy_from_slice(y),
                Acc::Add => out.iter_mut().zip(y).for_each(|(out, &y)| *out += y),
            }
        }
    }
}

/// The sum of neighbours, in several running sums.
fn lanes<S: Scalar>(x: &[S]) -> S {
    let (chunks, rest) = x.as_chunks::<GROUP>();
    let mut sums = [S::ZERO; GROUP];
    for chunk in chunks {
        sums.iter_mut().zip(chunk).for_each(|(sum, &x)| *sum += x);
    }
    sums.iter().chain(rest).fold(S::ZERO, |sum, &x| sum + x)
}

#[cfg(test)]
mod checks {
    use super::*;
    use crate::host::testing::{assert_close, assert_dots, values};

    pub fn sums_and_their_adjoint<S: Scalar>() {
        for (outer, n, inner) in
            [(1, 5, 1), (2, 19, 3), (3, 8, 1), (2, 0, 3), (0, 4, 2), (1, 100, 1), (2, 3, 0)]
        {
            let (x, u): (Vec<S>, Vec<S>) = (values(1, outer * n * inner), values(2, outer * inner));
            let mut want: Vec<S> = values(3, u.len());
            let mut y = want.clone();
            for (k, &v) in x.iter().enumerate() {
                want[k / (n * inner) * inner + k % inner] += v;
            }
            sum(n, inner, &x, &mut y, Acc::Add);
            assert_close(&y, &want);
            sum(n, inner, &x, &mut y, Acc::Set);
            let (mut z, mut twice): (Vec<S>, Vec<S>) = (values(4, x.len()), vec![S::ZERO; x.len()]);
            spread(n, inner, &u, &mut z, Acc::Set);
            assert_dots(&x, &y, &u, &z);
            for _ in 0..2 {
                spread(n, inner, &u, &mut twice, Acc::Add);
            }
            let want: Vec<S> = z.iter().map(|&v| v + v).collect();
            assert_close(&twice, &want);
        }
    }
}

#[cfg(test)]
mod tests {
    crate::host::testing::each_type!(sums_and_their_adjoint);
}
