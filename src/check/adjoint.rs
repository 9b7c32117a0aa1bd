//! The adjoint against the operator: random dot tests, then entries of both matrices, from whose
//! pattern the kind of fault is told.

use super::fault::{Kind, Place};
use super::numbers::{Vector, dot, norm};
use super::unit::{Unit, Way, indices};
use crate::ops::OperatorError;
use adjoin_passes::placement::{Region, volume};
use adjoin_passes::signature::{Linearity, Typing};
use num_complex::Complex64;
use std::collections::{BTreeMap, BTreeSet};

/// Sides up to this size are looked at as a whole, of larger ones a sample with all edges.
const ALL: usize = 96;
/// Rows of each sampled column that are looked at.
const ROWS: usize = 3;

/// An element: its part and its place there.
type At = (usize, usize);

/// An entry `A[i, j]` and what the adjoint has for it, conjugated.
struct Entry {
    row: At,
    column: At,
    forward: Complex64,
    adjoint: Complex64,
}

/// What is wrong with the adjoint, if something is.
pub fn fault(unit: &Unit<'_>) -> Result<Option<(Kind, Place)>, OperatorError> {
    let complex_linear =
        unit.signature().linearity == Linearity::Complex && unit.signature().typing == Typing::Same;
    let differs = dots_differ(unit, complex_linear)?;
    if !complex_linear {
        return Ok(differs.then(|| (Kind::Adjoint, Place { range: true, ..Place::default() })));
    }
    let sample = Sample::new(unit)?;
    let entries = sample.entries();
    let scale = entries.iter().map(|e| e.forward.norm().max(e.adjoint.norm())).fold(0.0, f64::max);
    let bound = unit.tolerance() * scale.max(f64::MIN_POSITIVE);
    let is_wrong = |e: &&Entry| {
        let distance = (e.forward - e.adjoint).norm();
        distance > bound || distance.is_nan()
    };
    let wrong: Vec<&Entry> = entries.iter().filter(is_wrong).collect();
    if wrong.is_empty() {
        return Ok(differs.then(|| (Kind::Adjoint, Place { range: true, ..Place::default() })));
    }
    let rows: Vec<At> = wrong.iter().map(|e| e.row).collect();
    Ok(Some((kind(unit, &sample, &entries, &wrong, bound), unit.place(true, &rows))))
}

/// Whether `⟨A x, y⟩` and `⟨x, Aᴴ y⟩` differ; real parts only, unless it is complex-linear.
fn dots_differ(unit: &Unit<'_>, complex: bool) -> Result<bool, OperatorError> {
    for seed in [51, 52, 53] {
        let (x, y) = (unit.input(Way::Forward, seed), unit.input(Way::Adjoint, seed + 10));
        let (ax, ay) = (unit.apply(Way::Forward, &x)?, unit.apply(Way::Adjoint, &y)?);
        let difference = dot(&ax, &y) - dot(&x, &ay);
        let distance = if complex { difference.norm() } else { difference.re.abs() };
        let scale = norm(&ax) * norm(&y) + norm(&x) * norm(&ay);
        if distance > unit.tolerance() * scale.max(f64::MIN_POSITIVE) || distance.is_nan() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Entries of both matrices at some rows and columns.
struct Sample {
    forward: BTreeMap<(At, At), Complex64>,
    adjoint: BTreeMap<(At, At), Complex64>,
}

impl Sample {
    fn new(unit: &Unit<'_>) -> Result<Self, OperatorError> {
        let columns = chosen(&unit.domain);
        let mut rows: BTreeSet<At> = chosen(&unit.range);
        for &column in &columns {
            let image = unit.apply(Way::Forward, &basis(unit, Way::Forward, column))?;
            rows.extend(largest(&image));
        }
        let mut sample = Sample { forward: BTreeMap::new(), adjoint: BTreeMap::new() };
        for &column in &columns {
            let image = unit.apply(Way::Forward, &basis(unit, Way::Forward, column))?;
            for &row in &rows {
                sample.forward.insert((row, column), image[row.0][row.1]);
            }
        }
        for &row in &rows {
            let image = unit.apply(Way::Adjoint, &basis(unit, Way::Adjoint, row))?;
            for &column in &columns {
                for near in -1..=1 {
                    if let Some(at) = moved(&image, column, near) {
                        sample.adjoint.insert((row, at), image[at.0][at.1].conj());
                    }
                }
            }
        }
        Ok(sample)
    }

    fn entries(&self) -> Vec<Entry> {
        let entry = |(&(row, column), &forward): (&(At, At), &Complex64)| Entry {
            row,
            column,
            forward,
            adjoint: self.adjoint.get(&(row, column)).copied().unwrap_or(Complex64::ZERO),
        };
        self.forward.iter().map(entry).collect()
    }
}

/// The hypothesis that explains all entries.
fn kind(unit: &Unit<'_>, sample: &Sample, entries: &[Entry], wrong: &[&Entry], bound: f64) -> Kind {
    let near = |a: Complex64, b: Complex64| (a - b).norm() <= 10.0 * bound;
    if entries.iter().all(|e| near(e.adjoint, e.forward.conj())) {
        return Kind::Conjugate;
    }
    let largest = entries.iter().max_by(|a, b| a.forward.norm().total_cmp(&b.forward.norm()));
    if let Some(largest) = largest.filter(|e| e.forward.norm() > bound) {
        let factor = largest.adjoint / largest.forward;
        if entries.iter().all(|e| near(e.adjoint, factor * e.forward)) && factor.norm() > 1e-12 {
            return Kind::Factor(factor.conj());
        }
    }
    for by in [1, -1] {
        let explained = |e: &Entry| {
            let place = (e.column.1 as isize + by).try_into();
            let at = place.map(|place| (e.row, (e.column.0, place)));
            let found = at.ok().and_then(|at: (At, At)| sample.adjoint.get(&at));
            found.is_none_or(|value| near(*value, e.forward))
        };
        let inner = entries.iter().filter(|e| e.forward.norm() > bound);
        if inner.clone().count() > 0 && inner.clone().all(explained) {
            return Kind::Shift(by);
        }
    }
    match edge(unit, entries, wrong) {
        Some(axis) => Kind::Edge(axis),
        None => Kind::Adjoint,
    }
}

/// The axis at whose edges all wrong entries lie, if others are right.
fn edge(unit: &Unit<'_>, entries: &[Entry], wrong: &[&Entry]) -> Option<usize> {
    let right = entries.iter().filter(|e| e.forward != Complex64::ZERO).count() > wrong.len();
    let axes = unit.range.iter().chain(&unit.domain).map(Vec::len).max().unwrap_or(0);
    let at_edge = |held: &Region, at: usize, axis: usize| {
        let Some(range) = held.get(axis).filter(|range| range.len() >= 6) else { return false };
        let index = indices(held, at)[axis];
        index < range.start + 2 || index + 2 >= range.end
    };
    let edges = |e: &&Entry, axis| {
        at_edge(&unit.range[e.row.0], e.row.1, axis)
            || at_edge(&unit.domain[e.column.0], e.column.1, axis)
    };
    (0..axes).find(|&axis| right && wrong.iter().all(|e| edges(e, axis)))
}

fn basis(unit: &Unit<'_>, way: Way, at: At) -> Vector {
    let mut x: Vector = unit.sizes(way).iter().map(|&n| vec![Complex64::ZERO; n]).collect();
    x[at.0][at.1] = Complex64::ONE;
    x
}

/// The element so many places on, in the same part.
fn moved(vector: &Vector, at: At, by: isize) -> Option<At> {
    let place = at.1.checked_add_signed(by).filter(|place| *place < vector[at.0].len())?;
    Some((at.0, place))
}

/// The places of the largest elements.
fn largest(vector: &Vector) -> Vec<At> {
    let mut all: Vec<(f64, At)> = Vec::new();
    for (part, values) in vector.iter().enumerate() {
        for (at, value) in values.iter().enumerate().filter(|(_, v)| **v != Complex64::ZERO) {
            all.push((value.norm(), (part, at)));
            if all.len() > 4 * ROWS {
                all.sort_by(|a, b| b.0.total_cmp(&a.0));
                all.truncate(ROWS);
            }
        }
    }
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    all.into_iter().take(ROWS).map(|(_, at)| at).collect()
}

/// All elements of small parts; of large ones the edges of each axis, the middle and some others.
fn chosen(boxes: &[Region]) -> BTreeSet<At> {
    let mut found = BTreeSet::new();
    for (part, held) in boxes.iter().enumerate() {
        let n = volume(held);
        if n <= ALL {
            found.extend((0..n).map(|at| (part, at)));
            continue;
        }
        let middle: Vec<usize> = held.iter().map(|range| range.len() / 2).collect();
        for (axis, range) in held.iter().enumerate() {
            let last = range.len() - 1;
            for index in [0, 1, 2, last.saturating_sub(2), last.saturating_sub(1), last] {
                let mut place = middle.clone();
                place[axis] = index.min(last);
                let flat = place.iter().zip(held).fold(0, |at, (i, range)| at * range.len() + i);
                found.insert((part, flat));
            }
        }
        found.extend((0..7).map(|k| (part, n / 7 * k + (k * k * 31) % (n / 7).max(1))));
    }
    found
}
