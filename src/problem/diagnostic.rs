//! What is wrong and where: one error type for everything that a user can write.
//!
//! A [`Diagnostic`] carries the document it speaks about, labelled spans and often a cure.
//! The command line prints it with [`Diagnostic::render`]: a frame, the lines at fault and a caret.

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents,
    SourceCode, SourceSpan, SpanContents,
};
use std::fmt;
use std::sync::Arc;

/// A result whose error is for the user.
pub type Result<T> = std::result::Result<T, Diagnostic>;

/// A range of bytes in a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The bytes `start..end`.
    pub fn new(start: usize, end: usize) -> Self {
        Span { start, end }
    }

    /// The smallest span that holds both.
    pub fn to(self, other: Span) -> Span {
        Span::new(self.start.min(other.start), self.end.max(other.end))
    }
}

/// Something with the place where it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Spanned<T> {
    /// The thing itself.
    pub value: T,
    /// Where it is written.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// Attaches a place.
    pub fn new(value: T, span: Span) -> Self {
        Spanned { value, span }
    }
}

/// A named text that spans point into: a problem file, or an expression on the command line.
#[derive(Clone)]
pub struct Document(Arc<Contents>);

struct Contents {
    name: String,
    /// The text, and a newline after it if it has none: a caret may stand behind the last line.
    shown: String,
    length: usize,
}

impl Document {
    /// A document called `name` in messages.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        let mut shown = text.into();
        let length = shown.len();
        if !shown.ends_with('\n') {
            shown.push('\n');
        }
        Document(Arc::new(Contents { name: name.into(), shown, length }))
    }

    /// What messages call it: a path, or `EXPR`.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// All of its text.
    pub fn text(&self) -> &str {
        &self.0.shown[..self.0.length]
    }

    /// The text of a span; empty where the span is outside or cuts a character.
    pub fn slice(&self, span: Span) -> &str {
        self.text().get(span.start..span.end).unwrap_or("")
    }

    /// Whether both are the same document, not only equal ones.
    pub fn is(&self, other: &Document) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Document({:?}, {} bytes)", self.name(), self.text().len())
    }
}

/// The length beyond which only a part of a line is shown.
const LONG_LINE: usize = 240;
/// What is shown on both sides of a caret in such a line.
const MARGIN: usize = 40;

impl SourceCode for Document {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> std::result::Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let whole = self.0.shown.read_span(span, before, after)?;
        let long = whole.data().split(|&b| b == b'\n').any(|line| line.len() > LONG_LINE);
        let (data, shown, line, column) = if before > 0 && long {
            let exact = self.0.shown.read_span(&(span.offset(), 0).into(), 0, 0)?;
            let window = self.window(span);
            let text = self.slice(window);
            let shown = SourceSpan::from(window.start..window.end);
            (text.as_bytes(), shown, exact.line(), exact.column() - (span.offset() - window.start))
        } else {
            (whole.data(), *whole.span(), whole.line(), whole.column())
        };
        let name = self.name().to_owned();
        let lines = whole.line_count();
        Ok(Box::new(MietteSpanContents::new_named(name, data, shown, line, column, lines)))
    }
}

impl Document {
    /// The part of one long line that is shown around a span.
    fn window(&self, span: &SourceSpan) -> Span {
        let text = self.text();
        let at = span.offset().min(text.len());
        let line_start = text[..at].rfind('\n').map_or(0, |i| i + 1);
        let line_end = text[at..].find('\n').map_or(text.len(), |i| at + i);
        let start = boundary(text, at.saturating_sub(MARGIN)).max(line_start);
        let width = span.len().clamp(1, MARGIN);
        let end = boundary(text, (at + width + MARGIN).min(line_end));
        Span::new(start.min(at), end.max(at))
    }
}

/// The last start of a character that is not behind `at`.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at).rev().find(|&i| text.is_char_boundary(i)).unwrap_or(0)
}

/// An error in what a user wrote.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Diagnostic {
    message: String,
    help: Option<String>,
    document: Document,
    labels: Vec<(Span, String)>,
}

impl Diagnostic {
    /// An error at `span`; the caret is followed by `label`, which may be empty.
    pub fn new(
        document: &Document,
        span: Span,
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> Self {
        let labels = vec![(span, label.into())];
        Diagnostic { message: message.into(), help: None, document: document.clone(), labels }
    }

    /// An error about the document as a whole.
    pub fn without_place(document: &Document, message: impl Into<String>) -> Self {
        let document = document.clone();
        Diagnostic { message: message.into(), help: None, document, labels: Vec::new() }
    }

    /// Marks a second place; one in another document is left out.
    pub fn also(mut self, document: &Document, span: Span, label: impl Into<String>) -> Self {
        if document.is(&self.document) {
            self.labels.push((span, label.into()));
        }
        self
    }

    /// Says what to do about it.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Like [`Diagnostic::help`], if there is something to say.
    pub fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }

    /// The sentence without its frame.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The document that the spans point into.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The first place, if there is one.
    pub fn span(&self) -> Option<Span> {
        self.labels.first().map(|(span, _)| *span)
    }

    /// The message framed, with carets, without colours, at most 80 columns wide.
    pub fn render(&self) -> String {
        let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor());
        let mut text = String::new();
        match handler.with_width(80).render_report(&mut text, self) {
            Ok(()) => text.lines().map(|line| line.trim_end().to_owned() + "\n").collect(),
            Err(_) => format!("{}: {}\n", self.document.name(), self.message),
        }
    }
}

impl miette::Diagnostic for Diagnostic {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.document)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        if self.labels.is_empty() {
            return None;
        }
        let labels = self.labels.iter().enumerate().map(|(i, (span, text))| {
            let text = (!text.is_empty()).then(|| text.clone());
            let start = span.start.min(self.document.0.shown.len() - 1);
            let place = start..span.end.max(start);
            if i == 0 {
                LabeledSpan::new_primary_with_span(text, place)
            } else {
                LabeledSpan::new_with_span(text, place)
            }
        });
        Some(Box::new(labels))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_cut_around_the_caret() {
        let text = format!("{}wrong{}", "é + ".repeat(9000), " + é".repeat(9000));
        let start = text.find("wrong").unwrap();
        let document = Document::new("p.toml", text);
        let span = Span::new(start, start + 5);
        let shown = Diagnostic::new(&document, span, "no", "here").render();
        assert!(shown.contains("p.toml:1:45001"), "{shown}");
        assert!(shown.contains("┬") && shown.len() < 800, "{shown}");
    }

    #[test]
    fn every_span_of_a_short_text_gets_its_label() {
        for text in ["é\nab\n\nδ", "a\n", "a", "", "\n"] {
            let document = Document::new("p", text);
            for start in (0..=text.len()).filter(|&i| text.is_char_boundary(i)) {
                for end in (start..=text.len()).filter(|&i| text.is_char_boundary(i)) {
                    let span = Span::new(start, end);
                    let shown = Diagnostic::new(&document, span, "m", "label").render();
                    assert!(shown.contains("─ label\n"), "{text:?} {span:?}\n{shown}");
                }
            }
        }
    }
}
