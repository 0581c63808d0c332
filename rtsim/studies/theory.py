"""What no policy exceeds on the MDPs of a figure: exact, for drawing beside what was learnt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Protocol

from rtsim import mdps, theory
from rtsim.studies.design import Figure


class Placed(Protocol):
    """A point of a figure."""

    @property
    def panel(self) -> str: ...
    @property
    def delay_steps(self) -> int: ...


def optima(figure: Figure, points: Iterable[Placed]) -> dict[str, dict[str, Sequence[tuple[int, float]]]]:
    """Reward per step of the best policies that see one observation ``delay`` steps old, by panel and label.

    One line for an action at every step, one for an action every ``delay`` steps, with the default policy in between.
    """
    known = list(points)
    found: dict[str, dict[str, Sequence[tuple[int, float]]]] = {}
    for panel in figure.panels:
        delays = sorted({point.delay_steps for point in known if point.panel == panel.env})
        if panel.endless and delays:
            name = panel.env.removeprefix("mdp:")
            found[panel.env] = {
                "optimum, staggered": [(delay, best(name, delay, 1)) for delay in delays],
                "optimum, sequential": [(delay, best(name, delay, max(delay, 1))) for delay in delays],
            }
    return found


@lru_cache(maxsize=256)
def best(mdp: str, delay: int, every: int) -> float:
    """Gain of the best delayed policy; see :func:`rtsim.theory.best_delayed`.

    >>> round(best("inaction", 5, 5), 12), best("inaction", 5, 1)
    (0.2, 1.0)
    """
    return theory.best_delayed(mdps.of(mdp), delay, every=every).gain
