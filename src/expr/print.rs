//! The text of operator expressions.

use super::op::{Block, Kind, Op};
use super::scalar::Scalar;
use super::shape;
use super::text::{self, Level, Text, Writer, quote};
use std::fmt;

impl Text for Op {
    fn id(&self) -> u64 {
        self.0.id
    }

    fn level(&self) -> Level {
        match &self.0.kind {
            Kind::Sum(_) => Level::Sum,
            Kind::Product(_) | Kind::Scale(..) | Kind::Divide(..) => Level::Product,
            Kind::Neg(_) => Level::Sign,
            Kind::Power(..) => Level::Power,
            Kind::Flat(a) | Kind::Pinned(_, a) => a.level(),
            Kind::Leaf(..)
            | Kind::Named(..)
            | Kind::Adjoint(_)
            | Kind::Transpose(_)
            | Kind::Conj(_)
            | Kind::Stack(..)
            | Kind::Rows(..)
            | Kind::Kronecker(..)
            | Kind::Element(_)
            | Kind::Deep => Level::Atom,
        }
    }

    fn write(&self, w: &mut Writer) {
        let id = self.0.id;
        let mut postfix = |a: &Op, suffix: &str| {
            w.operand(id, 0, Level::Atom, a);
            w.push(suffix);
        };
        match &self.0.kind {
            Kind::Leaf(_, Some(name)) | Kind::Named(name, _) => w.push(name),
            Kind::Leaf(operator, None) => w.push(&operator.signature().kind),
            Kind::Adjoint(a) => postfix(a, ".H"),
            Kind::Transpose(a) => postfix(a, ".T"),
            Kind::Conj(a) => postfix(a, ".conj()"),
            Kind::Neg(a) => negative(w, id, a),
            Kind::Scale(c, a) => scaled(w, id, c, a),
            Kind::Divide(a, c) => divided(w, id, a, c),
            Kind::Sum(terms) => sum(w, id, terms),
            Kind::Product(factors) => {
                for (i, factor) in factors.iter().enumerate() {
                    w.push(if i == 0 { "" } else { " @ " });
                    let level = if i == 0 { Level::Product } else { Level::Sign };
                    w.operand(id, i, level, factor);
                }
            }
            Kind::Power(a, n) => {
                w.operand(id, 0, Level::Atom, a);
                w.push(&format!(" ** {n}"));
            }
            Kind::Stack(how, blocks) => {
                w.push(how.name());
                w.push("(");
                w.list(id, 0, blocks.iter().map(Block::item));
                w.push(")");
            }
            Kind::Rows(rows, whole) => write_rows(w, rows, whole),
            Kind::Kronecker(a, b) => {
                w.push("Kronecker(");
                w.list(id, 0, [(None, a), (None, b)]);
                w.push(")");
            }
            Kind::Element(map) => {
                w.push(&format!("{map:?}({})", text::dims(&self.0.domain.0)));
            }
            Kind::Flat(a) | Kind::Pinned(_, a) => a.write(w),
            Kind::Deep => w.push("…"),
        }
    }
}

/// `-A`
pub(super) fn negative(w: &mut Writer, node: u64, a: &dyn Text) {
    w.push("-");
    w.operand(node, 0, Level::Sign, a);
}

/// `c * A`
pub(super) fn scaled(w: &mut Writer, node: u64, c: &Scalar, a: &dyn Text) {
    let open = c.level() < Level::Product;
    w.push(&if open { format!("({c}) * ") } else { format!("{c} * ") });
    w.operand(node, 0, Level::Sign, a);
}

/// `A / c`
pub(super) fn divided(w: &mut Writer, node: u64, a: &dyn Text, c: &Scalar) {
    w.operand(node, 0, Level::Product, a);
    let open = c.level() < Level::Sign;
    w.push(&if open { format!(" / ({c})") } else { format!(" / {c}") });
}

/// `A + B - C`
pub(super) fn sum<T: Text>(w: &mut Writer, node: u64, terms: &[(bool, T)]) {
    for (i, (minus, a)) in terms.iter().enumerate() {
        w.push(match (i, minus) {
            (0, false) => "",
            (0, true) => "-",
            (_, false) => " + ",
            (_, true) => " - ",
        });
        w.operand(node, i, if i == 0 { Level::Sum } else { Level::Product }, a);
    }
}

fn write_rows(w: &mut Writer, rows: &[Vec<Block>], whole: &Op) {
    let Kind::Stack(_, stacked) = &whole.0.kind else { return };
    w.push("Block(");
    for (i, (row, op)) in rows.iter().zip(stacked).enumerate() {
        w.push(if i == 0 { "[" } else { ", [" });
        w.list(op.op.0.id, 0, row.iter().map(Block::item));
        w.push("]");
    }
    w.push(")");
}

impl Block {
    fn item(&self) -> (Option<&str>, &Op) {
        (self.name.as_deref(), &self.op)
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::text(self))
    }
}

impl fmt::Debug for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", quote(self), shape::describe(self))
    }
}
