//! Element types, named by total width as in NumPy, and NumPy's promotion between them.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The type of one element of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// `float32`
    F32,
    /// `float64`
    F64,
    /// `complex64`: two `float32`
    C64,
    /// `complex128`: two `float64`
    C128,
}

impl Dtype {
    /// All four, in the order of promotion.
    pub const ALL: [Dtype; 4] = [Dtype::F32, Dtype::F64, Dtype::C64, Dtype::C128];

    /// Builds the type from its two properties.
    pub fn new(complex: bool, double: bool) -> Self {
        match (complex, double) {
            (false, false) => Dtype::F32,
            (false, true) => Dtype::F64,
            (true, false) => Dtype::C64,
            (true, true) => Dtype::C128,
        }
    }

    /// Whether elements have an imaginary part.
    pub fn is_complex(self) -> bool {
        matches!(self, Dtype::C64 | Dtype::C128)
    }

    /// Whether the real numbers inside are 64 bits wide.
    pub fn is_double(self) -> bool {
        matches!(self, Dtype::F64 | Dtype::C128)
    }

    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            Dtype::F32 => 4,
            Dtype::F64 | Dtype::C64 => 8,
            Dtype::C128 => 16,
        }
    }

    /// NumPy's `result_type` of two arrays.
    pub fn promote(self, other: Self) -> Self {
        Dtype::new(self.is_complex() || other.is_complex(), self.is_double() || other.is_double())
    }

    /// The result with a weak scalar, real or complex: precision stays.
    pub fn promote_weak(self, complex: bool) -> Self {
        Dtype::new(self.is_complex() || complex, self.is_double())
    }

    /// The type of a real or imaginary part.
    pub fn real(self) -> Self {
        Dtype::new(false, self.is_double())
    }

    /// The complex type of the same precision.
    pub fn complex(self) -> Self {
        Dtype::new(true, self.is_double())
    }

    /// NumPy's long name.
    pub fn numpy(self) -> &'static str {
        match self {
            Dtype::F32 => "float32",
            Dtype::F64 => "float64",
            Dtype::C64 => "complex64",
            Dtype::C128 => "complex128",
        }
    }

    /// Reads either the short name of plans or NumPy's.
    pub fn parse(text: &str) -> Option<Self> {
        Dtype::ALL.into_iter().find(|d| d.numpy() == text || d.to_string() == text)
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Dtype::F32 => "f32",
            Dtype::F64 => "f64",
            Dtype::C64 => "c64",
            Dtype::C128 => "c128",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promotion_is_numpys() {
        assert_eq!(Dtype::F64.promote(Dtype::C64), Dtype::C128);
        assert_eq!(Dtype::F32.promote(Dtype::C64), Dtype::C64);
        assert_eq!(Dtype::F32.promote_weak(true), Dtype::C64);
        assert_eq!(Dtype::F32.promote(Dtype::F64), Dtype::F64);
    }

    #[test]
    fn names_read_back() {
        for d in Dtype::ALL {
            assert_eq!(Dtype::parse(d.numpy()), Some(d));
            assert_eq!(Dtype::parse(&d.to_string()), Some(d));
        }
        assert_eq!(Dtype::parse("int8"), None);
    }
}
