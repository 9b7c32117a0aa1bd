//! Writes expressions as PyLops text, with as few parentheses as that takes.
//!
//! An expression is a graph whose text can be exponentially longer: the text stops at a limit.

use super::error::{ExprError, Fault};
use super::parts::Part;
use std::ops::Range;

/// How tightly a piece of text holds together, as in Python.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Sum,
    Product,
    Sign,
    Power,
    Atom,
}

/// What has a text.
pub(super) trait Text {
    fn id(&self) -> u64;
    fn level(&self) -> Level;
    fn write(&self, w: &mut Writer);
}

/// Text on its way, and the span of the sub-expression that is looked for.
pub(super) struct Writer {
    out: String,
    limit: usize,
    full: bool,
    wanted: Option<(u64, Option<usize>)>,
    found: Option<Range<usize>>,
}

const LIMIT: usize = 2000;
const QUOTE: usize = 40;

impl Writer {
    fn new(limit: usize, wanted: Option<(u64, Option<usize>)>) -> Self {
        Writer { out: String::new(), limit, full: false, wanted, found: None }
    }

    /// Appends text.
    pub fn push(&mut self, text: &str) {
        if self.full {
            return;
        }
        self.out.push_str(text);
        if self.out.len() > self.limit {
            self.full = true;
            let cut = (0..=self.limit).rev().find(|&i| self.out.is_char_boundary(i)).unwrap_or(0);
            self.out.truncate(cut);
            self.out.push('…');
        }
    }

    /// Appends operand `index` of a node, in parentheses if it holds together less than `level`.
    pub fn operand(&mut self, node: u64, index: usize, level: Level, child: &dyn Text) {
        if self.full {
            return;
        }
        let open = child.level() < level;
        self.push(if open { "(" } else { "" });
        let start = self.out.len();
        child.write(self);
        let span = start..self.out.len();
        let wanted = [(node, Some(index)), (child.id(), None)];
        if self.found.is_none() && self.wanted.is_some_and(|w| wanted.contains(&w)) {
            self.found = Some(span);
        }
        self.push(if open { ")" } else { "" });
    }

    /// Appends named operands with commas between, from operand `first` on.
    pub fn list<'a, T: Text + 'a>(
        &mut self,
        node: u64,
        first: usize,
        items: impl IntoIterator<Item = (Option<&'a str>, &'a T)>,
    ) {
        for (i, (name, item)) in items.into_iter().enumerate() {
            self.push(if i == 0 { "" } else { ", " });
            if let Some(name) = name {
                self.push(name);
                self.push(" = ");
            }
            self.operand(node, first + i, Level::Sum, item);
        }
    }
}

/// The whole text.
pub(super) fn text(of: &dyn Text) -> String {
    let mut w = Writer::new(LIMIT, None);
    of.write(&mut w);
    w.out
}

/// The text in a sentence, shortened.
pub(super) fn quote(of: &dyn Text) -> String {
    let mut w = Writer::new(QUOTE, None);
    of.write(&mut w);
    w.out
}

/// The error for the user, of the node at fault inside a whole expression.
pub(super) fn report(whole: &dyn Text, fault: &Fault) -> ExprError {
    let mut w = Writer::new(LIMIT, Some((fault.node, fault.wrong.operand)));
    whole.write(&mut w);
    ExprError {
        span: w.found.unwrap_or(0..w.out.len()),
        expression: w.out,
        message: fault.wrong.message.clone(),
        help: fault.wrong.help.clone(),
    }
}

/// Dims as arguments: `1280` or `[32, 40]`.
pub(super) fn dims(parts: &[Part]) -> String {
    let one = |part: &Part| match part.dims.as_slice() {
        [n] => n.to_string(),
        dims => format!("{dims:?}"),
    };
    parts.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// `1 element`, `2 elements`
pub(super) fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}
