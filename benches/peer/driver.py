"""Runs the workloads of adjoin and of others in turn, on the same data, and prints a table.

Every side is a job that lives as long as its workload and waits for orders at a pipe, so that only
one of them runs at a time and set-up is done once.  ADJOIN_PEER_SIZE=small makes a quick trial.
"""

import argparse
import datetime
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from workloads import ALL

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
SIZE = os.environ.get("ADJOIN_PEER_SIZE", "full")
# A solver that has found its solution computes with numbers that processors are slow with.
MOST = 40


class Worker:
    """A job that does what it is asked for."""

    def __init__(self, label, ranks, command, folder, launcher=True, environment=()):
        self.label = label
        self.pipes = [folder / f"{label}.{rank}" for rank in range(ranks)]
        for pipe in self.pipes:
            pipe.unlink(missing_ok=True)
            os.mkfifo(pipe)
        before = ["mpiexec", "-n", str(ranks)] if launcher and ranks > 1 else []
        streams = {"stdout": subprocess.PIPE, "stdin": subprocess.DEVNULL, "env": dict(os.environ, **dict(environment))}
        self.job = subprocess.Popen(before + command, text=True, **streams)
        self.answer()
        self.ends = [open(pipe, "w") for pipe in self.pipes]

    def answer(self):
        for line in self.job.stdout:
            if line.startswith("= "):
                return json.loads(line[2:])
            sys.stderr.write(line)
        raise SystemExit(f"{self.label} ended with {self.job.wait()}")

    def ask(self, *words):
        for end in self.ends:
            print(*words, file=end, flush=True)
        return self.answer()

    def close(self):
        for end in self.ends:
            end.close()
        self.job.wait()
        for pipe in self.pipes:
            pipe.unlink(missing_ok=True)


def program():
    """Builds adjoin's side; the path of its program."""
    command = ["cargo", "build", "--release", "--features", "mpi", "--bench", "peer", "--message-format=json", "-q"]
    built = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    for line in built.stdout.splitlines():
        message = json.loads(line)
        if message.get("target", {}).get("name") == "peer" and message.get("executable"):
            return message["executable"]
    raise SystemExit("no program was built")


def prepared(name):
    """The workload, with its data and its problem file in a folder."""
    folder = ROOT / "target" / "peer" / SIZE / name
    workload = ALL[name](folder, SIZE == "small")
    if not (folder / "done").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for array, values in workload.arrays().items():
            np.save(folder / f"{array}.npy", np.ascontiguousarray(values))
        (folder / "done").touch()
    text = (HERE / "problems" / workload.problem).read_text()
    (folder / workload.problem).write_text(workload.text(text))
    return workload, folder


def start(side, ranks, workload, folder, built):
    if side == "adjoin":
        command = [built, str(folder / workload.problem), workload.expr, str(folder)]
    else:
        name = type(workload).__name__
        command = [sys.executable, str(HERE / "worker.py"), name, side, str(folder), SIZE]
    return Worker(side, ranks, command, folder)


def saved(worker, workload, folder):
    """The result after some iterations, as one flat array."""
    parts = worker.ask("save", workload.steps, folder / f"{worker.label}.result")["parts"]
    return np.concatenate([np.load(folder / f"{worker.label}.result.{k}.npy").ravel() for k in range(parts)])


def difference(a, b):
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def repetitions(worker, seconds):
    """How many iterations, and how often, to take so much time."""
    one = max(worker.ask("run", 3, 1)["seconds"], 1e-7)
    n = int(min(max(seconds / one, 2), MOST))
    return n, max(1, int(seconds / (n * one)))


def compare(workload, folder, built, ranks, sides, rounds, seconds):
    """Medians of adjoin and the other sides, and the floor."""
    workers = [start(side, ranks, workload, folder, built) for side in ["adjoin", *sides]]
    results = [saved(worker, workload, folder) for worker in workers]
    for worker, result in zip(workers[1:], results[1:]):
        wrong = difference(results[0], result)
        if not wrong < workload.tolerance:
            raise SystemExit(f"{type(workload).__name__}: adjoin and {worker.label} differ by {wrong:.1e}")
    counts = [repetitions(worker, seconds) for worker in workers]
    runs = [[] for _ in workers]
    floors = []
    for _ in range(rounds):
        for worker, count, mine in zip(workers, counts, runs):
            mine.append(worker.ask("run", *count))
        floors.append(floor(workload, workers[0]))
    for worker in workers:
        worker.close()
    return [middle(mine) for mine in runs], sorted(floors)[rounds // 2]


def scale(workload, folder, built, rounds, seconds):
    """Seconds of an iteration, and the floor, on one core and on two in each way."""
    ways = {"one": (1, False, 1), "mpi": (2, True, 1), "ranks": (2, False, 1), "threads": (1, False, 2)}
    command = [built, str(folder / workload.problem), workload.expr, str(folder)]
    workers = []
    for ranks, launcher, threads in ways.values():
        environment = {"ADJOIN_PEER_RANKS": str(ranks), "ADJOIN_PEER_THREADS": str(threads)}
        workers.append(Worker("adjoin", ranks, command, folder, launcher, environment))
    counts = [repetitions(worker, seconds) for worker in workers]
    runs = [[] for _ in workers]
    floors = [[] for _ in workers]
    for _ in range(rounds):
        for k, (worker, count) in enumerate(zip(workers, counts)):
            runs[k].append(worker.ask("run", *count)["seconds"])
            floors[k].append(floor(workload, worker))
    for worker in workers:
        worker.close()
    return [sorted(times)[rounds // 2] for times in runs], [sorted(times)[rounds // 2] for times in floors]


def scaling(names, built, rounds, seconds):
    """A table of how much faster two cores are than one."""
    head = ["", "1 core", "2 MPI ranks", "ratio", "2 ranks on threads", "ratio", "1 rank of 2 threads", "ratio"]
    rows = [head + ["floor, 1 core", "ratio of floors"]]
    rows.append(["---"] * len(rows[0]))
    for name in names:
        workload, folder = prepared(name)
        (one, *two), (least, *less) = scale(workload, folder, built, rounds, seconds)
        row = [name, time(one)] + [cell for t in two for cell in (time(t), f"{one / t:.2f}")]
        rows.append(row + [time(least), f"{least / min(less):.2f}"])
        print(" | ".join(rows[-1]), file=sys.stderr, flush=True)
    return rows


def middle(runs):
    return sorted(runs, key=lambda run: run["seconds"])[len(runs) // 2]


def floor(workload, worker):
    """Seconds that an iteration cannot go below: of memory, or of arithmetic."""
    least = workload.floor()
    memory = worker.ask("memory", int(workload.working_set()))
    times = [float(least[kind]) / memory[kind] for kind in ["read", "update"] if kind in least]
    for kind in ["f32", "f64"]:
        if kind in least:
            times.append(float(least[kind]) / worker.ask("flops", kind)["flops"])
    return max(times)


def time(seconds):
    for unit, scale in [("s", 1), ("ms", 1e3), ("µs", 1e6)]:
        if seconds * scale >= 1:
            break
    return f"{seconds * scale:.3g} {unit}"


def size(count):
    for unit, scale in [("MB", 1e6), ("kB", 1e3), ("B", 1)]:
        if count >= scale:
            break
    return f"{count / scale:.3g} {unit}"


def traffic(run):
    return f"{run['calls']:.3g}, {size(run['bytes'])}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workloads", nargs="*", metavar="W", help=f"of {' '.join(ALL)}; all if none")
    parser.add_argument("--serial", action="store_true", help="one rank beside PyLops and NumPy instead")
    parser.add_argument("--scaling", action="store_true", help="one core beside two instead")
    parser.add_argument("--rounds", type=int, default=7, help="alternations")
    parser.add_argument("--seconds", type=float, default=0.3, help="of each measurement")
    parser.add_argument("--markdown", type=Path, help="a file that the table is added to")
    args = parser.parse_args()
    known = {name.lower(): name for name in ALL}
    names = [known.get(name.lower(), name) for name in args.workloads] or list(ALL)
    built = program()
    if args.serial:
        head = ["", "one rank", "adjoin", "PyLops", "ratio", "NumPy", "ratio", "floor", "of the floor"]
        ranks, sides = 1, ["serial", "numpy"]
    else:
        head = ["", "2 ranks", "adjoin", "PyLops-MPI", "ratio", "goal", "floor", "of the floor"]
        head += ["adjoin: calls, bytes", "PyLops-MPI: calls, bytes"]
        ranks, sides = 2, ["parallel"]
    rows = [head, ["---"] * len(head)]
    if args.scaling:
        rows, names = scaling(names, built, args.rounds, args.seconds), []
    for name in names:
        workload, folder = prepared(name)
        runs, least = compare(workload, folder, built, ranks, sides, args.rounds, args.seconds)
        ours, *others = runs
        ratios = [f"{other['seconds'] / ours['seconds']:.3g}" for other in others]
        row = [name, workload.title, time(ours["seconds"])]
        if args.serial:
            row += [cell for other, ratio in zip(others, ratios) for cell in (time(other["seconds"]), ratio)]
        else:
            row += [time(others[0]["seconds"]), ratios[0], str(workload.goal or "")]
        row += [time(least), f"{100 * least / ours['seconds']:.0f} %"]
        if not args.serial:
            row += [traffic(ours), traffic(others[0])]
        rows.append(row)
        print(" | ".join(row), file=sys.stderr, flush=True)
    table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    print(table)
    if args.markdown:
        with open(args.markdown, "a") as file:
            print(f"\n{datetime.date.today()}\n\n{table}", file=file)


if not shutil.which("mpiexec"):
    raise SystemExit("there is no mpiexec")
main()
