"""What no policy exceeds on the MDPs of a figure: exact, for drawing beside what was learnt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Protocol

from rtsim import agents, mdps, theory
from rtsim.clocks import simulate
from rtsim.envs.tabular import Tabular
from rtsim.regret.expected import expected_gaps, least_expected
from rtsim.studies.cells import scenario
from rtsim.studies.design import Cell, Figure
from rtsim.studies.trends import METHODS_KEPT, SEQUENTIAL


class Placed(Protocol):
    """A point of a figure."""

    @property
    def panel(self) -> str: ...
    @property
    def delay_steps(self) -> int: ...
    @property
    def budget_steps(self) -> int: ...


def optima(figure: Figure, points: Iterable[Placed]) -> dict[str, dict[str, Sequence[tuple[int, float]]]]:
    """Reward per step of the best policies that see one old observation, by panel, and (delay, reward) by label.

    Under the Schedules of the trainings themselves: sequential, ``max_time``, and if it is there ``time_triggered``,
    whose delay does not vary. The first steps are included.
    """
    known = list(points)
    found: dict[str, dict[str, Sequence[tuple[int, float]]]] = {}
    for panel in figure.panels:
        here = [point for point in known if point.panel == panel.env]
        if panel.endless and here:
            delays, steps = sorted({point.delay_steps for point in here}), max(point.budget_steps for point in here)
            name = panel.env.removeprefix("mdp:")
            methods = [method for method in (*METHODS_KEPT, SEQUENTIAL) if method in figure.methods]
            found[panel.env] = {
                f"optimum, {method}": [(d, best(name, method, d, steps, figure.number)) for d in delays]
                for method in methods
            }
    return found


@lru_cache(maxsize=256)
def best(mdp: str, method: str, delay: int, steps: int, figure: int = 5) -> float:
    """Expected reward per step of the best memoryless policy under the Schedule of a cell, from its first step on.

    Source: the least sum of expected gaps (:func:`rtsim.regret.expected.least_expected`), for MDPs whose state no
    action moves otherwise than another.

    >>> round(best("inaction", "sequential", 5, 900), 2)  # an action every 4.5 steps
    0.22
    """
    world = mdps.of(mdp)
    cell = Cell(figure, f"mdp:{mdp}", method if delay else "no delay", 15, 0, delay, 0, steps)
    times = scenario(cell, Tabular.metadata["render_fps"], 1).with_(steps=steps, learning_time=None, learners=1)
    schedule = simulate(times)
    policy = least_expected(world, schedule)
    gaps = None if policy is None else expected_gaps(world, agents.Tabular(policy), schedule)
    assert gaps is not None
    return float(theory.optimum(world).gain - gaps.mean())
