//! A rank that fails stops all, with one message and soon.

use crate::cases::{array, placed};
use adjoin::Dtype;
use adjoin::data::{Region, Source};
use adjoin::expr::{Op, lower};
use adjoin::ops::{self, Handle, LocalOperator, OperatorError, Patch, PatchMut, Tile};
use adjoin::runtime::device::{Host, Shadow};
use adjoin::runtime::{Program, RunError, World};
use adjoin_kernels::host::Acc;
use adjoin_passes::signature::Rule;
use adjoin_passes::{Plan, Signature};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How rank 1 fails.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum How {
    Error,
    Panic,
    Build,
}

struct Broken(usize, How);

impl LocalOperator for Broken {
    fn forward(
        &mut self,
        _: &[Patch<'_>],
        _: &mut [PatchMut<'_>],
        _: Acc,
    ) -> Result<(), OperatorError> {
        match self.1 {
            How::Error if self.0 == 1 => Err(OperatorError("the matrix is singular".into())),
            How::Panic if self.0 == 1 => panic!("index 7"),
            _ => Ok(()),
        }
    }

    fn adjoint(
        &mut self,
        y: &[Patch<'_>],
        x: &mut [PatchMut<'_>],
        acc: Acc,
    ) -> Result<(), OperatorError> {
        self.forward(y, x, acc)
    }
}

/// An element-wise operator of 12 elements whose tile on rank 1 fails.
pub fn broken(how: How) -> Handle {
    let signature = Signature {
        rule: Rule::elementwise(&[12]),
        ..ops::custom::opaque("Broken", Dtype::F64, [vec![12]], [vec![12]])
    };
    let build = move |tile: &Tile| -> Result<Box<dyn LocalOperator>, OperatorError> {
        if how == How::Build && tile.rank == 1 {
            return Err(OperatorError("there is no licence".into()));
        }
        Ok(Box::new(Broken(tile.rank, how)))
    };
    ops::custom(signature, build).build().unwrap()
}

/// The operator, then a dense one that communicates.
pub fn plan(how: How, mesh: &str) -> (Plan, Vec<Arc<dyn ops::Operator>>) {
    let sum = ops::matrix_mult(Source::array(array(1, &[5, 12], Dtype::F64))).build().unwrap();
    let (broken, sum) = (Op::new(broken(how)).named("B"), Op::new(sum).named("S"));
    let lowered = lower(&(&sum * (&broken * broken.input("x", Dtype::F64)))).unwrap();
    (placed(&lowered.plan, mesh), lowered.operators)
}

/// Runs a body on 3 threads and returns what each rank got, quickly.
fn errors(
    body: impl Fn(&adjoin::runtime::RankContext) -> Result<(), RunError> + Sync,
) -> Vec<String> {
    let texts = Mutex::new(Vec::new());
    let start = Instant::now();
    let world = World::threads(3);
    let result = world.run(|rank| {
        let result = body(rank);
        let text = result.as_ref().map_or_else(RunError::to_string, |()| "no error".into());
        texts.lock().unwrap().push(text);
        result
    });
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    let texts = texts.into_inner().unwrap();
    assert_eq!(result.unwrap_err().to_string(), texts[0]);
    assert_eq!(world.run(|rank| Ok(rank.rank())).unwrap(), [0, 1, 2], "the world lives on");
    texts
}

#[test]
fn an_operator_that_fails_on_one_rank_stops_all() {
    for (how, message) in [
        (How::Error, "rank 1 failed: applying B: the matrix is singular"),
        (How::Panic, "rank 1 failed: applying B: it panicked: index 7"),
        (How::Build, "rank 1 failed: building B: there is no licence"),
    ] {
        let (plan, operators) = plan(how, "p=3");
        for shadow in [false, true] {
            let texts = errors(|rank| {
                let binding = Program::of(&plan).operators(&operators);
                let binding = if shadow {
                    binding.device(Shadow::new(1))
                } else {
                    binding.device(Host::new())
                };
                let mut program = binding.bind(rank.comm().clone())?;
                program.clear("", "x")?;
                program.run("")?;
                program.run("")
            });
            assert_eq!(texts, [message; 3], "{how:?}");
        }
    }
}

#[test]
fn a_source_that_cannot_be_read_on_one_rank_stops_all() {
    let (plan, operators) = plan(How::Build, "p=3");
    let _ = operators;
    let operators: Vec<_> = plan
        .leaves
        .iter()
        .map(|leaf| if leaf.name == "B" { broken(How::Panic) } else { operators[1].clone() })
        .collect();
    let operators =
        if plan.leaves[0].name == "B" { operators } else { operators.into_iter().rev().collect() };
    let source = Source::function([12], |region: &Region| {
        if region.start()[0] == 4 { Vec::new() } else { vec![1.0; region.len()] }
    });
    let texts = errors(|rank| {
        let mut program = Program::of(&plan).operators(&operators).bind(rank.comm().clone())?;
        program.load("", "x", &source)?;
        program.run("")
    });
    let start = "rank 1 failed: loading input x: region [4..8] of ";
    assert!(texts.iter().all(|text| text.starts_with(start) && *text == texts[0]), "{texts:?}");
}

#[test]
fn a_rank_that_panics_or_gives_up_stops_all() {
    for panics in [true, false] {
        let start = Instant::now();
        let result = World::threads(3).run(|rank| {
            assert!(!panics || rank.rank() != 2, "index 9");
            if rank.rank() == 2 {
                return Err(rank.error("no more data"));
            }
            rank.comm().barrier().map_err(RunError::from)
        });
        let message = if panics { "it panicked: index 9" } else { "no more data" };
        let expected = RunError::Failed { rank: 2, message: message.into() };
        assert_eq!(result.unwrap_err(), expected);
        assert!(start.elapsed() < Duration::from_secs(30));
    }
}

#[test]
fn a_users_error_on_one_rank_does_not_keep_the_others_waiting() {
    let result = World::threads(3).run(|rank| {
        if rank.rank() == 1 {
            return Err(RunError::Unfit("the array is too short".into()));
        }
        rank.comm().barrier().map_err(RunError::from)
    });
    assert_eq!(result.unwrap_err().to_string(), "the array is too short");
}
