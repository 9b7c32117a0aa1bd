//! Tables of operators as operators: settings become the registry's values.

use super::Model;
use crate::Dtype;
use crate::data::Source;
use crate::expr::Op;
use crate::ops::registry::{self, RegistryError, Value};
use crate::problem::catalog::{ELEMENTWISE, Kind};
use crate::problem::diagnostic::{Diagnostic, Result, Span, Spanned};
use crate::problem::file::Name;
use crate::problem::resolve::{Built, Setting};
use crate::problem::text::{ExprKind, Formula};
use adjoin_passes::ir::Elementwise;

impl Model<'_> {
    /// The operator of a table.
    pub(super) fn built(&self, built: &Built) -> Result<Op> {
        let name = built.entry.value.name;
        if ELEMENTWISE.contains(&name) {
            return Ok(elementwise(name, built));
        }
        let mut values: Vec<(String, Value)> = Vec::new();
        for (key, setting) in &built.settings {
            if let Some(value) = self.value(built, key, setting)? {
                values.push((key.value.clone(), value));
            }
        }
        self.default_dtype(built, &mut values);
        let operator = registry::build(name, &values);
        operator.map(Op::from).map_err(|error| self.refused(built, &error))
    }

    /// The default type for an operator that does not say one; complex where its arrays are.
    fn default_dtype(&self, built: &Built, values: &mut Vec<(String, Value)>) {
        let takes = built.entry.value.parameters.iter().any(|p| p.kind == Kind::Dtype);
        let Some(dtype) = self.resolved.dtype.filter(|_| takes) else { return };
        if built.setting("dtype").is_some() {
            return;
        }
        let complex = |(_, value): &(String, Value)| match value {
            Value::Array(source) => source.dtype().is_complex(),
            _ => false,
        };
        let dtype = if values.iter().any(complex) { dtype.complex() } else { dtype };
        values.push(("dtype".into(), Value::Text(dtype.numpy().into())));
    }

    fn value(
        &self,
        built: &Built,
        key: &Name,
        setting: &Spanned<Setting>,
    ) -> Result<Option<Value>> {
        Ok(Some(match &setting.value {
            Setting::Flag(flag) => Value::Bool(*flag),
            Setting::Flags(flags) => list(flags, |flag| Value::Bool(*flag)),
            Setting::Integer(n) => Value::Integer(*n),
            Setting::Number(x) => Value::Number(*x),
            Setting::Dims(dims) => list(dims, |n| Value::Integer(*n as i64)),
            Setting::Pairs(pairs) => list(pairs, |pair| list(pair, |n| Value::Integer(*n as i64))),
            Setting::Integers(items) => list(items, |n| Value::Integer(*n)),
            Setting::Numbers(items) => list(items, |x| Value::Number(*x)),
            Setting::Word(word) => Value::Text(word.clone()),
            Setting::Dtype(dtype) => Value::Text(dtype.numpy().into()),
            Setting::Ignored => return Ok(None),
            Setting::Formula(formula) => self.formula_value(built, key, formula)?,
            Setting::Arrays(arrays) => {
                let array = |formula| Ok(Value::Array(self.array(formula)?));
                Value::List(arrays.iter().map(array).collect::<Result<_>>()?)
            }
        }))
    }

    fn formula_value(&self, built: &Built, key: &Name, formula: &Formula) -> Result<Value> {
        let kind = built.entry.value.parameter(&key.value).map(|parameter| parameter.kind);
        match kind {
            Some(Kind::Number) => Ok(Value::Number(self.resolved.number(formula)?.value().re)),
            Some(Kind::Operator) => {
                let message = format!("`{}` cannot be an expression yet", key.value);
                Err(formula.error(formula.expr.span, message, "here"))
            }
            _ => Ok(Value::Array(self.array(formula)?)),
        }
    }

    /// The array that a formula stands for: one of the file, or one that is computed when it is
    /// read.
    fn array(&self, formula: &Formula) -> Result<Source> {
        if let ExprKind::Name(name) = &formula.expr.kind
            && let Some(source) = self.source(name)
        {
            return Ok(source.clone());
        }
        let mut sources = self.sources_of(formula)?;
        match sources.pop() {
            Some(source) if sources.is_empty() => Ok(source),
            _ => Err(formula.error(formula.expr.span, "one array is needed here", "several")),
        }
    }

    /// The registry's refusal at the parameter that it is about.
    fn refused(&self, built: &Built, error: &RegistryError) -> Diagnostic {
        let message = error.to_string();
        let place = error.parameter().map(str::to_owned).or_else(|| mentioned(built, &message));
        let found = place.and_then(|name| {
            let same = |(key, _): &&(Name, Spanned<Setting>)| key.value == name;
            built.settings.iter().find(same).map(|(_, setting)| setting.span)
        });
        let span: Span = found.unwrap_or(built.entry.span);
        Diagnostic::new(&self.resolved.document, span, message, "here")
    }
}

/// The first parameter that a message names.
fn mentioned(built: &Built, message: &str) -> Option<String> {
    let words = message.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').skip(1);
    let is = |key: &str, word: &str| key == word || (key, word) == ("axes", "axis");
    let find = |word| built.settings.iter().find(|(key, _)| is(&key.value, word));
    let mut given = words.filter_map(find);
    given.next().map(|(key, _)| key.value.clone())
}

fn elementwise(name: &str, built: &Built) -> Op {
    let dims = match built.setting("dims").map(|setting| &setting.value) {
        Some(Setting::Dims(dims)) => dims.clone(),
        _ => Vec::new(),
    };
    let map = if name == "Real" { Elementwise::Real } else { Elementwise::Conj };
    Op::element(map, dims)
}

fn list<T>(items: &[T], value: impl Fn(&T) -> Value) -> Value {
    Value::List(items.iter().map(value).collect())
}

/// The wider of the types of several sources.
pub(super) fn widest(sources: &[Source]) -> Dtype {
    sources.iter().map(Source::dtype).reduce(Dtype::promote).unwrap_or(Dtype::F32)
}
