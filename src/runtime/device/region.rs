//! Regions over panels: a tile's panels, each with all that follows from its rows.
//!
//! The tile's data of a panel are still in a cache when its adjoint reads them.
//! Whole blocks of panels are dealt to the hands of a crew, so that each hand has its own panels,
//! and sums of the host's kernels over all rows follow when all are done.
//! Blocks are summed as they are without a region, so that results are the same, bit by bit.

use super::Part;
use super::elements::{Hand, traffic};
use super::engine::Touches;
use super::shared::Shared;
use super::store::{Store, elements};
use crate::elements::{Element, SliceMut, each};
use crate::ops::{Deal, Panels, Turn, add_blocks};
use crate::runtime::local::LocalNode;
use crate::runtime::memory::Memory;
use crate::runtime::tiles;
use adjoin_kernels::host::Acc;
use adjoin_kernels::host::crew::{self, Divided};
use adjoin_passes::calls::View;
use std::ops::Range;
use std::sync::Arc;

/// A prepared region.
pub(super) struct Region {
    pass: Pass,
    sums: Vec<LocalNode>,
    hands: Vec<Hand>,
    /// Sums of blocks of panels after the first one, for each adjoint.
    blocks: Vec<Memory>,
}

/// What all hands do together.
struct Pass {
    panels: Arc<dyn Panels>,
    deal: Deal,
    /// Whether the adjoint of a panel writes rows of its own.
    own: bool,
    /// Whether each panel is applied with its adjoint.
    paired: bool,
    steps: Vec<Step>,
    work: usize,
}

/// What is done with a panel.
enum Step {
    Forward {
        input: View,
        output: View,
    },
    /// The sums of its blocks after the first one begin with `first`.
    Adjoint {
        input: View,
        output: View,
        first: usize,
    },
    Rows(LocalNode),
}

impl Region {
    /// A region of these parts, with room for the sums of blocks.
    pub(super) fn new(
        panels: Arc<dyn Panels>,
        parts: Vec<Part>,
        sums: Vec<LocalNode>,
    ) -> Result<Self, String> {
        let mut pass = Pass::new(panels);
        let mut blocks = Vec::new();
        for part in parts {
            let step = Step::new(part, blocks.len())?;
            pass.work += step.work(&*pass.panels);
            if let Step::Adjoint { output, .. } = &step {
                let sum = |_| Memory::elements(output.dtype, output.len());
                blocks.extend((0..pass.later()).map(sum).collect::<Result<Vec<_>, _>>()?);
            }
            pass.steps.push(step);
        }
        let forward = pass.steps.iter().any(|step| matches!(step, Step::Forward { .. }));
        pass.paired = forward && pass.steps.iter().any(|s| matches!(s, Step::Adjoint { .. }));
        let most = pass.steps.iter().map(Step::arguments).max().unwrap_or(0);
        let hands = (0..crew::threads()).map(|_| Hand::new(most)).collect();
        Ok(Region { pass, sums, hands, blocks })
    }

    /// Runs all panels, and then the sums.
    pub(super) fn run(&mut self, store: &mut Store) -> Result<(), String> {
        let Region { pass, sums, hands, blocks } = self;
        let many = pass.deal.hands(pass.work).min(hands.len());
        let (shared, divided) = (&store.share(), &Divided::new(blocks));
        crew::with(&mut hands[..many], |number, hand| {
            let own = pass.deal.part(many, number);
            // SAFETY: each hand has whole blocks of panels of its own.
            hand.settle(|hand| unsafe { pass.run(own, hand, shared, divided) });
        });
        hands[..many].iter_mut().try_for_each(Hand::fault)?;
        pass.add_blocks(store, blocks);
        sums.iter_mut().try_for_each(|node| store.local(node, None))
    }
}

impl Step {
    /// A part, whose sums of blocks begin with `first` if it has them.
    fn new(part: Part, first: usize) -> Result<Step, String> {
        let (adjoint, inputs, outputs) = match part {
            Part::Kernel { adjoint, inputs, outputs } => (adjoint, inputs, outputs),
            Part::Rows(node) => return Ok(Step::Rows(node)),
        };
        let (input, output) = (<[View; 1]>::try_from(inputs), <[View; 1]>::try_from(outputs));
        let (Ok([input]), Ok([output])) = (input, output) else {
            return Err("panels have one part on either side".into());
        };
        Ok(if adjoint {
            Step::Adjoint { input, output, first }
        } else {
            Step::Forward { input, output }
        })
    }

    /// What it takes with all panels.
    fn work(&self, panels: &dyn Panels) -> usize {
        match self {
            Step::Forward { output: range, .. } | Step::Adjoint { input: range, .. } => {
                panels.work(range.len())
            }
            Step::Rows(node) => traffic(node),
        }
    }

    /// How many arguments a local node has.
    fn arguments(&self) -> usize {
        match self {
            Step::Rows(node) => node.args().len(),
            Step::Forward { .. } | Step::Adjoint { .. } => 0,
        }
    }
}

impl Pass {
    fn new(panels: Arc<dyn Panels>) -> Pass {
        let (deal, own) = (Deal::of(&*panels), panels.block().is_none());
        Pass { panels, deal, own, paired: false, steps: Vec::new(), work: 0 }
    }

    /// How many blocks have sums beside the first one.
    fn later(&self) -> usize {
        if self.own { 0 } else { self.deal.blocks() - 1 }
    }

    /// All steps of some panels, one panel after the other.
    ///
    /// # Safety
    /// The panels are whole blocks, and nobody else has one of them.
    unsafe fn run(
        &self,
        panels: Range<usize>,
        hand: &mut Hand,
        shared: &Shared<'_>,
        blocks: &Divided<'_, Memory>,
    ) -> Result<(), String> {
        for panel in panels.clone() {
            let rows = self.panels.rows(panel);
            let turn = Turn { panel, paired: self.paired && panel + 1 < panels.end };
            for step in &self.steps {
                // SAFETY: a panel's rows are its own, and so are the caller's blocks; whatever else
                // is read was there before the region.
                unsafe {
                    match step {
                        Step::Forward { input, output } => {
                            let x = shared.read(input, self.domain(input, &rows), 0);
                            let y = shared.write(output, elements(output, &rows), 0);
                            tiles::panel(&*self.panels, false, turn, x, y, Acc::Set)?;
                        }
                        Step::Adjoint { input, output, first } => {
                            let y = shared.read(input, elements(input, &rows), 0);
                            let (block, acc) = self.deal.sum(panel, Acc::Set);
                            let x = if self.own || block == 0 {
                                shared.write(output, self.domain(output, &rows), 0)
                            } else {
                                let sum = blocks.one(first + block - 1);
                                sum.slice_mut(output.dtype, output.len())
                            };
                            tiles::panel(&*self.panels, true, turn, y, x, acc)?;
                        }
                        Step::Rows(node) => {
                            hand.update(node, shared, &elements(node.out(), &rows))?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// The elements of the domain that belong to some rows of the range.
    fn domain(&self, view: &View, rows: &Range<usize>) -> Range<usize> {
        if self.own { elements(view, rows) } else { 0..view.len() }
    }

    /// Adds the sums of all blocks to those of the first one.
    fn add_blocks(&self, store: &mut Store, blocks: &[Memory]) {
        for step in &self.steps {
            let Step::Adjoint { output, first, .. } = step else { continue };
            let block = |b: usize| blocks[first + b].slice(output.dtype, output.len());
            let out = store.memories[output.buffer].part_mut(output);
            each!(SliceMut, out, out => {
                add_blocks(out, self.later(), |b| Element::of(block(b)).expect("the type of the sum"));
            });
        }
    }
}

impl Touches {
    /// What a region reads and writes as a whole.
    pub(super) fn of_region(parts: &[Part], sums: &[LocalNode]) -> Touches {
        let mut touches = Touches::default();
        let mut local =
            |node: &LocalNode| touches.add(node.args(), std::slice::from_ref(node.out()));
        sums.iter().for_each(&mut local);
        for part in parts {
            match part {
                Part::Kernel { inputs, outputs, .. } => touches.add(inputs, outputs),
                Part::Rows(node) => touches.add(node.args(), std::slice::from_ref(node.out())),
            }
        }
        touches
    }

    pub(super) fn add(&mut self, reads: &[View], writes: &[View]) {
        self.reads.extend(reads.iter().map(|view| view.buffer));
        self.writes.extend(writes.iter().map(|view| view.buffer));
    }
}
