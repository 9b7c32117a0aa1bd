//! Blocks: nodes, what they leave behind, and buffers.

use super::term::Reference;
use super::{Cursor, Fault, Read, Reader};
use crate::ir::{
    Applied, Block, Map, Node, Op, Over, Reduction, Region, Return, SplitHalo, Target, Value,
};
use crate::placement::Type;
use crate::spectrum;
use crate::text::words;
use std::collections::BTreeMap;

/// A block that is being read.
#[derive(Default)]
pub(super) struct Draft {
    block: Block,
    types: BTreeMap<u32, Type>,
    buffers: Option<BTreeMap<u32, u32>>,
    /// Where each value is used.
    uses: Vec<(u32, usize)>,
    /// The split halo and the region in it that are being read, and their first nodes.
    open: Vec<(Open, usize)>,
    end: usize,
}

/// What goes on until the next `end`.
enum Open {
    Region(Over),
    Split,
}

impl Reader {
    /// Begins a block with a name.
    pub(super) fn begin(&mut self, line: &mut Cursor) -> Read<()> {
        let at = line.at();
        self.close()?;
        line.expect("block")?;
        let name = line.name("a name for the block")?;
        if self.plan.block(&name).is_some() {
            return Err(Fault::new(at, "another name: this block is there already"));
        }
        let mut block = Block::new(name);
        if line.eat("every") {
            let at = line.fault("a smaller number of steps");
            let every = line.number("a number of steps")?;
            block.every = Some(u32::try_from(every).map_err(|_| at)?);
        }
        self.block = Some(Draft { block, end: at, ..Draft::default() });
        Ok(())
    }

    /// Ends the block that is being read.
    pub(super) fn close(&mut self) -> Read<()> {
        if let Some(draft) = self.block.take() {
            self.plan.blocks.push(draft.finish()?);
        }
        Ok(())
    }

    /// The block that is being read; the first may have no name.
    fn draft(&mut self, line: &Cursor) -> Read<&mut Draft> {
        if self.block.is_none() && !self.plan.blocks.is_empty() {
            return Err(line.fault("`block` after the `comm` of another"));
        }
        let draft = self.block.get_or_insert_default();
        draft.end = line.at();
        Ok(draft)
    }

    pub(super) fn comm(&mut self, line: &mut Cursor) -> Read<()> {
        self.draft(line)?;
        line.expect("comm")?;
        line.number("a number of calls")?;
        if !line.eat("call") {
            line.expect("calls")?;
        }
        line.expect(",")?;
        line.number("a number of bytes")?;
        line.word("a unit")?;
        line.expect("per")?;
        line.expect("rank")?;
        self.close()
    }

    pub(super) fn node(&mut self, line: &mut Cursor) -> Read<()> {
        self.draft(line)?;
        let begin = line.at();
        let mut results = Vec::new();
        if !line.eat("_") {
            results.push((line.at(), line.value()?));
            while line.eat(",") {
                results.push((line.at(), line.value()?));
            }
        }
        line.expect("=")?;
        let op = self.op(line)?;
        let args = self.values(line)?;
        let mut types = Vec::new();
        if !results.is_empty() {
            line.expect(":")?;
            types.push(self.ty(line)?);
            while line.eat(",") {
                types.push(self.ty(line)?);
            }
        }
        if types.len() != results.len() {
            let what = format!("{} types, found {}", results.len(), types.len());
            return Err(Fault::new(begin, what));
        }
        let draft = self.draft(line)?;
        for (&(at, value), ty) in results.iter().zip(types) {
            if draft.types.insert(value, ty).is_some() {
                return Err(Fault::new(at, "a value that is not yet defined"));
            }
        }
        let results = results.into_iter().map(|(_, v)| Value(v)).collect();
        draft.block.nodes.push(Node { op, args, results });
        Ok(())
    }

    pub(super) fn split(&mut self, line: &mut Cursor) -> Read<()> {
        if !self.draft(line)?.open.is_empty() {
            return Err(line.fault("`end` before another region"));
        }
        line.expect("split")?;
        self.open(line, Open::Split)
    }

    fn open(&mut self, line: &Cursor, what: Open) -> Read<()> {
        let draft = self.draft(line)?;
        draft.open.push((what, draft.block.nodes.len()));
        Ok(())
    }

    pub(super) fn region(&mut self, line: &mut Cursor) -> Read<()> {
        if let Some((Open::Region(_), _)) = self.draft(line)?.open.last() {
            return Err(line.fault("`end` before another region"));
        }
        line.expect("region")?;
        let fault = line.fault("the name of an operator, or its adjoint and itself");
        let over = if line.is_done() {
            Over::Elements
        } else {
            match self.applied(line)? {
                Applied::Leaf(leaf) => Over::Panels(leaf),
                Applied::Adjoint(leaf) if self.applied(line)? == Applied::Leaf(leaf) => {
                    Over::Normal(leaf)
                }
                Applied::Adjoint(_) | Applied::Term(_) => return Err(fault),
            }
        };
        self.open(line, Open::Region(over))
    }

    pub(super) fn end(&mut self, line: &mut Cursor) -> Read<()> {
        let fault = line.fault("`region` or `split` and a node before its end");
        line.expect("end")?;
        let draft = self.draft(line)?;
        let nodes = draft.block.nodes.len();
        let Some((open, first)) = draft.open.pop().filter(|(_, first)| *first < nodes) else {
            return Err(fault);
        };
        let (first, last) = (first as u32, nodes as u32 - 1);
        match open {
            Open::Region(over) => draft.block.regions.push(Region { over, first, last }),
            Open::Split => draft.block.splits.push(SplitHalo { first, last }),
        }
        Ok(())
    }

    /// Takes values up to something else.
    fn values(&mut self, line: &mut Cursor) -> Read<Vec<Value>> {
        let mut values = Vec::new();
        while line.sees_value() {
            values.push(self.value(line)?);
        }
        Ok(values)
    }

    fn value(&mut self, line: &mut Cursor) -> Read<Value> {
        let at = line.at();
        let value = line.value()?;
        self.draft(line)?.uses.push((value, at));
        Ok(Value(value))
    }

    /// Takes an operation with its parameters.
    fn op(&self, line: &mut Cursor) -> Read<Op> {
        let fault = line.fault("an operation");
        let word = line.word("an operation")?;
        Ok(match word {
            "input" => Op::Input(line.name("the name of a part")?),
            "slot" => Op::Slot(self.slot_name(line)?),
            "get" => Op::Get(self.state_name(line)?),
            "apply" => Op::Apply(self.applied(line)?),
            "project" => self.project(line)?,
            "part" => Op::Part(line.number("the first element")?),
            "dot" => dot(line)?,
            "map" => Op::Map(Map::Named(line.name("the name of a map")?)),
            "call" => Op::Call(line.name("the name of a function")?),
            "reduce" => Op::Reduce(reduction(line)?),
            "all_reduce" => Op::AllReduce(self.axes(line)?),
            "reduce_scatter" => Op::ReduceScatter(self.axes(line)?),
            "all_gather" => Op::AllGather(self.axes(line)?),
            "all_to_all" => Op::AllToAll(self.axis(line)?),
            "pad" => Op::Pad(self.axes(line)?),
            "partial" => Op::Partial(self.axes(line)?),
            word => {
                let map = words::MAPS.iter().find(|m| words::map(m) == word).cloned().map(Op::Map);
                let plain = || words::PLAIN.iter().find(|op| words::op(op) == word).cloned();
                map.or_else(plain).ok_or(fault)?
            }
        })
    }

    /// Takes the leaves onto whose range is projected.
    fn project(&self, line: &mut Cursor) -> Read<Op> {
        let fault = line.fault("operators, of which the last is a half spectrum");
        let mut onto = Vec::new();
        while !line.sees_value() {
            let Reference::Leaf(leaf) = self.reference(line)? else { return Err(fault) };
            onto.push(leaf);
        }
        spectrum::projection(&self.plan, &onto).map(Op::Project).ok_or(fault)
    }

    fn applied(&self, line: &mut Cursor) -> Read<Applied> {
        match self.reference(line)? {
            Reference::Term(term) => Ok(Applied::Term(term)),
            Reference::Leaf(leaf) if line.eat(".") => {
                line.expect("H")?;
                Ok(Applied::Adjoint(leaf))
            }
            Reference::Leaf(leaf) => Ok(Applied::Leaf(leaf)),
        }
    }

    pub(super) fn leave(&mut self, line: &mut Cursor) -> Read<()> {
        self.draft(line)?;
        match line.word("`return`, `set` or `control`")? {
            "set" => {
                let state = self.state_name(line)?;
                self.give(line, Target::State(state))
            }
            "control" => {
                let name = line.name("a name for the number")?;
                self.give(line, Target::Control(name))
            }
            _ => {
                while !line.is_done() {
                    self.give(line, Target::Output)?;
                }
                Ok(())
            }
        }
    }

    fn give(&mut self, line: &mut Cursor, target: Target) -> Read<()> {
        let value = self.value(line)?;
        self.draft(line)?.block.returns.push(Return { target, value });
        Ok(())
    }

    pub(super) fn store(&mut self, line: &mut Cursor) -> Read<()> {
        self.draft(line)?.buffers.get_or_insert_default();
        line.expect("store")?;
        if line.is_done() {
            return Ok(());
        }
        let fault = line.fault("the number of a buffer");
        let buffer = line.number("the number of a buffer")?;
        let buffer = u32::try_from(buffer).map_err(|_| fault)?;
        line.expect("=")?;
        while !line.is_done() {
            let fault = line.fault("a value without a buffer");
            let value = self.value(line)?;
            let buffers = self.draft(line)?.buffers.get_or_insert_default();
            if buffers.insert(value.0, buffer).is_some() {
                return Err(fault);
            }
        }
        Ok(())
    }
}

impl Draft {
    /// The block, if all values exist and are numbered without gaps.
    fn finish(self) -> Read<Block> {
        if let Some((value, at)) = self.uses.iter().find(|(v, _)| !self.types.contains_key(v)) {
            return Err(Fault::new(*at, format!("a value of this block, found %{value}")));
        }
        if !self.open.is_empty() {
            return Err(Fault::new(self.end, "the end of the region"));
        }
        if let Some((n, _)) = self.types.keys().enumerate().find(|(n, v)| *n != **v as usize) {
            return Err(Fault::new(self.end, format!("values without gaps: %{n} is not defined")));
        }
        let mut block = self.block;
        block.types = self.types.into_values().collect();
        if let Some(buffers) = self.buffers {
            if buffers.len() != block.types.len() {
                return Err(Fault::new(self.end, "a buffer for each value or for none"));
            }
            block.buffers = Some(buffers.into_values().collect());
        }
        Ok(block)
    }
}

fn dot(line: &mut Cursor) -> Read<Op> {
    let real = line.eat("real");
    let mut columns = 0;
    if line.eat("columns") {
        line.expect("=")?;
        columns = line.number("a number of dims")?;
    }
    Ok(Op::Dot { columns, real })
}

fn reduction(line: &mut Cursor) -> Read<Reduction> {
    let fault = line.fault("`max` or `arg_max`");
    let word = line.word("`max` or `arg_max`")?;
    let all = [Reduction::Max, Reduction::ArgMax];
    all.into_iter().find(|r| words::reduction(*r) == word).ok_or(fault)
}
