//! What a node takes and gives under the choices of all variables.

use super::{Choice, Search, Sides, User, Variable, applied};
use crate::ir::{Node, Op, Value};
use crate::placement::{Placement, Type};

impl Search<'_> {
    /// What a node takes and gives under the choices of all variables.
    pub(super) fn sides(&self, b: usize, n: usize, choice: &Choice<'_>) -> Sides {
        let block = &self.plan.blocks[b];
        let node = &block.nodes[n];
        let types = |vs: &[Value]| vs.iter().map(|&v| block.ty(v)).collect::<Vec<_>>();
        let (args, results) = (types(&node.args), types(&node.results));
        if let Some((leaf, adjoint)) = applied(node) {
            let v = leaf.0 as usize;
            let Variable::Leaf(tiles) = &self.variables[v] else {
                unreachable!("leaves come first")
            };
            return self.apply_sides(leaf, adjoint, &tiles[choice(v)], (&args, &results));
        }
        let whole = |ty: &&Type| Placement::replicated(ty.dims.len());
        let Some(v) = self.ties.nodes[b][n] else {
            return Sides {
                args: args.iter().map(whole).collect(),
                results: results.iter().map(whole).collect(),
            };
        };
        match &self.variables[v] {
            Variable::Leaf(_) => unreachable!("only applications choose tiles"),
            Variable::Pair(pairs) => {
                let (from, to) = &pairs[choice(v)];
                Sides {
                    args: vec![from.clone(); args.len()],
                    results: vec![to.clone(); results.len()],
                }
            }
            Variable::Class(options) => class_sides(node, &args, &results, &options[choice(v)]),
        }
    }

    /// The placement in which a user wants a value.
    pub(super) fn wanted(&self, b: usize, user: User, choice: &Choice<'_>) -> Placement {
        match user {
            User::Node(n, k) => self.sides(b, n, choice).args[k].clone(),
            User::Return(k) => self.handed(b, k, choice),
        }
    }

    pub(super) fn handed(&self, b: usize, k: usize, choice: &Choice<'_>) -> Placement {
        let ty = self.plan.blocks[b].ty(self.plan.blocks[b].returns[k].value);
        match self.ties.returns[b][k] {
            None => Placement::replicated(ty.dims.len()),
            Some(v) => match &self.variables[v] {
                Variable::Class(options) => options[choice(v)].clone(),
                Variable::Pair(pairs) => pairs[choice(v)].1.clone(),
                Variable::Leaf(_) => Placement::replicated(ty.dims.len()),
            },
        }
    }

    /// The type in which a node makes a value.
    pub(super) fn made(&self, b: usize, n: usize, value: Value, choice: &Choice<'_>) -> Type {
        let block = &self.plan.blocks[b];
        let at = block.nodes[n].results.iter().position(|&r| r == value).unwrap_or(0);
        block.ty(value).placed(self.sides(b, n, choice).results[at].clone())
    }
}

/// What a node of a class takes and gives if the class works on this placement.
fn class_sides(node: &Node, args: &[&Type], results: &[&Type], p: &Placement) -> Sides {
    let whole = |ty: &&Type| Placement::replicated(ty.dims.len());
    let tail = || Placement {
        splits: p.splits[1..].to_vec(),
        ghosts: p.ghosts[1..].to_vec(),
        ..p.clone()
    };
    let split = p.split_axes();
    match &node.op {
        Op::Dot { columns, .. } => {
            let first = p.splits.len() - columns;
            let mut out = Placement::replicated(*columns);
            out.splits = p.splits[first..].to_vec();
            out.pending = p.splits[..first].iter().flat_map(|s| s.axes.clone()).collect();
            out.pending.sort_unstable();
            Sides { args: vec![p.clone(); 2], results: vec![out] }
        }
        Op::Reduce(_) => {
            Sides { args: vec![p.clone()], results: results.iter().map(whole).collect() }
        }
        Op::Take => {
            Sides { args: vec![p.clone(), Placement::replicated(0)], results: vec![tail()] }
        }
        Op::Put => Sides {
            args: vec![p.clone(), Placement::replicated(0), tail()],
            results: vec![p.clone()],
        },
        Op::Combine => {
            Sides { args: vec![Placement::replicated(1), p.clone()], results: vec![tail()] }
        }
        Op::Dots => {
            let out = Placement { pending: split, ..Placement::replicated(1) };
            Sides { args: vec![p.clone(), tail()], results: vec![out] }
        }
        _ => {
            let out = &results[0].dims;
            let arg = |ty: &&Type| {
                if ty.dims == *out { p.clone() } else { trailing(p, ty.dims.len()) }
            };
            Sides { args: args.iter().map(arg).collect(), results: vec![p.clone()] }
        }
    }
}

/// The placement of a value that repeats along the leading dims of another.
fn trailing(p: &Placement, rank: usize) -> Placement {
    let first = p.splits.len().saturating_sub(rank);
    Placement { splits: p.splits[first..].to_vec(), ..Placement::replicated(rank) }
}
