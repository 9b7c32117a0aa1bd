//! The head: mesh, cuts, slots and states.

use super::types::dtype;
use super::{Cursor, Fault, Read, Reader};
use crate::ir::{Slot, SlotId, State};
use crate::placement::Cut;
use crate::signature::Spread;
use std::sync::Arc;

/// The most ranks of a mesh.
const RANKS: usize = 1 << 24;

/// The most entries that the tables of a text may have together.
const ENTRIES: usize = 1 << 26;

impl Reader {
    pub(super) fn mesh(&mut self, line: &mut Cursor) -> Read<()> {
        self.begun = true;
        line.expect("mesh")?;
        if line.eat("1") {
            return line.expect("rank");
        }
        let mut ranks = 1usize;
        while !line.is_done() && !line.sees("(") {
            let name = line.word("an axis such as r=2")?;
            if self.plan.mesh.axis(name).is_some() {
                return Err(line.fault("another name: this axis is there already"));
            }
            line.expect("=")?;
            let fault = line.fault("a positive number of ranks, at most 16777216 in all");
            let size = line.number("a number of ranks")?;
            ranks = ranks.checked_mul(size).filter(|n| (1..=RANKS).contains(n)).ok_or(fault)?;
            self.plan.mesh.axes.push((name.into(), size));
        }
        if self.plan.mesh.axes.is_empty() {
            return Err(line.fault("an axis such as r=2, or `1 rank`"));
        }
        if line.eat("(") {
            let fault = line.fault(&format!("{ranks}, the product of the sizes"));
            if line.number("a number of ranks")? != ranks {
                return Err(fault);
            }
            if !line.eat("rank") {
                line.expect("ranks")?;
            }
            line.expect(")")?;
        }
        Ok(())
    }

    pub(super) fn cut(&mut self, line: &mut Cursor) -> Read<()> {
        let at = line.at();
        let name = line.name("a name for the cut")?;
        line.expect("=")?;
        let size = line.number("how many values the index has")?;
        let mut weights = None;
        if line.eat("weights") {
            let table = self.table(line, size)?;
            if total(&table).is_none() {
                return Err(line.fault("weights whose sum fits into 64 bits"));
            }
            weights = Some(Arc::new(table.into()));
        }
        let spread = if line.eat("spread") { self.spread(line, size)? } else { Spread::One };
        let cut = Cut { name: name.clone(), size, weights, spread };
        match self.cuts.insert(name, Arc::new(cut)) {
            None => Ok(()),
            Some(_) => Err(Fault::new(at, "another name: this cut is declared above")),
        }
    }

    fn spread(&mut self, line: &mut Cursor, size: usize) -> Read<Spread> {
        if line.eat("each") {
            let fault = line.fault("a number of elements that leaves the dim addressable");
            let each = line.number("how many elements each value has")?;
            return size.checked_mul(each).map(|_| Spread::Uniform(each)).ok_or(fault);
        }
        let counts = self.table(line, size)?;
        if total(&counts).is_none() {
            return Err(line.fault("elements that can be addressed"));
        }
        let mut table = Vec::with_capacity(counts.len() + 1);
        table.push(0);
        table.extend(counts.iter().scan(0, |sum, &count| {
            *sum += count as usize;
            Some(*sum)
        }));
        Ok(Spread::Table(Arc::new(table)))
    }

    /// Takes a table of `size` entries, runs as `entry*times`.
    fn table(&mut self, line: &mut Cursor, size: usize) -> Read<Vec<u64>> {
        let mut table = Vec::new();
        while !line.is_done() && !line.sees("spread") {
            if line.sees("..") {
                return Err(line.fault("a table in full: this one was shortened for people"));
            }
            let at = line.at();
            let entry = line.number("an entry")? as u64;
            let times = if line.eat("*") { line.number("how many times")? } else { 1 };
            self.entries = self.entries.saturating_add(times);
            if times > size - table.len() || self.entries > ENTRIES {
                let limit = size.min(ENTRIES);
                return Err(Fault::new(at, format!("a table of at most {limit} entries")));
            }
            table.resize(table.len() + times, entry);
        }
        if table.len() == size {
            return Ok(table);
        }
        Err(line.fault(&format!("{size} entries after {}", table.len())))
    }

    pub(super) fn slot(&mut self, line: &mut Cursor) -> Read<()> {
        let at = line.at();
        let name = line.name("a name for the slot")?;
        line.expect(":")?;
        self.plan.slots.push(Slot { name: name.clone(), dtype: dtype(line)? });
        match self.slots.insert(name, self.plan.slots.len() as u32 - 1) {
            None => Ok(()),
            Some(_) => Err(Fault::new(at, "another name: this slot is declared above")),
        }
    }

    pub(super) fn state(&mut self, line: &mut Cursor) -> Read<()> {
        let at = line.at();
        let name = line.name("a name for the state")?;
        line.expect(":")?;
        self.plan.states.push(State { name: name.clone(), ty: self.ty(line)? });
        match self.states.insert(name, self.plan.states.len() as u32 - 1) {
            None => Ok(()),
            Some(_) => Err(Fault::new(at, "another name: this state is declared above")),
        }
    }

    /// Takes the name of a slot.
    pub(super) fn slot_name(&self, line: &mut Cursor) -> Read<SlotId> {
        let fault = line.fault("a slot that is declared above");
        let name = line.name("a slot that is declared above")?;
        self.slots.get(&name).map(|&s| SlotId(s)).ok_or(fault)
    }

    /// Takes the name of a state variable.
    pub(super) fn state_name(&self, line: &mut Cursor) -> Read<u32> {
        let fault = line.fault("a state that is declared above");
        let name = line.name("a state that is declared above")?;
        self.states.get(&name).copied().ok_or(fault)
    }
}

/// The sum of a table, if it can be addressed.
fn total(table: &[u64]) -> Option<usize> {
    table.iter().try_fold(0usize, |sum, &n| sum.checked_add(usize::try_from(n).ok()?))
}
