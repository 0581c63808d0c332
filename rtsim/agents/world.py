"""A tabular MDP and its randomness, as the loops over steps take them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rtsim.errors import InvalidValue
from rtsim.mdps import TabularMDP
from rtsim.schedule import Schedule

if TYPE_CHECKING:
    from rtsim.theory import Optimum

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Numbers of the streams, apart from those of :mod:`rtsim.timing.streams`: timing and world are independent.
STREAMS = {"start": 100, "transition": 101, "reward": 102, "default": 103, "policy": 104, "equals": 105}
_BLOCK = 1 << 20


def stream(seed: int, purpose: str, *index: int) -> np.random.Generator:
    """The random generator named (purpose, index…) under a seed >= 0."""
    return np.random.Generator(
        np.random.PCG64(np.random.SeedSequence(entropy=seed, spawn_key=(STREAMS[purpose], *index)))
    )


@dataclass(frozen=True)
class World:
    """The tables of an MDP by row: s·A + a for the agent's actions, then S·A + s·B + b for the default policy's.

    Attributes
    ----------
    mdp : TabularMDP
    first : int64, shape (S·(A + B) + 1,)
        Where the successors of each row begin.
    target : int64, shape (n,)
        Successors of positive probability.
    cum : float64, shape (n,)
        Their cumulated probabilities within the row.
    r : float64, shape (S·(A + B),)
        Expected rewards.
    default_cum : float64, shape (S·B,)
    """

    mdp: TabularMDP
    first: Ints
    target: Ints
    cum: Floats
    r: Floats
    default_cum: Floats

    @classmethod
    def of(cls, mdp: TabularMDP) -> World:
        """The world of an MDP."""
        rows = np.concatenate([mdp.p.reshape(-1, mdp.states), mdp.p_default.reshape(-1, mdp.states)])
        row, target = np.nonzero(rows)
        first = np.searchsorted(row, np.arange(len(rows) + 1))
        cum = np.cumsum(rows, axis=1)[row, target]
        r = np.concatenate([mdp.r.reshape(-1), mdp.r_default.reshape(-1)])
        return cls(mdp, first.astype(np.int64), target.astype(np.int64), cum, r, cumulated(mdp.default_policy))

    @property
    def sizes(self) -> Ints:
        """S, A and B."""
        return np.array([self.mdp.states, self.mdp.actions, self.mdp.default_actions], dtype=np.int64)

    @property
    def arrays(self) -> tuple[Ints, Ints, Ints, Floats, Floats, Floats]:
        """What every loop takes first."""
        return self.sizes, self.first, self.target, self.cum, self.r, self.default_cum

    def rows(self, states: Ints, actions: Ints, acted: NDArray[np.bool_]) -> Ints:
        """The row of each step: states (T + 1,), actions (T,) and who acted (T,)."""
        s, mdp = states[:-1], self.mdp
        own = mdp.states * mdp.actions
        return np.where(acted, s * mdp.actions + actions, own + s * mdp.default_actions + actions)


def cumulated(chances: Floats) -> Floats:
    """Cumulated probabilities of each row, flat.

    An action of probability zero is never drawn: the last of positive probability, and all behind it, get 2.
    """
    cum = np.cumsum(chances, axis=1)
    last = chances.shape[1] - 1 - (chances[:, ::-1] > 0).argmax(axis=1)
    cum[np.arange(chances.shape[1]) >= last[:, None]] = 2.0
    return np.ascontiguousarray(cum.reshape(-1))


@dataclass(frozen=True)
class Draws:
    """The random numbers of one rollout: of each step, and of each inference.

    They depend on the seed and their names alone, so that the same seed couples different policies and Schedules. What
    cannot make a difference is not drawn.
    """

    world: World
    schedule: Schedule
    seed: int

    @cached_property
    def first_state(self) -> int:
        """Drawn from the MDP's start distribution."""
        start = self.world.mdp.start
        u = stream(self.seed, "start").random()
        return int(np.searchsorted(cumulated(start[None, :]), u, side="right"))

    @cached_property
    def of_steps(self) -> tuple[Floats, Floats, Floats]:
        """For the transition, the reward and the default policy, shape (T,) each, or empty."""
        mdp, steps, none = self.world.mdp, len(self.schedule), np.empty(0)
        sure = (mdp.default_policy.max(axis=1) == 1.0).all() and (mdp.default_policy[:, 0] == 1.0).all()
        return (
            stream(self.seed, "transition").random(steps),
            stream(self.seed, "reward").random(steps) if mdp.reward == "bernoulli" else none,
            none if sure else stream(self.seed, "default").random(steps),
        )

    def between_equals(self) -> Floats:
        """One number for each step, to choose among actions that a learner finds equally good."""
        return stream(self.seed, "equals").random(len(self.schedule))

    def of_inferences(self) -> Floats:
        """One number for each inference (and position in its chunk), at the steps it acted on; 0 elsewhere.

        The number of an inference is a function of the seed, its worker, its index and the position.
        """
        columns = self.schedule.steps
        found = np.zeros(len(self.schedule))
        at = np.flatnonzero(self.schedule.acted)
        if not len(at):
            return found
        worker, position, index = (columns[name][at] for name in ("worker", "chunk_index", "inference"))
        if min(position.min(), index.min()) < 0:
            raise InvalidValue("the Schedule's inference or chunk_index is negative where the agent acted")
        longest = int(position.max()) + 1
        name = worker * np.int64(longest) + position
        # Small whole numbers are sorted by their digits, which takes a tenth of the time.
        order = np.argsort(name.astype(np.uint16) if name.max() < 1 << 16 else name, kind="stable")
        begins = np.flatnonzero(np.diff(name[order], prepend=-1)).tolist()
        for begin, end in zip(begins, [*begins[1:], len(order)], strict=True):
            inside = order[begin:end]
            if (np.diff(index[inside]) < 0).any():
                inside = inside[np.argsort(index[inside], kind="stable")]
            generator = stream(self.seed, "policy", *divmod(int(name[inside[0]]), longest))
            found[at[inside]] = _at(generator, index[inside])
        return found


def _at(generator: np.random.Generator, indices: Ints) -> Floats:
    """The numbers of a stream at ascending indices."""
    found = np.empty(len(indices))
    bits: Any = generator.bit_generator
    drawn = done = 0
    while done < len(indices):
        bits.advance(int(indices[done]) - drawn)
        block = generator.random(min(_BLOCK, int(indices[-1] - indices[done]) + 1))
        drawn = int(indices[done]) + len(block)
        end = int(np.searchsorted(indices, drawn))
        found[done:end] = block[indices[done:end] - indices[done]]
        done = end
    return found


@dataclass(frozen=True)
class Trajectory:
    """What the loops fill: states (T + 1,), actions (T,), rewards (T,)."""

    states: Ints
    actions: Ints
    rewards: Floats

    @classmethod
    def begin(cls, draws: Draws) -> Trajectory:
        """Empty but for the first state."""
        steps = len(draws.schedule)
        states = np.empty(steps + 1, dtype=np.int64)
        states[0] = draws.first_state
        return cls(states, np.empty(steps, dtype=np.int64), np.empty(steps))

    @property
    def arrays(self) -> tuple[Ints, Ints, Floats]:
        """What every loop takes last."""
        return self.states, self.actions, self.rewards


@lru_cache(maxsize=64)
def solved(mdp: TabularMDP) -> Optimum:
    """Gain, bias and policy of the undelayed MDP, solved once."""
    from rtsim.theory import optimum

    return optimum(mdp)
