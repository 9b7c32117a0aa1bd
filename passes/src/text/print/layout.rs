//! Lines of at most 80 columns, with types in a fixed column.

use crate::text::lex;

/// The widest line.
const WIDTH: usize = 80;

/// Where types begin, if what is left of them is short enough.
const COLUMN: usize = 32;

/// A text in the making.
#[derive(Default)]
pub(super) struct Layout(String);

impl Layout {
    /// A line, with as many continuations as it needs.
    pub fn line(&mut self, text: &str) {
        for line in wrap(text, "") {
            self.push(&line);
        }
    }

    /// A line with a type in its column, or behind what is left of it, or below.
    pub fn typed(&mut self, left: &str, ty: &str) {
        if ty.is_empty() {
            return self.line(left);
        }
        let mut lines = wrap(left, "");
        let last = lines.pop().unwrap_or_default();
        let column = if lines.is_empty() && width(&last) < COLUMN { COLUMN } else { 0 };
        let pad = column.max(width(&last) + 1) - width(&last);
        let joined = format!("{last}{:pad$}: {ty}", "");
        if width(&joined) <= WIDTH {
            lines.push(joined);
        } else {
            lines.push(last);
            lines.extend(wrap(&format!(": {ty}"), "  "));
        }
        for line in &lines {
            self.push(line);
        }
    }

    /// A remark under the line before it.
    pub fn note(&mut self, text: &str) {
        for line in text.lines() {
            self.push(&format!("^ {line}"));
        }
    }

    /// The text.
    pub fn finish(self) -> String {
        self.0
    }

    fn push(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }
}

/// A name, quoted if it must be.
pub(super) fn name(name: &str) -> String {
    if lex::is_plain(name) { name.into() } else { lex::quote(name) }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// Fills lines with words; all but the first are indented.
fn wrap(text: &str, indent: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = indent.to_string();
    let mut used = width(indent);
    let mut begun = false;
    for word in words(text) {
        let wide = width(word);
        if begun && used + 1 + wide > WIDTH {
            lines.push(std::mem::replace(&mut line, "  ".into()));
            (used, begun) = (2, false);
        }
        if begun {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += wide;
        begun = true;
    }
    lines.push(line);
    lines
}

/// What stands between spaces; spaces between quotes do not count.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c| {
        match c {
            '"' if !escaped => quoted = !quoted,
            _ => {}
        }
        escaped = quoted && c == '\\' && !escaped;
        c == ' ' && !quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_stand_in_their_column_where_they_fit() {
        let mut out = Layout::default();
        out.typed("%0 = input x", "f64[4]");
        out.typed(&"x".repeat(31), "f64[4]");
        out.typed(&"x".repeat(32), "f64[4]");
        out.typed(&"x".repeat(71), "f64[4]");
        out.typed(&"x".repeat(72), "f64[4]");
        let lines = out.finish();
        let lines: Vec<_> = lines.lines().collect();
        assert_eq!(lines[0], "%0 = input x                    : f64[4]");
        assert_eq!(lines[1], format!("{} : f64[4]", "x".repeat(31)));
        assert_eq!(lines[2], format!("{} : f64[4]", "x".repeat(32)));
        assert_eq!(lines[3], format!("{} : f64[4]", "x".repeat(71)));
        assert_eq!(lines[4..], [&"x".repeat(72), "  : f64[4]"]);
    }

    #[test]
    fn quoted_names_are_not_broken() {
        let text = r#"input "a \" b" c"#;
        assert_eq!(words(text).collect::<Vec<_>>(), ["input", r#""a \" b""#, "c"]);
    }

    #[test]
    fn long_lines_continue() {
        let text = ["12345678"; 10].join(" ");
        assert_eq!(wrap(&text, ""), [&text[..80], "  12345678"]);
    }
}
