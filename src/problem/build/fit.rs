//! Arrays as the parts of a vector: as they are, as columns of several vectors, or flat and cut.

use super::arguments::widest;
use crate::data::{DataError, Source};
use crate::expr::Parts;

/// The sources of the parts, and how many columns each has if there is a dim for them.
pub(super) struct Fitted {
    pub sources: Vec<Source>,
    pub columns: Option<usize>,
}

/// Why arrays are not the parts of a vector.
pub(super) enum Unfit {
    /// So many elements were given.
    Size(usize),
    /// An array could not be viewed so.
    Data(DataError),
}

impl From<DataError> for Unfit {
    fn from(error: DataError) -> Self {
        Unfit::Data(error)
    }
}

/// The arrays as vectors of these parts.
pub(super) fn fit(pieces: &[Source], parts: &Parts) -> Result<Fitted, Unfit> {
    let given = pieces.iter().map(Source::len).fold(0, usize::saturating_add);
    if given == parts.size() {
        return Ok(Fitted { sources: cut(pieces, parts, None)?, columns: None });
    }
    let mut last = pieces.iter().map(|piece| piece.dims().last().copied());
    let columns = last.next().flatten().filter(|k| last.all(|other| other == Some(*k)));
    match columns.filter(|k| parts.size().checked_mul(*k) == Some(given)) {
        Some(k) => Ok(Fitted { sources: cut(pieces, parts, Some(k))?, columns: Some(k) }),
        None => Err(Unfit::Size(given)),
    }
}

/// Pieces of the right total size, cut where the parts begin.
fn cut(pieces: &[Source], parts: &Parts, columns: Option<usize>) -> Result<Vec<Source>, DataError> {
    let k = columns.unwrap_or(1);
    let dims = |part: &crate::expr::Part| -> Vec<usize> {
        part.dims.iter().copied().chain(columns).collect()
    };
    let in_step = pieces.len() == parts.len()
        && pieces.iter().zip(&parts.0).all(|(piece, part)| piece.len() == part.size() * k);
    if in_step {
        return pieces.iter().zip(&parts.0).map(|(piece, p)| piece.reshape(dims(p))).collect();
    }
    let flat = flat(pieces, columns)?;
    let mut start = 0;
    let piece = |part: &crate::expr::Part| {
        let rows = start..start + part.size();
        start = rows.end;
        let piece = match columns {
            None => flat.slice(rows)?,
            Some(k) => flat.slice([rows, 0..k])?,
        };
        piece.reshape(dims(part))
    };
    parts.0.iter().map(piece).collect()
}

/// All pieces one after another, each flat but for its columns.
pub(super) fn flat(pieces: &[Source], columns: Option<usize>) -> Result<Source, DataError> {
    let k = columns.unwrap_or(1).max(1);
    let dtype = widest(pieces);
    let flatten = |piece: &Source| {
        let dims: Vec<usize> = std::iter::once(piece.len() / k).chain(columns).collect();
        piece.cast(dtype)?.reshape(dims)
    };
    let flat: Vec<Source> = pieces.iter().map(flatten).collect::<Result<_, _>>()?;
    match &flat[..] {
        [one] => Ok(one.clone()),
        _ => Source::concat(0, flat),
    }
}
