//! What can be wrong with an operator that is given by names and values.

use crate::ops::OperatorError;

/// Why an operator could not be made; [`RegistryError::parameter`] says where to point.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// There is no such operator.
    #[error("there is no operator {name}{}", hint(near.as_deref(), known))]
    UnknownOperator {
        /// What was asked for.
        name: String,
        /// The nearest name.
        near: Option<String>,
        /// All names.
        known: Vec<String>,
    },
    /// The operator has no such parameter.
    #[error("{operator} has no parameter {name}{}", hint(near.as_deref(), known))]
    UnknownParameter {
        /// The operator.
        operator: String,
        /// What was given.
        name: String,
        /// The nearest name.
        near: Option<String>,
        /// All names.
        known: Vec<String>,
    },
    /// A parameter was given twice.
    #[error("{operator} is given {name} twice")]
    Twice {
        /// The operator.
        operator: String,
        /// The parameter.
        name: String,
    },
    /// A parameter that is needed was not given.
    #[error("{operator} needs {name}: {expected}")]
    Missing {
        /// The operator.
        operator: String,
        /// The parameter.
        name: String,
        /// What it must be.
        expected: String,
    },
    /// The value has the wrong type.
    #[error("{name} of {operator} must be {expected}, not {found}")]
    WrongType {
        /// The operator.
        operator: String,
        /// The parameter.
        name: String,
        /// What it must be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// The values do not make an operator.
    #[error(transparent)]
    Operator(#[from] OperatorError),
}

impl RegistryError {
    /// The parameter at fault.
    pub fn parameter(&self) -> Option<&str> {
        match self {
            RegistryError::UnknownParameter { name, .. }
            | RegistryError::Twice { name, .. }
            | RegistryError::WrongType { name, .. } => Some(name),
            RegistryError::UnknownOperator { .. }
            | RegistryError::Missing { .. }
            | RegistryError::Operator(_) => None,
        }
    }
}

fn hint(near: Option<&str>, known: &[String]) -> String {
    match near {
        Some(near) => format!("; did you mean {near}?"),
        None => format!("; there are {}", known.join(", ")),
    }
}

/// The candidate that is fewest edits away, if they are few.
pub(super) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(1);
    let near = candidates.into_iter().map(|c| (edits(word, c), c)).min_by_key(|(d, _)| *d);
    near.filter(|(d, _)| *d <= limit).map(|(_, candidate)| candidate)
}

/// Letters to insert, delete or replace; upper and lower case are the same.
fn edits(a: &str, b: &str) -> usize {
    let fold = |s: &str| s.chars().take(64).flat_map(char::to_lowercase).collect::<Vec<_>>();
    let (a, b) = (fold(a), fold(b));
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, p) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, q) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(p != q);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found() {
        let words = ["Laplacian", "Gradient", "FFT"];
        assert_eq!(nearest("laplasian", words), Some("Laplacian"));
        assert_eq!(nearest("Radon2D", words), None);
    }
}
