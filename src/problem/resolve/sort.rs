//! Numbers, arrays and operators: what each expression is, and that its operations suit it.
//!
//! Shapes and element types are left to those who know them.

use super::{Body, Built, Entity, Resolved};
use crate::problem::catalog::{Catalog, Kind};
use crate::problem::diagnostic::{Diagnostic, Result, Spanned};
use crate::problem::file::{Data, Part};
use crate::problem::suggest;
use crate::problem::text::{Argument, Attribute, BinaryOp, Expr, ExprKind, Formula, Number};
use std::fmt;

/// What an expression is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// A number.
    Number,
    /// An array, or several as the parts of one value.
    Array,
    /// An operator.
    Operator,
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Sort::Number => "a number",
            Sort::Array => "an array",
            Sort::Operator => "an operator",
        })
    }
}

/// Checks all expressions of a problem; hands back those that were given besides it.
pub(super) fn check(
    resolved: &Resolved,
    catalog: &Catalog,
    expressions: Vec<Formula>,
) -> Result<Vec<(Formula, Sort)>> {
    let checker = |formula| Checker { resolved, catalog, formula };
    for operator in &resolved.operators {
        match &operator.body {
            Body::Formula(formula) => checker(formula).whole(Sort::Operator)?,
            Body::Built(built) => check_settings(built, &checker)?,
        }
    }
    if let Some(solve) = &resolved.solve {
        check_settings(&solve.solver, &checker)?;
        checker(&solve.operator).whole(Sort::Operator)?;
        for data in std::iter::once(&solve.data).chain(&solve.x0) {
            check_data(data, &checker)?;
        }
    }
    for formula in resolved.outputs.iter().filter_map(|output| output.expr.as_ref()) {
        checker(formula).whole(Sort::Array)?;
    }
    expressions
        .into_iter()
        .map(|formula| {
            let sort = Checker { resolved, catalog, formula: &formula }.sort(&formula.expr)?;
            Ok((formula, sort))
        })
        .collect()
}

fn check_settings<'a>(
    built: &'a Built,
    checker: &impl Fn(&'a Formula) -> Checker<'a>,
) -> Result<()> {
    for (name, setting) in &built.settings {
        let parameters = &built.entry.value.parameters;
        let kind = parameters.iter().find(|p| p.name == name.value).map(|p| &p.kind);
        for formula in setting.value.formulas() {
            match kind {
                Some(Kind::Operator) => checker(formula).whole(Sort::Operator)?,
                Some(Kind::Number) => {
                    checker(formula).whole(Sort::Number)?;
                    checker(formula).real_number()?;
                }
                _ => checker(formula).whole(Sort::Array)?,
            }
        }
    }
    Ok(())
}

fn check_data<'a>(data: &'a Data, checker: &impl Fn(&'a Formula) -> Checker<'a>) -> Result<()> {
    match data {
        Data::Whole(formula) => checker(formula).whole(Sort::Array),
        Data::Parts(parts) => parts.iter().try_for_each(|(_, part)| match part {
            Part::Formula(formula) => checker(formula).whole(Sort::Array),
            Part::Zero => Ok(()),
        }),
    }
}

pub(super) struct Checker<'a> {
    pub(super) resolved: &'a Resolved,
    catalog: &'a Catalog,
    pub(super) formula: &'a Formula,
}

impl Checker<'_> {
    fn whole(&self, wanted: Sort) -> Result<()> {
        self.wanted(&self.formula.expr, wanted)
    }

    fn real_number(&self) -> Result<()> {
        let span = self.formula.expr.span;
        if self.resolved.number(self.formula)?.is_complex() {
            return Err(self.formula.error(span, "this number must be real", "this is complex"));
        }
        Ok(())
    }

    pub(super) fn wanted(&self, expr: &Expr, wanted: Sort) -> Result<()> {
        let found = self.sort(expr)?;
        if found == wanted {
            return Ok(());
        }
        Err(self.error(
            expr,
            format!("`{}` must be {wanted}", self.short(expr)),
            format!("{found}"),
        ))
    }

    fn sort(&self, expr: &Expr) -> Result<Sort> {
        match &expr.kind {
            ExprKind::Number(_) => Ok(Sort::Number),
            ExprKind::Name(name) => Ok(match self.resolved.lookup(name) {
                Some(Entity::Operator(_)) => Sort::Operator,
                Some(Entity::Parameter(_)) => Sort::Number,
                Some(Entity::Array(_) | Entity::Solution) | None => Sort::Array,
            }),
            ExprKind::Negative(base) => self.sort(base),
            ExprKind::Binary { op, left, right } => self.binary(*op, left, right),
            ExprKind::Power { base, exponent } => self.power(expr, base, exponent),
            ExprKind::Attribute { base, attribute } => self.attribute(base, *attribute),
            ExprKind::Method { base, name, arguments } => self.method(base, name, arguments),
            ExprKind::Call { name, arguments } => self.call(expr, name, arguments),
            ExprKind::Text(_) => Err(self.misplaced(expr, "text")),
            ExprKind::List(_) => Err(self.misplaced(expr, "a list")),
            ExprKind::Tuple(_) => Err(self.misplaced(expr, "a tuple")),
        }
    }

    fn binary(&self, op: BinaryOp, left: &Expr, right: &Expr) -> Result<Sort> {
        let (l, r) = (self.sort(left)?, self.sort(right)?);
        let found = match op {
            BinaryOp::Add | BinaryOp::Sub => (l == r).then_some(l),
            BinaryOp::Mul => match (l, r) {
                (Sort::Number, other) | (other, Sort::Number) => Some(other),
                (Sort::Operator, applied) => Some(applied),
                (Sort::Array, _) => None,
            },
            BinaryOp::Div => (r == Sort::Number).then_some(l),
            BinaryOp::MatMul => match (l, r) {
                (Sort::Operator, Sort::Operator | Sort::Array) => Some(r),
                _ => None,
            },
        };
        found.ok_or_else(|| {
            let symbol = op.symbol();
            let message = format!("`{symbol}` does not combine {l} with {r}");
            let help = match (op, l, r) {
                (BinaryOp::MatMul, Sort::Number, _) | (BinaryOp::MatMul, _, Sort::Number) => {
                    Some("a number multiplies with `*`")
                }
                (BinaryOp::MatMul | BinaryOp::Mul, Sort::Array, Sort::Operator) => {
                    Some("an operator stands left of what it is applied to")
                }
                (BinaryOp::Mul, Sort::Array, Sort::Array) => {
                    Some("element by element is the operator Diagonal")
                }
                (BinaryOp::Add | BinaryOp::Sub, Sort::Number, Sort::Operator)
                | (BinaryOp::Add | BinaryOp::Sub, Sort::Operator, Sort::Number) => {
                    Some("a multiple of the identity is a number times an Identity")
                }
                _ => None,
            };
            let document = &self.formula.document;
            Diagnostic::new(document, left.span, message, l.to_string())
                .also(document, right.span, r.to_string())
                .maybe_help(help.map(str::to_owned))
        })
    }

    fn power(&self, expr: &Expr, base: &Expr, exponent: &Expr) -> Result<Sort> {
        match (self.sort(base)?, &exponent.kind) {
            (Sort::Number, _) => {
                self.wanted(exponent, Sort::Number)?;
                Ok(Sort::Number)
            }
            (Sort::Operator, ExprKind::Number(Number::Integer(_))) => Ok(Sort::Operator),
            (Sort::Operator, _) => {
                let message = "an operator's power is a literal integer of at least 0";
                Err(self.error(exponent, message, "here"))
            }
            (Sort::Array, _) => Err(self.error(expr, "an array has no powers", "here")),
        }
    }

    fn attribute(&self, base: &Expr, attribute: Attribute) -> Result<Sort> {
        match self.sort(base)? {
            Sort::Operator => Ok(Sort::Operator),
            found @ (Sort::Array | Sort::Number) => {
                let symbol = attribute.symbol();
                let message = format!("only an operator has `.{symbol}`");
                Err(self.error(base, message, found.to_string()))
            }
        }
    }

    fn method(&self, base: &Expr, name: &Spanned<String>, arguments: &[Argument]) -> Result<Sort> {
        let sort = self.sort(base)?;
        let known = std::iter::once("conj").chain(self.catalog.methods.iter().copied());
        if !known.clone().any(|method| method == name.value) {
            let message = format!("there is no method `.{}()`", name.value);
            let help = suggest::help(&name.value, "methods", known);
            return Err(self.formula.error(name.span, message, "here").maybe_help(help));
        }
        match arguments.first() {
            Some(argument) if name.value == "conj" => {
                Err(self.error(&argument.value, "`.conj()` takes nothing", "here"))
            }
            _ => Ok(sort),
        }
    }

    fn misplaced(&self, expr: &Expr, what: &str) -> Diagnostic {
        self.error(expr, format!("{what} has no place here"), "here")
    }

    pub(super) fn error(
        &self,
        expr: &Expr,
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> Diagnostic {
        self.formula.error(expr.span, message, label)
    }

    /// The text of a node, or its beginning.
    fn short(&self, expr: &Expr) -> String {
        let text = self.formula.document.slice(expr.span);
        let mut chars = text.chars();
        let start: String = chars.by_ref().take(40).collect();
        if chars.next().is_some() { format!("{start}…") } else { start }
    }
}
