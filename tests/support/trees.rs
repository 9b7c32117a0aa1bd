//! Random expressions: a tree of choices, and the operator of any wanted shape that it stands for.
//!
//! Every tree makes an operator of every shape, so that a tree shrinks by losing branches and
//! each choice by becoming zero.

use super::dense::array;
use super::tiles::values;
use adjoin::Dtype;
use adjoin::data::Source;
use adjoin::expr::{
    Op, Parts, Vector, block, block_diag, family, hstack, input_parts, kronecker, param, stack,
    vstack,
};
use adjoin::ops::{self, Handle, Kind, Norm, OperatorError};
use adjoin_passes::ir::Elementwise;
use adjoin_passes::machine::Machine;
use adjoin_passes::signature::Linearity;
use num_complex::{Complex, Complex32, Complex64};
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

/// Pseudo-random choices.
struct Dice(u64);

type Maker = fn(&mut Dice, usize, usize) -> Option<Op>;

/// All leaf kinds; none if the kind cannot have the shape.
const LEAVES: [(&str, Maker); 26] = [
    ("matrix", |d, m, n| Some(d.any_matrix(m, n))),
    ("matrix of several columns", |d, m, n| d.columns(m, n)),
    ("first derivative", |d, m, n| d.square(m, n, Dice::first_derivative)),
    ("second derivative", |d, m, n| d.square(m, n, Dice::second_derivative)),
    ("laplacian", |d, m, n| d.square(m, n, Dice::laplacian)),
    ("gradient", |d, m, n| d.gradient(m, n)),
    ("sorted restriction", |d, m, n| d.restriction(m, n, true)),
    ("unsorted restriction", |d, m, n| d.restriction(m, n, false)),
    ("restriction of an axis", |d, m, n| d.rows(m, n)),
    ("identity", |d, m, n| d.identity(m, n)),
    ("zero", |d, m, n| d.zero(m, n)),
    ("diagonal", |d, m, n| d.square(m, n, Dice::diagonal)),
    ("diagonal of an axis", |d, m, n| d.square(m, n, Dice::axis_diagonal)),
    ("transpose", |d, m, n| d.square(m, n, Dice::transpose)),
    ("complex transform", |d, m, n| d.complex_fft(m, n)),
    ("real transform", |d, m, n| d.real_fft(m, n)),
    ("full transform of reals", |d, m, n| d.full_fft(m, n)),
    ("fredholm", |d, m, n| d.fredholm(m, n)),
    ("closures", |d, m, n| d.closures(m, n)),
    ("real-linear closures", |d, m, n| d.folded(m, n, Linearity::Real)),
    ("antilinear closures", |d, m, n| d.folded(m, n, Linearity::Antilinear)),
    ("real part", |d, m, n| d.square(m, n, |d, n| Ok(d.element(n, Elementwise::Real)))),
    ("conjugate", |d, m, n| d.square(m, n, |d, n| Ok(d.element(n, Elementwise::Conj)))),
    ("family below", |d, m, n| d.family(m, n)),
    ("family beside", |d, m, n| Some(d.family(n, m)?.h())),
    ("family on the diagonal", |d, m, n| d.diagonal_family(m, n)),
];

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
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (self.0 >> 33) as usize % sides.max(1)
    }

    fn coin(&mut self) -> bool {
        self.roll(2) == 1
    }

    fn dtype(&mut self) -> Dtype {
        Dtype::ALL[self.roll(4)]
    }

    fn source(&mut self, dims: &[usize], dtype: Dtype) -> Source {
        Source::array(array(self.0, dims, dtype))
    }

    /// Up to three dims of so many elements.
    fn dims(&mut self, n: usize) -> Vec<usize> {
        let mut dims = vec![n];
        for _ in 0..self.roll(3) {
            let last = dims.pop().unwrap_or(1);
            let first = self.divisor(last);
            dims.extend([first, last / first]);
        }
        dims
    }

    fn divisor(&mut self, n: usize) -> usize {
        let all: Vec<_> = (1..=n).filter(|d| n.is_multiple_of(*d)).collect();
        all[self.roll(all.len())]
    }

    /// A number of parts, and where they are cut.
    fn cut(&mut self, n: usize) -> (usize, usize) {
        if n < 2 {
            return (n, 0);
        }
        let first = 1 + self.roll(n - 1);
        (first, n - first)
    }

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

    fn any_matrix(&mut self, m: usize, n: usize) -> Op {
        let dtype = self.dtype();
        Op::new(ops::matrix_mult(self.source(&[m, n], dtype)).build().expect("a matrix"))
    }

    /// A matrix between operators that change the size.
    fn resized(&mut self, op: Op, m: usize, n: usize) -> Op {
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

    fn square(
        &mut self,
        m: usize,
        n: usize,
        make: fn(&mut Self, usize) -> Result<Op, OperatorError>,
    ) -> Option<Op> {
        let op = make(self, m.min(n)).ok()?;
        Some(self.resized(op, m, n))
    }

    fn columns(&mut self, m: usize, n: usize) -> Option<Op> {
        let k = self.common(m, n);
        let dtype = self.dtype();
        let source = self.source(&[m / k, n / k], dtype);
        let others = self.dims(k);
        made(ops::matrix_mult(source).otherdims(others).build())
    }

    fn common(&mut self, m: usize, n: usize) -> usize {
        let all: Vec<_> =
            (1..=m.min(n)).filter(|k| m.is_multiple_of(*k) && n.is_multiple_of(*k)).collect();
        all[self.roll(all.len())]
    }

    fn kind(&mut self) -> Kind {
        [Kind::Forward, Kind::Centered, Kind::Backward][self.roll(3)]
    }

    fn axis(&mut self, dims: &[usize]) -> isize {
        self.roll(dims.len()) as isize
    }

    fn first_derivative(&mut self, n: usize) -> Result<Op, OperatorError> {
        let dims = self.dims(n);
        let of = ops::first_derivative(dims.clone()).axis(self.axis(&dims)).sampling(0.5);
        let of = of.kind(self.kind()).order([3, 5][self.roll(2)]).dtype(self.dtype());
        let edge = self.coin();
        Ok(Op::new(of.clone().edge(edge).build().or_else(|_| of.order(3).edge(false).build())?))
    }

    fn second_derivative(&mut self, n: usize) -> Result<Op, OperatorError> {
        let dims = self.dims(n);
        let of = ops::second_derivative(dims.clone()).axis(self.axis(&dims));
        let of = of.kind(self.kind()).dtype(self.dtype());
        let edge = self.coin();
        Ok(Op::new(of.clone().edge(edge).build().or_else(|_| of.edge(false).build())?))
    }

    fn laplacian(&mut self, n: usize) -> Result<Op, OperatorError> {
        let dims = self.dims(n);
        let axes: Vec<_> = if dims.len() > 1 && self.coin() {
            vec![0, dims.len() as isize - 1]
        } else {
            vec![self.axis(&dims)]
        };
        let weights: Vec<_> = axes.iter().map(|&a| 1.5 - a as f64).collect();
        let of = ops::laplacian(dims).axes(axes).weights(weights).kind(self.kind());
        let of = of.dtype(self.dtype());
        let edge = self.coin();
        Ok(Op::new(of.clone().edge(edge).build().or_else(|_| of.edge(false).build())?))
    }

    fn gradient(&mut self, m: usize, n: usize) -> Option<Op> {
        let dims = self.dims(m.min(n));
        let of = ops::gradient(dims).kind(self.kind()).dtype(self.dtype());
        let edge = self.coin();
        let op = Op::new(of.clone().edge(edge).build().or_else(|_| of.edge(false).build()).ok()?);
        Some(self.resized(op, m, n))
    }

    fn restriction(&mut self, m: usize, n: usize, sorted: bool) -> Option<Op> {
        let mut iava: Vec<_> = (0..m).map(|_| self.roll(n) as isize).collect();
        if sorted {
            iava.sort_unstable();
        } else if self.coin() {
            for i in &mut iava {
                *i -= n as isize;
            }
        }
        made(ops::restriction(n, iava).dtype(self.dtype()).build())
    }

    fn rows(&mut self, m: usize, n: usize) -> Option<Op> {
        let dims = self.dims(n);
        let axis = self.roll(dims.len());
        let sorted = self.coin();
        let len = 1 + self.roll(dims[axis]);
        let mut iava: Vec<_> = (0..len).map(|_| self.roll(dims[axis]) as isize).collect();
        if sorted {
            iava.sort_unstable();
        }
        let op = ops::restriction(dims, iava).axis(axis as isize).build().ok()?;
        Some(self.resized(Op::new(op), m, n))
    }

    fn identity(&mut self, m: usize, n: usize) -> Option<Op> {
        let k = self.common(m, n);
        let flat = self.coin();
        let k_first = !flat && self.coin();
        let (range, domain) = if flat {
            (vec![m], vec![n])
        } else if k_first {
            (vec![k, m / k], vec![k, n / k])
        } else {
            (vec![m / k, k], vec![n / k, k])
        };
        made(ops::identity(range).m(domain).dtype(self.dtype()).build())
    }

    fn zero(&mut self, m: usize, n: usize) -> Option<Op> {
        let (domain, range) = (self.dims(n), self.dims(m));
        made(ops::zero(range).m(domain).dtype(self.dtype()).build())
    }

    fn diagonal(&mut self, n: usize) -> Result<Op, OperatorError> {
        let (dims, dtype) = (self.dims(n), self.dtype());
        Ok(Op::new(ops::diagonal(self.source(&dims, dtype)).build()?))
    }

    fn axis_diagonal(&mut self, n: usize) -> Result<Op, OperatorError> {
        let (dims, dtype) = (self.dims(n), self.dtype());
        let axis = self.roll(dims.len());
        let diag = self.source(&[dims[axis]], dtype);
        Ok(Op::new(ops::diagonal(diag).dims(dims).axis(axis as isize).build()?))
    }

    fn transpose(&mut self, n: usize) -> Result<Op, OperatorError> {
        let dims = self.dims(n);
        let mut axes: Vec<_> = (0..dims.len() as isize).collect();
        for k in (1..axes.len()).rev() {
            axes.swap(k, self.roll(k + 1));
        }
        Ok(Op::new(ops::transpose(dims, axes).dtype(self.dtype()).build()?))
    }

    fn fft(&mut self, n: usize) -> ops::fft::Fft {
        let dims = self.dims(n);
        let axis = self.axis(&dims);
        let nfft = dims[axis as usize];
        let nfft = if self.coin() { nfft } else { 1 + self.roll(2 * nfft) };
        let of = ops::fft(dims).axis(axis).nfft(nfft);
        let of = of.norm([Norm::Ortho, Norm::None, Norm::OneOverN][self.roll(3)]);
        of.ifftshift_before(self.coin()).fftshift_after(self.coin())
    }

    fn complex_fft(&mut self, m: usize, n: usize) -> Option<Op> {
        let dtype = [Dtype::C64, Dtype::C128][self.roll(2)];
        let op = self.fft(m.min(n)).dtype(dtype).build().ok()?;
        Some(self.resized(Op::new(op), m, n))
    }

    fn real_fft(&mut self, m: usize, n: usize) -> Option<Op> {
        let dtype = [Dtype::F32, Dtype::F64][self.roll(2)];
        let op = self.fft(m.min(n)).real(true).ifftshift_before(false).dtype(dtype).build().ok()?;
        Some(self.resized(Op::new(op), m, n))
    }

    fn full_fft(&mut self, m: usize, n: usize) -> Option<Op> {
        let dtype = [Dtype::F32, Dtype::F64][self.roll(2)];
        let op = self.fft(m.min(n)).dtype(dtype).build().ok()?;
        Some(self.resized(Op::new(op), m, n))
    }

    fn fredholm(&mut self, m: usize, n: usize) -> Option<Op> {
        let common = self.common(m, n);
        let slices = self.divisor(common);
        let dtype = self.dtype();
        let (rows, columns) = (m / common, n / common);
        let g = self.source(&[slices, rows, columns], dtype);
        made(ops::fredholm1(g).nz(common / slices).build())
    }

    fn closures(&mut self, m: usize, n: usize) -> Option<Op> {
        let seed = self.0;
        match self.dtype() {
            Dtype::F32 => {
                let a: Vec<_> = entries(seed, m * n).iter().map(|z| z.re as f32).collect();
                user(m, n, a.clone(), vec![0.0; m * n], |x| x, Linearity::Complex)
            }
            Dtype::F64 => {
                let a: Vec<_> = entries(seed, m * n).iter().map(|z| z.re).collect();
                user(m, n, a.clone(), vec![0.0; m * n], |x| x, Linearity::Complex)
            }
            Dtype::C64 => {
                let a: Vec<_> = entries(seed, m * n).iter().map(narrow).collect();
                let none = vec![Complex32::default(); m * n];
                user(m, n, a, none, |x| x.conj(), Linearity::Complex)
            }
            Dtype::C128 => {
                let none = vec![Complex64::ZERO; m * n];
                user(m, n, entries(seed, m * n), none, |x| x.conj(), Linearity::Complex)
            }
        }
    }

    /// `y = M x + N x̄` of complex vectors, `M` being zero if it is antilinear.
    fn folded(&mut self, m: usize, n: usize, linearity: Linearity) -> Option<Op> {
        let (a, b) = (entries(self.0, m * n), entries(self.0 + 1, m * n));
        let keep = if linearity == Linearity::Antilinear { 0.0 } else { 1.0 };
        let a: Vec<_> = a.into_iter().map(|z| z * keep).collect();
        if self.coin() {
            return user(m, n, a, b, |x| x.conj(), linearity);
        }
        let narrowed = |v: &[Complex64]| v.iter().map(narrow).collect();
        user(m, n, narrowed(&a), narrowed(&b), |x| x.conj(), linearity)
    }

    fn element(&mut self, n: usize, map: Elementwise) -> Op {
        Op::element(map, self.dims(n))
    }

    /// Blocks of different heights below each other.
    fn family(&mut self, m: usize, n: usize) -> Option<Op> {
        let heights = self.heights(m);
        let (seed, dtype, transient) = (self.0, self.dtype(), self.coin());
        let made = family(0..heights.len(), move |i| {
            let a = array(seed + i as u64, &[heights[i], n], dtype);
            Ok(Op::new(ops::matrix_mult(Source::array(a)).build()?))
        })
        .ok()?;
        let made = if transient { made.transient() } else { made };
        made.vstack().ok()
    }

    fn diagonal_family(&mut self, m: usize, n: usize) -> Option<Op> {
        let (heights, mut left) = (self.heights(m), n);
        let mut blocks = Vec::new();
        for (i, height) in heights.iter().enumerate() {
            let rest = heights.len() - i - 1;
            let width = if rest == 0 { left } else { self.roll(left.saturating_sub(rest)) + 1 };
            blocks.push((*height, width.min(left)));
            left -= width.min(left);
        }
        if blocks.iter().any(|b| b.1 == 0) {
            return None;
        }
        let (seed, dtype) = (self.0, self.dtype());
        let made = family(0..blocks.len(), move |i| {
            let a = array(seed + i as u64, &[blocks[i].0, blocks[i].1], dtype);
            Ok(Op::new(ops::matrix_mult(Source::array(a)).build()?))
        });
        made.ok()?.block_diag().ok()
    }

    fn heights(&mut self, m: usize) -> Vec<usize> {
        let mut heights = Vec::new();
        let mut left = m;
        while left > 0 {
            let height = 1 + self.roll(left.min(4));
            heights.push(height);
            left -= height;
        }
        heights
    }
}

fn made(operator: Result<Handle, OperatorError>) -> Option<Op> {
    operator.ok().map(Op::new)
}

fn entries(seed: u64, n: usize) -> Vec<Complex64> {
    values(seed, n, Dtype::C128)
}

fn narrow(z: &Complex64) -> Complex32 {
    Complex::new(z.re as f32, z.im as f32)
}

/// `y = M x + N x̄` as closures, with the adjoint `x = Mᴴ y + Nᵀ ȳ`.
fn user<T>(
    m: usize,
    n: usize,
    linear: Vec<T>,
    folded: Vec<T>,
    conj: fn(T) -> T,
    linearity: Linearity,
) -> Option<Op>
where
    T: adjoin::elements::Element + std::ops::Add<Output = T> + std::ops::Mul<Output = T>,
{
    let (a, b) = (linear.clone(), folded.clone());
    let forward = move |x: &[T], y: &mut [T]| {
        for (r, y) in y.iter_mut().enumerate() {
            let term = |c: usize| a[r * n + c] * x[c] + b[r * n + c] * conj(x[c]);
            *y = (0..n).fold(T::ZERO, |sum, c| sum + term(c));
        }
    };
    let adjoint = move |y: &[T], x: &mut [T]| {
        for (c, x) in x.iter_mut().enumerate() {
            let term = |r: usize| conj(linear[r * n + c]) * y[r] + folded[r * n + c] * conj(y[r]);
            *x = (0..m).fold(T::ZERO, |sum, r| sum + term(r));
        }
    };
    made(ops::function(n, m, forward, adjoint).linearity(linearity).build())
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
