//! What `[placements]` pins: each name must stand for something that a plan places.
//!
//! An operator is pinned where it is built ([`crate::expr::Op::on`]), with all that it is made of.
//! An array is pinned wherever it is a value: in expressions by its name, in `[solve]` as the data
//! or the start, which a plan calls `d` and `x0`.

use super::{Entity, Resolved, at_name, formulas, uses};
use crate::problem::diagnostic::Result;
use crate::problem::file::{Data, Name, Part};
use crate::problem::text::{ExprKind, Formula};
use adjoin_passes::search::Pin;

impl Resolved {
    /// The placement of an operator, if the file has one.
    pub fn placement(&self, operator: &str) -> Option<&str> {
        let found = self.placements.iter().find(|(name, _)| name.value == operator);
        found.map(|(_, wanted)| wanted.value.as_str())
    }

    /// The placements of values, by the names that plans give them.
    pub fn pins(&self) -> Vec<Pin> {
        let values = self.placements.iter().filter(|(name, _)| !self.is_operator(name));
        let pins = values.flat_map(|(name, wanted)| {
            let pin = |subject| Pin {
                subject,
                wanted: wanted.value.clone(),
                // One plan need not use all that the file has.
                always: false,
            };
            let named = [name.value.clone()].into_iter();
            named.chain(self.labels(&name.value)).map(pin).collect::<Vec<_>>()
        });
        pins.collect()
    }

    fn is_operator(&self, name: &Name) -> bool {
        matches!(self.lookup(&name.value), Some(Entity::Operator(_)))
    }

    /// What the plan of `[solve]` calls an array.
    fn labels(&self, array: &str) -> Vec<String> {
        let Some(solve) = &self.solve else { return Vec::new() };
        let sides = [("d", Some(&solve.data)), ("x0", solve.x0.as_ref())];
        let is =
            |formula: &Formula| matches!(&formula.expr.kind, ExprKind::Name(name) if name == array);
        let mut out = Vec::new();
        for (label, data) in sides {
            match data {
                Some(Data::Whole(formula)) if is(formula) => out.push(label.to_owned()),
                Some(Data::Parts(parts)) => {
                    let mine = parts.iter().filter(|(_, part)| match part {
                        Part::Formula(formula) => is(formula),
                        Part::Zero => false,
                    });
                    out.extend(mine.map(|(name, _)| format!("{label}.{}", name.value)));
                }
                Some(Data::Whole(_)) | None => {}
            }
        }
        out
    }
}

/// Every name of `[placements]` must be that of an operator, of an array that is a value
/// somewhere, or of the solution.
pub(super) fn check(resolved: &Resolved) -> Result<()> {
    for (name, _) in &resolved.placements {
        let said = name.value.escape_debug();
        let wrong = match resolved.lookup(&name.value) {
            Some(Entity::Operator(_)) => None,
            Some(Entity::Solution) => {
                resolved.solve.is_none().then(|| "nothing is solved, so there is no `x`".to_owned())
            }
            Some(Entity::Array(_)) if is_value(resolved, &name.value) => None,
            Some(Entity::Array(_)) => {
                Some(format!("`{said}` is the data of an operator, which is placed in its stead"))
            }
            Some(Entity::Parameter(_)) => Some(format!("`{said}` is a number, and on every rank")),
            None => Some(format!("nothing is called `{said}`")),
        };
        if let Some(message) = wrong {
            return Err(at_name(&resolved.document, name, message, "here").help(
                "operators, the arrays that they are applied to, and the solution x can be placed",
            ));
        }
    }
    Ok(())
}

/// Whether an array is a value somewhere, or at least not the data of an operator alone.
fn is_value(resolved: &Resolved, array: &str) -> bool {
    let outputs = resolved.outputs.iter().filter_map(|output| output.expr.as_ref());
    let given = resolved.expressions.iter().map(|(formula, _)| formula);
    let of_solve = |solve: &super::Solve| {
        let start = solve.x0.iter().flat_map(formulas);
        formulas(&solve.data).into_iter().chain(start).any(|formula| names(formula, array))
    };
    let values = outputs.chain(given).any(|formula| names(formula, array));
    let operators = || resolved.operators.iter().flat_map(uses::of_operator);
    let data = resolved.solve.as_ref().is_some_and(of_solve);
    values || data || !operators().any(|formula| names(formula, array))
}

fn names(formula: &Formula, array: &str) -> bool {
    uses::names(formula).iter().any(|(name, _)| *name == array)
}
