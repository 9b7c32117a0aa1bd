//! The syntax tree of an expression: what was written, with spans, before names have a meaning.

use crate::problem::diagnostic::{Span, Spanned};
use num_complex::Complex64;

/// A node and where it is written; its parentheses are not part of the span.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it is written.
    pub span: Span,
}

/// The kinds of nodes. There is no unary plus: `+A` is read as `A`.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// `2`, `0.1`, `1.5j`
    Number(Number),
    /// `A`
    Name(String),
    /// `'rows r'`
    Text(String),
    /// `-A`
    Negative(Box<Expr>),
    /// `A + B` and its like
    Binary {
        /// The operator.
        op: BinaryOp,
        /// What stands left of it.
        left: Box<Expr>,
        /// What stands right of it.
        right: Box<Expr>,
    },
    /// `A ** 2`
    Power {
        /// What is raised.
        base: Box<Expr>,
        /// To what it is raised.
        exponent: Box<Expr>,
    },
    /// `A.H`
    Attribute {
        /// What stands before the dot.
        base: Box<Expr>,
        /// What stands after it.
        attribute: Attribute,
    },
    /// `A.conj()`, `A.on('rows r')`
    Method {
        /// What stands before the dot.
        base: Box<Expr>,
        /// The method's name.
        name: Spanned<String>,
        /// What stands in its parentheses.
        arguments: Vec<Argument>,
    },
    /// `VStack(A, smooth = B)`
    Call {
        /// The function's name.
        name: Spanned<String>,
        /// What stands in its parentheses.
        arguments: Vec<Argument>,
    },
    /// `[A, B]`
    List(Vec<Expr>),
    /// `(32, 40)`
    Tuple(Vec<Expr>),
}

/// A literal. An imaginary one stays complex even if it is `0j`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// At most 2⁵³, so that it is exact as a float too.
    Integer(u64),
    /// A finite float.
    Real(f64),
    /// A finite float with a `j` behind it.
    Imaginary(f64),
}

impl Number {
    /// Its value.
    pub fn value(self) -> Complex64 {
        match self {
            Number::Integer(n) => Complex64::new(n as f64, 0.0),
            Number::Real(re) => Complex64::new(re, 0.0),
            Number::Imaginary(im) => Complex64::new(0.0, im),
        }
    }
}

/// The operators between two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `@`
    MatMul,
}

impl BinaryOp {
    /// As it is written.
    pub fn symbol(self) -> &'static str {
        match self {
            BinaryOp::Add => "+",
            BinaryOp::Sub => "-",
            BinaryOp::Mul => "*",
            BinaryOp::Div => "/",
            BinaryOp::MatMul => "@",
        }
    }

    /// Python's level: `@`, `*` and `/` share one above `+` and `-`.
    pub fn precedence(self) -> u8 {
        match self {
            BinaryOp::Add | BinaryOp::Sub => 1,
            BinaryOp::Mul | BinaryOp::Div | BinaryOp::MatMul => 2,
        }
    }
}

/// What may follow a dot without parentheses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// `.H`, the adjoint
    Adjoint,
    /// `.T`, the transpose
    Transpose,
}

impl Attribute {
    /// As it is written after the dot.
    pub fn symbol(self) -> &'static str {
        match self {
            Attribute::Adjoint => "H",
            Attribute::Transpose => "T",
        }
    }
}

/// An argument of a call, with its keyword if it has one.
#[derive(Clone, Debug, PartialEq)]
pub struct Argument {
    /// `smooth` in `VStack(smooth = L)`.
    pub keyword: Option<Spanned<String>>,
    /// Its value.
    pub value: Expr,
}

impl Expr {
    /// The nodes directly below, in the order in which they are written.
    pub fn children(&self) -> Vec<&Expr> {
        match &self.kind {
            ExprKind::Number(_) | ExprKind::Name(_) | ExprKind::Text(_) => Vec::new(),
            ExprKind::Negative(base) | ExprKind::Attribute { base, .. } => vec![base],
            ExprKind::Binary { left, right, .. } => vec![left, right],
            ExprKind::Power { base, exponent } => vec![base, exponent],
            ExprKind::Method { base, arguments, .. } => {
                let arguments = arguments.iter().map(|argument| &argument.value);
                std::iter::once(&**base).chain(arguments).collect()
            }
            ExprKind::Call { arguments, .. } => {
                arguments.iter().map(|argument| &argument.value).collect()
            }
            ExprKind::List(items) | ExprKind::Tuple(items) => items.iter().collect(),
        }
    }

    /// Calls `found` with every name in it and its place, in the order in which they are written.
    pub fn names<'a>(&'a self, found: &mut impl FnMut(&'a str, Span)) {
        if let ExprKind::Name(name) = &self.kind {
            found(name, self.span);
        }
        for child in self.children() {
            child.names(found);
        }
    }
}
