//! Hashes that stay the same from version to version of Rust and of this crate: FNV-1a.

use crate::problem::Resolved;
use crate::problem::file::{Data, Origin, Part};
use crate::problem::resolve::{Body, Built, Setting};
use adjoin_passes::Plan;
use std::fmt::{self, Write as _};

/// FNV-1a, 64 bits, of the text that is written to it.
#[derive(Clone, Debug)]
pub struct Hasher(u64);

impl Default for Hasher {
    fn default() -> Self {
        Hasher(0xcbf2_9ce4_8422_2325)
    }
}

impl fmt::Write for Hasher {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Ok(())
    }
}

impl Hasher {
    /// Sixteen hexadecimal digits.
    pub fn digits(&self) -> String {
        format!("{:016x}", self.0)
    }

    /// Adds a line.
    fn line(&mut self, line: &impl fmt::Display) {
        let _ = writeln!(self, "{line}");
    }
}

/// The hash of the text of a plan.
pub fn plan_hash(plan: &Plan) -> String {
    let mut hasher = Hasher::default();
    hasher.line(plan);
    hasher.digits()
}

/// The hash of a problem: names, numbers, expressions and paths, not their order of definition.
pub fn problem_hash(resolved: &Resolved) -> String {
    let mut lines = Vec::new();
    lines.push(format!("dtype {:?}", resolved.dtype));
    for parameter in &resolved.parameters {
        let value = parameter.value.value();
        lines.push(format!("parameter {} = {:?} {:?}", parameter.name.value, value.re, value.im));
    }
    for array in &resolved.arrays {
        let origin = match &array.origin {
            Origin::Npy(path) => path.value.clone(),
            Origin::Npz { path, member } => format!("{}[{}]", path.value, member.value),
            Origin::Shape { dims, dtype } => format!("{dims:?} {dtype:?}"),
        };
        lines.push(format!("array {} = {origin}", array.name.value));
    }
    for operator in &resolved.operators {
        let body = match &operator.body {
            Body::Formula(formula) => formula.expr.to_string(),
            Body::Built(built) => settings(built),
        };
        lines.push(format!("operator {} = {body}", operator.name.value));
    }
    if let Some(solve) = &resolved.solve {
        lines.push(format!("solve {} {}", settings(&solve.solver), solve.operator.expr));
        lines.push(format!("data {}", data(&solve.data)));
        lines.extend(solve.x0.iter().map(|x0| format!("x0 {}", data(x0))));
    }
    lines.sort();
    let mut hasher = Hasher::default();
    for line in &lines {
        hasher.line(line);
    }
    hasher.digits()
}

fn settings(built: &Built) -> String {
    let mut given: Vec<String> = built
        .settings
        .iter()
        .map(|(name, setting)| {
            let value = match &setting.value {
                Setting::Formula(formula) => formula.expr.to_string(),
                Setting::Flag(flag) => flag.to_string(),
                Setting::Flags(flags) => format!("{flags:?}"),
                Setting::Integer(n) => n.to_string(),
                Setting::Number(x) => format!("{x:?}"),
                Setting::Dims(dims) => format!("{dims:?}"),
                Setting::Pairs(pairs) => format!("{pairs:?}"),
                Setting::Integers(items) => format!("{items:?}"),
                Setting::Numbers(items) => format!("{items:?}"),
                Setting::Word(word) => word.clone(),
                Setting::Dtype(dtype) => dtype.numpy().to_owned(),
                Setting::Arrays(arrays) => {
                    let names: Vec<_> = arrays.iter().map(|a| a.expr.to_string()).collect();
                    format!("[{}]", names.join(", "))
                }
                Setting::Ignored => String::new(),
            };
            format!("{} = {value}", name.value)
        })
        .collect();
    given.sort();
    format!("{}({})", built.entry.value.name, given.join(", "))
}

fn data(data: &Data) -> String {
    match data {
        Data::Whole(formula) => formula.expr.to_string(),
        Data::Parts(parts) => {
            let part = |part: &Part| match part {
                Part::Zero => "0".to_owned(),
                Part::Formula(formula) => formula.expr.to_string(),
            };
            let mut named: Vec<String> = parts
                .iter()
                .map(|(name, value)| format!("{} = {}", name.value, part(value)))
                .collect();
            named.sort();
            named.join(", ")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_fnv_1a() {
        let mut hasher = Hasher::default();
        let _ = hasher.write_str("foobar");
        assert_eq!(hasher.digits(), "85944171f73967e8");
    }
}
