//! Expressions and solver cases of the reference, built through the Rust interface.

use super::reference::folder;
use adjoin::Dtype;
use adjoin::data::{Region, Source};
use adjoin::expr::{Op, block, block_diag, hstack, kronecker, vstack};
use adjoin::ops::registry::{self, Value};
use adjoin::problem::Formula;
use adjoin::problem::text::{Attribute, BinaryOp, Expr, ExprKind, Number};
use num_complex::Complex64;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A case of a solver or of an expression.
pub struct System {
    pub id: String,
    pub json: Json,
    pub operator: Op,
    arrays: PathBuf,
}

/// What an expression is while it is built.
enum Item {
    Number(Complex64),
    Op(Op),
}

/// The cases of some solvers.
pub fn solvers(names: &[&str]) -> Vec<System> {
    let Some(folder) = folder() else { return vec![] };
    let text = std::fs::read_to_string(folder.join("solvers.json")).unwrap();
    let cases: Vec<Json> = serde_json::from_str(&text).unwrap();
    let wanted = cases.into_iter().filter(|c| names.contains(&c["solver"].as_str().unwrap()));
    let read = wanted.map(|json| {
        let id = json["id"].as_str().unwrap().to_string();
        let arrays = folder.join("solvers").join(format!("{id}.npz"));
        let operator = operator(&json, json["expression"].as_str().unwrap(), &arrays);
        System { id, json, operator, arrays }
    });
    read.collect()
}

/// The operators of a case by name.
pub fn leaves(json: &Json, arrays: &PathBuf) -> BTreeMap<String, Op> {
    let specs = json["operators"].as_object().unwrap();
    specs.iter().map(|(name, spec)| (name.clone(), leaf(name, spec, arrays))).collect()
}

/// The operator of a text over the operators of a case.
pub fn operator(json: &Json, text: &str, arrays: &PathBuf) -> Op {
    over(&leaves(json, arrays), text)
}

/// The operator of a text over given operators.
pub fn over(leaves: &BTreeMap<String, Op>, text: &str) -> Op {
    let formula = Formula::parse("case", text).unwrap();
    match build(&formula.expr, leaves) {
        Item::Op(op) => op,
        Item::Number(_) => panic!("{text} is a number"),
    }
}

fn build(expr: &Expr, leaves: &BTreeMap<String, Op>) -> Item {
    let op = |e: &Expr| match build(e, leaves) {
        Item::Op(op) => op,
        Item::Number(z) => panic!("{z} is no operator"),
    };
    Item::Op(match &expr.kind {
        ExprKind::Number(n) => {
            return Item::Number(match n {
                Number::Integer(i) => Complex64::new(*i as f64, 0.0),
                Number::Real(x) => Complex64::new(*x, 0.0),
                Number::Imaginary(y) => Complex64::new(0.0, *y),
            });
        }
        ExprKind::Name(name) => leaves[name].clone(),
        ExprKind::Negative(e) => match build(e, leaves) {
            Item::Number(z) => return Item::Number(-z),
            Item::Op(a) => -a,
        },
        ExprKind::Binary { op: sign, left, right } => {
            match (sign, build(left, leaves), build(right, leaves)) {
                (BinaryOp::Add, Item::Op(a), Item::Op(b)) => a + b,
                (BinaryOp::Sub, Item::Op(a), Item::Op(b)) => a - b,
                (BinaryOp::MatMul | BinaryOp::Mul, Item::Op(a), Item::Op(b)) => a * b,
                (BinaryOp::Mul, Item::Number(z), Item::Op(a)) if z.im == 0.0 => z.re * a,
                (BinaryOp::Mul, Item::Number(z), Item::Op(a)) => z * a,
                (BinaryOp::Add, Item::Number(a), Item::Number(b)) => return Item::Number(a + b),
                (BinaryOp::Sub, Item::Number(a), Item::Number(b)) => return Item::Number(a - b),
                _ => panic!("{expr} is not in the reference"),
            }
        }
        ExprKind::Power { base, exponent } => match build(exponent, leaves) {
            Item::Number(n) => op(base).pow(n.re as u32),
            Item::Op(_) => panic!("{expr}"),
        },
        ExprKind::Attribute { base, attribute: Attribute::Adjoint } => op(base).h(),
        ExprKind::Attribute { base, attribute: Attribute::Transpose } => op(base).t(),
        ExprKind::Method { base, name, .. } if name.value == "conj" => op(base).conj(),
        ExprKind::Call { name, arguments } => {
            let args: Vec<_> = arguments.iter().map(|a| &a.value).collect();
            let blocks = || args.iter().map(|e| op(e)).collect::<Vec<_>>();
            match name.value.as_str() {
                "VStack" => vstack(blocks()).unwrap(),
                "HStack" => hstack(blocks()).unwrap(),
                "BlockDiag" => block_diag(blocks()).unwrap(),
                "Kronecker" => kronecker(op(args[0]), op(args[1])).unwrap(),
                "Block" => {
                    let row = |e: &&Expr| match &e.kind {
                        ExprKind::List(items) => items.iter().map(op).collect::<Vec<_>>(),
                        _ => panic!("{e}"),
                    };
                    block(args.iter().map(row).collect::<Vec<_>>()).unwrap()
                }
                other => panic!("{other} is not in the reference"),
            }
        }
        _ => panic!("{expr} is not in the reference"),
    })
}

fn leaf(name: &str, spec: &Json, arrays: &PathBuf) -> Op {
    let kind = spec["operator"].as_str().unwrap();
    let mut parameters = vec![];
    if registry::parameters(kind).unwrap().contains(&"dtype") {
        let dtype = spec["dtype"].as_str().unwrap();
        parameters.push(("dtype".to_string(), Value::Text(dtype.into())));
    }
    for (key, value) in spec["params"].as_object().unwrap() {
        parameters.push((key.clone(), self::value(value, arrays)));
    }
    Op::from(registry::build(kind, &parameters).unwrap()).named(name)
}

fn value(json: &Json, arrays: &PathBuf) -> Value {
    match json {
        Json::Null => Value::None,
        Json::Bool(b) => Value::Bool(*b),
        Json::Number(n) => n.as_i64().map_or(Value::Number(n.as_f64().unwrap()), Value::Integer),
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(items) => Value::List(items.iter().map(|v| value(v, arrays)).collect()),
        Json::Object(object) => {
            Value::Array(Source::npz(arrays, object["array"].as_str().unwrap()).unwrap())
        }
    }
}

impl System {
    /// An array of the case.
    pub fn source(&self, name: &str) -> Source {
        Source::npz(&self.arrays, name).unwrap()
    }

    /// Its elements in the widest type.
    pub fn array(&self, name: &str) -> Vec<Complex64> {
        let source = self.source(name);
        source.cast(Dtype::C128).unwrap().read_vec(&Region::all(source.dims())).unwrap()
    }

    /// A number of its parameters.
    pub fn parameter(&self, name: &str) -> f64 {
        self.json["params"][name].as_f64().unwrap()
    }

    /// The tolerance.
    pub fn rtol(&self) -> f64 {
        self.json["rtol"].as_f64().unwrap()
    }
}
