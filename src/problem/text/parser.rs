//! A Pratt parser from tokens to the tree, with Python's precedence:
//!
//! ```text
//! sum      product (('+' | '-') product)*
//! product  signed (('*' | '/' | '@') signed)*
//! signed   ('+' | '-') signed | power
//! power    postfix ['**' signed]
//! postfix  atom ('.' NAME ['(' arguments ')'])*
//! atom     NAME ['(' arguments ')'] | NUMBER | TEXT | '(' sum,.. ')' | '[' sum,.. ']'
//! ```

use super::lexer::{Token, TokenKind};
use super::tree::{Argument, Attribute, BinaryOp, Expr, ExprKind};
use super::{MAX_HEIGHT, MAX_NESTING};
use crate::problem::diagnostic::{Diagnostic, Document, Result, Span, Spanned};
use crate::problem::suggest;

/// The tree of a whole expression.
pub fn parse(document: &Document, tokens: Vec<Token>) -> Result<Expr> {
    let mut parser = Parser { document, tokens, at: 0, nesting: 0 };
    if *parser.peek() == TokenKind::End {
        return Err(parser.error(
            parser.span(),
            "the expression is empty",
            "expected an expression here",
        ));
    }
    let tree = parser.sum(0)?;
    match parser.peek() {
        TokenKind::End => Ok(tree.expr),
        TokenKind::Name(_) | TokenKind::Number(_) | TokenKind::Text(_) => {
            let found = parser.found();
            let message = format!("there is no operator before {found}");
            Err(parser.error(parser.span(), message, "expected an operator here"))
        }
        TokenKind::Sign(sign) => Err(parser.stray(sign)),
    }
}

struct Parser<'a> {
    document: &'a Document,
    tokens: Vec<Token>,
    at: usize,
    nesting: usize,
}

/// A tree and its height, which is bounded because trees are walked and dropped by recursion.
struct Tree {
    expr: Expr,
    /// The span with the parentheses around the tree.
    outer: Span,
    height: usize,
}

impl Parser<'_> {
    fn sum(&mut self, least: u8) -> Result<Tree> {
        let mut left = self.signed()?;
        while let Some(op) = self.binary_op().filter(|op| op.precedence() > least) {
            self.at += 1;
            let right = self.sum(op.precedence())?;
            let span = left.outer.to(right.outer);
            let height = left.height.max(right.height);
            let (left_expr, right_expr) = (Box::new(left.expr), Box::new(right.expr));
            let kind = ExprKind::Binary { op, left: left_expr, right: right_expr };
            left = self.tree(kind, span, height)?;
        }
        Ok(left)
    }

    fn signed(&mut self) -> Result<Tree> {
        let start = self.span();
        if self.accept("-").is_some() {
            let base = self.nested(start, Self::signed)?;
            let span = start.to(base.outer);
            self.tree(ExprKind::Negative(Box::new(base.expr)), span, base.height)
        } else if self.accept("+").is_some() {
            self.nested(start, Self::signed)
        } else {
            self.power()
        }
    }

    fn power(&mut self) -> Result<Tree> {
        let base = self.postfix()?;
        let Some(sign) = self.accept("**") else {
            return Ok(base);
        };
        let exponent = self.nested(sign, Self::signed)?;
        let span = base.outer.to(exponent.outer);
        let height = base.height.max(exponent.height);
        let (base, exponent) = (Box::new(base.expr), Box::new(exponent.expr));
        self.tree(ExprKind::Power { base, exponent }, span, height)
    }

    fn postfix(&mut self) -> Result<Tree> {
        let start = self.span();
        let mut tree = self.atom()?;
        while self.accept(".").is_some() {
            let name = self.name("a name such as H, T or conj")?;
            let base = Box::new(tree.expr);
            if let Some(open) = self.accept("(") {
                reject_call_of_attribute(self.document, &name)?;
                let (arguments, inner) = self.nested(open, |p| p.arguments(open))?;
                let span = start.to(self.last());
                let kind = ExprKind::Method { base, name, arguments };
                tree = self.tree(kind, span, tree.height.max(inner))?;
            } else {
                let attribute = self.attribute(&name)?;
                let kind = ExprKind::Attribute { base, attribute };
                tree = self.tree(kind, start.to(name.span), tree.height)?;
            }
        }
        Ok(tree)
    }

    fn atom(&mut self) -> Result<Tree> {
        let span = self.span();
        match self.peek().clone() {
            TokenKind::Name(name) => {
                self.at += 1;
                self.name_or_call(Spanned::new(name, span))
            }
            TokenKind::Number(number) => {
                self.at += 1;
                self.tree(ExprKind::Number(number), span, 0)
            }
            TokenKind::Text(text) => {
                self.at += 1;
                self.tree(ExprKind::Text(text), span, 0)
            }
            TokenKind::Sign("(") => {
                self.at += 1;
                self.nested(span, |p| p.parenthesis(span))
            }
            TokenKind::Sign("[") => {
                self.at += 1;
                let (items, height) = self.nested(span, |p| p.items(span, "]"))?;
                self.tree(ExprKind::List(items), span.to(self.last()), height)
            }
            TokenKind::Sign(_) | TokenKind::End => {
                let message = format!("expected an operand, found {}", self.found());
                Err(self.error(span, message, "expected a name, a number or `(` here"))
            }
        }
    }

    fn name_or_call(&mut self, name: Spanned<String>) -> Result<Tree> {
        let Some(open) = self.accept("(") else {
            return self.tree(ExprKind::Name(name.value), name.span, 0);
        };
        let (arguments, height) = self.nested(open, |p| p.arguments(open))?;
        let span = name.span.to(self.last());
        self.tree(ExprKind::Call { name, arguments }, span, height)
    }

    fn parenthesis(&mut self, open: Span) -> Result<Tree> {
        let first = self.sum(0)?;
        if self.accept(")").is_some() {
            return Ok(Tree { outer: open.to(self.last()), ..first });
        }
        let mut height = first.height;
        let mut items = vec![first.expr];
        self.comma_or_close(open, ")")?;
        let (rest, inner) = self.items(open, ")")?;
        items.extend(rest);
        height = height.max(inner);
        self.tree(ExprKind::Tuple(items), open.to(self.last()), height)
    }

    /// Expressions up to a closing sign, which is consumed; a comma may stand before it.
    fn items(&mut self, open: Span, close: &str) -> Result<(Vec<Expr>, usize)> {
        let (mut items, mut height) = (Vec::new(), 0);
        while self.accept(close).is_none() {
            let item = self.sum(0)?;
            height = height.max(item.height);
            items.push(item.expr);
            self.comma_or_close(open, close)?;
        }
        Ok((items, height))
    }

    fn arguments(&mut self, open: Span) -> Result<(Vec<Argument>, usize)> {
        let (mut arguments, mut height) = (Vec::<Argument>::new(), 0);
        while self.accept(")").is_none() {
            let keyword = self.keyword();
            let value = self.sum(0)?;
            height = height.max(value.height);
            self.check_keyword(&arguments, keyword.as_ref(), value.expr.span)?;
            arguments.push(Argument { keyword, value: value.expr });
            self.comma_or_close(open, ")")?;
        }
        Ok((arguments, height))
    }

    fn check_keyword(
        &self,
        before: &[Argument],
        keyword: Option<&Spanned<String>>,
        value: Span,
    ) -> Result<()> {
        let earlier = before.iter().filter_map(|argument| argument.keyword.as_ref());
        match keyword {
            Some(keyword) => match earlier.into_iter().find(|e| e.value == keyword.value) {
                None => Ok(()),
                Some(first) => {
                    let message = format!("the keyword `{}` is given twice", keyword.value);
                    Err(self.error(keyword.span, message, "again here").also(
                        self.document,
                        first.span,
                        "first here",
                    ))
                }
            },
            None if earlier.into_iter().next().is_some() => {
                let message = "an argument without keyword follows one with a keyword";
                Err(self.error(value, message, "give this a keyword too"))
            }
            None => Ok(()),
        }
    }

    fn keyword(&mut self) -> Option<Spanned<String>> {
        let next = self.tokens.get(self.at + 1).map(|token| &token.kind);
        match (self.peek(), next) {
            (TokenKind::Name(name), Some(TokenKind::Sign("="))) => {
                let keyword = Spanned::new(name.clone(), self.span());
                self.at += 2;
                Some(keyword)
            }
            _ => None,
        }
    }

    fn comma_or_close(&mut self, open: Span, close: &str) -> Result<()> {
        if self.accept(",").is_some() || *self.peek() == TokenKind::Sign(sign(close)) {
            return Ok(());
        }
        let message = format!("expected `,` or `{close}`, found {}", self.found());
        let error = self.error(self.span(), message, "here");
        Err(error.also(self.document, open, "to close this"))
    }

    fn attribute(&self, name: &Spanned<String>) -> Result<Attribute> {
        let help = match name.value.as_str() {
            "H" => return Ok(Attribute::Adjoint),
            "T" => return Ok(Attribute::Transpose),
            "conj" | "on" => Some(format!("write `.{}(..)` with parentheses", name.value)),
            other => suggest::help(other, "attributes", ["H", "T", "conj()"]),
        };
        let message = format!("there is no attribute `.{}`", name.value);
        Err(self.error(name.span, message, "here").maybe_help(help))
    }

    fn name(&mut self, expected: &str) -> Result<Spanned<String>> {
        let span = self.span();
        if let TokenKind::Name(name) = self.peek().clone() {
            self.at += 1;
            return Ok(Spanned::new(name, span));
        }
        let message = format!("expected {expected}, found {}", self.found());
        Err(self.error(span, message, "here"))
    }

    fn stray(&self, sign: &str) -> Diagnostic {
        let span = self.span();
        match sign {
            ")" | "]" => {
                self.error(span, format!("`{sign}` closes nothing"), "nothing is open here")
            }
            "[" => self
                .error(span, "an expression has no indices", "here")
                .help("take a part with a Restriction, or name the blocks one by one"),
            "(" => self
                .error(span, "only a function's name is followed by `(`", "here")
                .help("apply an operator with `@`"),
            _ => self.error(span, format!("`{sign}` has no place here"), "here"),
        }
    }

    fn nested<T>(&mut self, place: Span, inner: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.nesting += 1;
        if self.nesting > MAX_NESTING {
            let message = format!("an expression nests at most {MAX_NESTING} levels deep");
            return Err(self
                .error(place, message, "one level too many")
                .help("give parts of it names under [operators]"));
        }
        let result = inner(self);
        self.nesting -= 1;
        result
    }

    fn tree(&self, kind: ExprKind, span: Span, below: usize) -> Result<Tree> {
        let height = below + 1;
        if height > MAX_HEIGHT {
            let message = format!("an expression chains at most {MAX_HEIGHT} operations");
            let end = Span::new(span.end, span.end);
            return Err(self
                .error(end, message, "one too many")
                .help("give parts of it names under [operators]"));
        }
        Ok(Tree { expr: Expr { kind, span }, outer: span, height })
    }

    fn binary_op(&self) -> Option<BinaryOp> {
        match self.peek() {
            TokenKind::Sign("+") => Some(BinaryOp::Add),
            TokenKind::Sign("-") => Some(BinaryOp::Sub),
            TokenKind::Sign("*") => Some(BinaryOp::Mul),
            TokenKind::Sign("/") => Some(BinaryOp::Div),
            TokenKind::Sign("@") => Some(BinaryOp::MatMul),
            _ => None,
        }
    }

    fn accept(&mut self, wanted: &str) -> Option<Span> {
        let span = self.span();
        let found = matches!(self.peek(), TokenKind::Sign(sign) if *sign == wanted);
        self.at += usize::from(found);
        found.then_some(span)
    }

    fn peek(&self) -> &TokenKind {
        self.tokens.get(self.at).map_or(&TokenKind::End, |token| &token.kind)
    }

    fn span(&self) -> Span {
        let last = self.tokens.len() - 1;
        self.tokens[self.at.min(last)].span
    }

    /// The token consumed last.
    fn last(&self) -> Span {
        self.tokens[self.at.saturating_sub(1)].span
    }

    fn found(&self) -> String {
        match self.peek() {
            TokenKind::End => "the end".to_owned(),
            TokenKind::Name(_) | TokenKind::Number(_) | TokenKind::Text(_) | TokenKind::Sign(_) => {
                format!("`{}`", self.document.slice(self.span()))
            }
        }
    }

    fn error(&self, span: Span, message: impl Into<String>, label: &str) -> Diagnostic {
        Diagnostic::new(self.document, span, message, label)
    }
}

fn sign(text: &str) -> &'static str {
    if text == "]" { "]" } else { ")" }
}

fn reject_call_of_attribute(document: &Document, name: &Spanned<String>) -> Result<()> {
    if !matches!(name.value.as_str(), "H" | "T") {
        return Ok(());
    }
    let message = format!("`.{}` is not called", name.value);
    Err(Diagnostic::new(document, name.span, message, "leave out the parentheses behind this"))
}
