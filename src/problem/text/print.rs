//! Prints a tree as text that reads back to the same tree, with as few parentheses as that takes.

use super::tree::{Argument, Expr, ExprKind, Number};
use std::fmt;

/// How tightly a node holds together; Python's levels, lowest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Level(u8);

const SIGN: Level = Level(3);
const POWER: Level = Level(4);
const ATOM: Level = Level(6);

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExprKind::Number(number) => number.fmt(f),
            ExprKind::Name(name) => f.write_str(name),
            ExprKind::Text(text) => {
                let quote = if text.contains('\'') { '"' } else { '\'' };
                write!(f, "{quote}{text}{quote}")
            }
            ExprKind::Negative(base) => {
                f.write_str("-")?;
                at_least(SIGN, base, f)
            }
            ExprKind::Binary { op, left, right } => {
                at_least(Level(op.precedence()), left, f)?;
                write!(f, " {} ", op.symbol())?;
                at_least(Level(op.precedence() + 1), right, f)
            }
            ExprKind::Power { base, exponent } => {
                at_least(Level(POWER.0 + 1), base, f)?;
                f.write_str(" ** ")?;
                at_least(SIGN, exponent, f)
            }
            ExprKind::Attribute { base, attribute } => {
                dotted(base, f)?;
                f.write_str(attribute.symbol())
            }
            ExprKind::Method { base, name, arguments } => {
                dotted(base, f)?;
                call(&name.value, arguments, f)
            }
            ExprKind::Call { name, arguments } => call(&name.value, arguments, f),
            ExprKind::List(items) => {
                f.write_str("[")?;
                separated(items, f)?;
                f.write_str("]")
            }
            ExprKind::Tuple(items) => {
                f.write_str("(")?;
                separated(items, f)?;
                f.write_str(if items.len() == 1 { ",)" } else { ")" })
            }
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Integer(n) => write!(f, "{n}"),
            Number::Real(re) => write!(f, "{re:?}"),
            Number::Imaginary(im) => {
                let digits = format!("{im:?}");
                write!(f, "{}j", digits.strip_suffix(".0").unwrap_or(&digits))
            }
        }
    }
}

fn level(expr: &Expr) -> Level {
    match &expr.kind {
        ExprKind::Binary { op, .. } => Level(op.precedence()),
        ExprKind::Negative(_) => SIGN,
        ExprKind::Power { .. } => POWER,
        ExprKind::Number(_)
        | ExprKind::Name(_)
        | ExprKind::Text(_)
        | ExprKind::Attribute { .. }
        | ExprKind::Method { .. }
        | ExprKind::Call { .. }
        | ExprKind::List(_)
        | ExprKind::Tuple(_) => ATOM,
    }
}

fn at_least(least: Level, expr: &Expr, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if level(expr) < least { write!(f, "({expr})") } else { write!(f, "{expr}") }
}

/// What stands before a dot: a number needs parentheses, for `2.H` starts with the float `2.`.
fn dotted(base: &Expr, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if matches!(base.kind, ExprKind::Number(_)) {
        write!(f, "({base}).")
    } else {
        at_least(ATOM, base, f)?;
        f.write_str(".")
    }
}

fn call(name: &str, arguments: &[Argument], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{name}(")?;
    separated(arguments, f)?;
    f.write_str(")")
}

fn separated<T: fmt::Display>(items: &[T], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (i, item) in items.iter().enumerate() {
        f.write_str(if i == 0 { "" } else { ", " })?;
        item.fmt(f)?;
    }
    Ok(())
}

impl fmt::Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.keyword {
            Some(keyword) => write!(f, "{} = {}", keyword.value, self.value),
            None => self.value.fmt(f),
        }
    }
}
