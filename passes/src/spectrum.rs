//! Half spectra: which elements of the Fourier transform of real vectors are real.
//!
//! The transform F of `n` real samples keeps `n/2 + 1` frequencies.
//! The first of them, and the last if `n` is even, are real for every vector; the lemma is that
//! nothing else is lost,
//! ```text
//! F F.H y = y, but for the imaginary parts of those elements
//! ```
//! which the law `half_spectrum` claims of a leaf.
//! What selects elements by a real operator keeps that: for S with `S S.H = 1` that makes each of
//! its elements of at most one, `S F F.H S.H` drops the imaginary parts of what it selects of them.
//! So the projection onto the range of `S F` needs no transform.

use crate::ir::{LeafId, Plan, Projection};
use crate::signature::{Binding, Linearity, Signature, Typing};

/// A half spectrum: where in the range it lies, and the sizes of its two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HalfSpectrum {
    /// The dim of the range along which the frequencies lie.
    pub dim: usize,
    /// How many samples there are.
    pub samples: usize,
    /// How many frequencies.
    pub frequencies: usize,
}

impl HalfSpectrum {
    /// That of an operator of which the law is claimed, if its rule is that of one.
    pub fn of(signature: &Signature) -> Option<Self> {
        let rule = &signature.rule;
        let ([domain], [range]) = (rule.domain.as_slice(), rule.range.as_slice()) else {
            return None;
        };
        let real = signature.typing == Typing::RealToComplex;
        if !signature.laws.half_spectrum || !signature.laws.isometry || !real {
            return None;
        }
        let own = |side: &[Binding], taken: bool| {
            let own = |b: &Binding| {
                let other = if taken { rule.in_domain(b.factor) } else { rule.in_range(b.factor) };
                rule.factors[b.factor].whole && !other
            };
            let mut found = side.iter().enumerate().filter(|(_, b)| own(b));
            let (dim, b) = found.next()?;
            found.next().is_none().then(|| (dim, rule.extent(b)))
        };
        let ((dim, frequencies), (_, samples)) = (own(range, true)?, own(domain, false)?);
        (samples > 0 && frequencies == samples / 2 + 1).then_some(HalfSpectrum {
            dim,
            samples,
            frequencies,
        })
    }

    /// The frequencies that are real.
    pub fn real(&self) -> Vec<usize> {
        let last = self.frequencies - 1;
        if self.samples.is_multiple_of(2) && last > 0 { vec![0, last] } else { vec![0] }
    }
}

/// The projection onto the range of a product of leaves, of which the last is a half spectrum and
/// the others select.
pub fn projection(plan: &Plan, onto: &[LeafId]) -> Option<Projection> {
    let (first, selections) = onto.split_last()?;
    let spectrum = HalfSpectrum::of(&plan.leaves.get(first.0 as usize)?.signature)?;
    let mut real = spectrum.real();
    let mut shape = &plan[*first].signature.range[0];
    for leaf in selections.iter().rev() {
        let signature = &plan.leaves.get(leaf.0 as usize)?.signature;
        if signature.domain.first() != Some(shape) {
            return None;
        }
        real = selected(signature, spectrum.dim, &real)?;
        shape = &signature.range[0];
    }
    Some(Projection { onto: onto.to_vec(), dim: spectrum.dim, real })
}

/// Where a selection leaves some indices of a dim; none if the operator is no selection.
fn selected(signature: &Signature, dim: usize, indices: &[usize]) -> Option<Vec<usize>> {
    let rule = &signature.rule;
    let ([domain], [range]) = (rule.domain.as_slice(), rule.range.as_slice()) else { return None };
    let counts = |b: &Binding| {
        let size = rule.factors[b.factor].size;
        (0..size).map(|i| b.spread.at(i + 1) - b.spread.at(i)).max().unwrap_or(0)
    };
    let of_elements = domain.len() == range.len()
        && domain.iter().zip(range).all(|(from, to)| {
            let same = from.factor == to.factor && from.halo == (0, 0);
            same && counts(from) <= 1 && counts(to) <= 1
        });
    let real = !signature.dtype.is_complex()
        && signature.typing == Typing::Same
        && signature.linearity == Linearity::Complex;
    if !of_elements || !real || !signature.laws.co_isometry {
        return None;
    }
    let (from, to) = (&domain[dim].spread, &range[dim].spread);
    let size = rule.factors[range[dim].factor].size;
    let kept = (0..size).filter(|&i| from.at(i + 1) > from.at(i) && to.at(i + 1) > to.at(i));
    Some(kept.filter(|&i| indices.contains(&from.at(i))).map(|i| to.at(i)).collect())
}

impl Projection {
    /// Whether the element of this flat index of an array of these dims becomes real.
    pub fn is_real(&self, dims: &[usize], flat: usize) -> bool {
        let stride: usize = dims[self.dim + 1..].iter().product();
        self.real.contains(&(flat / stride.max(1) % dims[self.dim].max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::read;

    fn of(plan: &Plan, names: &[&str]) -> Option<(usize, Vec<usize>)> {
        let id = |name: &&str| {
            let at = plan.leaves.iter().position(|l| l.name == *name);
            LeafId(at.unwrap() as u32)
        };
        let onto: Vec<_> = names.iter().map(id).collect();
        projection(plan, &onto).map(|p| (p.dim, p.real))
    }

    #[test]
    fn real_frequencies_are_followed_through_selections() {
        let plan = read(
            "mesh 1 rank
            cut s = 4 spread 0 1 1 1
            let F = (k!, j) <- (i!, j) isometry half_spectrum real r2c : f64[4, 2, 6]
            let O = (k!) <- (i!) isometry half_spectrum real r2c : f64[4, 7]
            let S = (i@s, j) <- (i, j) co_isometry : f64[4, 2]
            let C = (i@s, j) <- (i, j) co_isometry : c128[4, 2]
            let T = (i@s, j) <- (i, j) : f64[4, 2]
            %0 = input x : f64[6, 2]
            return %0",
        );
        assert_eq!(of(&plan, &["F"]), Some((0, vec![0, 3])));
        assert_eq!(of(&plan, &["O"]), Some((0, vec![0])));
        assert_eq!(of(&plan, &["S", "F"]), Some((0, vec![2])));
        for none in [&["S"][..], &["C", "F"], &["T", "F"], &["S", "O"], &["F", "F"]] {
            assert_eq!(of(&plan, none), None, "{none:?}");
        }
    }
}
