//! The shapes of domains, ranges and vectors: parts with dims and perhaps names.

use adjoin_passes::Dtype;

/// One array of a domain, a range or a vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name, where one was given.
    pub name: Option<String>,
    /// Its shape.
    pub dims: Vec<usize>,
}

/// The parts of a domain, a range or a vector, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts(pub Vec<Part>);

/// More elements than can be counted in bytes.
const TOO_MANY: usize = isize::MAX as usize / 16;

impl Part {
    /// How many elements there are.
    pub fn size(&self) -> usize {
        self.dims.iter().fold(1, |n: usize, &d| n.saturating_mul(d))
    }
}

impl Parts {
    /// A single part without a name.
    pub fn one(dims: impl Into<Vec<usize>>) -> Self {
        Parts(vec![Part { name: None, dims: dims.into() }])
    }

    /// Parts without names.
    pub fn unnamed(shapes: &[Vec<usize>]) -> Self {
        Parts(shapes.iter().map(|dims| Part { name: None, dims: dims.clone() }).collect())
    }

    /// The shapes alone.
    pub fn shapes(&self) -> Vec<Vec<usize>> {
        self.0.iter().map(|p| p.dims.clone()).collect()
    }

    /// How many parts there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many elements there are in all parts together.
    pub fn size(&self) -> usize {
        self.0.iter().fold(0, |n: usize, p| n.saturating_add(p.size()))
    }

    /// The dims of the only part, or the flat size of several.
    pub fn dims(&self) -> Vec<usize> {
        match self.0.as_slice() {
            [one] => one.dims.clone(),
            _ => vec![self.size()],
        }
    }

    /// The names of the parts of a value: `x` if there is one, else `x.data` or `x.0`.
    pub fn labels(&self, of: &str) -> Vec<String> {
        let label = |(i, part): (usize, &Part)| match &part.name {
            _ if self.len() == 1 => of.to_string(),
            Some(name) => format!("{of}.{name}"),
            None => format!("{of}.{i}"),
        };
        self.0.iter().enumerate().map(label).collect()
    }

    /// Each part with additional trailing dims.
    pub(super) fn lifted(&self, extra: &[usize]) -> Self {
        let lift = |p: &Part| Part { name: p.name.clone(), dims: [&p.dims, extra].concat() };
        Parts(self.0.iter().map(lift).collect())
    }

    /// Whether the shapes are equal, whatever the names.
    pub(super) fn alike(&self, other: &Parts) -> bool {
        self.len() == other.len() && self.0.iter().zip(&other.0).all(|(a, b)| a.dims == b.dims)
    }

    /// Whether parts stand for parts of the same sizes, perhaps of other dims.
    pub(super) fn in_step(&self, other: &Parts) -> bool {
        self.len() == other.len() && self.0.iter().zip(&other.0).all(|(a, b)| a.size() == b.size())
    }

    /// The element types after regrouping to other parts: their own if parts stay in step, else
    /// the one that holds them all.
    pub(super) fn regrouped(&self, to: &Parts, dtypes: &[Dtype]) -> Vec<Dtype> {
        if self.in_step(to) {
            return dtypes.to_vec();
        }
        let all = dtypes.iter().copied().reduce(Dtype::promote).unwrap_or(Dtype::F32);
        vec![all; to.len()]
    }

    /// Whether there are more elements than any memory has.
    pub(super) fn too_large(&self) -> bool {
        self.size() > TOO_MANY
    }

    /// The name that two parts share, if any do.
    pub(super) fn clash(&self) -> Option<&str> {
        let names: Vec<_> = self.0.iter().filter_map(|p| p.name.as_deref()).collect();
        names.iter().enumerate().find(|(i, name)| names[..*i].contains(name)).map(|(_, name)| *name)
    }

    /// The parts of a block of a stack, under its name if it has one.
    pub(super) fn under(&self, name: Option<&str>) -> Vec<Part> {
        let Some(name) = name else { return self.0.clone() };
        let labels = self.labels(name);
        let named = |(part, label): (&Part, String)| Part { name: Some(label), ..part.clone() };
        self.0.iter().zip(labels).map(named).collect()
    }
}

impl<D: Into<Vec<usize>>> From<D> for Parts {
    fn from(dims: D) -> Self {
        Parts::one(dims)
    }
}

/// Whether a name reads back from the text of an expression and of a plan.
pub(super) fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && chars.all(|c| c.is_alphanumeric() || c == '_')
}
