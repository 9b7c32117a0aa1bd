//! Pins: placements that the user demands of operators, inputs and states.
//!
//! ```text
//! i/r, j/c      factors of an operator by their names; factors that are not named are not split
//! rows r        the rows of an operator, the first dim of a value; columns likewise
//! n/(r,c), m    each dim of a value in order, whatever it is called
//! replicated    nothing is split
//! n/p@[3,0,9]   a dim of a value, of which the ranks along its axes have so many elements each
//! ```
//! The last is how a caller says that an array lies in a layout of his own: the plan takes it as it
//! lies, moves it where the move is worth its price, and hands a result of the same shape back so.
//! A stack's name stands for all its blocks.
//! The search keeps the options that a pin allows; a pin that allows none is an error.

use super::{Search, Variable};
use crate::error::PlanError;
use crate::ir::{LeafId, Op};
use crate::mesh::{Axis, Mesh};
use crate::placement::{Cut, Placement, Split};
use crate::signature::{Rule, Spread};
use std::sync::Arc;

/// A demand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The operator, input or state.
    pub subject: String,
    /// How it must be placed.
    pub wanted: String,
    /// Whether it is an error if nothing has that name.
    pub always: bool,
}

/// What is split, over which axes, and how many elements each rank along them has, if that is said.
struct Entry {
    what: What,
    axes: Vec<Axis>,
    counts: Option<Vec<usize>>,
}

/// A thing that can be split, as it is written.
#[derive(Debug, PartialEq)]
enum What {
    Rows,
    Columns,
    Named(String),
}

impl Search<'_> {
    /// Keeps the options that all pins allow.
    pub(super) fn pin(&mut self) -> Result<(), PlanError> {
        for pin in &self.cx.pins {
            let said = |why| {
                let Pin { subject, wanted, .. } = pin;
                PlanError::Pinned(format!("{subject}.on(\"{wanted}\") cannot hold: {why}"))
            };
            self.hold(pin).map_err(said)?;
        }
        Ok(())
    }

    fn hold(&mut self, pin: &Pin) -> Result<(), String> {
        let entries = entries(&pin.wanted, &self.cx.mesh)?;
        let (leaves, values) = (self.leaves_called(pin), self.values_called(pin));
        if pin.always && leaves.is_empty() && values.is_empty() {
            return Err(format!("nothing is called {}; there are {}", pin.subject, self.names()));
        }
        for leaf in leaves {
            self.hold_leaf(leaf, &entries)?;
        }
        for (v, dims, free) in values {
            let wanted = split_dims(&entries, &dims, &self.cx.mesh)?;
            self.hold_value(v, &wanted, free)?;
        }
        Ok(())
    }

    fn leaves_called(&self, pin: &Pin) -> Vec<LeafId> {
        let called = |name: &str| {
            name.strip_prefix(pin.subject.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('['))
        };
        let leaves = self.plan.leaves.iter().enumerate();
        leaves.filter(|(_, l)| called(&l.name)).map(|(k, _)| LeafId(k as u32)).collect()
    }

    /// The variables of inputs and states of this name, with their dims, and whether they may be
    /// placed as nobody else would like.
    fn values_called(&self, pin: &Pin) -> Vec<(usize, Vec<usize>, bool)> {
        let mut out = Vec::new();
        for (state, &v) in self.plan.states.iter().zip(&self.ties.states) {
            if state.name == pin.subject {
                out.push((v, state.ty.dims.clone(), false));
            }
        }
        for (block, ties) in self.plan.blocks.iter().zip(&self.ties.nodes) {
            for (node, tie) in block.nodes.iter().zip(ties) {
                if let (Op::Input(name), Some(v)) = (&node.op, tie)
                    && *name == pin.subject
                {
                    out.push((*v, block.ty(node.results[0]).dims.clone(), true));
                }
            }
        }
        out
    }

    fn names(&self) -> String {
        let inputs = self.plan.blocks.iter().flat_map(|b| &b.nodes).filter_map(|n| match &n.op {
            Op::Input(name) => Some(name.as_str()),
            _ => None,
        });
        let leaves = self.plan.leaves.iter().map(|l| l.name.as_str());
        let all = leaves.chain(self.plan.states.iter().map(|s| s.name.as_str())).chain(inputs);
        all.collect::<Vec<_>>().join(", ")
    }

    fn hold_leaf(&mut self, leaf: LeafId, entries: &[Entry]) -> Result<(), String> {
        let name = &self.plan[leaf].name;
        let rule = &self.plan[leaf].signature.rule;
        let mut wanted: Vec<Vec<Axis>> = vec![Vec::new(); rule.factors.len()];
        for Entry { what, axes, counts } in entries {
            if counts.is_some() {
                return Err(format!("{name} is an operator: only of values elements are counted"));
            }
            let f = factor(rule, what).map_err(|why| format!("{name} has {why}"))?;
            if rule.factors[f].whole && !axes.is_empty() {
                let factor = &rule.factors[f].name;
                return Err(format!("{name} works on {factor} as a whole"));
            }
            wanted[f].extend(axes);
        }
        for axes in &mut wanted {
            axes.sort_unstable();
        }
        let Variable::Leaf(tiles) = &self.variables[leaf.0 as usize] else { return Ok(()) };
        let fits = |tile: &Vec<Split>| {
            let axes = |split: &Split| {
                let mut axes = split.axes.clone();
                axes.sort_unstable();
                axes
            };
            tile.iter().map(axes).eq(wanted.iter().cloned())
        };
        let kept: Vec<_> = tiles.iter().filter(|t| fits(&self.tile(leaf, t))).cloned().collect();
        if kept.is_empty() {
            let parts = "a sum that is still to be made would not be told from one that is made";
            return Err(format!("{name} cannot be split so: {parts}, or a factor has one element"));
        }
        self.variables[leaf.0 as usize] = Variable::Leaf(kept);
        Ok(())
    }

    fn hold_value(&mut self, v: usize, wanted: &[Split], free: bool) -> Result<(), String> {
        let Variable::Class(options) = &mut self.variables[v] else { return Ok(()) };
        let counted = wanted.iter().any(|split| split.cut.is_some());
        let axes = |splits: &[Split]| splits.iter().map(|s| s.axes.clone()).collect::<Vec<_>>();
        let alike = |p: &Placement| axes(&p.splits) == axes(wanted);
        let fits = |p: &Placement| if counted { p.splits == wanted } else { alike(p) };
        let others = options.len();
        options.retain(fits);
        if options.is_empty() && free {
            let mut p = Placement::replicated(wanted.len());
            p.splits = wanted.to_vec();
            options.push(p);
        }
        match options.len() {
            0 => Err(format!("none of its {others} placements is split so")),
            _ => Ok(()),
        }
    }
}

/// The factor that is meant.
fn factor(rule: &Rule, what: &What) -> Result<usize, String> {
    let first = |side: &[Vec<crate::signature::Binding>], what: &str| {
        let binding = side.first().and_then(|part| part.first());
        binding.map(|b| b.factor).ok_or_else(|| format!("no {what}"))
    };
    match what {
        What::Rows => first(&rule.range, "rows"),
        What::Columns => first(&rule.domain, "columns"),
        What::Named(name) => {
            let all = || rule.factors.iter().map(|f| f.name.as_str());
            all().position(|f| f == name).ok_or_else(|| {
                let all: Vec<_> = all().collect();
                format!("no factor {name}; its factors are {}", all.join(", "))
            })
        }
    }
}

/// How each dim of a value is split.
fn split_dims(entries: &[Entry], dims: &[usize], mesh: &Mesh) -> Result<Vec<Split>, String> {
    let mut out = vec![Split::none(); dims.len()];
    let named = entries.iter().all(|entry| matches!(entry.what, What::Named(_)));
    if named && !entries.is_empty() && entries.len() != dims.len() {
        return Err(format!("it names {} dims of {}", entries.len(), dims.len()));
    }
    for (k, Entry { what, axes, counts }) in entries.iter().enumerate() {
        let d = match what {
            What::Rows => 0,
            What::Columns => 1,
            What::Named(_) => k,
        };
        let dim = out.get_mut(d).ok_or_else(|| format!("it has {} dims", dims.len()))?;
        *dim = match counts {
            Some(counts) => counted(dims[d], axes, counts, mesh)?,
            None => Split::over(axes),
        };
    }
    Ok(out)
}

/// A dim of which each rank along some axes has so many elements: balanced blocks if these are.
fn counted(n: usize, axes: &[Axis], counts: &[usize], mesh: &Mesh) -> Result<Split, String> {
    let ranks = mesh.sizes(axes);
    if counts.len() != ranks {
        let ranks = if ranks == 1 { "1 rank".into() } else { format!("{ranks} ranks") };
        return Err(format!(
            "it counts the elements of {} ranks, and {ranks} share them",
            counts.len()
        ));
    }
    let sum = counts.iter().try_fold(0_usize, |sum, &count| sum.checked_add(count));
    if sum != Some(n) {
        let sum = sum.map_or("too many".into(), |sum| sum.to_string());
        return Err(format!("its counts sum to {sum}, and there are {n} elements"));
    }
    let split = Split::over(axes);
    let balanced = |k| split.interval(n, mesh, &mesh.coordinates_along(axes, k)).len();
    if counts.iter().enumerate().all(|(k, &count)| count == balanced(k)) {
        return Ok(split);
    }
    let spread = Spread::from_counts(counts.iter().copied());
    let cut = Cut { name: String::new(), size: ranks, weights: None, spread };
    Ok(Split { cut: Some(Arc::new(cut)), ..split })
}

/// What a text demands; axes of one rank split nothing.
fn entries(text: &str, mesh: &Mesh) -> Result<Vec<Entry>, String> {
    let text = text.trim();
    if text == "replicated" {
        return Ok(Vec::new());
    }
    let mut used: Vec<Axis> = Vec::new();
    let mut out = Vec::new();
    for item in items(text) {
        let (what, names) = if let Some(names) = item.strip_prefix("rows ") {
            (What::Rows, names)
        } else if let Some(names) = item.strip_prefix("columns ") {
            (What::Columns, names)
        } else {
            let (name, names) = item.split_once('/').unwrap_or((item, ""));
            let name = name.trim();
            if name.is_empty() || !name.chars().all(char::is_alphanumeric) {
                return Err(format!("`{item}` is not written as in `i/r, j/c` or `rows r`"));
            }
            (What::Named(name.to_owned()), names)
        };
        let (names, counts) = match names.split_once('@') {
            Some((names, counts)) => (names, Some(numbers(counts)?)),
            None => (names, None),
        };
        let names = names.trim().trim_start_matches('(').trim_end_matches(')');
        let mut axes = Vec::new();
        for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let axis =
                mesh.axis(name).ok_or_else(|| format!("the mesh {mesh} has no axis {name}"))?;
            if used.contains(&axis) {
                return Err(format!("axis {name} would split two things"));
            }
            used.push(axis);
            axes.extend((mesh.size(axis) > 1).then_some(axis));
        }
        out.push(Entry { what, axes, counts });
    }
    Ok(out)
}

/// The numbers of `[3, 0, 9]`.
fn numbers(text: &str) -> Result<Vec<usize>, String> {
    let inner = text.trim().strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let numbers = inner.map(|inner| inner.split(',').map(|n| n.trim().parse().ok()).collect());
    let wrong = || format!("`{}` is no list of counts such as `[3, 0, 9]`", text.trim());
    numbers.flatten().ok_or_else(wrong)
}

/// The text between commas that stand in no parentheses or brackets.
fn items(text: &str) -> Vec<&str> {
    let (mut depth, mut begin, mut out) = (0_i32, 0, Vec::new());
    for (k, c) in text.char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            ',' if depth == 0 => {
                out.push(text[begin..k].trim());
                begin = k + 1;
            }
            _ => {}
        }
    }
    out.push(text[begin..].trim());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certify::{Verdict, certify};
    use crate::examples::read;
    use crate::pipeline::{Compiled, Context, compile};

    const NORMAL: &str = "mesh 1 rank
        let A[0] = (i) <- (j) : f64[40, 30]
        let A[1] = (i) <- (j!) : f64[50, 30]
        %0 = input x : f64[30]
        %1 = apply A[0] %0 : f64[40]
        %2 = apply A[0].H %1 : f64[30]
        %3 = apply A[1] %0 : f64[50]
        return %2 %3";

    fn planned(mesh: &str, pins: &[(&str, &str)]) -> Result<Compiled, String> {
        let pin = |(subject, wanted): &(&str, &str)| Pin {
            subject: (*subject).into(),
            wanted: (*wanted).into(),
            always: true,
        };
        let cx = Context {
            mesh: Mesh::parse(mesh).unwrap(),
            pins: pins.iter().map(pin).collect(),
            ..Context::default()
        };
        let compiled = compile(&read(NORMAL), &cx).map_err(|e| e.to_string())?;
        assert_eq!(certify(&compiled.source, &compiled.plan), Verdict::Proven);
        Ok(compiled)
    }

    fn line(mesh: &str, pins: &[(&str, &str)], begin: &str) -> String {
        let text = planned(mesh, pins).unwrap().plan.to_string();
        let found = text.lines().find(|line| line.starts_with(begin)).unwrap_or_default();
        found.rsplit(": ").next().unwrap_or_default().to_owned()
    }

    #[test]
    fn operators_are_placed_as_they_are_pinned() {
        let a = "let A[0]";
        assert_eq!(line("r=2,c=3", &[("A[0]", "i/r, j/c")], a), "f64[40/r, 30/c]");
        assert_eq!(line("r=2,c=3", &[("A[0]", "j/(r,c)")], a), "f64[40, 30/(r,c)]");
        assert_eq!(line("r=2,c=3", &[("A", "rows c")], a), "f64[40/c, 30]");
        assert_eq!(line("r=2,c=3", &[("A", "rows c")], "let A[1]"), "f64[50/c, 30]");
        assert_eq!(line("p=4", &[("A[0]", "columns p")], a), "f64[40, 30/p]");
        assert_eq!(line("p=4", &[("A", "replicated")], a), "f64[40, 30]");
    }

    #[test]
    fn inputs_are_placed_as_they_are_pinned() {
        let x = "%0 = input x";
        assert_eq!(line("p=4", &[("x", "n/p")], x), "f64[30/p]");
        assert_eq!(line("p=4", &[("x", "replicated")], x), "f64[30]");
        assert_eq!(line("r=2,c=3", &[("x", "n/(c,r)")], x), "f64[30/(c,r)]");
        assert_eq!(line("r=2,c=3", &[("x", "rows c"), ("A[0]", "i/r")], x), "f64[30/c]");
    }

    #[test]
    fn inputs_lie_as_the_caller_has_them() {
        let x = "%0 = input x";
        let layout = [("x", "n/p@[3, 0, 20, 7]"), ("A[0]", "i/p")];
        assert_eq!(line("p=4", &layout, x), "f64[30/p@q0]");
        let text = planned("p=4", &layout).unwrap().plan.to_string();
        assert!(text.contains("cut q0 = 4 spread 3 0 20 7\n"), "{text}");
        // The first result has the shape of x and is handed over in the same layout.
        assert!(text.contains("%5 = reduce_scatter p %3        : f64[30/p@q0]"), "{text}");
        assert_eq!(line("p=4", &[("x", "rows p@[8,8,7,7]")], x), "f64[30/p]");
        assert_eq!(line("r=2,c=2", &[("x", "n/(r,c)@[0,0,0,30]")], x), "f64[30/(r,c)@q0]");
        assert_eq!(line("p=1", &[("x", "n/p@[30]")], x), "f64[30]");
    }

    #[test]
    fn an_impossible_layout_says_what_is_wrong() {
        let error = |wanted| planned("p=3", &[("x", wanted)]).unwrap_err();
        for (wanted, why) in [
            ("n/p@[10, 21, 0]", "its counts sum to 31, and there are 30 elements"),
            ("n/p@[10, 20]", "it counts the elements of 2 ranks, and 3 ranks share them"),
            ("n/p@[10, -1, 21]", "`[10, -1, 21]` is no list of counts such as `[3, 0, 9]`"),
        ] {
            assert_eq!(error(wanted), format!("x.on(\"{wanted}\") cannot hold: {why}"));
        }
        let error = planned("p=3", &[("A[0]", "i/p@[40, 0, 0]")]).unwrap_err();
        assert!(error.ends_with("A[0] is an operator: only of values elements are counted"));
    }

    #[test]
    fn a_pin_that_cannot_hold_says_why() {
        let error = |mesh: &str, subject, wanted| planned(mesh, &[(subject, wanted)]).unwrap_err();
        for (mesh, subject, wanted, why) in [
            ("p=4", "A", "i/r", "the mesh p=4 has no axis r"),
            ("p=4", "A[0]", "k/p", "A[0] has no factor k; its factors are i, j"),
            ("p=4", "A", "columns p", "A[1] works on j as a whole"),
            ("p=4", "A[0]", "i/p, j/p", "axis p would split two things"),
            ("p=4", "B", "i/p", "nothing is called B; there are A[0], A[1], x"),
            ("p=4", "x", "n/p, m", "it names 2 dims of 1"),
            ("p=4", "A", "?", "`?` is not written as in `i/r, j/c` or `rows r`"),
        ] {
            let expected = format!("{subject}.on(\"{wanted}\") cannot hold: {why}");
            assert_eq!(error(mesh, subject, wanted), expected);
        }
    }
}
