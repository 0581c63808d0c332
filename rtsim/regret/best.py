"""The best delayed policy under a Schedule: what a learner is held against."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rtsim.agents import Policy, Tabular
from rtsim.agents.world import solved as solution
from rtsim.errors import InvalidValue, NoConvergence
from rtsim.mdps import TabularMDP
from rtsim.schedule import Schedule

if TYPE_CHECKING:
    from rtsim.theory import DelayedPolicy

#: Augmented states that a search may solve before it is stopped: about ten seconds.
MOST_WORK = 1_000_000


class Best(NamedTuple):
    """The best delayed policy of a Schedule, as far as it is known.

    Attributes
    ----------
    policy : Tabular
    found : DelayedPolicy or None
        What theory says of it; None for the undelayed optimum, acting late, where the delayed chain is too large.
    """

    policy: Policy
    found: DelayedPolicy | None

    @property
    def label(self) -> str:
        """How good it is known to be: "exact", "best found" (stopped or not) or "undelayed optimum"."""
        if self.found is None:
            return "undelayed optimum"
        if self.found.exact:
            return "exact"
        return "best found" if self.found.complete else "best found, search stopped"


def reference(mdp: TabularMDP, schedule: Schedule) -> Best:
    """The best memoryless policy for the delay a Schedule typically has.

    :func:`rtsim.theory.best_delayed` for the most frequent delay, the most frequent number m of steps from one agent
    step to the next, and the share of those steps on which no action came; where no action moves the state and m = 1,
    for the distribution of delays. The result is exact or the best found, as its ``label`` says; a search ends after
    :data:`MOST_WORK`. If the delayed chain is too large to solve, the undelayed optimal policy, acting late, takes its
    place.

    Parameters
    ----------
    mdp : TabularMDP
    schedule : Schedule

    >>> import rtsim
    >>> from rtsim import mdps
    >>> late = rtsim.simulate(rtsim.Scenario("max_time", 1.5, workers=2, step_time=1.0, steps=100))
    >>> best = reference(mdps.of("delay(n=4, p=0.1)"), late)
    >>> best.found.policy, best.label  # two steps late: most likely two states further
    (array([2, 3, 0, 1]), 'exact')
    """
    acted = np.flatnonzero(schedule.acted)
    delays = np.bincount(schedule.delay_steps) if len(acted) else np.ones(1, dtype=np.int64)
    every = int(np.bincount(np.diff(acted)).argmax()) if len(acted) > 1 else 1
    # To three digits, so that Schedules alike share a solution.
    inaction = round(max(0.0, 1.0 - len(acted) * every / len(schedule)), 3)
    moved = bool((mdp.p != mdp.p[:, :1]).any())
    chances = tuple((delays / delays.sum()).tolist()) if every == 1 and not moved else None
    found = _best_delayed(mdp, int(delays.argmax()) if chances is None else chances, every, inaction)
    return Best(Tabular(solution(mdp).policy if found is None else found.policy), found)


@lru_cache(maxsize=256)
def _best_delayed(mdp: TabularMDP, delay: int | tuple[float, ...], every: int, inaction: float) -> DelayedPolicy | None:
    from rtsim.theory import best_delayed

    try:
        return best_delayed(mdp, delay, every=every, inaction=inaction, restarts=0, most_work=MOST_WORK)
    except (InvalidValue, NoConvergence):
        return None
