"""An MPI communicator that counts calls and bytes, put in the place of COMM_WORLD.

Bytes are the larger of what a call sends and receives, as adjoin counts; pickled objects count with
the length of their pickle.
"""

import pickle

import numpy as np
from mpi4py import MPI

calls = 0
nbytes = 0

PICKLED = ["allgather", "allreduce", "alltoall", "bcast", "gather", "reduce", "scatter", "send", "sendrecv"]
BUFFERED = [
    "Allgather", "Allgatherv", "Allreduce", "Alltoall", "Alltoallv", "Bcast", "Recv", "Reduce",
    "Reduce_scatter", "Send", "Sendrecv",
]


def add(size):
    global calls, nbytes
    calls += 1
    nbytes += size


def array_bytes(value):
    """The bytes of a buffer as mpi4py takes it: an array, or a list that begins with one."""
    if isinstance(value, (list, tuple)):
        value = value[0] if value else None
    return value.nbytes if isinstance(value, np.ndarray) else 0


class Counting(MPI.Intracomm):
    """A communicator that counts."""


def buffered(name):
    inner = getattr(MPI.Intracomm, name)

    def call(self, *args, **kwargs):
        add(max(map(array_bytes, [*args, *kwargs.values()]), default=0))
        return inner(self, *args, **kwargs)

    return call


def pickled(name):
    inner = getattr(MPI.Intracomm, name)

    def call(self, *args, **kwargs):
        add(len(pickle.dumps(args[0])) if args else 0)
        return inner(self, *args, **kwargs)

    return call


for name in BUFFERED:
    setattr(Counting, name, buffered(name))
for name in PICKLED:
    setattr(Counting, name, pickled(name))


def install():
    """From here on COMM_WORLD counts; before PyLops-MPI is imported."""
    MPI.COMM_WORLD = Counting(MPI.COMM_WORLD)


def count_transposes():
    """The exchanges of mpi4py-fft, which go by communicators of its own."""
    from mpi4py_fft import pencil

    def counted(method):
        def call(self, a, b):
            add(max(a.nbytes, b.nbytes))
            return method(self, a, b)

        return call

    pencil.Transfer.forward = counted(pencil.Transfer.forward)
    pencil.Transfer.backward = counted(pencil.Transfer.backward)
