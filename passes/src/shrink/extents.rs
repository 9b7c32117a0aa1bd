//! Symbols for extents, which of them are equal, and the equations between them.

use std::sync::Arc;

/// An extent whose small size is sought.
pub(super) type Symbol = usize;

/// A sum of products of symbols.
pub(super) type Sum = Vec<Vec<Symbol>>;

/// What must hold between extents.
pub(super) enum Relation {
    /// Two sums are equal.
    Balance(Sum, Sum),
    /// A dim has as many elements as a table gives to all values of an index.
    Total {
        /// The dim.
        dim: Symbol,
        /// The index.
        index: Symbol,
        /// The running total.
        table: Arc<Vec<usize>>,
    },
}

/// A relation, and the node that demands it.
pub(super) struct Equation {
    /// What must hold.
    pub relation: Relation,
    /// Which node demands it.
    pub node: String,
}

/// All symbols: a forest of equal ones.
#[derive(Default)]
pub(super) struct Extents {
    parent: Vec<Symbol>,
    size: Vec<usize>,
    /// What holds between them.
    pub equations: Vec<Equation>,
}

impl Extents {
    /// A symbol for an extent of this true size.
    pub fn fresh(&mut self, size: usize) -> Symbol {
        self.parent.push(self.parent.len());
        self.size.push(size);
        self.size.len() - 1
    }

    /// Symbols for some extents.
    pub fn fresh_all(&mut self, dims: &[usize]) -> Vec<Symbol> {
        dims.iter().map(|&n| self.fresh(n)).collect()
    }

    /// How many symbols there are.
    pub fn len(&self) -> usize {
        self.size.len()
    }

    /// The symbol that stands for all that are equal to this one.
    pub fn root(&self, mut symbol: Symbol) -> Symbol {
        while self.parent[symbol] != symbol {
            symbol = self.parent[symbol];
        }
        symbol
    }

    /// The true size.
    pub fn size(&self, symbol: Symbol) -> usize {
        self.size[symbol]
    }

    /// Says that two are equal, which they must be at true size.
    pub fn equal(&mut self, a: Symbol, b: Symbol) -> Result<(), String> {
        if self.size[a] != self.size[b] {
            return Err(format!("extents {} and {} should be equal", self.size[a], self.size[b]));
        }
        let (a, b) = (self.root(a), self.root(b));
        self.parent[a.max(b)] = a.min(b);
        Ok(())
    }

    /// Says that some are equal one by one.
    pub fn equal_all(&mut self, a: &[Symbol], b: &[Symbol]) -> Result<(), String> {
        if a.len() != b.len() {
            return Err(format!("{} dims should be {}", a.len(), b.len()));
        }
        a.iter().zip(b).try_for_each(|(&a, &b)| self.equal(a, b))
    }

    /// Says that two sums of products are equal.
    pub fn balance(&mut self, left: Sum, right: Sum, node: &str) {
        let relation = Relation::Balance(left, right);
        self.equations.push(Equation { relation, node: node.into() });
    }
}
