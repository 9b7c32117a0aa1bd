//! The sources of right-hand sides and starts.

use super::fit::{Fitted, Unfit, fit};
use super::{Model, blocks, lazy};
use crate::data::Source;
use crate::expr::{Part as Shape, Parts};
use crate::problem::diagnostic::{Diagnostic, Result, Spanned};
use crate::problem::file::{Data, Name, Part};
use crate::problem::suggest;
use crate::problem::text::{Expr, ExprKind, Formula};

/// What data are for: messages name the operator.
pub(super) struct Side<'a> {
    pub parts: &'a Parts,
    /// `A is 50×1280, so its data have`
    pub says: String,
}

impl Model<'_> {
    /// The sources of all parts of a side.
    pub(super) fn data(&self, data: &Data, side: &Side<'_>) -> Result<Fitted> {
        match data {
            Data::Whole(formula) => self.fitted(formula, side.parts, &side.says),
            Data::Parts(parts) => self.parts(parts, side),
        }
    }

    fn fitted(&self, formula: &Formula, parts: &Parts, says: &str) -> Result<Fitted> {
        let pieces = self.sources_of(formula)?;
        fit(&pieces, parts).map_err(|unfit| match unfit {
            Unfit::Size(given) => {
                let message = format!("{says} {} elements, not {given}", parts.size());
                let dims: Vec<_> = pieces.iter().map(|piece| shown(piece.dims())).collect();
                formula.error(formula.expr.span, message, dims.join(" and "))
            }
            Unfit::Data(error) => formula.error(formula.expr.span, error.to_string(), "here"),
        })
    }

    fn parts(&self, given: &[(Name, Part)], side: &Side<'_>) -> Result<Fitted> {
        let labels = labels(side.parts);
        for (name, _) in given {
            if !labels.contains(&name.value) {
                let message = format!("there is no part `{}`", name.value.escape_debug());
                let known = labels.iter().map(String::as_str);
                return Err(self.at(name, message).maybe_help(suggest::help(
                    &name.value,
                    "parts",
                    known,
                )));
            }
        }
        let mut columns = None;
        let mut sources: Vec<Option<Source>> = Vec::new();
        for (label, part) in labels.iter().zip(&side.parts.0) {
            let found = given.iter().find(|(name, _)| name.value == *label);
            let Some((name, value)) = found else {
                return Err(self.missing(given, label));
            };
            sources.push(match value {
                Part::Zero => None,
                Part::Formula(formula) => {
                    let one = Parts(vec![part.clone()]);
                    let says = format!("the part `{label}` has");
                    let fitted = self.fitted(formula, &one, &says)?;
                    let first = columns.get_or_insert(fitted.columns);
                    if *first != fitted.columns {
                        let message = "the parts have different numbers of columns".to_owned();
                        return Err(self.at(name, message));
                    }
                    fitted.sources.into_iter().next()
                }
            });
        }
        let columns = columns.flatten();
        let dtype = self.zero_dtype(&sources);
        let filled = sources.into_iter().zip(&side.parts.0).map(|(source, part)| {
            source.unwrap_or_else(|| Source::zeros(with_columns(part, columns), dtype))
        });
        Ok(Fitted { sources: filled.collect(), columns })
    }

    /// Zeros are as precise as the data beside them, and real.
    fn zero_dtype(&self, sources: &[Option<Source>]) -> crate::Dtype {
        let types = sources.iter().flatten().map(|source| source.dtype().real());
        let widest = types.reduce(crate::Dtype::promote);
        widest.or(self.resolved.dtype).unwrap_or(crate::Dtype::F64)
    }

    fn missing(&self, given: &[(Name, Part)], label: &str) -> Diagnostic {
        let message = format!("the part `{label}` has no data");
        match given.last() {
            Some((name, _)) => self.at(name, message),
            None => Diagnostic::without_place(&self.resolved.document, message),
        }
        .help("zeros are written `0`")
    }

    fn at(&self, name: &Spanned<String>, message: String) -> Diagnostic {
        Diagnostic::new(&self.resolved.document, name.span, message, "here")
    }

    /// The arrays that a formula stands for; those that are not in files are computed when read.
    pub(super) fn sources_of(&self, formula: &Formula) -> Result<Vec<Source>> {
        let vector = self.vector(formula)?;
        if let Some(sources) = self.plain(&formula.expr) {
            return Ok(sources);
        }
        let inputs = self.sources().map(|(name, source)| (name.to_owned(), source.clone()));
        Ok(lazy::sources(&vector, inputs.collect()))
    }

    /// Arrays and zeros that need no computing.
    fn plain(&self, expr: &Expr) -> Option<Vec<Source>> {
        match &expr.kind {
            ExprKind::Name(name) => Some(vec![self.source(name)?.clone()]),
            ExprKind::Call { name, arguments } if name.value == "zeros" => {
                let dtype = self.resolved.dtype.unwrap_or(crate::Dtype::F32);
                Some(vec![Source::zeros(blocks::sizes(arguments), dtype)])
            }
            ExprKind::Call { name, arguments } if name.value == "stack" => {
                let pieces = blocks::unpacked(arguments);
                let plain: Option<Vec<_>> = pieces.iter().map(|(_, e)| self.plain(e)).collect();
                Some(plain?.concat())
            }
            _ => None,
        }
    }
}

/// What a table of parts calls them.
fn labels(parts: &Parts) -> Vec<String> {
    let label = |(i, part): (usize, &Shape)| part.name.clone().unwrap_or_else(|| i.to_string());
    parts.0.iter().enumerate().map(label).collect()
}

fn with_columns(part: &Shape, columns: Option<usize>) -> Vec<usize> {
    part.dims.iter().copied().chain(columns).collect()
}

/// Dims as people write them.
pub(super) fn shown(dims: &[usize]) -> String {
    let dims: Vec<_> = dims.iter().map(ToString::to_string).collect();
    if dims.is_empty() { "one number".into() } else { dims.join("×") }
}
