"""The workloads: their data, and how PyLops-MPI, PyLops and NumPy compute them.

Each is a class with

    problem, expr      the file in problems/ and what is evaluated of it, or "-" for its [solve]
    arrays()           the inputs, written once as .npy
    parallel(comm)     what PyLops-MPI runs on a rank
    serial(), numpy()  what PyLops runs, and what one would write with NumPy
    floor()            what an iteration cannot do without: bytes that are read, or updated (two reads
                       and a write), and multiplications and additions of a type
    working_set()      the bytes that an iteration touches

`full` are the sizes of the problem file, `small` those of a quick trial.
"""

import numpy as np

from solvers import Apply, ClassCgls, ClassLsqr, NumpyCgls, NumpyLsqr


class Workload:
    expr = "-"
    tolerance = 1e-4
    steps = 10

    def __init__(self, folder, small):
        self.folder = folder
        self.sizes = self.small if small else self.full

    def text(self, source):
        """The problem file, with the sizes of this run."""
        for full, now in zip(self.full, self.sizes):
            if full != now:
                written = (str(list(size)) if isinstance(size, tuple) else f"= {size}" for size in (full, now))
                source = source.replace(*written)
        return source

    def load(self, name):
        return np.load(self.folder / f"{name}.npy")

    def rows(self, name, comm):
        """This rank's rows of an array, and no others."""
        whole = np.load(self.folder / f"{name}.npy", mmap_mode="r")
        n, (rank, size) = len(whole), (comm.rank, comm.size)
        first = [r * (n // size) + min(r, n % size) for r in range(size + 1)]
        return np.array(whole[first[rank] : first[rank + 1]])


def normal(seed, dims, dtype=np.float32):
    rng = np.random.default_rng(seed)
    if np.issubdtype(dtype, np.complexfloating):
        return normal(seed, (*dims, 2), np.zeros(0, dtype).real.dtype).view(dtype)[..., 0]
    return rng.standard_normal(dims, dtype=dtype)


def ricker(n, dt, f0):
    t = np.arange(-n, n + 1) * dt
    a = (np.pi * f0 * t) ** 2
    return ((1 - 2 * a) * np.exp(-a)).astype(np.float32)


def scattered(x, dtype=None, split=None):
    """A distributed vector with this rank's elements."""
    from pylops_mpi import DistributedArray

    comm = split
    n = comm.allreduce(x.size)
    y = DistributedArray(global_shape=n, base_comm=comm, dtype=dtype or x.dtype, local_shapes=comm.allgather((x.size,)))
    y[:] = x
    return y


def replicated(x, comm):
    from pylops_mpi import DistributedArray, Partition

    y = DistributedArray(global_shape=x.size, base_comm=comm, partition=Partition.BROADCAST, dtype=x.dtype)
    y[:] = x
    return y


class W1(Workload):
    title = "post-stack + 10 Laplacian, CGLS"
    problem = "w1.toml"
    full = [(64, 64, 256), (64, 64), 256]
    small = [(16, 16, 64), (16, 16), 64]
    goal = 20

    def arrays(self):
        dims = self.sizes[0]
        m = normal(1, dims).cumsum(axis=2).astype(np.float32)
        return {"wav": ricker(20, 0.004, 15.0), "d": self.matrix(ricker(20, 0.004, 15.0), m)}

    def dense(self, wav, n):
        derivative = np.zeros((n, n), np.float32)
        inner = np.arange(1, n - 1)
        derivative[inner, inner + 1], derivative[inner, inner - 1] = 0.5, -0.5
        convolution = sum(h * np.eye(n, k=-k, dtype=np.float32) for k, h in enumerate(wav, -(len(wav) // 2)))
        return (convolution @ derivative).astype(np.float32)

    def matrix(self, wav, m):
        return m @ self.dense(wav, m.shape[-1]).T

    def parallel(self, comm):
        import pylops
        import pylops_mpi
        from pylops_mpi.optimization.cls_basic import CGLS

        dims = self.sizes[0]
        d, wav = self.rows("d", comm), self.load("wav")
        local = d.shape
        block = pylops_mpi.MPIBlockDiag([self.modelling(pylops, wav, local)])
        laplacian = pylops_mpi.MPILaplacian(dims=dims, axes=(0, 1, 2), weights=(1, 1, 1), sampling=(1, 1, 1), dtype=np.float32)
        op = pylops_mpi.MPIStackedVStack([block, 10 * laplacian])
        first = scattered(d.ravel(), split=comm)
        second = scattered(0 * d.ravel(), split=comm)
        data = pylops_mpi.StackedDistributedArray([first, second])
        return ClassCgls(CGLS, op, data, scattered(0 * d.ravel(), split=comm))

    def modelling(self, pylops, wav, dims):
        top = pylops.Transpose(dims, axes=(2, 0, 1), dtype=np.float32)
        model = pylops.avo.poststack.PoststackLinearModelling(wav, nt0=dims[2], spatdims=dims[:2])
        return top.H @ model @ top

    def serial(self):
        import pylops
        from pylops.optimization.cls_basic import CGLS

        d, wav = self.load("d"), self.load("wav")
        laplacian = pylops.Laplacian(d.shape, axes=(0, 1, 2), weights=(1, 1, 1), sampling=(1, 1, 1), dtype=np.float32)
        op = pylops.VStack([self.modelling(pylops, wav, d.shape), 10 * laplacian])
        data = np.concatenate([d.ravel(), 0 * d.ravel()])
        return ClassCgls(CGLS, op, data, np.zeros(d.size, np.float32))

    def numpy(self):
        d, wav = self.load("d"), self.load("wav")
        w = self.dense(wav, d.shape[-1])

        def laplacian(x, adjoint):
            y = np.zeros_like(x)
            for axis in range(3):
                a, b = np.moveaxis(x, axis, 0), np.moveaxis(y, axis, 0)
                if adjoint:
                    a = a[1:-1]
                    b[:-2] += a
                    b[2:] += a
                    b[1:-1] -= 2 * a
                else:
                    b[1:-1] += a[:-2] + a[2:] - 2 * a[1:-1]
            return 10 * y

        def forward(x):
            return np.stack([x @ w.T, laplacian(x, False)])

        def adjoint(y):
            return y[0] @ w + laplacian(y[1], True)

        return NumpyCgls(forward, adjoint, np.stack([d, np.zeros_like(d)]))

    def floor(self):
        # x c s q of both parts and r, read or written as an update of each needs, and 41 taps twice.
        n = np.prod(self.sizes[0])
        return {"update": 4 * n * (2 + 2 * 4 + 2 + 3), "f32": n * 2 * 2 * 41}

    def working_set(self):
        return 4 * np.prod(self.sizes[0]) * 7


class W2(Workload):
    title = "MDD, CGLS"
    problem = "w2.toml"
    full = [799, (200, 201, 121)]
    small = [99, (24, 21, 13)]
    goal = 10

    def arrays(self):
        nt, (nf, ns, nr) = self.sizes
        g = normal(1, (nf, ns, nr), np.complex64) / np.float32(np.sqrt(ns))
        return {"G": g, "d": normal(2, (nt, ns, 1))}

    def scale(self, nt):
        return 0.002 * np.sqrt(nt)

    def parallel(self, comm):
        import pylops_mpi
        from pylops_mpi.optimization.cls_basic import CGLS

        nt, (nf, ns, nr) = self.sizes
        op = pylops_mpi.waveeqprocessing.MPIMDC(
            self.rows("G", comm), nt=nt, nv=1, nfreq=nf, dt=0.002, dr=1.0, twosided=True, fftengine="scipy"
        )
        d = replicated(self.load("d").ravel(), comm)
        return ClassCgls(CGLS, op, d, replicated(np.zeros(nt * nr, np.float32), comm))

    def serial(self):
        import pylops
        from pylops.optimization.cls_basic import CGLS

        nt, (_, _, nr) = self.sizes
        op = pylops.waveeqprocessing.MDC(
            self.load("G"), nt=nt, nv=1, dt=0.002, dr=1.0, twosided=True, fftengine="scipy", usematmul=True
        )
        return ClassCgls(CGLS, op, self.load("d").ravel(), np.zeros(nt * nr, np.float32))

    def numpy(self):
        import scipy.fft

        nt, (nf, _, _) = self.sizes
        g = self.load("G") * np.float32(self.scale(nt))
        gh = np.ascontiguousarray(g.conj().transpose(0, 2, 1))

        def through(x, g, before, after):
            spectrum = scipy.fft.rfft(np.fft.ifftshift(x, axes=0) if before else x, axis=0)
            image = np.zeros((nt // 2 + 1, g.shape[1], 1), np.complex64)
            # Real parts of the zero frequency are all that a real transform has.
            np.matmul(g, spectrum[:nf], out=image[:nf])
            y = scipy.fft.irfft(image, n=nt, axis=0)
            return np.fft.fftshift(y, axes=0) if after else y

        return NumpyCgls(
            lambda x: through(x, g, True, False), lambda y: through(y, gh, False, True), self.load("d")
        )

    def floor(self):
        # G once, in one pass over the frequencies; four transforms of real numbers.
        nt, (nf, ns, nr) = self.sizes
        transforms = 2 * 2.5 * nt * np.log2(nt) * (ns + nr)
        return {"read": 8 * nf * ns * nr, "f32": transforms + 2 * 8 * nf * ns * nr}

    def working_set(self):
        return 8 * np.prod(self.sizes[1])


class W2r(W2):
    title = "MDD, CGLS by recurrence"
    problem = "w2r.toml"
    goal = 20


class W3(Workload):
    title = "Kirchhoff LSM, CGLS"
    problem = "w3.toml"
    full = small = []
    goal = 5
    tolerance = 1e-8

    def arrays(self):
        x, z, t = np.arange(81) * 4.0, np.arange(60) * 4.0, np.arange(651) * 0.004
        srcs = np.stack([np.linspace(4 * 10, 4 * 71, 20), np.full(20, 20.0)])
        recs = np.stack([np.linspace(40, 280, 11), np.full(11, 20.0)])
        wav = ricker(40, 0.004, 20.0).astype(np.float64)
        arrays = {"x": x, "z": z, "t": t, "srcs": srcs, "recs": recs, "wav": wav}
        for name, values in arrays.items():
            np.save(self.folder / f"{name}.npy", values)
        m = np.zeros((81, 60))
        m[:, 30], m[:, 45] = 2.0, 1.0
        return {**arrays, "d": self.operator(slice(None)).matvec(m.ravel()).reshape(20, 11, 651)}

    def operator(self, sources):
        import pylops

        z, x, t, recs, wav = map(self.load, ["z", "x", "t", "recs", "wav"])
        srcs = np.ascontiguousarray(self.load("srcs")[:, sources])
        return pylops.waveeqprocessing.Kirchhoff(
            z, x, t, srcs, recs, 1000.0, wav, len(wav) // 2, mode="analytic", engine="numba"
        )

    def parallel(self, comm):
        import pylops_mpi
        from pylops_mpi.optimization.cls_basic import CGLS

        d = self.rows("d", comm)
        first = sum(comm.allgather(len(d))[: comm.rank])
        op = pylops_mpi.MPIVStack([self.operator(slice(first, first + len(d)))])
        return ClassCgls(CGLS, op, scattered(d.ravel(), split=comm), replicated(np.zeros(op.shape[1]), comm))

    def serial(self):
        from pylops.optimization.cls_basic import CGLS

        op = self.operator(slice(None))
        return ClassCgls(CGLS, op, self.load("d").ravel(), np.zeros(op.shape[1]))

    def numpy(self):
        """With the matrix of the traces before the wavelet, in rows as SciPy has it."""
        import scipy.signal
        import scipy.sparse

        z, x, t, srcs, recs, wav = map(self.load, ["z", "x", "t", "srcs", "recs", "wav"])
        places, depths = np.meshgrid(x, z, indexing="ij")
        times = [np.hypot(places.ravel() - a, depths.ravel() - b) / 1000.0 for who in (srcs, recs) for a, b in who.T]
        pairs = [s + r for s in times[: srcs.shape[1]] for r in times[srcs.shape[1] :]]
        samples = np.array(pairs) / (t[1] - t[0])
        at = samples.astype(int)
        part, trace, point = samples - at, *np.indices(samples.shape)
        kept = at < len(t) - 1
        rows, columns = (trace * len(t) + at)[kept], point[kept]
        values = np.concatenate([(1 - part)[kept], part[kept]])
        shape = (len(pairs) * len(t), x.size * z.size)
        places = (np.concatenate([rows, rows + 1]), np.concatenate([columns, columns]))
        matrix = scipy.sparse.csr_matrix((values, places), shape=shape)
        transposed = matrix.T.tocsr()

        def convolved(d, wav):
            d = d.reshape(-1, len(t))
            return scipy.signal.oaconvolve(d, wav[None], mode="same", axes=-1).ravel()

        return NumpyCgls(
            lambda m: convolved(matrix @ m, wav),
            lambda d: transposed @ convolved(d, wav[::-1]),
            self.load("d").ravel(),
        )

    def floor(self):
        # Times of each source and each receiver, 81 taps, and three operations a point of a trace,
        # both ways.
        points, traces = 81 * 60, 20 * 11
        return {"read": 2 * 8 * points * 31, "f64": 2 * (traces * 651 * 81 * 2 + traces * points * 3)}

    def working_set(self):
        return 8 * 81 * 60 * 31 + 8 * 20 * 11 * 651 * 3


class W4(Workload):
    title = "Gradient GᴴG"
    problem, expr = "w4.toml", "G.H @ (G @ x)"
    full = [(128, 128, 128)]
    small = [(32, 32, 32)]
    goal = 25
    steps = 1

    def arrays(self):
        return {"x": normal(1, self.sizes[0])}

    def parallel(self, comm):
        import pylops_mpi

        op = pylops_mpi.MPIGradient(self.sizes[0], dtype=np.float32)
        return Apply(lambda x: op.rmatvec(op.matvec(x)), scattered(self.rows("x", comm).ravel(), split=comm))

    def serial(self):
        import pylops

        op = pylops.Gradient(self.sizes[0], dtype=np.float32)
        return Apply(lambda x: op.rmatvec(op.matvec(x)), self.load("x").ravel())

    def numpy(self):
        def work(x):
            y = np.zeros_like(x)
            for axis in range(3):
                a, b = np.moveaxis(x, axis, 0), np.moveaxis(y, axis, 0)
                g = np.float32(0.25) * (a[2:] - a[:-2])
                b[2:] += g
                b[:-2] -= g
            return y

        return Apply(work, self.load("x"))

    def floor(self):
        # x is read and y is written, which reads it first.
        return {"update": 3 * 4 * np.prod(self.sizes[0])}

    def working_set(self):
        return 2 * 4 * np.prod(self.sizes[0])


class W5(Workload):
    title = "dense AᴴA x"
    problem, expr = "w5.toml", "M.H @ (M @ x)"
    full = [(16384, 8192)]
    small = [(1024, 512)]
    goal = 1.9
    steps = 1

    def arrays(self):
        m, n = self.sizes[0]
        return {"A": normal(1, (m, n)) / np.float32(np.sqrt(m)), "x": normal(2, (n,))}

    def parallel(self, comm):
        import pylops
        import pylops_mpi

        a = self.rows("A", comm)
        op = pylops_mpi.MPIVStack([pylops.MatrixMult(a, dtype=a.dtype)])
        return Apply(lambda x: op.rmatvec(op.matvec(x)), replicated(self.load("x"), comm))

    def serial(self):
        import pylops

        op = pylops.MatrixMult(self.load("A"), dtype=np.float32)
        return Apply(lambda x: op.rmatvec(op.matvec(x)), self.load("x"))

    def numpy(self):
        a = self.load("A")
        return Apply(lambda x: (a @ x) @ a, self.load("x"))

    def floor(self):
        return {"read": 4 * np.prod(self.sizes[0])}

    def working_set(self):
        return 4 * np.prod(self.sizes[0])


class W6(Workload):
    title = "LSQR on two dense blocks (the peer: CGLS)"
    problem = "w6.toml"
    full = [(32768, 8192)]
    small = [(2048, 512)]
    dtype = np.float32
    goal = None
    steps = 5
    tolerance = 1e-3

    def arrays(self):
        m, n = self.sizes[0]
        scale = np.float32(np.sqrt(m))
        blocks = {f"A{k}": normal(k, (m // 2, n), self.dtype) / scale for k in range(2)}
        return {**blocks, "d0": normal(3, (m // 2,), self.dtype), "d1": normal(4, (m // 2,), self.dtype)}

    def parallel(self, comm):
        import pylops
        import pylops_mpi
        from pylops_mpi.optimization.cls_basic import CGLS

        assert comm.size == 2, "a block for each rank"
        a, d = self.load(f"A{comm.rank}"), self.load(f"d{comm.rank}")
        op = pylops_mpi.MPIVStack([pylops.MatrixMult(a, dtype=a.dtype)])
        x0 = replicated(np.zeros(a.shape[1], a.dtype), comm)
        return ClassCgls(CGLS, op, scattered(d, split=comm), x0)

    def serial(self):
        import pylops
        from pylops.optimization.cls_basic import LSQR

        op = pylops.VStack([pylops.MatrixMult(self.load(f"A{k}"), dtype=self.dtype) for k in range(2)])
        return ClassLsqr(LSQR, op, np.concatenate([self.load("d0"), self.load("d1")]))

    def numpy(self):
        a = np.concatenate([self.load("A0"), self.load("A1")])
        adjoint = (lambda y: (y.conj() @ a).conj()) if np.iscomplexobj(a) else (lambda y: y @ a)
        return NumpyLsqr(lambda x: a @ x, adjoint, np.concatenate([self.load("d0"), self.load("d1")]))

    def floor(self):
        return {"read": np.dtype(self.dtype).itemsize * np.prod(self.sizes[0])}

    def working_set(self):
        return np.dtype(self.dtype).itemsize * np.prod(self.sizes[0])


class W6c(W6):
    title = "LSQR on two complex dense blocks (the peer: CGLS)"
    problem = "w6c.toml"
    dtype = np.complex64


class W7(Workload):
    title = "CGLS, BlockDiag of Diagonal, 1000 unknowns a rank"
    problem = "w7.toml"
    full = small = [1000]
    goal = 58
    tolerance = 1e-8

    def arrays(self):
        n = self.sizes[0]
        weights = {f"D{k}": 1 + np.abs(normal(k, (n,), np.float64)) for k in range(2)}
        return {**weights, "d0": normal(3, (n,), np.float64), "d1": normal(4, (n,), np.float64)}

    def parallel(self, comm):
        import pylops
        import pylops_mpi
        from pylops_mpi.optimization.cls_basic import CGLS

        assert comm.size == 2, "a block for each rank"
        diagonal, d = self.load(f"D{comm.rank}"), self.load(f"d{comm.rank}")
        op = pylops_mpi.MPIBlockDiag([pylops.Diagonal(diagonal)])
        return ClassCgls(CGLS, op, scattered(d, split=comm), scattered(0 * d, split=comm))

    def whole(self):
        return [np.concatenate([self.load(f"{name}{k}") for k in range(2)]) for name in "Dd"]

    def serial(self):
        import pylops
        from pylops.optimization.cls_basic import CGLS

        d = self.whole()[1]
        op = pylops.BlockDiag([pylops.Diagonal(self.load(f"D{k}")) for k in range(2)])
        return ClassCgls(CGLS, op, d, 0 * d)

    def numpy(self):
        diagonal, d = self.whole()
        return NumpyCgls(lambda x: diagonal * x, lambda y: diagonal * y, d)

    def floor(self):
        # s d c -> c, c d x s -> x s: between two sums q and r are made again, and never stored.
        return {"update": 2 * 8 * self.sizes[0] * (4 + 6)}

    def working_set(self):
        return 2 * 8 * self.sizes[0] * 4


class W8(W7):
    title = "CGLS, BlockDiag of Diagonal, 10⁶ unknowns a rank"
    full = [1_000_000]
    small = [20_000]
    goal = 15


class W9(Workload):
    title = "F.H (2 F x) over axes 0, 1"
    problem, expr = "w9.toml", "F.H @ (2 * (F @ x))"
    full = [(512, 512, 16)]
    small = [(64, 64, 8)]
    goal = 4
    steps = 1
    tolerance = 1e-10

    def arrays(self):
        return {"x": normal(1, self.sizes[0], np.complex128)}

    def parallel(self, comm):
        import pylops_mpi

        op = pylops_mpi.signalprocessing.MPIFFTND(self.sizes[0], axes=(0, 1), dtype=np.complex128)
        return Apply(lambda x: op.rmatvec(2 * op.matvec(x)), scattered(self.rows("x", comm).ravel(), split=comm))

    def serial(self):
        import pylops

        op = pylops.signalprocessing.FFTND(self.sizes[0], axes=(0, 1), norm="none", dtype=np.complex128, engine="scipy")
        return Apply(lambda x: op.rmatvec(2 * op.matvec(x)), self.load("x").ravel())

    def numpy(self):
        import scipy.fft

        # As the operator has it, the adjoint is not scaled.
        def work(x):
            y = scipy.fft.fftn(x, axes=(0, 1))
            y *= 2
            return scipy.fft.ifftn(y, axes=(0, 1), overwrite_x=True, norm="forward")

        return Apply(work, self.load("x"))

    def floor(self):
        # Each of two axes once there and once back: read and written, and once more for the exchange.
        n = np.prod(self.sizes[0])
        n0, n1, _ = self.sizes[0]
        return {"update": 16 * n * 3 * 4, "f64": 2 * 5 * n * np.log2(n0 * n1)}

    def working_set(self):
        return 2 * 16 * np.prod(self.sizes[0])


ALL = {kind.__name__: kind for kind in [W1, W2, W2r, W3, W4, W5, W6, W6c, W7, W8, W9]}
