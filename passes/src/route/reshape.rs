//! What becomes of a placement where the same elements get another shape.

use crate::placement::{Cut, Placement, Split};
use crate::signature::Spread;
use std::sync::Arc;

/// The placement of the same elements in another shape, if it has one.
///
/// Dims that agree from the front keep their splits; where shapes part, the leading dim of either
/// side may stay split if its cut points fall between elements of the other.
pub fn reshaped(from: &[usize], to: &[usize], placement: &Placement) -> Option<Placement> {
    let mut out = Placement::replicated(to.len());
    out.pending.clone_from(&placement.pending);
    out.space = placement.space;
    let unsplit = |d: usize| placement.splits[d].axes.is_empty();
    let (mut i, mut j) = (0, 0);
    loop {
        while i < from.len() && from[i] == 1 && unsplit(i) {
            i += 1;
        }
        while j < to.len() && to[j] == 1 {
            j += 1;
        }
        if i == from.len() {
            return Some(out);
        }
        if j == to.len() || from[i] != to[j] {
            break;
        }
        out.splits[j] = placement.splits[i].clone();
        (i, j) = (i + 1, j + 1);
    }
    if (i + 1..from.len()).any(|d| !unsplit(d)) {
        return None;
    }
    if unsplit(i) {
        return Some(out);
    }
    if j == to.len() {
        return None;
    }
    let inner = |dims: &[usize]| dims.iter().product::<usize>();
    out.splits[j] =
        rescaled(&placement.splits[i], from[i], inner(&from[i + 1..]), to[j], inner(&to[j + 1..]))?;
    Some(out)
}

/// The split of a dim of `b` whose elements are `y` long, cut where one of `a` with elements of
/// `x` is cut.
fn rescaled(split: &Split, a: usize, x: usize, b: usize, y: usize) -> Option<Split> {
    let cut = split.cut.as_deref();
    let size = cut.map_or(a, |c| c.size);
    let scale = |n: usize| (y > 0 && (n * x).is_multiple_of(y)).then(|| n * x / y);
    let spread = match cut.map_or(&Spread::One, |c| &c.spread) {
        Spread::One => scale(1).map(|k| if k == 1 { Spread::One } else { Spread::Uniform(k) }),
        Spread::Uniform(k) => {
            scale(*k).map(|k| if k == 1 { Spread::One } else { Spread::Uniform(k) })
        }
        Spread::Table(t) => {
            let counts: Option<Vec<_>> = t.windows(2).map(|w| scale(w[1] - w[0])).collect();
            counts.map(Spread::from_counts)
        }
    }?;
    let weights = cut.and_then(|c| c.weights.clone());
    if spread == Spread::One && weights.is_none() && size == b {
        return Some(Split::over(&split.axes));
    }
    let cut = Cut { name: String::new(), size, weights, spread };
    Some(Split { axes: split.axes.clone(), cut: Some(Arc::new(cut)) })
}
