//! Compares the tables of operators and solvers with the catalogue, and reads their values.

use super::{Body, Built, Operator, Solve};
use crate::Dtype;
use crate::problem::catalog::{Catalog, Entry, Kind, Parameter};
use crate::problem::diagnostic::{Diagnostic, Document, Result, Span, Spanned};
use crate::problem::file::fields::{self, Fields};
use crate::problem::file::{self, Name};
use crate::problem::suggest;
use crate::problem::text::{ExprKind, Formula};
use crate::problem::value::{Table, Value, ValueKind};

/// A checked value of a parameter.
#[derive(Clone, Debug)]
pub enum Setting {
    /// `true` or `false`
    Flag(bool),
    /// Several of them.
    Flags(Vec<bool>),
    /// An integer, not negative where the parameter is a count.
    Integer(i64),
    /// A finite number.
    Number(f64),
    /// Sizes whose product can be counted in bytes.
    Dims(Vec<usize>),
    /// Pairs of counts.
    Pairs(Vec<[usize; 2]>),
    /// Integers.
    Integers(Vec<i64>),
    /// Finite numbers: several of a parameter, or the values of a small array.
    Numbers(Vec<f64>),
    /// One of the parameter's words.
    Word(String),
    /// An element type.
    Dtype(Dtype),
    /// An expression, of the sort that the parameter takes.
    Formula(Formula),
    /// An expression for each of several arrays.
    Arrays(Vec<Formula>),
    /// Something without an effect.
    Ignored,
}

impl Setting {
    /// The expressions in it.
    pub fn formulas(&self) -> &[Formula] {
        match self {
            Setting::Formula(formula) => std::slice::from_ref(formula),
            Setting::Arrays(formulas) => formulas,
            _ => &[],
        }
    }
}

/// Reads an operator's definition.
pub fn operator(
    document: &Document,
    catalog: &Catalog,
    operator: file::Operator,
) -> Result<Operator> {
    let body = match operator.body {
        file::Body::Formula(formula) => Body::Formula(formula),
        file::Body::Table { kind, arguments } => {
            let entry = catalog.operator(&kind.value).ok_or_else(|| {
                let all = catalog.operators.iter().map(|entry| entry.name);
                unknown(document, &kind, "operator", all)
            })?;
            Body::Built(built(document, entry, kind.span, arguments)?)
        }
    };
    Ok(Operator { name: operator.name, body })
}

/// Reads the solver's options.
pub fn solve(document: &Document, catalog: &Catalog, solve: file::Solve) -> Result<Solve> {
    let entry = catalog.solver(&solve.solver.value).ok_or_else(|| {
        unknown(document, &solve.solver, "solver", catalog.solvers.iter().map(|entry| entry.name))
    })?;
    let solver = built(document, entry, solve.solver.span, solve.options)?;
    Ok(Solve { solver, operator: solve.operator, data: solve.data, x0: solve.x0 })
}

fn unknown<'a>(
    document: &Document,
    name: &Name,
    what: &str,
    all: impl Iterator<Item = &'a str>,
) -> Diagnostic {
    let message = format!("there is no {what} `{}`", name.value.escape_debug());
    let help = suggest::help(&name.value, &format!("{what}s"), all);
    Diagnostic::new(document, name.span, message, "here").maybe_help(help)
}

fn built(document: &Document, entry: Entry, span: Span, arguments: Table) -> Result<Built> {
    let mut settings: Vec<(Name, Spanned<Setting>)> = Vec::new();
    for (name, value) in arguments {
        let Some(parameter) = entry.parameter(&name.value) else {
            let message =
                format!("{} has no parameter `{}`", entry.name, name.value.escape_debug());
            let all = entry.parameters.iter().map(|parameter| parameter.name);
            return Err(Diagnostic::new(document, name.span, message, "here")
                .maybe_help(suggest::help(&name.value, "parameters", all)));
        };
        let what = format!("`{}` of {}", name.value, entry.name);
        let setting = setting(document, &what, &parameter.kind, &value)?;
        settings.push((name, Spanned::new(setting, value.span)));
    }
    let given = |parameter: &Parameter| settings.iter().any(|(n, _)| n.value == parameter.name);
    match entry.parameters.iter().find(|parameter| parameter.required && !given(parameter)) {
        None => Ok(Built { entry: Spanned::new(entry, span), settings }),
        Some(missing) => {
            let message = format!("{} needs `{}`", entry.name, missing.name);
            Err(Diagnostic::new(document, span, message, "it is not given"))
        }
    }
}

fn setting(document: &Document, what: &str, kind: &Kind, value: &Value) -> Result<Setting> {
    let wrong = |expected| fields::wrong_type(document, value.span, &value.value, what, expected);
    match kind {
        Kind::Flag => match value.value {
            ValueKind::Flag(flag) => Ok(Setting::Flag(flag)),
            _ => Err(wrong("true or false")),
        },
        Kind::Flags => {
            let flag = |item: &Value| match item.value {
                ValueKind::Flag(flag) => Ok(flag),
                ref other => {
                    Err(fields::wrong_type(document, item.span, other, what, "true or false"))
                }
            };
            Ok(Setting::Flags(items(value).map(flag).collect::<Result<_>>()?))
        }
        Kind::Count => Ok(Setting::Integer(fields::count(document, value, what, 0)? as i64)),
        Kind::Integer => Ok(Setting::Integer(integer(document, value, what)?)),
        Kind::Number => match value.value {
            ValueKind::Text(_) => Ok(Setting::Formula(file::formula(document, value, what)?)),
            _ => Ok(Setting::Number(fields::real(document, value, what)?)),
        },
        Kind::Dims => Ok(Setting::Dims(fields::dims(document, value, what)?)),
        Kind::Pairs => Ok(Setting::Pairs(pairs(document, value, what)?)),
        Kind::Integers => Ok(Setting::Integers(
            items(value).map(|item| integer(document, item, what)).collect::<Result<_>>()?,
        )),
        Kind::Numbers => Ok(Setting::Numbers(numbers(document, value, what)?)),
        Kind::Word(words) => word(document, value, what, words),
        Kind::Dtype => Ok(Setting::Dtype(fields::dtype(document, value, what)?.value)),
        Kind::Array => match &value.value {
            ValueKind::Text(_) => Ok(Setting::Formula(file::formula(document, value, what)?)),
            ValueKind::Table(_) => named_array(document, value, what),
            ValueKind::List(_) => Ok(Setting::Numbers(numbers(document, value, what)?)),
            _ => Err(wrong("an array's name, an expression or a list of numbers")),
        },
        Kind::Profile => match &value.value {
            ValueKind::Integer(_) | ValueKind::Number(_) => {
                Ok(Setting::Number(fields::real(document, value, what)?))
            }
            ValueKind::Flag(_) => {
                Err(wrong("a number, an array's name, an expression or a list of numbers"))
            }
            _ => setting(document, what, &Kind::Array, value),
        },
        Kind::Tables => match &value.value {
            ValueKind::List(_) => Ok(Setting::Arrays(
                items(value)
                    .map(|item| file::formula(document, item, what))
                    .collect::<Result<_>>()?,
            )),
            ValueKind::Text(_) | ValueKind::Table(_) => {
                setting(document, what, &Kind::Array, value)
            }
            _ => Err(wrong("an array's name, an expression or a list of two of them")),
        },
        Kind::Operator => match &value.value {
            ValueKind::Text(_) => Ok(Setting::Formula(file::formula(document, value, what)?)),
            _ => Err(wrong("an operator's name or an expression")),
        },
        Kind::Ignored => Ok(Setting::Ignored),
    }
}

/// The items of a list, or the value itself.
fn items(value: &Value) -> impl Iterator<Item = &Value> {
    match &value.value {
        ValueKind::List(items) => items.iter(),
        _ => std::slice::from_ref(value).iter(),
    }
}

/// One pair of counts, or a list of pairs.
fn pairs(document: &Document, value: &Value, what: &str) -> Result<Vec<[usize; 2]>> {
    let pair = |value: &Value| match &value.value {
        ValueKind::List(items) if items.len() == 2 => Ok([
            fields::count(document, &items[0], what, 0)?,
            fields::count(document, &items[1], what, 0)?,
        ]),
        other => Err(fields::wrong_type(document, value.span, other, what, "a pair of counts")),
    };
    let nested = |item: &Value| matches!(item.value, ValueKind::List(_));
    match &value.value {
        ValueKind::List(list) if list.iter().any(nested) => list.iter().map(pair).collect(),
        _ => Ok(vec![pair(value)?]),
    }
}

fn integer(document: &Document, value: &Value, what: &str) -> Result<i64> {
    match value.value {
        ValueKind::Integer(n) => Ok(n),
        ref other => Err(fields::wrong_type(document, value.span, other, what, "an integer")),
    }
}

fn numbers(document: &Document, value: &Value, what: &str) -> Result<Vec<f64>> {
    items(value).map(|item| fields::real(document, item, what)).collect()
}

fn word(document: &Document, value: &Value, what: &str, words: &[String]) -> Result<Setting> {
    let text = &fields::text(document, value, what)?.text;
    words.iter().find(|word| *word == text).cloned().map(Setting::Word).ok_or_else(|| {
        let message = format!("{what} cannot be `{}`", text.escape_debug());
        let help = suggest::help(text, "values", words.iter().map(String::as_str));
        Diagnostic::new(document, value.span, message, "here").maybe_help(help)
    })
}

/// `{ array = "W" }`
fn named_array(document: &Document, value: &Value, what: &str) -> Result<Setting> {
    let mut table = Fields::new(document, value.clone(), what)?;
    let name = table.required("array")?;
    table.finish()?;
    let formula = file::formula(document, &name, what)?;
    match formula.expr.kind {
        ExprKind::Name(_) => Ok(Setting::Formula(formula)),
        _ => Err(Diagnostic::new(document, name.span, "`array` takes a name", "here")),
    }
}
