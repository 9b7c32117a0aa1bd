//! CG: the solution of `(A + δ) x = d` for a positive definite A, by conjugate gradients.
//!
//! In each step
//! ```text
//! q = A c + δ c        a = ‖r‖² / |c·q|
//! x += a c             r -= a q
//! b = ‖r_new‖² / ‖r‖²                                 c = r + b c
//! ```
//! with two reductions.
//! Parameters, costs and the stopping rule are PyLops's.

use super::problem::{Controls, Next, Outcome, Settings, Solver, Stop, System};
use super::steps::Program;
use crate::expr::ExprError;

/// The program of CG.
#[derive(Clone, Copy, Debug)]
pub struct Cg;

impl Solver for Cg {
    fn name(&self) -> &'static str {
        "cg"
    }

    fn square(&self) -> bool {
        true
    }

    fn program(&self, system: &System, program: &mut Program) -> Result<(), ExprError> {
        let term = program.operator(system.operator())?;
        let data = system.data(program);
        let model = system.model(program, term, &data)?;
        let x_state = program.keep(&system.model_labels("x"), &model);
        let r_state = program.keep(&system.model_labels("r"), &model);
        let c_state = program.keep(&system.model_labels("c"), &model);
        let number = program.number();
        let k_state = program.keep(&["k".into()], &[number]);

        let mut setup = program.block("setup");
        let d = setup.input(&system.data_labels("d"), &data);
        let d = setup.cast(&d, &model);
        let (x, r);
        if system.starts() {
            x = setup.input(&system.model_labels("x0"), &model);
            let ax = setup.apply(term, &x)?;
            let ax = setup.cast(&ax, &model);
            let rest = setup.sub(&d, &ax);
            let damp = setup.slot("damp", 0.0)?;
            let minus = setup.neg(damp);
            r = setup.axpy(minus, &x, &rest);
        } else {
            x = setup.zeros(&model);
            r = d;
        }
        let rr = setup.squares(&r);
        let k = setup.total(&rr);
        setup.set(&x_state, &x);
        setup.set(&r_state, &r);
        setup.set(&c_state, &r);
        setup.set(&k_state, &[k]);
        setup.control("k", k);
        for (part, rr) in rr.into_iter().enumerate() {
            setup.control(&format!("rr{part}"), rr);
        }
        setup.end();

        let mut step = program.block("step");
        let (x, r) = (step.get(&x_state), step.get(&r_state));
        let (c, k) = (step.get(&c_state), step.get(&k_state)[0]);
        let damp = step.slot("damp", 0.0)?;
        let q = step.apply(term, &c)?;
        let q = step.cast(&q, &model);
        let q = step.axpy(damp, &c, &q);
        let cq = step.dot(&c, &q);
        let cq = step.abs(cq);
        let a = step.over(k, cq);
        let x = step.axpy(a, &c, &x);
        let minus = step.neg(a);
        let r = step.axpy(minus, &q, &r);
        let rr = step.squares(&r);
        let total = step.total(&rr);
        let b = step.over(total, k);
        let c = step.axpy(b, &c, &r);
        step.set(&x_state, &x);
        step.set(&r_state, &r);
        step.set(&c_state, &c);
        step.set(&k_state, &[total]);
        step.control("k", total);
        for (part, rr) in rr.into_iter().enumerate() {
            step.control(&format!("rr{part}"), rr);
        }
        step.end();

        let mut view = program.block("view");
        let x = view.get(&x_state);
        view.output(&x);
        view.end();
        Ok(())
    }

    fn next(&self, settings: &Settings, outcome: &mut Outcome, controls: &Controls) -> Next {
        if !outcome.cost.is_empty() {
            outcome.niter += 1;
        }
        outcome.note(controls, "rr");
        outcome.r1norm = controls["k"].iter().copied().fold(0.0, f64::max);
        outcome.r2norm = outcome.cost[outcome.niter];
        if outcome.niter < settings.niter && outcome.r1norm > settings.tol {
            return Next::Block("step");
        }
        let reached = outcome.r1norm <= settings.tol;
        (outcome.istop, outcome.stop) =
            if reached { (1, Stop::Tolerance) } else { (2, Stop::Iterations) };
        Next::Stop
    }
}
