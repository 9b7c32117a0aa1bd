//! What LSQR knows of one right-hand side: estimates that need no vectors, and the reason to end.

use super::Lsqr;

/// One right-hand side.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Column {
    /// Iterations begun.
    pub(super) begun: usize,
    /// PyLops's reason, or 0.
    pub(super) istop: usize,
    /// The norm of the gradient at the first guess.
    pub(super) arnorm0: f64,
    /// The norm of the residual, damping included.
    pub(super) rnorm: f64,
    /// The square of that of the residual alone, which may come out below zero.
    pub(super) r1sq: f64,
    pub(super) anorm: f64,
    pub(super) acond: f64,
    pub(super) arnorm: f64,
    pub(super) xnorm: f64,
    bnorm: f64,
    ddnorm: f64,
    res2: f64,
    xxnorm: f64,
    z: f64,
    cs2: f64,
    sn2: f64,
    alpha: f64,
    turn: Turn,
}

/// The numbers of the iteration that has begun.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Turn {
    beta: f64,
    rho: f64,
    phi: f64,
    phibar: f64,
    psi: f64,
}

impl Column {
    /// At the first guess, with a residual of this norm.
    pub(super) fn new(bnorm: f64) -> Self {
        Column { bnorm, rnorm: bnorm, r1sq: bnorm * bnorm, cs2: -1.0, ..Column::default() }
    }

    /// An iteration has begun with these numbers.
    pub(super) fn begin_iteration(&mut self, number: impl Fn(&str) -> f64) {
        self.begun += 1;
        let [beta, rho, phi, phibar, psi] = ["beta", "rho", "phi", "phibar", "psi"].map(number);
        self.turn = Turn { beta, rho, phi, phibar, psi };
    }

    /// The iteration has ended with the next `α` and `θ`; `ww` is `‖w‖²`.
    pub(super) fn end_iteration(&mut self, limits: &Lsqr, damp: f64, [alpha, theta, ww]: [f64; 3]) {
        let before = std::mem::replace(&mut self.alpha, alpha);
        if self.begun == 0 {
            self.arnorm0 = alpha * self.bnorm;
            self.arnorm = self.arnorm0;
        } else if self.istop == 0 {
            self.estimate(damp, (before, alpha), theta, ww);
            self.istop = self.reason(limits);
        }
    }

    fn estimate(&mut self, damp: f64, (before, alpha): (f64, f64), theta: f64, ww: f64) {
        let Turn { beta, rho, phi, phibar, psi } = self.turn;
        if beta > 0.0 {
            self.anorm = norm(&[self.anorm, before, beta, damp]);
        }
        self.ddnorm += ww / (rho * rho);
        self.rotate(rho, phi, theta);
        self.acond = self.anorm * self.ddnorm.sqrt();
        self.res2 += psi * psi;
        self.rnorm = (phibar * phibar + self.res2).sqrt();
        self.arnorm = alpha * (beta / rho * phi).abs();
        self.r1sq = self.rnorm * self.rnorm - damp * damp * self.xxnorm;
    }

    /// A rotation from the right makes the bidiagonal matrix triangular, which gives `‖x‖`.
    fn rotate(&mut self, rho: f64, phi: f64, theta: f64) {
        let gambar = -self.cs2 * rho;
        let rest = phi - self.sn2 * rho * self.z;
        self.xnorm = (self.xxnorm + (rest / gambar).powi(2)).sqrt();
        let gamma = norm(&[gambar, theta]);
        (self.cs2, self.sn2) = (gambar / gamma, theta / gamma);
        self.z = rest / gamma;
        self.xxnorm += self.z * self.z;
    }

    /// The first test that holds, in PyLops's order; 4 to 6 are at the precision of the arithmetic.
    fn reason(&self, limits: &Lsqr) -> usize {
        let solution = self.anorm * self.xnorm / self.bnorm;
        let test1 = self.rnorm / self.bnorm;
        let test2 = self.arnorm / self.arnorm0;
        let test3 = 1.0 / self.acond;
        let limit = if limits.conlim > 0.0 { 1.0 / limits.conlim } else { 0.0 };
        let vanishes = |x: f64| 1.0 + x <= 1.0;
        let tests = [
            (1, test1 <= limits.btol + limits.atol * solution),
            (2, test2 <= limits.atol),
            (3, test3 <= limit),
            (4, vanishes(test1 / (1.0 + solution))),
            (5, vanishes(test2)),
            (6, vanishes(test3)),
        ];
        tests.iter().find(|(_, holds)| *holds).map_or(0, |(reason, _)| *reason)
    }
}

/// The norm of a few numbers.
pub(super) fn norm(numbers: &[f64]) -> f64 {
    numbers.iter().map(|x| x * x).sum::<f64>().sqrt()
}
