//! Operators: their rules, laws and tiles.

use super::types::{depths, dtype};
use super::{Cursor, Fault, Read, Reader};
use crate::dtype::Dtype;
use crate::ir::{Leaf, LeafId};
use crate::placement::Split;
use crate::signature::{Binding, Cost, Factor, Laws, Linearity, Rule, Signature, Spread, Typing};
use crate::text::lex::{Kind, unquote};
use std::sync::Arc;

/// A binding whose factor has no size yet.
#[derive(Default)]
struct Index {
    at: usize,
    factor: String,
    spread: Option<Spread>,
    /// How many values the factor must have for the spread.
    values: Option<usize>,
    halo: (usize, usize),
}

/// The factors in the order of their first use, later of their sizes.
#[derive(Default)]
struct Draft {
    factors: Vec<Factor>,
}

/// What stands between the rule and the type.
struct Properties {
    kind: String,
    laws: Laws,
    linearity: Linearity,
    typing: Typing,
}

impl Reader {
    pub(super) fn leaf(&mut self, line: &mut Cursor) -> Read<()> {
        let at = line.at();
        let name = line.name("a name for the operator")?;
        line.expect("=")?;
        let mut rule = Draft::default();
        let range = self.side(line, &mut rule)?;
        line.expect("<-")?;
        let domain = self.side(line, &mut rule)?;
        let mut properties = Properties {
            kind: String::new(),
            laws: Laws::default(),
            linearity: Linearity::Complex,
            typing: Typing::Same,
        };
        while !line.sees(":") {
            properties.word(line)?;
        }
        line.expect(":")?;
        let dtype = dtype(line)?;
        line.expect("[")?;
        let tile = self.factors(line, &mut rule)?;
        let rule = rule.finish(range, domain)?;
        let signature = Arc::new(properties.signature(dtype, rule));
        self.plan.leaves.push(Leaf { name: name.clone(), signature, tile });
        let id = LeafId(self.plan.leaves.len() as u32 - 1);
        match self.leaves.insert(name, id) {
            None => Ok(()),
            Some(_) => Err(Fault::new(at, "another name: this operator is declared above")),
        }
    }

    /// Takes the parts of the range or the domain.
    fn side(&self, line: &mut Cursor, rule: &mut Draft) -> Read<Vec<Vec<Index>>> {
        let mut parts = Vec::new();
        while line.eat("(") {
            let mut part = Vec::new();
            line.list(")", |line| {
                part.push(self.index(line, rule)?);
                Ok(())
            })?;
            parts.push(part);
            if !line.eat(",") {
                break;
            }
            if !line.sees("(") {
                return Err(line.fault("another part, in parentheses"));
            }
        }
        Ok(parts)
    }

    fn index(&self, line: &mut Cursor, rule: &mut Draft) -> Read<Index> {
        let mut index = Index { at: line.at(), ..Index::default() };
        index.factor = line.name("a factor")?;
        let factor = rule.factor(&index.factor);
        rule.factors[factor].whole |= line.eat("!");
        if line.eat("*") {
            index.spread = Some(Spread::Uniform(line.number("how many elements each has")?));
        } else if line.eat("@") {
            let cut = self.cut_name(line)?;
            index.spread = Some(cut.spread.clone());
            index.values = Some(cut.size);
        }
        if line.eat("~") {
            index.halo = depths(line)?;
        }
        Ok(index)
    }

    /// Takes sizes and splits of the factors up to `]`.
    fn factors(&self, line: &mut Cursor, rule: &mut Draft) -> Read<Vec<Split>> {
        let mut tile = Vec::new();
        if line.sees_name() {
            let drafted = std::mem::take(&mut rule.factors);
            line.list("]", |line| {
                let at = line.at();
                let name = line.name("a factor")?;
                let mut factor = Factor::free(name, 0);
                let known = drafted.iter().find(|f| f.name == factor.name);
                factor.whole = line.eat("!") || known.is_some_and(|f| f.whole);
                if rule.factors.iter().any(|f| f.name == factor.name) {
                    return Err(Fault::new(at, "each factor once"));
                }
                tile.push(self.factor(line, &mut factor)?);
                rule.factors.push(factor);
                Ok(())
            })?;
            return Ok(tile);
        }
        let sizes = rule.factors.len();
        line.list("]", |line| {
            let Some(factor) = rule.factors.get_mut(tile.len()) else {
                return Err(line.fault(&format!("{sizes} sizes: one for each factor")));
            };
            tile.push(self.factor(line, factor)?);
            Ok(())
        })?;
        if tile.len() == sizes {
            return Ok(tile);
        }
        Err(line.fault(&format!("{sizes} sizes: one for each factor")))
    }

    fn factor(&self, line: &mut Cursor, factor: &mut Factor) -> Read<Split> {
        let (size, split) = self.dim(line)?;
        factor.size = size;
        if line.eat("by") {
            let fault = line.fault("a cut with weights for each index");
            let cut = self.cut_name(line)?;
            factor.weights.clone_from(&cut.weights);
            if cut.size != size || factor.weights.is_none() {
                return Err(fault);
            }
        }
        Ok(split)
    }
}

impl Draft {
    /// The index of a factor, new or not.
    fn factor(&mut self, name: &str) -> usize {
        self.factors.iter().position(|f| f.name == name).unwrap_or_else(|| {
            self.factors.push(Factor::free(name, 0));
            self.factors.len() - 1
        })
    }

    fn finish(self, range: Vec<Vec<Index>>, domain: Vec<Vec<Index>>) -> Read<Rule> {
        let side = |parts: Vec<Vec<Index>>| -> Read<Vec<Vec<Binding>>> {
            let part = |part: Vec<Index>| part.into_iter().map(|i| i.bind(&self.factors)).collect();
            parts.into_iter().map(part).collect()
        };
        let (range, domain) = (side(range)?, side(domain)?);
        Ok(Rule { factors: self.factors, domain, range })
    }
}

impl Index {
    fn bind(self, factors: &[Factor]) -> Read<Binding> {
        let found = factors.iter().position(|f| f.name == self.factor);
        let factor = found.ok_or_else(|| Fault::new(self.at, "a factor with a size"))?;
        let size = factors[factor].size;
        if let Some(values) = self.values.filter(|&n| n != size) {
            let what = format!("a cut of {size} values, found one of {values}");
            return Err(Fault::new(self.at, what));
        }
        if let Some(Spread::Uniform(each)) = self.spread
            && size.checked_mul(each).is_none()
        {
            return Err(Fault::new(self.at, "a dim that can be addressed"));
        }
        Ok(Binding { factor, halo: self.halo, spread: self.spread.unwrap_or(Spread::One) })
    }
}

impl Properties {
    /// Takes one law, property or kind.
    fn word(&mut self, line: &mut Cursor) -> Read<()> {
        let fault = line.fault("`:`, a law, `real`, `antilinear`, `r2c`, `c2r` or a quoted kind");
        if let Some(token) = line.peek().filter(|t| t.kind == Kind::Quoted) {
            self.kind = unquote(token.text).ok_or(fault)?;
            return line.expect(token.text);
        }
        let Ok(word) = line.word("") else { return Err(fault) };
        match word {
            "real" => self.linearity = Linearity::Real,
            "antilinear" => self.linearity = Linearity::Antilinear,
            "r2c" => self.typing = Typing::RealToComplex,
            "c2r" => self.typing = Typing::ComplexToReal,
            law => {
                let known = Laws::NAMES.iter().find(|(name, _)| *name == law);
                *known.ok_or(fault)?.1(&mut self.laws) = true;
            }
        }
        Ok(())
    }

    fn signature(self, dtype: Dtype, rule: Rule) -> Signature {
        let Properties { kind, laws, linearity, typing } = self;
        let shapes = |parts: &[Vec<Binding>]| -> Vec<Vec<usize>> {
            parts.iter().map(|part| part.iter().map(|b| rule.extent(b)).collect()).collect()
        };
        let (domain, range) = (shapes(&rule.domain), shapes(&rule.range));
        let cost = Cost::default();
        Signature { kind, dtype, typing, domain, range, rule, linearity, laws, cost }
    }
}
