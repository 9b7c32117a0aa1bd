//! LSQR: the least-squares solution of `A x = d`, damped, by bidiagonalisation.
//!
//! Normalisation is delayed: the vectors `u` and `v` are kept with their norms `β` and `α`, which
//! are not known before a reduction, and are divided where they are used next.
//! So the norm of each rides on the reduction that the operator needs for the other:
//! ```text
//! α = ‖v‖              θ = s α              ρ̄ = -c α                     ended: the iteration before
//! x += (φ / ρ) w       w = v / α - (θ / ρ) w
//! u = A v / α - (α / β) u                   β = ‖u‖                       begun: the next one
//! v = Aᴴ u / β - (β / α) v
//! ρ₁ = √(ρ̄² + δ²)      ψ = δ φ̄ / ρ₁         φ̄ = ρ̄ φ̄ / ρ₁
//! ρ = √(ρ₁² + β²)      c = ρ₁ / ρ           s = β / ρ
//! φ = c φ̄              φ̄ = s φ̄
//! ```
//! A step therefore has one reduction where either the rows or the columns of the operator are
//! split, two where both are, and reads the operator once where rows can go panel by panel.
//! After step k + 1, iteration k is known to its end, and `x` is its solution; after the last one
//! a block `finish` takes the norm that is missing.
//! Parameters, costs, estimates and the stopping rule are PyLops's.

mod column;

pub(super) use column::Column;

use super::problem::{Controls, Estimates, Next, Outcome, Settings, Solver, Stop, System};
use super::steps::{Kept, Program, Steps, Vector};
use crate::expr::ExprError;
use adjoin_passes::Type;
use adjoin_passes::ir::{TermId, Value};

/// The program of LSQR, and when it ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lsqr {
    /// The tolerance of the operator's entries.
    pub atol: f64,
    /// The tolerance of the data.
    pub btol: f64,
    /// The largest condition, or 0 for no limit.
    pub conlim: f64,
    /// Whether the diagonal of `(AᴴA + δ²)⁻¹` is estimated.
    pub calc_var: bool,
}

impl Default for Lsqr {
    fn default() -> Self {
        Lsqr { atol: 1e-8, btol: 1e-8, conlim: 1e8, calc_var: true }
    }
}

impl Solver for Lsqr {
    fn name(&self) -> &'static str {
        "lsqr"
    }

    fn program(&self, system: &System, program: &mut Program) -> Result<(), ExprError> {
        let term = program.operator(system.operator())?;
        let adjoint = program.adjoint(term);
        let data = system.data(program);
        let model = system.model(program, adjoint, &data)?;
        let range = program.results(term, &model)?;
        let state = State::new(program, system, (&model, &range), self.calc_var);
        let number = program.number();

        let mut setup = program.block("setup");
        let d = setup.input(&system.data_labels("d"), &data);
        let d = setup.cast(&d, &range);
        let (x, u) = if system.starts() {
            let x = setup.input(&system.model_labels("x0"), &model);
            let ax = setup.apply(term, &x)?;
            let ax = setup.cast(&ax, &range);
            let u = setup.sub(&d, &ax);
            (x, u)
        } else {
            (setup.zeros(&model), d)
        };
        let zeros = setup.zeros(&model);
        let beta = norm(&mut setup, &u);
        let s = setup.apply(adjoint, &u)?;
        let s = setup.cast(&s, &model);
        let unit = setup.inverse(beta);
        let v = setup.scale(unit, &s);
        for (kept, vector) in [(&state.x, &x), (&state.u, &u), (&state.v, &v), (&state.w, &zeros)] {
            setup.set(kept, vector);
        }
        if let Some(var) = &state.var {
            setup.set(var, &zeros);
        }
        // The first `ρ̄` is `α`: as after an iteration with `c = -1` and `s = 0`.
        let one = setup.over(beta, beta);
        let none = setup.zeros(&[number])[0];
        let turn = Turn { beta, rho: none, minus_c: one, s: none, phi: none, phibar: beta };
        state.set(&mut setup, &turn);
        setup.control("beta", beta);
        setup.end();

        let mut step = program.block("step");
        let ended = state.end_iteration(&mut step);
        state.begin_iteration(&mut step, (term, adjoint), &ended)?;
        step.end();

        let mut finish = program.block("finish");
        state.end_iteration(&mut finish);
        finish.end();

        let mut view = program.block("view");
        let x = view.get(&state.x);
        view.output(&x);
        if let Some(var) = &state.var {
            let var = view.get(var);
            view.output(&var);
        }
        view.end();
        Ok(())
    }

    fn next(&self, settings: &Settings, outcome: &mut Outcome, controls: &Controls) -> Next {
        if outcome.cost.is_empty() {
            outcome.columns.extend(controls["beta"].iter().map(|&beta| Column::new(beta)));
            note(outcome);
            let solved = outcome.columns.iter().all(|column| column.rnorm == 0.0);
            return if solved { stop(outcome) } else { go_on(settings, outcome) };
        }
        let begun = outcome.columns[0].begun;
        for (k, column) in outcome.columns.iter_mut().enumerate() {
            let numbers = ["alpha", "theta", "ww"].map(|name| controls[name][k]);
            column.end_iteration(self, settings.damp, numbers);
            if begun < settings.niter {
                column.begin_iteration(|name| controls[name][k]);
            }
        }
        if begun > 0 {
            outcome.niter += 1;
            note(outcome);
        }
        estimate(outcome);
        let ended = outcome.columns.iter().all(|c| c.istop != 0 || c.arnorm0 == 0.0);
        if ended || begun == settings.niter { stop(outcome) } else { go_on(settings, outcome) }
    }
}

/// Norms over all right-hand sides.
fn note(outcome: &mut Outcome) {
    let r1sq: f64 = outcome.columns.iter().map(|c| c.r1sq).sum();
    outcome.cost.push(r1sq.abs().sqrt());
    outcome.r1norm = r1sq.abs().sqrt().copysign(r1sq);
    outcome.r2norm = total(&outcome.columns, |c| c.rnorm);
}

fn estimate(outcome: &mut Outcome) {
    let columns = &outcome.columns;
    let worst = |of: fn(&Column) -> f64| columns.iter().map(of).fold(0.0, f64::max);
    outcome.estimates = Some(Estimates {
        anorm: worst(|c| c.anorm),
        acond: worst(|c| c.acond),
        arnorm: total(columns, |c| c.arnorm),
        xnorm: total(columns, |c| c.xnorm),
    });
}

fn total(columns: &[Column], of: impl Fn(&Column) -> f64) -> f64 {
    columns.iter().map(|c| of(c).powi(2)).sum::<f64>().sqrt()
}

fn go_on(settings: &Settings, outcome: &Outcome) -> Next {
    Next::Block(if outcome.columns[0].begun < settings.niter { "step" } else { "finish" })
}

/// The reason is that of the first right-hand side; a solution that cannot be improved has none.
fn stop(outcome: &mut Outcome) -> Next {
    let Column { istop, arnorm0, .. } = outcome.columns[0];
    outcome.istop = istop;
    outcome.stop = match istop {
        0 if arnorm0 == 0.0 => Stop::Tolerance,
        0 => Stop::Iterations,
        1 | 2 => Stop::Tolerance,
        3 => Stop::Condition,
        _ => Stop::Precision,
    };
    Next::Stop
}

struct State {
    x: Kept,
    u: Kept,
    v: Kept,
    w: Kept,
    var: Option<Kept>,
    beta: Kept,
    rho: Kept,
    minus_c: Kept,
    s: Kept,
    phi: Kept,
    phibar: Kept,
}

/// The numbers that an iteration leaves to the next.
struct Turn {
    beta: Value,
    rho: Value,
    minus_c: Value,
    s: Value,
    phi: Value,
    phibar: Value,
}

/// What the end of an iteration leaves to the next.
struct Ended {
    v: Vector,
    w: Vector,
    alpha: Value,
    rhobar: Value,
}

impl State {
    fn new(
        program: &mut Program,
        system: &System,
        (model, range): (&[Type], &[Type]),
        calc_var: bool,
    ) -> Self {
        let number = program.number();
        let mut like_model = |name: &str| program.keep(&system.model_labels(name), model);
        let (x, v, w) = (like_model("x"), like_model("v"), like_model("w"));
        let var = calc_var.then(|| like_model("var"));
        let u = program.keep(&system.data_labels("u"), range);
        let mut one = |name: &str| program.keep(&[name.into()], std::slice::from_ref(&number));
        State {
            x,
            u,
            v,
            w,
            var,
            beta: one("beta"),
            rho: one("rho"),
            minus_c: one("minus_c"),
            s: one("s"),
            phi: one("phi"),
            phibar: one("phibar"),
        }
    }

    fn set(&self, steps: &mut Steps<'_>, turn: &Turn) {
        let Turn { beta, rho, minus_c, s, phi, phibar } = *turn;
        let kept = [&self.beta, &self.rho, &self.minus_c, &self.s, &self.phi, &self.phibar];
        for (kept, value) in kept.into_iter().zip([beta, rho, minus_c, s, phi, phibar]) {
            steps.set(kept, &[value]);
        }
    }

    /// Ends the iteration before, for which only `α` was missing.
    fn end_iteration(&self, steps: &mut Steps<'_>) -> Ended {
        let (x, v, w) = (steps.get(&self.x), steps.get(&self.v), steps.get(&self.w));
        let mut number = |kept| steps.get(kept)[0];
        let (rho, minus_c, s) = (number(&self.rho), number(&self.minus_c), number(&self.s));
        let phi = number(&self.phi);
        let ww = steps.squares(&w);
        let ww = steps.total(&ww);
        let alpha = norm(steps, &v);
        let (theta, rhobar) = (steps.times(s, alpha), steps.times(minus_c, alpha));
        let length = steps.over(phi, rho);
        let x = steps.axpy(length, &w, &x);
        steps.set(&self.x, &x);
        if let Some(kept) = &self.var {
            let shrink = steps.inverse(rho);
            let shrink = steps.times(shrink, shrink);
            let (var, square) = (steps.get(kept), steps.product(&w, &w));
            let var = steps.axpy(shrink, &square, &var);
            steps.set(kept, &var);
        }
        let w = combined(steps, (&v, alpha), (theta, rho), &w);
        for (name, value) in [("alpha", alpha), ("theta", theta), ("ww", ww)] {
            steps.control(name, value);
        }
        Ended { v, w, alpha, rhobar }
    }

    /// Begins the next iteration, up to the vector whose norm is the next `α`.
    fn begin_iteration(
        &self,
        steps: &mut Steps<'_>,
        (term, adjoint): (TermId, TermId),
        ended: &Ended,
    ) -> Result<(), ExprError> {
        let Ended { v, w, alpha, rhobar } = ended;
        let (u, last) = (steps.get(&self.u), steps.get(&self.beta)[0]);
        let image = steps.apply(term, v)?;
        let image = steps.cast(&image, self.u.types());
        let u = combined(steps, (&image, *alpha), (*alpha, last), &u);
        let beta = norm(steps, &u);
        let image = steps.apply(adjoint, &u)?;
        let image = steps.cast(&image, self.v.types());
        let v = combined(steps, (&image, beta), (beta, *alpha), v);
        steps.set(&self.u, &u);
        steps.set(&self.v, &v);
        steps.set(&self.w, w);
        self.rotate(steps, *rhobar, beta)
    }

    /// Rotates the damping and then `β` away.
    fn rotate(&self, steps: &mut Steps<'_>, rhobar: Value, beta: Value) -> Result<(), ExprError> {
        let phibar = steps.get(&self.phibar)[0];
        let damp = steps.slot("damp", 0.0)?;
        let rho1 = steps.hypot(rhobar, damp);
        let share = steps.over(damp, rho1);
        let psi = steps.times(share, phibar);
        let share = steps.over(rhobar, rho1);
        let phibar = steps.times(share, phibar);
        let rho = steps.hypot(rho1, beta);
        let (c, s) = (steps.over(rho1, rho), steps.over(beta, rho));
        let (phi, phibar) = (steps.times(c, phibar), steps.times(s, phibar));
        let minus_c = steps.neg(c);
        self.set(steps, &Turn { beta, rho, minus_c, s, phi, phibar });
        let controls =
            [("beta", beta), ("rho", rho), ("phi", phi), ("phibar", phibar), ("psi", psi)];
        for (name, value) in controls {
            steps.control(name, value);
        }
        Ok(())
    }
}

/// `‖x‖`
fn norm(steps: &mut Steps<'_>, x: &[Value]) -> Value {
    let squares = steps.squares(x);
    let total = steps.total(&squares);
    steps.sqrt(total)
}

/// `x / a - (b / c) y`
fn combined(
    steps: &mut Steps<'_>,
    (x, a): (&[Value], Value),
    (b, c): (Value, Value),
    y: &[Value],
) -> Vector {
    let back = steps.over(b, c);
    let back = steps.neg(back);
    let y = steps.scale(back, y);
    let inverse = steps.inverse(a);
    steps.axpy(inverse, x, &y)
}
