//! An array that is computed from an expression when it is first read.
//!
//! Each process that reads it evaluates it as a whole: it is meant for weights and starting
//! models, not for the large arrays of a problem, which are files.

use crate::Dtype;
use crate::data::{Array, DataError, ReadTile, Region, Source};
use crate::elements::SliceMut;
use crate::expr::Vector;
use crate::planned::{Planner, Ranks};
use crate::runtime::{Functions, sim};
use std::sync::{Arc, OnceLock};

/// The values of an expression, computed at most once.
struct Shared {
    vector: Vector,
    inputs: Vec<(String, Source)>,
    values: OnceLock<Result<Vec<Arc<Array>>, String>>,
}

/// One part of them.
struct Computed {
    shared: Arc<Shared>,
    part: usize,
    dims: Vec<usize>,
    dtype: Dtype,
}

/// A source for each part of a vector, whose inputs have these sources.
pub(super) fn sources(vector: &Vector, inputs: Vec<(String, Source)>) -> Vec<Source> {
    let shared = Arc::new(Shared { vector: vector.clone(), inputs, values: OnceLock::new() });
    let parts = vector.parts().shapes().into_iter().zip(vector.dtypes().to_vec());
    let source =
        |(part, (dims, dtype))| Source::new(Computed { shared: shared.clone(), part, dims, dtype });
    parts.enumerate().map(source).collect()
}

impl Shared {
    fn values(&self) -> &Result<Vec<Arc<Array>>, String> {
        self.values.get_or_init(|| self.evaluate())
    }

    fn evaluate(&self) -> Result<Vec<Arc<Array>>, String> {
        let planned = Planner::new(Ranks(1)).apply(&self.vector).map_err(|e| e.to_string())?;
        let plan = planned.plan();
        let mut given = sim::Given::new();
        for (name, source) in &self.inputs {
            given = given.input(name, source.clone());
        }
        for (slot, value) in plan.slots.iter().zip(planned.slots()) {
            given = given.slot(&slot.name, *value);
        }
        let functions = Functions::new();
        let block = plan.blocks.first().map_or("", |block| &block.name);
        let outcome = sim::simulate(plan, planned.operators(), &functions, &given, block)
            .map_err(|error| error.to_string())?;
        Ok(outcome.outputs.into_iter().map(Arc::new).collect())
    }
}

impl ReadTile for Computed {
    fn dims(&self) -> &[usize] {
        &self.dims
    }

    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn read(&self, region: &Region, out: SliceMut<'_>) -> Result<(), DataError> {
        let fail =
            |reason: String| DataError::Other { source_name: self.describe(), message: reason };
        let values = self.shared.values().as_ref().map_err(|reason| fail(reason.clone()))?;
        let value = values.get(self.part).ok_or_else(|| fail("it has fewer parts".into()))?;
        Source::shared(value.clone()).read(region, out)
    }

    fn describe(&self) -> String {
        let text = self.shared.vector.to_string();
        if text.len() > 60 { "an expression".into() } else { format!("`{text}`") }
    }
}
