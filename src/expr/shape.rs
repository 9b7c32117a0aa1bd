//! Shapes of products, sums and applications, and the sentences that say why they do not fit.

use super::error::Wrong;
use super::fields::loses;
use super::op::Op;
use super::parts::Parts;
use super::text::{count, quote};
use super::vector::Vector;
use adjoin_passes::Dtype;

type Sides = Result<(Parts, Parts), Wrong>;

/// `4096×1024`
pub(super) fn describe(op: &Op) -> String {
    let (rows, columns) = op.shape();
    format!("{rows}×{columns}")
}

/// The sides of `A @ B`, where `B` is operand `at`.
pub(super) fn product(a: &Op, b: &Op, at: usize) -> Sides {
    if a.0.domain.size() != b.0.range.size() {
        let message = format!(
            "{} is {} and cannot be applied to {}, whose range has {}",
            quote(a),
            describe(a),
            quote(b),
            count(b.0.range.size(), "element"),
        );
        return Err(Wrong::new(message).at(at));
    }
    let complex = &b.0.fields.forward.complex;
    let together = vec![complex.contains(&true); a.0.domain.len()];
    let complex = if b.range().in_step(a.domain()) { complex } else { &together };
    passes_on(a, b, complex, at)?;
    Ok((b.0.domain.clone(), a.0.range.clone()))
}

/// Whether `A` takes what `B`, which is operand `at`, gives: parts that are complex or not.
pub(super) fn passes_on(a: &Op, b: &Op, complex: &[bool], at: usize) -> Result<(), Wrong> {
    if !loses(complex, &a.0.fields.forward.real_only) {
        return Ok(());
    }
    let message = format!(
        "{} takes real vectors and {} gives complex ones: an imaginary part would be lost",
        quote(a),
        quote(b),
    );
    Err(Wrong::new(message).at(at).help(format!("apply Real to {}", quote(b))))
}

/// The sides of `A + B`, where `B` is operand `at`.
pub(super) fn sum(a: &Op, b: &Op, at: usize) -> Sides {
    if a.shape() != b.shape() {
        let message = format!(
            "{} is {} and {} is {}: only operators of the same shape can be added",
            quote(a),
            describe(a),
            quote(b),
            describe(b),
        );
        return Err(Wrong::new(message).at(at));
    }
    Ok(a.sides())
}

/// The sides of `A ** n`.
pub(super) fn power(a: &Op, n: u32, highest: u32) -> Sides {
    let (rows, columns) = a.shape();
    if rows != columns {
        let message = format!("{} is {}: only square operators have powers", quote(a), describe(a));
        return Err(Wrong::new(message).at(0));
    }
    if n > highest {
        return Err(Wrong::new(format!("the power {n} is above {highest}")));
    }
    let side = &a.0.fields.forward;
    if n > 1 && loses(&side.complex, &side.real_only) {
        let message = format!("{} takes real vectors and gives complex ones", quote(a));
        return Err(Wrong::new(message).at(0));
    }
    match n {
        0 => Ok((a.0.domain.clone(), a.0.domain.clone())),
        _ => Ok(a.sides()),
    }
}

/// How the parts of a vector become those of a domain.
pub(super) struct Fit {
    /// The trailing dims of a batch.
    pub extra: Vec<usize>,
    /// Whether the elements are to be regrouped.
    pub regroup: bool,
}

/// How a vector of these parts fits the domain: as it is, as a batch, or regrouped.
pub(super) fn fit(domain: &Parts, parts: &Parts) -> Option<Fit> {
    let fit = |extra: &[usize], regroup| Some(Fit { extra: extra.to_vec(), regroup });
    if parts.alike(domain) {
        return fit(&[], false);
    }
    let batch = batch(parts);
    if let Some(k) = batch
        && parts.alike(&domain.lifted(&[k]))
    {
        return fit(&[k], false);
    }
    if parts.size() == domain.size() {
        return fit(&[], true);
    }
    let k = batch.filter(|&k| k > 0 && parts.size() == domain.size().saturating_mul(k))?;
    fit(&[k], true)
}

/// The last dim, if all parts share it.
fn batch(parts: &Parts) -> Option<usize> {
    let mut last = parts.0.iter().map(|p| p.dims.last().copied());
    let first = last.next()??;
    last.all(|k| k == Some(first)).then_some(first)
}

/// The element types of a vector in the parts of the domain.
pub(super) fn taken(a: &Op, x: &Vector) -> Vec<Dtype> {
    let domain = fit(a.domain(), x.parts()).map(|fit| a.domain().lifted(&fit.extra));
    x.parts().regrouped(&domain.unwrap_or_default(), x.dtypes())
}

/// The parts of `A @ x`.
pub(super) fn apply(a: &Op, x: &Vector) -> Result<Parts, Wrong> {
    let Some(fit) = fit(&a.0.domain, x.parts()) else {
        return Err(Wrong::new(format!(
            "{} is {} and cannot be applied to {}, which has {}",
            quote(a),
            describe(a),
            quote(x),
            count(x.parts().size(), "element"),
        ))
        .at(1));
    };
    let complex: Vec<_> = taken(a, x).iter().map(|d| d.is_complex()).collect();
    if loses(&complex, &a.0.fields.forward.real_only) {
        let message = format!(
            "{} takes real vectors and {} is complex: its imaginary part would be lost",
            quote(a),
            quote(x),
        );
        return Err(Wrong::new(message).at(1).help(format!("apply Real to {} first", quote(x))));
    }
    Ok(a.0.range.lifted(&fit.extra))
}
