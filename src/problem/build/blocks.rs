//! The functions of the expression language as expressions.

use super::formula::{Item, Reader};
use crate::expr::{
    Block, ExprError, Op, block, block_diag, hstack, kronecker, stack, vstack, zeros,
};
use crate::problem::diagnostic::Result;
use crate::problem::text::{Argument, Expr, ExprKind, Number};

/// A block and the name that its keyword gives to its part.
type Named<'e> = (Option<String>, &'e Expr);

/// Stacks blocks with perhaps names.
type Make = fn(Vec<(Option<String>, Op)>) -> std::result::Result<Op, ExprError>;

impl Reader<'_> {
    pub(super) fn call(&self, expr: &Expr, name: &str, arguments: &[Argument]) -> Result<Item> {
        match name {
            "VStack" => self.stacked(expr, arguments, vstack),
            "HStack" => self.stacked(expr, arguments, hstack),
            "BlockDiag" => self.stacked(expr, arguments, block_diag),
            "Block" => self.rows(expr, arguments),
            "Kronecker" => self.kronecker(expr, arguments),
            "stack" => self.vectors(expr, arguments),
            "zeros" => Ok(Item::Vector(zeros(sizes(arguments), self.weak_dtype()))),
            _ => Err(self.error(expr, "there is no such function")),
        }
    }

    fn stacked(&self, expr: &Expr, arguments: &[Argument], make: Make) -> Result<Item> {
        let blocks = unpacked(arguments);
        let ops = self.operators(&blocks)?;
        let listed = blocks.iter().zip(&ops).map(|((name, _), op)| (name.clone(), op.clone()));
        match make(listed.collect()) {
            Ok(op) => Ok(Item::Operator(op)),
            Err(error) => Err(self.ill_blocks(expr, &blocks, ops, &error)),
        }
    }

    fn rows(&self, expr: &Expr, arguments: &[Argument]) -> Result<Item> {
        let nested = |e: &Expr| {
            matches!(&e.kind, ExprKind::List(items) | ExprKind::Tuple(items)
            if items.iter().all(|i| matches!(i.kind, ExprKind::List(_) | ExprKind::Tuple(_))))
        };
        let rows: Vec<&Expr> = match arguments {
            [Argument { value, .. }] if nested(value) => value.children(),
            several => several.iter().map(|argument| &argument.value).collect(),
        };
        let mut blocks = Vec::new();
        let mut all = Vec::new();
        for row in rows {
            let named: Vec<Named> = row.children().into_iter().map(|e| (None, e)).collect();
            blocks.push(self.operators(&named)?);
            all.extend(named);
        }
        let listed = blocks.iter().map(|row| row.iter().map(Block::from));
        match block(listed) {
            Ok(op) => Ok(Item::Operator(op)),
            Err(error) => Err(self.ill_blocks(expr, &all, blocks.concat(), &error)),
        }
    }

    fn kronecker(&self, expr: &Expr, arguments: &[Argument]) -> Result<Item> {
        let blocks = unpacked(arguments);
        let ops = self.operators(&blocks)?;
        let [a, b] = &ops[..] else {
            return Err(self.error(expr, "Kronecker takes two operators"));
        };
        match kronecker(a, b) {
            Ok(op) => Ok(Item::Operator(op)),
            Err(error) => Err(self.ill_blocks(expr, &blocks, ops, &error)),
        }
    }

    fn vectors(&self, expr: &Expr, arguments: &[Argument]) -> Result<Item> {
        let pieces = unpacked(arguments);
        let vectors: Vec<_> =
            pieces.iter().map(|(_, piece)| self.vector(piece)).collect::<Result<_>>()?;
        let listed = pieces.iter().zip(&vectors).map(|((name, _), x)| (name.clone(), x.clone()));
        stack(listed).map(Item::Vector).map_err(|error| {
            let items: Vec<Item> = vectors.into_iter().map(Item::Vector).collect();
            let operands: Vec<_> = pieces.iter().map(|(_, e)| *e).zip(&items).collect();
            self.ill(expr, &operands, &error)
        })
    }

    fn operators(&self, blocks: &[Named]) -> Result<Vec<Op>> {
        blocks.iter().map(|(_, block)| self.operator(block)).collect()
    }

    fn ill_blocks(
        &self,
        expr: &Expr,
        blocks: &[Named],
        ops: Vec<Op>,
        error: &ExprError,
    ) -> crate::problem::Diagnostic {
        let items: Vec<Item> = ops.into_iter().map(Item::Operator).collect();
        let operands: Vec<_> = blocks.iter().map(|(_, e)| *e).zip(&items).collect();
        self.ill(expr, &operands, error)
    }
}

/// The blocks of a call, with or without brackets around them.
pub(super) fn unpacked(arguments: &[Argument]) -> Vec<Named<'_>> {
    if let [Argument { keyword: None, value }] = arguments
        && let ExprKind::List(items) | ExprKind::Tuple(items) = &value.kind
    {
        return items.iter().map(|item| (None, item)).collect();
    }
    let named =
        |argument: &Argument| argument.keyword.as_ref().map(|keyword| keyword.value.clone());
    arguments.iter().map(|argument| (named(argument), &argument.value)).collect()
}

/// The dims in `zeros(..)`, which were checked when the problem was resolved.
pub(super) fn sizes(arguments: &[Argument]) -> Vec<usize> {
    let size = |expr: &Expr| match expr.kind {
        ExprKind::Number(Number::Integer(n)) => n as usize,
        _ => 0,
    };
    match arguments {
        [Argument { value, .. }] => match &value.kind {
            ExprKind::Tuple(items) | ExprKind::List(items) => items.iter().map(size).collect(),
            _ => vec![size(value)],
        },
        _ => Vec::new(),
    }
}
