//! Operators from names and values, as problem files have them.
//!
//! Names of operators and parameters are PyLops's.
//! Parameters of PyLops that choose between ways of computing the same are accepted and have no
//! effect.
//! An operator's file says in its `ENTRY` what its parameters are; `LEAVES` and `EXPRESSIONS` list
//! them.

mod error;
mod value;

pub use error::RegistryError;
pub use value::{FromValue, Value};

use super::{
    Handle, avo, causal_integration, convolve1d, derivative, diagonal, fft, fftnd, flip, fredholm,
    gradient, identity, imag, kirchhoff, laplacian, matrix_mult, mdc, pad, poststack, prestack,
    regression, restriction, roll, smoothing, sum, symmetrize, transpose, zero,
};
use crate::expr::Op;

/// What the registry knows of an operator: how a leaf is made, or an expression of leaves.
pub(super) struct Entry<T = Handle> {
    /// PyLops's name of the class.
    pub name: &'static str,
    /// The parameters.
    pub parameters: &'static [&'static str],
    /// Parameters without an effect.
    pub ignored: &'static [&'static str],
    /// Makes the operator.
    pub build: fn(&Arguments) -> Result<T, RegistryError>,
}

/// The operators that are leaves, by name.
const LEAVES: [Entry; 23] = [
    avo::ENTRY,
    causal_integration::ENTRY,
    convolve1d::ENTRY,
    diagonal::ENTRY,
    fft::ENTRY,
    derivative::FIRST,
    flip::ENTRY,
    fredholm::ENTRY,
    gradient::ENTRY,
    identity::ENTRY,
    laplacian::ENTRY,
    regression::LINEAR,
    matrix_mult::ENTRY,
    pad::ENTRY,
    regression::ENTRY,
    restriction::ENTRY,
    roll::ENTRY,
    derivative::SECOND,
    smoothing::ONE,
    sum::ENTRY,
    symmetrize::ENTRY,
    transpose::ENTRY,
    zero::ENTRY,
];

/// The operators that are expressions of leaves, by name.
const EXPRESSIONS: [Entry<Op>; 9] = [
    fftnd::TWO,
    fftnd::SEVERAL,
    imag::ENTRY,
    kirchhoff::ENTRY,
    mdc::ENTRY,
    poststack::ENTRY,
    prestack::ENTRY,
    smoothing::TWO,
    smoothing::SEVERAL,
];

/// What was made: an operator of its own, or an expression of others.
#[derive(Clone)]
pub enum Built {
    /// One operator.
    Leaf(Handle),
    /// An expression that the compiler sees through.
    Expression(Op),
}

impl From<Built> for Op {
    fn from(built: Built) -> Op {
        match built {
            Built::Leaf(operator) => Op::new(operator),
            Built::Expression(op) => op,
        }
    }
}

/// Makes an operator.
pub fn build(operator: &str, parameters: &[(String, Value)]) -> Result<Built, RegistryError> {
    if let Some(entry) = LEAVES.iter().find(|e| e.name == operator) {
        return make(entry, parameters).map(Built::Leaf);
    }
    match EXPRESSIONS.iter().find(|e| e.name == operator) {
        Some(entry) => make(entry, parameters).map(Built::Expression),
        None => Err(unknown(operator)),
    }
}

fn make<T>(entry: &Entry<T>, parameters: &[(String, Value)]) -> Result<T, RegistryError> {
    let operator = entry.name;
    for (at, (name, _)) in parameters.iter().enumerate() {
        if parameters[..at].iter().any(|(other, _)| other == name) {
            return Err(RegistryError::Twice { operator: operator.into(), name: name.clone() });
        }
        if !entry.parameters.contains(&name.as_str()) && !entry.ignored.contains(&name.as_str()) {
            return Err(unknown_parameter(entry, name));
        }
    }
    (entry.build)(&Arguments { operator: entry.name, given: parameters })
}

/// The names of all operators.
pub fn operators() -> Vec<&'static str> {
    let mut names: Vec<_> = LEAVES.iter().map(|e| e.name).collect();
    names.extend(EXPRESSIONS.iter().map(|e| e.name));
    names.sort_unstable();
    names
}

/// The parameters of an operator that have an effect.
pub fn parameters(operator: &str) -> Result<&'static [&'static str], RegistryError> {
    let leaves = LEAVES.iter().map(|e| (e.name, e.parameters));
    let mut all = leaves.chain(EXPRESSIONS.iter().map(|e| (e.name, e.parameters)));
    let found = all.find(|(name, _)| *name == operator);
    found.map(|(_, parameters)| parameters).ok_or_else(|| unknown(operator))
}

fn unknown(operator: &str) -> RegistryError {
    let near = error::nearest(operator, operators()).map(Into::into);
    let known = operators().into_iter().map(Into::into).collect();
    RegistryError::UnknownOperator { name: operator.into(), near, known }
}

fn unknown_parameter<T>(entry: &Entry<T>, name: &str) -> RegistryError {
    RegistryError::UnknownParameter {
        operator: entry.name.into(),
        name: name.into(),
        near: error::nearest(name, entry.parameters.iter().copied()).map(Into::into),
        known: entry.parameters.iter().map(ToString::to_string).collect(),
    }
}

/// The parameters that were given to an operator.
pub(super) struct Arguments<'a> {
    operator: &'a str,
    given: &'a [(String, Value)],
}

impl Arguments<'_> {
    /// The value of a parameter, if it was given.
    pub fn get<T: FromValue>(&self, name: &str) -> Result<Option<T>, RegistryError> {
        match self.given.iter().find(|(given, _)| given == name) {
            None | Some((_, Value::None)) => Ok(None),
            Some((_, value)) => match T::from_value(value) {
                Some(read) => Ok(Some(read)),
                None => Err(RegistryError::WrongType {
                    operator: self.operator.into(),
                    name: name.into(),
                    expected: T::EXPECTED.into(),
                    found: value.describe(),
                }),
            },
        }
    }

    /// Whether a parameter was given as nothing, which is something else than its default.
    pub fn is_nothing(&self, name: &str) -> bool {
        self.given.iter().any(|(given, value)| given == name && matches!(value, Value::None))
    }

    /// The value of a parameter that must be given.
    pub fn need<T: FromValue>(&self, name: &str) -> Result<T, RegistryError> {
        self.get(name)?.ok_or_else(|| RegistryError::Missing {
            operator: self.operator.into(),
            name: name.into(),
            expected: T::EXPECTED.into(),
        })
    }

    /// Replaces a default, if the parameter was given.
    pub fn set<T: FromValue>(&self, name: &str, field: &mut T) -> Result<(), RegistryError> {
        if let Some(value) = self.get(name)? {
            *field = value;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(operator: &str, parameters: &[(&str, Value)]) -> String {
        let parameters: Vec<_> =
            parameters.iter().map(|(name, value)| ((*name).to_string(), value.clone())).collect();
        build(operator, &parameters).err().map_or_else(String::new, |error| error.to_string())
    }

    fn dims() -> (&'static str, Value) {
        ("dims", Value::List(vec![Value::Integer(4), Value::Integer(5)]))
    }

    #[test]
    fn names_are_in_order() {
        assert!(LEAVES.is_sorted_by_key(|e| e.name));
        assert!(EXPRESSIONS.is_sorted_by_key(|e| e.name));
    }

    #[test]
    fn errors_say_what_would_be_right() {
        assert_eq!(
            message("Laplasian", &[]),
            "there is no operator Laplasian; did you mean Laplacian?"
        );
        assert_eq!(
            message("Laplacian", &[dims(), ("wieghts", Value::Integer(1))]),
            "Laplacian has no parameter wieghts; did you mean weights?"
        );
        assert_eq!(
            message("Laplacian", &[]),
            "Laplacian needs dims: a length or a list of lengths"
        );
        assert_eq!(
            message("FirstDerivative", &[dims(), ("kind", Value::Text("upwind".into()))]),
            "kind of FirstDerivative must be forward, centered or backward, not \"upwind\""
        );
        assert_eq!(
            message("FirstDerivative", &[dims(), ("axis", Value::Integer(2))]),
            "FirstDerivative: axis 2 is outside of dims [4, 5]"
        );
        assert_eq!(message("Gradient", &[dims(), dims()]), "Gradient is given dims twice");
    }

    #[test]
    fn parameters_of_pylops_without_effect_are_accepted() {
        let inplace = ("inplace", Value::Bool(true));
        assert_eq!(message("Identity", &[("N", Value::Integer(3)), inplace]), "");
    }
}
