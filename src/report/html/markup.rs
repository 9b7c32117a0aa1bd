//! Plan text with its values marked.

use std::fmt::Write as _;

/// Text that stands for itself in elements and attributes.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// A whole plan; `stage` stands before the numbers of blocks, so that stages do not mix.
pub(super) fn plan(text: &str, stage: &str) -> String {
    let mut block = Blocks::default();
    let lines = text.trim_end().lines().map(|l| line(l, stage, block.of(l)));
    lines.collect::<Vec<_>>().join("\n")
}

/// Which block the lines of a plan belong to.
#[derive(Default)]
pub(super) struct Blocks {
    next: usize,
}

impl Blocks {
    /// The block of the next line.
    pub fn of(&mut self, line: &str) -> usize {
        if line.starts_with("block ") {
            self.next += 1;
        }
        self.next.saturating_sub(1)
    }
}

/// The words of operations that communicate, as they stand in plans.
const COMMUNICATING: [&str; 8] = [
    "all_reduce",
    "reduce_scatter",
    "all_gather",
    "all_to_all",
    "exchange",
    "halo",
    "halo_sum",
    "reduce",
];

/// One line: values can be lit up, what communicates and what applies is marked.
pub(super) fn line(text: &str, stage: &str, block: usize) -> String {
    // What a line defines lights it up as a whole.
    let (body, ty) = text.split_once(" : ").unwrap_or((text, ""));
    let word = body.split_once(" = ").map_or("", |(_, rest)| rest.split(' ').next().unwrap_or(""));
    let class = match word {
        "apply" => "leaf",
        word if COMMUNICATING.contains(&word) => "comm",
        _ if text.starts_with("block ") => "block",
        _ if text.starts_with('%') => "calc",
        _ => "rest",
    };
    let mut out = format!("<span class=\"ln {class}\"");
    if text.starts_with('%') {
        let defined: Vec<_> = numbers(body.split(" = ").next().unwrap_or("")).collect();
        let tokens: Vec<_> = defined.iter().map(|n| format!("{stage}{block}.{n}")).collect();
        let _ = write!(out, " data-v=\"{}\"", tokens.join(" "));
    }
    out.push('>');
    values(&mut out, body, stage, block);
    if text.contains(" : ") {
        out.push_str(" <span class=\"ty\">: ");
        values(&mut out, ty, stage, block);
        out.push_str("</span>");
    }
    out + "</span>"
}

/// The numbers of the values in a text.
fn numbers(text: &str) -> impl Iterator<Item = &str> {
    text.split('%').skip(1).map(leading).filter(|digits| !digits.is_empty())
}

/// The digits that a text begins with.
fn leading(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    &text[..end]
}

fn values(out: &mut String, text: &str, stage: &str, block: usize) {
    let mut pieces = text.split('%');
    out.push_str(&escaped(pieces.next().unwrap_or("")));
    for piece in pieces {
        let digits = leading(piece);
        if digits.is_empty() {
            out.push('%');
        } else {
            let _ = write!(out, "<b data-v=\"{stage}{block}.{digits}\">%{digits}</b>");
        }
        out.push_str(&escaped(&piece[digits.len()..]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_marked_and_names_escaped() {
        let shown = line("%2 = apply A<&> %1 : f64[4]", "s", 1);
        assert!(shown.contains("A&lt;&amp;&gt; <b data-v=\"s1.1\">%1</b>"), "{shown}");
        assert!(shown.starts_with("<span class=\"ln leaf\" data-v=\"s1.2\">"), "{shown}");
        assert!(
            line("%3, %4 = all_reduce p %1 %2 : f64[], f64[]", "", 0)
                .contains("ln comm\" data-v=\"0.3 0.4\"")
        );
    }
}
