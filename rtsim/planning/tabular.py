"""A tabular MDP as an environment to plan for: exact where actions do not move the state, numerical elsewhere."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from rtsim import theory
from rtsim.experiments.worst_cases import late_schedule
from rtsim.mdps import TabularMDP
from rtsim.planning.environment import Parts, added_up
from rtsim.regret import reference, regret_over_seeds
from rtsim.theory.chains import long_run_frequencies

Floats = NDArray[np.float64]

#: Steps and seeds of the rollouts that tell what a delay costs, and delays looked at one by one; beyond every few.
STEPS, SEEDS, EACH = 4_000, 4, 8
#: Inaction fractions at which the cost of inaction is solved for; linear between.
SHARES = (0.0, 0.01, 0.03, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.97, 1.0)
#: Digits of the shares and probabilities that one solution serves.
DIGITS = 5


class Tabular:
    """Regret of the best memoryless delayed policy of an MDP.

    * Nobody moves the state, neither the agent nor the default policy: expected gaps, exact.
    * No action of the agent moves the state otherwise than another, but default steps do: the gain of the best policy
      under this share of default steps and these delays (:func:`rtsim.theory.best_delayed`, exact if both are
      independent from step to step), and its parts by expected gap.
    * Else: inaction costs what the optimum without delay loses at that share of default steps, independent from step
      to step; a delay what the best policy found loses at that constant delay (:func:`rtsim.regret.reference`, in
      rollouts); mixtures of delays are averaged. Good enough to choose what to simulate, not more.

    Parameters
    ----------
    mdp : TabularMDP

    >>> from rtsim import mdps
    >>> jump = Tabular(mdps.of("jump(n=10, p=0.9)"))
    >>> inaction, delay = jump.parts(0.5, np.array([0.0, 0.0, 1.0]))
    >>> round(inaction, 6), round(delay, 6), round(theory.jump_delay_regret(10, 0.9, 2) / 2, 6)
    (0.5, 0.094444, 0.094444)
    """

    def __init__(self, mdp: TabularMDP) -> None:
        self.mdp = mdp
        self.free = bool((mdp.p == mdp.p[:, :1]).all())
        #: Whether the default policy's steps move the state as all others do.
        self.alike = self.free and np.array_equal(mdp.p[:, 0], mdp.chain_under_default[0])
        self._parts: dict[bytes, Parts] = {}
        self._late: dict[int, float] = {}
        self._ahead: list[Floats] = []

    @property
    def name(self) -> str:
        """What it is, in a few words."""
        return f"MDP {self.mdp.name}"

    @property
    def source(self) -> str:
        """How :meth:`parts` comes about; see :class:`~rtsim.planning.environment.Environment`."""
        return "closed form" if self.free else "numerical"

    @cached_property
    def _solved(self) -> theory.Optimum:
        return theory.optimum(self.mdp)

    @cached_property
    def default_cost(self) -> float:
        """Optimal gain less that of the default policy alone."""
        nothing = np.zeros(self.mdp.states, dtype=np.int64)
        return self._solved.gain - theory.delayed_gain(self.mdp, nothing, 0, inaction=1.0)

    def parts(self, inaction: float, delays: Floats) -> Parts:
        """Regret per step; see :class:`~rtsim.planning.environment.Environment`."""
        delays = np.round(np.trim_zeros(delays, "b") if delays.any() else np.ones(1), DIGITS)
        delays = delays / delays.sum()
        inaction = round(float(inaction), DIGITS)
        key = np.append(delays, inaction).tobytes()
        if key not in self._parts:
            ask = self._alike if self.alike else self._exact if self.free else self._added
            self._parts[key] = ask(inaction, delays)
        return self._parts[key]

    def least(self, shares: Floats) -> Parts:
        """What no rule can beat; see :class:`~rtsim.planning.environment.Environment`.

        Where nobody moves the state, costs add up. Elsewhere a policy may go where default steps cost little, so that
        only the least gap of a default step is sure, and nothing of a late action.
        """
        if self.alike:
            return added_up(shares, np.array([self._of_delay(k) for k in range(len(shares))]), self.default_cost)
        gap = float((self.mdp.default_policy * theory.gaps(self.mdp, self._solved)[1]).sum(axis=1).min())
        return Parts(gap * ((1.0 - float(shares.sum())) if gap > 0 else 1.0), 0.0)

    @cached_property
    def _frequencies(self) -> Floats:
        """How often each state is seen in the long run, where nobody moves it; shape (S,)."""
        return long_run_frequencies(sparse.csr_array(self.mdp.p[:, 0]), self.mdp.start)

    def _gaps_ahead(self, delay: int) -> Floats:
        """Expected gap by observed state and action that many steps later, where nobody moves the state; (S, A)."""
        if not self._ahead:
            self._ahead.append(theory.gaps(self.mdp, self._solved)[0])
        while len(self._ahead) <= delay:
            self._ahead.append(self.mdp.p[:, 0] @ self._ahead[-1])
        return self._ahead[delay]

    def _alike(self, inaction: float, delays: Floats) -> Parts:
        """Exact whatever the order of delays and default steps: each observed state has its own best guess."""
        late = sum(float(delays[k]) * self._gaps_ahead(int(k)) for k in np.flatnonzero(delays))
        lost = float(self._frequencies @ np.asarray(late).min(axis=1))
        return Parts(inaction * self.default_cost, (1.0 - inaction) * lost)

    def _exact(self, inaction: float, delays: Floats) -> Parts:
        found = theory.best_delayed(self.mdp, delays, inaction=inaction)
        total = self._solved.gain - found.gain
        # The same chain, paid the gap of the agent's own steps and nothing for the default's.
        own, _ = theory.gaps(self.mdp, self._solved)
        unpaid = np.zeros_like(self.mdp.r_default)
        gaps = TabularMDP(
            self.mdp.p, own, self.mdp.p_default, unpaid, self.mdp.default_policy, self.mdp.start, name="gaps"
        )
        delay = theory.delayed_gain(gaps, found.policy, delays, inaction=inaction)
        return Parts(total - delay, delay)

    def _added(self, inaction: float, delays: Floats) -> Parts:
        late = sum(float(delays[k]) * self._of_delay(int(k)) for k in np.flatnonzero(delays))
        return Parts(float(np.interp(inaction, SHARES, self._of_inaction)), (1.0 - inaction) * late)

    @cached_property
    def _of_inaction(self) -> list[float]:
        """Regret per step of the best undelayed policy at each of :data:`SHARES`."""
        away, paid = self.mdp.chain_under_default
        found = []
        for share in SHARES[:-1]:
            p = (1 - share) * self.mdp.p + share * away[:, None, :]
            r = (1 - share) * self.mdp.r + share * paid[:, None]
            found.append(self._solved.gain - theory.optimum(TabularMDP.of(p, r)).gain)
        return [*found, self.default_cost]

    def _of_delay(self, delay: int) -> float:
        """Regret per step of the best policy found whose actions are all so late; linear between looked-at delays."""
        if delay <= EACH:
            return self._looked_at(delay)
        below: int = EACH * 2 ** int(np.log2(delay / EACH))
        low, high = self._looked_at(below), self._looked_at(2 * below)
        return float(low + (high - low) * (delay - below) / below)

    def _looked_at(self, delay: int) -> float:
        if delay not in self._late:
            if self.free:
                self._late[delay] = self._solved.gain - theory.best_delayed(self.mdp, delay).gain
            elif delay == 0:
                self._late[delay] = 0.0
            else:
                schedule = late_schedule(delay, STEPS + delay, engine="compiled")
                policy = reference(self.mdp, schedule, prove=False).policy
                lost = regret_over_seeds(self.mdp, policy, schedule, SEEDS, best=policy)
                self._late[delay] = lost.means["delay"].mean / STEPS
        return self._late[delay]
