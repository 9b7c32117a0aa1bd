//! The names that a file declares: each once, none a built-in word.

use super::{Entity, Resolved, Setting, at_name};
use crate::problem::catalog::Catalog;
use crate::problem::diagnostic::{Diagnostic, Document, Result, Span, Spanned};
use crate::problem::file::{Name, Origin, Problem};
use crate::problem::suggest;
use crate::problem::text::lexer::is_name;
use std::collections::BTreeMap;

/// The functions of the expression language.
pub const FUNCTIONS: [&str; 7] =
    ["VStack", "HStack", "BlockDiag", "Block", "Kronecker", "stack", "zeros"];

/// What the solver's result is called in expressions.
const SOLUTION: &str = "x";

/// All names of a file.
#[derive(Clone, Debug)]
pub struct Names {
    known: BTreeMap<String, (Entity, Span)>,
}

impl Names {
    /// Collects them, with an error for clashes.
    pub fn collect(problem: &Problem, catalog: &Catalog) -> Result<Self> {
        let mut names = Names { known: BTreeMap::new() };
        let document = &problem.document;
        if let Some(solve) = &problem.solve {
            names.known.insert(SOLUTION.to_owned(), (Entity::Solution, solve.solver.span));
        }
        let parameters = problem.parameters.iter().map(|p| &p.name);
        for (i, name) in parameters.enumerate() {
            names.declare(document, catalog, name, Entity::Parameter(i))?;
        }
        for (i, array) in problem.arrays.iter().enumerate() {
            names.declare(document, catalog, &array.name, Entity::Array(i))?;
        }
        for (i, operator) in problem.operators.iter().enumerate() {
            names.declare(document, catalog, &operator.name, Entity::Operator(i))?;
        }
        Ok(names)
    }

    /// What a name stands for.
    pub fn lookup(&self, name: &str) -> Option<Entity> {
        self.known.get(name).map(|(entity, _)| *entity)
    }

    /// All names, sorted.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.known.keys().map(String::as_str)
    }

    /// Lets operators be named by their new places.
    pub(super) fn renumber(&mut self, place: &[usize]) {
        for (entity, _) in self.known.values_mut() {
            if let Entity::Operator(i) = entity {
                *i = place[*i];
            }
        }
    }

    fn declare(
        &mut self,
        document: &Document,
        catalog: &Catalog,
        name: &Name,
        entity: Entity,
    ) -> Result<()> {
        check_word(document, catalog, name)?;
        match self.known.insert(name.value.clone(), (entity, name.span)) {
            None => Ok(()),
            Some((Entity::Solution, _)) => {
                let message = format!("`{SOLUTION}` is what the solver computes");
                Err(at_name(document, name, message, "so this needs another name"))
            }
            Some((_, first)) => {
                let message = format!("`{}` is declared twice", name.value);
                Err(at_name(document, name, message, "again here").also(
                    document,
                    first,
                    "first here",
                ))
            }
        }
    }
}

fn check_word(document: &Document, catalog: &Catalog, name: &Name) -> Result<()> {
    if !is_name(&name.value) {
        let message = format!("`{}` cannot be a name", name.value.escape_debug());
        return Err(at_name(document, name, message, "here")
            .help("a name has ASCII letters, digits and underscores, and no digit first"));
    }
    if FUNCTIONS.contains(&name.value.as_str()) || catalog.operator(&name.value).is_some() {
        let message = format!("`{}` is a built-in word", name.value);
        return Err(at_name(document, name, message, "so this needs another name"));
    }
    Ok(())
}

/// Checks what outputs name and that no two files are the same.
pub(super) fn check_outputs(resolved: &Resolved) -> Result<()> {
    let document = &resolved.document;
    let mut files: BTreeMap<&str, (Span, &str)> = BTreeMap::new();
    for array in &resolved.arrays {
        match &array.origin {
            Origin::Npy(path) | Origin::Npz { path, .. } => {
                files.insert(&path.value, (path.span, "is read here"));
            }
            Origin::Shape { .. } => {}
        }
    }
    for output in &resolved.outputs {
        let file = &output.file;
        if let Some((earlier, label)) = files.insert(&file.value, (file.span, "is written here")) {
            let message = format!("`{}` would be overwritten", file.value.escape_debug());
            return Err(Diagnostic::new(document, file.span, message, "by this")
                .also(document, earlier, label));
        }
        if output.expr.is_none() {
            check_result(resolved, &output.name)?;
        }
    }
    Ok(())
}

fn check_result(resolved: &Resolved, name: &Name) -> Result<()> {
    let results = resolved.solve.as_ref().map_or(&[][..], |s| s.solver.entry.value.results);
    if results.contains(&name.value.as_str()) {
        return check_variance(resolved, name);
    }
    let message = format!("there is no result `{}`", name.value.escape_debug());
    let error = at_name(&resolved.document, name, message, "here");
    Err(if resolved.solve.is_none() {
        error.help("without [solve], write { expr = \"..\", file = \"..\" }")
    } else {
        let near = suggest::help(&name.value, "results", results.iter().copied());
        let near = near.unwrap_or_default();
        error.help(format!("{near}; anything else is {{ expr = \"..\", file = \"..\" }}"))
    })
}

/// The variance is a result only if it is estimated.
fn check_variance(resolved: &Resolved, name: &Name) -> Result<()> {
    let settings = || resolved.solve.iter().flat_map(|solve| &solve.solver.settings);
    let off = |(parameter, setting): &&(Name, Spanned<Setting>)| {
        parameter.value == "calc_var" && matches!(setting.value, Setting::Flag(false))
    };
    match settings().find(off).filter(|_| name.value == "var") {
        None => Ok(()),
        Some((_, setting)) => {
            let error = at_name(&resolved.document, name, "`var` is not estimated".into(), "here");
            Err(error.also(&resolved.document, setting.span, "because of this"))
        }
    }
}
