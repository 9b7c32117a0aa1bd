//! What a problem file may name: operators and solvers, each with its parameters and their kinds.
//!
//! Names and parameters are PyLops's.
//! An entry is enough to check a table of a file; building is done by whoever owns the operator.

/// Everything that a problem file may name.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// What `operator = ".."` may say.
    pub operators: Vec<Entry>,
    /// What `solver = ".."` may say.
    pub solvers: Vec<Entry>,
    /// What may be called behind a dot, besides `conj`.
    pub methods: Vec<&'static str>,
}

/// An operator or a solver.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its name in a file.
    pub name: &'static str,
    /// Its parameters, in PyLops's order.
    pub parameters: &'static [Parameter],
    /// The results that a solver can write; none for an operator.
    pub results: &'static [&'static str],
}

/// A parameter of an operator or a solver.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its key in a file.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Whether it must be given.
    pub required: bool,
}

/// What a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`
    Flag,
    /// An integer of at least 0.
    Count,
    /// An integer.
    Integer,
    /// A finite number, or an expression of numbers and parameters.
    Number,
    /// Sizes: one count or a list of them, with a product that can be counted in bytes.
    Dims,
    /// One integer or a list of them.
    Integers,
    /// One finite number or a list of them.
    Numbers,
    /// One of some words.
    Word(&'static [&'static str]),
    /// An element type.
    Dtype,
    /// An expression for an array, `{ array = ".." }`, or a list of finite numbers.
    Array,
    /// An expression for an operator.
    Operator,
}

impl Entry {
    /// An operator.
    pub const fn operator(name: &'static str, parameters: &'static [Parameter]) -> Self {
        Entry { name, parameters, results: &[] }
    }
}

/// A parameter that must be given.
pub const fn required(name: &'static str, kind: Kind) -> Parameter {
    Parameter { name, kind, required: true }
}

/// A parameter that may be left out.
pub const fn optional(name: &'static str, kind: Kind) -> Parameter {
    Parameter { name, kind, required: false }
}

impl Catalog {
    /// The operators and solvers of this crate.
    pub fn standard() -> Self {
        Catalog { operators: OPERATORS.to_vec(), solvers: SOLVERS.to_vec(), methods: vec!["on"] }
    }

    /// The operator of a name.
    pub fn operator(&self, name: &str) -> Option<Entry> {
        self.operators.iter().find(|entry| entry.name == name).copied()
    }

    /// The solver of a name.
    pub fn solver(&self, name: &str) -> Option<Entry> {
        self.solvers.iter().find(|entry| entry.name == name).copied()
    }
}

const DTYPE: Parameter = optional("dtype", Kind::Dtype);
const AXIS: Parameter = optional("axis", Kind::Integer);
const DIFFERENCE: Kind = Kind::Word(&["forward", "backward", "centered"]);
const SIZES: &[Parameter] = &[required("N", Kind::Dims), optional("M", Kind::Dims), DTYPE];
const DIMS: &[Parameter] = &[required("dims", Kind::Dims), DTYPE];

const OPERATORS: &[Entry] = &[
    Entry::operator(
        "MatrixMult",
        &[required("A", Kind::Array), optional("otherdims", Kind::Dims), DTYPE],
    ),
    Entry::operator("Identity", SIZES),
    Entry::operator("Zero", SIZES),
    Entry::operator(
        "Diagonal",
        &[required("diag", Kind::Array), optional("dims", Kind::Dims), AXIS, DTYPE],
    ),
    Entry::operator(
        "FirstDerivative",
        &[
            required("dims", Kind::Dims),
            AXIS,
            optional("sampling", Kind::Number),
            optional("kind", DIFFERENCE),
            optional("edge", Kind::Flag),
            optional("order", Kind::Count),
            DTYPE,
        ],
    ),
    Entry::operator(
        "SecondDerivative",
        &[
            required("dims", Kind::Dims),
            AXIS,
            optional("sampling", Kind::Number),
            optional("kind", DIFFERENCE),
            optional("edge", Kind::Flag),
            DTYPE,
        ],
    ),
    Entry::operator(
        "Laplacian",
        &[
            required("dims", Kind::Dims),
            optional("axes", Kind::Integers),
            optional("weights", Kind::Numbers),
            optional("sampling", Kind::Numbers),
            optional("edge", Kind::Flag),
            optional("kind", DIFFERENCE),
            DTYPE,
        ],
    ),
    Entry::operator(
        "Gradient",
        &[
            required("dims", Kind::Dims),
            optional("sampling", Kind::Numbers),
            optional("edge", Kind::Flag),
            optional("kind", DIFFERENCE),
            DTYPE,
        ],
    ),
    Entry::operator(
        "Restriction",
        &[required("dims", Kind::Dims), required("iava", Kind::Array), AXIS, DTYPE],
    ),
    Entry::operator(
        "Transpose",
        &[required("dims", Kind::Dims), required("axes", Kind::Integers), DTYPE],
    ),
    Entry::operator("Real", DIMS),
    Entry::operator("Conj", DIMS),
    Entry::operator(
        "FFT",
        &[
            required("dims", Kind::Dims),
            AXIS,
            optional("nfft", Kind::Count),
            optional("sampling", Kind::Number),
            optional("norm", Kind::Word(&["ortho", "none", "1/n"])),
            optional("real", Kind::Flag),
            optional("ifftshift_before", Kind::Flag),
            optional("fftshift_after", Kind::Flag),
            DTYPE,
        ],
    ),
    Entry::operator(
        "Fredholm1",
        &[
            required("G", Kind::Array),
            optional("nz", Kind::Count),
            optional("saveGt", Kind::Flag),
            optional("usematmul", Kind::Flag),
            DTYPE,
        ],
    ),
];

const KRYLOV: &[Parameter] = &[
    required("niter", Kind::Count),
    optional("damp", Kind::Number),
    optional("tol", Kind::Number),
];

const SOLVERS: &[Entry] = &[
    Entry { name: "cg", parameters: KRYLOV, results: &["x", "cost"] },
    Entry { name: "cgls", parameters: KRYLOV, results: &["x", "cost"] },
];
