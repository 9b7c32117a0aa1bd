//! TOML into values with spans.

use super::{MAX_DEPTH, Quoted, Value, ValueKind, too_deep};
use crate::problem::diagnostic::{Diagnostic, Document, Result, Span, Spanned};
use ::toml::Spanned as TomlSpanned;
use ::toml::de::{DeTable, DeValue};
use std::ops::Range;

/// Reads a whole TOML document as a table.
pub fn read(document: &Document) -> Result<Value> {
    let table = DeTable::parse(document.text()).map_err(|error| {
        let length = document.text().len();
        let span = error.span().map_or(Span::new(length, length), |range| span(&range));
        Diagnostic::new(document, span, format!("not valid TOML: {}", error.message()), "here")
    })?;
    let whole = span(&table.span());
    Ok(Value::new(ValueKind::Table(read_table(document, table.get_ref(), 0)?), whole))
}

fn read_table(document: &Document, table: &DeTable<'_>, depth: usize) -> Result<super::Table> {
    table
        .iter()
        .map(|(key, value)| {
            let key = Spanned::new(key.get_ref().to_string(), span(&key.span()));
            Ok((key, read_value(document, value, depth + 1)?))
        })
        .collect()
}

fn read_value(
    document: &Document,
    value: &TomlSpanned<DeValue<'_>>,
    depth: usize,
) -> Result<Value> {
    let span = span(&value.span());
    if depth > MAX_DEPTH {
        return Err(too_deep(document, span));
    }
    let kind = match value.get_ref() {
        DeValue::String(text) => {
            ValueKind::Text(Quoted::new(text.to_string(), document.slice(span), span.start))
        }
        DeValue::Integer(n) => {
            let read = i64::from_str_radix(n.as_str(), n.radix());
            ValueKind::Integer(read.map_err(|_| {
                Diagnostic::new(document, span, "this integer does not fit into 64 bits", "here")
            })?)
        }
        DeValue::Float(x) => ValueKind::Number(read_float(document, span, x.as_str())?),
        DeValue::Boolean(flag) => ValueKind::Flag(*flag),
        DeValue::Datetime(_) => {
            let message = "a problem file has no use for dates";
            return Err(Diagnostic::new(document, span, message, "here"));
        }
        DeValue::Array(items) => ValueKind::List(
            items
                .iter()
                .map(|item| read_value(document, item, depth + 1))
                .collect::<Result<_>>()?,
        ),
        DeValue::Table(table) => ValueKind::Table(read_table(document, table, depth)?),
    };
    Ok(Value::new(kind, span))
}

fn read_float(document: &Document, span: Span, text: &str) -> Result<f64> {
    let value: f64 = text
        .parse()
        .map_err(|_| Diagnostic::new(document, span, "this is not a number", "here"))?;
    if value.is_infinite() && !text.contains("inf") {
        return Err(Diagnostic::new(document, span, "this number is too large for a float", ""));
    }
    Ok(value)
}

fn span(range: &Range<usize>) -> Span {
    Span::new(range.start, range.end)
}
