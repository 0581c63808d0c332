"""Replay memories: what an agent saw, did and got, to learn from again.

Every frame is stored once: the observation that follows a transition is the next row's. A row
whose frame ended an episode has no transition of its own, so it takes a place without giving one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rtsim.errors import InvalidValue
from rtsim.learning.rows import Rows
from rtsim.schedule import TERMINATED, ending

#: Rounds of drawing and rejecting before the allowed rows are listed one by one.
ROUNDS = 32
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Batch:
    """Transitions to learn from, n of them.

    Attributes
    ----------
    observations, following : arrays, shape (n, \\*observation), as the environment gave them
        What the action was chosen on, and what there was after the rewards.
    actions : int64, shape (n,)
    rewards : float32, shape (n,)
        Discounted sums over the steps in between.
    discounts : float32, shape (n,)
        What the value of ``following`` is multiplied with; 0 after the end of an episode.
    rows : int64, shape (n,)
        Where they lie in the memory, counted from its beginning.
    weights : float32, shape (n,)
        Of their losses; 1 unless some were drawn more often than others.
    index : int
        Which batch of the training it is; noise depends on it.
    """

    observations: NDArray[Any]
    actions: Ints
    rewards: NDArray[np.float32]
    following: NDArray[Any]
    discounts: NDArray[np.float32]
    rows: Ints
    weights: NDArray[np.float32]
    index: int = 0

    def __len__(self) -> int:
        return len(self.actions)


class Memory(ABC):
    """What all replay memories do.

    A memory in a file keeps ``spare`` places beyond its capacity, so that whatever is written
    after a checkpoint overwrites nothing that the checkpoint needs: going back to it costs no copy.

    Parameters
    ----------
    capacity : int, >= 2
    shape, dtype :
        Of one observation.
    path : str or Path, optional
        Where to keep it; None: in RAM, or with ``rows`` where those are.
    spare : int, >= 0
        Places written at most between two checkpoints; 0: there will be none.
    token : str
        Of an existing file, to go on with it; the state is then still to be restored.
    """

    #: How a checkpoint calls it.
    kind = ""

    def __init__(
        self,
        capacity: int,
        shape: tuple[int, ...],
        dtype: Any = np.uint8,
        path: str | Path | None = None,
        spare: int = 0,
        token: str = "",
    ) -> None:
        if capacity < 2 or spare < 0:
            raise InvalidValue(
                f"a replay memory needs places for >= 2 observations, not {capacity} (and {spare} spare)"
            )
        self.capacity, self.spare, self.size = capacity, spare, capacity + spare
        self.shape, self.dtype = tuple(shape), np.dtype(dtype)
        if token and path is not None:
            self._rows = Rows.open(self._fields(), self.size, path, token)
        else:
            self._rows = Rows.create(self._fields(), self.size, path)
        #: Transitions appended since the beginning.
        self.appended = 0

    def touch(self, places: int) -> None:
        """Bring the first places into memory, changing nothing, so that writing there does not wait for the disk."""
        rows = self._rows.table[:places]
        rows["flag"] = rows["flag"].copy()
        rows["number"] = rows["number"].copy()

    def read_only(self) -> None:
        """From now on this process only reads; another one writes the same file."""
        self._rows.table.flags.writeable = False

    @abstractmethod
    def _fields(self) -> np.dtype[Any]: ...

    @abstractmethod
    def begin(self, observation: NDArray[Any]) -> None:
        """An episode begins with this observation."""

    @abstractmethod
    def append(
        self,
        action: int,
        reward: float,
        following: NDArray[Any],
        terminated: bool = False,
        truncated: bool = False,
        elapsed: int = 1,
    ) -> None:
        """A transition from the last observation to ``following``, ``elapsed`` steps later for the discount."""

    @abstractmethod
    def sample(
        self, count: int, generator: np.random.Generator, discount: float, limit: int | None = None, steps: int = 1
    ) -> Batch:
        """Draw transitions with replacement.

        Parameters
        ----------
        count : int
        generator : numpy Generator
        discount : float
            Per step.
        limit : int, optional
            Only the first ``limit`` transitions that were ever appended exist; the others are of the future.
        steps : int
            Transitions whose rewards are summed (n-step returns); fewer where an episode, or what is known, ends.

        Raises
        ------
        InvalidValue
            If there is none to draw from.
        """

    @property
    @abstractmethod
    def room(self) -> int | None:
        """Rows that can still be written before a checkpoint is due; None: any number."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps beside the file: numbers, texts and tensors."""

    @abstractmethod
    def restore(self, state: dict[str, Any]) -> None:
        """Go back to :meth:`state`."""

    def mark(self) -> None:
        """A checkpoint of the present state is on the disk: what it does not need may be overwritten."""
        return

    def flush(self) -> None:
        """Bring the file to the disk."""
        self._rows.flush()

    @property
    @abstractmethod
    def newest(self) -> NDArray[Any]:
        """The observation that waits for its action."""

    @property
    def path(self) -> Path | None:
        """Its file; None: it is in RAM."""
        return self._rows.path

    @property
    def token(self) -> str:
        """What a checkpoint knows this memory's file by."""
        return self._rows.token

    def _nothing(self) -> InvalidValue:
        return InvalidValue("the replay memory holds no transition yet; learn later, after learning_starts steps")

    def _draw(self, count: int, propose: Any, allowed: Any, everything: Any) -> Ints:
        """Draw by rejection; where hardly anything is allowed, from a list of what is."""
        found: list[Ints] = []
        missing = count
        for _ in range(ROUNDS):
            rows = propose(missing)
            rows = rows[allowed(rows)]
            found.append(rows)
            missing -= len(rows)
            if not missing:
                return np.concatenate(found)
        found.append(everything(missing))
        return np.concatenate(found)


class Recent(Memory):
    """The most recent rows, drawn uniformly (Mnih et al. 2015; Riemer et al. 2025, Sec. 5).

    Parameters
    ----------
    capacity : int
        Rows, that is transitions and final observations of episodes.

    Examples
    --------
    >>> memory = Recent(100, shape=(1,), dtype=np.float32)
    >>> memory.begin(np.zeros(1))
    >>> memory.append(action=1, reward=2.0, following=np.ones(1))
    >>> memory.sample(2, np.random.default_rng(0), discount=0.5).rewards
    array([2., 2.], dtype=float32)
    """

    kind = "recent"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.count = 0  # rows ever written; the last one waits for its action
        self._marked = 0

    def _fields(self) -> np.dtype[Any]:
        return np.dtype(
            [
                ("number", "<i8"),  # of the transition that begins here, from 1; 0: none does
                ("frame", self.dtype, self.shape),
                ("action", "<i4"),
                ("reward", "<f4"),
                ("elapsed", "<u2"),
                ("flag", "u1"),
            ]
        )

    @property
    def extent(self) -> tuple[int, int]:
        """Rows and transitions ever written: all that another process must know to read the same file."""
        return self.count, self.appended

    @extent.setter
    def extent(self, extent: tuple[int, int]) -> None:
        self.count, self.appended = extent

    @property
    def oldest(self) -> int:
        """The oldest row still held."""
        return max(0, self.count - self.capacity)

    @property
    def room(self) -> int | None:
        if not self.spare:
            return None
        return self.size + max(0, self._marked - self.capacity) - self.count

    def begin(self, observation: NDArray[Any]) -> None:
        self._push(observation)

    def append(
        self,
        action: int,
        reward: float,
        following: NDArray[Any],
        terminated: bool = False,
        truncated: bool = False,
        elapsed: int = 1,
    ) -> None:
        row = self._rows.table[(self.count - 1) % self.size]
        self.appended += 1
        row["action"], row["reward"], row["elapsed"] = action, reward, elapsed
        row["flag"] = ending(terminated, truncated)
        row["number"] = self.appended
        self._push(following)

    @property
    def newest(self) -> NDArray[Any]:
        return np.asarray(self._rows.table["frame"][(self.count - 1) % self.size])

    def _push(self, frame: NDArray[Any]) -> None:
        room = self.room
        if room is not None and room <= 0:
            raise InvalidValue(f"more than {self.spare} places of the replay memory written since the last checkpoint")
        place = self.count % self.size
        self._rows.table["number"][place] = 0
        self._rows.table["frame"][place] = frame
        self.count += 1

    def _allowed(self, rows: Ints, limit: int | None) -> NDArray[np.bool_]:
        numbers = self._rows.table["number"][rows % self.size]
        return np.asarray((numbers > 0) & (numbers <= (self.appended if limit is None else limit)))

    def _listed(self, limit: int | None) -> Ints:
        """All rows that may be drawn; at least one."""
        rows = np.arange(self.oldest, self.count)
        rows = rows[self._allowed(rows, limit)]
        if not len(rows):
            raise self._nothing()
        return rows

    def sample(
        self, count: int, generator: np.random.Generator, discount: float, limit: int | None = None, steps: int = 1
    ) -> Batch:
        if not self.appended:
            raise self._nothing()
        rows = self._draw(
            count,
            lambda missing: generator.integers(self.oldest, self.count, missing),
            lambda rows: self._allowed(rows, limit),
            lambda missing: generator.choice(self._listed(limit), missing),
        )
        return self.batch(rows, discount, limit, steps)

    def batch(self, rows: Ints, discount: float, limit: int | None = None, steps: int = 1) -> Batch:
        """The transitions that begin at some rows, int64, shape (n,)."""
        table, size = self._rows.table, self.size
        rewards, discounts = np.zeros(len(rows)), np.ones(len(rows))
        last, going = rows.copy(), np.ones(len(rows), bool)
        ended = np.zeros(len(rows), np.uint8)
        for _ in range(steps):
            places = last[going] % size
            rewards[going] += discounts[going] * table["reward"][places]
            discounts[going] *= discount ** table["elapsed"][places].astype(float)
            ended[going] = table["flag"][places]
            last[going] += 1
            going = going & (ended == 0) & self._allowed(last, limit)
            if not going.any():
                break
        return Batch(
            table["frame"][rows % size],
            table["action"][rows % size].astype(np.int64),
            rewards.astype(np.float32),
            table["frame"][last % size],
            np.where(ended == TERMINATED, 0, discounts).astype(np.float32),
            rows,
            np.ones(len(rows), np.float32),
        )

    def state(self) -> dict[str, Any]:
        return {"kind": self.kind, "token": self.token, "count": self.count, "appended": self.appended}

    def restore(self, state: dict[str, Any]) -> None:
        self.count, self.appended = int(state["count"]), int(state["appended"])
        if self.count:  # its action was written after the checkpoint
            self._rows.table["number"][(self.count - 1) % self.size] = 0
        self.mark()

    def mark(self) -> None:
        self._marked = self.count


def tensor(array: NDArray[Any]) -> torch.Tensor:
    """A copy as a tensor, for a checkpoint."""
    return torch.from_numpy(np.array(array))
