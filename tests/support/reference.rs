//! The reference cases of PyLops, if they are here: `ADJOIN_REFERENCE` or `../shared/reference`.

use adjoin::Dtype;
use adjoin::data::{Region, Source};
use adjoin::ops::Handle;
use adjoin::ops::registry::{self, Built, Value};
use num_complex::Complex64;
use std::path::{Path, PathBuf};

/// One operator case.
pub struct Case {
    pub id: String,
    pub operator: String,
    pub dims: Vec<usize>,
    pub dimsd: Vec<usize>,
    pub dtype: Dtype,
    pub x_dtype: Dtype,
    pub y_dtype: Dtype,
    pub rtol: f64,
    params: serde_json::Value,
    arrays: PathBuf,
}

/// The folder of the cases; `None`, with a note, if it is not here.
pub fn folder() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/reference");
    let folder = std::env::var_os("ADJOIN_REFERENCE").map_or(beside, PathBuf::from);
    if folder.join("operators.json").exists() {
        return Some(folder);
    }
    println!("skipped: no reference cases in {}; set ADJOIN_REFERENCE", folder.display());
    None
}

/// The cases of the operators that the registry knows as leaves.
pub fn operators() -> Vec<Case> {
    let mut cases = all();
    cases.retain(|case| matches!(case.built(), Built::Leaf(_)));
    cases
}

/// The cases of the operators that the registry knows as expressions.
pub fn expressions() -> Vec<Case> {
    let mut cases = all();
    cases.retain(|case| matches!(case.built(), Built::Expression(_)));
    cases
}

/// The cases of the operators that the registry knows.
pub fn all() -> Vec<Case> {
    let Some(folder) = folder() else { return vec![] };
    let text = std::fs::read_to_string(folder.join("operators.json")).unwrap();
    let cases: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let known = registry::operators();
    let mut read: Vec<Case> = cases.iter().map(|case| Case::read(case, &folder)).collect();
    read.retain(|case| known.contains(&case.operator.as_str()));
    read
}

impl Case {
    fn read(json: &serde_json::Value, folder: &Path) -> Case {
        let text = |key: &str| json[key].as_str().unwrap().to_string();
        let dims = |key: &str| {
            let list = json[key].as_array().unwrap();
            list.iter().map(|n| n.as_u64().unwrap() as usize).collect()
        };
        let dtype = |key: &str| Dtype::parse(json[key].as_str().unwrap()).unwrap();
        Case {
            arrays: folder.join("operators").join(format!("{}.npz", text("id"))),
            id: text("id"),
            operator: text("operator"),
            dims: dims("dims"),
            dimsd: dims("dimsd"),
            dtype: dtype("dtype"),
            x_dtype: dtype("x_dtype"),
            y_dtype: dtype("y_dtype"),
            rtol: json["rtol"].as_f64().unwrap(),
            params: json["params"].clone(),
        }
    }

    /// The operator that is a leaf.
    pub fn operator(&self) -> Handle {
        match self.built() {
            Built::Leaf(operator) => operator,
            Built::Expression(op) => panic!("{} is an expression: {op}", self.id),
        }
    }

    /// The operator, by way of the registry. Those without a `dtype` take it from their arrays.
    pub fn built(&self) -> Built {
        let mut parameters = vec![];
        if registry::parameters(&self.operator).unwrap().contains(&"dtype") {
            parameters.push(("dtype".to_string(), Value::Text(self.dtype.numpy().into())));
        }
        for (name, value) in self.params.as_object().unwrap() {
            parameters.push((name.clone(), self.value(value)));
        }
        registry::build(&self.operator, &parameters).unwrap_or_else(|e| panic!("{}: {e}", self.id))
    }

    fn value(&self, json: &serde_json::Value) -> Value {
        use serde_json::Value as Json;
        match json {
            Json::Null => Value::None,
            Json::Bool(b) => Value::Bool(*b),
            Json::Number(n) => {
                n.as_i64().map_or(Value::Number(n.as_f64().unwrap()), Value::Integer)
            }
            Json::String(text) => Value::Text(text.clone()),
            Json::Array(items) => Value::List(items.iter().map(|v| self.value(v)).collect()),
            Json::Object(object) => {
                let name = object["array"].as_str().unwrap();
                Value::Array(Source::npz(&self.arrays, name).unwrap())
            }
        }
    }

    /// An array of the case in the widest type.
    pub fn array(&self, name: &str) -> Vec<Complex64> {
        let source = Source::npz(&self.arrays, name).unwrap();
        source.cast(Dtype::C128).unwrap().read_vec(&Region::all(source.dims())).unwrap()
    }
}
