//! The whole against its tiles, cut along every factor that may be cut.

use super::fault::{Kind, Place};
use super::numbers::{Vector, differing};
use super::unit::{Unit, Way, indices};
use crate::ops::{OperatorError, Tile};

/// How far from a cut an element may be that a narrow halo makes wrong.
const REACH: usize = 8;

/// One fault at most for each factor and direction.
pub fn faults(unit: &Unit<'_>) -> Result<Vec<(Kind, Place)>, OperatorError> {
    let mut found = Vec::new();
    for (way, seed) in [(Way::Forward, 11), (Way::Adjoint, 12)] {
        let input = unit.input(way, seed);
        let whole = unit.apply(way, &input)?;
        for (f, factor) in unit.signature().rule.factors.iter().enumerate() {
            if factor.whole || unit.tile.factors[f].len() < 2 {
                continue;
            }
            if let Some(fault) = factor_fault(unit, f, way, (&input, &whole))? {
                found.push(fault);
            }
        }
    }
    Ok(found)
}

fn factor_fault(
    unit: &Unit<'_>,
    f: usize,
    way: Way,
    (input, whole): (&Vector, &Vector),
) -> Result<Option<(Kind, Place)>, OperatorError> {
    let indices = unit.tile.factors[f].clone();
    let (start, n) = (indices.start, indices.len());
    for cuts in [vec![n / 2], vec![n / 3, 2 * n / 3], vec![1], vec![n - 1]] {
        let cuts: Vec<usize> = cuts.into_iter().map(|cut| start + cut).collect();
        let tiles = cut(&unit.tile, f, &cuts);
        let made = unit.apply_tiles(&tiles, way, input)?;
        let wrong = differing(&made, whole, unit.tolerance());
        if wrong.is_empty() {
            continue;
        }
        let adjoint = way == Way::Adjoint;
        let kind = Kind::Split {
            factor: unit.signature().rule.factors[f].name.clone(),
            pieces: tiles.len(),
            adjoint,
            near_cut: near_cuts(unit, f, &cuts, !adjoint, &wrong),
        };
        return Ok(Some((kind, unit.place(!adjoint, &wrong))));
    }
    Ok(None)
}

/// The tiles of a tile that is cut at these indices of a factor.
fn cut(tile: &Tile, f: usize, cuts: &[usize]) -> Vec<Tile> {
    let whole = tile.factors[f].clone();
    let mut edges = vec![whole.start];
    edges.extend(cuts);
    edges.push(whole.end);
    let piece = |pair: &[usize]| {
        let mut piece = tile.clone();
        piece.factors[f] = pair[0]..pair[1];
        piece
    };
    edges.windows(2).filter(|pair| pair[0] < pair[1]).map(piece).collect()
}

/// Whether all wrong elements lie near a cut, and others do not.
fn near_cuts(
    unit: &Unit<'_>,
    f: usize,
    cuts: &[usize],
    range: bool,
    wrong: &[(usize, usize)],
) -> bool {
    let rule = &unit.signature().rule;
    let (bindings, boxes) =
        if range { (&rule.range, &unit.range) } else { (&rule.domain, &unit.domain) };
    wrong.iter().all(|&(part, at)| {
        let dims = bindings[part].iter().zip(indices(&boxes[part], at)).zip(&boxes[part]);
        dims.into_iter().any(|((binding, index), held)| {
            let near = |cut: &usize| binding.spread.at(*cut).abs_diff(index) <= REACH;
            binding.factor == f && held.len() > 4 * REACH && cuts.iter().any(near)
        })
    })
}
