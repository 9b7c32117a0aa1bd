//! CGLS: the least-squares solution of `A x = d`, damped, by conjugate gradients on `AᴴA`.
//!
//! In each step
//! ```text
//! q = A c              a = ‖r‖² / (‖q‖² + δ²‖c‖²)
//! x += a c             s -= a q
//! r = Aᴴ s - δ² x      b = ‖r_new‖² / ‖r‖²            c = r + b c
//! ```
//! so that a step takes two reductions: one for `‖q‖²` and `‖c‖²`, one for `‖r‖²`, `‖s‖²` and
//! `‖x‖²`.
//! Where rows are split and the model is replicated, `‖s‖²` rides on the sum for `r`, `‖q‖²` is the
//! other one, and the rest needs none; where columns are, `‖c‖²` rides on the sum for `q`.
//! Parameters, costs and the stopping rule are PyLops's.

use super::problem::{Controls, Next, Outcome, Settings, Solver, Stop, System};
use super::steps::{Kept, Program};
use crate::expr::ExprError;

/// The program of CGLS.
#[derive(Clone, Copy, Debug)]
pub struct Cgls;

impl Solver for Cgls {
    fn name(&self) -> &'static str {
        "cgls"
    }

    fn program(&self, system: &System, program: &mut Program) -> Result<(), ExprError> {
        let term = program.operator(system.operator())?;
        let adjoint = program.adjoint(term);
        let data = system.data(program);
        let model = system.model(program, adjoint, &data)?;
        let range = program.results(term, &model)?;
        let state = State {
            x: program.keep(&system.model_labels("x"), &model),
            s: program.keep(&system.data_labels("s"), &range),
            c: program.keep(&system.model_labels("c"), &model),
            k: {
                let number = program.number();
                program.keep(&["k".into()], &[number])
            },
        };

        let mut setup = program.block("setup");
        let d = setup.input(&system.data_labels("d"), &data);
        let d = setup.cast(&d, &range);
        let damp = setup.slot("damp", 0.0)?;
        let (x, s, mut c);
        if system.starts() {
            let start = setup.input(&system.model_labels("x0"), &model);
            let ax = setup.apply(term, &start)?;
            s = setup.sub(&d, &ax);
            let gradient = setup.apply(adjoint, &s)?;
            c = setup.cast(&gradient, &model);
            let minus = setup.neg(damp);
            c = setup.axpy(minus, &start, &c);
            x = start;
        } else {
            x = setup.zeros(&model);
            s = d;
            let gradient = setup.apply(adjoint, &s)?;
            c = setup.cast(&gradient, &model);
        }
        let (kk, ss, xx) = (setup.squares(&c), setup.squares(&s), setup.squares(&x));
        let k = setup.total(&kk);
        let xx = setup.total(&xx);
        setup.set(&state.x, &x);
        setup.set(&state.s, &s);
        setup.set(&state.c, &c);
        setup.set(&state.k, &[k]);
        setup.control("k", k);
        setup.control("xx", xx);
        for (part, ss) in ss.into_iter().enumerate() {
            setup.control(&format!("ss{part}"), ss);
        }
        setup.end();

        let mut step = program.block("step");
        let (x, s) = (step.get(&state.x), step.get(&state.s));
        let (c, k) = (step.get(&state.c), step.get(&state.k)[0]);
        let damp = step.slot("damp", 0.0)?;
        let damp = step.times(damp, damp);
        let q = step.apply(term, &c)?;
        let q = step.cast(&q, &range);
        let (qq, cc) = (step.squares(&q), step.squares(&c));
        let (qq, cc) = (step.total(&qq), step.total(&cc));
        let damped = step.times(damp, cc);
        let curvature = step.plus(qq, damped);
        let a = step.over(k, curvature);
        let x = step.axpy(a, &c, &x);
        let minus = step.neg(a);
        let s = step.axpy(minus, &q, &s);
        let r = step.apply(adjoint, &s)?;
        let r = step.cast(&r, &model);
        let minus = step.neg(damp);
        let r = step.axpy(minus, &x, &r);
        let (rr, ss, xx) = (step.squares(&r), step.squares(&s), step.squares(&x));
        let (rr, xx) = (step.total(&rr), step.total(&xx));
        let b = step.over(rr, k);
        let c = step.axpy(b, &c, &r);
        step.set(&state.x, &x);
        step.set(&state.s, &s);
        step.set(&state.c, &c);
        step.set(&state.k, &[rr]);
        step.control("k", rr);
        step.control("xx", xx);
        for (part, ss) in ss.into_iter().enumerate() {
            step.control(&format!("ss{part}"), ss);
        }
        step.end();

        let mut view = program.block("view");
        let x = view.get(&state.x);
        view.output(&x);
        view.end();
        Ok(())
    }

    fn next(&self, settings: &Settings, outcome: &mut Outcome, controls: &Controls) -> Next {
        let first = outcome.cost.is_empty();
        if !first {
            outcome.niter += 1;
        }
        outcome.note(controls, "ss");
        // PyLops damps the first cost with δ and all later ones with δ².
        let damp = if first { settings.damp } else { settings.damp * settings.damp };
        let size: f64 = controls["xx"].iter().sum();
        outcome.r2norm = (outcome.cost[outcome.niter].powi(2) + damp * size).sqrt();
        outcome.r1norm = controls["k"].iter().copied().fold(0.0, f64::max);
        if outcome.niter < settings.niter && outcome.r1norm > settings.tol {
            return Next::Block("step");
        }
        let reached = outcome.r1norm < settings.tol;
        (outcome.istop, outcome.stop) =
            if reached { (1, Stop::Tolerance) } else { (2, Stop::Iterations) };
        Next::Stop
    }
}

struct State {
    x: Kept,
    s: Kept,
    c: Kept,
    k: Kept,
}
