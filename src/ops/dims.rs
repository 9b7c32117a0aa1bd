//! Shapes and axes as users write them, and the checks that every operator makes of them.

use super::OperatorError;

/// The lengths of the axes of an array: `24`, `[24, 8]` or a vector.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dims(pub Vec<usize>);

impl From<usize> for Dims {
    fn from(n: usize) -> Self {
        Dims(vec![n])
    }
}

impl<const N: usize> From<[usize; N]> for Dims {
    fn from(dims: [usize; N]) -> Self {
        Dims(dims.to_vec())
    }
}

impl From<&[usize]> for Dims {
    fn from(dims: &[usize]) -> Self {
        Dims(dims.to_vec())
    }
}

impl From<Vec<usize>> for Dims {
    fn from(dims: Vec<usize>) -> Self {
        Dims(dims)
    }
}

/// The most elements of a table that a rule is made of.
const TABLE: usize = 1 << 31;

/// An error of the operator `kind`.
pub(super) fn fail<T>(kind: &str, message: impl AsRef<str>) -> Result<T, OperatorError> {
    Err(OperatorError(format!("{kind}: {}", message.as_ref())))
}

/// Checks that an array of these dims can be addressed.
pub(super) fn check(kind: &str, dims: &[usize]) -> Result<(), OperatorError> {
    let bytes = dims.iter().try_fold(16usize, |n, &d| n.checked_mul(d.max(1)));
    if bytes.is_none_or(|n| n > isize::MAX as usize) {
        return fail(kind, format!("dims {dims:?} have more elements than can be addressed"));
    }
    Ok(())
}

/// Checks that a table of `n` entries is affordable.
pub(super) fn check_table(kind: &str, n: usize) -> Result<(), OperatorError> {
    if n > TABLE {
        return fail(
            kind,
            format!("an axis of {n} is too long to be padded, cut or selected from"),
        );
    }
    Ok(())
}

/// The axis, counted from the end if it is negative.
pub(super) fn axis(kind: &str, axis: isize, dims: &[usize]) -> Result<usize, OperatorError> {
    let from_end = if axis < 0 { axis + dims.len() as isize } else { axis };
    match usize::try_from(from_end) {
        Ok(at) if at < dims.len() => Ok(at),
        _ => fail(kind, format!("axis {axis} is outside of dims {dims:?}")),
    }
}

/// The axes, of which none may occur twice.
pub(super) fn axes(
    kind: &str,
    axes: &[isize],
    dims: &[usize],
) -> Result<Vec<usize>, OperatorError> {
    let mut found = Vec::with_capacity(axes.len());
    for &a in axes {
        let at = axis(kind, a, dims)?;
        if found.contains(&at) {
            return fail(kind, format!("axis {a} occurs twice in axes {axes:?}"));
        }
        found.push(at);
    }
    Ok(found)
}

/// One number for each of `n` axes; one number alone is for all of them.
pub(super) fn each(
    kind: &str,
    name: &str,
    values: &[f64],
    n: usize,
) -> Result<Vec<f64>, OperatorError> {
    if let Some(bad) = values.iter().find(|v| !v.is_finite()) {
        return fail(kind, format!("{name} is {bad}, and must be finite"));
    }
    match values {
        [one] => Ok(vec![*one; n]),
        many if many.len() == n => Ok(many.to_vec()),
        many => fail(kind, format!("{name} has {} numbers for {n} axes", many.len())),
    }
}

/// A distance between samples.
pub(super) fn sampling(kind: &str, value: f64) -> Result<f64, OperatorError> {
    if value.is_finite() && value != 0.0 {
        return Ok(value);
    }
    fail(kind, format!("sampling is {value}, and must be finite and not zero"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_count_from_either_end() {
        assert_eq!(axes("A", &[-1, 0], &[4, 5, 6]).unwrap(), [2, 0]);
        let error = axes("A", &[0, -3], &[4, 5, 6]).unwrap_err();
        assert_eq!(error.0, "A: axis -3 occurs twice in axes [0, -3]");
        assert!(axis("A", 3, &[4, 5, 6]).is_err());
        assert!(axis("A", -4, &[4, 5, 6]).is_err());
    }

    #[test]
    fn sizes_are_bounded() {
        assert!(check("A", &[1 << 30, 1 << 20]).is_ok());
        assert!(check("A", &[1 << 40, 1 << 40, 0]).is_err());
    }
}
