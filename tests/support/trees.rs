//! Random expressions: a tree of choices, and the operator of any wanted shape that it stands for.
//!
//! Every tree makes an operator of every shape, so that a tree shrinks by losing branches and
//! each choice by becoming zero.

mod dice;
mod leaves;

use adjoin::expr::{
    Op, Parts, Vector, block, block_diag, hstack, input_parts, kronecker, param, stack, vstack,
};
use adjoin::ops::OperatorError;
use adjoin_passes::ir::Elementwise;
use adjoin_passes::machine::Machine;
use dice::Dice;
use leaves::LEAVES;
use num_complex::Complex64;
use proptest::prelude::*;

/// Choices; the number beside each kind settles all else.
#[derive(Clone, Debug)]
pub enum Tree {
    Leaf(u8, u32),
    One(u8, u32, Box<Tree>),
    Two(u8, u32, Box<Tree>, Box<Tree>),
}

/// A whole case.
#[derive(Clone, Debug)]
pub struct Case {
    pub tree: Tree,
    /// The size of the range, of the domain, and how the vector around the operator is made.
    pub shape: (u8, u8, u32),
    pub mesh: &'static str,
    /// How cheap communication is, from usual to free.
    pub network: u8,
}

pub const MESHES: [&str; 20] = [
    "p=1", "p=2", "p=3", "p=4", "r=2,c=2", "p=5", "p=6", "r=2,c=3", "r=3,c=2", "p=7", "p=8",
    "r=2,c=4", "p=9", "r=3,c=3", "p=10", "r=5,c=2", "p=11", "p=12", "r=3,c=4", "r=1,c=3",
];

/// Cases of every kind, nested up to a depth.
pub fn cases(depth: u32) -> impl Strategy<Value = Case> {
    let shape = (1_u8..25, 1_u8..25, any::<u32>());
    let mesh = (0..MESHES.len()).prop_map(|k| MESHES[k]);
    (trees(depth), shape, mesh, 0_u8..4).prop_map(|(tree, shape, mesh, network)| Case {
        tree,
        shape,
        mesh,
        network,
    })
}

fn trees(depth: u32) -> impl Strategy<Value = Tree> {
    let leaf = (0..LEAVES.len() as u8, any::<u32>()).prop_map(|(k, s)| Tree::Leaf(k, s));
    leaf.prop_recursive(depth, 10, 2, |inner| {
        let one = (0_u8..14, any::<u32>(), inner.clone());
        let two = (0_u8..8, any::<u32>(), inner.clone(), inner);
        prop_oneof![
            one.prop_map(|(k, s, a)| Tree::One(k, s, Box::new(a))),
            two.prop_map(|(k, s, a, b)| Tree::Two(k, s, Box::new(a), Box::new(b))),
        ]
    })
}

impl Case {
    /// Small vectors are worth splitting only where messages are cheap.
    pub fn machine(&self) -> Machine {
        let usual = Machine::default();
        let eager = usual.clone().with_link(1e-12, 1e13).with_launch(0.0);
        match self.network {
            0 => usual,
            1 => eager,
            2 => eager.with_link(1e-12, 1e9),
            _ => eager.with_link(1e-9, 1e13).with_flops(1e8),
        }
    }

    /// The data expression.
    pub fn vector(&self) -> Vector {
        let (m, n, seed) = self.shape;
        let dice = &mut Dice(u64::from(seed));
        let m = if dice.roll(3) == 0 { n } else { m };
        let a = operator(&self.tree, usize::from(m), usize::from(n));
        dice.around(&a)
    }
}

/// An operator of a tree with `m` rows and `n` columns.
fn operator(tree: &Tree, m: usize, n: usize) -> Op {
    match tree {
        Tree::Leaf(kind, seed) => {
            let dice = &mut Dice(u64::from(*seed));
            LEAVES[*kind as usize].1(dice, m, n).unwrap_or_else(|| dice.any_matrix(m, n))
        }
        Tree::One(kind, seed, a) => Dice(u64::from(*seed)).one(*kind, a, m, n),
        Tree::Two(kind, seed, a, b) => Dice(u64::from(*seed)).two(*kind, (a, b), m, n),
    }
}

impl Dice {
    fn one(&mut self, kind: u8, a: &Tree, m: usize, n: usize) -> Op {
        let number = Complex64::new(0.5, -1.25);
        let plain = || operator(a, m, n);
        match kind {
            0 => operator(a, n, m).h(),
            1 => operator(a, n, m).t(),
            2 => plain().conj(),
            3 => -plain(),
            4 => 0.75 * plain(),
            5 => plain() * number,
            6 => param("eps", 0.3) * plain(),
            7 => plain() * param("tau", Complex64::new(-0.5, 0.5)),
            8 => plain() / number,
            9 => {
                let power = operator(a, n, n).pow(self.roll(4) as u32);
                let power = if power.check().is_ok() { power } else { operator(a, n, n) };
                self.resized(power, m, n)
            }
            10 => {
                let k = self.roll(m.min(n)) + 1;
                let inner = operator(a, k, n);
                let normal = product(&inner.h(), &inner);
                self.resized(normal, m, n)
            }
            11 => {
                let inner = plain();
                let real = Op::element(Elementwise::Real, inner.range().clone());
                product(&real, &inner)
            }
            12 => {
                let inner = plain();
                let conj = Op::element(Elementwise::Conj, inner.domain().clone());
                product(&inner, &conj)
            }
            _ => {
                let inner = plain();
                if m == n { sum(&inner, &inner.h()) } else { sum(&inner, &(-2 * inner.conj())) }
            }
        }
    }

    fn two(&mut self, kind: u8, (a, b): (&Tree, &Tree), m: usize, n: usize) -> Op {
        match kind {
            0 => {
                let k = 1 + self.roll(m.max(n));
                product(&operator(a, m, k), &operator(b, k, n))
            }
            1 => sum(&operator(a, m, n), &operator(b, m, n)),
            2 => sum(&operator(a, m, n), &-operator(b, m, n)),
            3 => {
                let (top, bottom) = self.cut(m);
                let blocks = [Some((a, top)), Some((b, bottom)).filter(|_| bottom > 0)];
                let blocks = blocks.into_iter().flatten().map(|(t, m)| operator(t, m, n));
                vstack(blocks).expect("blocks of one domain")
            }
            4 => {
                let (left, right) = self.cut(n);
                let blocks = [Some((a, left)), Some((b, right)).filter(|_| right > 0)];
                let blocks = blocks.into_iter().flatten().map(|(t, n)| operator(t, m, n));
                hstack(blocks).expect("blocks of one range")
            }
            5 if m > 1 && n > 1 => {
                let ((m0, m1), (n0, n1)) = (self.cut(m), self.cut(n));
                block_diag([("u", operator(a, m0, n0)), ("v", operator(b, m1, n1))])
                    .expect("blocks on a diagonal")
            }
            6 if m > 1 && n > 1 => {
                let ((m0, m1), (n0, n1)) = (self.cut(m), self.cut(n));
                let zero = self.identity(m0, n1).unwrap_or_else(|| self.any_matrix(m0, n1));
                let (first, last) = (operator(a, m0, n0), operator(b, m1, n1));
                let other = self.any_matrix(m1, n0);
                block([vec![first, zero], vec![other, last]]).expect("rows of blocks")
            }
            _ => {
                let (m0, n0) = (self.divisor(m), self.divisor(n));
                let (a, b) = (operator(a, m0, n0), operator(b, m / m0, n / n0));
                let made = kronecker(&a, &b).ok().filter(|op| op.check().is_ok());
                made.unwrap_or_else(|| self.any_matrix(m, n))
            }
        }
    }

    /// What is asked of the operator: applied to inputs of several types, shapes and columns.
    fn around(&mut self, a: &Op) -> Vector {
        let columns = (self.roll(3) == 0).then(|| 1 + self.roll(3));
        let flat = self.roll(4) == 0;
        let x = self.input("x", a.domain(), a, columns, flat);
        let y = a * &x;
        y.check().unwrap_or_else(|e| panic!("{e}"));
        let made = match self.roll(6) {
            0 | 1 => y.clone(),
            2 => &a.h() * &y,
            3 => param("eps", 0.3) * &y - 0.5 * y.conj(),
            4 => {
                let dtypes = y.dtypes().to_vec();
                &y + input_parts("z", y.parts().clone(), &dtypes)
            }
            _ => stack([&y, &x]).unwrap_or_else(|_| y.clone()),
        };
        if made.check().is_ok() { made } else { y }
    }

    /// An input for an operator, real where it takes nothing else.
    fn input(
        &mut self,
        name: &str,
        parts: &Parts,
        a: &Op,
        columns: Option<usize>,
        flat: bool,
    ) -> Vector {
        let mut parts = if flat { Parts::one([parts.size()]) } else { parts.clone() };
        parts.0.iter_mut().for_each(|p| p.dims.extend(columns));
        let dtypes: Vec<_> = parts.0.iter().map(|_| self.dtype()).collect();
        let x = input_parts(name, parts.clone(), &dtypes);
        if (a * &x).check().is_ok() {
            return x;
        }
        let reals: Vec<_> = dtypes.iter().map(|d| d.real()).collect();
        input_parts(name, parts, &reals)
    }

    /// A matrix between operators that change the size.
    pub(super) fn resized(&mut self, op: Op, m: usize, n: usize) -> Op {
        let (rows, columns) = op.shape();
        let op = if rows == m { op } else { product(&self.cutter(m, rows), &op) };
        if columns == n { op } else { product(&op, &self.cutter(columns, n)) }
    }

    fn cutter(&mut self, m: usize, n: usize) -> Op {
        match self.roll(3) {
            0 => self.identity(m, n),
            1 => self.restriction(m, n, true),
            _ => None,
        }
        .unwrap_or_else(|| self.any_matrix(m, n))
    }

    pub(super) fn square(
        &mut self,
        m: usize,
        n: usize,
        make: fn(&mut Self, usize) -> Result<Op, OperatorError>,
    ) -> Option<Op> {
        let op = make(self, m.min(n)).ok()?;
        Some(self.resized(op, m, n))
    }
}

/// `A B`, with the real part between them where an imaginary one would be lost.
fn product(a: &Op, b: &Op) -> Op {
    let plain = a * b;
    if plain.check().is_ok() {
        return plain;
    }
    let real = Op::element(Elementwise::Real, b.range().clone());
    let made = a * real * b;
    made.check().unwrap_or_else(|e| panic!("{e}"));
    made
}

fn sum(a: &Op, b: &Op) -> Op {
    let made = a + b;
    if made.check().is_ok() { made } else { a.clone() }
}
