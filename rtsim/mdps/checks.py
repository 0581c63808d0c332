"""What is wrong with a table, said in one line that names the place.

Indices in messages count from 0, as everywhere in rtsim.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsim.errors import InvalidValue

Floats = NDArray[np.float64]

#: How far a row of probabilities may be from 1: what ten printed digits lose.
ROW_TOLERANCE = 1e-9
#: Rows nearer to 1 than this are left as they are: rounding of a sum.
ROW_EXACT = 1e-12
#: Most entries one table may have (0.8 GB).
MAX_ENTRIES = 10**8
#: Largest reward, and least less its sign.
MAX_REWARD = 1e100


def table(value: object, name: str, shape: Sequence[int | None]) -> Floats:
    """A finite float64 array of the given shape, its own copy, without negative zeros.

    Parameters
    ----------
    value : array_like
    name : str
        For the message.
    shape : sequence of int or None
        Expected shape; None stands for any size of at least 1.

    Raises
    ------
    InvalidValue
        Naming the first entry that is not finite, or both shapes.

    >>> table([[0, 1]], "r", (1, None))
    array([[0., 1.]])
    """
    wanted = "(" + ", ".join("any" if n is None else str(n) for n in shape) + ("," if len(shape) == 1 else "") + ")"
    try:
        raw: Any = np.asarray(value)
        if raw.dtype.kind not in "fiu":
            raise TypeError
        found = np.array(raw, dtype=np.float64) + 0.0
    except (TypeError, ValueError) as error:
        raise InvalidValue(f"{name} must be numbers of shape {wanted}") from error
    if found.ndim != len(shape) or any(
        n != m if m is not None else n < 1 for n, m in zip(found.shape, shape, strict=False)
    ):
        raise InvalidValue(f"{name} has shape {found.shape}; it must be {wanted}")
    if found.size > MAX_ENTRIES:
        raise InvalidValue(f"{name} has {found.size} entries, more than {MAX_ENTRIES}; use fewer states")
    if not np.isfinite(found).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(found))[0])
        raise InvalidValue(f"{name}[{_index(place)}] is {found[place]}; it must be finite")
    return found


def size(name: str, shape: Sequence[int]) -> None:
    """Refuse a table of more than :data:`MAX_ENTRIES` entries, before it is made.

    >>> size("p", (5_000, 100, 5_000))
    Traceback (most recent call last):
    rtsim.errors.InvalidValue: p of shape (5000, 100, 5000) has more than 100000000 entries; use fewer states
    """
    if math.prod(shape) > MAX_ENTRIES:
        raise InvalidValue(f"{name} of shape {tuple(shape)} has more than {MAX_ENTRIES} entries; use fewer states")


def rewards(value: object, name: str, shape: Sequence[int | None]) -> Floats:
    """A table of rewards: none beyond :data:`MAX_REWARD`, so that sums and squares of many are finite.

    >>> rewards([[1e300]], "r", (1, 1))
    Traceback (most recent call last):
    rtsim.errors.InvalidValue: r[0, 0] is 1e+300; a reward must lie in -1e+100..1e+100
    """
    found = table(value, name, shape)
    if (np.abs(found) > MAX_REWARD).any():
        place = tuple(int(i) for i in np.argwhere(np.abs(found) > MAX_REWARD)[0])
        raise InvalidValue(
            f"{name}[{_index(place)}] is {found[place]:g}; a reward must lie in {-MAX_REWARD:g}..{MAX_REWARD:g}"
        )
    return found


def distributions(values: Floats, name: str, row: str) -> Floats:
    """Rows of probabilities along the last axis, checked.

    A row may miss 1 by :data:`ROW_TOLERANCE`. Rows off by more than :data:`ROW_EXACT` are divided
    by their sum, so that no chain loses or gains mass; all others are kept bit for bit.

    Parameters
    ----------
    values : float64, shape (..., n)
    name : str
    row : str
        How to name a row in a message, with one ``{}`` per leading axis.

    Raises
    ------
    InvalidValue
        For the first negative entry, or the first row that does not sum to 1.

    >>> distributions(np.array([[0.5, 0.47]]), "p", "row {} of p")
    Traceback (most recent call last):
    rtsim.errors.InvalidValue: row 0 of p sums to 0.97; it must sum to 1
    """
    if (values < 0).any():
        place = tuple(int(i) for i in np.argwhere(values < 0)[0])
        raise InvalidValue(f"{name}[{_index(place)}] is {values[place]:g}; a probability must be >= 0")
    sums = values.sum(axis=-1)
    off = np.abs(sums - 1.0)
    if (off > ROW_TOLERANCE).any():
        place = tuple(int(i) for i in np.argwhere(off > ROW_TOLERANCE)[0])
        raise InvalidValue(f"{row.format(*place)} sums to {sums[place]:.10g}; it must sum to 1")
    if (off > ROW_EXACT).any():
        values = np.where((off > ROW_EXACT)[..., None], values / sums[..., None], values)
    return values


def weakly_communicating(p: Floats) -> None:
    """Check that the best long-run reward does not depend on where one starts.

    An MDP is weakly communicating if one closed set of states can be reached from everywhere and
    from each of its states every other, and all states outside it are left for good under every
    policy (Puterman 1994, Section 8.3.1). It is checked on the graph of possible transitions: there
    is exactly one closed class, and no policy can stay outside it for ever.

    Parameters
    ----------
    p : float64, shape (S, A, S)

    Raises
    ------
    InvalidValue
        Naming the states that violate it.

    >>> weakly_communicating(np.eye(2)[:, None, :])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    rtsim.errors.InvalidValue: not weakly communicating: state 0 and state 1 are never left, so the best ...
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    states, actions, _ = p.shape
    moves = csr_array(p.reshape(states * actions, states) > 0)
    count, label = connected_components(csr_array((p > 0).any(axis=1)), directed=True, connection="strong")
    sources, targets = np.nonzero((p > 0).any(axis=1))
    left = np.zeros(count, dtype=bool)
    left[label[sources[label[sources] != label[targets]]]] = True
    closed = np.flatnonzero(~left)
    if len(closed) > 1:
        first, second = (_states(np.flatnonzero(label == c)) for c in closed[:2])
        raise InvalidValue(
            f"not weakly communicating: {first} and {second} are never left, so the best long-run reward "
            "depends on the start; add a way between them"
        )
    # Shrink the outside to what some policy can keep itself in: the largest closed part of it.
    kept = label != closed[0]
    while kept.any():
        leaks = (moves @ (~kept).astype(np.float64)).reshape(states, actions) > 0
        smaller = kept & ~leaks.all(axis=1)
        if (smaller == kept).all():
            raise InvalidValue(
                f"not weakly communicating: a policy can keep {_states(np.flatnonzero(kept))} for ever, but from "
                f"{_states(np.flatnonzero(label == closed[0]))} there is no way back; add one, or remove the former"
            )
        kept = smaller


def _states(found: NDArray[Any]) -> str:
    listed = ", ".join(str(int(s)) for s in found[:8]) + (f" and {len(found) - 8} more" if len(found) > 8 else "")
    return f"state {listed}" if len(found) == 1 else f"states {listed}"


def _index(place: tuple[int, ...]) -> str:
    return ", ".join(str(i) for i in place)
