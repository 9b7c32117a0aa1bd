//! Numbers of an expression: literals, named parameters, and their sums and products.
//!
//! Literals are weak: they decide between real and complex, never the precision.

use num_complex::Complex64;
use std::fmt;
use std::sync::Arc;

use super::parts::is_name;
use super::text::Level;

/// A real or complex number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Number {
    /// Its value.
    pub value: Complex64,
    /// Whether it counts as complex, even where its imaginary part is zero.
    pub complex: bool,
}

/// A sum of products of numbers and named parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Scalar {
    pub(super) terms: Vec<Monomial>,
}

/// A number times some parameters.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Monomial {
    pub number: Complex64,
    /// Ascending by name, each with whether it is conjugated.
    pub params: Vec<(Param, bool)>,
}

/// A number with a name, which can be set anew for each run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Param {
    pub name: Arc<str>,
    pub default: Number,
}

/// A named parameter with its default, real or complex.
///
/// It is read at run time: giving it another value needs no new plan.
pub fn param(name: &str, default: impl Into<Number>) -> Scalar {
    let param = Param { name: name.into(), default: default.into() };
    Scalar { terms: vec![Monomial { number: ONE, params: vec![(param, false)] }] }
}

const ONE: Complex64 = Complex64::new(1.0, 0.0);

impl Scalar {
    /// The value, if no parameter occurs.
    pub fn literal(&self) -> Option<Complex64> {
        match self.terms.as_slice() {
            [] => Some(Complex64::default()),
            [one] if one.params.is_empty() => Some(one.number),
            _ => None,
        }
    }

    /// The complex conjugate.
    pub fn conj(&self) -> Self {
        let conj = |m: &Monomial| Monomial {
            number: m.number.conj(),
            params: m.params.iter().map(|(p, c)| (p.clone(), p.default.complex && !c)).collect(),
        };
        Scalar { terms: self.terms.iter().map(conj).collect() }
    }

    /// Whether the value may have an imaginary part.
    pub fn is_complex(&self) -> bool {
        let complex =
            |m: &Monomial| m.number.im != 0.0 || m.params.iter().any(|(p, _)| p.default.complex);
        self.terms.iter().any(complex)
    }

    /// What is wrong with it.
    pub(super) fn wrong(&self) -> Option<String> {
        self.terms.iter().find_map(|m| {
            let params = m.params.iter().map(|(p, _)| p);
            let bad_name = params.clone().find(|p| !is_name(&p.name));
            let bad_value = params.map(|p| p.default.value).find(|v| !v.is_finite());
            let bad_number = (!m.number.is_finite()).then_some(m.number);
            bad_name.map(|p| format!("`{}` is no name for a parameter", p.name)).or_else(|| {
                bad_value.or(bad_number).map(|v| format!("{} is not a finite number", show(v)))
            })
        })
    }

    /// The sum, with equal products merged.
    pub(super) fn plus(&self, other: &Self) -> Self {
        let mut terms = self.terms.clone();
        for m in &other.terms {
            match terms.iter_mut().find(|t| t.params == m.params) {
                Some(same) => same.number += m.number,
                None => terms.push(m.clone()),
            }
        }
        terms.retain(|m| m.number != Complex64::default() || m.params.is_empty());
        Scalar { terms }
    }

    /// The product.
    pub(super) fn times(&self, other: &Self) -> Self {
        let nothing = Scalar { terms: Vec::new() };
        let products = self.terms.iter().flat_map(|a| other.terms.iter().map(move |b| a.times(b)));
        products.fold(nothing, |sum, m| sum.plus(&Scalar { terms: vec![m] }))
    }

    /// The quotient by a number.
    pub(super) fn over(&self, divisor: Number) -> Self {
        let divide = |m: &Monomial| Monomial {
            number: if divisor.value.im == 0.0 {
                m.number / divisor.value.re
            } else {
                m.number / divisor.value
            },
            params: m.params.clone(),
        };
        Scalar { terms: self.terms.iter().map(divide).collect() }
    }

    /// How tightly its text holds together.
    pub(super) fn level(&self) -> Level {
        match self.terms.as_slice() {
            [] => Level::Atom,
            [m] if m.params.is_empty() && negative(m.number) => Level::Sign,
            [m] if m.params.is_empty() => Level::Atom,
            [m] if m.number == ONE && m.params.len() == 1 => Level::Atom,
            [m] if m.number == -ONE && m.params.len() == 1 => Level::Sign,
            [_] => Level::Product,
            _ => Level::Sum,
        }
    }
}

impl Monomial {
    fn times(&self, other: &Self) -> Self {
        let mut params = [self.params.as_slice(), &other.params].concat();
        params.sort_by(|(a, c), (b, d)| (&a.name, c).cmp(&(&b.name, d)));
        Monomial { number: self.number * other.number, params }
    }
}

fn negative(number: Complex64) -> bool {
    number.im == 0.0 && number.re < 0.0 || number.re == 0.0 && number.im < 0.0
}

/// A number as Python writes it.
fn show(z: Complex64) -> String {
    let imaginary = |im: f64| {
        let digits = format!("{im:?}");
        format!("{}j", digits.strip_suffix(".0").unwrap_or(&digits))
    };
    match (z.re, z.im) {
        (re, 0.0) => format!("{re:?}"),
        (0.0, im) => imaginary(im),
        (re, im) if im < 0.0 => format!("({re:?} - {})", imaginary(-im)),
        (re, im) => format!("({re:?} + {})", imaginary(im)),
    }
}

impl fmt::Display for Monomial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = match self.number {
            n if self.params.is_empty() => return f.write_str(&show(n)),
            ONE => String::new(),
            n if n == -ONE => "-".to_string(),
            n => format!("{} * ", show(n)),
        };
        let name = |(p, conj): &(Param, bool)| {
            let conj = if *conj { ".conj()" } else { "" };
            format!("{}{conj}", p.name)
        };
        let names: Vec<_> = self.params.iter().map(name).collect();
        write!(f, "{shown}{}", names.join(" * "))
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.terms.is_empty() {
            return f.write_str("0.0");
        }
        for (i, m) in self.terms.iter().enumerate() {
            let minus = i > 0 && negative(m.number);
            f.write_str(if minus { " - " } else { ["", " + "][usize::from(i > 0)] })?;
            let m = Monomial { number: if minus { -m.number } else { m.number }, ..m.clone() };
            write!(f, "{m}")?;
        }
        Ok(())
    }
}

impl From<f64> for Number {
    fn from(re: f64) -> Self {
        Number { value: re.into(), complex: false }
    }
}

impl From<i32> for Number {
    fn from(re: i32) -> Self {
        f64::from(re).into()
    }
}

impl From<Complex64> for Number {
    fn from(value: Complex64) -> Self {
        Number { value, complex: true }
    }
}

impl<N: Into<Number>> From<N> for Scalar {
    fn from(number: N) -> Self {
        Scalar { terms: vec![Monomial { number: number.into().value, params: Vec::new() }] }
    }
}

impl From<&Scalar> for Scalar {
    fn from(scalar: &Scalar) -> Self {
        scalar.clone()
    }
}
