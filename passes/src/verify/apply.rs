//! Placements around a leaf: they follow from its tile and the factors of its rule.

use super::Outcome;
use super::compare::same_split;
use super::node::{At, ensure};
use crate::ir::{Applied, Leaf, Op, Value};
use crate::mesh::Axis;
use crate::placement::{Cut, Placement, Split};
use crate::signature::{Binding, Spread};
use std::collections::BTreeSet;
use std::sync::Arc;

/// How a dim with this binding is split when the leaf is tiled as it is.
///
/// Cut points are the tile's, carried over to the dim by the binding's spread.
/// A cut that is made here has no name.
pub fn induced_split(leaf: &Leaf, binding: &Binding) -> Split {
    let tile = &leaf.tile[binding.factor];
    let factor = &leaf.signature.rule.factors[binding.factor];
    let cut = match &tile.cut {
        _ if tile.axes.is_empty() => None,
        None if binding.spread == Spread::One => None,
        None => Some(Arc::new(Cut {
            name: String::new(),
            size: factor.size,
            weights: None,
            spread: binding.spread.clone(),
        })),
        Some(cut) if binding.spread == Spread::One => Some(cut.clone()),
        Some(cut) => {
            let at = |i| binding.spread.at(cut.spread.at(i));
            let spread = match cut.spread {
                Spread::One => binding.spread.clone(),
                _ => Spread::from_counts((0..cut.size).map(|i| at(i + 1) - at(i))),
            };
            Some(Arc::new(Cut { name: String::new(), spread, ..(**cut).clone() }))
        }
    };
    Split { axes: tile.axes.clone(), cut }
}

/// The leaf that a node applies, and whether its adjoint.
pub(super) fn applied_leaf<'a>(at: &At<'a>) -> Option<(&'a Leaf, bool)> {
    let Op::Apply(applied) = at.node.op else { return None };
    match applied {
        Applied::Term(_) => None,
        Applied::Leaf(leaf) => Some((&at.plan[leaf], false)),
        Applied::Adjoint(leaf) => Some((&at.plan[leaf], true)),
    }
}

/// A leaf or its adjoint at a node.
struct Applying<'a> {
    leaf: &'a Leaf,
    adjoint: bool,
    takes: &'a [Vec<Binding>],
    gives: &'a [Vec<Binding>],
}

/// A part on one side: its value and the bindings of its dims.
type Part<'a> = (Value, &'a [Binding]);

impl<'a> Applying<'a> {
    fn of(at: &At<'a>) -> Option<Self> {
        let (leaf, adjoint) = applied_leaf(at)?;
        let (domain, range) = (&leaf.signature.rule.domain, &leaf.signature.rule.range);
        let (takes, gives) = if adjoint { (range, domain) } else { (domain, range) };
        Some(Applying { leaf, adjoint, takes, gives })
    }

    fn name(&self) -> String {
        format!("{}{}", self.leaf.name, if self.adjoint { ".H" } else { "" })
    }

    fn args(&self, at: &At<'a>) -> impl Iterator<Item = Part<'a>> + use<'a> {
        at.node.args.iter().copied().zip(self.takes.iter().map(Vec::as_slice))
    }

    fn results(&self, at: &At<'a>) -> impl Iterator<Item = Part<'a>> + use<'a> {
        at.node.results.iter().copied().zip(self.gives.iter().map(Vec::as_slice))
    }

    /// The axes that split some factor.
    fn axes(&self) -> BTreeSet<Axis> {
        self.leaf.tile.iter().flat_map(|s| s.axes.iter().copied()).collect()
    }

    fn factor(&self, factor: usize) -> &str {
        &self.leaf.signature.rule.factors[factor].name
    }

    /// In how many parts of a side a factor occurs.
    fn occurs(parts: &[Vec<Binding>], factor: usize) -> usize {
        parts.iter().filter(|dims| dims.iter().any(|b| b.factor == factor)).count()
    }
}

/// `apply-tile`
pub(super) fn tile(at: &At) -> Outcome {
    let Some(apply) = Applying::of(at) else { return Ok(()) };
    for (value, dims) in apply.args(at).chain(apply.results(at)) {
        let ty = at.block.ty(value);
        for (d, binding) in dims.iter().enumerate() {
            let want = induced_split(apply.leaf, binding);
            ensure(same_split(&ty.placement.splits[d], &want, ty.dims[d]), || {
                let (factor, axes) = (apply.factor(binding.factor), at.names(&want.axes));
                format!(
                    "{} splits {factor} over [{axes}], so dim {d} of {} should be cut alike",
                    apply.name(),
                    at.say(value)
                )
            })?;
        }
    }
    Ok(())
}

/// `apply-batch`
pub(super) fn batch(at: &At) -> Outcome {
    let Some(apply) = Applying::of(at) else { return Ok(()) };
    let tile = apply.axes();
    let mut parts = apply.args(at).chain(apply.results(at));
    let Some((first, bound)) = parts.next() else { return Ok(()) };
    let ty = at.block.ty(first);
    let (dims, want) = (&ty.dims[bound.len()..], &ty.placement.splits[bound.len()..]);
    ensure(!want.iter().flat_map(|s| &s.axes).any(|a| tile.contains(a)), || {
        format!("the batch of {} is split over an axis of {}", at.say(first), apply.name())
    })?;
    for (value, bound) in parts {
        let have = &at.block.ty(value).placement.splits[bound.len()..];
        ensure(super::compare::same_splits(have, want, dims), || {
            format!("the batches of {} and {} should be split alike", at.say(first), at.say(value))
        })?;
    }
    Ok(())
}

/// `apply-ghosts`
///
/// A rank works on the range that it owns and on its ghosts there. Forward it reads that range and
/// the halo around it. An adjoint gathers what the range reaches from inside, which makes elements
/// whole that lie a halo within it, or scatters what it owns into dual ghosts as deep as the halo.
pub(super) fn ghosts(at: &At) -> Outcome {
    let Some(apply) = Applying::of(at) else { return Ok(()) };
    let scatters = at.results().any(|ty| ty.placement.dual);
    let (range, domain): (Vec<_>, Vec<_>) = if apply.adjoint {
        (apply.args(at).collect(), apply.results(at).collect())
    } else {
        (apply.results(at).collect(), apply.args(at).collect())
    };
    let types: Vec<_> = range.iter().map(|(value, _)| at.block.ty(*value)).collect();
    let extension = apply.leaf.extension(&types);
    let mut wrong: Option<(Value, Vec<Reach>)> = None;
    let mut judge = |value: Value, dims: &[Binding], want: &dyn Fn(&Binding) -> Reach| {
        let p = &at.block.ty(value).placement;
        let wants: Vec<_> = (0..p.ghosts.len())
            .map(|d| match dims.get(d) {
                Some(b) if !apply.leaf.tile[b.factor].axes.is_empty() => want(b),
                Some(_) | None => Reach::Exactly((0, 0)),
            })
            .collect();
        let dual = wants.iter().any(|w| matches!(w, Reach::Dual(halo) if *halo != (0, 0)));
        let fits = wants.iter().zip(&p.ghosts).all(|(want, have)| want.holds(*have));
        if wrong.is_none() && !(fits && p.dual == dual) {
            wrong = Some((value, wants));
        }
    };
    for (value, dims) in range {
        judge(value, dims, &|b| {
            let most =
                if scatters || b.spread != Spread::One { (0, 0) } else { extension[b.factor] };
            Reach::Exactly(most)
        });
    }
    for (value, dims) in domain {
        judge(value, dims, &|b| {
            let (lo, hi) = extension[b.factor];
            match (b.spread == Spread::One, apply.adjoint, scatters) {
                (false, ..) if (lo, hi) == (0, 0) => Reach::Exactly((0, 0)),
                (false, ..) => Reach::Ragged,
                (true, false, _) => Reach::Least((lo + b.halo.0, hi + b.halo.1)),
                (true, true, true) => Reach::Dual(b.halo),
                (true, true, false) => {
                    let inside = (lo.checked_sub(b.halo.1), hi.checked_sub(b.halo.0));
                    match inside {
                        (Some(lo), Some(hi)) => Reach::Most((lo, hi)),
                        _ => Reach::Nowhere(b.halo),
                    }
                }
            }
        });
    }
    ensure(wrong.is_none(), || {
        let Some((value, wants)) = wrong else { return String::new() };
        let wants: Vec<_> = wants.iter().map(Reach::text).collect();
        format!("{} should have {} for {}", at.say(value), wants.join(", "), apply.name())
    })
}

/// How deep the ghosts of a dim should be.
enum Reach {
    Exactly((usize, usize)),
    Least((usize, usize)),
    Most((usize, usize)),
    /// Contributions, as deep as the halo.
    Dual((usize, usize)),
    /// The range lacks ghosts that such a halo reaches into from what is owned.
    Nowhere((usize, usize)),
    /// The range has ghosts, and elements of this dim belong to values of a factor unevenly.
    Ragged,
}

impl Reach {
    fn holds(&self, have: (usize, usize)) -> bool {
        match *self {
            Reach::Exactly(want) | Reach::Dual(want) => have == want,
            Reach::Least(want) => want.0 <= have.0 && want.1 <= have.1,
            Reach::Most(want) => have.0 <= want.0 && have.1 <= want.1,
            Reach::Nowhere(_) | Reach::Ragged => false,
        }
    }

    fn text(&self) -> String {
        match *self {
            Reach::Exactly((lo, hi)) => format!("valid ghosts {lo}:{hi}"),
            Reach::Least((lo, hi)) => format!("valid ghosts {lo}:{hi} at least"),
            Reach::Most((lo, hi)) => format!("valid ghosts {lo}:{hi} at most"),
            Reach::Dual((lo, hi)) => format!("dual ghosts {lo}:{hi}"),
            Reach::Nowhere((lo, hi)) => {
                format!("dual ghosts {lo}:{hi}, or {hi}:{lo} valid ones before")
            }
            Reach::Ragged => "no ghosts on the other side".into(),
        }
    }
}

/// `apply-pending`
pub(super) fn pending(at: &At) -> Outcome {
    let Some(apply) = Applying::of(at) else { return Ok(()) };
    let before = at.args().next().map_or(&[][..], |t| &t.placement.pending);
    let tile = apply.axes();
    for (value, _) in apply.args(at) {
        let Placement { pending, .. } = &at.block.ty(value).placement;
        ensure(pending == before, || {
            format!("{} should be pending over [{}]", at.say(value), at.names(before))
        })?;
        ensure(!pending.iter().any(|a| tile.contains(a)), || {
            format!("{} is pending over an axis that splits {}", at.say(value), apply.name())
        })?;
    }
    let summed =
        |f: &usize| Applying::occurs(apply.takes, *f) > 0 && Applying::occurs(apply.gives, *f) == 0;
    let contracted = (0..apply.leaf.tile.len()).filter(summed);
    let contracted = contracted.flat_map(|f| apply.leaf.tile[f].axes.iter().copied());
    let want: BTreeSet<_> = before.iter().copied().chain(contracted).collect();
    for (value, _) in apply.results(at) {
        let have = &at.block.ty(value).placement.pending;
        ensure(have.iter().eq(&want), || {
            let want: Vec<_> = want.iter().copied().collect();
            let (axes, name) = (at.names(&want), apply.name());
            format!("{name} makes {} a pending sum over [{axes}]", at.say(value))
        })?;
    }
    Ok(())
}

/// `apply-sums`
///
/// A rule does not say which part depends on which.
/// A sum over a split factor is sure if every part taken is split by it; that there is none is sure
/// if every part given is split by it, or no part taken is.
pub(super) fn sums(at: &At) -> Outcome {
    let Some(apply) = Applying::of(at) else { return Ok(()) };
    let split = (0..apply.leaf.tile.len()).filter(|&f| !apply.leaf.tile[f].axes.is_empty());
    for f in split {
        let takes = Applying::occurs(apply.takes, f);
        let clear = match Applying::occurs(apply.gives, f) {
            0 => takes == apply.takes.len(),
            n => n == apply.gives.len() || takes == 0,
        };
        ensure(clear, || {
            let (name, factor) = (apply.name(), apply.factor(f));
            format!("{name} splits {factor}, which not all of its parts have, so sums are unclear")
        })?;
    }
    Ok(())
}
