//! Rust's arithmetic between operators, vectors, scalars and numbers, owned and borrowed.

use super::error::Wrong;
use super::op::{self, Op};
use super::scalar::{Number, Scalar};
use super::shape;
use super::text::{count, quote};
use super::vector::{self, Vector};
use adjoin_passes::Dtype;
use num_complex::Complex64;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// A binary operator for all four combinations of owned and borrowed.
macro_rules! binary {
    ($trait:ident, $method:ident, $a:ty, $b:ty, $out:ty, $function:path) => {
        impl $trait<&$b> for &$a {
            type Output = $out;
            fn $method(self, other: &$b) -> $out {
                $function(self, other)
            }
        }
        impl $trait<$b> for &$a {
            type Output = $out;
            fn $method(self, other: $b) -> $out {
                $function(self, &other)
            }
        }
        impl $trait<&$b> for $a {
            type Output = $out;
            fn $method(self, other: &$b) -> $out {
                $function(&self, other)
            }
        }
        impl $trait<$b> for $a {
            type Output = $out;
            fn $method(self, other: $b) -> $out {
                $function(&self, &other)
            }
        }
    };
}

/// An expression and a number, for owned and borrowed expressions.
macro_rules! with_numbers {
    ($trait:ident, $method:ident, $a:ty, $out:ty, $function:path; $($n:ty),*) => {$(
        impl $trait<$n> for $a {
            type Output = $out;
            fn $method(self, other: $n) -> $out {
                $function(&self, &Scalar::from(other))
            }
        }
        impl $trait<$n> for &$a {
            type Output = $out;
            fn $method(self, other: $n) -> $out {
                $function(self, &Scalar::from(other))
            }
        }
    )*};
}

/// A number and an expression, for owned and borrowed expressions.
macro_rules! numbers_with {
    ($trait:ident, $method:ident, $a:ty, $out:ty, $function:path; $($n:ty),*) => {$(
        impl $trait<$a> for $n {
            type Output = $out;
            fn $method(self, other: $a) -> $out {
                $function(&Scalar::from(self), &other)
            }
        }
        impl $trait<&$a> for $n {
            type Output = $out;
            fn $method(self, other: &$a) -> $out {
                $function(&Scalar::from(self), other)
            }
        }
    )*};
}

macro_rules! negated {
    ($a:ty, $function:path) => {
        impl Neg for $a {
            type Output = $a;
            fn neg(self) -> $a {
                $function(&self)
            }
        }
        impl Neg for &$a {
            type Output = $a;
            fn neg(self) -> $a {
                $function(self)
            }
        }
    };
}

/// What operators and vectors do alike.
macro_rules! expression {
    ($t:ty, $add:path, $sub:path, $neg:path, $scale:path, $rescale:path, $divide:path) => {
        binary!(Add, add, $t, $t, $t, $add);
        binary!(Sub, sub, $t, $t, $t, $sub);
        negated!($t, $neg);
        binary!(Mul, mul, Scalar, $t, $t, $scale);
        binary!(Mul, mul, $t, Scalar, $t, $rescale);
        binary!(Div, div, $t, Scalar, $t, $divide);
        numbers_with!(Mul, mul, $t, $t, $scale; f64, i32, Complex64);
        with_numbers!(Mul, mul, $t, $t, $rescale; f64, i32, Complex64);
        with_numbers!(Div, div, $t, $t, $divide; f64, i32, Complex64);
    };
}

expression!(Op, ops::add, ops::sub, ops::neg, ops::scale, ops::rescale, ops::divide);
binary!(Mul, mul, Op, Op, Op, ops::product);
binary!(Mul, mul, Op, Vector, Vector, Vector::applied);

expression!(
    Vector,
    vectors::add,
    vectors::sub,
    vectors::neg,
    vectors::scale,
    vectors::rescale,
    vectors::divide
);

binary!(Add, add, Scalar, Scalar, Scalar, Scalar::plus);
binary!(Sub, sub, Scalar, Scalar, Scalar, minus);
binary!(Mul, mul, Scalar, Scalar, Scalar, Scalar::times);
negated!(Scalar, opposite);
with_numbers!(Add, add, Scalar, Scalar, Scalar::plus; f64, i32, Complex64);
with_numbers!(Sub, sub, Scalar, Scalar, minus; f64, i32, Complex64);
with_numbers!(Mul, mul, Scalar, Scalar, Scalar::times; f64, i32, Complex64);
numbers_with!(Add, add, Scalar, Scalar, Scalar::plus; f64, i32, Complex64);
numbers_with!(Sub, sub, Scalar, Scalar, minus; f64, i32, Complex64);
numbers_with!(Mul, mul, Scalar, Scalar, Scalar::times; f64, i32, Complex64);

impl<N: Into<Number>> Div<N> for Scalar {
    type Output = Scalar;
    fn div(self, divisor: N) -> Scalar {
        self.over(divisor.into())
    }
}

impl<N: Into<Number>> Div<N> for &Scalar {
    type Output = Scalar;
    fn div(self, divisor: N) -> Scalar {
        self.over(divisor.into())
    }
}

fn opposite(a: &Scalar) -> Scalar {
    a.times(&Scalar::from(-1))
}

fn minus(a: &Scalar, b: &Scalar) -> Scalar {
    a.plus(&opposite(b))
}

/// Refuses scalars that are no numbers.
fn finite(c: &Scalar) -> Result<(), Wrong> {
    c.wrong().map_or(Ok(()), |message| Err(Wrong::new(message)))
}

/// Refuses divisors that are not plain numbers.
fn divisor(c: &Scalar) -> Result<(), Wrong> {
    finite(c)?;
    match c.literal() {
        None => Err(Wrong::new(format!("division by the parameter {c}"))
            .help("make its reciprocal the parameter and multiply")),
        Some(z) if z == Complex64::default() => Err(Wrong::new("division by zero")),
        Some(_) => Ok(()),
    }
}

mod ops {
    use super::op::Kind;
    use super::{Op, Scalar, divisor, finite, shape};

    pub fn add(a: &Op, b: &Op) -> Op {
        sum(a, false, b)
    }

    pub fn sub(a: &Op, b: &Op) -> Op {
        sum(a, true, b)
    }

    fn sum(a: &Op, minus: bool, b: &Op) -> Op {
        let mut terms = match &a.0.kind {
            Kind::Sum(terms) if a.0.fault.is_none() => terms.clone(),
            _ => vec![(false, a.clone())],
        };
        let at = terms.len();
        terms.push((minus, b.clone()));
        Op::make(Kind::Sum(terms), || shape::sum(a, b, at))
    }

    pub fn product(a: &Op, b: &Op) -> Op {
        let mut factors = match &a.0.kind {
            Kind::Product(factors) if a.0.fault.is_none() => factors.clone(),
            _ => vec![a.clone()],
        };
        let at = factors.len();
        factors.push(b.clone());
        Op::make(Kind::Product(factors), || shape::product(a, b, at))
    }

    pub fn neg(a: &Op) -> Op {
        Op::make(Kind::Neg(a.clone()), || Ok(a.sides()))
    }

    pub fn scale(c: &Scalar, a: &Op) -> Op {
        Op::make(Kind::Scale(c.clone(), a.clone()), || finite(c).map(|()| a.sides()))
    }

    pub fn rescale(a: &Op, c: &Scalar) -> Op {
        scale(c, a)
    }

    pub fn divide(a: &Op, c: &Scalar) -> Op {
        Op::make(Kind::Divide(a.clone(), c.clone()), || divisor(c).map(|()| a.sides()))
    }
}

mod vectors {
    use super::vector::Kind;
    use super::{Dtype, Scalar, Vector, Wrong, count, divisor, finite, quote};
    use crate::expr::parts::Parts;

    pub fn add(x: &Vector, y: &Vector) -> Vector {
        sum(x, false, y)
    }

    pub fn sub(x: &Vector, y: &Vector) -> Vector {
        sum(x, true, y)
    }

    fn sum(x: &Vector, minus: bool, y: &Vector) -> Vector {
        let mut terms = match &x.0.kind {
            Kind::Sum(terms) if x.0.fault.is_none() => terms.clone(),
            _ => vec![(false, x.clone())],
        };
        let at = terms.len();
        terms.push((minus, y.clone()));
        Vector::make(Kind::Sum(terms), || typed_sum(x, y).map_err(|w| w.at(at)))
    }

    fn typed_sum(x: &Vector, y: &Vector) -> Result<(Parts, Vec<Dtype>), Wrong> {
        let (n, m) = (x.parts().size(), y.parts().size());
        if n != m {
            let (n, m) = (count(n, "element"), count(m, "element"));
            let message =
                format!("{} has {n} and {} has {m}: they cannot be added", quote(x), quote(y));
            return Err(Wrong::new(message));
        }
        let theirs = y.parts().regrouped(x.parts(), y.dtypes());
        let dtypes = x.dtypes().iter().zip(theirs).map(|(a, b)| a.promote(b)).collect();
        Ok((x.parts().clone(), dtypes))
    }

    pub fn neg(x: &Vector) -> Vector {
        Vector::make(Kind::Neg(x.clone()), || Ok(x.typed()))
    }

    fn scaled(x: &Vector, c: &Scalar) -> (Parts, Vec<Dtype>) {
        let weak = |d: &Dtype| d.promote_weak(c.is_complex());
        (x.parts().clone(), x.dtypes().iter().map(weak).collect())
    }

    pub fn scale(c: &Scalar, x: &Vector) -> Vector {
        Vector::make(Kind::Scale(c.clone(), x.clone()), || finite(c).map(|()| scaled(x, c)))
    }

    pub fn rescale(x: &Vector, c: &Scalar) -> Vector {
        scale(c, x)
    }

    pub fn divide(x: &Vector, c: &Scalar) -> Vector {
        Vector::make(Kind::Divide(x.clone(), c.clone()), || divisor(c).map(|()| scaled(x, c)))
    }
}
