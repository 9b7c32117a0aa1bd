//! An exchange as persistent requests, built once and started together.

use super::check::{check, count};
use super::collective::{Piece, datatype, pieces};
use super::flight::Flight;
use super::{CommError, Counters, Handle, Operation, Prepared};
use crate::runtime::comm::operation::ranges;
use crate::runtime::comm::staging::Region;
use crate::runtime::comm::{Elem, Message};
use mpi::ffi;
use std::ffi::c_int;
use std::sync::Arc;

pub(super) struct Exchange {
    flight: Flight,
}

impl Exchange {
    pub(super) fn new(
        handle: &Arc<Handle>,
        counters: Arc<Counters>,
        operation: &Operation,
    ) -> Result<Self, CommError> {
        let Operation::Exchange { sends, recvs, elem } = operation else {
            unreachable!("collectives are prepared elsewhere");
        };
        let comm = handle.raw;
        let mut flight = Flight::new(handle.clone(), counters, operation, false);
        let mut requests = Vec::new();
        {
            let _entered = handle.job.enter()?;
            for (message, piece, at) in cut(recvs, *elem, flight.recv()) {
                requests.push(recv_request(comm, *elem, message, &piece, at)?);
            }
            for (message, piece, at) in cut(sends, *elem, flight.send()) {
                requests.push(send_request(comm, *elem, message, &piece, at)?);
            }
        }
        flight.set_requests(requests);
        Ok(Exchange { flight })
    }
}

impl Prepared for Exchange {
    fn send(&mut self) -> &mut [u8] {
        self.flight.pack()
    }

    fn start(&mut self) -> Result<(), CommError> {
        self.flight.start(|requests| {
            if requests.is_empty() {
                return Ok(());
            }
            let number = count(requests.len())?;
            // SAFETY: the requests are persistent and inactive, and their memory lives.
            check(unsafe { ffi::MPI_Startall(number, requests.as_mut_ptr()) }, "MPI_Startall")
        })
    }

    fn wait(&mut self) -> Result<(), CommError> {
        self.flight.wait()
    }

    fn recv(&self) -> &[u8] {
        self.flight.result()
    }

    fn payload(&self) -> usize {
        self.flight.payload()
    }
}

/// Each message in pieces that MPI can count, with the message's bytes.
fn cut(
    messages: &[Message],
    elem: Elem,
    packed: Region,
) -> impl Iterator<Item = (&Message, Piece, Region)> {
    let counts: Vec<_> = messages.iter().map(|message| message.count).collect();
    messages.iter().zip(ranges(&counts, elem.size())).flat_map(move |(message, range)| {
        let at = packed.part(range);
        pieces(message.count, elem).into_iter().map(move |piece| (message, piece, at))
    })
}

fn send_request(
    comm: ffi::MPI_Comm,
    elem: Elem,
    message: &Message,
    piece: &Piece,
    at: Region,
) -> Result<ffi::MPI_Request, CommError> {
    let (peer, tag) = (message.peer as c_int, message.tag as c_int);
    // SAFETY: the piece lies in the message, whose memory outlives the request.
    unsafe {
        let mut request = ffi::RSMPI_REQUEST_NULL;
        let start = at.pointer().add(piece.offset).cast();
        let (count, kind) = (piece.count, datatype(elem));
        let code = ffi::MPI_Send_init(start, count, kind, peer, tag, comm, &raw mut request);
        check(code, "MPI_Send_init")?;
        Ok(request)
    }
}

fn recv_request(
    comm: ffi::MPI_Comm,
    elem: Elem,
    message: &Message,
    piece: &Piece,
    at: Region,
) -> Result<ffi::MPI_Request, CommError> {
    let (peer, tag) = (message.peer as c_int, message.tag as c_int);
    // SAFETY: the piece lies in the message, whose memory outlives the request.
    unsafe {
        let mut request = ffi::RSMPI_REQUEST_NULL;
        let start = at.pointer().add(piece.offset).cast();
        let (count, kind) = (piece.count, datatype(elem));
        let code = ffi::MPI_Recv_init(start, count, kind, peer, tag, comm, &raw mut request);
        check(code, "MPI_Recv_init")?;
        Ok(request)
    }
}
