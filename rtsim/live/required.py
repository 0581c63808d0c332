"""The fewest workers, or learners, that are enough in real time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from rtsim.live.plan import LivePlan
from rtsim.live.run import play
from rtsim.live.summary import settled, summary
from rtsim.live.trials import Player
from rtsim.theory import ceil_ratio

#: Runs of one number, if the first ones do not tell clearly.
REPEATS = 3


@dataclass
class Fewest:
    """What a search found.

    Attributes
    ----------
    number : int or None
        The fewest that were enough; None if not even the most were.
    tried : dict of int to list of float
        What was measured with each number, by run.
    disturbed : int
        Runs that the machine disturbed.
    """

    number: int | None = None
    tried: dict[int, list[float]] = field(default_factory=dict)
    disturbed: int = 0


def search(enough: Callable[[int], bool], least: int, most: int) -> int | None:
    """The fewest that are enough while one fewer are not, by halving; None if ``most`` are not enough.

    Inaction need not fall with every worker more; then this is one such number of several.

    >>> search(lambda n: n >= 23, 1, 72), search(lambda n: False, 1, 72), search(lambda n: True, 3, 72)
    (23, None, 3)
    """
    low, high, step = least, least, 1
    while not enough(high):  # double the distance: what is needed lies near the least there can be
        if high >= most:
            return None
        low, high, step = high + 1, min(high + step, most), 2 * step
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return high


def fewest_workers(
    plan: LivePlan,
    target: float,
    most: int,
    *,
    play: Player = play,
    on_run: Callable[[int, float], None] | None = None,
) -> Fewest:
    """The fewest workers with which a live run's inaction is at most ``target``.

    The search begins at the capacity limit, ⌈(1 − target) τ̄_θ/τ_M⌉, not at what a simulation says. A number is
    run once if the first run shows less than half or more than twice the target, else :data:`REPEATS` times,
    with seeds of their own, and the mean counts.

    Parameters
    ----------
    plan : LivePlan
        Its number of workers does not matter.
    target : float
    most : int
    play : callable(plan) -> Schedule
    on_run : callable(number, inaction), optional
    """
    found = Fewest()
    scenario = plan.scenario

    def enough(number: int) -> bool:
        values = found.tried.setdefault(number, [])
        while len(values) < REPEATS and not (values and _clear(float(np.mean(values)), target)):
            seed = scenario.seed + 1000 * number + len(values)
            schedule = play(plan.with_(scenario=scenario.with_(workers=number, seed=seed)))
            values.append(settled(schedule).inaction_fraction)
            found.disturbed += summary(schedule).disturbed
            if on_run is not None:
                on_run(number, values[-1])
        return float(np.mean(values)) <= target

    least = ceil_ratio((1 - target) * scenario.inference_mean, scenario.step_mean)
    found.number = search(enough, min(least, most), most)
    return found


def fewest_learners(
    plan: LivePlan,
    most: int,
    *,
    play: Player = play,
    on_run: Callable[[int, float], None] | None = None,
) -> Fewest:
    """The fewest learners that learn from at least one transition per step in a live run.

    As in the simulation, one update of each learner may be missing from the steps counted.
    """
    found = Fewest()
    scenario = plan.scenario

    def enough(number: int) -> bool:
        schedule = play(plan.with_(scenario=scenario.with_(learners=number)))
        warmup = len(schedule) // 3
        per_step = schedule.statistics(warmup).transitions_per_step
        found.tried[number] = [per_step]
        found.disturbed += summary(schedule).disturbed
        if on_run is not None:
            on_run(number, per_step)
        return per_step >= 1 - number * scenario.batch / (len(schedule) - warmup)

    found.number = search(enough, 1, most)
    return found


def _clear(value: float, target: float) -> bool:
    return not target / 2 < value < 2 * target
