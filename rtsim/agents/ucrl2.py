"""UCRL2, the model-based learner with optimal regret in T."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rtsim.agents import kernel
from rtsim.agents.lessons import Credit, Lessons, inside, one_of, reward_range
from rtsim.agents.world import Draws, Trajectory


@dataclass(frozen=True)
class UCRL2:
    """Optimism in the face of uncertainty: the best policy of the best MDP that the data allow.

    Jaksch et al. 2010, Figure 1. With N visits of (s, a) among t lessons, rewards are taken to lie within
    √(7 ln(2SAt/δ)/(2N)) of their mean, transition probabilities within √(14 S ln(2At/δ)/N) of the frequencies in the
    1-norm; extended value iteration stops when changes differ by less than 1/√t. Two deviations, neither of which
    changes the order of the regret: an episode ends as soon as a pair has been visited in it as often as before (the
    paper's ends when it would be visited once more), and value iteration begins with the values of the last episode.

    An update adds its lessons to the counts when it lands; what it read before does not matter, as counts add up.

    Attributes
    ----------
    confidence : float
        δ, in 0 < δ < 1.
    scale : float
        Factor of both widths: 1 in the paper; smaller ones explore less than the proof needs, and do better.
    reward_range, credit, every_step
        As for :class:`~rtsim.agents.QUCB`.

    Examples
    --------
    >>> from rtsim import mdps
    >>> from rtsim.rollout import rollout, undelayed
    >>> found = rollout(mdps.of("forward(states=3)"), UCRL2(every_step=True), undelayed(10_000))
    >>> float(found.rewards[-5_000:].mean()) > 0.9
    True
    """

    confidence: float = 0.05
    scale: float = 1.0
    reward_range: tuple[float, float] | None = None
    credit: Credit = "observation"
    every_step: bool = False

    def __post_init__(self) -> None:
        inside(self.confidence, "confidence", 0, 1, open_low=True, open_high=True)
        inside(self.scale, "scale", 0, 1e9)
        one_of(self.credit, "credit", "observation", "state")

    def run(self, draws: Draws) -> Trajectory:
        """All steps of a Schedule."""
        mdp, found = draws.world.mdp, Trajectory.begin(draws)
        lessons = Lessons.of(draws.schedule, self.credit, self.every_step)
        low, narrow = reward_range(mdp, self.reward_range)
        knobs = np.array([low, narrow, self.confidence, self.scale, 1 / lessons.interval])
        settings = np.array([int(lessons.by_observation)], dtype=np.int64)
        states, pairs = mdp.states, mdp.states * mdp.actions
        counts = [np.zeros(n, dtype=np.int64) for n in (pairs, pairs, pairs * states)]
        tables = [np.zeros(n) for n in (pairs, pairs * states, pairs, pairs, states, states)]
        before = (*draws.world.arrays, *draws.of_steps, lessons.observation)
        after = (settings, knobs, *counts, *tables, np.arange(states), np.zeros(states, dtype=np.int64), *found.arrays)
        if lessons.arrays is None:
            kernel.loop("ucrl2_at_once")(*before, *after)
        else:
            found.actions[:] = -1
            kernel.loop("ucrl2_as_landed")(*before, *lessons.arrays, *after)
        return found
