//! Functions that plans name: of elements, and of whole values.

use super::Arg;
use crate::elements::{Slice, SliceMut};
use adjoin_passes::ir::{Map, Op};
use num_complex::Complex64;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A function of the elements at one place of each argument.
pub type ElementFunction = dyn Fn(&[Complex64]) -> Complex64 + Send + Sync;

/// A function of whole replicated values, which fills the result; the same on every rank.
pub type WholeFunction = dyn Fn(&[Slice<'_>], SliceMut<'_>) -> Result<(), String> + Send + Sync;

/// Arguments of a function of whole values.
const MOST: usize = 8;

/// The functions that a program knows by name.
#[derive(Clone, Default)]
pub struct Functions {
    elements: BTreeMap<String, Arc<ElementFunction>>,
    wholes: BTreeMap<String, Arc<WholeFunction>>,
}

/// The function that a node names.
pub(super) enum Function {
    None,
    Element(Arc<ElementFunction>),
    Whole(Arc<WholeFunction>),
}

impl Functions {
    /// None.
    pub fn new() -> Self {
        Functions::default()
    }

    /// Adds a function of elements, of at most four arguments.
    pub fn element(
        mut self,
        name: impl Into<String>,
        function: impl Fn(&[Complex64]) -> Complex64 + Send + Sync + 'static,
    ) -> Self {
        self.elements.insert(name.into(), Arc::new(function));
        self
    }

    /// Adds a function of whole values, of at most eight arguments.
    pub fn whole(
        mut self,
        name: impl Into<String>,
        function: impl Fn(&[Slice<'_>], SliceMut<'_>) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.wholes.insert(name.into(), Arc::new(function));
        self
    }

    /// The function that a node names, if it names one.
    pub(super) fn find(&self, op: &Op) -> Result<Function, String> {
        let missing = |kind, name| Err(format!("no function {name} of {kind} is registered"));
        if let Op::Call(name) = op {
            let found = self.wholes.get(name).cloned().map(Function::Whole);
            return found.map_or_else(|| missing("whole values", name), Ok);
        }
        if let Op::Map(Map::Named(name)) = op {
            let found = self.elements.get(name).cloned().map(Function::Element);
            return found.map_or_else(|| missing("elements", name), Ok);
        }
        Ok(Function::None)
    }
}

/// Computes a whole value.
pub(super) fn call(function: &Function, args: &[Arg<'_>], y: SliceMut<'_>) -> Result<(), String> {
    let Function::Whole(function) = function else {
        return Err("the node names no function of whole values".into());
    };
    if args.len() > MOST {
        return Err(format!("a function has more than {MOST} arguments"));
    }
    let mut values = [Slice::F64(&[]); MOST];
    for (k, value) in values.iter_mut().enumerate().take(args.len()) {
        *value = super::present(args, k)?;
    }
    function(&values[..args.len()], y)
}
