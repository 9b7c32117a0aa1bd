//! Runs a test of this binary again as ranks under `mpiexec`.

use adjoin::runtime::comm::{Comm, mpi::MpiComm};
use std::env;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Tells a rank from the test that started it.
const RANK: &str = "ADJOIN_TEST_RANK";

/// How a job ended.
pub struct Job {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
    pub time: Duration,
}

/// Whether this process is a rank.
pub fn is_rank() -> bool {
    env::var_os(RANK).is_some()
}

/// Runs `body` on each of `ranks` processes; `test` is the name of the calling test.
///
/// Returns how the job ended, and nothing in the ranks. A panic of a rank fails the job.
pub fn job(ranks: usize, test: &str, body: impl FnOnce(Arc<dyn Comm>)) -> Option<Job> {
    job_within(None, ranks, test, body)
}

/// As [`job`], with at most so many KiB of addresses for each process.
pub fn job_within(
    limit: Option<u64>,
    ranks: usize,
    test: &str,
    body: impl FnOnce(Arc<dyn Comm>),
) -> Option<Job> {
    if !is_rank() {
        return Some(launch(limit, ranks, test));
    }
    let comm: Arc<dyn Comm> = Arc::new(MpiComm::world().unwrap());
    assert_eq!(comm.size(), ranks);
    if catch_unwind(AssertUnwindSafe(|| body(comm.clone()))).is_err() {
        comm.fail("the test panicked");
    }
    None
}

/// As [`job`], for a job that must succeed.
pub fn succeeds(ranks: usize, test: &str, body: impl FnOnce(Arc<dyn Comm>)) {
    if let Some(job) = job(ranks, test, body) {
        job.succeeded();
    }
}

impl Job {
    /// All that was printed.
    pub fn output(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// All ranks passed.
    pub fn succeeded(&self) {
        let output = self.output();
        assert!(self.status.success(), "{}\n{output}", self.status);
        assert!(output.contains("test result: ok. 1 passed"), "{output}");
    }
}

fn launch(limit: Option<u64>, ranks: usize, test: &str) -> Job {
    let mut command = mpiexec();
    command.args(["-n", &ranks.to_string()]);
    if let Some(limit) = limit {
        let script = format!("ulimit -v {limit} && exec \"$0\" \"$@\"");
        command.args(["sh", "-c", &script]);
    }
    command
        .arg(env::current_exe().unwrap())
        .args([test, "--exact", "--include-ignored", "--nocapture", "--test-threads=1"])
        .env(RANK, "1");
    ended(command)
}

/// The launcher without any arguments.
///
/// `ADJOIN_MPIEXEC` names another one. Open MPI is told to run as root and on few cores by
/// variables, because other libraries reject its flags.
pub fn mpiexec() -> Command {
    let mut command =
        Command::new(env::var_os("ADJOIN_MPIEXEC").unwrap_or_else(|| "mpiexec".into()));
    command
        .env("OMPI_ALLOW_RUN_AS_ROOT", "1")
        .env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")
        .env("OMPI_MCA_rmaps_base_oversubscribe", "1");
    command
}

/// Runs a job to its end, or for two minutes.
pub fn ended(mut command: Command) -> Job {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    finish(command.spawn().expect("mpiexec is installed"), Duration::from_secs(120))
}

/// Drains both pipes while the job runs, and ends it when it takes too long.
fn finish(mut child: Child, limit: Duration) -> Job {
    let start = Instant::now();
    let stdout = drain(child.stdout.take().unwrap());
    let stderr = drain(child.stderr.take().unwrap());
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if start.elapsed() > limit {
            child.kill().unwrap();
        }
        thread::sleep(Duration::from_millis(5));
    };
    let time = start.elapsed();
    Job { status, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap(), time }
}

fn drain(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
