"""The best delayed policy under a Schedule: what a learner is held against."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtsim.agents import Tabular
from rtsim.agents.world import Draws, World
from rtsim.agents.world import solved as solution
from rtsim.mdps import TabularMDP
from rtsim.regret.expected import least_expected
from rtsim.schedule import Schedule

if TYPE_CHECKING:
    from rtsim.theory import DelayedPolicy

#: Augmented states that trying all policies of one delay in theory may take: about two seconds.
MOST_WORK = 300_000
#: Steps of rollouts that a first look at all policies of one Schedule may take: some tenths of a second.
MOST_STEPS = 10_000_000
#: Rollouts of each policy, the steps of each at a first look, and how many are looked at over the whole Schedule.
TRIALS, FIRST_LOOK, SHORT_LIST = 4, 2_000, 16
#: Seeds of these rollouts, beyond any that a run may have: what is chosen must not know the luck it is judged by.
FIRST_SEED = 2**63

Actions = NDArray[np.int64]


class Best(NamedTuple):
    """The best delayed policy of a Schedule, as far as it is known.

    Attributes
    ----------
    policy : Tabular
        Deterministic, int64, shape (S,).
    exact : bool
        Whether no other deterministic memoryless policy is expected to lose less under this Schedule.
    complete : bool
        False if a search was stopped before all policies, or all changes of a single state's action, were tried.
    """

    policy: Tabular
    exact: bool
    complete: bool = True

    @property
    def label(self) -> str:
        """How good it is known to be: "exact", "best found" or "best found, search stopped"."""
        if self.exact:
            return "exact"
        return "best found" if self.complete else "best found, search stopped"


def reference(mdp: TabularMDP, schedule: Schedule, *, prove: bool = True) -> Best:
    """The best memoryless policy under one Schedule: proved where it can be, else the best found by trying.

    * No action moves the state otherwise than another: each observed state has its own best guess, that of the least
      expected gap summed over the Schedule (:func:`rtsim.regret.expected.least_expected`). Exact.
    * All delays are equal, and all distances between agent steps: the best in theory
      (:func:`rtsim.theory.best_delayed`), if all policies can be tried within :data:`MOST_WORK`. Exact in the long run.
    * Else policies are tried on the Schedule itself, in rollouts with seeds of their own: all of them, or, beyond
      :data:`MOST_STEPS`, the undelayed optimum and what it would do some steps ahead, improved one state at a time.

    Parameters
    ----------
    mdp : TabularMDP
    schedule : Schedule
    prove : bool
        Whether the second of these is tried, which may take seconds; else such a Schedule is searched as others are.

    >>> import rtsim
    >>> from rtsim import mdps
    >>> late = rtsim.simulate(rtsim.Scenario("max_time", 1.5, workers=2, step_time=1.0, steps=100))
    >>> best = reference(mdps.of("delay(n=4, p=0.1)"), late)
    >>> best.policy.table, best.label  # two steps late: most likely two states further
    (array([2, 3, 0, 1]), 'exact')
    >>> one_step = rtsim.simulate(rtsim.Scenario("max_time", 0.5, workers=1, step_time=1.0, steps=100))
    >>> alternate = mdps.of("alternate")
    >>> reference(alternate, one_step).label, reference(alternate, one_step, prove=False).label
    ('exact', 'best found')
    """
    acted = np.flatnonzero(schedule.acted)
    if not len(acted):
        return Best(Tabular(solution(mdp).policy), True)  # it never acts
    if (table := least_expected(mdp, schedule)) is not None:
        return Best(Tabular(table), True)
    delays, between = schedule.delay_steps, np.diff(acted)
    if prove and not np.ptp(delays) and len(between) and not np.ptp(between):
        found = _in_theory(mdp, int(delays[0]), int(between[0]))
        if found is not None and found.exact:
            return Best(Tabular(found.policy), True)
    return _Search(mdp, schedule).best()


@lru_cache(maxsize=256)
def _in_theory(mdp: TabularMDP, delay: int, every: int) -> DelayedPolicy | None:
    """The best of all policies for one delay and one distance; None where trying them all takes too long."""
    from rtsim.theory import best_delayed
    from rtsim.theory.memoryless import ENUMERATED, PER_POLICY

    # Exponents are cut where any power but 1's is beyond all limits: the whole number would be long.
    policies = mdp.actions ** min(mdp.states, 64)
    each = PER_POLICY + mdp.states * mdp.actions ** min(delay // every, 64)
    if policies > ENUMERATED or policies * each > MOST_WORK:
        return None
    return best_delayed(mdp, delay, every=every)


class _Search:
    """Policies tried on a Schedule; what they lose is the sum of their gaps, in coupled rollouts."""

    def __init__(self, mdp: TabularMDP, schedule: Schedule) -> None:
        from rtsim.theory import gaps

        self.mdp, self.schedule = mdp, schedule
        self.world = World.of(mdp)
        self.gap = np.concatenate([part.reshape(-1) for part in gaps(mdp, solution(mdp))])
        self.look = self._draws(schedule if len(schedule) <= FIRST_LOOK else _beginning(schedule, FIRST_LOOK))
        self.most = max(1, MOST_STEPS // (TRIALS * min(len(schedule), FIRST_LOOK)))
        self.seen: dict[tuple[int, ...], float] = {}

    def best(self) -> Best:
        """The least loss over the whole Schedule among the best at a first look."""
        if self.mdp.actions ** min(self.mdp.states, 64) <= self.most:
            complete = True
            for policy in itertools.product(range(self.mdp.actions), repeat=self.mdp.states):
                self._at_first_look(policy)
        else:
            complete = self._climb(min(self._guesses(), key=self._at_first_look))
        short = sorted(self.seen, key=self.seen.__getitem__)[:SHORT_LIST]
        if len(self.schedule) > FIRST_LOOK:
            whole = self._draws(self.schedule)
            short.sort(key=lambda policy: self._lost(policy, whole))
        return Best(Tabular(np.array(short[0])), False, complete)

    def _draws(self, schedule: Schedule) -> list[Draws]:
        return [Draws(self.world, schedule, FIRST_SEED + trial) for trial in range(TRIALS)]

    def _at_first_look(self, policy: tuple[int, ...]) -> float:
        if policy not in self.seen:
            self.seen[policy] = self._lost(policy, self.look)
        return self.seen[policy]

    def _lost(self, policy: tuple[int, ...], trials: Iterable[Draws]) -> float:
        lost, made = 0.0, Tabular(np.array(policy))
        for draws in trials:
            run = made.run(draws)
            lost += float(self.gap[self.world.rows(run.states, run.actions, draws.schedule.acted)].sum())
        return lost

    def _guesses(self) -> list[tuple[int, ...]]:
        """The undelayed optimum, and what is best where its own moves lead in the least, middle and longest delay."""
        solved, states = solution(self.mdp), np.arange(self.mdp.states)
        moves, ahead = self.mdp.p[states, solved.policy], self.mdp.r + self.mdp.p @ solved.bias
        delays = np.percentile(self.schedule.delay_steps, [0, 50, 100]).astype(int).tolist()
        later = [_moved(moves, ahead, delay) for delay in delays]
        return [tuple(found.tolist()) for found in (solved.policy, *(values.argmax(axis=1) for values in later))]

    def _climb(self, policy: tuple[int, ...]) -> bool:
        """Coordinate ascent at a first look; whether it came to an end."""
        changed = True
        while changed:
            changed = False
            for s, a in itertools.product(range(self.mdp.states), range(self.mdp.actions)):
                other = (*policy[:s], a, *policy[s + 1 :])
                if other not in self.seen and len(self.seen) >= self.most:
                    return False
                if self._at_first_look(other) < self.seen[policy] - 1e-9:
                    policy, changed = other, True
        return True


def _moved(moves: NDArray[np.float64], values: NDArray[np.float64], times: int) -> NDArray[np.float64]:
    """movesᵗ · values; step by step where that is less work than the power of a matrix."""
    if times > len(moves):
        return np.asarray(np.linalg.matrix_power(moves, times) @ values, dtype=np.float64)
    for _ in range(times):
        values = moves @ values
    return values


def _beginning(schedule: Schedule, steps: int) -> Schedule:
    columns = {name: values[:steps] for name, values in schedule.steps.items()}
    return Schedule(
        schedule.header, columns, schedule.updates, schedule.busy_ns, schedule.learner_busy_ns, schedule.totals
    )
