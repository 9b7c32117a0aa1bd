//! Families: a stack of many similar blocks as one leaf.
//!
//! The index of the block is a factor that a mesh axis can split, balanced by the blocks' costs:
//! ranks hold different blocks, of different sizes and kinds.
//!
//! | stack | domain | range |
//! |---|---|---|
//! | `vstack` | the parts of a block, whole | one flat part, ragged over the blocks |
//! | `hstack` | one flat part, ragged | the parts of a block, whole |
//! | `block_diag` | one flat part, ragged | one flat part, ragged |

use super::error::ExprError;
use super::op::{Kind, Op, Stacked};
use super::tiles::{BlockShape, FamilyOperator};
use crate::ops::{Conduct, Operator, Residency};
use adjoin_passes::Dtype;
use adjoin_passes::signature::{
    Binding, Class, Cost, Factor, Laws, Linearity, Rule, Signature, Spread, letter,
};
use adjoin_passes::weights::Weights;
use std::error::Error;
use std::ops::Range;
use std::sync::Arc;

/// Makes block `i`, for planning and again on the rank that owns it.
pub(super) type Make = dyn Fn(usize) -> Result<Op, Box<dyn Error + Send + Sync>> + Send + Sync;

/// Many similar blocks, before it is said how they are stacked.
#[derive(Clone)]
pub struct Family {
    range: Range<usize>,
    make: Arc<Make>,
    signatures: Arc<Vec<Signature>>,
    conduct: Conduct,
}

/// A family of blocks `block(i)` for `i` in `range`, each a single operator.
///
/// `block` is called for its signature here, and again by the ranks that own the block, so it
/// should name data, not load it.
pub fn family(
    range: Range<usize>,
    block: impl Fn(usize) -> Result<Op, Box<dyn Error + Send + Sync>> + Send + Sync + 'static,
) -> Result<Family, ExprError> {
    let wrong = |message| error(&range, message);
    let signature = |i: usize| {
        let op = block(i).map_err(|e| wrong(format!("block {i} cannot be made: {e}")))?;
        op.check()?;
        leaf(&op).map(|o| (o.signature().clone(), o.conduct())).ok_or_else(|| {
            wrong(format!("block {i} is the expression {op}: a block must be a single operator"))
        })
    };
    let blocks: Vec<_> = range.clone().map(signature).collect::<Result<_, _>>()?;
    let (signatures, conducts): (Vec<_>, Vec<_>) = blocks.into_iter().unzip();
    let Some(first) = signatures.first() else {
        return Err(wrong("a family of nothing has no shape".into()));
    };
    for (i, s) in range.clone().zip(&signatures) {
        if s.typing != first.typing {
            let j = range.start;
            return Err(wrong(format!(
                "blocks {j} and {i} map real and complex vectors differently"
            )));
        }
    }
    let signatures = Arc::new(signatures);
    Ok(Family { range, make: Arc::new(block), signatures, conduct: together(&conducts) })
}

/// The operator of an expression that is a single one.
pub(super) fn leaf(op: &Op) -> Option<&Arc<dyn Operator>> {
    match &op.0.kind {
        Kind::Leaf(operator, _) => Some(operator),
        _ => None,
    }
}

/// What holds of all blocks; they are transient if one of them is.
fn together(blocks: &[Conduct]) -> Conduct {
    let transient = blocks.iter().any(|c| c.residency == Residency::Transient);
    Conduct {
        claims: blocks.iter().any(|c| c.claims),
        thread_safe: blocks.iter().all(|c| c.thread_safe),
        residency: if transient { Residency::Transient } else { Residency::Resident },
    }
}

impl Family {
    /// Blocks are built and dropped one at a time at each apply, instead of staying resident.
    pub fn transient(self) -> Self {
        let conduct = Conduct { residency: Residency::Transient, ..self.conduct };
        Family { conduct, ..self }
    }

    /// The blocks below each other, on one domain.
    pub fn vstack(&self) -> Result<Op, ExprError> {
        self.shared(|s| &s.domain, "takes")?;
        Ok(self.stacked(Stacked::Vertical))
    }

    /// The blocks beside each other, on one range.
    pub fn hstack(&self) -> Result<Op, ExprError> {
        self.shared(|s| &s.range, "gives")?;
        Ok(self.stacked(Stacked::Horizontal))
    }

    /// The blocks on the diagonal.
    pub fn block_diag(&self) -> Result<Op, ExprError> {
        Ok(self.stacked(Stacked::Diagonal))
    }

    /// Checks that one side has as many parts, of the same sizes, in all blocks.
    fn shared(
        &self,
        side: fn(&Signature) -> &Vec<Vec<usize>>,
        verb: &str,
    ) -> Result<(), ExprError> {
        let sizes = |s: &Signature| -> Vec<usize> {
            side(s).iter().map(|dims| dims.iter().product()).collect()
        };
        let first = sizes(&self.signatures[0]);
        for (i, s) in self.range.clone().zip(self.signatures.iter()) {
            if sizes(s) != first {
                return Err(error(
                    &self.range,
                    format!(
                        "block {} {verb} {first:?} elements and block {i} {:?}",
                        self.range.start,
                        sizes(s)
                    ),
                ));
            }
        }
        Ok(())
    }

    fn stacked(&self, how: Stacked) -> Op {
        let shapes = self.signatures.iter().map(BlockShape::of).collect();
        Op::new(Arc::new(FamilyOperator {
            signature: self.signature(how),
            how,
            first: self.range.start,
            shapes,
            make: self.make.clone(),
            conduct: self.conduct,
        }))
    }

    fn signature(&self, how: Stacked) -> Signature {
        let all = &self.signatures;
        let first = &all[0];
        let rows = Spread::from_counts(all.iter().map(Signature::rows));
        let columns = Spread::from_counts(all.iter().map(Signature::columns));
        let flat = |size| vec![vec![size]];
        let (m, n) = (
            all.iter().map(Signature::rows).fold(0, usize::saturating_add),
            all.iter().map(Signature::columns).fold(0, usize::saturating_add),
        );
        let b = Factor { weights: weights(all), ..Factor::free("b", all.len()) };
        let ragged = |factor, spread| vec![vec![Binding::ragged(factor, spread)]];
        let mut factors = vec![b];
        let (domain, range, rule_domain, rule_range) = match how {
            Stacked::Vertical => {
                let whole = whole(&first.domain, &mut factors);
                (first.domain.clone(), flat(m), whole, ragged(0, rows))
            }
            Stacked::Horizontal => {
                let b = factors.pop().into_iter();
                let whole = whole(&first.range, &mut factors);
                factors.extend(b);
                let last = factors.len() - 1;
                (flat(n), first.range.clone(), ragged(last, columns), whole)
            }
            Stacked::Diagonal => (flat(n), flat(m), ragged(0, columns), ragged(0, rows)),
        };
        Signature {
            kind: how.name().into(),
            dtype: all.iter().map(|s| s.dtype).reduce(Dtype::promote).unwrap_or(Dtype::F32),
            typing: first.typing,
            domain,
            range,
            rule: Rule { factors, domain: rule_domain, range: rule_range },
            linearity: linearity(all),
            laws: laws(how, all),
            cost: cost(all, self.conduct.residency),
        }
    }
}

/// Bindings of dims that every block needs as a whole.
fn whole(parts: &[Vec<usize>], factors: &mut Vec<Factor>) -> Vec<Vec<Binding>> {
    let mut names = (0..).map(letter).filter(|name| name != "b");
    let mut bind = |&n: &usize| {
        factors.push(Factor::whole(names.next().unwrap_or_default(), n));
        Binding::plain(factors.len() - 1)
    };
    parts.iter().map(|dims| dims.iter().map(&mut bind).collect()).collect()
}

/// What each block costs, in thousandths of the dearest; none if all cost the same.
fn weights(blocks: &[Signature]) -> Option<Arc<Weights>> {
    let costs: Vec<f64> = blocks.iter().map(|s| s.cost.flops + s.cost.reads).collect();
    let dearest = costs.iter().copied().fold(0.0, f64::max);
    let weight = |c: &f64| ((1000.0 * c / dearest).round() as u64).max(1);
    let weights: Vec<_> = costs.iter().map(weight).collect();
    let uneven = dearest > 0.0 && weights.iter().any(|w| *w != weights[0]);
    uneven.then(|| Arc::new(weights.into()))
}

fn linearity(blocks: &[Signature]) -> Linearity {
    let first = blocks[0].linearity;
    if blocks.iter().all(|s| s.linearity == first) { first } else { Linearity::Real }
}

/// A diagonal of blocks keeps what all of them have; other stacks keep only being zero.
fn laws(how: Stacked, blocks: &[Signature]) -> Laws {
    let all = |law: fn(&Laws) -> bool| blocks.iter().all(|s| law(&s.laws));
    let diagonal = |law: fn(&Laws) -> bool| how == Stacked::Diagonal && all(law);
    Laws {
        self_adjoint: diagonal(|l| l.self_adjoint),
        isometry: diagonal(|l| l.isometry),
        co_isometry: diagonal(|l| l.co_isometry),
        projection: diagonal(|l| l.projection),
        identity: diagonal(|l| l.identity),
        zero: all(|l| l.zero),
        ..Laws::default()
    }
}

fn cost(blocks: &[Signature], residency: Residency) -> Cost {
    let transient = residency == Residency::Transient;
    let sum = |of: fn(&Cost) -> f64| blocks.iter().map(|s| of(&s.cost)).sum::<f64>();
    let max = |of: fn(&Cost) -> f64| blocks.iter().map(|s| of(&s.cost)).fold(0.0, f64::max);
    Cost {
        flops: sum(|c| c.flops),
        reads: sum(|c| c.reads),
        holds: if transient { 0.0 } else { sum(|c| c.holds) },
        scratch: max(|c| c.scratch) + if transient { max(|c| c.holds) } else { 0.0 },
        setup: if transient { 0.0 } else { sum(|c| c.setup) },
        class: blocks.first().and_then(|s| s.cost.class).filter(|&class| alike(blocks, class)),
    }
}

fn alike(blocks: &[Signature], class: Class) -> bool {
    blocks.iter().all(|block| block.cost.class == Some(class))
}

fn error(range: &Range<usize>, message: String) -> ExprError {
    let expression = format!("family({}..{})", range.start, range.end);
    ExprError { span: 0..expression.len(), expression, message, help: None }
}
