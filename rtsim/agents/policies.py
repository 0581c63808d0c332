"""Policies that do not learn: from a table, with the true state, with the pending actions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from rtsim.agents import kernel
from rtsim.agents.world import Draws, Floats, Ints, Trajectory, cumulated, solved
from rtsim.errors import InvalidValue
from rtsim.mdps import TabularMDP, checks


class Policy(Protocol):
    """What acts in a rollout."""

    def run(self, draws: Draws) -> Trajectory:
        """All steps of a Schedule."""
        ...  # pragma: no cover


@dataclass(frozen=True, eq=False)
class Tabular:
    """A memoryless policy: the action depends on one observed state, however old.

    Attributes
    ----------
    table : array_like, int, shape (S,), or float, shape (S, A)
        The action in each observed state, or the actions' probabilities. A stochastic action is drawn once per
        inference (and position in its chunk).

    Examples
    --------
    >>> from rtsim import mdps
    >>> from rtsim.rollout import rollout, undelayed
    >>> rollout(mdps.of("forward(states=3)"), Tabular([0, 0, 1]), undelayed(5)).states
    array([0, 1, 2, 2, 2, 2])
    """

    table: ArrayLike

    def run(self, draws: Draws) -> Trajectory:
        """All steps of a Schedule."""
        return _walk(draws, self.table, np.asarray(draws.schedule.steps["observation"]))


@dataclass(frozen=True, eq=False)
class Oracle:
    """Acts on the true current state, whatever the delay: what delay costs is the difference to it.

    Attributes
    ----------
    table : array_like, int, shape (S,), or float, shape (S, A), optional
        As for :class:`Tabular`; by default an optimal policy of the undelayed MDP.
    """

    table: ArrayLike | None = None

    def run(self, draws: Draws) -> Trajectory:
        """All steps of a Schedule."""
        schedule = draws.schedule
        table = solved(draws.world.mdp).policy if self.table is None else self.table
        return _walk(draws, table, np.where(schedule.acted, np.arange(len(schedule)), -1))


@dataclass(frozen=True, eq=False)
class Pending:
    """Knows the actions applied since its observation, and acts on what the state is likely to be.

    The belief is rolled forward from the observed state with the actions applied since, those of the default policy
    by its probabilities, and the action maximises the expected optimal value r + Σ p h of the undelayed MDP.
    Optimal where the agent's moves and the default policy are deterministic: then the belief is the state
    (Katsikopoulos & Engelbrecht 2003). Elsewhere it is the Q_MDP heuristic (Littman, Cassandra & Kaelbling 1995), which
    acts as if the state were seen from the next step on. It takes S² operations per step of delay.

    Attributes
    ----------
    values : array_like, float, shape (S, A), optional
        Values whose expectation is maximised; by default the optimal ones.

    Examples
    --------
    A memoryless policy cannot halt at the goal if it sees it two steps late; this one can:

    >>> import rtsim
    >>> from rtsim import mdps
    >>> from rtsim.rollout import rollout
    >>> late = rtsim.simulate(rtsim.Scenario("max_time", 1.5, workers=2, step_time=1.0, steps=30))
    >>> rollout(mdps.of("forward(states=3)"), Pending(), late).states[-5:]
    array([2, 2, 2, 2, 2])
    """

    values: ArrayLike | None = None

    def run(self, draws: Draws) -> Trajectory:
        """All steps of a Schedule."""
        mdp = draws.world.mdp
        if self.values is None:
            values = mdp.r + mdp.p @ solved(mdp).bias
        else:
            values = checks.table(self.values, "values", (mdp.states, mdp.actions))
        found = Trajectory.begin(draws)
        kernel.loop("anticipate")(
            *draws.world.arrays,
            *draws.of_steps,
            np.ascontiguousarray(draws.schedule.steps["observation"]),
            np.array(mdp.p.reshape(-1)),
            np.array(mdp.chain_under_default[0].reshape(-1)),
            np.array(values.reshape(-1)),
            np.empty(mdp.states),
            np.empty(mdp.states),
            *found.arrays,
        )
        return found


def actions_or_chances(mdp: TabularMDP, table: ArrayLike) -> tuple[Ints, Floats]:
    """A policy's actions (S,) and no chances, or its chances (S, A); the other one empty.

    Raises
    ------
    InvalidValue
    """
    found = np.asarray(table)
    if found.ndim == 1:
        if found.dtype.kind not in "iu" or found.shape != (mdp.states,) or ((found < 0) | (found >= mdp.actions)).any():
            raise InvalidValue(f"policy must give one action in 0..{mdp.actions - 1} for each of {mdp.states} states")
        return found.astype(np.int64), np.empty((0, 0))
    chances = checks.table(table, "policy", (mdp.states, mdp.actions))
    return np.empty(0, dtype=np.int64), checks.distributions(chances, "policy", "row {} of policy")


def _walk(draws: Draws, table: ArrayLike, observation: Ints) -> Trajectory:
    actions, chances = actions_or_chances(draws.world.mdp, table)
    stochastic = len(chances) > 0
    found = Trajectory.begin(draws)
    kernel.loop("walk")(
        *draws.world.arrays,
        *draws.of_steps,
        np.ascontiguousarray(observation, dtype=np.int64),
        actions,
        cumulated(chances) if stochastic else np.empty(0),
        draws.of_inferences() if stochastic else np.empty(0),
        *found.arrays,
    )
    return found
