//! `--set eps=0.3`: other values for parameters.

use super::Problem;
use crate::problem::diagnostic::{Document, Result, Span};
use crate::problem::text::Formula;
use crate::problem::{Diagnostic, suggest};

impl Problem {
    /// Applies one `name=value`; the value is a number or an expression of numbers.
    pub fn set(&mut self, assignment: &str) -> Result<()> {
        let document = Document::new("--set", assignment);
        let whole = Span::new(0, assignment.len());
        let Some(equals) = assignment.find('=') else {
            return Err(Diagnostic::new(&document, whole, "`--set` takes NAME=VALUE", "no `=`"));
        };
        let name = assignment[..equals].trim();
        let Some(at) = self.parameters.iter().position(|p| p.name.value == name) else {
            let place = Span::new(0, equals);
            let message = format!("the file has no parameter `{}`", name.escape_debug());
            let known = self.parameters.iter().map(|p| p.name.value.as_str());
            return Err(Diagnostic::new(&document, place, message, "here")
                .maybe_help(suggest::help(name, "parameters", known)));
        };
        let value = Span::new(equals + 1, assignment.len());
        let formula = Formula::parse_within(&document, value)?;
        self.parameters[at].value = formula.constant(&|_| None)?;
        Ok(())
    }
}
