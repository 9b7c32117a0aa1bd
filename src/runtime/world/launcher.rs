//! What a launcher has told this process about its job.

use crate::runtime::error::RunError;
use std::env;

/// Set to ignore what launchers announce.
const IGNORE: &str = "ADJOIN_IGNORE_LAUNCHER";

/// Variables of Open MPI, of MPICH and its descendants, and of a step of Slurm (its job has other
/// variables, which a batch script sees too), with one that only the processes have that it has
/// started itself.
const LAUNCHERS: [(&str, &str); 3] = [
    ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"),
    ("PMI_SIZE", "PMI_RANK"),
    ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID"),
];

/// Several tasks were announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Announced {
    variable: &'static str,
    tasks: usize,
    /// Whether this process is the first of them.
    first: bool,
}

impl Announced {
    /// What the environment of this process says.
    pub(super) fn here() -> Option<Announced> {
        Announced::of(|name| env::var(name).ok())
    }

    /// What the launcher that is nearest to this process says, if it has several tasks.
    fn of(variable: impl Fn(&str) -> Option<String>) -> Option<Announced> {
        if variable(IGNORE).is_some() {
            return None;
        }
        let nearest = LAUNCHERS.iter().find_map(|&(name, own)| {
            let first = variable(own)?.trim() == "0";
            let tasks: usize = variable(name)?.trim().parse().ok()?;
            Some(Announced { variable: name, tasks, first })
        });
        nearest.filter(|announced| announced.tasks > 1)
    }

    /// Whether this process is the first of the tasks.
    pub(super) fn is_first(&self) -> bool {
        self.first
    }

    /// An error unless there are as many ranks.
    pub(super) fn check(&self, ranks: usize) -> Result<(), RunError> {
        let Announced { variable, tasks, .. } = self;
        if ranks == *tasks {
            return Ok(());
        }
        let reason = if cfg!(feature = "mpi") {
            format!(
                "but the MPI that adjoin was built with has a job of {ranks}: \
                 start it with the mpiexec of that library"
            )
        } else {
            "but this adjoin was built without MPI: build it with --features mpi".to_owned()
        };
        Err(RunError::Launcher(format!(
            "the launcher announces {tasks} tasks ({variable}), {reason}, \
             or set {IGNORE}=1 to run without it"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Option<Announced> {
        let find = |name: &str| variables.iter().find(|(known, _)| *known == name);
        Announced::of(|name| find(name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn launchers_are_recognised() {
        let openmpi = of(&[("OMPI_COMM_WORLD_SIZE", "4"), ("OMPI_COMM_WORLD_RANK", "2")]);
        let variable = "OMPI_COMM_WORLD_SIZE";
        assert_eq!(openmpi, Some(Announced { variable, tasks: 4, first: false }));
        let said = |announced: Option<Announced>| announced.map(|a| (a.tasks, a.is_first()));
        assert_eq!(said(of(&[("PMI_SIZE", "2"), ("PMI_RANK", "0")])), Some((2, true)));
        assert_eq!(
            said(of(&[("SLURM_STEP_NUM_TASKS", "8"), ("SLURM_PROCID", "3")])),
            Some((8, false))
        );
    }

    #[test]
    fn one_rank_of_mpiexec_is_alone_among_many_tasks_of_slurm() {
        let slurm = [("SLURM_STEP_NUM_TASKS", "8"), ("SLURM_PROCID", "0")];
        let openmpi = [("OMPI_COMM_WORLD_SIZE", "1"), ("OMPI_COMM_WORLD_RANK", "0")];
        assert_eq!(of(&[slurm, openmpi].concat()), None);
    }

    #[test]
    fn one_task_nobody_started_or_no_interest_announce_nothing() {
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("PMI_SIZE", "1"), ("PMI_RANK", "0")]), None);
        assert_eq!(of(&[("SLURM_STEP_NUM_TASKS", "8")]), None);
        assert_eq!(of(&[("SLURM_NTASKS", "8"), ("SLURM_PROCID", "0")]), None, "a batch script");
        assert_eq!(of(&[("PMI_SIZE", "2"), ("PMI_RANK", "0"), (IGNORE, "1")]), None);
    }

    #[test]
    fn other_ranks_than_announced_are_an_error() {
        let announced = Announced { variable: "PMI_SIZE", tasks: 4, first: true };
        assert_eq!(announced.check(4), Ok(()));
        let error = announced.check(1).unwrap_err().to_string();
        assert!(error.contains("announces 4 tasks (PMI_SIZE)"), "{error}");
        assert!(error.contains("ADJOIN_IGNORE_LAUNCHER=1"), "{error}");
    }
}
