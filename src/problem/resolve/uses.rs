//! Which name is used where: none undeclared, none declared in vain.

use super::{Body, Built, Entity, Operator, Resolved, at_name, formulas};
use crate::problem::diagnostic::{Result, Span};
use crate::problem::file::Name;
use crate::problem::suggest;
use crate::problem::text::Formula;

/// The expressions in an operator's definition.
pub(in crate::problem) fn of_operator(operator: &Operator) -> Vec<&Formula> {
    match &operator.body {
        Body::Formula(formula) => vec![formula],
        Body::Built(built) => of_settings(built),
    }
}

fn of_settings(built: &Built) -> Vec<&Formula> {
    built.settings.iter().flat_map(|(_, setting)| setting.value.formulas()).collect()
}

/// The expressions of `solve`.
pub(in crate::problem) fn of_solve(resolved: &Resolved) -> Vec<&Formula> {
    resolved
        .solve
        .iter()
        .flat_map(|solve| {
            let mut found = of_settings(&solve.solver);
            found.push(&solve.operator);
            found.extend(formulas(&solve.data));
            found.extend(solve.x0.iter().flat_map(formulas));
            found
        })
        .collect()
}

/// The names in an expression.
pub(super) fn names(formula: &Formula) -> Vec<(&str, Span)> {
    let mut found = Vec::new();
    formula.expr.names(&mut |name, span| found.push((name, span)));
    found
}

/// Every name in an expression must be declared; `x` only where it has been computed.
pub(super) fn check(resolved: &Resolved, expressions: &[Formula]) -> Result<()> {
    let before = resolved.operators.iter().flat_map(of_operator).chain(of_solve(resolved));
    for formula in before {
        check_formula(resolved, formula, false)?;
    }
    let after = resolved.outputs.iter().filter_map(|output| output.expr.as_ref());
    for formula in after.chain(expressions) {
        check_formula(resolved, formula, true)?;
    }
    Ok(())
}

fn check_formula(resolved: &Resolved, formula: &Formula, solved: bool) -> Result<()> {
    for (name, span) in names(formula) {
        match resolved.lookup(name) {
            Some(Entity::Solution) if !solved => {
                let message = format!("`{name}` is what the solver computes");
                return Err(formula.error(span, message, "it is not known here"));
            }
            Some(_) => {}
            None => {
                let message = format!("`{name}` is not declared");
                let known = resolved.names.all();
                return Err(formula.error(span, message, "here").maybe_help(suggest::help(
                    name,
                    "declared names",
                    known,
                )));
            }
        }
    }
    Ok(())
}

/// In a problem with something to do, every declaration must be needed for it.
pub(super) fn check_unused(resolved: &Resolved) -> Result<()> {
    if resolved.solve.is_none() && resolved.outputs.is_empty() {
        return Ok(());
    }
    let outputs = resolved.outputs.iter().filter_map(|output| output.expr.as_ref());
    let expressions = resolved.expressions.iter().map(|(formula, _)| formula);
    let mut roots = of_solve(resolved);
    roots.extend(outputs.chain(expressions));
    used_by(resolved, &roots).report(resolved)
}

/// What is needed for these expressions.
pub(in crate::problem) fn used_by(resolved: &Resolved, roots: &[&Formula]) -> Used {
    let mut used = Used::new(resolved);
    for formula in roots {
        used.mark(resolved, formula);
    }
    for (i, operator) in resolved.operators.iter().enumerate().rev() {
        if used.operators[i] {
            for formula in of_operator(operator) {
                used.mark(resolved, formula);
            }
        }
    }
    used
}

/// Which declarations are needed, by their places in the sections.
pub(in crate::problem) struct Used {
    parameters: Vec<bool>,
    pub arrays: Vec<bool>,
    pub operators: Vec<bool>,
}

impl Used {
    fn new(resolved: &Resolved) -> Self {
        Used {
            parameters: vec![false; resolved.parameters.len()],
            arrays: vec![false; resolved.arrays.len()],
            operators: vec![false; resolved.operators.len()],
        }
    }

    fn mark(&mut self, resolved: &Resolved, formula: &Formula) {
        for (name, _) in names(formula) {
            match resolved.lookup(name) {
                Some(Entity::Parameter(i)) => self.parameters[i] = true,
                Some(Entity::Array(i)) => self.arrays[i] = true,
                Some(Entity::Operator(i)) => self.operators[i] = true,
                Some(Entity::Solution) | None => {}
            }
        }
    }

    fn report(&self, resolved: &Resolved) -> Result<()> {
        let parameters = resolved.parameters.iter().map(|p| &p.name).zip(&self.parameters);
        let arrays = resolved.arrays.iter().map(|a| &a.name).zip(&self.arrays);
        let operators = resolved.operators.iter().map(|o| &o.name).zip(&self.operators);
        let all = parameters.chain(arrays).chain(operators);
        let mut unused: Vec<&Name> =
            all.filter(|(_, used)| !**used).map(|(name, _)| name).collect();
        unused.sort_by_key(|name| name.span);
        let Some((first, rest)) = unused.split_first() else {
            return Ok(());
        };
        let list: Vec<_> = unused.iter().map(|name| format!("`{}`", name.value)).collect();
        let verb = if rest.is_empty() { "is" } else { "are" };
        let message = format!("{} {verb} declared but not used", list.join(", "));
        let document = &resolved.document;
        let error = at_name(document, first, message, "not used");
        Err(rest
            .iter()
            .take(9)
            .fold(error, |error, name| error.also(document, name.span, "not used"))
            .help("neither [solve] nor [outputs] needs them; remove them or use them"))
    }
}
