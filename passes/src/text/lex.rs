//! Words, numbers and signs of plan text, line by line.
//!
//! A line that starts with two spaces continues the one before it; blank lines are skipped.

use super::error::Fault;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A letter or `_`, then letters, digits and `_`.
    Word,
    /// Decimal digits.
    Number,
    /// A quoted name, quotes included.
    Quoted,
    /// `%` and digits.
    Value,
    /// A sign.
    Sign,
}

/// A piece of the text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub kind: Kind,
    pub text: &'a str,
    /// Where it begins: bytes from the beginning of the text.
    pub at: usize,
    /// Whether it follows the token before it without a space.
    pub glued: bool,
}

/// The tokens of a line with its continuations.
#[derive(Clone, Debug, Default)]
pub(super) struct Tokens<'a> {
    pub tokens: Vec<Token<'a>>,
    /// Where the line ends.
    pub end: usize,
}

/// Cuts a text into lines of tokens.
pub(super) fn lines(text: &str) -> Result<Vec<Tokens<'_>>, Fault> {
    let mut lines: Vec<Tokens> = Vec::new();
    let mut at = 0;
    for line in text.split('\n') {
        if !line.trim().is_empty() {
            if !line.starts_with("  ") {
                lines.push(Tokens::default());
            }
            let Some(current) = lines.last_mut() else {
                return Err(Fault::new(at, "a line to continue before an indented line"));
            };
            scan(line, at, current)?;
        }
        at += line.len() + 1;
    }
    Ok(lines)
}

/// Whether a name can stand without quotes: a word, perhaps with indices, such as `A[0]`.
pub(super) fn is_plain(name: &str) -> bool {
    let word = name.find(|c: char| !is_inner(c)).unwrap_or(name.len());
    let mut rest = &name[word..];
    while let Some(inner) = rest.strip_prefix('[') {
        let digits = inner.find(|c: char| !c.is_ascii_digit()).unwrap_or(inner.len());
        if digits == 0 || !inner[digits..].starts_with(']') {
            return false;
        }
        rest = &inner[digits + 1..];
    }
    name.starts_with(is_first) && rest.is_empty()
}

fn is_first(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

fn is_inner(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn scan<'a>(line: &'a str, base: usize, out: &mut Tokens<'a>) -> Result<(), Fault> {
    let mut at = 0;
    let mut glued = false;
    while let Some(c) = line[at..].chars().next() {
        if c.is_whitespace() {
            at += c.len_utf8();
            glued = false;
            continue;
        }
        let (kind, len) = measure(&line[at..]).map_err(|what| Fault::new(base + at, what))?;
        let text = &line[at..at + len];
        out.tokens.push(Token { kind, text, at: base + at, glued });
        at += len;
        out.end = base + at;
        glued = true;
    }
    Ok(())
}

/// Kind and length of the token at the beginning of a text that is not empty.
fn measure(rest: &str) -> Result<(Kind, usize), &'static str> {
    let until = |from: usize, stop: fn(char) -> bool| {
        rest[from..].find(stop).map_or(rest.len(), |n| from + n)
    };
    let first = rest.chars().next().unwrap_or(' ');
    if is_first(first) {
        return Ok((Kind::Word, until(0, |c| !is_inner(c))));
    }
    if first.is_ascii_digit() {
        return Ok((Kind::Number, until(0, |c| !c.is_ascii_digit())));
    }
    match first {
        '%' => match until(1, |c| !c.is_ascii_digit()) {
            1 => Err("a number after `%`"),
            len => Ok((Kind::Value, len)),
        },
        '"' => quoted(rest).map(|len| (Kind::Quoted, len)).ok_or("a closing quote"),
        _ if ["->", "<-", ".."].iter().any(|sign| rest.starts_with(sign)) => Ok((Kind::Sign, 2)),
        '=' | '(' | ')' | '[' | ']' | ',' | ':' | '/' | '@' | '~' | '+' | '-' | '.' | '*' | '!' => {
            Ok((Kind::Sign, 1))
        }
        _ => Err("a word, a number, a value or a sign"),
    }
}

/// The length of a quoted name, if it ends.
fn quoted(rest: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            '"' if !escaped => return Some(at + 1),
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    None
}

/// A name between quotes.
pub(super) fn quote(name: &str) -> String {
    let mut out = String::from("\"");
    for c in name.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// The name between quotes, if what is escaped in it can be.
pub(super) fn unquote(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut chars = text.strip_prefix('"')?.strip_suffix('"')?.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some('u')) => {
                let code: String = chars.by_ref().take_while(|&c| c != '}').collect();
                let code = u32::from_str_radix(code.strip_prefix('{')?, 16).ok()?;
                out.push(char::from_u32(code)?);
            }
            ('\\', Some(c @ ('"' | '\\'))) => out.push(c),
            ('\\', _) => return None,
            (c, _) => out.push(c),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indented_lines_continue() {
        let lines = lines("a b\n  c\n\nd").unwrap();
        let texts: Vec<Vec<_>> =
            lines.iter().map(|l| l.tokens.iter().map(|t| t.text).collect()).collect();
        assert_eq!(texts, [vec!["a", "b", "c"], vec!["d"]]);
    }

    #[test]
    fn plain_names() {
        for name in ["A", "A[0]", "A[0][12]", "τ", "_"] {
            assert!(is_plain(name), "{name}");
        }
        for name in ["", "0", "A.H", "A[", "A[]", "A[i]", "A[0", "a b", "A[0]x"] {
            assert!(!is_plain(name), "{name}");
        }
    }

    #[test]
    fn quoted_names_read_back() {
        for name in ["", "a b", "\"", "\\", "x\ny", "\u{7f}", "1e-3"] {
            assert_eq!(unquote(&quote(name)).as_deref(), Some(name));
        }
        assert_eq!(unquote(r#""\u{zz}""#), None);
        assert_eq!(unquote(r#""\n""#), None);
    }
}
