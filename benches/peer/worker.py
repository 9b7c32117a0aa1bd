"""The side of PyLops-MPI, PyLops or NumPy: waits for orders and does one at a time, as benches/peer.rs does.

    worker.py WORKLOAD parallel|serial|numpy FOLDER small|full
"""

import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np

warnings.filterwarnings("ignore")


class Alone:
    """The communicator of a single process."""

    rank, size = 0, 1

    def Barrier(self):
        pass


def main():
    name, side, folder, scale = sys.argv[1:]
    folder = Path(folder)
    counting, comm = None, Alone()
    if side == "parallel":
        import counting

        counting.install()
        counting.count_transposes()
        comm = counting.MPI.COMM_WORLD
    from workloads import ALL

    workload = ALL[name](folder, scale == "small")
    work = workload.parallel(comm) if side == "parallel" else getattr(workload, side)()
    work.start()
    work.run(1)
    answer(comm, {"ready": True})
    for order in open(folder / f"{side}.{comm.rank}"):
        match order.split():
            case ["run", n, times]:
                answer(comm, median([timed(work, comm, counting, int(n)) for _ in range(int(times))]))
            case ["save", n, file]:
                work.start()
                work.run(int(n))
                save(work.result(), comm, file)
                answer(comm, {"parts": 1})


def answer(comm, reply):
    if comm.rank == 0:
        print("=", json.dumps(reply), flush=True)


def median(runs):
    return sorted(runs, key=lambda run: run["seconds"])[len(runs) // 2]


def timed(work, comm, counting, n):
    work.start()
    before = (counting.calls, counting.nbytes) if counting else (0, 0)
    comm.Barrier()
    begin = time.perf_counter()
    done = work.run(n)
    comm.Barrier()
    seconds = (time.perf_counter() - begin) / done
    after = (counting.calls, counting.nbytes) if counting else (0, 0)
    return {
        "seconds": seconds,
        "calls": (after[0] - before[0]) / done,
        "bytes": (after[1] - before[1]) / done,
        "done": done,
    }


def save(result, comm, file):
    """The whole result as one flat array."""
    whole = result if isinstance(result, np.ndarray) else result.asarray()
    if comm.rank == 0:
        np.save(f"{file}.0.npy", np.asarray(whole).ravel())


main()
