//! Puts operators into an order in which each comes after those that it uses; a cycle is an error.

use super::{Entity, Resolved, uses};
use crate::problem::diagnostic::{Diagnostic, Document, Result, Span};

/// A use of an operator in the definition of another.
struct Use<'a> {
    operator: usize,
    document: &'a Document,
    span: Span,
}

/// Sorts the operators; ties keep the order of the file.
pub fn sort(resolved: &mut Resolved) -> Result<()> {
    let order = order(resolved)?;
    let mut place = vec![0; order.len()];
    for (new, &old) in order.iter().enumerate() {
        place[old] = new;
    }
    let mut operators: Vec<_> =
        std::mem::take(&mut resolved.operators).into_iter().zip(&place).collect();
    operators.sort_by_key(|(_, place)| **place);
    resolved.operators = operators.into_iter().map(|(operator, _)| operator).collect();
    resolved.names.renumber(&place);
    Ok(())
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    New,
    Open,
    Done,
}

/// A depth-first walk with its own stack: chains of definitions may be long.
fn order(resolved: &Resolved) -> Result<Vec<usize>> {
    let uses = all_uses(resolved);
    let mut state = vec![State::New; uses.len()];
    let mut order = Vec::with_capacity(uses.len());
    let mut stack: Vec<(usize, usize)> = Vec::new();
    for root in 0..uses.len() {
        if state[root] == State::New {
            state[root] = State::Open;
            stack.push((root, 0));
        }
        while let Some((operator, next)) = stack.last_mut() {
            let Some(used) = uses[*operator].get(*next) else {
                state[*operator] = State::Done;
                order.push(*operator);
                stack.pop();
                continue;
            };
            *next += 1;
            match state[used.operator] {
                State::Done => {}
                State::Open => return Err(cycle(resolved, &uses, &stack, used.operator)),
                State::New => {
                    state[used.operator] = State::Open;
                    stack.push((used.operator, 0));
                }
            }
        }
    }
    Ok(order)
}

fn all_uses(resolved: &Resolved) -> Vec<Vec<Use<'_>>> {
    let of = |operator| {
        let mut found = Vec::new();
        for formula in uses::of_operator(operator) {
            for (name, span) in uses::names(formula) {
                if let Some(Entity::Operator(used)) = resolved.lookup(name) {
                    found.push(Use { operator: used, document: &formula.document, span });
                }
            }
        }
        found
    };
    resolved.operators.iter().map(of).collect()
}

/// Each entry of the stack is open at the use before its next one.
fn cycle(
    resolved: &Resolved,
    uses: &[Vec<Use<'_>>],
    stack: &[(usize, usize)],
    target: usize,
) -> Diagnostic {
    let start = stack.iter().position(|(operator, _)| *operator == target).unwrap_or(0);
    let steps: Vec<&Use<'_>> =
        stack[start..].iter().map(|&(operator, next)| &uses[operator][next - 1]).collect();
    let name = |operator: usize| resolved.operators[operator].name.value.as_str();
    let mut path = vec![name(target)];
    path.extend(steps.iter().map(|step| name(step.operator)));
    let path = if path.len() > 12 {
        format!("{} → … → {}", path[..6].join(" → "), path[path.len() - 5..].join(" → "))
    } else {
        path.join(" → ")
    };
    let message = format!("`{}` is defined by itself: {path}", name(target));
    let (first, rest) = (steps[0], &steps[1..]);
    let label = |step: &Use<'_>| format!("uses {}", name(step.operator));
    let error = Diagnostic::new(first.document, first.span, message, label(first));
    rest.iter()
        .take(11)
        .fold(error, |error, step| error.also(step.document, step.span, label(step)))
}
