//! Polynomial regression: `y[i] = Σₖ t[i]ᵏ x[k]`, adjoint `x[k] = Σᵢ t[i]ᵏ y[i]`.
//!
//! ```text
//! (i) <- (j)      the dense matrix of the powers of t
//! ```
//! `LinearRegression` is that of order 1.

use super::dims;
use super::matrix_mult::matrix_mult;
use super::registry::{Arguments, Entry, RegistryError};
use super::{Handle, OperatorError};
use crate::data::{Region, Source};
use adjoin_passes::Dtype;
use num_complex::Complex64;

/// A regression to be built.
#[derive(Clone, Debug)]
pub struct Regression {
    kind: &'static str,
    taxis: Source,
    order: usize,
    dtype: Option<Dtype>,
}

/// The polynomial of degree `order` at the places `taxis`.
pub fn regression(taxis: impl Into<Source>, order: usize) -> Regression {
    Regression { kind: "Regression", taxis: taxis.into(), order, dtype: None }
}

/// The straight line at the places `taxis`.
pub fn linear_regression(taxis: impl Into<Source>) -> Regression {
    Regression { kind: "LinearRegression", taxis: taxis.into(), order: 1, dtype: None }
}

impl Regression {
    /// The type of the operator, that of the places otherwise.
    pub fn dtype(mut self, dtype: Dtype) -> Self {
        self.dtype = Some(dtype);
        self
    }

    /// The operator.
    pub fn build(self) -> Result<Handle, OperatorError> {
        let &[n] = self.taxis.dims() else {
            let message = format!("taxis has dims {:?}, and must have one", self.taxis.dims());
            return dims::fail(self.kind, message);
        };
        let Some(columns) = self.order.checked_add(1) else {
            return dims::fail(self.kind, format!("order is {}, which is too high", self.order));
        };
        dims::check(self.kind, &[n, columns])?;
        let taxis = self.taxis.cast(self.dtype.unwrap_or(self.taxis.dtype()));
        let taxis = taxis.or_else(|error| dims::fail(self.kind, error.to_string()))?;
        matrix_mult(taxis.derived([n, columns], powers)).build()
    }

    fn read(mut self, given: &Arguments) -> Result<Handle, RegistryError> {
        given.set("dtype", &mut self.dtype)?;
        Ok(self.build()?)
    }
}

fn powers(taxis: &[Complex64], region: &Region) -> Vec<Complex64> {
    let (start, len) = (region.start(), region.dims());
    let columns = start[1]..start[1] + len[1];
    let row = |t: &Complex64| columns.clone().map(|k| t.powu(k as u32)).collect::<Vec<_>>();
    taxis[start[0]..start[0] + len[0]].iter().flat_map(row).collect()
}

pub(super) const ENTRY: Entry = Entry {
    name: "Regression",
    parameters: &["taxis", "order", "dtype"],
    ignored: &["name"],
    build: |given| {
        regression(given.need::<Source>("taxis")?, given.need::<usize>("order")?).read(given)
    },
};

pub(super) const LINEAR: Entry = Entry {
    name: "LinearRegression",
    parameters: &["taxis", "dtype"],
    ignored: &["name"],
    build: |given| linear_regression(given.need::<Source>("taxis")?).read(given),
};
