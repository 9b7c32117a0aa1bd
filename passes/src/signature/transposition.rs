//! Transpositions: the one operator that its signature says all of.
//!
//! ```text
//! (j, i) <- (i, j)
//! ```
//! So a pass may add one to a plan, and a run time makes its operator of the signature alone.

use super::{Binding, Cost, Factor, Laws, Linearity, Rule, Signature, Typing, letter};
use crate::dtype::Dtype;

impl Signature {
    /// The transposition that puts the axes of arrays of `dims` into the order `axes`: axis `k` of
    /// what it makes is axis `axes[k]` of what it takes.
    pub fn transposition(dims: Vec<usize>, axes: &[usize], dtype: Dtype) -> Self {
        let place = |d: usize| axes.iter().position(|&a| a == d).map(Binding::plain);
        Signature {
            kind: "Transpose".into(),
            dtype,
            typing: Typing::Same,
            rule: Rule {
                factors: axes.iter().map(|&a| Factor::free(letter(a), dims[a])).collect(),
                domain: vec![(0..dims.len()).filter_map(place).collect()],
                range: vec![(0..dims.len()).map(Binding::plain).collect()],
            },
            range: vec![axes.iter().map(|&a| dims[a]).collect()],
            domain: vec![dims],
            linearity: Linearity::Complex,
            laws: Laws {
                permutation: true,
                isometry: true,
                co_isometry: true,
                identity: axes.is_sorted(),
                ..Laws::default()
            },
            cost: Cost::default(),
        }
    }

    /// The order of axes, if it is a transposition and nothing else.
    pub fn transposed_axes(&self) -> Option<Vec<usize>> {
        let ([domain], [range], [dims]) =
            (&self.rule.domain[..], &self.rule.range[..], &self.domain[..])
        else {
            return None;
        };
        let from = |b: &Binding| domain.iter().position(|other| other.factor == b.factor);
        let axes: Vec<_> = range.iter().map(from).collect::<Option<_>>()?;
        (*self == Signature::transposition(dims.clone(), &axes, self.dtype)).then_some(axes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_follow_from_the_rule() {
        let made = Signature::transposition(vec![2, 3, 4], &[2, 0, 1], Dtype::F32);
        assert_eq!(made.check(), Ok(()));
        assert_eq!(
            (&made.range, made.transposed_axes()),
            (&vec![vec![4, 2, 3]], Some(vec![2, 0, 1]))
        );
        let halo = |s: &mut Signature| s.rule.domain[0][0] = Binding::halo(1, 1, 1);
        let other = |s: &mut Signature| s.laws.permutation = false;
        for spoil in [halo as fn(&mut Signature), other] {
            let mut spoilt = made.clone();
            spoil(&mut spoilt);
            assert_eq!(spoilt.transposed_axes(), None);
        }
    }
}
