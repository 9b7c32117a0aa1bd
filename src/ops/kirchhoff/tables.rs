//! Tables of what ways take, which the user brings: a row for each point of the image, in row-major
//! order, and a column for each source, receiver or pair of them.

use super::medium::Travel;
use crate::data::Source;
use crate::ops::dims;
use crate::ops::tile;
use crate::ops::{OperatorError, Profile};
use std::ops::Range;

/// One table of sources and one of receivers, or one of all pairs, receivers fastest.
#[derive(Clone, Debug)]
pub enum Tables {
    /// Of sources, and of receivers.
    Apart([Source; 2]),
    /// Of pairs.
    Pairs(Source),
}

impl From<[Source; 2]> for Tables {
    fn from(tables: [Source; 2]) -> Self {
        Tables::Apart(tables)
    }
}

impl From<Source> for Tables {
    fn from(table: Source) -> Self {
        Tables::Pairs(table)
    }
}

impl Tables {
    /// The table of sources (`0`) or of receivers (`1`).
    pub(super) fn half(&self, which: usize) -> Option<&Source> {
        match self {
            Tables::Apart(tables) => tables.get(which),
            Tables::Pairs(_) => None,
        }
    }

    /// Whether all have a row for each point and columns for sources, receivers or pairs.
    pub(super) fn check(
        &self,
        kind: &str,
        name: &str,
        points: usize,
        [sources, receivers]: [usize; 2],
    ) -> Result<(), OperatorError> {
        let expected = match self {
            Tables::Apart([s, r]) => vec![(s, sources, "sources"), (r, receivers, "receivers")],
            Tables::Pairs(pairs) => vec![(pairs, sources * receivers, "pairs")],
        };
        for (table, columns, who) in expected {
            if table.dims() != [points, columns] {
                let found = format!("{name} has a table of dims {:?} for {who}", table.dims());
                let needed = format!("and must have [{points}, {columns}]");
                return dims::fail(kind, format!("{found}, {needed}"));
            }
            if table.dtype().is_complex() {
                return dims::fail(kind, format!("{name} is complex, and must be real"));
            }
        }
        Ok(())
    }
}

/// The numbers of velocity at the points of the image, if each has its own.
pub(super) fn check_velocity(
    kind: &str,
    vel: &Profile,
    points: usize,
) -> Result<(), OperatorError> {
    match vel {
        Profile::Constant(v) if v.is_finite() && *v > 0.0 => Ok(()),
        Profile::Constant(v) => dims::fail(kind, format!("vel is {v}, and must be positive")),
        Profile::Samples(values) if values.len() == points => Ok(()),
        Profile::Samples(values) => {
            let message = format!("vel has dims {:?}, and must have a number", values.dims());
            dims::fail(kind, format!("{message} for each of {points} points"))
        }
    }
}

/// Columns of tables, and of the rows those around the points of a tile.
pub(super) struct Read {
    /// The lengths of the image's axes.
    lengths: Vec<usize>,
    /// The number of the first point that has been read.
    first: usize,
    columns: usize,
    times: Vec<f64>,
    amplitudes: Vec<f64>,
}

impl Read {
    /// The columns of some sources, or receivers, at places of the image and next to them.
    pub fn new(
        kind: &str,
        lengths: Vec<usize>,
        [times, amplitudes]: [Option<&Source>; 2],
        places: &Range<usize>,
        columns: &Range<usize>,
    ) -> Result<Self, OperatorError> {
        let (depths, rows) = match lengths[..] {
            [.., x, z] => (z, x),
            _ => (1, 1),
        };
        let all: usize = lengths.iter().product::<usize>() / depths.max(1);
        let near = if lengths.len() > 2 { rows } else { 1 };
        let around = places.start.saturating_sub(near)..all.min(places.end + near);
        let points = around.start * depths..around.end * depths;
        let read = |table: Option<&Source>| match table {
            Some(table) => tile::read::<f64>(kind, table, &[points.clone(), columns.clone()]),
            None => Ok(vec![]),
        };
        let (times, amplitudes) = (read(times)?, read(amplitudes)?);
        Ok(Read { lengths, first: points.start, columns: columns.len(), times, amplitudes })
    }

    fn at(&self, k: usize, point: &[usize]) -> usize {
        let flat = self.lengths.iter().zip(point).fold(0, |flat, (n, i)| flat * n + i);
        (flat - self.first) * self.columns + k
    }
}

impl Travel for Read {
    fn time(&self, k: usize, point: &[usize]) -> f64 {
        self.times[self.at(k, point)]
    }

    fn amplitude(&self, k: usize, point: &[usize]) -> f64 {
        self.amplitudes[self.at(k, point)]
    }

    /// Tables know no distances: slopes are differences of neighbours.
    fn step(&self, _axis: usize) -> f64 {
        1.0
    }
}
