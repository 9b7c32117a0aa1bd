//! Collectives: each as a function that blocks, or returns at once if it is given a request.

use super::both::Both;
use super::check::{check, count};
use super::flight::Flight;
use super::{CommError, Counters, Handle, Operation, Prepared};
use crate::runtime::comm::{Elem, ReduceOp};
use mpi::ffi;
use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::Arc;

/// Elements that one call carries at most.
const LARGEST: usize = 1 << 30;

pub(super) struct Collective {
    flight: Flight,
    wire: Wire,
    call: Call,
    /// The type and the sum of what is neither bytes nor of one precision.
    _both: Option<Both>,
}

/// A part of an array that one call carries.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// In bytes.
    pub(super) offset: usize,
    /// In elements.
    pub(super) count: c_int,
}

enum Call {
    AllReduce(Vec<Piece>),
    Reduce(Vec<Piece>, c_int),
    Broadcast(Vec<Piece>, c_int),
    ReduceScatter(Vec<c_int>),
    AllGather(Parts),
    AllToAll(Parts, Parts),
}

/// Counts and displacements, as MPI takes them.
struct Parts {
    counts: Vec<c_int>,
    starts: Vec<c_int>,
}

/// What the calls have in common; the buffers belong to the flight.
#[derive(Clone, Copy)]
struct Wire {
    comm: ffi::MPI_Comm,
    rank: c_int,
    kind: ffi::MPI_Datatype,
    op: ffi::MPI_Op,
    in_place: *mut c_void,
    send: *mut c_void,
    recv: *mut c_void,
}

// SAFETY: the pointers are into the flight, which the collective owns and which may be sent.
unsafe impl Send for Collective {}

impl Collective {
    pub(super) fn new(
        handle: &Arc<Handle>,
        counters: Arc<Counters>,
        operation: &Operation,
    ) -> Result<Self, CommError> {
        let rank = handle.rank;
        let mut flight = Flight::new(handle.clone(), counters, operation, is_in_place(operation));
        if let Operation::AllGather { counts, elem } = operation {
            flight.pack_at(counts[..rank].iter().sum::<usize>() * elem.size());
        }
        let call = Call::new(operation)?;
        // SAFETY: a constant of the library.
        flight.set_requests(vec![unsafe { ffi::RSMPI_REQUEST_NULL }; call.requests()]);
        let both = match operation.elem() {
            Elem::Both { double, single } => Some(Both::new(&handle.job, double, single)?),
            Elem::F32 | Elem::F64 | Elem::U8 => None,
        };
        let op = operation.reduce_op().unwrap_or(ReduceOp::Sum);
        let wire = Wire {
            comm: handle.raw,
            rank: rank as c_int,
            kind: both.as_ref().map_or_else(|| datatype(operation.elem()), Both::kind),
            op: both.as_ref().map_or_else(|| reduce_op(op), Both::sum),
            in_place: handle.job.in_place(),
            send: flight.send().pointer().cast(),
            recv: flight.recv().pointer().cast(),
        };
        Ok(Collective { flight, wire, call, _both: both })
    }
}

impl Prepared for Collective {
    fn send(&mut self) -> &mut [u8] {
        self.flight.pack()
    }

    fn start(&mut self) -> Result<(), CommError> {
        self.flight.start(|requests| self.call.issue(&self.wire, Some(requests)))
    }

    fn wait(&mut self) -> Result<(), CommError> {
        self.flight.wait()
    }

    fn run(&mut self) -> Result<(), CommError> {
        self.flight.run(|| self.call.issue(&self.wire, None))
    }

    fn recv(&self) -> &[u8] {
        self.flight.result()
    }

    fn payload(&self) -> usize {
        self.flight.payload()
    }
}

/// Whether operand and result share their memory.
fn is_in_place(operation: &Operation) -> bool {
    match operation {
        Operation::AllReduce { .. }
        | Operation::Reduce { .. }
        | Operation::Broadcast { .. }
        | Operation::AllGather { .. } => true,
        Operation::ReduceScatter { .. }
        | Operation::AllToAll { .. }
        | Operation::Exchange { .. } => false,
    }
}

impl Call {
    fn new(operation: &Operation) -> Result<Call, CommError> {
        Ok(match operation {
            Operation::AllReduce { count, elem, .. } => Call::AllReduce(pieces(*count, *elem)),
            Operation::Reduce { count, elem, root, .. } => {
                Call::Reduce(pieces(*count, *elem), *root as c_int)
            }
            Operation::Broadcast { count, elem, root } => {
                Call::Broadcast(pieces(*count, *elem), *root as c_int)
            }
            Operation::ReduceScatter { counts, .. } => {
                Call::ReduceScatter(Parts::new(counts)?.counts)
            }
            Operation::AllGather { counts, .. } => Call::AllGather(Parts::new(counts)?),
            Operation::AllToAll { send, recv, .. } => {
                Call::AllToAll(Parts::new(send)?, Parts::new(recv)?)
            }
            Operation::Exchange { .. } => unreachable!("exchanges are prepared elsewhere"),
        })
    }

    fn requests(&self) -> usize {
        match self {
            Call::AllReduce(pieces) | Call::Reduce(pieces, _) | Call::Broadcast(pieces, _) => {
                pieces.len()
            }
            Call::ReduceScatter(_) | Call::AllGather(_) | Call::AllToAll(..) => 1,
        }
    }

    /// Blocks without requests, and activates them otherwise.
    fn issue(
        &self,
        wire: &Wire,
        requests: Option<&mut [ffi::MPI_Request]>,
    ) -> Result<(), CommError> {
        let mut requests = requests.map(|requests| requests.iter_mut());
        let mut next = || requests.as_mut().and_then(Iterator::next);
        match self {
            Call::AllReduce(pieces) => {
                pieces.iter().try_for_each(|piece| wire.all_reduce(piece, next()))
            }
            Call::Reduce(pieces, root) => {
                pieces.iter().try_for_each(|piece| wire.reduce(piece, *root, next()))
            }
            Call::Broadcast(pieces, root) => {
                pieces.iter().try_for_each(|piece| wire.broadcast(piece, *root, next()))
            }
            Call::ReduceScatter(counts) => wire.reduce_scatter(counts, next()),
            Call::AllGather(parts) => wire.all_gather(parts, next()),
            Call::AllToAll(send, recv) => wire.all_to_all(send, recv, next()),
        }
    }
}

type Request<'a> = Option<&'a mut ffi::MPI_Request>;

/// Section numbers are those of MPI 3.1.
impl Wire {
    /// 5.9.6 `MPI_Allreduce`
    fn all_reduce(&self, piece: &Piece, request: Request) -> Result<(), CommError> {
        let Wire { comm, kind, op, in_place, .. } = *self;
        let count = piece.count;
        // SAFETY: the piece lies in the flight's staging, which lives until the request is done.
        unsafe {
            let at = self.recv.byte_add(piece.offset);
            match request {
                None => {
                    check(ffi::MPI_Allreduce(in_place, at, count, kind, op, comm), "MPI_Allreduce")
                }
                Some(request) => check(
                    ffi::MPI_Iallreduce(in_place, at, count, kind, op, comm, request),
                    "MPI_Iallreduce",
                ),
            }
        }
    }

    /// 5.9.1 `MPI_Reduce`
    fn reduce(&self, piece: &Piece, root: c_int, request: Request) -> Result<(), CommError> {
        let Wire { comm, kind, op, .. } = *self;
        let count = piece.count;
        // SAFETY: the piece lies in the flight's staging, which lives until the request is done.
        unsafe {
            let at = self.send.byte_add(piece.offset);
            let (from, to) =
                if self.rank == root { (self.in_place, at) } else { (at, ptr::null_mut()) };
            match request {
                None => check(ffi::MPI_Reduce(from, to, count, kind, op, root, comm), "MPI_Reduce"),
                Some(request) => check(
                    ffi::MPI_Ireduce(from, to, count, kind, op, root, comm, request),
                    "MPI_Ireduce",
                ),
            }
        }
    }

    /// 5.4 `MPI_Bcast`
    fn broadcast(&self, piece: &Piece, root: c_int, request: Request) -> Result<(), CommError> {
        let Wire { comm, kind, .. } = *self;
        let count = piece.count;
        // SAFETY: the piece lies in the flight's staging, which lives until the request is done.
        unsafe {
            let at = self.recv.byte_add(piece.offset);
            match request {
                None => check(ffi::MPI_Bcast(at, count, kind, root, comm), "MPI_Bcast"),
                Some(request) => {
                    check(ffi::MPI_Ibcast(at, count, kind, root, comm, request), "MPI_Ibcast")
                }
            }
        }
    }

    /// 5.10.2 `MPI_Reduce_scatter`
    fn reduce_scatter(&self, counts: &[c_int], request: Request) -> Result<(), CommError> {
        let Wire { comm, kind, op, send, recv, .. } = *self;
        let counts = counts.as_ptr();
        // SAFETY: the flight's staging has the lengths that the counts say; both, and the counts,
        // live until the request is done.
        unsafe {
            match request {
                None => check(
                    ffi::MPI_Reduce_scatter(send, recv, counts, kind, op, comm),
                    "MPI_Reduce_scatter",
                ),
                Some(request) => check(
                    ffi::MPI_Ireduce_scatter(send, recv, counts, kind, op, comm, request),
                    "MPI_Ireduce_scatter",
                ),
            }
        }
    }

    /// 5.7 `MPI_Allgatherv`
    fn all_gather(&self, parts: &Parts, request: Request) -> Result<(), CommError> {
        let Wire { comm, kind, in_place, recv, .. } = *self;
        let (counts, starts) = (parts.counts.as_ptr(), parts.starts.as_ptr());
        // SAFETY: as for reduce_scatter; this rank's part is packed in its place.
        unsafe {
            match request {
                None => check(
                    ffi::MPI_Allgatherv(in_place, 0, kind, recv, counts, starts, kind, comm),
                    "MPI_Allgatherv",
                ),
                Some(request) => check(
                    ffi::MPI_Iallgatherv(
                        in_place, 0, kind, recv, counts, starts, kind, comm, request,
                    ),
                    "MPI_Iallgatherv",
                ),
            }
        }
    }

    /// 5.8 `MPI_Alltoallv`
    fn all_to_all(&self, out: &Parts, back: &Parts, request: Request) -> Result<(), CommError> {
        let Wire { comm, kind, send, recv, .. } = *self;
        let (outs, out_starts) = (out.counts.as_ptr(), out.starts.as_ptr());
        let (backs, back_starts) = (back.counts.as_ptr(), back.starts.as_ptr());
        // SAFETY: as for reduce_scatter.
        unsafe {
            match request {
                None => check(
                    ffi::MPI_Alltoallv(
                        send,
                        outs,
                        out_starts,
                        kind,
                        recv,
                        backs,
                        back_starts,
                        kind,
                        comm,
                    ),
                    "MPI_Alltoallv",
                ),
                Some(request) => check(
                    ffi::MPI_Ialltoallv(
                        send,
                        outs,
                        out_starts,
                        kind,
                        recv,
                        backs,
                        back_starts,
                        kind,
                        comm,
                        request,
                    ),
                    "MPI_Ialltoallv",
                ),
            }
        }
    }
}

impl Parts {
    fn new(counts: &[usize]) -> Result<Parts, CommError> {
        let mut end = 0;
        let mut starts = Vec::with_capacity(counts.len());
        for part in counts {
            starts.push(count(end)?);
            end += part;
        }
        count(end)?;
        let counts = counts.iter().map(|&part| count(part)).collect::<Result<_, _>>()?;
        Ok(Parts { counts, starts })
    }
}

/// Cuts an array into pieces that MPI can count; an empty array is one empty piece.
pub(super) fn pieces(count: usize, elem: Elem) -> Vec<Piece> {
    let piece = |start: usize| Piece {
        offset: start * elem.size(),
        count: (count - start).min(LARGEST) as c_int,
    };
    (0..count.max(1)).step_by(LARGEST).map(piece).collect()
}

pub(super) fn datatype(elem: Elem) -> ffi::MPI_Datatype {
    // SAFETY: constants of the library.
    unsafe {
        match elem {
            Elem::F32 => ffi::RSMPI_FLOAT,
            Elem::F64 => ffi::RSMPI_DOUBLE,
            Elem::U8 => ffi::RSMPI_UINT8_T,
            Elem::Both { .. } => {
                unreachable!("numbers of both precisions have a type of their own")
            }
        }
    }
}

fn reduce_op(op: ReduceOp) -> ffi::MPI_Op {
    // SAFETY: constants of the library.
    unsafe {
        match op {
            ReduceOp::Sum => ffi::RSMPI_SUM,
            ReduceOp::Max => ffi::RSMPI_MAX,
            ReduceOp::Min => ffi::RSMPI_MIN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_are_cut_into_pieces_that_mpi_can_count() {
        assert_eq!(pieces(0, Elem::F64), [Piece { offset: 0, count: 0 }]);
        assert_eq!(pieces(LARGEST, Elem::U8), [Piece { offset: 0, count: LARGEST as c_int }]);
        let two =
            [Piece { offset: 0, count: LARGEST as c_int }, Piece { offset: 8 * LARGEST, count: 3 }];
        assert_eq!(pieces(LARGEST + 3, Elem::F64), two);
    }

    #[test]
    fn totals_beyond_mpi_are_refused() {
        assert!(Parts::new(&[1 << 30, (1 << 30) - 1]).is_ok());
        assert!(Parts::new(&[1 << 30, 1 << 30]).is_err());
    }
}
