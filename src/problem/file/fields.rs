//! Takes the keys of a table one by one; what is left over is unknown and an error.

use super::Name;
use crate::Dtype;
use crate::problem::diagnostic::{Diagnostic, Document, Result, Span, Spanned};
use crate::problem::suggest;
use crate::problem::value::{Quoted, Table, Value, ValueKind};

/// A table whose keys are being taken.
pub struct Fields<'a> {
    document: &'a Document,
    what: String,
    span: Span,
    rest: Table,
    asked: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// The keys of a value that must be a table; `what` names it in messages.
    pub fn new(document: &'a Document, value: Value, what: impl Into<String>) -> Result<Self> {
        let what = what.into();
        match value.value {
            ValueKind::Table(rest) => {
                Ok(Fields { document, what, span: value.span, rest, asked: Vec::new() })
            }
            other => Err(wrong_type(document, value.span, &other, &what, "a table")),
        }
    }

    /// The value of a key.
    pub fn take(&mut self, key: &'static str) -> Option<Value> {
        self.asked.push(key);
        let at = self.rest.iter().position(|(name, _)| name.value == key)?;
        Some(self.rest.remove(at).1)
    }

    /// The value of a key that must be there; a key that looks like it is named as the error.
    pub fn required(&mut self, key: &'static str) -> Result<Value> {
        if let Some(value) = self.take(key) {
            return Ok(value);
        }
        let near = |(name, _): &&(Name, Value)| suggest::nearest(&name.value, [key]).is_some();
        if let Some((name, _)) = self.rest.iter().find(near) {
            let help = format!("did you mean `{key}`?");
            return Err(self.unknown(name).help(help));
        }
        let message = format!("{} has no `{key}`", self.what);
        Err(Diagnostic::new(self.document, self.span, message, "missing here"))
    }

    /// Ends the reading: a key that was not asked for is an error.
    pub fn finish(self) -> Result<()> {
        let Some((key, _)) = self.rest.first() else {
            return Ok(());
        };
        let help = suggest::help(&key.value, "keys", self.asked.iter().copied());
        Err(self.unknown(key).maybe_help(help))
    }

    fn unknown(&self, key: &Name) -> Diagnostic {
        let message = format!("{} has no key `{}`", self.what, key.value.escape_debug());
        Diagnostic::new(self.document, key.span, message, "unknown key")
    }

    /// Ends the reading with what was not asked for.
    pub fn rest(self) -> Table {
        self.rest
    }
}

/// An error that names what is there and what should be.
pub fn wrong_type(
    document: &Document,
    span: Span,
    found: &ValueKind,
    what: &str,
    expected: &str,
) -> Diagnostic {
    let message = format!("{what} must be {expected}, not {}", found.describe());
    Diagnostic::new(document, span, message, "here")
}

/// A value that must be text.
pub fn text<'v>(document: &Document, value: &'v Value, what: &str) -> Result<&'v Quoted> {
    match &value.value {
        ValueKind::Text(quoted) => Ok(quoted),
        other => Err(wrong_type(document, value.span, other, what, "text")),
    }
}

/// A value that must be text, with its place.
pub fn word(document: &Document, value: &Value, what: &str) -> Result<Name> {
    Ok(Spanned::new(text(document, value, what)?.text.clone(), value.span))
}

/// A value that must be a path.
pub fn path(document: &Document, value: &Value, what: &str) -> Result<Spanned<String>> {
    let path = word(document, value, what)?;
    if path.value.is_empty() || path.value.contains('\0') {
        let message = format!("{what} is not a path");
        return Err(Diagnostic::new(document, path.span, message, "here"));
    }
    Ok(path)
}

/// A value that must be the name of an element type.
pub fn dtype(document: &Document, value: &Value, what: &str) -> Result<Spanned<Dtype>> {
    let name = word(document, value, what)?;
    let found = Dtype::ALL.into_iter().find(|dtype| dtype.numpy() == name.value);
    found.map(|dtype| Spanned::new(dtype, name.span)).ok_or_else(|| {
        let message = format!("`{}` is not an element type", name.value.escape_debug());
        let help = suggest::help(&name.value, "types", Dtype::ALL.map(Dtype::numpy));
        Diagnostic::new(document, name.span, message, "here").maybe_help(help)
    })
}

/// A value that must be an integer of at least `least`.
pub fn count(document: &Document, value: &Value, what: &str, least: i64) -> Result<usize> {
    let expected = if least > 0 { "a positive integer" } else { "an integer of at least 0" };
    match value.value {
        ValueKind::Integer(n) if n >= least => Ok(n as usize),
        ValueKind::Integer(n) => {
            let message = format!("{what} must be {expected}, not {n}");
            Err(Diagnostic::new(document, value.span, message, "here"))
        }
        ValueKind::Number(x) => {
            let message = format!("{what} must be {expected}, not {x:?}");
            Err(Diagnostic::new(document, value.span, message, "here"))
        }
        ref other => Err(wrong_type(document, value.span, other, what, expected)),
    }
}

/// Sizes of an array: one count or a list of them, whose product can be counted in bytes.
pub fn dims(document: &Document, value: &Value, what: &str) -> Result<Vec<usize>> {
    let dims = match &value.value {
        ValueKind::List(items) => {
            items.iter().map(|item| count(document, item, what, 0)).collect::<Result<Vec<_>>>()?
        }
        _ => vec![count(document, value, what, 0)?],
    };
    if representable(&dims) {
        Ok(dims)
    } else {
        let message = format!("{what} has more elements than can be addressed");
        Err(Diagnostic::new(document, value.span, message, "the product of these"))
    }
}

/// Whether an array of the widest elements has a size in bytes.
pub fn representable(dims: &[usize]) -> bool {
    let bytes = dims.iter().try_fold(16usize, |bytes, &n| bytes.checked_mul(n));
    bytes.is_some_and(|bytes| i64::try_from(bytes).is_ok())
}

/// A value that must be a finite real number.
pub fn real(document: &Document, value: &Value, what: &str) -> Result<f64> {
    match value.value {
        ValueKind::Integer(n) => Ok(n as f64),
        ValueKind::Number(x) if x.is_finite() => Ok(x),
        ValueKind::Number(_) => {
            let message = format!("{what} must be finite");
            Err(Diagnostic::new(document, value.span, message, "here"))
        }
        ref other => Err(wrong_type(document, value.span, other, what, "a number")),
    }
}
