//! Problem files and their expression language, from text to a resolved tree.
//!
//! ```text
//! text ──▶ value ──▶ file ──▶ resolve
//!            └─ expressions ─▶ text       │
//!                                       build ──▶ expressions, systems, sources
//! ```
//!
//! Only `build` and the catalogue know operators, and nothing here knows plans.
//! Modules are declared in the order in which to read them.

pub mod diagnostic;

pub mod suggest;

pub mod text;

pub mod value;

pub mod file;

pub mod catalog;

pub mod resolve;

pub mod build;

pub use build::Model;
pub use catalog::Catalog;
pub use diagnostic::{Diagnostic, Document, Result, Span, Spanned};
pub use file::Problem;
pub use resolve::Resolved;
pub use text::Formula;

/// What a fuzz target calls: no bytes may make it panic.
#[doc(hidden)]
pub fn fuzz_entry(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    for name in ["fuzz.toml", "fuzz.json"] {
        let resolved = Problem::parse(name, text)
            .and_then(|problem| Resolved::new(problem, &Catalog::standard(), Vec::new()));
        let built = resolved.and_then(|resolved| built(&resolved));
        if let Err(error) = built {
            assert!(!error.message().is_empty() && !error.render().is_empty());
        }
    }
    match Formula::parse("EXPR", text) {
        Ok(formula) => {
            let printed = formula.expr.to_string();
            match Formula::parse("EXPR", &printed) {
                Ok(again) => assert_eq!(again.expr.to_string(), printed),
                Err(error) => assert!(error.message().contains("at most"), "{printed}"),
            }
        }
        Err(error) => assert!(!error.render().is_empty()),
    }
}

/// Builds all that a problem asks for, with arrays of which only the shapes are known.
fn built(resolved: &Resolved) -> Result<()> {
    use crate::Dtype;
    use crate::data::Source;
    let declared = |array: &file::Array| match &array.origin {
        file::Origin::Shape { dims, dtype } => {
            Ok(Source::declared(dims.clone(), dtype.unwrap_or(Dtype::F64)))
        }
        file::Origin::Npy(path) if path.value.starts_with('w') => {
            Ok(Source::declared([50, 1280], Dtype::F64))
        }
        file::Origin::Npy(_) | file::Origin::Npz { .. } => Ok(Source::declared([50], Dtype::C64)),
    };
    let mut model = Model::with(resolved, &declared)?;
    if let Some(task) = model.task()? {
        let types: Vec<Dtype> = vec![Dtype::C128; task.system.model_parts().len()];
        let parts = task.system.model_parts().clone();
        model.bind_solution(crate::expr::input_parts("x", parts, &types));
    }
    model.outputs().map(|_| ())
}
