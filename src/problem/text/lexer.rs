//! Cuts expression text into tokens: names, numbers as Python writes them, quoted text, signs.

use super::tree::Number;
use crate::problem::diagnostic::{Diagnostic, Document, Result, Span};

/// A token and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Where it is written.
    pub span: Span,
}

/// The kinds of tokens.
#[derive(Clone, Debug, PartialEq)]
pub enum TokenKind {
    /// A name.
    Name(String),
    /// A number.
    Number(Number),
    /// Text between quotes.
    Text(String),
    /// One of [`SIGNS`].
    Sign(&'static str),
    /// The end of the text.
    End,
}

/// Everything that is neither a word nor a number; `**` comes before `*`.
pub const SIGNS: [&str; 13] = ["**", "+", "-", "*", "/", "@", "(", ")", "[", "]", ",", "=", "."];

/// Whether a text can be used as a name: ASCII letters, digits and underscores, no digit first.
pub fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(is_name_start) && bytes.all(is_name_part)
}

/// All tokens of a span, the last one being [`TokenKind::End`].
pub fn tokens(document: &Document, span: Span) -> Result<Vec<Token>> {
    let mut lexer = Lexer { document, text: document.slice(span), base: span.start, at: 0 };
    let mut tokens = Vec::new();
    loop {
        let token = lexer.next()?;
        let end = token.kind == TokenKind::End;
        tokens.push(token);
        if end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    document: &'a Document,
    text: &'a str,
    base: usize,
    at: usize,
}

impl Lexer<'_> {
    fn next(&mut self) -> Result<Token> {
        self.skip(|b| b.is_ascii_whitespace());
        let start = self.at;
        let kind = match self.peek(0) {
            None => TokenKind::End,
            Some(b) if is_name_start(b) => {
                self.skip(is_name_part);
                TokenKind::Name(self.text[start..self.at].to_owned())
            }
            Some(b) if b.is_ascii_digit() => self.number()?,
            Some(b'.') if self.peek(1).is_some_and(|b| b.is_ascii_digit()) => self.number()?,
            Some(quote @ (b'\'' | b'"')) => self.quoted(quote)?,
            Some(_) => self.sign()?,
        };
        Ok(Token { kind, span: self.span(start) })
    }

    fn sign(&mut self) -> Result<TokenKind> {
        let rest = &self.text[self.at..];
        if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            self.at += sign.len();
            return Ok(TokenKind::Sign(sign));
        }
        let start = self.at;
        self.at += rest.chars().next().map_or(0, char::len_utf8);
        let found = self.text[start..self.at].escape_debug();
        let help = match self.text.as_bytes()[start] {
            b'^' => "a power is written `**`",
            b'\\' => "text in quotes has no escapes",
            128.. => "names are made of ASCII letters, digits and underscores",
            _ => "the operators are + - * / @ ** and the attributes .H .T .conj()",
        };
        Err(self.error(start, format!("`{found}` means nothing in an expression")).help(help))
    }

    fn quoted(&mut self, quote: u8) -> Result<TokenKind> {
        let start = self.at;
        self.at += 1;
        self.skip(|b| b != quote && b != b'\n' && b != b'\\');
        if self.peek(0) == Some(quote) {
            self.at += 1;
            return Ok(TokenKind::Text(self.text[start + 1..self.at - 1].to_owned()));
        }
        let message = if self.peek(0) == Some(b'\\') {
            "text in an expression has no escapes"
        } else {
            "this quote is not closed"
        };
        self.at = start + 1;
        Err(self.error(start, message).help("the adjoint is written `.H`, the transpose `.T`"))
    }

    fn number(&mut self) -> Result<TokenKind> {
        let start = self.at;
        self.digits();
        let mut integer = true;
        if self.peek(0) == Some(b'.') {
            integer = false;
            self.at += 1;
            self.digits();
        }
        if self.exponent_follows() {
            integer = false;
            self.at += 2;
            self.digits();
        }
        let written = self.text[start..self.at].replace('_', "");
        let imaginary = matches!(self.peek(0), Some(b'j' | b'J'));
        self.at += usize::from(imaginary);
        if self.peek(0).is_some_and(is_name_part) {
            self.skip(is_name_part);
            let text = &self.text[start..self.at];
            let message = format!("`{text}` is neither a number nor a name");
            return Err(self.error(start, message).help("a product is written with `*` or `@`"));
        }
        let number = if integer && !imaginary {
            self.integer(start, &written)?
        } else {
            let value = written.parse::<f64>().unwrap_or(f64::INFINITY);
            if imaginary { Number::Imaginary(value) } else { Number::Real(value) }
        };
        if number.value().is_finite() {
            Ok(TokenKind::Number(number))
        } else {
            Err(self.error(start, "this number is too large for a float"))
        }
    }

    fn integer(&self, start: usize, written: &str) -> Result<Number> {
        if written.len() > 1 && written.starts_with('0') && written.bytes().any(|b| b != b'0') {
            return Err(self.error(start, "an integer does not start with 0"));
        }
        match written.parse::<u64>() {
            Ok(n) if n <= 1 << 53 => Ok(Number::Integer(n)),
            _ => Err(self
                .error(start, "this integer is larger than 2⁵³")
                .help("write it as a float, such as 1e20")),
        }
    }

    /// Digits with single underscores between them, as in Python.
    fn digits(&mut self) {
        self.skip(|b| b.is_ascii_digit());
        while self.peek(0) == Some(b'_') && self.peek(1).is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
            self.skip(|b| b.is_ascii_digit());
        }
    }

    fn exponent_follows(&self) -> bool {
        let signed = matches!(self.peek(1), Some(b'+' | b'-'));
        matches!(self.peek(0), Some(b'e' | b'E'))
            && self.peek(1 + usize::from(signed)).is_some_and(|b| b.is_ascii_digit())
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    fn skip(&mut self, mut wanted: impl FnMut(u8) -> bool) {
        while self.peek(0).is_some_and(&mut wanted) {
            self.at += 1;
        }
    }

    fn span(&self, start: usize) -> Span {
        Span::new(self.base + start, self.base + self.at)
    }

    fn error(&self, start: usize, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(self.document, self.span(start), message, "here")
    }
}

fn is_name_start(b: u8) -> bool {
    b.is_ascii_alphabetic() || b == b'_'
}

fn is_name_part(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}
