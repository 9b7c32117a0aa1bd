//! The sections of a problem file, apart from `solve`.

use super::fields::{self, Fields};
use super::{
    Array, Body, Contract, Layout, Name, Operator, Origin, Output, Parameter, Problem, formula,
};
use crate::Dtype;
use crate::problem::diagnostic::{Diagnostic, Document, Result, Spanned};
use crate::problem::suggest;
use crate::problem::text::Scalar;
use crate::problem::value::{Table, Value, ValueKind};
use adjoin_passes::pipeline::Numerics;
use num_complex::Complex64;
use std::path::Path;

/// Reads the whole file.
pub fn problem(document: &Document, value: Value) -> Result<Problem> {
    let mut file = Fields::new(document, value, "a problem file")?;
    let dtype = file.take("defaults").map(|v| defaults(document, v)).transpose()?.flatten();
    let parameters =
        entries(document, file.take("parameters"), "[parameters]", |document, name, value| {
            parameter(document, name, &value)
        })?;
    let arrays = entries(document, file.take("arrays"), "[arrays]", array)?;
    let operators = entries(document, file.take("operators"), "[operators]", operator)?;
    let solve = file.take("solve").map(|v| super::solve::solve(document, v)).transpose()?;
    let outputs = entries(document, file.take("outputs"), "[outputs]", output)?;
    let placements =
        entries(document, file.take("placements"), "[placements]", |document, name, value| {
            let what = format!("the placement of `{}`", name.value.escape_debug());
            Ok((name, fields::word(document, &value, &what)?))
        })?;
    let (mesh, ranks, threads) = (file.take("mesh"), file.take("ranks"), file.take("threads"));
    let contract = Contract {
        numerics: file.take("numerics").map(|v| numerics(document, &v)).transpose()?,
        refresh: file.take("refresh").map(|v| refresh(document, &v)).transpose()?,
    };
    file.finish()?;
    let layout = layout(document, mesh, ranks)?;
    let threads = threads.map(|n| fields::count(document, &n, "`threads`", 1)).transpose()?;
    let document = document.clone();
    Ok(Problem {
        document,
        dtype,
        parameters,
        arrays,
        operators,
        solve,
        outputs,
        placements,
        layout,
        threads,
        contract,
    })
}

fn numerics(document: &Document, value: &Value) -> Result<Numerics> {
    let name = fields::word(document, value, "`numerics`")?;
    Numerics::named(&name.value).ok_or_else(|| {
        let message = format!("`{}` is no contract about numbers", name.value.escape_debug());
        let known = Numerics::ALL.map(Numerics::name);
        Diagnostic::new(document, name.span, message, "here").maybe_help(suggest::help(
            &name.value,
            "contracts",
            known,
        ))
    })
}

fn refresh(document: &Document, value: &Value) -> Result<u32> {
    let steps = fields::count(document, value, "`refresh`", 1)?;
    // More steps than anybody makes are as many as can be counted.
    Ok(u32::try_from(steps).unwrap_or(u32::MAX))
}

fn entries<T>(
    document: &Document,
    section: Option<Value>,
    what: &str,
    read: impl Fn(&Document, Name, Value) -> Result<T>,
) -> Result<Vec<T>> {
    let Some(section) = section else {
        return Ok(Vec::new());
    };
    let table: Table = Fields::new(document, section, what)?.rest();
    table.into_iter().map(|(name, value)| read(document, name, value)).collect()
}

fn defaults(document: &Document, value: Value) -> Result<Option<Spanned<Dtype>>> {
    let mut defaults = Fields::new(document, value, "[defaults]")?;
    let dtype = defaults.take("dtype");
    defaults.finish()?;
    dtype.map(|value| fields::dtype(document, &value, "defaults.dtype")).transpose()
}

fn parameter(document: &Document, name: Name, value: &Value) -> Result<Parameter> {
    let what = format!("the parameter `{}`", name.value.escape_debug());
    let scalar = match &value.value {
        ValueKind::Text(_) => formula(document, value, &what)?.constant(&|_| None)?,
        ValueKind::List(items) => {
            let [re, im] = &items[..] else {
                let message = format!("{what} must be a number, or a list of two: [re, im]");
                return Err(Diagnostic::new(document, value.span, message, "here"));
            };
            let re = fields::real(document, re, &what)?;
            Scalar::Complex(Complex64::new(re, fields::real(document, im, &what)?))
        }
        _ => Scalar::Real(fields::real(document, value, &what)?),
    };
    Ok(Parameter { name, value: scalar })
}

fn array(document: &Document, name: Name, value: Value) -> Result<Array> {
    let span = name.span.to(value.span);
    let what = format!("the array `{}`", name.value.escape_debug());
    let origin = match &value.value {
        ValueKind::Text(_) => plain_file(document, &value, &what)?,
        ValueKind::Table(_) => array_table(document, value, &what)?,
        other => {
            let expected = "a path or a table";
            return Err(fields::wrong_type(document, value.span, other, &what, expected)
                .help("numbers can be written where an operator takes them"));
        }
    };
    Ok(Array { name, origin, span })
}

fn plain_file(document: &Document, value: &Value, what: &str) -> Result<Origin> {
    let path = fields::path(document, value, what)?;
    let extension = Path::new(&path.value).extension().unwrap_or_default();
    if extension.eq_ignore_ascii_case("npy") {
        return Ok(Origin::Npy(path));
    }
    let help = if extension.eq_ignore_ascii_case("npz") {
        "name its member: { npz = \"..\", name = \"..\" }"
    } else {
        "an `.npy` file of another name is written { npy = \"..\" }"
    };
    let message = format!("{what} is not an .npy file");
    Err(Diagnostic::new(document, path.span, message, "here").help(help))
}

fn array_table(document: &Document, value: Value, what: &str) -> Result<Origin> {
    let span = value.span;
    let mut table = Fields::new(document, value, what)?;
    let (npy, npz, shape) = (table.take("npy"), table.take("npz"), table.take("shape"));
    let origin = match (npy, npz, shape) {
        (Some(npy), None, None) => Origin::Npy(fields::path(document, &npy, what)?),
        (None, Some(npz), None) => {
            let path = fields::path(document, &npz, what)?;
            let member = fields::path(document, &table.required("name")?, what)?;
            Origin::Npz { path, member }
        }
        (None, None, Some(shape)) => {
            let dims = fields::dims(document, &shape, what)?;
            let dtype = table.take("dtype");
            let dtype = dtype.map(|v| fields::dtype(document, &v, what)).transpose()?;
            Origin::Shape { dims, dtype: dtype.map(|dtype| dtype.value) }
        }
        (None, None, None) => {
            table.finish()?;
            let message = format!("{what} comes from nowhere");
            return Err(Diagnostic::new(document, span, message, "here")
                .help("give `npy`, `npz` with `name`, or `shape` with `dtype`"));
        }
        _ => {
            let message = format!("{what} comes from more than one place");
            return Err(Diagnostic::new(document, span, message, "here")
                .help("give one of `npy`, `npz` and `shape`"));
        }
    };
    table.finish()?;
    Ok(origin)
}

fn operator(document: &Document, name: Name, value: Value) -> Result<Operator> {
    let what = format!("the operator `{}`", name.value.escape_debug());
    let body = match &value.value {
        ValueKind::Text(_) => Body::Formula(formula(document, &value, &what)?),
        ValueKind::Table(_) => {
            let mut table = Fields::new(document, value, what)?;
            let kind = fields::word(document, &table.required("operator")?, "`operator`")?;
            Body::Table { kind, arguments: table.rest() }
        }
        other => {
            let expected = "an expression or a table";
            return Err(fields::wrong_type(document, value.span, other, &what, expected));
        }
    };
    Ok(Operator { name, body })
}

fn output(document: &Document, name: Name, value: Value) -> Result<Output> {
    let what = format!("the output `{}`", name.value.escape_debug());
    if let ValueKind::Text(_) = value.value {
        let file = fields::path(document, &value, &what)?;
        return Ok(Output { name, expr: None, file });
    }
    let mut table = Fields::new(document, value, &what)?;
    let expr = table.take("expr").map(|v| formula(document, &v, &what)).transpose()?;
    let file = fields::path(document, &table.required("file")?, &what)?;
    table.finish()?;
    Ok(Output { name, expr, file })
}

fn layout(
    document: &Document,
    mesh: Option<Value>,
    ranks: Option<Value>,
) -> Result<Option<Layout>> {
    match (mesh, ranks) {
        (None, None) => Ok(None),
        (None, Some(ranks)) => {
            Ok(Some(Layout::Ranks(fields::count(document, &ranks, "`ranks`", 1)?)))
        }
        (Some(mesh), None) => mesh_axes(document, mesh).map(Some),
        (Some(mesh), Some(ranks)) => {
            let message = "`mesh` and `ranks` both say how many ranks there are";
            Err(Diagnostic::new(document, ranks.span, message, "leave this out")
                .also(document, mesh.span, "or this"))
        }
    }
}

fn mesh_axes(document: &Document, mesh: Value) -> Result<Layout> {
    let span = mesh.span;
    let mut axes = Vec::new();
    for (name, value) in Fields::new(document, mesh, "`mesh`")?.rest() {
        if name.value.len() != 1 || !name.value.bytes().all(|b| b.is_ascii_lowercase()) {
            let message = format!("the mesh axis `{}` is not a letter", name.value.escape_debug());
            return Err(Diagnostic::new(document, name.span, message, "here")
                .help("axes are written as in { r = 2, c = 3 }"));
        }
        axes.push((name.value, fields::count(document, &value, "a mesh axis", 1)?));
    }
    let ranks =
        axes.iter().try_fold(1u32, |ranks, (_, n)| ranks.checked_mul(u32::try_from(*n).ok()?));
    if axes.is_empty() || ranks.is_none() {
        let message =
            if axes.is_empty() { "the mesh has no axes" } else { "the mesh is too large" };
        return Err(Diagnostic::new(document, span, message, "here"));
    }
    Ok(Layout::Mesh(axes))
}
