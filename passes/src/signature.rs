//! What an operator tells the compiler: a signature, pure data.
//!
//! The compiler does not enumerate operator kinds.
//! It knows an operator by the index factors of its domain and range (the [`Rule`]), by its
//! linearity, its laws and its cost.
//! Everything else about a factor follows from where it occurs:
//!
//! | occurs in | the factor is | splitting it over an axis means |
//! |---|---|---|
//! | domain and range | *passed* | both sides are split alike |
//! | domain and range, with a halo | *stencilled* | the domain side needs ghost cells |
//! | domain and range, with a spread | *ragged* | cut points of one side follow the other's |
//! | domain only | *contracted* | the range is a pending sum |
//! | range only | *expanded* | the domain is replicated, the adjoint is a pending sum |
//! | anywhere, marked whole | *transformed* | it cannot be split |

mod class;
mod transposition;

pub use class::Class;

use crate::dtype::Dtype;
use crate::weights::Weights;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::sync::Arc;

/// An operator as the compiler sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signature {
    /// The operator's class, as PyLops names it: used in messages only.
    pub kind: String,
    /// The type of the operator's own data; vectors are promoted with it.
    pub dtype: Dtype,
    /// How element types of domain and range follow from the vector's.
    pub typing: Typing,
    /// Shapes of the parts of the domain.
    pub domain: Vec<Vec<usize>>,
    /// Shapes of the parts of the range.
    pub range: Vec<Vec<usize>>,
    /// The index factors.
    pub rule: Rule,
    /// What scalars commute with it.
    pub linearity: Linearity,
    /// What is known of its products.
    pub laws: Laws,
    /// What it costs.
    pub cost: Cost,
}

/// Which kinds of elements an operator maps to which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Typing {
    /// Domain and range have the type of the vector, promoted with the operator's.
    Same,
    /// Real vectors to complex ones, as a Fourier transform of real input.
    RealToComplex,
    /// Complex vectors to real ones.
    ComplexToReal,
}

/// Over which field an operator is linear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Linearity {
    /// `A(αx) = αAx` for complex α.
    Complex,
    /// For real α only; `(αA)ᴴ = Aᴴᾱ`, and complex scalars do not pass.
    Real,
    /// `A(αx) = ᾱAx`.
    Antilinear,
}

/// Known facts of an operator's products.
/// A user's claims are tested on the real kernels when they are bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools)] // Ten independent facts, not a state machine.
pub struct Laws {
    /// `Aᴴ = A`
    pub self_adjoint: bool,
    /// `AᴴA = 1`
    pub isometry: bool,
    /// `AAᴴ = 1`
    pub co_isometry: bool,
    /// Every factor passes, element by element.
    pub diagonal: bool,
    /// Moves elements, changes none.
    pub permutation: bool,
    /// `A² = A = Aᴴ`
    pub projection: bool,
    /// `Ax = 0`
    pub zero: bool,
    /// `Ax = x`
    pub identity: bool,
    /// A discrete Fourier transform, orthonormal, of the one factor pair that is whole.
    pub fourier: bool,
    /// The frequencies of real samples that are not redundant, orthonormal: `A Aᴴ` drops the
    /// imaginary parts of those that are always real, and nothing else (see [`crate::spectrum`]).
    pub half_spectrum: bool,
}

impl Laws {
    /// The names, in the order in which plans print them, with access to each.
    #[allow(clippy::type_complexity)]
    pub const NAMES: [(&'static str, fn(&mut Laws) -> &mut bool); 10] = [
        ("self_adjoint", |l| &mut l.self_adjoint),
        ("isometry", |l| &mut l.isometry),
        ("co_isometry", |l| &mut l.co_isometry),
        ("diagonal", |l| &mut l.diagonal),
        ("permutation", |l| &mut l.permutation),
        ("projection", |l| &mut l.projection),
        ("zero", |l| &mut l.zero),
        ("identity", |l| &mut l.identity),
        ("fourier", |l| &mut l.fourier),
        ("half_spectrum", |l| &mut l.half_spectrum),
    ];

    /// The laws that hold, by name.
    pub fn names(mut self) -> Vec<&'static str> {
        Laws::NAMES.iter().filter(|(_, get)| *get(&mut self)).map(|(name, _)| *name).collect()
    }
}

/// The index factors of an operator, and how the dims of its parts are made of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// The factors, in the order in which the range and then the domain first use them.
    pub factors: Vec<Factor>,
    /// For each part of the domain, one binding a dim.
    pub domain: Vec<Vec<Binding>>,
    /// For each part of the range, one binding a dim.
    pub range: Vec<Vec<Binding>>,
}

/// One index of an operator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Factor {
    /// A short name, unique in the rule.
    pub name: String,
    /// How many values the index takes.
    pub size: usize,
    /// Whether the kernel needs all of it at once.
    pub whole: bool,
    /// Relative cost of each index, where that differs: cuts are balanced by it.
    pub weights: Option<Arc<Weights>>,
}

/// How one dim of one part is made of a factor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Binding {
    /// Index into [`Rule::factors`].
    pub factor: usize,
    /// Neighbours needed below and above (domain side only).
    pub halo: (usize, usize),
    /// How many elements of the dim belong to each value of the factor.
    pub spread: Spread,
}

/// How many elements of a dim belong to each value of a factor.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Spread {
    /// One each.
    One,
    /// The same number each.
    Uniform(usize),
    /// A running total: value `i` has the elements `table[i]..table[i + 1]`.
    Table(Arc<Vec<usize>>),
}

impl PartialOrd for Spread {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// One table is not compared with itself: the search sorts by placements, and those of a family
/// share a long one.
impl Ord for Spread {
    fn cmp(&self, other: &Self) -> Ordering {
        let place = |spread: &Spread| match spread {
            Spread::One => (0, 0),
            Spread::Uniform(k) => (1, *k),
            Spread::Table(_) => (2, 0),
        };
        match (self, other) {
            (Spread::Table(a), Spread::Table(b)) if !Arc::ptr_eq(a, b) => a.cmp(b),
            _ => place(self).cmp(&place(other)),
        }
    }
}

impl Spread {
    /// A spread from the number of elements of each value, in its simplest form.
    pub fn from_counts(counts: impl IntoIterator<Item = usize>) -> Self {
        let mut table = vec![0];
        for count in counts {
            table.push(table[table.len() - 1] + count);
        }
        let first = table.get(1).copied().unwrap_or(1);
        if table.windows(2).all(|w| w[1] - w[0] == first) {
            return if first == 1 { Spread::One } else { Spread::Uniform(first) };
        }
        Spread::Table(Arc::new(table))
    }

    /// Where the elements of factor value `index` begin.
    pub fn at(&self, index: usize) -> usize {
        match self {
            Spread::One => index,
            Spread::Uniform(k) => index * k,
            Spread::Table(table) => table[index.min(table.len() - 1)],
        }
    }
}

/// What one application costs, for the whole operator; tiles take their share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Floating point operations of one application.
    pub flops: f64,
    /// Bytes of operator data read in one application.
    pub reads: f64,
    /// Bytes of operator data held while the operator is bound.
    pub holds: f64,
    /// Bytes of scratch.
    pub scratch: f64,
    /// Seconds of set-up.
    pub setup: f64,
    /// The kind of work; without it, what the rule suggests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<Class>,
}

impl Factor {
    /// A factor that a mesh axis may split.
    pub fn free(name: impl Into<String>, size: usize) -> Self {
        Factor { name: name.into(), size, whole: false, weights: None }
    }

    /// A factor that the kernel needs as a whole.
    pub fn whole(name: impl Into<String>, size: usize) -> Self {
        Factor { whole: true, ..Factor::free(name, size) }
    }
}

impl Binding {
    /// One element for each value of the factor.
    pub fn plain(factor: usize) -> Self {
        Binding { factor, halo: (0, 0), spread: Spread::One }
    }

    /// A dim that reads `lo` cells below and `hi` above.
    pub fn halo(factor: usize, lo: usize, hi: usize) -> Self {
        Binding { factor, halo: (lo, hi), spread: Spread::One }
    }

    /// A dim with several or no elements for each value of the factor.
    pub fn ragged(factor: usize, spread: Spread) -> Self {
        Binding { factor, halo: (0, 0), spread }
    }
}

impl Rule {
    /// The rule in which every dim of one part passes.
    pub fn elementwise(dims: &[usize]) -> Self {
        let factors = dims.iter().enumerate().map(|(d, &n)| Factor::free(letter(d), n)).collect();
        let side: Vec<_> = (0..dims.len()).map(Binding::plain).collect();
        Rule { factors, domain: vec![side.clone()], range: vec![side] }
    }

    /// The rule of an operator of which nothing is known: no dim can be split.
    pub fn opaque(domain: &[Vec<usize>], range: &[Vec<usize>]) -> Self {
        let mut factors = Vec::new();
        let mut side = |parts: &[Vec<usize>]| -> Vec<Vec<Binding>> {
            let bind = |&n: &usize| {
                factors.push(Factor::whole(letter(factors.len()), n));
                Binding::plain(factors.len() - 1)
            };
            let mut bind = bind;
            parts.iter().map(|dims| dims.iter().map(&mut bind).collect()).collect()
        };
        let range = side(range);
        let domain = side(domain);
        Rule { factors, domain, range }
    }

    /// Whether the factor occurs in the domain.
    pub fn in_domain(&self, factor: usize) -> bool {
        self.domain.iter().flatten().any(|b| b.factor == factor)
    }

    /// Whether the factor occurs in the range.
    pub fn in_range(&self, factor: usize) -> bool {
        self.range.iter().flatten().any(|b| b.factor == factor)
    }

    /// Whether splitting the factor leaves no doubt about sums in this direction.
    /// The rule does not say which part depends on which: that every part given is a sum is sure
    /// if every part taken is split and none given; that none is a sum is sure if every part given
    /// is split, or no part taken is.
    pub fn sums_are_clear(&self, factor: usize, adjoint: bool) -> bool {
        let split = |parts: &[Vec<Binding>]| {
            parts.iter().filter(|part| part.iter().any(|b| b.factor == factor)).count()
        };
        let (domain, range) =
            ((split(&self.domain), self.domain.len()), (split(&self.range), self.range.len()));
        let ((takes, taken), (gives, given)) =
            if adjoint { (range, domain) } else { (domain, range) };
        if gives == 0 { takes == taken } else { gives == given || takes == 0 }
    }

    /// The size of a dim with this binding.
    pub fn extent(&self, binding: &Binding) -> usize {
        binding.spread.at(self.factors[binding.factor].size)
    }
}

impl Signature {
    /// Element types of domain and range when applied to vectors of type `vector`.
    pub fn types(&self, vector: Dtype) -> (Dtype, Dtype) {
        let v = self.dtype.promote(vector);
        match self.typing {
            Typing::Same => (v, v),
            Typing::RealToComplex => (v.real(), v.complex()),
            Typing::ComplexToReal => (v.complex(), v.real()),
        }
    }

    /// The declared cost, or what the rule alone suggests where nothing was declared.
    pub fn cost_or_estimate(&self) -> Cost {
        if self.cost != Cost::default() || self.laws.zero || self.laws.identity {
            return self.cost;
        }
        let all: f64 = self.rule.factors.iter().map(|f| f.size as f64).product();
        let reach: usize = self.rule.domain.iter().flatten().map(|b| b.halo.0 + b.halo.1).sum();
        let dense =
            (0..self.rule.factors.len()).any(|f| self.rule.in_domain(f) != self.rule.in_range(f));
        let reads = if dense { all * self.dtype.size() as f64 } else { 0.0 };
        Cost { flops: 2.0 * all * (1 + reach) as f64, reads, holds: reads, ..Cost::default() }
    }

    /// Elements of the domain.
    pub fn columns(&self) -> usize {
        self.domain.iter().map(|d| d.iter().product::<usize>()).sum()
    }

    /// Elements of the range.
    pub fn rows(&self) -> usize {
        self.range.iter().map(|d| d.iter().product::<usize>()).sum()
    }

    /// Checks that rule and shapes belong together; the message names what does not.
    pub fn check(&self) -> Result<(), String> {
        let rule = &self.rule;
        for (side, dims, bindings) in
            [("domain", &self.domain, &rule.domain), ("range", &self.range, &rule.range)]
        {
            if dims.len() != bindings.len() {
                return Err(format!(
                    "its {side} has {} parts and its rule {}",
                    dims.len(),
                    bindings.len()
                ));
            }
            for (part, (dims, bindings)) in dims.iter().zip(bindings).enumerate() {
                let extents: Vec<_> = bindings.iter().map(|b| rule.extent(b)).collect();
                if *dims != extents {
                    return Err(format!(
                        "part {part} of its {side} is {dims:?} and its rule makes {extents:?}"
                    ));
                }
                for b in bindings {
                    if b.halo != (0, 0) && (side == "range" || b.spread != Spread::One) {
                        return Err(format!(
                            "factor {} has a halo where none can be",
                            rule.factors[b.factor].name
                        ));
                    }
                }
            }
        }
        for (f, factor) in rule.factors.iter().enumerate() {
            if !rule.in_domain(f) && !rule.in_range(f) {
                return Err(format!("its factor {} is used nowhere", factor.name));
            }
            if let Some(weights) = &factor.weights
                && weights.len() != factor.size
            {
                return Err(format!("factor {} needs one weight for each index", factor.name));
            }
        }
        Ok(())
    }
}

/// The usual names of factors: i, j, k, …
pub fn letter(index: usize) -> String {
    let letters = b"ijklmnopqrstuvwxyzabcdefgh";
    let c = char::from(letters[index % letters.len()]);
    match index / letters.len() {
        0 => c.to_string(),
        n => format!("{c}{n}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_take_their_simplest_form() {
        assert_eq!(Spread::from_counts([1, 1, 1]), Spread::One);
        assert_eq!(Spread::from_counts([7, 7]), Spread::Uniform(7));
        let ragged = Spread::from_counts([0, 2, 1]);
        assert_eq!((0..4).map(|i| ragged.at(i)).collect::<Vec<_>>(), [0, 0, 2, 3]);
    }
}
