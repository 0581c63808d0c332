"""Finite Markov chains: recurrent classes, long-run frequencies, rewards until a return.

Every linear system solved here is that of a chain stopped in one state, (I − P) without that state's row and
column: a nonsingular M-matrix, sparse when the chain is. Its diagonal is summed from what leaves a state (Grassmann,
Taksar & Heyman 1985): 1 − p_ii has no digits left of a state that is seldom left.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse
from scipy.sparse.csgraph import connected_components

from rtsim.errors import NoConvergence

Floats = NDArray[np.float64]

#: Up to this many unknowns, or above this share of entries that are not zero, systems are solved densely.
DENSE_UNKNOWNS, DENSE_SHARE = 50, 0.05
#: Above this many states sweeps are tried before factorising, and so many of them.
SWEPT, MAX_SWEEPS = 1_000, 5_000
#: A state whose returns take longer than this many steps per state of the chain is a bad one to wait in.
LONG_CYCLE = 100.0


def recurrent_classes(p: sparse.csr_array) -> list[NDArray[np.int64]]:
    """The closed communicating classes of a chain, each as its sorted states.

    Parameters
    ----------
    p : csr_array, float64, shape (n, n)

    >>> recurrent_classes(sparse.csr_array([[0.5, 0.5, 0], [0, 1, 0], [0, 0, 1.0]]))
    [array([1]), array([2])]
    """
    count, label = connected_components(p, directed=True, connection="strong")
    entries = p.tocoo()
    crossing = (label[entries.row] != label[entries.col]) & (entries.data > 0)
    closed = np.ones(count, dtype=bool)
    closed[label[entries.row[crossing]]] = False
    order = np.argsort(label, kind="stable")
    bounds = np.searchsorted(label[order], np.arange(count + 1))
    return [order[bounds[c] : bounds[c + 1]].astype(np.int64) for c in np.flatnonzero(closed)]


def leaving(p: sparse.csr_array) -> sparse.csr_array:
    """I − P, the diagonal of each row the sum of what it takes away elsewhere.

    >>> leaving(sparse.csr_array([[1.0, 1e-20], [0.5, 0.5]])).toarray()[0].tolist()
    [1e-20, -1e-20]
    """
    return drift(p, 1) * -1.0


def drift(p: sparse.csr_array, actions: int) -> sparse.csr_array:
    """P − I where each state has a row for each of its actions; see :func:`leaving`.

    Parameters
    ----------
    p : csr_array, float64, shape (S·A, S)
    actions : int
        A.
    """
    n = p.shape[0]
    entries = p.tocoo()
    moved = entries.col != entries.row // actions
    row, column, data = entries.row[moved], entries.col[moved], entries.data[moved]
    rows = np.arange(n)
    data = np.concatenate([data, -np.bincount(row, data, minlength=n)])
    at = np.concatenate([row, rows]), np.concatenate([column, rows // actions])
    return sparse.csr_array((data, at), shape=p.shape)


def solver(matrix: sparse.csr_array) -> Callable[[Floats], Floats]:
    """x ↦ matrix⁻¹ x, factorised once: sparse LU where the matrix is large and sparse, else dense.

    Of a matrix that is singular in floating point, as where a chain never returns for all doubles can tell, the
    answers are NaN.

    Parameters
    ----------
    matrix : csr_array, float64, shape (n, n)
    """
    n = matrix.shape[0]
    if n == 0:
        return lambda x: x
    if n <= DENSE_UNKNOWNS or matrix.nnz > DENSE_SHARE * n * n:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", linalg.LinAlgWarning)
            factors = linalg.lu_factor(matrix.toarray(), check_finite=False)
        if (np.diagonal(factors[0]) == 0).any():
            return lambda x: np.full(x.shape, np.nan)
        return lambda x: np.asarray(linalg.lu_solve(factors, x, check_finite=False))
    from scipy.sparse.linalg import splu

    try:
        lu: Any = splu(matrix.tocsc())
    except RuntimeError:
        return lambda x: np.full(x.shape, np.nan)
    return lambda x: np.asarray(lu.solve(x))


def busiest(p: sparse.csr_array, inside: NDArray[np.int64]) -> int:
    """A state of a recurrent class in which the chain is often: from there excursions are short.

    Found by 200 steps of the chain, made lazy so that none is periodic, from the uniform distribution. Any
    state of the class would do in exact arithmetic; with a seldom one numbers overflow.
    """
    part = p[inside][:, inside].T.tocsr()
    mass = np.full(len(inside), 1.0 / len(inside))
    for _ in range(200):
        mass = 0.5 * (mass + part @ mass)
    return int(inside[int(mass.argmax())])


def evaluate(p: sparse.csr_array, r: Floats, stop: int) -> tuple[float, Floats]:
    """Gain and bias of a chain with one recurrent class, by the cycles between visits to a state.

    With x the expected reward and y the expected time until ``stop`` is reached, the gain is the reward of a cycle
    over its length (renewal reward theorem) and the bias, zero at ``stop``, is x − gain·y. They solve gain + h = r +
    P h (Puterman 1994, Section 8.2).

    Parameters
    ----------
    p : csr_array, float64, shape (n, n)
    r : float64, shape (n,)
    stop : int
        A state of the recurrent class; another takes its place if the chain hardly ever returns to it.

    >>> evaluate(sparse.csr_array([[0.0, 1.0], [0.5, 0.5]]), np.array([0.0, 3.0]), 1)
    (2.0, array([-2.,  0.]))
    """
    n = p.shape[0]
    left = leaving(p)
    shortest: tuple[Any, ...] | None = None
    for _ in range(4):
        others = np.flatnonzero(np.arange(n) != stop)
        matrix = sparse.csr_array(left[others][:, others])
        solve = solver(matrix)
        back = p[[stop]].toarray()[0, others]
        found = solve(np.column_stack([r[others], np.ones(n - 1)]))
        length = float(1.0 + back @ found[:, 1])
        # Only rounding makes a cycle's length negative or NaN: it is then beyond all doubles.
        if shortest is None or 0 < length < shortest[0] or not shortest[0] > 0:
            shortest = (length, stop, others, solve, back, found)
        if 0 < length <= LONG_CYCLE * n:
            break
        visits = solver(sparse.csr_array(matrix.T))(back)
        stop = int(others[int(np.nan_to_num(visits).argmax())])
    assert shortest is not None
    length, stop, others, solve, back, found = shortest
    gain = float((r[stop] + back @ found[:, 0]) / length)
    bias = np.zeros(n)
    # A cycle may be long: what its rewards exceed the gain by is small, and corrects the gain's last digits.
    for _ in range(2):
        bias[others] = solve(r[others] - gain)
        gain += float((r[stop] - gain + back @ bias[others]) / length)
    bias[others] = solve(r[others] - gain)
    return gain, bias


def frequencies(p: sparse.csr_array, inside: NDArray[np.int64]) -> Floats:
    """Share of time in each state of a recurrent class, shape (len(inside),); sums to 1.

    >>> frequencies(sparse.csr_array([[0.0, 1.0], [0.5, 0.5]]), np.array([0, 1])).round(6)
    array([0.333333, 0.666667])
    """
    part = sparse.csr_array(p[inside][:, inside])
    stop = int(np.searchsorted(inside, busiest(p, inside)))
    n = len(inside)
    others = np.flatnonzero(np.arange(n) != stop)
    solve = solver(sparse.csr_array(leaving(part)[others][:, others].T))
    visits = np.ones(n)
    visits[others] = solve(part[[stop]].toarray()[0, others])
    return np.asarray(visits / visits.sum())


def long_run_frequencies(p: sparse.csr_array, start: Floats) -> Floats:
    """Share of time in each state in the long run, from a distribution of the first state.

    For periodic chains the average over time (Cesàro).

    Parameters
    ----------
    p : csr_array, float64, shape (n, n)
    start : float64, shape (n,)

    >>> long_run_frequencies(sparse.csr_array([[0.0, 0.5, 0.5], [0, 1, 0], [0, 0, 1]]), np.array([1.0, 0, 0]))
    array([0. , 0.5, 0.5])
    """
    n = p.shape[0]
    classes = recurrent_classes(p)
    recurrent = np.zeros(n, dtype=bool)
    recurrent[np.concatenate(classes)] = True
    passing = np.flatnonzero(~recurrent)
    visits = np.zeros(n)
    if len(classes) > 1 and len(passing):
        visits[passing] = solver(sparse.csr_array(leaving(p)[passing][:, passing].T))(start[passing])
    entered = start + p.T @ visits
    found = np.zeros(n)
    for inside in classes:
        found[inside] = (entered[inside].sum() if len(classes) > 1 else 1.0) * frequencies(p, inside)
    return found


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # what is beyond doubles is told by NaN
def long_run_rewards(p: sparse.csr_array, r: Floats) -> Floats:
    """Average reward per step in the long run, from each first state; shape (n,).

    Classes of more than :data:`SWEPT` states are first tried by sweeps that enclose the answer within 1e-12 of the
    largest reward: sparse LU fills in on the well-mixing ones, which are just those that need few sweeps.

    Raises
    ------
    NoConvergence
        If returns take longer than doubles can say.

    >>> long_run_rewards(sparse.csr_array([[0.0, 0.5, 0.5], [0, 1, 0], [0, 0, 1]]), np.array([9.0, 1.0, 2.0]))
    array([1.5, 1. , 2. ])
    """
    n = p.shape[0]
    classes = recurrent_classes(p)
    gains = np.zeros(n)
    recurrent = np.zeros(n, dtype=bool)
    for inside in classes:
        gain = _swept_gain(sparse.csr_array(p[inside][:, inside]), r[inside]) if len(inside) > SWEPT else None
        gains[inside] = frequencies(p, inside) @ r[inside] if gain is None else gain
        recurrent[inside] = True
    if len(classes) == 1:
        return _finite(np.full(n, gains[classes[0][0]]))
    passing = np.flatnonzero(~recurrent)
    if len(passing):
        rest = sparse.csr_array(p[passing][:, passing])
        entered = p[passing] @ gains
        found = _swept_absorption(rest, entered, gains[recurrent]) if len(passing) > SWEPT else None
        if found is None:
            found = solver(sparse.csr_array(leaving(p)[passing][:, passing]))(entered)
        gains[passing] = found
    return _finite(gains)


def _finite(gains: Floats) -> Floats:
    if not np.isfinite(gains).all():
        raise NoConvergence("a chain's returns to its states take too long for doubles")
    return gains


def _swept_gain(p: sparse.csr_array, r: Floats) -> float | None:
    """Gain of an irreducible chain, between the least and the largest change in a sweep; None if not close soon."""
    values = np.zeros(len(r))
    for _ in range(MAX_SWEEPS):
        change = r + p @ values - values
        low, high = float(change.min()), float(change.max())
        if high - low <= 1e-12 * np.abs(r).max():
            return (low + high) / 2
        values += 0.5 * change  # lazy: no chain is periodic
        values -= values[0]
    return None


def _swept_absorption(rest: sparse.csr_array, entered: Floats, ends: Floats) -> Floats | None:
    """Expected gain on leaving the passing states, enclosed from both sides; None if not close soon."""
    low, high = np.full(len(entered), ends.min()), np.full(len(entered), ends.max())
    for _ in range(MAX_SWEEPS):
        low, high = entered + rest @ low, entered + rest @ high
        if (high - low).max() <= 1e-12 * np.abs(ends).max():
            return np.asarray((low + high) / 2)
    return None
