"""How long it takes to get from anywhere to anywhere."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rtsim.mdps import TabularMDP


def diameter(mdp: TabularMDP) -> float:
    """The diameter, in steps: the longest of the shortest expected times from one state to another.

    max over s ≠ t of min over policies of the expected number of steps from s to t (Jaksch et al. 2010, Definition 1),
    over the agent's actions; infinite if some state cannot be reached from some other. For each target, Howard's policy
    iteration from a policy that gets nearer with positive probability: S times a few systems of S equations.

    Parameters
    ----------
    mdp : TabularMDP

    Examples
    --------
    Of the family behind the lower bound on learning it is 1/delta, the way down:

    >>> from rtsim import mdps
    >>> round(diameter(mdps.of("jao(delta=0.1, epsilon=0.05)")), 9), diameter(mdps.of("forward(states=5)"))
    (10.0, 4.0)
    """
    return max((float(_hitting_times(mdp.p, target).max()) for target in range(mdp.states)), default=0.0)


def _hitting_times(p: NDArray[np.float64], target: int) -> NDArray[np.float64]:
    """Least expected steps to the target, shape (S,)."""
    states = len(p)
    policy = np.full(states, -1)
    near = np.zeros(states, dtype=bool)
    near[target] = True
    while not near.all():
        ahead = p[:, :, near].sum(axis=2)
        new = ~near & (ahead.max(axis=1) > 0)
        if not new.any():
            return np.full(states, math.inf)
        policy[new] = ahead[new].argmax(axis=1)
        near |= new
    others = np.flatnonzero(np.arange(states) != target)
    times = np.zeros(states)
    while True:
        inside = p[others, policy[others]][:, others]
        times[others] = np.linalg.solve(np.eye(len(others)) - inside, np.ones(len(others)))
        after = 1.0 + p[others] @ times
        # Only what is better for certain: among equals a policy could go round in circles.
        better = after.min(axis=1) < times[others] * (1 - 1e-12)
        if not better.any():
            return times
        policy[others[better]] = after[better].argmin(axis=1)
