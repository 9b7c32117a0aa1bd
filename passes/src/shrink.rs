//! Small plans of the same class: what a certificate computes with instead of the true sizes.
//!
//! The placed plan itself is mapped, node for node, so that its structure is what is proven:
//! only extents, halo widths, tables and the mesh change, and the unplaced plan changes with it.
//!
//! 1. Every extent of both plans is a symbol; extents that must be equal are one (`link`).
//!    What reshapes, regroupings, concatenations, parts and spreads demand are equations.
//! 2. A symbol keeps its class (`class`): none, one or many elements; for every way in which the
//!    plan splits it whether a piece has none, one or many and whether all pieces are equal;
//!    whether each halo stays within a piece; powers of two where a Fourier transform needs one.
//! 3. Mesh axes shrink to a few ranks, halo widths to their order, symbols to small members of
//!    their class that solve the equations (`solve`), tables and weights to samples (`rewrite`).
//!
//! ```text
//! mesh r=300 c=2                         mesh r=3 c=2
//! let A = (i) <- (j) : f64[1024/r, 4096/c]    ⟶   let A = (i) <- (j) : f64[7/r, 4/c]
//! ```

mod class;
mod extents;
mod link;
mod nodes;
mod rewrite;
mod solve;

use crate::ir::Plan;
use crate::mesh::Mesh;
use class::{Halos, Wider};

/// How many different ways to shrink there are, most frugal first.
pub const ATTEMPTS: usize = WAYS.len();

/// The most ranks of an axis, and how halos are wider than their order demands.
const WAYS: [(usize, Wider); 7] = [
    (3, Wider { step: 1, more: 0 }),
    (3, Wider { step: 1, more: 1 }),
    (3, Wider { step: 2, more: 0 }),
    (3, Wider { step: 3, more: 0 }),
    (4, Wider { step: 1, more: 0 }),
    (4, Wider { step: 2, more: 0 }),
    (5, Wider { step: 2, more: 0 }),
];

/// A small pair: the unplaced and the placed plan.
pub struct Small {
    /// The unplaced plan.
    pub source: Plan,
    /// The placed plan.
    pub placed: Plan,
}

/// Shrinks a pair in one of the [`ATTEMPTS`] ways; else the nodes that stand in the way.
pub fn shrink(source: &Plan, placed: &Plan, attempt: usize) -> Result<Small, Vec<String>> {
    let (ranks, wider) = WAYS[attempt];
    let symbols = link::link(source, placed).map_err(|wrong| vec![wrong])?;
    let mesh = mesh(&placed.mesh, ranks);
    let halos = Halos::of(placed, wider);
    let classes = class::classes(placed, &symbols, &mesh, &halos);
    let sizes = solve::solve(&symbols, &classes)?;
    let writer = rewrite::Writer { symbols: &symbols, sizes: &sizes, halos: &halos };
    Ok(Small {
        source: writer.plan(source, 0, source.mesh.clone()),
        placed: writer.plan(placed, 1, mesh),
    })
}

fn mesh(mesh: &Mesh, most: usize) -> Mesh {
    Mesh { axes: mesh.axes.iter().map(|(name, n)| (name.clone(), (*n).min(most))).collect() }
}
