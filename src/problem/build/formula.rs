//! Formulas as expressions: numbers, vectors and operators.

use super::Model;
use crate::Dtype;
use crate::expr::{self, ExprError, Op, Scalar, Vector, param};
use crate::problem::diagnostic::{Diagnostic, Result, Span};
use crate::problem::resolve::Entity;
use crate::problem::text::{self, Attribute, BinaryOp, Expr, ExprKind, Formula, Number};
use num_complex::Complex64;

/// What an expression of the language is.
#[derive(Clone)]
pub(super) enum Item {
    Number(Scalar),
    Vector(Vector),
    Operator(Op),
}

/// A formula being built.
pub(super) struct Reader<'a> {
    pub model: &'a Model<'a>,
    pub formula: &'a Formula,
}

impl Model<'_> {
    /// The operator that a formula stands for.
    pub(super) fn operator(&self, formula: &Formula) -> Result<Op> {
        let reader = Reader { model: self, formula };
        reader.operator(&formula.expr)
    }

    /// The vector that a formula stands for.
    pub(super) fn vector(&self, formula: &Formula) -> Result<Vector> {
        let reader = Reader { model: self, formula };
        reader.vector(&formula.expr)
    }
}

impl Reader<'_> {
    pub fn operator(&self, expr: &Expr) -> Result<Op> {
        match self.item(expr)? {
            Item::Operator(op) => Ok(op),
            Item::Number(_) | Item::Vector(_) => Err(self.error(expr, "this is no operator")),
        }
    }

    pub fn vector(&self, expr: &Expr) -> Result<Vector> {
        match self.item(expr)? {
            Item::Vector(vector) => Ok(vector),
            Item::Number(_) | Item::Operator(_) => Err(self.error(expr, "this is no array")),
        }
    }

    pub fn item(&self, expr: &Expr) -> Result<Item> {
        match &expr.kind {
            ExprKind::Number(number) => Ok(Item::Number(literal(*number))),
            ExprKind::Name(name) => self.name(expr, name),
            ExprKind::Negative(base) => self.negative(expr, base),
            ExprKind::Binary { op, left, right } => self.binary(expr, *op, left, right),
            ExprKind::Power { base, exponent } => self.power(expr, base, exponent),
            ExprKind::Attribute { base, attribute } => {
                let op = self.operator(base)?;
                let made = match attribute {
                    Attribute::Adjoint => op.h(),
                    Attribute::Transpose => op.t(),
                };
                self.sound(expr, &[(base, &Item::Operator(op))], Item::Operator(made))
            }
            ExprKind::Method { base, name, .. } => self.method(expr, base, &name.value),
            ExprKind::Call { name, arguments } => self.call(expr, &name.value, arguments),
            ExprKind::Text(_) | ExprKind::List(_) | ExprKind::Tuple(_) => {
                Err(self.error(expr, "this has no value"))
            }
        }
    }

    fn name(&self, expr: &Expr, name: &str) -> Result<Item> {
        let found = match self.model.resolved.lookup(name) {
            Some(Entity::Parameter(i)) => {
                let value = match self.model.resolved.parameters[i].value {
                    text::Scalar::Real(re) => expr::Number::from(re),
                    text::Scalar::Complex(z) => expr::Number::from(z),
                };
                Some(Item::Number(param(name, value)))
            }
            Some(Entity::Array(i)) => self.model.input(i).map(Item::Vector),
            Some(Entity::Operator(i)) => self.model.operators[i].clone().map(Item::Operator),
            Some(Entity::Solution) => self.model.solution.clone().map(Item::Vector),
            None => None,
        };
        found.ok_or_else(|| self.error(expr, &format!("`{name}` is not known here")))
    }

    fn negative(&self, expr: &Expr, base: &Expr) -> Result<Item> {
        let item = self.item(base)?;
        let made = match &item {
            Item::Number(number) => Item::Number(-number.clone()),
            Item::Vector(vector) => Item::Vector(-vector),
            Item::Operator(op) => Item::Operator(-op),
        };
        self.sound(expr, &[(base, &item)], made)
    }

    fn binary(&self, expr: &Expr, op: BinaryOp, left: &Expr, right: &Expr) -> Result<Item> {
        let (l, r) = (self.item(left)?, self.item(right)?);
        let made = match (op, &l, &r) {
            (BinaryOp::Add, Item::Number(a), Item::Number(b)) => Item::Number(a.clone() + b),
            (BinaryOp::Sub, Item::Number(a), Item::Number(b)) => Item::Number(a.clone() - b),
            (BinaryOp::Mul, Item::Number(a), Item::Number(b)) => Item::Number(a.clone() * b),
            (BinaryOp::Add, Item::Vector(a), Item::Vector(b)) => Item::Vector(a + b),
            (BinaryOp::Sub, Item::Vector(a), Item::Vector(b)) => Item::Vector(a - b),
            (BinaryOp::Add, Item::Operator(a), Item::Operator(b)) => Item::Operator(a + b),
            (BinaryOp::Sub, Item::Operator(a), Item::Operator(b)) => Item::Operator(a - b),
            (BinaryOp::Mul, Item::Number(c), Item::Vector(x))
            | (BinaryOp::Mul, Item::Vector(x), Item::Number(c)) => Item::Vector(c.clone() * x),
            (BinaryOp::Mul, Item::Number(c), Item::Operator(a)) => Item::Operator(c.clone() * a),
            (BinaryOp::Mul, Item::Operator(a), Item::Number(c)) => Item::Operator(a * c),
            (BinaryOp::Mul | BinaryOp::MatMul, Item::Operator(a), Item::Operator(b)) => {
                Item::Operator(a * b)
            }
            (BinaryOp::Mul | BinaryOp::MatMul, Item::Operator(a), Item::Vector(x)) => {
                Item::Vector(a * x)
            }
            (BinaryOp::Div, item, Item::Number(_)) => return self.divide(expr, left, item, right),
            _ => return Err(self.error(expr, "these cannot be combined")),
        };
        self.sound(expr, &[(left, &l), (right, &r)], made)
    }

    /// Division is by the value of a number, which is a slot like any literal.
    fn divide(&self, expr: &Expr, left: &Expr, item: &Item, right: &Expr) -> Result<Item> {
        if let Item::Number(_) = item {
            return Ok(Item::Number(scalar(self.value(expr)?)));
        }
        let value = self.value(right)?;
        if value.value() == Complex64::new(0.0, 0.0) {
            return Err(self.error(right, "this divides by zero"));
        }
        let made = match item {
            Item::Vector(x) => Item::Vector(x / scalar(value)),
            Item::Operator(a) => Item::Operator(a / scalar(value)),
            Item::Number(number) => Item::Number(number.clone()),
        };
        self.sound(expr, &[(left, item)], made)
    }

    fn power(&self, expr: &Expr, base: &Expr, exponent: &Expr) -> Result<Item> {
        let item = self.item(base)?;
        let Item::Operator(op) = &item else {
            return Ok(Item::Number(scalar(self.value(expr)?)));
        };
        let n = match exponent.kind {
            ExprKind::Number(Number::Integer(n)) => u32::try_from(n).ok(),
            _ => None,
        };
        let n = n.ok_or_else(|| self.error(exponent, "this power is too high"))?;
        self.sound(expr, &[(base, &item)], Item::Operator(op.pow(n)))
    }

    fn method(&self, expr: &Expr, base: &Expr, name: &str) -> Result<Item> {
        if name != "conj" {
            return Err(self.error(expr, &format!("there is no method `.{name}()`")));
        }
        let item = self.item(base)?;
        let made = match &item {
            Item::Number(number) => Item::Number(number.conj()),
            Item::Vector(vector) => Item::Vector(vector.conj()),
            Item::Operator(op) => Item::Operator(op.conj()),
        };
        self.sound(expr, &[(base, &item)], made)
    }

    /// The value of a number, parameters included.
    fn value(&self, expr: &Expr) -> Result<text::Scalar> {
        let formula = Formula { document: self.formula.document.clone(), expr: expr.clone() };
        self.model.resolved.number(&formula)
    }

    /// The item, unless it is the first that is ill-shaped: then an error with the operands.
    pub fn sound(&self, at: &Expr, operands: &[(&Expr, &Item)], made: Item) -> Result<Item> {
        let checked = match &made {
            Item::Operator(op) => op.check(),
            Item::Vector(vector) => vector.check(),
            Item::Number(_) => Ok(()),
        };
        match checked {
            Ok(()) => Ok(made),
            Err(error) => Err(self.ill(at, operands, &error)),
        }
    }

    pub fn ill(&self, at: &Expr, operands: &[(&Expr, &Item)], error: &ExprError) -> Diagnostic {
        let document = &self.formula.document;
        let told: Vec<(Span, String)> =
            operands.iter().filter_map(|(e, item)| Some((e.span, describe(item)?))).collect();
        let diagnostic = match told.split_last() {
            Some(((span, label), others)) if told.len() <= 8 => others.iter().fold(
                Diagnostic::new(document, *span, &error.message, label),
                |diagnostic, (span, label)| diagnostic.also(document, *span, label),
            ),
            _ => Diagnostic::new(document, at.span, &error.message, "here"),
        };
        diagnostic.maybe_help(error.help.clone())
    }

    pub fn error(&self, expr: &Expr, message: &str) -> Diagnostic {
        self.formula.error(expr.span, message, "here")
    }

    /// The element type where nothing says one: the one that promotes no other.
    pub fn weak_dtype(&self) -> Dtype {
        self.model.resolved.dtype.unwrap_or(Dtype::F32)
    }
}

/// The shape of an operand as a label; numbers have none.
fn describe(item: &Item) -> Option<String> {
    match item {
        Item::Number(_) => None,
        Item::Vector(x) if x.parts().is_empty() => None,
        Item::Vector(x) => {
            let n = x.parts().size();
            Some(format!("{n} element{}", if n == 1 { "" } else { "s" }))
        }
        Item::Operator(op) => {
            let (rows, columns) = op.shape();
            Some(format!("{rows}×{columns}"))
        }
    }
}

fn literal(number: Number) -> Scalar {
    match number {
        Number::Imaginary(_) => number.value().into(),
        Number::Integer(_) | Number::Real(_) => number.value().re.into(),
    }
}

fn scalar(value: text::Scalar) -> Scalar {
    match value {
        text::Scalar::Real(re) => re.into(),
        text::Scalar::Complex(z) => z.into(),
    }
}
