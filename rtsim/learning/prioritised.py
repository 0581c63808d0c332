"""Prioritised replay (Schaul et al. 2016, proportional variant) on a sum tree."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsim.errors import InvalidValue
from rtsim.learning.memory import Batch, Ints, Recent, tensor

Floats = NDArray[np.float64]


class SumTree:
    """Values >= 0 whose prefix sums are searched in logarithmic time.

    Every inner node is the sum of its two children as they are now, never a running difference,
    so the tree is a function of its leaves and needs no repair.

    Parameters
    ----------
    count : int, >= 1
        Leaves.

    Examples
    --------
    >>> tree = SumTree(3)
    >>> tree.set(np.array([0, 1, 2]), np.array([1.0, 0.0, 3.0]))
    >>> tree.total, tree.find(np.array([0.5, 1.0, 3.9])).tolist()
    (4.0, [0, 2, 2])
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._base = 1 << max(0, count - 1).bit_length()
        self._nodes = np.zeros(2 * self._base)

    @property
    def total(self) -> float:
        """Sum of all leaves."""
        return float(self._nodes[1])

    @property
    def leaves(self) -> Floats:
        """A copy of the leaves, float64, shape (count,)."""
        return self._nodes[self._base : self._base + self.count].copy()

    def get(self, places: Ints) -> Floats:
        """Some leaves, float64, shape (n,)."""
        return np.asarray(self._nodes[self._base + places])

    def put(self, place: int, value: float) -> None:
        """Set one leaf."""
        node, nodes = self._base + place, self._nodes
        nodes[node] = value
        while node > 1:
            node >>= 1
            nodes[node] = nodes[2 * node] + nodes[2 * node + 1]

    def set(self, places: Ints, values: Floats) -> None:
        """Set leaves; of a place given twice, the last value stays."""
        self._nodes[self._base + places] = values
        nodes = np.unique(self._base + places)
        while nodes[0] > 1:
            nodes = np.unique(nodes >> 1)
            self._nodes[nodes] = self._nodes[2 * nodes] + self._nodes[2 * nodes + 1]

    def find(self, sums: Floats) -> Ints:
        """For each sum the first leaf at which the running total exceeds it.

        Parameters
        ----------
        sums : float64, shape (n,), 0 <= sums < total
        """
        nodes = np.ones(len(sums), np.int64)
        left_over = sums.astype(float)
        while nodes[0] < self._base:
            left = self._nodes[2 * nodes]
            # Rounding must not lead into an empty half.
            right = (left_over >= left) & (self._nodes[2 * nodes + 1] > 0)
            left_over = np.where(right, left_over - left, left_over)
            nodes = 2 * nodes + right
        return nodes - self._base


class Prioritised(Recent):
    """Recent rows, drawn with probability p^α / Σ p^α, p being a row's last loss.

    New transitions have the highest priority there has been, so that each is drawn soon. Losses are weighted
    with (1/P)^β, the largest weight of a batch being 1 (Schaul et al. 2016, Sec. 3.4).

    Parameters
    ----------
    alpha : float, >= 0
    """

    kind = "prioritised"

    def __init__(self, *args: Any, alpha: float = 0.5, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.alpha = alpha
        self._tree = SumTree(self.capacity)  # a row that leaves gives its leaf to the one that enters
        self._highest = 1.0
        #: β of the next samples; the learner anneals it.
        self.beta = 0.4

    def append(self, *args: Any, **kwargs: Any) -> None:
        row = self.count - 1
        super().append(*args, **kwargs)
        self._tree.put(row % self.capacity, self._highest**self.alpha)

    def _push(self, frame: NDArray[Any]) -> None:
        super()._push(frame)
        self._tree.put((self.count - 1) % self.capacity, 0.0)

    def sample(
        self, count: int, generator: np.random.Generator, discount: float, limit: int | None = None, steps: int = 1
    ) -> Batch:
        newest = self.count - 1

        def rows_of(sums: Floats) -> Ints:
            places = self._tree.find(np.minimum(sums, np.nextafter(self._tree.total, 0)))
            return np.asarray(newest - (newest - places) % self.capacity)

        def propose(missing: int) -> Ints:  # one from each of equal shares, the first time
            return rows_of((np.arange(missing) + generator.random(missing)) * (self._tree.total / missing))

        def listed(missing: int) -> Ints:
            rows = self._listed(limit)
            shares = self._tree.get(rows % self.capacity)
            return generator.choice(rows, missing, p=shares / shares.sum())

        if not self.appended or self._tree.total <= 0:
            raise self._nothing()
        rows = self._draw(count, propose, lambda rows: self._allowed(rows, limit), listed)
        batch = self.batch(rows, discount, limit, steps)
        shares = self._tree.get(rows % self.capacity)
        weights = (shares / shares.min()) ** -self.beta
        batch.weights[:] = weights
        return batch

    def prioritise(self, rows: Ints, losses: NDArray[Any]) -> None:
        """New priorities of rows that were learned from; rows that have left the memory since are passed over.

        Parameters
        ----------
        rows : int64, shape (n,)
        losses : float, shape (n,), > 0
        """
        if not np.isfinite(losses).all() or (losses <= 0).any():
            raise InvalidValue("priorities must be finite and > 0")
        held = (rows >= self.oldest) & (rows < self.count)
        rows, losses = rows[held], np.asarray(losses[held], float)
        if len(rows):
            self._tree.set(rows % self.capacity, losses**self.alpha)
            self._highest = max(self._highest, float(losses.max()))

    def state(self) -> dict[str, Any]:
        return {**super().state(), "priorities": tensor(self._tree.leaves), "highest": self._highest}

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        self._tree.set(np.arange(self.capacity), state["priorities"].numpy())
        self._highest = float(state["highest"])
