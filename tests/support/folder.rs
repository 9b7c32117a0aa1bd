//! A folder with a small problem, and the command `adjoin` run in it.

use adjoin::data::Array;
use std::path::PathBuf;
use std::process::{Command, Output};

/// The command that this build has made.
pub const ADJOIN: &str = env!("CARGO_BIN_EXE_adjoin");

/// Set to run alone whatever a launcher announces.
pub const IGNORE: &str = "ADJOIN_IGNORE_LAUNCHER";

/// A folder of a small problem: `w.npy`, `d.npy`, `p.toml`.
pub struct Folder(pub PathBuf);

/// A regularised system with outputs by expression.
pub const PROBLEM: &str = r#"
parameters = { eps = 0.1 }
[arrays]
W = "w.npy"
d = "d.npy"
[operators]
G = { operator = "MatrixMult", A = "W" }
L = { operator = "SecondDerivative", dims = [12] }
A = "VStack(data = G, smooth = eps * L)"
[solve]
solver = "cgls"
operator = "A"
data = { data = "d", smooth = 0 }
niter = 30
tol = 1e-9
[outputs]
res = { expr = "d - G @ x", file = "res.npy" }
cost = "cost.npy"
"#;

impl Folder {
    /// Of a name that no other test of the binary uses.
    pub fn new(name: &str) -> Self {
        Folder::of_size(name, 7, 12)
    }

    pub fn of_size(name: &str, rows: usize, columns: usize) -> Self {
        let path = std::env::temp_dir().join(format!("adjoin-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        let value = |i: usize| ((i * 37 % 101) as f64 / 50.0 - 1.0).sin();
        let array = |dims: &[usize]| {
            let n = dims.iter().product::<usize>();
            Array::new(dims, (0..n).map(value).collect::<Vec<f64>>()).unwrap()
        };
        array(&[rows, columns]).save_npy(path.join("w.npy")).unwrap();
        array(&[rows]).save_npy(path.join("d.npy")).unwrap();
        let text = PROBLEM.replace("dims = [12]", &format!("dims = [{columns}]"));
        std::fs::write(path.join("p.toml"), text).unwrap();
        Folder(path)
    }

    /// The command, to be run in this folder by itself.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(ADJOIN);
        command.args(arguments).current_dir(&self.0).env(IGNORE, "1");
        command
    }

    pub fn adjoin(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// What it prints when it succeeds.
    pub fn good(&self, arguments: &[&str]) -> String {
        let output = self.adjoin(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        assert_eq!(errors, "", "there is no terminal");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What it says when it is the user's fault.
    pub fn bad(&self, arguments: &[&str]) -> String {
        let output = self.adjoin(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    pub fn array(&self, name: &str) -> Vec<f64> {
        Array::read_npy(self.0.join(name)).unwrap().into_vec().unwrap()
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Whether two results are equal but for rounding.
pub fn near(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-8)
}
