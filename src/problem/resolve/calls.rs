//! The functions of the expression language: what each takes and what it gives.

use super::sort::{Checker, Sort};
use crate::problem::diagnostic::{Result, Spanned};
use crate::problem::file::fields::representable;
use crate::problem::suggest;
use crate::problem::text::{Argument, Expr, ExprKind, Number};

impl Checker<'_> {
    pub(super) fn call(
        &self,
        expr: &Expr,
        name: &Spanned<String>,
        arguments: &[Argument],
    ) -> Result<Sort> {
        match name.value.as_str() {
            "VStack" | "HStack" | "BlockDiag" => {
                let blocks = self.blocks(expr, name, arguments)?;
                self.all(&blocks, Sort::Operator)?;
                Ok(Sort::Operator)
            }
            "Block" => self.block(expr, name, arguments),
            "Kronecker" => {
                let blocks = self.blocks(expr, name, arguments)?;
                self.all(&blocks, Sort::Operator)?;
                if blocks.len() == 2 {
                    return Ok(Sort::Operator);
                }
                let message = format!("Kronecker takes two operators, not {}", blocks.len());
                Err(self.error(expr, message, "here"))
            }
            "stack" => {
                let parts = self.blocks(expr, name, arguments)?;
                self.all(&parts, Sort::Array)?;
                Ok(Sort::Array)
            }
            "zeros" => self.zeros(expr, arguments),
            other => {
                let message = format!("there is no function `{other}`");
                let help = if self.resolved.lookup(other).is_none() {
                    suggest::help(other, "functions", super::FUNCTIONS)
                } else {
                    Some("an operator is applied with `@`".to_owned())
                };
                Err(self.formula.error(name.span, message, "here").maybe_help(help))
            }
        }
    }

    /// The blocks of a call, with or without brackets around them.
    fn blocks<'e>(
        &self,
        expr: &Expr,
        name: &Spanned<String>,
        arguments: &'e [Argument],
    ) -> Result<Vec<&'e Expr>> {
        let blocks: Vec<&Expr> = match arguments {
            [Argument { keyword: None, value }] => match &value.kind {
                ExprKind::List(items) | ExprKind::Tuple(items) => items.iter().collect(),
                _ => vec![value],
            },
            several => several.iter().map(|argument| &argument.value).collect(),
        };
        if blocks.is_empty() {
            return Err(self.error(expr, format!("{} has no blocks", name.value), "here"));
        }
        Ok(blocks)
    }

    fn block(&self, expr: &Expr, name: &Spanned<String>, arguments: &[Argument]) -> Result<Sort> {
        let rows = match arguments {
            [Argument { keyword: None, value: Expr { kind: ExprKind::List(items), .. } }]
                if items.iter().all(|item| matches!(item.kind, ExprKind::List(_))) =>
            {
                self.blocks(expr, name, arguments)?
            }
            rows => rows.iter().map(|row| &row.value).collect(),
        };
        let mut width = None;
        for row in rows {
            let (ExprKind::List(blocks) | ExprKind::Tuple(blocks)) = &row.kind else {
                let message = "each row of a Block is a list";
                return Err(self.error(row, message, "here").help("Block([A, B], [C, D])"));
            };
            self.all(&blocks.iter().collect::<Vec<_>>(), Sort::Operator)?;
            if blocks.is_empty() || *width.get_or_insert(blocks.len()) != blocks.len() {
                let message = "the rows of a Block have equally many blocks";
                return Err(self.error(row, message, format!("this one has {}", blocks.len())));
            }
        }
        if width.is_none() {
            return Err(self.error(expr, "Block has no blocks", "here"));
        }
        Ok(Sort::Operator)
    }

    fn all(&self, exprs: &[&Expr], wanted: Sort) -> Result<()> {
        exprs.iter().try_for_each(|expr| self.wanted(expr, wanted))
    }

    fn zeros(&self, expr: &Expr, arguments: &[Argument]) -> Result<Sort> {
        let [Argument { keyword: None, value }] = arguments else {
            let error = self.error(expr, "`zeros` takes one shape", "here");
            return Err(error.help("zeros(1280) or zeros((32, 40))"));
        };
        let sizes: Vec<&Expr> = match &value.kind {
            ExprKind::Tuple(items) | ExprKind::List(items) => items.iter().collect(),
            _ => vec![value],
        };
        let size = |size: &&Expr| match size.kind {
            ExprKind::Number(Number::Integer(n)) => Ok(n as usize),
            _ => Err(self.error(size, "a size is a literal integer of at least 0", "here")),
        };
        let dims = sizes.iter().map(size).collect::<Result<Vec<_>>>()?;
        if representable(&dims) {
            return Ok(Sort::Array);
        }
        Err(self.error(expr, "this array has more elements than can be addressed", "here"))
    }
}
