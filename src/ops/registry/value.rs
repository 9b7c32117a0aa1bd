//! Values of parameters, and what Rust types they are read as.

use crate::Dtype;
use crate::data::{Array, Source};
use crate::ops::{
    Dims, Handle, Integration, Kind, Linearization, Mode, Norm, Pairs, Profile, Tables,
};

/// The value of a parameter, as a problem file has it.
#[derive(Clone)]
pub enum Value {
    /// As if the parameter had not been given.
    None,
    /// `true` or `false`
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A real number.
    Number(f64),
    /// Text.
    Text(String),
    /// Several values.
    List(Vec<Value>),
    /// An array.
    Array(Source),
    /// An operator.
    Operator(Handle),
}

impl Value {
    /// What it is, for messages.
    pub fn describe(&self) -> String {
        match self {
            Value::None => "nothing".into(),
            Value::Bool(b) => b.to_string(),
            Value::Integer(n) => n.to_string(),
            Value::Number(x) => x.to_string(),
            Value::Text(text) => format!("{text:?}"),
            Value::List(items) => format!("a list of {}", items.len()),
            Value::Array(source) => format!("an array of {:?}", source.dims()),
            Value::Operator(operator) => format!("an operator {}", operator.signature().kind),
        }
    }
}

/// A type that parameters are read as.
pub trait FromValue: Sized {
    /// What the value must be, for messages: "a number".
    const EXPECTED: &'static str;

    /// The value, if it is of that type.
    fn from_value(value: &Value) -> Option<Self>;
}

impl FromValue for bool {
    const EXPECTED: &'static str = "true or false";
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Bool(b) = value { Some(*b) } else { None }
    }
}

impl FromValue for usize {
    const EXPECTED: &'static str = "a whole number that is not negative";
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Integer(n) = value { usize::try_from(*n).ok() } else { None }
    }
}

impl FromValue for isize {
    const EXPECTED: &'static str = "a whole number";
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Integer(n) = value { isize::try_from(*n).ok() } else { None }
    }
}

impl FromValue for f64 {
    const EXPECTED: &'static str = "a number";
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Integer(n) => Some(*n as f64),
            Value::Number(x) => Some(*x),
            _ => None,
        }
    }
}

impl FromValue for Dims {
    const EXPECTED: &'static str = "a length or a list of lengths";
    fn from_value(value: &Value) -> Option<Self> {
        several(value).map(Dims)
    }
}

impl FromValue for Vec<bool> {
    const EXPECTED: &'static str = "true or false, or a list of them";
    fn from_value(value: &Value) -> Option<Self> {
        several(value)
    }
}

impl FromValue for Vec<isize> {
    const EXPECTED: &'static str = "a list of whole numbers";
    fn from_value(value: &Value) -> Option<Self> {
        several(value)
    }
}

impl FromValue for Vec<f64> {
    const EXPECTED: &'static str = "a number or a list of numbers";
    fn from_value(value: &Value) -> Option<Self> {
        several(value)
    }
}

impl FromValue for Pairs {
    const EXPECTED: &'static str = "a pair of counts or a list of them";
    fn from_value(value: &Value) -> Option<Self> {
        let pair = |value: &Value| <[usize; 2]>::try_from(several(value)?).ok();
        let Value::List(items) = value else { return None };
        let pairs: Option<Vec<_>> = items.iter().map(pair).collect();
        pairs.or_else(|| Some(vec![pair(value)?])).map(Pairs)
    }
}

impl FromValue for Dtype {
    const EXPECTED: &'static str = "float32, float64, complex64 or complex128";
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Text(text) = value { Dtype::parse(text) } else { None }
    }
}

impl FromValue for Kind {
    const EXPECTED: &'static str = "forward, centered or backward";
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Text(text) if text == "forward" => Some(Kind::Forward),
            Value::Text(text) if text == "centered" => Some(Kind::Centered),
            Value::Text(text) if text == "backward" => Some(Kind::Backward),
            _ => None,
        }
    }
}

impl FromValue for Norm {
    const EXPECTED: &'static str = "ortho, none or 1/n";
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Text(text) if text == "ortho" => Some(Norm::Ortho),
            Value::Text(text) if text == "none" => Some(Norm::None),
            Value::Text(text) if text.eq_ignore_ascii_case("1/n") => Some(Norm::OneOverN),
            _ => None,
        }
    }
}

impl FromValue for Source {
    const EXPECTED: &'static str = "an array";
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Array(source) => Some(source.clone()),
            Value::List(_) => {
                let (dims, values) = nested(value)?;
                Some(Source::array(Array::new(dims, values).ok()?))
            }
            _ => None,
        }
    }
}

impl FromValue for Profile {
    const EXPECTED: &'static str = "a number or an array";
    fn from_value(value: &Value) -> Option<Self> {
        let constant = f64::from_value(value).map(Profile::Constant);
        constant.or_else(|| Source::from_value(value).map(Profile::Samples))
    }
}

impl FromValue for Integration {
    const EXPECTED: &'static str = "full, half or trapezoidal";
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Text(text) if text == "full" => Some(Integration::Full),
            Value::Text(text) if text == "half" => Some(Integration::Half),
            Value::Text(text) if text == "trapezoidal" => Some(Integration::Trapezoidal),
            _ => None,
        }
    }
}

impl FromValue for Linearization {
    const EXPECTED: &'static str = "akirich, fatti or ps";
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Text(text) if text == "akirich" => Some(Linearization::AkiRichards),
            Value::Text(text) if text == "fatti" => Some(Linearization::Fatti),
            Value::Text(text) if text == "ps" => Some(Linearization::Ps),
            _ => None,
        }
    }
}

impl FromValue for Mode {
    const EXPECTED: &'static str = "analytic or byot";
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Text(text) if text == "analytic" => Some(Mode::Analytic),
            Value::Text(text) if text == "byot" => Some(Mode::Byot),
            _ => None,
        }
    }
}

impl FromValue for Tables {
    const EXPECTED: &'static str = "an array or a list of two";
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Array(table) => Some(Tables::Pairs(table.clone())),
            Value::List(tables) => {
                let tables: Option<Vec<_>> = tables.iter().map(Source::from_value).collect();
                Some(Tables::Apart(tables?.try_into().ok()?))
            }
            _ => None,
        }
    }
}

impl FromValue for Handle {
    const EXPECTED: &'static str = "an operator";
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Operator(operator) = value { Some(operator.clone()) } else { None }
    }
}

impl<T: FromValue> FromValue for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;
    fn from_value(value: &Value) -> Option<Self> {
        T::from_value(value).map(Some)
    }
}

/// One value, or a list of them.
fn several<T: FromValue>(value: &Value) -> Option<Vec<T>> {
    match value {
        Value::List(items) => items.iter().map(T::from_value).collect(),
        one => T::from_value(one).map(|v| vec![v]),
    }
}

/// Lists of equal lengths inside each other: their dims and numbers.
fn nested(value: &Value) -> Option<(Vec<usize>, Vec<f64>)> {
    let Value::List(items) = value else {
        return f64::from_value(value).map(|x| (vec![], vec![x]));
    };
    let (mut inner, mut values) = (None, vec![]);
    for item in items {
        let (dims, more) = nested(item)?;
        if *inner.get_or_insert_with(|| dims.clone()) != dims {
            return None;
        }
        values.extend(more);
    }
    let dims = std::iter::once(items.len()).chain(inner.unwrap_or_default()).collect();
    Some((dims, values))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_arrays() {
        let row = |a, b| Value::List(vec![Value::Integer(a), Value::Number(b)]);
        let source = Source::from_value(&Value::List(vec![row(1, 2.0), row(3, 4.0)])).unwrap();
        assert_eq!(source.dims(), [2, 2]);
        let ragged = Value::List(vec![row(1, 2.0), Value::Integer(3)]);
        assert!(Source::from_value(&ragged).is_none());
    }
}
