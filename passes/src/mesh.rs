//! The mesh: ranks arranged along named axes.
//!
//! Ranks are numbered with the first axis slowest, as the elements of a row-major array.

use serde::{Deserialize, Serialize};
use std::fmt;

/// An index into [`Mesh::axes`].
pub type Axis = usize;

/// Ranks along named axes; no axes at all is a single rank.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Mesh {
    /// Name and size of each axis.
    pub axes: Vec<(String, usize)>,
}

impl Mesh {
    /// A mesh of one axis, `p`.
    pub fn line(ranks: usize) -> Self {
        Mesh { axes: vec![("p".into(), ranks)] }
    }

    /// A mesh of two axes, `r` and `c`.
    pub fn grid(rows: usize, columns: usize) -> Self {
        Mesh { axes: vec![("r".into(), rows), ("c".into(), columns)] }
    }

    /// Reads `p=4`, or `r=2,c=3` with commas or spaces between.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut axes: Vec<(String, usize)> = Vec::new();
        for item in text.split([',', ' ']).filter(|s| !s.is_empty()) {
            let (name, size) = item
                .split_once('=')
                .ok_or_else(|| format!("`{item}` is not of the form axis=size, such as r=2"))?;
            let letters = !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase());
            if !letters {
                return Err(format!("`{name}` is no name of an axis: use letters, such as r"));
            }
            if axes.iter().any(|(other, _)| other == name) {
                return Err(format!("axis `{name}` is named twice in `{text}`"));
            }
            let size = size.parse().ok().filter(|&n: &usize| n > 0 && n <= 1 << 24);
            let size = size.ok_or_else(|| format!("`{item}` needs a positive number of ranks"))?;
            axes.push((name.to_string(), size));
        }
        let mesh = Mesh { axes };
        if mesh.axes.is_empty() {
            return Err(format!("`{text}` names no axis: write p=4 or r=2,c=2"));
        }
        let ranks = mesh.axes.iter().try_fold(1usize, |n, (_, size)| n.checked_mul(*size));
        match ranks {
            Some(n) if n <= 1 << 24 => Ok(mesh),
            _ => Err(format!("`{text}` has more ranks than a plan can name")),
        }
    }

    /// The number of ranks.
    pub fn ranks(&self) -> usize {
        self.axes.iter().map(|(_, n)| n).product()
    }

    /// The size of one axis.
    pub fn size(&self, axis: Axis) -> usize {
        self.axes[axis].1
    }

    /// The product of the sizes of some axes.
    pub fn sizes(&self, axes: &[Axis]) -> usize {
        axes.iter().map(|&a| self.size(a)).product()
    }

    /// The axis of this name.
    pub fn axis(&self, name: &str) -> Option<Axis> {
        self.axes.iter().position(|(n, _)| n == name)
    }

    /// The coordinates of a rank, one for each axis.
    pub fn coordinates(&self, rank: usize) -> Vec<usize> {
        self.coordinates_along(&(0..self.axes.len()).collect::<Vec<_>>(), rank)
    }

    /// The coordinates of the `k`-th rank along some axes, major first, and zero along the others.
    pub fn coordinates_along(&self, axes: &[Axis], k: usize) -> Vec<usize> {
        let mut rest = k;
        let mut at = vec![0; self.axes.len()];
        for &axis in axes.iter().rev() {
            at[axis] = rest % self.size(axis);
            rest /= self.size(axis);
        }
        at
    }

    /// The rank at some coordinates.
    pub fn rank(&self, coordinates: &[usize]) -> usize {
        coordinates.iter().enumerate().fold(0, |r, (axis, &c)| r * self.size(axis) + c)
    }

    /// The ranks that differ from `rank` only along `axes`, in the order of those coordinates.
    pub fn group(&self, rank: usize, axes: &[Axis]) -> Vec<usize> {
        let mut members = vec![self.coordinates(rank)];
        for &axis in axes {
            members = members
                .into_iter()
                .flat_map(|at| {
                    (0..self.size(axis)).map(move |c| {
                        let mut at = at.clone();
                        at[axis] = c;
                        at
                    })
                })
                .collect();
        }
        members.iter().map(|at| self.rank(at)).collect()
    }
}

impl fmt::Display for Mesh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let axes: Vec<_> = self.axes.iter().map(|(name, n)| format!("{name}={n}")).collect();
        f.write_str(&axes.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_count_with_the_last_axis_fastest() {
        let mesh = Mesh::grid(2, 3);
        assert_eq!(mesh.coordinates(4), [1, 1]);
        assert_eq!(mesh.rank(&[1, 1]), 4);
        assert_eq!(mesh.group(4, &[1]), [3, 4, 5]);
        assert_eq!(mesh.group(4, &[0]), [1, 4]);
        assert_eq!(mesh.group(4, &[0, 1]), [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn bad_texts_are_refused() {
        for text in ["", "4", "r=0", "r=2,r=2", "R=2", "r=99999999,c=99999999"] {
            assert!(Mesh::parse(text).is_err(), "{text}");
        }
        assert_eq!(Mesh::parse("r=2,c=3").unwrap(), Mesh::grid(2, 3));
    }
}
