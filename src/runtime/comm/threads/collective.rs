//! A collective as one rank runs it on the board: pack, arrive, combine, hand out.

use super::super::operation::ranges;
use super::super::stage::Stage;
use super::super::staging::{LINE, Region, Staging};
use super::board::Board;
use super::reduce::reduce;
use super::{CommError, Counters, Operation, Prepared};
use crate::runtime::comm::{Elem, ReduceOp};
use std::ops::Range;
use std::sync::Arc;

/// Up to so many bytes each rank combines everything itself, which saves a phase.
const SMALL: usize = 16 * 1024;

pub(super) struct Collective {
    board: Arc<Board>,
    rank: usize,
    round: u64,
    stage: Stage,
    work: Work,
    /// Where the result lies after even and odd rounds.
    result: [Region; 2],
    /// This rank's own result, if it has one.
    _own: Staging,
    /// Lent instead of the board's memory after a failure.
    scrap: Option<Staging>,
    counters: Arc<Counters>,
    reduction: bool,
    payload: usize,
}

/// What a rank does when all ranks are packed.
enum Work {
    /// Nothing: the result is read where it was packed.
    Nothing,
    /// Combines a byte range.
    Reduce { kind: (Elem, ReduceOp), range: Range<usize>, into: Region },
    /// Combines its share, and waits for the others' if it gets the result.
    Share { kind: (Elem, ReduceOp), range: Range<usize>, into: Region, gets: bool },
    /// Copies a part of each rank.
    Copy(Vec<Piece>),
}

struct Piece {
    peer: usize,
    from: Range<usize>,
    into: Region,
}

/// Whether the ranks share the work of a reduction and assemble its result together.
pub(super) fn is_shared(operation: &Operation, size: usize) -> bool {
    match *operation {
        Operation::AllReduce { count, elem, .. } | Operation::Reduce { count, elem, .. } => {
            size > 1 && count * elem.size() > SMALL
        }
        Operation::Broadcast { .. }
        | Operation::ReduceScatter { .. }
        | Operation::AllGather { .. }
        | Operation::AllToAll { .. }
        | Operation::Exchange { .. } => false,
    }
}

impl Collective {
    /// One rank's side of an operation that was checked and that has this board.
    pub(super) fn new(
        board: Arc<Board>,
        rank: usize,
        counters: Arc<Counters>,
        operation: &Operation,
    ) -> Self {
        let own = Staging::new(own_len(operation, rank, board.size()));
        let (work, result) = plan(&board, rank, own.region(), operation);
        Collective {
            rank,
            round: 0,
            stage: Stage::Idle,
            work,
            result,
            _own: own,
            scrap: None,
            counters,
            reduction: operation.reduce_op().is_some(),
            payload: operation.payload(rank),
            board,
        }
    }

    /// Waits for the phases of this round and does this rank's work.
    fn finish(&self) -> Result<(), CommError> {
        let board = &*self.board;
        let arrivals = self.round * board.size() as u64;
        board.packed.wait(&board.world, arrivals)?;
        let parity = (self.round % 2) as usize;
        match &self.work {
            Work::Nothing => {}
            Work::Reduce { kind, range, into } => self.reduce(*kind, range, *into),
            Work::Share { kind, range, into, gets } => {
                self.reduce(*kind, range, *into);
                board.written.arrive(board.size());
                if *gets {
                    board.written.wait(&board.world, arrivals)?;
                }
            }
            Work::Copy(pieces) => {
                for Piece { peer, from, into } in pieces {
                    let from = board.sends[*peer][parity].part(from.clone());
                    // SAFETY: the peer has packed this round and packs the same buffer again only
                    // after this rank has started the next; `into` is a part of this rank's result.
                    unsafe { into.bytes_mut().copy_from_slice(from.bytes()) }
                }
            }
        }
        Ok(())
    }

    fn reduce(&self, kind: (Elem, ReduceOp), range: &Range<usize>, into: Region) {
        let parity = (self.round % 2) as usize;
        let sources = self.board.sends.iter().map(|sends| sends[parity]);
        // SAFETY: all ranks have packed this round and pack the same buffers again only after this
        // rank has started the next; `into` is written by this rank only, and read by others from
        // the second phase of this round until they start the next.
        unsafe { reduce(kind, &sources, range.clone(), into) }
    }
}

impl Prepared for Collective {
    fn send(&mut self) -> &mut [u8] {
        assert!(self.stage != Stage::Started, "an operation in flight cannot be packed");
        let packed = self.board.sends[self.rank][((self.round + 1) % 2) as usize];
        let region = match self.stage {
            Stage::Idle | Stage::Started => packed,
            Stage::Failed => self.scrap.get_or_insert_with(|| Staging::new(packed.len())).region(),
        };
        // SAFETY: in Idle this rank has seen all ranks start the last round, so that nobody reads
        // what was packed for the one before; the scrap is this rank's own.
        unsafe { region.bytes_mut() }
    }

    fn start(&mut self) -> Result<(), CommError> {
        self.stage.start()?;
        if let Err(error) = self.board.world.check() {
            self.stage = Stage::Failed;
            return Err(error);
        }
        self.round += 1;
        self.stage = Stage::Started;
        self.counters.count(self.reduction, self.payload);
        self.board.packed.arrive(self.board.size());
        Ok(())
    }

    fn wait(&mut self) -> Result<(), CommError> {
        self.stage.wait()?;
        self.stage = Stage::Failed;
        self.finish()?;
        self.stage = Stage::Idle;
        Ok(())
    }

    fn recv(&self) -> &[u8] {
        assert!(self.stage == Stage::Idle, "only a successful wait has a result");
        // SAFETY: the result is written again only after this rank has started the next round.
        unsafe { self.result[(self.round % 2) as usize].bytes() }
    }

    fn payload(&self) -> usize {
        self.payload
    }
}

/// Bytes of the result that a rank keeps for itself.
fn own_len(operation: &Operation, rank: usize, size: usize) -> usize {
    match operation {
        Operation::AllReduce { .. } | Operation::Reduce { .. } if is_shared(operation, size) => 0,
        Operation::Broadcast { .. } | Operation::AllGather { .. } => 0,
        Operation::AllReduce { .. }
        | Operation::Reduce { .. }
        | Operation::ReduceScatter { .. }
        | Operation::AllToAll { .. }
        | Operation::Exchange { .. } => operation.recv_count(rank) * operation.elem().size(),
    }
}

fn plan(board: &Board, rank: usize, own: Region, operation: &Operation) -> (Work, [Region; 2]) {
    let elem = operation.elem();
    match operation {
        Operation::AllReduce { op, .. } if is_shared(operation, board.size()) => {
            (share(board, rank, (elem, *op), true), board.shared)
        }
        Operation::Reduce { op, root, .. } if is_shared(operation, board.size()) => {
            let gets = rank == *root;
            let result = if gets { board.shared } else { [Region::EMPTY; 2] };
            (share(board, rank, (elem, *op), gets), result)
        }
        Operation::AllReduce { op, .. } | Operation::Reduce { op, .. } => {
            (Work::Reduce { kind: (elem, *op), range: 0..own.len(), into: own }, [own; 2])
        }
        Operation::ReduceScatter { counts, op, .. } => {
            let range = ranges(counts, elem.size()).swap_remove(rank);
            (Work::Reduce { kind: (elem, *op), range, into: own }, [own; 2])
        }
        Operation::Broadcast { root, .. } => (Work::Nothing, board.sends[*root]),
        Operation::AllGather { .. } => (Work::Nothing, board.shared),
        Operation::AllToAll { recv, .. } => {
            (Work::Copy(pieces(board, rank, own, &ranges(recv, elem.size()))), [own; 2])
        }
        Operation::Exchange { .. } => unreachable!("an exchange has no board"),
    }
}

/// The lines of the result that fall to this rank.
fn share(board: &Board, rank: usize, kind: (Elem, ReduceOp), gets: bool) -> Work {
    let len = board.shared[0].len();
    let bound = |rank: usize| (len.div_ceil(LINE) * rank / board.size() * LINE).min(len);
    let range = bound(rank)..bound(rank + 1);
    Work::Share { kind, into: board.shared[0].part(range.clone()), range, gets }
}

fn pieces(board: &Board, rank: usize, own: Region, recv: &[Range<usize>]) -> Vec<Piece> {
    let piece = |(peer, into): (usize, &Range<usize>)| Piece {
        peer,
        from: board.parts[peer][rank].clone(),
        into: own.part(into.clone()),
    };
    recv.iter().enumerate().map(piece).collect()
}
