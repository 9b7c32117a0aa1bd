//! A place in a line.

use super::{Fault, Read};
use crate::text::lex::{Kind, Token, Tokens, unquote};

/// A place in a line.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    line: &'a Tokens<'a>,
    next: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(line: &'a Tokens<'a>) -> Self {
        Cursor { line, next: 0 }
    }

    /// The next token.
    pub fn peek(&self) -> Option<Token<'a>> {
        self.line.tokens.get(self.next).copied()
    }

    /// Where the next token begins, or the line ends.
    pub fn at(&self) -> usize {
        self.peek().map_or(self.line.end, |token| token.at)
    }

    /// Something else was expected here.
    pub fn fault(&self, expected: &str) -> Fault {
        let found = self.peek().map_or("the end of the line".into(), |t| format!("`{}`", t.text));
        Fault::new(self.at(), format!("{expected}, found {found}"))
    }

    /// Whether this sign or word comes next.
    pub fn sees(&self, text: &str) -> bool {
        self.peek().is_some_and(|t| t.text == text)
    }

    /// Whether this sign comes next without a space.
    pub fn sees_glued(&self, text: &str) -> bool {
        self.peek().is_some_and(|t| t.glued && t.text == text)
    }

    /// Takes this sign or word, if it comes next.
    pub fn eat(&mut self, text: &str) -> bool {
        let seen = self.sees(text);
        self.next += usize::from(seen);
        seen
    }

    /// Takes this sign or word.
    pub fn expect(&mut self, text: &str) -> Read<()> {
        if self.eat(text) { Ok(()) } else { Err(self.fault(&format!("`{text}`"))) }
    }

    /// Whether the line ends here.
    pub fn is_done(&self) -> bool {
        self.peek().is_none()
    }

    /// The line must end here.
    pub fn finish(&self) -> Read<()> {
        if self.is_done() { Ok(()) } else { Err(self.fault("the end of the line")) }
    }

    /// Takes a token of this kind.
    fn take(&mut self, kind: Kind, what: &str) -> Read<&'a str> {
        match self.peek() {
            Some(token) if token.kind == kind => {
                self.next += 1;
                Ok(token.text)
            }
            _ => Err(self.fault(what)),
        }
    }

    /// Takes a word.
    pub fn word(&mut self, what: &str) -> Read<&'a str> {
        self.take(Kind::Word, what)
    }

    /// Takes a number.
    pub fn number(&mut self, what: &str) -> Read<usize> {
        let before = self.next;
        let text = self.take(Kind::Number, what)?;
        text.parse().map_err(|_| {
            self.next = before;
            self.fault(&format!("{what} that fits into 64 bits"))
        })
    }

    /// Whether a value comes next.
    pub fn sees_value(&self) -> bool {
        self.peek().is_some_and(|t| t.kind == Kind::Value)
    }

    /// Takes a value.
    pub fn value(&mut self) -> Read<u32> {
        let fault = self.fault("a value such as %0");
        self.take(Kind::Value, "a value such as %0")?[1..].parse().map_err(|_| fault)
    }

    /// Whether a name comes next.
    pub fn sees_name(&self) -> bool {
        self.peek().is_some_and(|t| matches!(t.kind, Kind::Word | Kind::Quoted))
    }

    /// Takes a name: a word with indices glued to it, or anything between quotes.
    pub fn name(&mut self, what: &str) -> Read<String> {
        if let Some(token) = self.peek().filter(|t| t.kind == Kind::Quoted) {
            let name = unquote(token.text).ok_or_else(|| self.fault("a name without bad escapes"));
            self.next += 1;
            return name;
        }
        let mut name = self.word(what)?.to_string();
        while self.sees_glued("[") {
            self.expect("[")?;
            let index = self.take(Kind::Number, "an index")?;
            name.extend(["[", index, "]"]);
            self.expect("]")?;
        }
        Ok(name)
    }

    /// Whether all that is left is one name.
    pub fn sees_last_name(&self) -> bool {
        let mut rest = self.clone();
        rest.name("a name").is_ok() && rest.is_done()
    }

    /// Whether `conj(` comes next.
    pub fn sees_conj(&self) -> bool {
        let mut rest = self.clone();
        rest.eat("conj") && rest.sees_glued("(")
    }

    /// Takes what stands between commas up to a closing sign, which is taken too.
    pub fn list(&mut self, close: &str, mut item: impl FnMut(&mut Self) -> Read<()>) -> Read<()> {
        if self.eat(close) {
            return Ok(());
        }
        loop {
            item(self)?;
            if self.eat(close) {
                return Ok(());
            }
            if !self.eat(",") {
                return Err(self.fault(&format!("`,` or `{close}`")));
            }
        }
    }
}
