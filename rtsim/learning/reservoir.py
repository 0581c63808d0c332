"""Reservoir replay: every transition ever seen is held with the same probability."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsim.errors import InvalidValue
from rtsim.learning.draws import RESERVOIR
from rtsim.learning.draws import generator as drawn
from rtsim.learning.memory import Batch, Ints, Memory, tensor
from rtsim.schedule import TERMINATED, ending


class Reservoir(Memory):
    """Vitter's Algorithm R (1985): transition n > capacity replaces a random one with probability capacity/n.

    Neighbours do not stay together, so both frames of a transition are stored: twice the size of
    :class:`~rtsim.learning.memory.Recent`, and no n-step returns.

    Parameters
    ----------
    capacity : int
        Transitions.
    seed : int
    """

    kind = "reservoir"

    def __init__(self, capacity: int, *args: Any, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(capacity, *args, **kwargs)
        self.seed = seed
        # A transition that is replaced keeps its place until the next checkpoint, if there are to be any.
        self._place = np.zeros(capacity, np.int64)
        self._free = deque(range(self.size))
        self._left: list[int] = []
        self._current = np.zeros(self.shape, self.dtype)

    def _fields(self) -> np.dtype[Any]:
        frame = (self.dtype, self.shape)
        return np.dtype(
            [
                ("number", "<i8"),
                ("frame", *frame),
                ("following", *frame),
                ("action", "<i4"),
                ("reward", "<f4"),
                ("elapsed", "<u2"),
                ("flag", "u1"),
            ]
        )

    @property
    def held(self) -> int:
        """Transitions held."""
        return min(self.appended, self.capacity)

    @property
    def room(self) -> int | None:
        return len(self._free) if self.spare else None

    @property
    def newest(self) -> NDArray[Any]:
        return self._current

    def begin(self, observation: NDArray[Any]) -> None:
        self._current[...] = observation

    def append(
        self,
        action: int,
        reward: float,
        following: NDArray[Any],
        terminated: bool = False,
        truncated: bool = False,
        elapsed: int = 1,
    ) -> None:
        slot = self._slot(self.appended)
        if slot >= 0:
            if self.appended >= self.capacity:
                (self._left if self.spare else self._free).append(int(self._place[slot]))
            if not self._free:
                raise InvalidValue(f"more than {self.spare} places of the replay memory written since the checkpoint")
            place = self._free.popleft()
            self._place[slot] = place
            row = self._rows.table[place]
            row["number"], row["frame"], row["following"] = self.appended + 1, self._current, following
            row["action"], row["reward"], row["elapsed"] = action, reward, elapsed
            row["flag"] = ending(terminated, truncated)
        self.appended += 1
        self._current[...] = following

    def _slot(self, n: int) -> int:
        """Where transition n, from 0, goes; -1: nowhere."""
        if n < self.capacity:
            return n
        slot = int(drawn(self.seed, RESERVOIR, n).integers(n + 1))
        return slot if slot < self.capacity else -1

    def sample(
        self, count: int, generator: np.random.Generator, discount: float, limit: int | None = None, steps: int = 1
    ) -> Batch:
        if steps != 1:
            raise InvalidValue("a reservoir keeps no neighbours, so steps must be 1; give memory='recent' for n-step")
        most = self.appended if limit is None else limit

        def allowed(slots: Ints) -> NDArray[np.bool_]:
            return np.asarray(self._rows.table["number"][self._place[slots]] <= most)

        def listed(missing: int) -> Ints:
            slots = np.arange(self.held)
            slots = slots[allowed(slots)]
            if not len(slots):
                raise self._nothing()
            return generator.choice(slots, missing)

        if not self.held:
            raise self._nothing()
        slots = self._draw(count, lambda missing: generator.integers(0, self.held, missing), allowed, listed)
        found = self._rows.table[self._place[slots]]
        discounts = np.where(found["flag"] == TERMINATED, 0, discount ** found["elapsed"].astype(float))
        return Batch(
            found["frame"],
            found["action"].astype(np.int64),
            found["reward"].copy(),
            found["following"],
            discounts.astype(np.float32),
            found["number"] - 1,
            np.ones(len(slots), np.float32),
        )

    def state(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "token": self.token,
            "appended": self.appended,
            "place": tensor(self._place),
            "free": tensor(np.array([*self._free, *self._left], np.int64)),
            "current": tensor(self._current),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.appended = int(state["appended"])
        self._place[:] = state["place"].numpy()
        self._free, self._left = deque(state["free"].tolist()), []
        self._current[...] = state["current"].numpy()

    def mark(self) -> None:
        self._free += self._left
        self._left = []
