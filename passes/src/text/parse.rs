//! From a text to the plan that it says.
//!
//! What is read refers only to what exists, so that a verifier may index freely; whether the plan
//! makes sense is for the verifier to say.

mod block;
mod cursor;
mod head;
mod leaf;
mod term;
mod types;

use super::error::{Fault, ParseError};
use super::lex::{self, Kind};
use crate::ir::{LeafId, Plan, TermId};
use crate::placement::Cut;
use block::Draft;
use cursor::Cursor;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Reads a plan.
pub fn parse(text: &str) -> Result<Plan, ParseError> {
    read(text).map_err(|fault| fault.locate(text))
}

type Read<T> = Result<T, Fault>;

fn read(text: &str) -> Read<Plan> {
    let mut reader = Reader::default();
    for (n, tokens) in lex::lines(text)?.iter().enumerate() {
        let mut line = Cursor::new(tokens);
        reader.line(&mut line, n == 0)?;
        line.finish()?;
    }
    if !reader.begun {
        return Err(Fault::new(text.len(), "a plan: `mesh`"));
    }
    reader.close()?;
    Ok(reader.plan)
}

/// What has been read so far.
#[derive(Default)]
struct Reader {
    plan: Plan,
    /// Whether the mesh has been read.
    begun: bool,
    cuts: BTreeMap<String, Arc<Cut>>,
    /// How many entries the tables of the cuts have together.
    entries: usize,
    leaves: BTreeMap<String, LeafId>,
    slots: BTreeMap<String, u32>,
    states: BTreeMap<String, u32>,
    terms: BTreeMap<String, TermId>,
    /// The term of each leaf that has one.
    leaf_terms: BTreeMap<LeafId, TermId>,
    /// The block that is being read.
    block: Option<Draft>,
}

impl Reader {
    fn line(&mut self, line: &mut Cursor, first: bool) -> Read<()> {
        let Some(token) = line.peek() else { return Ok(()) };
        if first != (token.text == "mesh") {
            return Err(line.fault("`mesh`, on the first line and only there"));
        }
        if token.kind == Kind::Value || token.text == "_" {
            return self.node(line);
        }
        match token.text {
            "mesh" => self.mesh(line),
            "cut" | "let" | "slot" | "state" | "term" => self.declaration(line),
            "block" => self.begin(line),
            "return" | "set" | "control" => self.leave(line),
            "store" => self.store(line),
            "region" => self.region(line),
            "split" => self.split(line),
            "end" => self.end(line),
            "comm" => self.comm(line),
            _ => Err(line.fault(
                "a value, `cut`, `let`, `slot`, `state`, `term`, `block`, `return`, `set`, \
                 `control`, `region`, `split`, `end`, `store` or `comm`",
            )),
        }
    }

    fn declaration(&mut self, line: &mut Cursor) -> Read<()> {
        if self.block.is_some() || !self.plan.blocks.is_empty() {
            return Err(line.fault("no declaration: the head stands before all blocks"));
        }
        match line.word("a declaration")? {
            "cut" => self.cut(line),
            "let" => self.leaf(line),
            "slot" => self.slot(line),
            "state" => self.state(line),
            _ => self.term(line),
        }
    }
}
