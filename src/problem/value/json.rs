//! JSON into values with spans, as RFC 8259 has it, except that a key may not occur twice.

use super::{MAX_DEPTH, Quoted, Table, Value, ValueKind, too_deep};
use crate::problem::diagnostic::{Diagnostic, Document, Result, Span, Spanned};

/// Reads a whole JSON document, which must be a table.
pub fn read(document: &Document) -> Result<Value> {
    let mut reader = Reader { document, text: document.text(), at: 0 };
    reader.skip_space();
    let value = reader.value(0)?;
    reader.skip_space();
    if reader.at < reader.text.len() {
        return Err(reader.unexpected("the end of the file"));
    }
    match value.value {
        ValueKind::Table(_) => Ok(value),
        _ => Err(Diagnostic::new(document, value.span, "a problem file is a table", "here")),
    }
}

struct Reader<'a> {
    document: &'a Document,
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Result<Value> {
        let start = self.at;
        if depth > MAX_DEPTH {
            return Err(too_deep(self.document, Span::new(start, start + 1)));
        }
        let kind = match self.peek() {
            Some(b'{') => ValueKind::Table(self.table(depth)?),
            Some(b'[') => ValueKind::List(self.list(depth)?),
            Some(b'"') => {
                let text = self.text()?;
                ValueKind::Text(Quoted::new(text, &self.text[start..self.at], start))
            }
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b'a'..=b'z') => self.word()?,
            _ => return Err(self.unexpected("a value")),
        };
        Ok(Value::new(kind, Span::new(start, self.at)))
    }

    fn table(&mut self, depth: usize) -> Result<Table> {
        let mut table = Table::new();
        let mut first = std::collections::BTreeMap::new();
        self.at += 1;
        self.skip_space();
        while !self.accept(b'}') {
            let start = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("a key in double quotes"));
            }
            let key = Spanned::new(self.text()?, Span::new(start, self.at));
            if let Some(earlier) = first.insert(key.value.clone(), key.span) {
                let message = format!("the key `{}` is given twice", key.value.escape_debug());
                return Err(Diagnostic::new(self.document, key.span, message, "again here").also(
                    self.document,
                    earlier,
                    "first here",
                ));
            }
            self.skip_space();
            if !self.accept(b':') {
                return Err(self.unexpected("`:`"));
            }
            self.skip_space();
            table.push((key, self.value(depth + 1)?));
            self.comma(b'}')?;
        }
        Ok(table)
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Value>> {
        let mut items = Vec::new();
        self.at += 1;
        self.skip_space();
        while !self.accept(b']') {
            items.push(self.value(depth + 1)?);
            self.comma(b']')?;
        }
        Ok(items)
    }

    /// A comma that something follows, or nothing before `close`.
    fn comma(&mut self, close: u8) -> Result<()> {
        self.skip_space();
        let comma = self.accept(b',');
        self.skip_space();
        match (comma, self.peek() == Some(close)) {
            (true, true) => Err(self.unexpected("another value behind the comma")),
            (true, false) | (false, true) => Ok(()),
            (false, false) => Err(self.unexpected(&format!("`,` or `{}`", close as char))),
        }
    }

    /// Text with its quotes; `serde_json` undoes the escapes and judges them.
    fn text(&mut self) -> Result<String> {
        let start = self.at;
        self.at += 1;
        while let Some(b) = self.peek() {
            self.at += 1;
            match b {
                b'"' => {
                    let raw = &self.text[start..self.at];
                    return serde_json::from_str(raw).map_err(|_| {
                        let message = "this text has a control character or a wrong escape";
                        let span = Span::new(start, self.at);
                        Diagnostic::new(self.document, span, message, "here")
                    });
                }
                b'\\' => self.at += 1,
                b'\n' => break,
                _ => {}
            }
        }
        let span = Span::new(start, start + 1);
        Err(Diagnostic::new(self.document, span, "this quote is not closed", "here"))
    }

    fn number(&mut self) -> Result<ValueKind> {
        let start = self.at;
        self.skip(|b| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
        let raw = &self.text[start..self.at];
        let span = Span::new(start, self.at);
        let error = |message: &str| Diagnostic::new(self.document, span, message, "here");
        let integer = !raw.contains(['.', 'e', 'E']);
        match serde_json::from_str::<serde_json::Value>(raw) {
            Ok(number) if integer => match number.as_i64() {
                Some(n) => Ok(ValueKind::Integer(n)),
                None => Err(error("this integer does not fit into 64 bits")),
            },
            Ok(number) => Ok(ValueKind::Number(number.as_f64().unwrap_or(f64::NAN))),
            Err(e) if e.to_string().contains("out of range") => {
                Err(error("this number is too large for a float"))
            }
            Err(_) => Err(error("this is not a number")),
        }
    }

    fn word(&mut self) -> Result<ValueKind> {
        let start = self.at;
        self.skip(|b| b.is_ascii_alphanumeric());
        let span = Span::new(start, self.at);
        match &self.text[start..self.at] {
            "true" => Ok(ValueKind::Flag(true)),
            "false" => Ok(ValueKind::Flag(false)),
            "null" => {
                let message = "`null` has no meaning here";
                Err(Diagnostic::new(self.document, span, message, "here").help("leave the key out"))
            }
            other => {
                let message = format!("`{other}` is not a value");
                Err(Diagnostic::new(self.document, span, message, "here")
                    .help("text stands in double quotes"))
            }
        }
    }

    fn unexpected(&self, expected: &str) -> Diagnostic {
        let found = self.text.get(self.at..).and_then(|rest| rest.chars().next());
        let name = found.map_or("the end".to_owned(), |c| format!("`{}`", c.escape_debug()));
        let span = Span::new(self.at, self.at + found.map_or(0, char::len_utf8));
        let message = format!("not valid JSON: expected {expected}, found {name}");
        Diagnostic::new(self.document, span, message, "here")
    }

    fn skip_space(&mut self) {
        self.skip(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n'));
    }

    fn skip(&mut self, wanted: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&wanted) {
            self.at += 1;
        }
    }

    fn accept(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}
