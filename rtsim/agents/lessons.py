"""What a learner learns from, when, and with which parameters it acts: a Schedule, arranged for the loops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rtsim.agents.world import Ints
from rtsim.errors import InvalidValue
from rtsim.mdps import TabularMDP
from rtsim.schedule import Schedule

Credit = Literal["observation", "state"]


@dataclass(frozen=True)
class Lessons:
    """Inferences in the order of their starts, updates in the order of theirs, and what there is to learn from.

    Attributes
    ----------
    observation : int64, shape (T,)
    by_observation : bool
        How lessons are credited, see :mod:`rtsim.agents.kernel.lessons`.
    count : int
        Actions of the agent.
    interval : float
        Mean number of steps between them.
    arrays : tuple of int64 arrays, or None
        What the loops ``…_as_landed`` take; None where everything is learned at once and in order, for ``…_at_once``.
    """

    observation: Ints
    by_observation: bool
    count: int
    interval: float
    arrays: tuple[Ints, ...] | None

    @classmethod
    def of(cls, schedule: Schedule, credit: Credit, every_step: bool, *, at_once: bool = True) -> Lessons:
        """Arrange a Schedule; ``at_once=False`` has the general loop do what the simple one could.

        Raises
        ------
        InvalidValue
            If nobody learns in it, or its versions and observations are in no causal order.
        """
        one_of(credit, "credit", "observation", "state")
        if not every_step and not len(schedule.updates["version"]):
            raise InvalidValue(
                "nobody learns in this Schedule: it has no updates; give every_step=True to learn at every step, or "
                "simulate with a learning_time"
            )
        observation = np.ascontiguousarray(schedule.steps["observation"])
        late = credit == "observation"
        applied = np.flatnonzero(observation >= 0)
        seen = observation[applied]
        count = len(applied)
        interval = float(applied[-1] - applied[0]) / (count - 1) if count > 1 else 1.0
        if at_once and every_step and (seen[1:] >= seen[:-1]).all():
            return cls(observation, late, count, interval, None)
        available = applied[1:] if late else applied + 1
        credited, led_to = (seen, np.append(seen[1:], 0)) if late else (applied, applied + 1)
        if every_step:
            number = np.arange(len(available))
            begun = (number, number, available, np.ones_like(number))
            versions = np.searchsorted(available, seen, side="right")
        else:
            begun = _updates(schedule)
            versions = schedule.steps["version"][applied]
        order = np.lexsort((seen, versions))
        _check_causes(applied[order], seen[order], versions[order], begun)
        lessons = (applied[order], versions[order], *begun, credited, led_to, available, applied)
        scratch = (np.zeros(len(begun[0]), dtype=np.int64), np.zeros(len(begun[0]), dtype=np.int64))
        return cls(
            observation, late, count, interval, tuple(np.ascontiguousarray(a, np.int64) for a in (*lessons, *scratch))
        )


def reward_range(mdp: TabularMDP, given: tuple[float, float] | None) -> tuple[float, float]:
    """Lowest reward and 1 / range: given, 0..1 if all rewards of the agent lie there, else those of the table.

    Raises
    ------
    InvalidValue
    """
    if given is None:
        low, high = float(mdp.r.min()), float(mdp.r.max())
        given = (min(low, 0.0), max(high, 1.0)) if low >= 0.0 and high <= 1.0 else (low, high)
        if given[0] == given[1]:
            given = (low, low + 1.0)
    low, high = given
    if not (np.isfinite([low, high]).all() and low < high):
        raise InvalidValue(f"reward_range ({low:g}, {high:g}) must be two numbers, the first one smaller")
    return float(low), 1.0 / (high - low)


def one_of(value: str, name: str, *choices: str) -> None:
    """Refuse any other text.

    Raises
    ------
    InvalidValue
    """
    if value not in choices:
        raise InvalidValue(f"{name} {value!r:.60} must be {' or '.join(map(repr, choices))}")


def inside(
    value: float, name: str, low: float, high: float, *, open_low: bool = False, open_high: bool = False
) -> float:
    """A number in low..high.

    Raises
    ------
    InvalidValue
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.floating | np.integer):
        raise InvalidValue(f"{name} must be a number")
    if not low <= value <= high or (open_low and value == low) or (open_high and value == high):
        signs = "<" if open_low else "<=", "<" if open_high else "<="
        raise InvalidValue(f"{name} {value:g} must lie in {low:g} {signs[0]} {name} {signs[1]} {high:g}")
    return float(value)


def _updates(schedule: Schedule) -> tuple[Ints, Ints, Ints, Ints]:
    """Updates in the order of their starts (their numbers, versions read, newest steps), and batches by number."""
    columns = schedule.updates
    number = np.arange(len(columns["version"]))
    read, known = columns["read_version"], columns["data_step"]
    if (columns["version"] != number + 1).any() or ((read < 0) | (read > number)).any():
        raise InvalidValue("versions of the Schedule's updates must count 1, 2, …, each read from an earlier one")
    if (columns["batch"] < 0).any():
        raise InvalidValue("a batch of the Schedule's updates is negative")
    order = np.lexsort((number, known, read))
    return order, read[order], known[order], columns["batch"]


def _check_causes(applied: Ints, seen: Ints, versions: NDArray[np.int64], begun: tuple[Ints, Ints, Ints, Ints]) -> None:
    """Nothing may be computed before what it is computed from; inferences in the order of their starts."""
    _, read, known, batch = begun
    if len(versions) and (versions[0] < 0 or versions[-1] > len(batch)):
        raise InvalidValue(
            f"the Schedule's actions use versions {int(versions[0])}..{int(versions[-1])}; it has {len(batch)} updates"
        )
    # An inference is computed on the first step that needs it, or one that started later.
    computed = np.minimum.accumulate(applied[::-1])[::-1]
    early = np.flatnonzero(seen > computed)
    if len(early):
        at = int(early[0])
        raise InvalidValue(
            f"the Schedule's action of step {int(applied[at])} uses version {int(versions[at])} and observation "
            f"{int(seen[at])}, later than an action of step {int(computed[at])} with a newer version"
        )
    used = np.searchsorted(versions, read, side="right")
    needed = used < len(versions)
    late = np.flatnonzero(known[needed] > computed[used[needed]])
    if len(late):
        raise InvalidValue(
            f"an update of the Schedule uses step {int(known[needed][late[0]])}, but an action of step "
            f"{int(computed[used[needed]][late[0]])} already uses what it led to"
        )
