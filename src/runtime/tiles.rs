//! The tiles of operators that a rank holds: built once, when first asked for, and applied.
//!
//! An operator whose tiles are transient is built for each application and dropped after it.
//! Of operators that are not safe in several threads, one of this process works at a time.

use crate::elements::{Slice, SliceMut};
use crate::ops::{
    Elementwise, LocalOperator, Operator, OperatorError, Panels, Patch, PatchMut, Residency, Tile,
    Turn,
};
use crate::runtime::comm::PANICKED;
use crate::runtime::windows::Windows;
use adjoin_kernels::host::Acc;
use adjoin_kernels::host::star::Sums;
use adjoin_passes::Dtype;
use adjoin_passes::calls::View;
use std::any::Any;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A built tile, shared by all calls that apply it.
pub(crate) type SharedTile = Arc<Mutex<Box<dyn LocalOperator>>>;

/// The tiles of one rank.
pub(crate) struct Tiles {
    operators: Vec<Arc<dyn Operator>>,
    rank: usize,
    built: Vec<Built>,
}

struct Built {
    index: usize,
    domain: Dtype,
    range: Dtype,
    tile: SharedTile,
}

/// Which leaf is applied how, to what.
pub(crate) struct Application<'a> {
    pub(crate) leaf: usize,
    /// Which of the rank's tiles.
    pub(crate) index: usize,
    pub(crate) adjoint: bool,
    /// For each factor the indices of the rank's tile.
    pub(crate) factors: &'a [Range<usize>],
    pub(crate) inputs: &'a [&'a View],
    pub(crate) outputs: &'a [&'a View],
}

impl Tiles {
    pub(crate) fn new(operators: &[Arc<dyn Operator>], rank: usize) -> Self {
        Tiles { operators: operators.to_vec(), rank, built: Vec::new() }
    }

    /// The tile, or none where the rank holds nothing to apply it to: zeros come out.
    pub(crate) fn get(&mut self, call: &Application<'_>) -> Result<Option<SharedTile>, String> {
        let nothing = |views: &[&View]| views.iter().all(|view| view.is_empty());
        if nothing(call.inputs) || nothing(call.outputs) {
            return Ok(None);
        }
        let (from, to) = (call.inputs[0].dtype, call.outputs[0].dtype);
        let (domain, range) = if call.adjoint { (to, from) } else { (from, to) };
        let operator = &self.operators[call.leaf];
        let tile = Tile { factors: call.factors.to_vec(), domain, range, rank: self.rank };
        let windows = Windows::of(operator.signature(), &tile, call);
        let built = self.built(call, tile)?;
        let takes = |dim| lock(&built).takes_windows(call.adjoint, dim);
        Ok(Some(match windows.filter(|windows| !windows.dims().all(takes)) {
            Some(windows) => Arc::new(Mutex::new(windows.around(built)?)),
            None => built,
        }))
    }

    /// The tile, which is built if it is not there yet.
    fn built(&mut self, call: &Application<'_>, tile: Tile) -> Result<SharedTile, String> {
        let (domain, range) = (tile.domain, tile.range);
        let known = |b: &&Built| (b.index, b.domain, b.range) == (call.index, domain, range);
        if let Some(built) = self.built.iter().find(known) {
            return Ok(built.tile.clone());
        }
        let local: SharedTile = Arc::new(Mutex::new(build(&self.operators[call.leaf], tile)?));
        self.built.push(Built { index: call.index, domain, range, tile: local.clone() });
        Ok(local)
    }
}

fn build(operator: &Arc<dyn Operator>, tile: Tile) -> Result<Box<dyn LocalOperator>, String> {
    let conduct = operator.conduct();
    let local: Box<dyn LocalOperator> = match conduct.residency {
        Residency::Transient => Box::new(Transient { operator: operator.clone(), tile }),
        Residency::Resident => {
            let _alone = (!conduct.thread_safe).then(alone);
            caught(|| operator.build(&tile))?
        }
    };
    Ok(if conduct.thread_safe { local } else { Box::new(Alone(local)) })
}

fn lock(tile: &SharedTile) -> MutexGuard<'_, Box<dyn LocalOperator>> {
    tile.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `y = A x` on a tile, or `y = Aᴴ x`.
pub(crate) fn apply(
    tile: &SharedTile,
    adjoint: bool,
    x: &[Patch<'_>],
    y: &mut [PatchMut<'_>],
) -> Result<(), String> {
    let mut tile = lock(tile);
    caught(|| either(tile.as_mut(), adjoint, x, y, Acc::Set))
}

/// `y (+)= A x` on a tile, or `y (+)= Aᴴ x`.
pub(super) fn apply_onto(
    tile: &SharedTile,
    adjoint: bool,
    x: &[Patch<'_>],
    y: &mut [PatchMut<'_>],
    acc: Acc,
) -> Result<(), OperatorError> {
    either(lock(tile).as_mut(), adjoint, x, y, acc)
}

/// One panel of a tile, or of its adjoint.
pub(crate) fn panel(
    panels: &dyn Panels,
    adjoint: bool,
    turn: Turn,
    x: Slice<'_>,
    y: SliceMut<'_>,
    acc: Acc,
) -> Result<(), String> {
    caught(
        || {
            if adjoint { panels.adjoint(turn, x, y, acc) } else { panels.forward(turn, x, y, acc) }
        },
    )
}

/// `z = AᴴA x` on a tile that has this.
pub(crate) fn normal(
    tile: &SharedTile,
    x: &[Patch<'_>],
    z: &mut [PatchMut<'_>],
    sums: Sums,
) -> Result<(), String> {
    let mut tile = lock(tile);
    caught(|| tile.normal(x, z, Acc::Set, sums))
}

/// Whether a tile can be applied together with its adjoint.
pub(crate) fn has_normal(tile: &SharedTile) -> bool {
    lock(tile).has_normal()
}

/// Some elements of a tile that has them.
pub(crate) fn elements(
    tile: &dyn Elementwise,
    adjoint: bool,
    start: usize,
    columns: usize,
    x: Slice<'_>,
    y: SliceMut<'_>,
) -> Result<(), String> {
    caught(|| tile.apply(adjoint, start, columns, x, y))
}

/// A tile element by element, if it is applied so.
pub(crate) fn elementwise(tile: &SharedTile) -> Option<Arc<dyn Elementwise>> {
    lock(tile).elements()
}

/// A tile in panels, if it has them.
pub(crate) fn panels(tile: &SharedTile) -> Option<Arc<dyn Panels>> {
    lock(tile).panels()
}

fn either(
    tile: &mut dyn LocalOperator,
    adjoint: bool,
    x: &[Patch<'_>],
    y: &mut [PatchMut<'_>],
    acc: Acc,
) -> Result<(), OperatorError> {
    if adjoint { tile.adjoint(x, y, acc) } else { tile.forward(x, y, acc) }
}

/// A tile that is there only while it is applied.
struct Transient {
    operator: Arc<dyn Operator>,
    tile: Tile,
}

impl LocalOperator for Transient {
    fn forward(
        &mut self,
        x: &[Patch<'_>],
        y: &mut [PatchMut<'_>],
        acc: Acc,
    ) -> Result<(), OperatorError> {
        self.operator.build(&self.tile)?.forward(x, y, acc)
    }

    fn adjoint(
        &mut self,
        y: &[Patch<'_>],
        x: &mut [PatchMut<'_>],
        acc: Acc,
    ) -> Result<(), OperatorError> {
        self.operator.build(&self.tile)?.adjoint(y, x, acc)
    }
}

/// A tile that works while no other of its kind does.
struct Alone(Box<dyn LocalOperator>);

impl LocalOperator for Alone {
    fn forward(
        &mut self,
        x: &[Patch<'_>],
        y: &mut [PatchMut<'_>],
        acc: Acc,
    ) -> Result<(), OperatorError> {
        let _alone = alone();
        self.0.forward(x, y, acc)
    }

    fn adjoint(
        &mut self,
        y: &[Patch<'_>],
        x: &mut [PatchMut<'_>],
        acc: Acc,
    ) -> Result<(), OperatorError> {
        let _alone = alone();
        self.0.adjoint(y, x, acc)
    }

    fn takes_windows(&self, adjoint: bool, dim: usize) -> bool {
        self.0.takes_windows(adjoint, dim)
    }

    fn has_normal(&self) -> bool {
        self.0.has_normal()
    }

    fn normal(
        &mut self,
        x: &[Patch<'_>],
        z: &mut [PatchMut<'_>],
        acc: Acc,
        sums: Sums,
    ) -> Result<(), OperatorError> {
        let _alone = alone();
        self.0.normal(x, z, acc, sums)
    }
}

fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs an operator's code; its panic is its error.
fn caught<T>(body: impl FnOnce() -> Result<T, OperatorError>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(result) => result.map_err(|error| error.0),
        Err(panic) => Err(format!("{PANICKED}: {}", panic_text(panic.as_ref()))),
    }
}

/// What a panic says.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message")
}
