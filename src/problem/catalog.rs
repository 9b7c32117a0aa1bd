//! What a problem file may name: operators and solvers, each with its parameters and their kinds.
//!
//! Operators and their parameters are the registry's: it is asked what each parameter must be, and
//! which ones it cannot do without, so that there is one list.

use crate::Dtype;
use crate::data::Source;
use crate::ops::registry::{self, FromValue, RegistryError, Value};
use crate::ops::{Dims, Handle, Pairs, Profile, Tables};
use std::sync::{Arc, OnceLock};

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
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its name in a file.
    pub name: &'static str,
    /// Its parameters, in PyLops's order.
    pub parameters: Arc<[Parameter]>,
    /// The results that a solver can write; none for an operator.
    pub results: &'static [&'static str],
}

/// A parameter of an operator or a solver.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Its key in a file.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Whether it must be given.
    pub required: bool,
}

/// What a parameter takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`
    Flag,
    /// One `true` or `false` or a list of them.
    Flags,
    /// An integer of at least 0.
    Count,
    /// An integer.
    Integer,
    /// A finite number, or an expression of numbers and parameters.
    Number,
    /// Sizes: one count or a list of them, with a product that can be counted in bytes.
    Dims,
    /// A pair of counts or a list of them.
    Pairs,
    /// One integer or a list of them.
    Integers,
    /// One finite number or a list of them.
    Numbers,
    /// One of some words.
    Word(Arc<[String]>),
    /// An element type.
    Dtype,
    /// An expression for an array, `{ array = ".." }`, or a list of finite numbers.
    Array,
    /// A finite number, or an array.
    Profile,
    /// An array, or a list of two.
    Tables,
    /// An expression for an operator.
    Operator,
    /// Anything: the parameter has no effect here.
    Ignored,
}

impl Entry {
    /// The parameter of a name; one that PyLops has and that has no effect here is `Ignored`.
    pub fn parameter(&self, name: &str) -> Option<Parameter> {
        let known = self.parameters.iter().find(|parameter| parameter.name == name);
        known.cloned().or_else(|| {
            let given = [(name.to_owned(), Value::None)];
            let unknown = matches!(
                registry::build(self.name, &given),
                Err(RegistryError::UnknownOperator { .. } | RegistryError::UnknownParameter { .. })
            );
            (!unknown).then(|| optional("", Kind::Ignored))
        })
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

/// The operators that are maps of elements and no leaves.
pub const ELEMENTWISE: [&str; 2] = ["Real", "Conj"];

impl Catalog {
    /// The operators and solvers of this crate.
    pub fn standard() -> Self {
        static STANDARD: OnceLock<Catalog> = OnceLock::new();
        STANDARD.get_or_init(Catalog::asked).clone()
    }

    fn asked() -> Self {
        let leaves = registry::operators().into_iter().map(|name| Entry {
            name,
            parameters: parameters(name).into(),
            results: &[],
        });
        let maps = ELEMENTWISE.into_iter().map(|name| Entry {
            name,
            parameters: [required("dims", Kind::Dims), optional("dtype", Kind::Dtype)].into(),
            results: &[],
        });
        let by_gradients = ["cg", "cgls"].map(|name| Entry {
            name,
            parameters: [
                required("niter", Kind::Count),
                optional("damp", Kind::Number),
                optional("tol", Kind::Number),
            ]
            .into(),
            results: &["x", "cost"],
        });
        let lsqr = Entry {
            name: "lsqr",
            parameters: [
                required("niter", Kind::Count),
                optional("damp", Kind::Number),
                optional("atol", Kind::Number),
                optional("btol", Kind::Number),
                optional("conlim", Kind::Number),
                optional("calc_var", Kind::Flag),
            ]
            .into(),
            results: &["x", "cost", "var"],
        };
        Catalog {
            operators: leaves.chain(maps).collect(),
            solvers: by_gradients.into_iter().chain([lsqr]).collect(),
            methods: vec![],
        }
    }

    /// The operator of a name.
    pub fn operator(&self, name: &str) -> Option<Entry> {
        self.operators.iter().find(|entry| entry.name == name).cloned()
    }

    /// The solver of a name.
    pub fn solver(&self, name: &str) -> Option<Entry> {
        self.solvers.iter().find(|entry| entry.name == name).cloned()
    }
}

/// A value that no parameter takes, so that the refusal says what it must be.
const PROBE: &str = "?";

/// The parameters of an operator, as the registry reads them.
fn parameters(operator: &str) -> Vec<Parameter> {
    let mut needed: Vec<(String, Value)> = Vec::new();
    while let Err(RegistryError::Missing { name, .. }) = registry::build(operator, &needed) {
        let kind = kind(operator, &needed, &name);
        needed.push((name, sample(&kind)));
    }
    let names = registry::parameters(operator).unwrap_or_default();
    names.iter().map(|name| parameter(operator, &needed, name)).collect()
}

fn parameter(operator: &str, needed: &[(String, Value)], name: &'static str) -> Parameter {
    let is_needed = needed.iter().any(|(other, _)| other == name);
    let others: Vec<_> = needed.iter().filter(|(other, _)| other != name).cloned().collect();
    Parameter { name, kind: kind(operator, &others, name), required: is_needed }
}

fn kind(operator: &str, others: &[(String, Value)], name: &str) -> Kind {
    let mut given = others.to_vec();
    given.push((name.to_owned(), Value::Text(PROBE.into())));
    match registry::build(operator, &given) {
        Err(RegistryError::WrongType { expected, .. }) => expected_kind(&expected),
        _ => Kind::Ignored,
    }
}

fn expected_kind(expected: &str) -> Kind {
    let kinds = [
        (<bool as FromValue>::EXPECTED, Kind::Flag),
        (<Vec<bool> as FromValue>::EXPECTED, Kind::Flags),
        (<usize as FromValue>::EXPECTED, Kind::Count),
        (<isize as FromValue>::EXPECTED, Kind::Integer),
        (<f64 as FromValue>::EXPECTED, Kind::Number),
        (<Dims as FromValue>::EXPECTED, Kind::Dims),
        (<Pairs as FromValue>::EXPECTED, Kind::Pairs),
        (<Vec<isize> as FromValue>::EXPECTED, Kind::Integers),
        (<Vec<f64> as FromValue>::EXPECTED, Kind::Numbers),
        (<Dtype as FromValue>::EXPECTED, Kind::Dtype),
        (<Source as FromValue>::EXPECTED, Kind::Array),
        (<Profile as FromValue>::EXPECTED, Kind::Profile),
        (<Tables as FromValue>::EXPECTED, Kind::Tables),
        (<Handle as FromValue>::EXPECTED, Kind::Operator),
    ];
    let known = kinds.into_iter().find(|(text, _)| *text == expected);
    known.map_or_else(
        || {
            if expected.starts_with(<Source as FromValue>::EXPECTED) {
                return Kind::Array;
            }
            let words = expected.split(", ").flat_map(|words| words.split(" or "));
            Kind::Word(words.map(str::to_owned).collect())
        },
        |(_, kind)| kind,
    )
}

/// A value that stands for a parameter while another one is asked for.
fn sample(kind: &Kind) -> Value {
    match kind {
        Kind::Flag | Kind::Flags => Value::Bool(false),
        Kind::Count | Kind::Integer | Kind::Number | Kind::Profile => Value::Integer(0),
        Kind::Dims | Kind::Integers | Kind::Numbers => Value::List(vec![Value::Integer(0)]),
        Kind::Pairs => Value::List(vec![Value::Integer(0), Value::Integer(0)]),
        Kind::Word(words) => Value::Text(words.first().cloned().unwrap_or_default()),
        Kind::Dtype => Value::Text(Dtype::F32.numpy().into()),
        Kind::Array | Kind::Tables => Value::Array(Source::zeros([1, 1, 1], Dtype::F32)),
        Kind::Operator | Kind::Ignored => Value::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_is_the_only_list() {
        let catalog = Catalog::standard();
        for operator in registry::operators() {
            let entry = catalog.operator(operator).unwrap();
            let names: Vec<_> = entry.parameters.iter().map(|p| p.name).collect();
            assert_eq!(names, registry::parameters(operator).unwrap());
            assert!(entry.parameters.iter().all(|p| p.kind != Kind::Ignored), "{operator}");
        }
    }

    #[test]
    fn kinds_are_those_that_the_registry_reads() {
        let catalog = Catalog::standard();
        let kind = |operator: &str, name: &str| {
            let parameter = catalog.operator(operator).unwrap().parameter(name).unwrap();
            (parameter.kind, parameter.required)
        };
        assert_eq!(kind("MatrixMult", "A"), (Kind::Array, true));
        assert_eq!(kind("Restriction", "iava"), (Kind::Array, true));
        assert_eq!(kind("Transpose", "axes"), (Kind::Integers, true));
        assert_eq!(kind("FirstDerivative", "sampling"), (Kind::Number, false));
        assert_eq!(kind("Laplacian", "weights"), (Kind::Numbers, false));
        assert_eq!(kind("Identity", "M"), (Kind::Dims, false));
        assert_eq!(kind("FFT", "real"), (Kind::Flag, false));
        assert_eq!(kind("FFT2D", "fftshift_after"), (Kind::Flags, false));
        assert_eq!(kind("MDC", "nt"), (Kind::Count, true));
        assert_eq!(kind("AVOLinearModelling", "vsvp"), (Kind::Profile, false));
        assert_eq!(kind("Pad", "pad"), (Kind::Pairs, true));
        assert_eq!(kind("Fredholm1", "saveGt"), (Kind::Ignored, false));
        let words = ["forward", "centered", "backward"].map(str::to_owned);
        assert_eq!(kind("Gradient", "kind"), (Kind::Word(words.to_vec().into()), false));
        assert!(catalog.operator("Gradient").unwrap().parameter("order").is_none());
    }
}
