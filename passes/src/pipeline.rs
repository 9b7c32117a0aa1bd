//! stub while growing
use crate::error::PlanError;
use crate::ir::Plan;
/// N
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Numerics {
    /// E
    Exact,
    /// F
    Reassociate,
    /// N
    Recurrence,
}
/// C
pub struct Context {
    /// mesh
    pub mesh: crate::mesh::Mesh,
    /// machine
    pub machine: crate::machine::Machine,
}
/// P
pub trait Pass: Sync {
    /// n
    fn name(&self) -> &'static str;
    /// n
    fn numerics(&self) -> Numerics;
    /// r
    fn run(&self, plan: &Plan, cx: &Context) -> Result<Plan, PlanError>;
}
