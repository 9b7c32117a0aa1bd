//! Leaves checked on their real kernels: what an operator declares against what it does.
//!
//! The certificate trusts the signature of a leaf; here the signature is put to the test.
//!
//! | test | compares |
//! |---|---|
//! | split | the whole operator with tiles along every factor that may be split, both ways |
//! | adding | `y += A x` with `y = A x` |
//! | adjoint | `⟨A x, y⟩` with `⟨x, Aᴴ y⟩`, and entries of both where they are not equal |
//! | normal | `AᴴA x` at once, where a tile can, with `Aᴴ (A x)` |
//! | linear | `A (α x + y)` with `α A x + A y`, for the scalars that are declared to commute |
//! | laws | each declared law on random vectors |
//!
//! A family is checked block by block.

mod adjoint;
mod fault;
mod laws;
mod linear;
mod normal;
mod numbers;
mod split;
mod unit;

pub use fault::{Fault, Kind, Place};

use crate::ops::{Operator, OperatorError};
use adjoin_passes::Dtype;
use adjoin_passes::signature::{Signature, Spread, Typing};
use unit::Unit;

/// Checks a leaf, or only one block of a family; what is wrong, at most one fault for each test.
///
/// An error says why the leaf could not be checked, such as an array without values.
pub fn leaf(
    name: &str,
    operator: &dyn Operator,
    block: Option<usize>,
) -> Result<Vec<Fault>, OperatorError> {
    let signature = operator.signature();
    let mut faults = Vec::new();
    for vector in vectors(signature) {
        let whole = Unit::whole(operator, vector);
        let family = blocks(signature);
        let size = family.map_or(0, |factor| signature.rule.factors[factor].size);
        for k in (0..size).filter(|k| block.is_none_or(|block| block == *k)) {
            let unit = whole.only(family.unwrap_or(0), k);
            faults.extend(found(name, Some(k), unit_faults(&unit)?));
        }
        // A faulty block makes the whole faulty.
        if faults.is_empty() && (block.is_none() || family.is_none()) {
            faults.extend(found(name, None, unit_faults(&whole)?));
        }
        if !faults.is_empty() {
            break;
        }
    }
    Ok(faults)
}

fn found(
    leaf: &str,
    block: Option<usize>,
    faults: Vec<(Kind, Place)>,
) -> impl Iterator<Item = Fault> {
    let fault = move |(kind, place)| Fault { leaf: leaf.to_owned(), block, kind, place };
    faults.into_iter().map(fault)
}

/// The factor that counts the blocks, if the leaf is a family.
pub fn blocks(signature: &Signature) -> Option<usize> {
    let stacked = matches!(signature.kind.as_str(), "VStack" | "HStack" | "BlockDiag");
    let ragged = |factor: usize| {
        let bindings = signature.rule.domain.iter().chain(&signature.rule.range).flatten();
        bindings.into_iter().any(|b| b.factor == factor && b.spread != Spread::One)
    };
    let factors = &signature.rule.factors;
    let found = factors.iter().position(|factor| factor.name == "b");
    found.filter(|&b| stacked && (ragged(b) || factors[b].size == 1))
}

/// The types of vectors that it is applied to: its own, and complex ones where it takes them.
fn vectors(signature: &Signature) -> Vec<Dtype> {
    let own = signature.dtype;
    let mut all = vec![own];
    if !own.is_complex() && signature.typing == Typing::Same {
        all.push(own.complex());
    }
    all
}

/// The faults of one unit; later tests are left out where an earlier one explains them.
fn unit_faults(unit: &Unit<'_>) -> Result<Vec<(Kind, Place)>, OperatorError> {
    let mut faults = split::faults(unit)?;
    faults.extend(linear::adding(unit)?);
    if let Some(fault) = linear::fault(unit)? {
        faults.push(fault);
        return Ok(faults);
    }
    if let Some(fault) = adjoint::fault(unit)? {
        faults.push(fault);
        return Ok(faults);
    }
    faults.extend(normal::fault(unit)?);
    faults.extend(laws::faults(unit)?);
    Ok(faults)
}
