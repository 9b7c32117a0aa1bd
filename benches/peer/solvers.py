"""What a worker runs again and again: solvers and applications, of PyLops-MPI, PyLops and NumPy."""

import numpy as np


class Apply:
    """`work(x)`, over and over on the same argument."""

    def __init__(self, work, x):
        self.work, self.x, self.y = work, x, None

    def start(self):
        pass

    def run(self, n):
        for _ in range(n):
            self.y = self.work(self.x)
        return n

    def result(self):
        return self.y


class ClassCgls:
    """The class CGLS of PyLops or PyLops-MPI; the function `cgls` runs the same steps."""

    def __init__(self, kind, op, d, x0):
        self.kind, self.op, self.d, self.x0 = kind, op, d, x0

    def start(self):
        self.solver = self.kind(self.op)
        self.x = self.solver.setup(y=self.d, x0=self.x0, niter=None, tol=0.0)

    def run(self, n):
        self.x = self.solver.run(self.x, n)
        return self.solver.iiter

    def result(self):
        return self.x


class ClassLsqr:
    """The class LSQR of PyLops, without the variance."""

    def __init__(self, kind, op, d):
        self.kind, self.op, self.d = kind, op, d

    def start(self):
        self.solver = self.kind(self.op)
        zero = dict(atol=0.0, btol=0.0, conlim=0.0)
        self.x = self.solver.setup(y=self.d, niter=1 << 30, calc_var=False, **zero)

    def run(self, n):
        for _ in range(n):
            self.x = self.solver.step(self.x)
        return n

    def result(self):
        return self.x


class NumpyCgls:
    """CGLS as one would write it with NumPy, in place where that is easy."""

    def __init__(self, forward, adjoint, d):
        self.forward, self.adjoint, self.d = forward, adjoint, d

    def start(self):
        self.s = self.d.copy()
        r = self.adjoint(self.s)
        self.x, self.c = np.zeros_like(r), r.copy()
        self.q = self.forward(self.c)
        self.k = np.vdot(r, r).real

    def run(self, n):
        for _ in range(n):
            a = self.k / np.vdot(self.q, self.q).real
            self.x += a * self.c
            self.s -= a * self.q
            r = self.adjoint(self.s)
            k = np.vdot(r, r).real
            self.c *= k / self.k
            self.c += r
            self.q = self.forward(self.c)
            self.k = k
            self.cost = np.linalg.norm(self.s)
        return n

    def result(self):
        return self.x


class NumpyLsqr:
    """LSQR as one would write it with NumPy, without its stopping rules."""

    def __init__(self, forward, adjoint, d):
        self.forward, self.adjoint, self.d = forward, adjoint, d

    def start(self):
        beta = np.linalg.norm(self.d)
        self.u = self.d / beta
        v = self.adjoint(self.u)
        self.alfa = np.linalg.norm(v)
        self.v = v / self.alfa
        self.w, self.x = self.v.copy(), np.zeros_like(v)
        self.phi, self.rho = beta, self.alfa

    def run(self, n):
        for _ in range(n):
            self.u *= -self.alfa
            self.u += self.forward(self.v)
            beta = np.linalg.norm(self.u)
            self.u /= beta
            self.v *= -beta
            self.v += self.adjoint(self.u)
            self.alfa = np.linalg.norm(self.v)
            self.v /= self.alfa
            rho = np.hypot(self.rho, beta)
            c, s = self.rho / rho, beta / rho
            theta, self.rho = s * self.alfa, -c * self.alfa
            phi, self.phi = c * self.phi, s * self.phi
            self.x += (phi / rho) * self.w
            self.w *= -theta / rho
            self.w += self.v
        return n

    def result(self):
        return self.x
