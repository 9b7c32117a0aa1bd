//! Operators from names and values, as problem files have them.
//!
//! Names of operators and parameters are PyLops's.
//! Parameters of PyLops that choose between ways of computing the same are accepted and have no
//! effect.
//! An operator's file says in its `ENTRY` what its parameters are; `ENTRIES` lists them.

mod error;
mod value;

pub use error::RegistryError;
pub use value::{FromValue, Value};

use super::{
    Handle, derivative, diagonal, fft, fredholm, gradient, identity, laplacian, matrix_mult,
    restriction, transpose, zero,
};

/// What the registry knows of an operator.
pub(super) struct Entry {
    /// PyLops's name of the class.
    pub name: &'static str,
    /// The parameters.
    pub parameters: &'static [&'static str],
    /// Parameters without an effect.
    pub ignored: &'static [&'static str],
    /// Makes the operator.
    pub build: fn(&Arguments) -> Result<Handle, RegistryError>,
}

/// All operators, by name.
const ENTRIES: [Entry; 12] = [
    diagonal::ENTRY,
    fft::ENTRY,
    derivative::FIRST,
    fredholm::ENTRY,
    gradient::ENTRY,
    identity::ENTRY,
    laplacian::ENTRY,
    matrix_mult::ENTRY,
    restriction::ENTRY,
    derivative::SECOND,
    transpose::ENTRY,
    zero::ENTRY,
];

/// Makes an operator.
pub fn build(operator: &str, parameters: &[(String, Value)]) -> Result<Handle, RegistryError> {
    let entry = find(operator)?;
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
    ENTRIES.iter().map(|e| e.name).collect()
}

/// The parameters of an operator that have an effect.
pub fn parameters(operator: &str) -> Result<&'static [&'static str], RegistryError> {
    find(operator).map(|entry| entry.parameters)
}

fn find(operator: &str) -> Result<&'static Entry, RegistryError> {
    ENTRIES.iter().find(|e| e.name == operator).ok_or_else(|| {
        let near = error::nearest(operator, operators()).map(Into::into);
        let known = operators().into_iter().map(Into::into).collect();
        RegistryError::UnknownOperator { name: operator.into(), near, known }
    })
}

fn unknown_parameter(entry: &Entry, name: &str) -> RegistryError {
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
        assert!(operators().is_sorted());
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
