//! The same under `mpiexec`.

use crate::backends::{On, Parts};
use crate::cases::{cases, placed};
use crate::failures::{How, plan};
use crate::mpiexec::{is_rank, job, succeeds};
use adjoin::elements::Slice;
use adjoin::runtime::sim::simulate;
use adjoin::runtime::{Functions, Program, RankContext, World};
use adjoin::{Trace, mark};
use std::time::Duration;

/// Each rank compares its tiles with those of simulated ranks.
fn agrees(mesh: &str, ranks: usize, test: &str) {
    succeeds(ranks, test, |comm| {
        let world = World::attach(comm);
        let functions = Functions::new();
        for case in cases() {
            let plan = placed(&case.source, mesh);
            let given = &case.given;
            let expected = simulate(&plan, &case.operators, &functions, given, case.block).unwrap();
            let parts =
                Parts { plan: &plan, operators: &case.operators, functions: &functions, given };
            let check = world.run(|rank| {
                let mut program = parts.bind(rank, On::Host)?;
                parts.load(&mut program, case.block)?;
                program.run(case.block)?;
                for (index, whole) in expected.outputs.iter().enumerate() {
                    let tile = program.output(case.block, index)?;
                    let source = adjoin::data::Source::array(whole.clone());
                    let mine = source.read_elements(&tile.region(), whole.dtype()).unwrap();
                    near(mine.slice(), tile.data, case.name);
                }
                Ok(())
            });
            check.unwrap();
        }
    });
}

/// Equal up to roundings, because libraries sum in their own order.
fn near(a: Slice<'_>, b: Slice<'_>, name: &str) {
    let wide = |x: Slice<'_>| -> Vec<f64> {
        match x {
            Slice::F32(_) | Slice::C64(_) => {
                let reals: &[f32] = bytemuck::cast_slice(x.bytes());
                reals.iter().map(|&x| f64::from(x)).collect()
            }
            Slice::F64(_) | Slice::C128(_) => bytemuck::cast_slice(x.bytes()).to_vec(),
        }
    };
    let (a, b) = (wide(a), wide(b));
    let scale = a.iter().map(|x| x.abs()).fold(1.0, f64::max);
    let same = a.iter().zip(&b).all(|(a, b)| (a - b).abs() <= 1e-5 * scale);
    assert!(a.len() == b.len() && same, "{name}: {a:?} and {b:?}");
}

#[test]
fn one_rank_agrees() {
    agrees("p=1", 1, "mpi::one_rank_agrees");
}

#[test]
fn three_ranks_agree() {
    agrees("p=3", 3, "mpi::three_ranks_agree");
}

#[test]
fn a_grid_agrees() {
    agrees("r=2,c=2", 4, "mpi::a_grid_agrees");
}

/// Between two barriers all ranks are at the same place, whenever their traces began.
#[test]
fn traces_have_one_clock() {
    succeeds(3, "mpi::traces_have_one_clock", |comm| {
        std::thread::sleep(Duration::from_millis(40 * (3 - comm.rank() as u64)));
        let (world, trace) = (World::attach(comm), Trace::new());
        let meet = |rank: &RankContext| {
            rank.comm().barrier()?;
            let _meeting = mark("meeting");
            std::thread::sleep(Duration::from_millis(10));
            Ok(rank.comm().barrier()?)
        };
        world.traced(&trace, meet).unwrap();
        let record = trace.collect(&world).unwrap();
        assert_eq!(record.is_some(), world.is_root());
        let Some(record) = record else { return };
        let json: serde_json::Value = serde_json::from_str(&record.chrome()).unwrap();
        let all = json["traceEvents"].as_array().unwrap().iter();
        let begins: Vec<_> = all.filter_map(|event| event["ts"].as_f64()).collect();
        let [least, most] = [f64::min, f64::max].map(|f| begins.iter().copied().reduce(f).unwrap());
        assert!(begins.len() == 3 && most - least < 10e3, "{begins:?}");
    });
}

#[test]
fn a_launched_world_has_the_jobs_ranks() {
    if !is_rank() {
        succeeds(2, "mpi::a_launched_world_has_the_jobs_ranks", |_| {});
        return;
    }
    let world = World::new().unwrap();
    assert_eq!((world.ranks(), world.backend()), (2, "mpi"));
    let ranks = world.run(|rank| Ok(rank.rank())).unwrap();
    assert_eq!(ranks, [world.here().start]);
}

#[test]
fn a_failing_operator_ends_the_job() {
    let ended = job(3, "mpi::a_failing_operator_ends_the_job", |comm| {
        let (plan, operators) = plan(How::Error, "p=3");
        let _ = World::attach(comm).run(|rank| {
            let mut program = Program::of(&plan).operators(&operators).bind(rank.comm().clone())?;
            program.clear("", "x")?;
            program.run("")
        });
    });
    if let Some(job) = ended {
        let message = "adjoin: rank 1 failed: applying B: the matrix is singular\n";
        assert!(!job.status.success() && job.output().contains(message), "{}", job.output());
        assert_eq!(job.output().matches("adjoin: ").count(), 1, "{}", job.output());
        assert!(job.time < Duration::from_secs(10), "{:?}", job.time);
    }
}
