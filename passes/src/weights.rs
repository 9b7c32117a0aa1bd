//! What each value of an index costs beside the others, and where it is cut so that the dearest
//! piece is as cheap as can be.
//!
//! Where an index is cut is found once for each number of pieces, and kept: planning, the account
//! and lowering ask for the same pieces again and again, and no answer may take longer because
//! there are more ranks.

use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::ops::{Deref, Range};
use std::sync::{Arc, Mutex, PoisonError};

/// The ends of pieces by range and number.
type Known = BTreeMap<(usize, usize, usize), Arc<Vec<usize>>>;

/// The cost of each value of an index.
#[derive(Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Weights {
    of: Vec<u64>,
    /// For the first and last value of a range and a number of pieces, where each piece ends.
    #[serde(skip)]
    ends: Mutex<Known>,
}

impl Weights {
    /// Piece `k` of `pieces` contiguous pieces of a range, the heaviest of which weighs as little
    /// as it can; pieces are as long as that allows, so that the last ones may be empty.
    pub fn piece(&self, range: Range<usize>, pieces: usize, k: usize) -> Range<usize> {
        let ends = self.ends(range.clone(), pieces);
        let end = |k: usize| ends.get(k).copied().unwrap_or(range.end);
        k.checked_sub(1).map_or(range.start, end)..end(k)
    }

    /// The end of each piece but of those that end with the range.
    fn ends(&self, range: Range<usize>, pieces: usize) -> Arc<Vec<usize>> {
        let key = (range.start, range.end, pieces);
        let mut known = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(key).or_insert_with(|| Arc::new(ends(&self.of, range, pieces))).clone()
    }
}

/// The least limit is between the mean weight of a piece and that plus the heaviest value, which
/// always suffices.
fn ends(weights: &[u64], range: Range<usize>, pieces: usize) -> Vec<usize> {
    let (weights, begin) = (&weights[range.clone()], range.start);
    let (heaviest, sum) = (weights.iter().copied().max().unwrap_or(0), weights.iter().sum::<u64>());
    let mean = sum.div_ceil(pieces as u64);
    let (mut low, mut high) = (heaviest.max(mean), sum.min(mean.saturating_add(heaviest)));
    while low < high {
        let middle = low + (high - low) / 2;
        if fill(weights, pieces, middle).is_some() {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    let ends = fill(weights, pieces, low).unwrap_or_default();
    ends.into_iter().map(|end| begin + end).collect()
}

/// Where pieces end none of which weighs more than `limit`, the last one excepted, if `pieces` are
/// enough.
fn fill(weights: &[u64], pieces: usize, limit: u64) -> Option<Vec<usize>> {
    let mut ends = Vec::new();
    let mut sum = 0_u64;
    for (i, &w) in weights.iter().enumerate() {
        if sum.saturating_add(w) > limit {
            ends.push(i);
            if ends.len() == pieces {
                return None;
            }
            sum = 0;
        }
        sum += w;
    }
    Some(ends)
}

impl Deref for Weights {
    type Target = [u64];

    fn deref(&self) -> &[u64] {
        &self.of
    }
}

impl From<Vec<u64>> for Weights {
    fn from(of: Vec<u64>) -> Self {
        Weights { of, ends: Mutex::default() }
    }
}

impl FromIterator<u64> for Weights {
    fn from_iter<I: IntoIterator<Item = u64>>(of: I) -> Self {
        of.into_iter().collect::<Vec<_>>().into()
    }
}

impl Clone for Weights {
    fn clone(&self) -> Self {
        self.of.clone().into()
    }
}

impl std::fmt::Debug for Weights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.of.fmt(f)
    }
}

impl PartialEq for Weights {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other) || self.of == other.of
    }
}

impl Eq for Weights {}

impl PartialOrd for Weights {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Weights {
    fn cmp(&self, other: &Self) -> Ordering {
        if std::ptr::eq(self, other) { Ordering::Equal } else { self.of.cmp(&other.of) }
    }
}

impl Hash for Weights {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.of.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The least weight of the heaviest piece, by trying every cut.
    fn least(weights: &[u64], pieces: usize) -> u64 {
        let sum = |part: &[u64]| part.iter().sum::<u64>();
        if pieces == 1 {
            return sum(weights);
        }
        let cut = |at: usize| sum(&weights[..at]).max(least(&weights[at..], pieces - 1));
        (0..=weights.len()).map(cut).min().unwrap_or(0)
    }

    #[test]
    fn the_heaviest_piece_is_as_light_as_can_be() {
        for seed in 0..40_u64 {
            let len = 1 + seed % 7;
            let values = (0..len).map(|i| (seed * 7919 + i * 104_729) % 23 * (seed % 3 + i % 2));
            let weights: Weights = values.collect();
            for pieces in 1..5 {
                let each = (0..pieces).map(|k| weights.piece(0..weights.len(), pieces, k));
                let each: Vec<_> = each.collect();
                assert_eq!((each[0].start, each[pieces - 1].end), (0, weights.len()));
                assert!(each.windows(2).all(|w| w[0].end == w[1].start), "{weights:?} {each:?}");
                let heaviest = each.iter().map(|r| weights[r.clone()].iter().sum::<u64>()).max();
                assert_eq!(heaviest, Some(least(&weights, pieces)), "{weights:?} in {pieces}");
            }
        }
    }

    #[test]
    fn pieces_of_a_part_of_the_index_lie_in_it() {
        let weights: Weights = vec![9, 1, 1, 1, 9].into();
        let each: Vec<_> = (0..3).map(|k| weights.piece(1..4, 2, k.min(1))).collect();
        assert_eq!(each, [1..3, 3..4, 3..4]);
        assert_eq!(weights.piece(1..4, 100_000, 99_999), 4..4);
    }
}
