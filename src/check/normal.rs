//! An operator and its adjoint at once, against one after the other.

use super::fault::{Kind, Place};
use super::numbers::differing;
use super::unit::{Unit, Way};
use crate::ops::OperatorError;
use adjoin_kernels::host::star::Sums;

/// What differs, whether sums are kept or free; nothing where a tile cannot do both at once.
pub fn fault(unit: &Unit<'_>) -> Result<Option<(Kind, Place)>, OperatorError> {
    let x = unit.input(Way::Forward, 61);
    for sums in [Sums::Kept, Sums::Free] {
        let Some(found) = unit.normal(sums, &x)? else { return Ok(None) };
        let wanted = unit.apply(Way::Adjoint, &unit.apply(Way::Forward, &x)?)?;
        let wrong = differing(&found, &wanted, unit.tolerance());
        if !wrong.is_empty() {
            let kind = Kind::Normal { free: sums == Sums::Free };
            return Ok(Some((kind, unit.place(false, &wrong))));
        }
    }
    Ok(None)
}
