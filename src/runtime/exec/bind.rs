//! Binding: from a plan to what one rank runs.

use super::hash::{global, waits_next};
use super::steps::{Step, Transport};
use super::{BoundBlock, BoundPort, BoundSlot, Controls, Program, Traced, fail};
use crate::ops::{Operator, completed};
use crate::runtime::comm::{Comm, Elem, LARGEST_TAG, Message, Operation, ReduceOp};
use crate::runtime::device::{Device, Host, Task, Work};
use crate::runtime::error::RunError;
use crate::runtime::local::{Functions, LocalNode};
use crate::runtime::memory::Memory;
use crate::runtime::tiles::{Application, SharedTile, Tiles};
use crate::trace::{self, facts};
use adjoin_kernels::host::star::Sums;
use adjoin_passes::Dtype;
use adjoin_passes::calls::{
    Buffer, Call, CallBlock, Calls, Kernel, Kind, Packet, Port, Reals, Transfer, View,
};
use adjoin_passes::ir::{Applied, Op, Over, Plan, Slot};
use adjoin_passes::lower::lower_with_nodes;
use adjoin_passes::simulate::Expected;
use adjoin_passes::text::operation;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A plan, and what it is bound to.
pub struct Binding<'a> {
    plan: &'a Plan,
    calls: Option<Calls>,
    operators: Vec<Arc<dyn Operator>>,
    functions: Functions,
    device: Box<dyn Device>,
    expected: Option<&'a [Vec<Expected>]>,
}

impl<'a> Binding<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        Binding {
            plan,
            calls: None,
            operators: Vec::new(),
            functions: Functions::new(),
            device: Box::new(Host::new()),
            expected: None,
        }
    }

    /// The operator behind each leaf of the plan, in its order; those of leaves that passes have
    /// added may be left out.
    pub fn operators(mut self, operators: &[Arc<dyn Operator>]) -> Self {
        self.operators = operators.to_vec();
        self
    }

    /// The functions that the plan names.
    pub fn functions(mut self, functions: &Functions) -> Self {
        self.functions = functions.clone();
        self
    }

    /// Another device than the host, without buffers.
    pub fn device(mut self, device: impl Device + 'static) -> Self {
        self.device = Box::new(device);
        self
    }

    /// Given calls of this rank instead of those that the plan is lowered to.
    pub fn calls(mut self, calls: Calls) -> Self {
        self.calls = Some(calls);
        self
    }

    /// What each call of each block of this rank should take, for traces.
    pub fn expecting(mut self, expected: Option<&'a [Vec<Expected>]>) -> Self {
        self.expected = expected;
        self
    }

    /// Makes the program of this rank; all ranks of the communicator do so.
    pub fn bind(self, comm: Arc<dyn Comm>) -> Result<Program, RunError> {
        let operators = completed(self.plan, &self.operators);
        check(self.plan, &operators, comm.size()).map_err(RunError::Unbindable)?;
        let lowered = || lower_with_nodes(self.plan, comm.rank());
        let (calls, nodes) = self.calls.map_or_else(lowered, |calls| (calls, Vec::new()));
        agree(self.plan, &calls, comm.as_ref())?;
        let mut comms = vec![comm.clone()];
        for group in &calls.groups[1..] {
            let key = group.iter().position(|&rank| rank == comm.rank());
            let Some((key, &color)) = key.zip(group.first()) else {
                return Err(fail(comm.as_ref(), "it is in no group of its calls".into()));
            };
            comms.push(comm.split(color, key)?);
        }
        let mut binder = Binder {
            plan: self.plan,
            calls: &calls,
            tiles: Tiles::new(&operators, comm.rank()),
            functions: self.functions,
            comms,
            device: self.device,
            labels: Vec::new(),
            slots: calls.buffers.len(),
            whole: BTreeMap::new(),
            staging: 0,
        };
        let bound = binder.parts().map_err(|why| match why {
            Why::Here(message) => fail(comm.as_ref(), message),
            Why::Known(error) => error,
        })?;
        let Binder { device, labels, staging, .. } = binder;
        let Parts { blocks, states, slots } = bound;
        let unset = slots.len();
        let mirror = Memory::default();
        let traced = trace::is_on().map(|id| {
            Traced::register(id, facts(self.plan, &calls, &nodes, self.expected), &blocks)
        });
        Ok(Program { comm, device, blocks, states, slots, unset, labels, mirror, staging, traced })
    }
}

impl Program {
    /// Binds a plan whose leaves are these operators, in its order.
    pub fn bind(
        plan: &Plan,
        operators: &[Arc<dyn Operator>],
        comm: Arc<dyn Comm>,
        device: impl Device + 'static,
    ) -> Result<Program, RunError> {
        Program::of(plan).operators(operators).device(device).bind(comm)
    }
}

/// Whether the plan belongs to these operators and to so many ranks; the same on all of them.
pub(crate) fn check(
    plan: &Plan,
    operators: &[Arc<dyn Operator>],
    ranks: usize,
) -> Result<(), String> {
    if plan.mesh.ranks() != ranks {
        return Err(format!("the plan is for {} ranks, and there are {ranks}", plan.mesh.ranks()));
    }
    if plan.leaves.len() != operators.len() {
        let (leaves, given) = (plan.leaves.len(), operators.len());
        return Err(format!("the plan has {leaves} operators, and {given} are given"));
    }
    for (leaf, operator) in plan.leaves.iter().zip(operators) {
        let (planned, given) = (&leaf.signature, operator.signature());
        let [planned, given] = [planned, given].map(|s| (&s.domain, &s.range));
        if planned != given {
            let name = &leaf.name;
            return Err(format!(
                "{name} maps {:?} to {:?} in the plan, and the operator given for it {:?} to {:?}",
                planned.0, planned.1, given.0, given.1
            ));
        }
    }
    let composite = |op: &Op| matches!(op, Op::Apply(Applied::Term(_)));
    if plan.blocks.iter().flat_map(|block| &block.nodes).any(|node| composite(&node.op)) {
        return Err("the plan has composite operators: it must be compiled first".into());
    }
    Ok(())
}

fn agree(plan: &Plan, calls: &Calls, comm: &dyn Comm) -> Result<(), RunError> {
    let hash = global(plan, calls).map_err(|message| fail(comm, message))?;
    let known = |error| match error {
        crate::runtime::comm::CommError::Disagree { rank } => RunError::Unbindable(format!(
            "rank {rank} has another plan than rank 0; all ranks must make the same one"
        )),
        other => other.into(),
    };
    comm.agree(hash).map_err(known)
}

/// Why a rank cannot be bound.
pub(super) enum Why {
    /// Others do not know.
    Here(String),
    /// Others know.
    Known(RunError),
}

impl From<String> for Why {
    fn from(message: String) -> Self {
        Why::Here(message)
    }
}

struct Parts {
    blocks: Vec<BoundBlock>,
    states: Vec<BoundPort>,
    slots: Vec<BoundSlot>,
}

pub(super) struct Binder<'a> {
    pub(super) plan: &'a Plan,
    calls: &'a Calls,
    tiles: Tiles,
    functions: Functions,
    /// One for each group.
    comms: Vec<Arc<dyn Comm>>,
    device: Box<dyn Device>,
    labels: Vec<String>,
    /// The buffer of the slots.
    slots: usize,
    /// Buffers for whole vectors in the place of those through which values only pass.
    whole: BTreeMap<usize, usize>,
    staging: usize,
}

impl Binder<'_> {
    fn parts(&mut self) -> Result<Parts, Why> {
        let slots = Buffer::new(Dtype::C128, self.plan.slots.len());
        for (number, buffer) in self.calls.buffers.iter().chain([&slots]).enumerate() {
            let given = self.device.allocate(buffer)?;
            if given != number {
                return Err(Why::Here("the device has been used before".into()));
            }
        }
        let (plan, calls) = (self.plan, self.calls);
        let states = self.ports("state", &calls.states)?;
        let slots = plan.slots.iter().enumerate().map(|(k, slot)| self.slot(k, slot));
        let slots = slots.collect::<Result<_, _>>()?;
        let blocks =
            calls.blocks.iter().map(|block| self.block(block)).collect::<Result<_, _>>()?;
        Ok(Parts { blocks, states, slots })
    }

    /// A buffer in which whole vectors lie: itself, or one instead of a buffer through which values
    /// only pass.
    pub(super) fn whole(&mut self, buffer: usize) -> Result<usize, Why> {
        if let Some(&whole) = self.whole.get(&buffer) {
            return Ok(whole);
        }
        let Some(Buffer { dtype, len, passing: true }) = self.calls.buffers.get(buffer) else {
            return Ok(buffer);
        };
        let whole = self.device.allocate(&Buffer::new(*dtype, *len))?;
        self.whole.insert(buffer, whole);
        Ok(whole)
    }

    pub(super) fn prepare(&mut self, label: String, work: Work) -> Result<Task, String> {
        let task = self.device.prepare(work).map_err(|why| format!("{label}: {why}"))?;
        self.labels.resize(task.0 + 1, String::new());
        self.labels[task.0] = label;
        Ok(task)
    }

    fn ports(&mut self, kind: &str, ports: &[Port]) -> Result<Vec<BoundPort>, Why> {
        ports.iter().map(|port| self.port(kind, port)).collect()
    }

    fn port(&mut self, kind: &str, port: &Port) -> Result<BoundPort, Why> {
        let slabs = vec![port.view.flat()];
        let load = Work::Unpack { slabs: slabs.clone(), add: false };
        let load = self.prepare(format!("loading {kind} {}", port.name), load)?;
        let read = self.prepare(format!("reading {kind} {}", port.name), Work::Pack { slabs })?;
        let (name, view) = (port.name.clone(), port.view.clone());
        Ok(BoundPort { name, view, primary: port.primary, load, read })
    }

    fn slot(&mut self, k: usize, slot: &Slot) -> Result<BoundSlot, Why> {
        let slab = self.all_slots().slab(&std::iter::once(k..k + 1).collect());
        let load = Work::Unpack { slabs: vec![slab], add: false };
        let load = self.prepare(format!("setting slot {}", slot.name), load)?;
        let complex = slot.dtype.is_complex();
        Ok(BoundSlot { name: slot.name.clone(), complex, is_set: false, load })
    }

    fn all_slots(&self) -> View {
        let n = self.plan.slots.len();
        let held = std::iter::once(0..n).collect();
        View { buffer: self.slots, offset: 0, dtype: Dtype::C128, dims: vec![n], held }
    }

    fn block(&mut self, block: &CallBlock) -> Result<BoundBlock, Why> {
        let mut bound = BoundBlock {
            name: block.name.clone(),
            inputs: self.ports("input", &block.inputs)?,
            outputs: self.ports("output", &block.outputs)?,
            steps: Vec::new(),
            sources: Vec::new(),
            transports: Vec::new(),
            controls: self.controls(&block.controls)?,
        };
        let mut open: Vec<(u32, usize)> = Vec::new();
        for (k, call) in block.calls.iter().enumerate() {
            match call {
                Call::Start { id, transfer } => {
                    let index = bound.transports.len();
                    bound.transports.push(self.transport(transfer)?);
                    if waits_next(&block.calls, k, *id) {
                        bound.steps.push(Step::Transfer(index));
                    } else {
                        open.push((*id, index));
                        bound.steps.push(Step::Start(index));
                    }
                }
                Call::Wait { id } => {
                    if let Some(at) = open.iter().position(|(known, _)| known == id) {
                        bound.steps.push(Step::Wait(open.remove(at).1));
                    } else if k == 0
                        || !matches!(&block.calls[k - 1], Call::Start { id: s, .. } if s == id)
                    {
                        return Err(Why::Here(format!("it waits for {id}, which was not started")));
                    }
                }
                Call::Kernel(_) | Call::Local { .. } | Call::Region { .. } | Call::Copy { .. } => {
                    let tasks = self.work(call)?;
                    bound.steps.extend(tasks.into_iter().map(Step::Launch));
                }
            }
            bound.sources.resize(bound.steps.len(), k);
        }
        if open.is_empty() {
            Ok(bound)
        } else {
            Err(Why::Here("it does not wait for all that it starts".into()))
        }
    }

    fn controls(&mut self, ports: &[Port]) -> Result<Controls, Why> {
        let (mut names, mut len) = (Vec::new(), 0);
        for Port { name, view, .. } in ports {
            if !view.dtype.is_double() {
                return Err(Why::Here(format!("the control {name} is {}", view.dtype)));
            }
            let reals = view.len() * view.dtype.size() / size_of::<f64>();
            names.push((name.clone(), len..len + reals));
            len += reals;
        }
        let slabs = ports.iter().map(|port| port.view.flat()).collect();
        let read = (!ports.is_empty())
            .then(|| self.prepare("reading control numbers".into(), Work::Pack { slabs }));
        Ok(Controls { read: read.transpose()?, names, values: vec![f64::NAN; len] })
    }

    /// The work of a call that does not communicate.
    pub(super) fn work(&mut self, call: &Call) -> Result<Vec<Task>, Why> {
        Ok(match call {
            Call::Kernel(kernel) => self.kernel(kernel)?,
            Call::Local { op, args, out } => vec![self.local(op, args, out)?],
            Call::Region { over: Over::Panels(leaf), calls } => {
                self.region(*leaf, calls, Sums::Kept)?
            }
            Call::Region { over: Over::Normal(leaf), calls } => {
                self.region(*leaf, calls, Sums::Free)?
            }
            Call::Region { over: Over::Elements, calls } => self.elements(calls)?,
            Call::Copy { clear, moves } => {
                let work = Work::Copy { clear: clear.clone(), moves: moves.clone() };
                vec![self.prepare("copying".into(), work)?]
            }
            Call::Start { .. } | Call::Wait { .. } => Vec::new(),
        })
    }

    /// The tile's application, or zeros where the rank holds nothing.
    fn kernel(&mut self, kernel: &Kernel) -> Result<Vec<Task>, Why> {
        let Some(tile) = self.tile(kernel)? else {
            return kernel.outputs.iter().map(|out| self.local(&Op::Zero, &[], out)).collect();
        };
        let (name, adjoint) = (&self.plan[kernel.leaf].name, kernel.adjoint);
        let label = format!("applying {name}{}", if adjoint { ".H" } else { "" });
        let (inputs, outputs) = (kernel.inputs.clone(), kernel.outputs.clone());
        Ok(vec![self.prepare(label, Work::Kernel { tile, adjoint, inputs, outputs })?])
    }

    /// The tile that an application needs, or none where the rank holds nothing.
    pub(super) fn tile(&mut self, kernel: &Kernel) -> Result<Option<SharedTile>, Why> {
        let application = Application {
            leaf: kernel.leaf.0 as usize,
            index: kernel.tile,
            adjoint: kernel.adjoint,
            factors: &self.calls.tiles[kernel.tile],
            inputs: &kernel.inputs.iter().collect::<Vec<_>>(),
            outputs: &kernel.outputs.iter().collect::<Vec<_>>(),
        };
        let tile = self.tiles.get(&application);
        Ok(tile.map_err(|why| format!("building {}: {why}", self.plan[kernel.leaf].name))?)
    }

    pub(super) fn node(&self, op: &Op, args: &[View], out: &View) -> Result<LocalNode, Why> {
        let slots = [self.all_slots()];
        let args = if matches!(op, Op::Slot(_)) { &slots } else { args };
        Ok(LocalNode::new(op, args, out, &self.functions)?)
    }

    fn local(&mut self, op: &Op, args: &[View], out: &View) -> Result<Task, Why> {
        let node = self.node(op, args, out)?;
        Ok(self.prepare(format!("computing {}", operation(self.plan, op)), Work::Local(node))?)
    }

    fn transport(&mut self, transfer: &Transfer) -> Result<Transport, Why> {
        let slabs = |packets: &[Packet]| packets.iter().flat_map(|p| p.slabs.clone()).collect();
        let pack = Work::Pack { slabs: slabs(&transfer.sends) };
        let unpack = Work::Unpack { slabs: slabs(&transfer.recvs), add: transfer.add };
        let pack = self.prepare(format!("packing transfer {}", transfer.tag), pack)?;
        let unpack = self.prepare(format!("unpacking transfer {}", transfer.tag), unpack)?;
        let operation = self.operation(transfer);
        let comm = &self.comms[transfer.group];
        let count = operation.send_count(comm.rank()) + operation.recv_count(comm.rank());
        self.staging += count * operation.elem().size();
        let call = comm.prepare(operation).map_err(|error| Why::Known(error.into()))?;
        Ok(Transport { call, pack, unpack })
    }

    /// A transfer as its communicator knows it; counts are in reals of one precision, in bytes where
    /// both are moved, and in whole packets where both are added.
    fn operation(&self, transfer: &Transfer) -> Operation {
        let elem = self.elem(transfer);
        let op = ReduceOp::Sum;
        let count = |packet: &Packet| {
            let Reals { double, single } = self.calls.reals(packet);
            (8 * double + 4 * single) / elem.size()
        };
        let counts = |packets: &[Packet]| packets.iter().map(count).collect();
        // Transfers start in one order everywhere, so that equal tags do not confuse them.
        let tag = transfer.tag % (LARGEST_TAG + 1);
        let message = |packet: &Packet| Message { peer: packet.peer, tag, count: count(packet) };
        let (sends, recvs) = (&transfer.sends, &transfer.recvs);
        match transfer.kind {
            Kind::AllReduce => {
                Operation::AllReduce { count: sends.iter().map(count).sum(), elem, op }
            }
            Kind::ReduceScatter => Operation::ReduceScatter { counts: counts(sends), elem, op },
            Kind::AllGather => Operation::AllGather { counts: counts(recvs), elem },
            Kind::AllToAll => {
                Operation::AllToAll { send: counts(sends), recv: counts(recvs), elem }
            }
            Kind::Exchange => Operation::Exchange {
                sends: sends.iter().map(message).collect(),
                recvs: recvs.iter().map(message).collect(),
                elem,
            },
        }
    }

    /// The element, on which all members of a group agree whatever they have.
    fn elem(&self, transfer: &Transfer) -> Elem {
        let packets = || transfer.sends.iter().chain(&transfer.recvs);
        let dtypes =
            || packets().flat_map(|p| &p.slabs).map(|s| self.calls.buffers[s.buffer].dtype);
        let (any_double, any_single) =
            (dtypes().any(Dtype::is_double), dtypes().any(|dtype| !dtype.is_double()));
        let first = packets().next().map_or_else(Reals::default, |p| self.calls.reals(p));
        match transfer.kind {
            Kind::AllReduce | Kind::ReduceScatter if first.are_mixed() => {
                Elem::Both { double: first.double, single: first.single }
            }
            Kind::AllReduce | Kind::ReduceScatter if first.single > 0 => Elem::F32,
            Kind::AllGather | Kind::AllToAll | Kind::Exchange if any_double && any_single => {
                Elem::U8
            }
            _ if any_double => Elem::F64,
            _ => Elem::F32,
        }
    }
}
