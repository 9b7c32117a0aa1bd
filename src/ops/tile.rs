//! What the local operators share: the boxes of a tile, typed views of patches, reads of sources.
//!
//! A [`Kernel`] is the arithmetic of one part to one part; [`local`] makes it a local operator,
//! which checks that patches hold what the tile needs.
//! A kernel of real elements is also that of complex vectors: its views are of twice as many
//! reals, and the factor of two belongs to the view's `group`.

use super::{
    Elementwise, LocalOperator, OperatorError, Panels, Patch, PatchMut, Slice, SliceMut, Tile,
};
use crate::data::{self, Source};
use crate::elements::Element;
use adjoin_kernels::host::Acc;
use adjoin_kernels::host::index::Window;
use adjoin_kernels::host::star::Sums;
use adjoin_passes::placement::Region;
use adjoin_passes::signature::{Binding, Rule};
use adjoin_passes::{Dtype, Signature};
use std::ops::Range;
use std::sync::Arc;

impl Tile {
    /// The tile that is the whole operator, for vectors of type `vector`.
    pub fn whole(signature: &Signature, vector: Dtype) -> Tile {
        let (domain, range) = signature.types(vector);
        let factors = signature.rule.factors.iter().map(|f| 0..f.size).collect();
        Tile { factors, domain, range, rank: 0 }
    }

    /// The indices of a part of the domain that the tile reads, ghost cells included.
    pub fn domain_box(&self, rule: &Rule, part: usize) -> Region {
        let owned: Vec<_> = rule.domain[part].iter().map(|b| self.interval(b)).collect();
        if owned.iter().any(Range::is_empty) {
            return owned;
        }
        let widen = |(own, b): (Range<usize>, &Binding)| {
            own.start.saturating_sub(b.halo.0)..(own.end + b.halo.1).min(rule.extent(b))
        };
        owned.into_iter().zip(&rule.domain[part]).map(widen).collect()
    }

    /// The indices of a part of the range that the tile makes.
    pub fn range_box(&self, rule: &Rule, part: usize) -> Region {
        rule.range[part].iter().map(|b| self.interval(b)).collect()
    }

    fn interval(&self, binding: &Binding) -> Range<usize> {
        let indices = &self.factors[binding.factor];
        binding.spread.at(indices.start)..binding.spread.at(indices.end)
    }

    /// The type of arithmetic with operator data of this type: real data stay real.
    pub(super) fn arithmetic(&self, own: Dtype) -> Dtype {
        if own.is_complex() { self.domain } else { self.domain.real() }
    }
}

/// Elements of a part to read, as `T`.
pub(super) struct View<'a, T> {
    pub data: &'a [T],
    /// The indices held in each dim of the signature.
    pub held: &'a [Range<usize>],
    /// Elements of `T` for each index: the batch, twice that for reals of complex numbers.
    pub group: usize,
}

/// Elements of a part to write, as `T`.
pub(super) struct ViewMut<'a, T> {
    pub data: &'a mut [T],
    pub held: &'a [Range<usize>],
    pub group: usize,
}

impl<T> View<'_, T> {
    /// Elements of each index of the dims before `dim`.
    pub fn inner(&self, dim: usize) -> usize {
        volume(&self.held[dim..]) * self.group
    }
}

impl<T> ViewMut<'_, T> {
    /// Elements of each index of the dims before `dim`.
    pub fn inner(&self, dim: usize) -> usize {
        volume(&self.held[dim..]) * self.group
    }
}

/// The number of indices of a box.
pub(super) fn volume(held: &[Range<usize>]) -> usize {
    held.iter().map(Range::len).product()
}

/// The lengths of a box.
pub(super) fn lens(held: &[Range<usize>]) -> Vec<usize> {
    held.iter().map(Range::len).collect()
}

/// An axis of a box as kernels take it.
pub(super) fn window(held: &Range<usize>) -> Window {
    Window { start: held.start, len: held.len() }
}

/// The arithmetic of a tile with one part on either side.
pub(super) trait Kernel: Send {
    /// Elements of the domain.
    type X: Element;
    /// Elements of the range.
    type Y: Element;

    fn forward(&mut self, x: View<Self::X>, y: ViewMut<Self::Y>, acc: Acc);

    fn adjoint(&mut self, y: View<Self::Y>, x: ViewMut<Self::X>, acc: Acc);

    /// The kernel in panels, if it has them.
    fn panels(&self) -> Option<Arc<dyn Panels>> {
        None
    }

    /// Whether `adjoint` leaves out what it contributes to elements that are not held.
    fn gathers(&self) -> bool {
        false
    }

    /// The only dim along which patches may hold more than the tile needs; none if any may be it.
    fn axis(&self) -> Option<usize> {
        None
    }

    /// Whether there is a way to apply the kernel and its adjoint without keeping what lies
    /// between.
    fn has_normal(&self) -> bool {
        false
    }

    /// The adjoint of the kernel's result; `rows` are the indices of that.
    fn normal(
        &mut self,
        _x: View<Self::X>,
        _rows: &[Range<usize>],
        _z: ViewMut<Self::X>,
        _how: (Acc, Sums),
    ) {
    }

    /// The kernel element by element, if each follows from its own one.
    fn elements(&self) -> Option<Arc<dyn Elementwise>> {
        None
    }
}

/// The arithmetic of single elements, in either direction.
pub(super) trait Each: Send + Sync {
    /// The elements.
    type X: Element;

    /// Elements of `group` numbers each, the first of which is `start`.
    fn each(&self, adjoint: bool, start: usize, group: usize, x: &[Self::X], y: &mut [Self::X]);

    /// What each element is multiplied by, if that is all.
    fn weights(&self) -> Option<&[Self::X]> {
        None
    }
}

/// A kernel and the boxes that its patches have.
struct Local<K> {
    kernel: K,
    kind: String,
    domain: Region,
    range: Region,
    /// Whether the domain's patches may hold more than the tile needs.
    widens: bool,
}

/// The local operator of a kernel.
pub(super) fn local<K: Kernel + 'static>(
    signature: &Signature,
    tile: &Tile,
    kernel: K,
) -> Box<dyn LocalOperator> {
    let rule = &signature.rule;
    Box::new(Local {
        kernel,
        kind: signature.kind.clone(),
        domain: tile.domain_box(rule, 0),
        range: tile.range_box(rule, 0),
        widens: rule.domain[0].iter().any(|b| b.halo != (0, 0)),
    })
}

impl<K: Kernel> Local<K> {
    fn check(
        &self,
        (domain, windows): (&[Range<usize>], Windows),
        range: &[Range<usize>],
    ) -> Result<(), OperatorError> {
        let side = |name, needed: &Region, held: &[Range<usize>], windows| {
            if self.holds(held, needed, windows) {
                return Ok(());
            }
            let message = format!("its {name} is {held:?} where the tile needs {needed:?}");
            Err(OperatorError(format!("{}: {message}", self.kind)))
        };
        side("domain", &self.domain, domain, windows)?;
        side("range", &self.range, range, Windows::Same)
    }
}

/// Which boxes a patch may have.
#[derive(Clone, Copy)]
enum Windows {
    /// The box that the tile needs.
    Same,
    /// One that holds it.
    Wider,
    /// Any.
    Any,
}

impl<K: Kernel> Local<K> {
    fn holds(&self, held: &[Range<usize>], needed: &[Range<usize>], windows: Windows) -> bool {
        let mut pairs = held.iter().zip(needed).enumerate();
        let covers = |(dim, (held, needed)): (usize, (&Range<usize>, &Range<usize>))| match windows
        {
            Windows::Any => true,
            Windows::Wider if self.is_loose(dim) => {
                held.start <= needed.start && needed.end <= held.end
            }
            Windows::Wider | Windows::Same => held == needed,
        };
        volume(needed) == 0 || pairs.all(covers)
    }

    /// Whether patches may hold more along a dim, if they may somewhere.
    fn is_loose(&self, dim: usize) -> bool {
        self.kernel.axis().is_none_or(|axis| axis == dim)
    }

    /// What the adjoint may be gathered into.
    fn gathered(&self) -> Windows {
        match (self.widens, self.kernel.gathers()) {
            (_, true) => Windows::Any,
            (true, false) => Windows::Wider,
            (false, false) => Windows::Same,
        }
    }
}

impl<K: Kernel> LocalOperator for Local<K> {
    fn forward(
        &mut self,
        x: &[Patch<'_>],
        y: &mut [PatchMut<'_>],
        acc: Acc,
    ) -> Result<(), OperatorError> {
        let (x, y) = (view(x, &self.domain)?, view_mut(y, &self.range)?);
        let windows = if self.widens { Windows::Wider } else { Windows::Same };
        self.check((x.held, windows), y.held)?;
        self.kernel.forward(x, y, acc);
        Ok(())
    }

    fn adjoint(
        &mut self,
        y: &[Patch<'_>],
        x: &mut [PatchMut<'_>],
        acc: Acc,
    ) -> Result<(), OperatorError> {
        let (y, x) = (view(y, &self.range)?, view_mut(x, &self.domain)?);
        self.check((x.held, self.gathered()), y.held)?;
        self.kernel.adjoint(y, x, acc);
        Ok(())
    }

    fn panels(&self) -> Option<Arc<dyn Panels>> {
        self.kernel.panels()
    }

    fn takes_windows(&self, adjoint: bool, dim: usize) -> bool {
        if adjoint { self.kernel.gathers() } else { self.widens && self.is_loose(dim) }
    }

    fn has_normal(&self) -> bool {
        self.kernel.has_normal()
    }

    fn normal(
        &mut self,
        x: &[Patch<'_>],
        z: &mut [PatchMut<'_>],
        acc: Acc,
        sums: Sums,
    ) -> Result<(), OperatorError> {
        let (x, z) = (view(x, &self.domain)?, view_mut(z, &self.domain)?);
        let windows = if self.widens { Windows::Wider } else { Windows::Same };
        self.check((x.held, windows), &self.range)?;
        self.check((z.held, self.gathered()), &self.range)?;
        self.kernel.normal(x, &self.range, z, (acc, sums));
        Ok(())
    }

    fn elements(&self) -> Option<Arc<dyn Elementwise>> {
        self.kernel.elements()
    }
}

impl<K: Each> Elementwise for K {
    fn apply(
        &self,
        adjoint: bool,
        start: usize,
        columns: usize,
        x: Slice<'_>,
        y: SliceMut<'_>,
    ) -> Result<(), OperatorError> {
        let (dtype, len) = (x.dtype(), x.len().max(1));
        let complex = <K::X as adjoin_kernels::host::Scalar>::COMPLEX;
        let x = K::X::of(if complex { x } else { x.reals() });
        let y = K::X::of_mut(if complex { y } else { y.reals() });
        let (Some(x), Some(y)) = (x, y) else {
            return Err(wrong_type(dtype, K::X::DTYPE));
        };
        self.each(adjoint, start, x.len() / len * columns, x, y);
        Ok(())
    }

    fn weights(&self) -> Option<Slice<'_>> {
        Each::weights(self).map(Element::slice)
    }
}

/// The only part, as elements of `T`, with as many dims as `like`.
fn view<'a, T: Element>(
    patches: &[Patch<'a>],
    like: &Region,
) -> Result<View<'a, T>, OperatorError> {
    let [patch] = patches else { return Err(one_part(patches.len())) };
    let dtype = patch.data.dtype();
    let data = T::of(if T::COMPLEX { patch.data } else { patch.data.reals() });
    let data = data.ok_or_else(|| wrong_type(dtype, T::DTYPE))?;
    let (held, group) = grouped::<T>(patch.held, like.len(), dtype, data.len())?;
    Ok(View { data, held, group })
}

fn view_mut<'a, T: Element>(
    patches: &'a mut [PatchMut<'_>],
    like: &Region,
) -> Result<ViewMut<'a, T>, OperatorError> {
    let parts = patches.len();
    let [patch] = patches else { return Err(one_part(parts)) };
    let dtype = patch.data.dtype();
    let data = patch.data.reborrow();
    let data = T::of_mut(if T::COMPLEX { data } else { data.reals() });
    let data = data.ok_or_else(|| wrong_type(dtype, T::DTYPE))?;
    let (held, group) = grouped::<T>(patch.held, like.len(), dtype, data.len())?;
    Ok(ViewMut { data, held, group })
}

/// Divides the dims of a patch into those of the signature and the batch.
fn grouped<T: Element>(
    held: &[Range<usize>],
    dims: usize,
    dtype: Dtype,
    len: usize,
) -> Result<(&[Range<usize>], usize), OperatorError> {
    let parts = if T::COMPLEX || !dtype.is_complex() { 1 } else { 2 };
    let Some((own, batch)) = held.split_at_checked(dims) else {
        return Err(OperatorError(format!("a patch has {} dims instead of {dims}", held.len())));
    };
    let group = volume(batch) * parts;
    if volume(own) * group != len {
        let held = lens(held);
        return Err(OperatorError(format!("a patch of {held:?} has {} elements", len / parts)));
    }
    Ok((own, group))
}

fn one_part(found: usize) -> OperatorError {
    OperatorError(format!("an operator of one part was given {found}"))
}

pub(super) fn wrong_type(found: Dtype, needed: Dtype) -> OperatorError {
    OperatorError(format!("a tile that was built for {needed} elements was given {found} ones"))
}

/// The elements of a box of the source.
pub(super) fn read<T: Element>(
    kind: &str,
    source: &Source,
    held: &[Range<usize>],
) -> Result<Vec<T>, OperatorError> {
    let start: Vec<usize> = held.iter().map(|r| r.start).collect();
    let region = data::Region::new(start, lens(held));
    source.read_vec(&region).map_err(|error| OperatorError(format!("{kind}: {error}")))
}

/// The source in the type that the user asked for.
pub(super) fn cast(
    kind: &str,
    source: Source,
    dtype: Option<Dtype>,
) -> Result<Source, OperatorError> {
    let Some(dtype) = dtype else { return Ok(source) };
    source.cast(dtype).map_err(|error| OperatorError(format!("{kind}: {error}")))
}

/// Real arithmetic operations of a complex or a real multiplication and addition.
pub(super) fn flops(dtype: Dtype) -> f64 {
    if dtype.is_complex() { 8.0 } else { 2.0 }
}

/// The elements of an array of these dims, as a cost.
pub(super) fn count(dims: &[usize]) -> f64 {
    dims.iter().map(|&n| n as f64).product()
}

/// Runs an expression with `$t` as the element type of that name.
macro_rules! typed {
    ($dtype:expr, $t:ident => $body:expr) => {
        match $dtype {
            adjoin_passes::Dtype::F32 => {
                type $t = f32;
                $body
            }
            adjoin_passes::Dtype::F64 => {
                type $t = f64;
                $body
            }
            adjoin_passes::Dtype::C64 => {
                type $t = num_complex::Complex<f32>;
                $body
            }
            adjoin_passes::Dtype::C128 => {
                type $t = num_complex::Complex<f64>;
                $body
            }
        }
    };
}
pub(super) use typed;

/// Runs an expression with `$t` as the real type of that precision.
macro_rules! real_typed {
    ($dtype:expr, $t:ident => $body:expr) => {
        if $dtype.is_double() {
            type $t = f64;
            $body
        } else {
            type $t = f32;
            $body
        }
    };
}
pub(super) use real_typed;
