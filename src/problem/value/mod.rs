//! Values with spans, the one form that TOML and JSON are read into.

mod json;
mod toml;

use super::diagnostic::{Diagnostic, Document, Result, Span, Spanned};

/// How deep tables and lists may nest in a file.
pub const MAX_DEPTH: usize = 64;
/// The longest problem file, in bytes; data belongs into `.npy` files.
pub const MAX_FILE: usize = 16 << 20;

/// A value and where it is written.
pub type Value = Spanned<ValueKind>;

/// The kinds of values that a problem file can hold.
#[derive(Clone, Debug, PartialEq)]
pub enum ValueKind {
    /// Text.
    Text(Quoted),
    /// An integer.
    Integer(i64),
    /// Any other number; infinities and NaN are possible here and refused where they are used.
    Number(f64),
    /// `true` or `false`
    Flag(bool),
    /// `[..]`
    List(Vec<Value>),
    /// `{..}`, or a section.
    Table(Table),
}

impl ValueKind {
    /// What it is, for messages.
    pub fn describe(&self) -> &'static str {
        match self {
            ValueKind::Text(_) => "text",
            ValueKind::Integer(_) => "an integer",
            ValueKind::Number(_) => "a number",
            ValueKind::Flag(_) => "true or false",
            ValueKind::List(_) => "a list",
            ValueKind::Table(_) => "a table",
        }
    }
}

/// Text from a file, and where its content starts if it stands there letter by letter.
#[derive(Clone, Debug, PartialEq)]
pub struct Quoted {
    /// The content, escapes undone.
    pub text: String,
    /// The first byte of the content in the file; none if escapes make the two differ.
    pub at: Option<usize>,
}

impl Quoted {
    /// Finds the content behind the quotes of `raw`, which starts at `start`.
    fn new(text: String, raw: &str, start: usize) -> Self {
        let quotes = ["\"\"\"", "'''", "\"", "'"];
        let quote = quotes.into_iter().find(|quote| raw.starts_with(quote)).unwrap_or("");
        let mut begin = quote.len();
        if quote.len() == 3 {
            let rest = &raw[begin..];
            begin += ["\r\n", "\n"].into_iter().find(|n| rest.starts_with(n)).map_or(0, str::len);
        }
        let inner = raw.get(begin..raw.len().saturating_sub(quote.len()));
        let at = (inner == Some(text.as_str())).then_some(start + begin);
        Quoted { text, at }
    }
}

/// A table in the order of the file, without double keys.
pub type Table = Vec<(Spanned<String>, Value)>;

/// Reads a document: JSON if its name ends in `.json` or its text starts with `{`, TOML otherwise.
pub fn read(document: &Document) -> Result<Value> {
    let text = document.text();
    if text.len() > MAX_FILE {
        let message =
            format!("a problem file has at most {MAX_FILE} bytes and this has {}", text.len());
        return Err(Diagnostic::without_place(document, message)
            .help("keep data in .npy files and name them under [arrays]"));
    }
    if document.name().to_ascii_lowercase().ends_with(".json") || text.trim_start().starts_with('{')
    {
        json::read(document)
    } else {
        toml::read(document)
    }
}

fn too_deep(document: &Document, span: Span) -> Diagnostic {
    let message = format!("a problem file nests at most {MAX_DEPTH} levels deep");
    Diagnostic::new(document, span, message, "one level too many")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(value: &Value, found: &mut Vec<Quoted>) {
        match &value.value {
            ValueKind::Text(quoted) => found.push(quoted.clone()),
            ValueKind::List(items) => items.iter().for_each(|item| texts(item, found)),
            ValueKind::Table(table) => table.iter().for_each(|(_, value)| texts(value, found)),
            ValueKind::Integer(_) | ValueKind::Number(_) | ValueKind::Flag(_) => {}
        }
    }

    fn located(name: &str, text: &str) -> Vec<(String, bool)> {
        let document = Document::new(name, text);
        let mut found = Vec::new();
        texts(&read(&document).unwrap(), &mut found);
        for quoted in &found {
            if let Some(at) = quoted.at {
                let span = Span::new(at, at + quoted.text.len());
                assert_eq!(document.slice(span), quoted.text);
            }
        }
        found.into_iter().map(|quoted| (quoted.text, quoted.at.is_some())).collect()
    }

    #[test]
    fn plain_text_is_found_in_the_file_and_escaped_text_is_not() {
        let toml = "a = \"A @ x\"\nb = 'B'\nc = \"\"\"\nC +\nD\"\"\"\nd = \"D\\u0020\"\n";
        let json = r#"{"a": "A @ x", "b": ["B"], "c": "C +\nD", "é": "D\u0020"}"#;
        let found = located("p.toml", toml);
        let expected = [("A @ x", true), ("B", true), ("C +\nD", true), ("D ", false)];
        assert_eq!(found, expected.map(|(text, at)| (text.to_owned(), at)));
        let found = located("p.json", json);
        let expected = [("A @ x", true), ("B", true), ("C +\nD", false), ("D ", false)];
        assert_eq!(found, expected.map(|(text, at)| (text.to_owned(), at)));
    }
}
