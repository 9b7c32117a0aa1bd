//! Bandwidth by working set, and what kernels reach of it on one thread.
//!
//! For each working set memory is read, and updated, by sweeps that do nothing else; then each
//! kernel moves as many bytes as it must, in turn with them.
//! `cargo bench --bench floor -- 64 1024` measures for 64 MiB and for 1 GiB; a word selects the
//! kernels whose names have it.

mod support;

use adjoin::elements::Element;
use adjoin::ops::{self, Handle, LocalOperator, Patch, PatchMut, Tile, Turn};
use adjoin_kernels::host::{Acc, diagonal, dot, vector};
use num_complex::Complex;
use std::hint::black_box;
use std::ops::Range;
use support::Bandwidth;

const ROUNDS: usize = 7;

#[global_allocator]
static PAGES: adjoin::LargePages = adjoin::LargePages;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|w| !w.starts_with('-')).collect();
    let mut sizes: Vec<usize> = words.iter().filter_map(|w| w.parse().ok()).collect();
    let wanted: Vec<String> = words.into_iter().filter(|w| w.parse::<usize>().is_err()).collect();
    if sizes.is_empty() {
        sizes = vec![1, 64, 512, 1024];
    }
    for mib in sizes {
        let mut bench = Bench::new(mib << 20, wanted.clone());
        matrices::<f32>(&mut bench);
        matrices::<f64>(&mut bench);
        matrices::<Complex<f32>>(&mut bench);
        matrices::<Complex<f64>>(&mut bench);
        vectors::<f32>(&mut bench);
        vectors::<f64>(&mut bench);
        vectors::<Complex<f64>>(&mut bench);
        stencils::<f32>(&mut bench);
        stencils::<f64>(&mut bench);
    }
}

/// One working set.
struct Bench {
    bytes: usize,
    rounds: usize,
    wanted: Vec<String>,
}

/// Which bandwidth is a kernel's floor.
#[derive(Clone, Copy)]
enum Floor {
    Read,
    Update,
}

impl Bench {
    fn new(bytes: usize, wanted: Vec<String>) -> Bench {
        let rounds = if bytes > 1 << 25 { ROUNDS } else { 50 * ROUNDS };
        let Bandwidth { read, update } = Bandwidth::measure(bytes, rounds);
        let mib = bytes >> 20;
        println!("\n{mib} MiB: read {:.1} GB/s, update {:.1} GB/s", read / 1e9, update / 1e9);
        Bench { bytes, rounds, wanted }
    }

    fn wants(&self, name: &str) -> bool {
        self.wanted.is_empty() || self.wanted.iter().any(|w| name.contains(w.as_str()))
    }

    /// A kernel that cannot move less than so many bytes.
    fn kernel<S: Element>(&self, name: &str, floor: Floor, bytes: usize, mut work: impl FnMut()) {
        let name = format!("{name} {}", S::DTYPE);
        if !self.wants(&name) {
            return;
        }
        work();
        let times = support::medians(self.rounds, &mut [&mut work]);
        let now = Bandwidth::measure(self.bytes, 3 + self.rounds / 50);
        let best = match floor {
            Floor::Read => now.read,
            Floor::Update => now.update,
        };
        let rate = bytes as f64 / times[0];
        println!("  {name:34} {:7.1} GB/s {:5.0} % of floor", rate / 1e9, 100.0 * rate / best);
    }
}

fn ramp<S: Element>(n: usize) -> Vec<S> {
    let value = |k: usize| ((k % 17) as f64 - 8.0) / 16.0;
    (0..n).map(|k| S::from_c128(Complex::new(value(k), value(k / 3)))).collect()
}

fn matrices<S: Element>(bench: &mut Bench) {
    if !bench.wants(&format!("gemv gemv.H one pass {}", S::DTYPE)) {
        return;
    }
    let cols = if bench.bytes > 1 << 25 { 8192 } else { 512 };
    let rows = bench.bytes / size_of::<S>() / cols;
    let a = ndarray_source::<S>(rows, cols);
    let mut tile = Local::<S>::new(&ops::matrix_mult(a).build().unwrap());
    let bytes = rows * cols * size_of::<S>();
    bench.kernel::<S>("gemv", Floor::Read, bytes, || tile.forward());
    bench.kernel::<S>("gemv.H", Floor::Read, bytes, || tile.adjoint());
    bench.kernel::<S>("one pass", Floor::Read, bytes, || tile.one_pass());
}

fn ndarray_source<S: Element>(rows: usize, cols: usize) -> adjoin::data::Source {
    let array: adjoin::data::Array = ramp::<S>(rows * cols).into();
    adjoin::data::Source::array(array.reshape([rows, cols]).unwrap())
}

fn vectors<S: Element>(bench: &mut Bench) {
    let n = bench.bytes / size_of::<S>();
    let (x, z, mut y): (Vec<S>, Vec<S>, Vec<S>) = (ramp(n / 3), ramp(n / 3), ramp(n / 3));
    let a = S::from_c128(Complex::new(1e-3, 0.0));
    let one = n / 3 * size_of::<S>();
    bench.kernel::<S>("dot", Floor::Read, 2 * one, || {
        black_box(dot::dot(&x, &z));
    });
    bench.kernel::<S>("norm", Floor::Read, one, || {
        black_box(dot::norm_sqr(&x));
    });
    bench.kernel::<S>("y += a x", Floor::Update, 3 * one, || {
        vector::scale(a, &x, black_box(&mut y), Acc::Add);
    });
    bench.kernel::<S>("y = a x + z", Floor::Update, 3 * one, || {
        vector::axpy(a, &x, &z, black_box(&mut y), Acc::Set);
    });
    bench.kernel::<S>("y = x + z", Floor::Update, 3 * one, || {
        vector::add(&x, &z, black_box(&mut y), Acc::Set);
    });
    bench.kernel::<S>("y = d x", Floor::Update, 3 * one, || {
        diagonal::apply(&x, false, 1, &z, black_box(&mut y), Acc::Set);
    });
}

fn stencils<S: Element>(bench: &mut Bench) {
    let n = ((bench.bytes / size_of::<S>() / 2) as f64).cbrt() as usize;
    let n = n / 16 * 16;
    let (dims, dtype, one) = ([n, n, n], S::DTYPE, n * n * n * size_of::<S>());
    let each: [(&str, usize, Handle); 8] = [
        ("first, axis 0", 2, ops::first_derivative(dims).axis(0).dtype(dtype).build().unwrap()),
        ("first, axis 1", 2, ops::first_derivative(dims).axis(1).dtype(dtype).build().unwrap()),
        ("first, axis 2", 2, ops::first_derivative(dims).axis(2).dtype(dtype).build().unwrap()),
        ("second, axis 0", 2, ops::second_derivative(dims).axis(0).dtype(dtype).build().unwrap()),
        ("second, axis 2", 2, ops::second_derivative(dims).axis(2).dtype(dtype).build().unwrap()),
        ("laplacian 1, 2", 2, ops::laplacian(dims).dtype(dtype).build().unwrap()),
        (
            "laplacian 0, 1, 2",
            2,
            ops::laplacian(dims).axes([0, 1, 2]).dtype(dtype).build().unwrap(),
        ),
        ("gradient", 4, ops::gradient(dims).dtype(dtype).build().unwrap()),
    ];
    for (name, arrays, operator) in each {
        if !bench.wants(&format!("{name} {name}.H {}", S::DTYPE)) {
            continue;
        }
        let mut tile = Local::<S>::new(&operator);
        bench.kernel::<S>(name, Floor::Update, arrays * one, || tile.forward());
        bench.kernel::<S>(&format!("{name}.H"), Floor::Update, arrays * one, || tile.adjoint());
    }
}

/// An operator as one tile, with vectors.
struct Local<S> {
    tile: Box<dyn LocalOperator>,
    domain: Vec<Range<usize>>,
    range: Vec<Range<usize>>,
    x: Vec<S>,
    y: Vec<S>,
    z: Vec<S>,
}

impl<S: Element> Local<S> {
    fn new(operator: &Handle) -> Self {
        let signature = operator.signature();
        let tile = operator.build(&Tile::whole(signature, S::DTYPE)).unwrap();
        let whole = |dims: &[usize]| dims.iter().map(|&n| 0..n).collect::<Vec<_>>();
        let (domain, range) = (whole(&signature.domain[0]), whole(&signature.range[0]));
        let len = |dims: &[usize]| dims.iter().product::<usize>();
        let (x, y) = (ramp(len(&signature.domain[0])), ramp(len(&signature.range[0])));
        let z = ramp(len(&signature.domain[0]));
        Local { tile, domain, range, x, y, z }
    }

    fn forward(&mut self) {
        let x = [Patch { data: S::slice(&self.x), held: &self.domain }];
        let mut y = [PatchMut { data: S::slice_mut(&mut self.y), held: &self.range }];
        self.tile.forward(&x, &mut y, Acc::Set).unwrap();
    }

    fn adjoint(&mut self) {
        let y = [Patch { data: S::slice(&self.y), held: &self.range }];
        let mut x = [PatchMut { data: S::slice_mut(&mut self.x), held: &self.domain }];
        self.tile.adjoint(&y, &mut x, Acc::Set).unwrap();
    }

    /// `AᴴA x` panel by panel.
    fn one_pass(&mut self) {
        let panels = self.tile.panels().expect("panels");
        for panel in 0..panels.count() {
            let (rows, turn) = (panels.rows(panel), Turn { panel, paired: true });
            let (x, z) = (S::slice(&self.x), S::slice_mut(&mut self.z));
            let y = &mut self.y[rows];
            panels.forward(turn, x, S::slice_mut(y), Acc::Set).unwrap();
            let acc = if panel == 0 { Acc::Set } else { Acc::Add };
            panels.adjoint(turn, S::slice(y), z, acc).unwrap();
        }
    }
}
