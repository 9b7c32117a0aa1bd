//! Shapes and element types of sources, linear maps, operators, dots and communication.

use super::Outcome;
use super::apply::applied_leaf;
use super::compare::same_type;
use super::node::{At, ensure};
use crate::dtype::Dtype;
use crate::ir::{Applied, Op};
use crate::placement::Type;
use crate::spectrum;
use crate::terms;

/// `slot-types`
pub(super) fn slot(at: &At) -> Outcome {
    let Op::Slot(id) = at.node.op else { return Ok(()) };
    let (slot, ty) = (&at.plan[id], at.result(0));
    ensure(slot.dtype.is_double(), || format!("slot {} is {}", slot.name, slot.dtype))?;
    ensure(ty.dims.is_empty() && ty.dtype == slot.dtype && ty.placement.is_replicated(), || {
        let (have, want) = (at.say_result(0), slot.dtype);
        format!("slot {} is a replicated {want} scalar and {have} is not", slot.name)
    })
}

/// `get-types`
pub(super) fn get(at: &At) -> Outcome {
    let Op::Get(id) = at.node.op else { return Ok(()) };
    let state = &at.plan.states[id as usize];
    ensure(same_type(&state.ty, at.result(0)), || {
        let ty = state.ty.text(&at.plan.mesh);
        format!("{} should have the type of state {}, {ty}", at.say_result(0), state.name)
    })
}

/// `elementwise-types`
pub(super) fn elementwise(at: &At) -> Outcome {
    let out = at.result(0);
    for k in 0..at.node.args.len() {
        let arg = at.arg(k);
        let alike = arg.dims == out.dims && (arg.dtype == out.dtype || at.node.op == Op::Cast);
        ensure(alike, || {
            format!("{} and {} should have one shape and type", at.say_arg(k), at.say_result(0))
        })?;
    }
    Ok(())
}

/// `projection-leaves`
pub(super) fn projection(at: &At) -> Outcome {
    let Op::Project(projection) = &at.node.op else { return Ok(()) };
    let known = spectrum::projection(at.plan, &projection.onto);
    ensure(known.as_ref() == Some(projection), || {
        "it projects onto what its operators have no law for".into()
    })?;
    let out = at.result(0);
    let range = projection.onto.first().map(|&l| &at.plan[l].signature.range[0]);
    let fits = out.dtype.is_complex() && range.is_some_and(|dims| out.dims.starts_with(dims));
    ensure(fits, || format!("{} should be complex, of the range", at.say_result(0)))
}

/// `scale-types`
pub(super) fn scale(at: &At) -> Outcome {
    let (a, x, out) = (at.arg(0), at.arg(1), at.result(0));
    ensure(a.dtype.is_double() && x.dims.ends_with(&a.dims), || {
        let (a, x) = (at.say_arg(0), at.say_arg(1));
        format!("{a} should be double and a scalar, or have the trailing dims of {x}")
    })?;
    let dtype = x.dtype.promote_weak(a.dtype.is_complex());
    ensure(out.dims == x.dims && out.dtype == dtype, || {
        format!("{} should have the dims of {} and be {dtype}", at.say_result(0), at.say_arg(1))
    })?;
    let added = at.args().nth(2);
    ensure(added.is_none_or(|y| y.same_shape(out)), || {
        format!("{} should have the shape and type of {}", at.say_arg(2), at.say_result(0))
    })
}

/// `apply-types`
pub(super) fn apply(at: &At) -> Outcome {
    let Some((leaf, adjoint)) = applied_leaf(at) else { return Ok(()) };
    let s = &leaf.signature;
    let vector = at.args().map(|t| t.dtype).reduce(Dtype::promote).unwrap_or(s.dtype);
    let (domain, range) = s.types(vector);
    let sides = [(&s.domain, domain), (&s.range, range)];
    let [(takes, from), (gives, to)] = if adjoint { [sides[1], sides[0]] } else { sides };
    let first = at.args().zip(takes).chain(at.results().zip(gives)).next();
    let batch = first.map_or(&[][..], |(t, dims)| t.dims.get(dims.len()..).unwrap_or_default());
    let what = if adjoint { format!("{}.H", leaf.name) } else { leaf.name.clone() };
    for (k, dims) in takes.iter().enumerate() {
        ensure(fits(at.arg(k), dims, batch, from), || {
            let want = [dims, batch].concat();
            format!("{what} takes {from}{want:?} as part {k} and is given {}", at.say_arg(k))
        })?;
    }
    for (k, dims) in gives.iter().enumerate() {
        ensure(fits(at.result(k), dims, batch, to), || {
            let want = [dims, batch].concat();
            format!("{what} gives {to}{want:?} as part {k}, which {} is not", at.say_result(k))
        })?;
    }
    Ok(())
}

fn fits(ty: &Type, dims: &[usize], batch: &[usize], dtype: Dtype) -> bool {
    ty.dtype == dtype && ty.dims.strip_prefix(dims) == Some(batch)
}

/// `term-types`
pub(super) fn term(at: &At) -> Outcome {
    let Op::Apply(Applied::Term(term)) = at.node.op else { return Ok(()) };
    let args: Vec<_> = at.args().cloned().collect();
    let want =
        terms::results(at.plan, term, &args).map_err(|wrong| format!("term {} {wrong}", term.0))?;
    let (gives, have) = (want.len(), at.node.results.len());
    ensure(gives == have, || format!("term {} gives {gives} parts, not {have}", term.0))?;
    for (k, want) in want.iter().enumerate() {
        ensure(at.result(k).same_shape(want), || {
            let text = want.text(&at.plan.mesh);
            format!("term {} gives {text} as part {k}, which {} is not", term.0, at.say_result(k))
        })?;
    }
    Ok(())
}

/// `dot-types`
pub(super) fn dot(at: &At) -> Outcome {
    let Op::Dot { columns, real } = at.node.op else { return Ok(()) };
    let (x, out) = (at.arg(0), at.result(0));
    ensure(x.same_shape(at.arg(1)), || {
        format!("{} and {} should have one shape and type", at.say_arg(0), at.say_arg(1))
    })?;
    let kept = x.dims.len().checked_sub(columns);
    let kept = kept.ok_or_else(|| format!("{} has no {columns} columns", at.say_arg(0)))?;
    let dtype = Dtype::new(x.dtype.is_complex() && !real, true);
    ensure(out.dims == x.dims[kept..] && out.dtype == dtype, || {
        format!("{} should be {dtype}{:?}", at.say_result(0), &x.dims[kept..])
    })
}

/// `communication-types`
pub(super) fn communication(at: &At) -> Outcome {
    for k in 0..at.node.args.len() {
        ensure(at.arg(k).same_shape(at.result(k)), || {
            format!("{} should have the shape and type of {}", at.say_result(k), at.say_arg(k))
        })?;
        let alike = at.arg(k).dtype.is_double() == at.arg(0).dtype.is_double();
        ensure(alike || at.node.op != Op::HaloSum, || {
            format!("{} and {} differ in precision", at.say_arg(0), at.say_arg(k))
        })?;
    }
    Ok(())
}
