//! Evaluates expressions of numbers, such as `-2`, `1 - 0.5j` or `2 * eps`.

use super::tree::{BinaryOp, Expr, ExprKind, Number};
use super::{Formula, Result};
use num_complex::Complex64;

/// A number that remembers whether it was written as a complex one, even if its value is real.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    /// A real number.
    Real(f64),
    /// A complex number.
    Complex(Complex64),
}

impl Scalar {
    /// Its value.
    pub fn value(self) -> Complex64 {
        match self {
            Scalar::Real(re) => Complex64::new(re, 0.0),
            Scalar::Complex(z) => z,
        }
    }

    /// Whether results with it are complex.
    pub fn is_complex(self) -> bool {
        matches!(self, Scalar::Complex(_))
    }

    fn like(self, other: Scalar, value: Complex64) -> Scalar {
        let complex = self.is_complex() || other.is_complex();
        if complex { Scalar::Complex(value) } else { Scalar::Real(value.re) }
    }
}

impl Formula {
    /// The value of an expression of numbers and of those names that `known` gives a value.
    pub fn constant(&self, known: &dyn Fn(&str) -> Option<Scalar>) -> Result<Scalar> {
        self.constant_at(&self.expr, known)
    }

    fn constant_at(&self, expr: &Expr, known: &dyn Fn(&str) -> Option<Scalar>) -> Result<Scalar> {
        let value = match &expr.kind {
            ExprKind::Number(Number::Imaginary(im)) => Scalar::Complex(Complex64::new(0.0, *im)),
            ExprKind::Number(number) => Scalar::Real(number.value().re),
            ExprKind::Name(name) => known(name).ok_or_else(|| {
                self.error(expr.span, format!("`{name}` is not a number"), "here")
            })?,
            ExprKind::Negative(base) => {
                let base = self.constant_at(base, known)?;
                base.like(base, -base.value())
            }
            ExprKind::Binary { op, left, right } => {
                let (l, r) = (self.constant_at(left, known)?, self.constant_at(right, known)?);
                l.like(r, self.binary(expr, *op, l.value(), r.value())?)
            }
            ExprKind::Power { base, exponent } => {
                let (b, e) = (self.constant_at(base, known)?, self.constant_at(exponent, known)?);
                match (b, e) {
                    (Scalar::Real(b), Scalar::Real(e)) => Scalar::Real(b.powf(e)),
                    _ => Scalar::Complex(b.value().powc(e.value())),
                }
            }
            ExprKind::Text(_)
            | ExprKind::Attribute { .. }
            | ExprKind::Method { .. }
            | ExprKind::Call { .. }
            | ExprKind::List(_)
            | ExprKind::Tuple(_) => {
                return Err(self.error(expr.span, "this is not a number", "here"));
            }
        };
        if value.value().is_finite() {
            Ok(value)
        } else {
            Err(self.error(expr.span, "this number is not finite", "here"))
        }
    }

    fn binary(&self, at: &Expr, op: BinaryOp, l: Complex64, r: Complex64) -> Result<Complex64> {
        match op {
            BinaryOp::Add => Ok(l + r),
            BinaryOp::Sub => Ok(l - r),
            BinaryOp::Mul => Ok(l * r),
            BinaryOp::Div => Ok(l / r),
            BinaryOp::MatMul => {
                let error = self.error(at.span, "`@` does not multiply numbers", "here");
                Err(error.help("write `*`"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Result<Scalar> {
        Formula::parse("EXPR", text)?.constant(&|name| (name == "eps").then_some(Scalar::Real(0.5)))
    }

    #[test]
    fn numbers_are_evaluated_and_stay_complex() {
        let complex = |re, im| Scalar::Complex(Complex64::new(re, im));
        assert_eq!(value("-2 ** 2 + 1").unwrap(), Scalar::Real(-3.0));
        assert_eq!(value("2 * eps / 4").unwrap(), Scalar::Real(0.25));
        assert_eq!(value("1.5 - 0.5j").unwrap(), complex(1.5, -0.5));
        assert_eq!(value("1 + 0j").unwrap(), complex(1.0, 0.0));
        for wrong in ["1 / 0", "1e308 * 10", "(-1) ** 0.5", "A", "2 @ 2", "eps.H", "[1]"] {
            assert!(value(wrong).is_err(), "{wrong}");
        }
    }
}
