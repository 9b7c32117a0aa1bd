//! Types, dims and shapes.

use super::{Cursor, Fault, Read, Reader};
use crate::dtype::Dtype;
use crate::mesh::Axis;
use crate::placement::{Cut, Placement, Space, Split, Type};
use std::sync::Arc;

/// Takes an element type.
pub(super) fn dtype(line: &mut Cursor) -> Read<Dtype> {
    let fault = line.fault("an element type (f32, f64, c64, c128)");
    let word = line.word("an element type (f32, f64, c64, c128)")?;
    Dtype::ALL.into_iter().find(|d| d.to_string() == word).ok_or(fault)
}

/// Takes `[n, ..]`.
pub(super) fn shape(line: &mut Cursor) -> Read<Vec<usize>> {
    let mut dims = Vec::new();
    line.expect("[")?;
    line.list("]", |line| {
        dims.push(line.number("a size")?);
        Ok(())
    })?;
    Ok(dims)
}

/// Takes as many shapes as there are.
pub(super) fn shapes(line: &mut Cursor) -> Read<Vec<Vec<usize>>> {
    let mut shapes = Vec::new();
    while line.sees("[") {
        shapes.push(shape(line)?);
    }
    Ok(shapes)
}

impl Reader {
    /// Takes the name of an axis of the mesh.
    pub(super) fn axis(&self, line: &mut Cursor) -> Read<Axis> {
        let fault = line.fault("an axis of the mesh");
        self.plan.mesh.axis(line.word("an axis of the mesh")?).ok_or(fault)
    }

    /// Takes one axis, or several in parentheses.
    pub(super) fn axes(&self, line: &mut Cursor) -> Read<Vec<Axis>> {
        let mut axes = Vec::new();
        if !line.eat("(") {
            return Ok(vec![self.axis(line)?]);
        }
        line.list(")", |line| {
            axes.push(self.axis(line)?);
            Ok(())
        })?;
        Ok(axes)
    }

    /// Takes the name of a cut.
    pub(super) fn cut_name(&self, line: &mut Cursor) -> Read<Arc<Cut>> {
        let fault = line.fault("a cut that is declared above");
        let name = line.name("a cut that is declared above")?;
        self.cuts.get(&name).cloned().ok_or(fault)
    }

    /// Takes `n`, `n/r`, `n/(c,r)` or `n/r@q`.
    pub(super) fn dim(&self, line: &mut Cursor) -> Read<(usize, Split)> {
        let n = line.number("a size")?;
        let mut split = Split::none();
        if line.eat("/") {
            split.axes = self.axes(line)?;
            if line.eat("@") {
                split.cut = Some(self.cut_name(line)?);
            }
        }
        Ok((n, split))
    }

    /// Takes a type.
    pub(super) fn ty(&self, line: &mut Cursor) -> Read<Type> {
        let dtype = dtype(line)?;
        let mut dims = Vec::new();
        let mut placement = Placement::default();
        let mut duals = 0;
        let mut ghosts = 0;
        line.expect("[")?;
        line.list("]", |line| {
            let (n, split) = self.dim(line)?;
            dims.push(n);
            placement.splits.push(split);
            let mut depth = (0, 0);
            if line.eat("~") {
                duals += usize::from(line.eat("+"));
                ghosts += 1;
                depth = depths(line)?;
            }
            placement.ghosts.push(depth);
            Ok(())
        })?;
        if duals != 0 && duals != ghosts {
            return Err(Fault::new(line.at(), "ghost contributions (`~+`) in all dims or in none"));
        }
        placement.dual = duals != 0;
        while line.eat("+") {
            placement.pending.push(self.axis(line)?);
        }
        if line.eat("@") {
            line.expect("dev")?;
            placement.space = Space::Device;
        }
        Ok(Type { dims, dtype, placement })
    }
}

/// Takes `lo:hi`.
pub(super) fn depths(line: &mut Cursor) -> Read<(usize, usize)> {
    let lo = line.number("cells below")?;
    line.expect(":")?;
    Ok((lo, line.number("cells above")?))
}
