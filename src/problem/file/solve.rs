//! The section `solve`.

use super::fields::{self, Fields};
use super::{Data, Part, Solve, formula};
use crate::problem::diagnostic::{Document, Result};
use crate::problem::value::{Value, ValueKind};

/// Reads the section; keys that belong to the solver are kept for later.
pub fn solve(document: &Document, value: Value) -> Result<Solve> {
    let span = value.span;
    let mut section = Fields::new(document, value, "[solve]")?;
    let solver = fields::word(document, &section.required("solver")?, "solve.solver")?;
    let operator = formula(document, &section.required("operator")?, "solve.operator")?;
    let right_hand_side = data(document, section.required("data")?, "solve.data")?;
    let x0 = section.take("x0").map(|value| data(document, value, "solve.x0")).transpose()?;
    let options = section.rest();
    Ok(Solve { span, solver, operator, data: right_hand_side, x0, options })
}

fn data(document: &Document, value: Value, what: &str) -> Result<Data> {
    match value.value {
        ValueKind::Text(_) => Ok(Data::Whole(formula(document, &value, what)?)),
        ValueKind::Table(table) => {
            let parts = table.into_iter().map(|(name, value)| {
                let part = part(document, &value, &format!("{what}.{}", name.value))?;
                Ok((name, part))
            });
            Ok(Data::Parts(parts.collect::<Result<_>>()?))
        }
        other => {
            let expected = "an expression or a table of parts";
            Err(fields::wrong_type(document, value.span, &other, what, expected))
        }
    }
}

fn part(document: &Document, value: &Value, what: &str) -> Result<Part> {
    match &value.value {
        ValueKind::Text(_) => Ok(Part::Formula(formula(document, value, what)?)),
        ValueKind::Integer(0) => Ok(Part::Zero),
        ValueKind::Number(x) if *x == 0.0 => Ok(Part::Zero),
        other => {
            let what = what.escape_debug().to_string();
            Err(fields::wrong_type(document, value.span, other, &what, "an expression or 0"))
        }
    }
}
