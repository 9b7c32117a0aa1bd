//! A value and all that use it: what it costs to bring it to each of them.
//!
//! Several choices of a node make or want a value in one placement, so that there are far fewer
//! moves than combinations of choices, and values of one shape have the same ones.

use super::{Choice, Search, User};
use crate::dtype::Dtype;
use crate::eliminate::Table;
use crate::ir::Value;
use crate::placement::{Placement, Type};
use std::collections::BTreeMap;
use std::rc::Rc;

/// The shape of a value, and the placements in which it is made and wanted.
pub(super) type Moves = (Vec<usize>, Dtype, Vec<Placement>, Vec<Placement>);

/// The cost of each move, row by row as values are made.
pub(super) type Costs = Rc<Vec<f64>>;

/// A value and all that use it.
pub(super) struct Fan {
    maker: Side,
    users: Vec<Side>,
    costs: Costs,
    /// The number of placements in which the value is wanted.
    wanted: usize,
}

/// Which placement follows from each choice of a variable.
struct Side {
    variable: Option<usize>,
    placements: Vec<usize>,
}

impl Side {
    fn at(&self, choice: &Choice<'_>) -> usize {
        self.placements[self.variable.map_or(0, choice)]
    }
}

/// Placements in the order in which they were met.
#[derive(Default)]
struct Met {
    list: Vec<Placement>,
    at: BTreeMap<Placement, usize>,
}

impl Met {
    fn side(
        &mut self,
        search: &Search<'_>,
        variable: Option<usize>,
        placement: impl Fn(usize) -> Placement,
    ) -> Side {
        let count = variable.map_or(1, |v| search.variables[v].len());
        let placements = (0..count).map(|c| self.index(placement(c))).collect();
        Side { variable, placements }
    }

    fn index(&mut self, placement: Placement) -> usize {
        let list = &mut self.list;
        *self.at.entry(placement).or_insert_with_key(|placement| {
            list.push(placement.clone());
            list.len() - 1
        })
    }
}

impl Fan {
    pub(super) fn new(
        search: &Search<'_>,
        b: usize,
        (n, value): (usize, Value),
        users: &[User],
    ) -> Self {
        let (mut made, mut wanted) = (Met::default(), Met::default());
        let make = |c: usize| search.made(b, n, value, &|_| c).placement;
        let maker = made.side(search, search.variable(b, n), make);
        let users = users.iter().map(|&user| {
            let want = |c: usize| search.wanted(b, user, &|_| c);
            wanted.side(search, search.user_variable(b, user), want)
        });
        let users = users.collect();
        let ty = search.plan.blocks[b].ty(value);
        let count = wanted.list.len();
        let costs = search.moves((ty.dims.clone(), ty.dtype, made.list, wanted.list));
        Fan { maker, users, costs, wanted: count }
    }

    /// The cost of bringing the value to one user.
    pub(super) fn edge(&self, search: &Search<'_>, k: usize, weight: f64) -> Table {
        let user = &self.users[k];
        let cost = |choice: &Choice<'_>| self.cost(self.maker.at(choice), user.at(choice));
        search.table(&[self.maker.variable, user.variable], weight, &cost)
    }

    /// What a user need not pay if the one before wants the same.
    pub(super) fn shared(&self, search: &Search<'_>, k: usize, weight: f64) -> Table {
        let (first, second) = (&self.users[k - 1], &self.users[k]);
        let saved = |choice: &Choice<'_>| {
            let to = second.at(choice);
            if first.at(choice) != to {
                return 0.0;
            }
            match self.cost(self.maker.at(choice), to) {
                cost if cost.is_finite() => -cost,
                _ => 0.0,
            }
        };
        let on = [self.maker.variable, first.variable, second.variable];
        search.table(&on, weight, &saved)
    }

    fn cost(&self, made: usize, wanted: usize) -> f64 {
        self.costs[made * self.wanted + wanted]
    }
}

impl Search<'_> {
    /// What each move costs.
    fn moves(&self, moves: Moves) -> Costs {
        if let Some(known) = self.moved.borrow().get(&moves) {
            return known.clone();
        }
        let (dims, dtype, made, wanted) = &moves;
        let whole = Type::new(dims, *dtype);
        let mut costs = Vec::with_capacity(made.len() * wanted.len());
        for from in made {
            let from = whole.placed(from.clone());
            costs.extend(wanted.iter().map(|to| self.router.cost(&from, to)));
        }
        let costs = Rc::new(costs);
        self.moved.borrow_mut().insert(moves, costs.clone());
        costs
    }
}
