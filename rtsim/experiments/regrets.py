"""What a scenario costs on an MDP: the realtime regret of an agent, its parts and the papers' bounds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rtsim import theory
from rtsim.agents import AgentSpec, Policy
from rtsim.intervals import Interval
from rtsim.mdps import TabularMDP
from rtsim.regret import Best, RegretCurve, RegretOverSeeds, reference, regret_curve
from rtsim.schedule import Schedule


@dataclass(frozen=True)
class RegretRow:
    """Regret of an agent on an MDP, per second (reward/s), mean over the seeds; names as in the JSON output.

    Attributes
    ----------
    total_per_s, inaction_per_s, delay_per_s, learn_per_s, inaction_on_run_per_s : float
        See :class:`rtsim.regret.Regret`; from the first step on, warm-up included.
    total_per_s_ci95, inaction_per_s_ci95, delay_per_s_ci95, learn_per_s_ci95 : (float, float) or None
        Student t intervals.
    boundary_per_s, noise_per_s : float
        What total lacks to inaction + delay + learn.
    boundary, noise : float
        The same in units of reward, over the run.
    reference : {"expected", "rollout"}
        Whether inaction and delay are expected values, given the Schedules, or those of one rollout per seed.
    best : str
        How good the best delayed policy is known to be (:class:`rtsim.regret.Best`), that of the seed of which least is
        known; "agent" if that is the agent.
    bound : dict
        What Theorem 1 of Riemer et al. 2025 says, per second: ``inaction_per_s`` (Eq. 3) and ``delay_per_s`` (Eq. 4),
        worst cases in which a step loses at most the range of the rewards, and ``learn_per_s`` (Eq. 2, over a whole
        run: √(A τ/τ̄_I)/τ), the growth that the worst MDP forces on every learner, with constant 1, so that it is
        neither more nor less than what a learner loses on this MDP; None for agents that do not learn.
    """

    mdp: str
    agent: str
    gain_per_step: float
    total_per_s: float
    inaction_per_s: float
    delay_per_s: float
    learn_per_s: float
    inaction_on_run_per_s: float
    boundary_per_s: float
    noise_per_s: float
    total_per_s_ci95: Interval | None
    inaction_per_s_ci95: Interval | None
    delay_per_s_ci95: Interval | None
    learn_per_s_ci95: Interval | None
    boundary: float
    noise: float
    reference: str
    best: str
    bound: dict[str, float | None]


class Rollouts:
    """The regret of one agent under the Schedules of one scenario, seed by seed.

    Parameters
    ----------
    mdp : TabularMDP
    agent : AgentSpec
    step : float
        Mean step time, s.
    points : int
        Of the curves of regret against time, the end alone by default.

    >>> import rtsim
    >>> from rtsim import mdps
    >>> late = rtsim.simulate(rtsim.Scenario("sequential", 2.5, step_time=1.0, steps=9_000))
    >>> found = Rollouts(mdps.of("inaction"), AgentSpec.of("best"), 1.0)
    >>> found.add(late, seed=0)
    >>> row = found.row()
    >>> round(row.inaction_per_s, 3), round(row.bound["inaction_per_s"], 3)  # 3 of 5 steps are the default's
    (0.6, 0.6)
    """

    def __init__(self, mdp: TabularMDP, agent: AgentSpec, step: float, points: int = 1) -> None:
        self.mdp, self.agent, self.step, self.points = mdp, agent, step, points
        self.seeds: list[int] = []
        self.curves: list[RegretCurve] = []
        self.delays = np.zeros(0, dtype=np.int64)
        self.steps = 0
        self._known: list[Best] = []

    def add(self, schedule: Schedule, seed: int) -> None:
        """Roll out once, against the best delayed policy under this very Schedule."""
        best: Policy | None = None
        if not self.knows_more:
            self._known.append(reference(self.mdp, schedule))
            best = self._known[-1].policy
        policy = self.agent.policy(best, learns=bool(len(schedule.updates["land_ns"])))
        self.curves.append(
            regret_curve(self.mdp, policy, schedule, seed, best=policy if best is None else best, points=self.points)
        )
        self.seeds.append(seed)
        self.steps += len(schedule)
        counts = np.bincount(schedule.delay_steps, minlength=len(self.delays))
        counts[: len(self.delays)] += self.delays
        self.delays = counts

    @property
    def knows_more(self) -> bool:
        """Oracle and Pending know more than any memoryless policy: nothing of theirs is learning."""
        return self.agent.agent.name in ("oracle", "pending")

    @property
    def found(self) -> RegretOverSeeds:
        """The regret of the seeds so far."""
        return RegretOverSeeds(tuple(self.seeds), tuple(self.curves))

    def row(self, interaction_time: float | None = None) -> RegretRow:
        """What the seeds so far say.

        Parameters
        ----------
        interaction_time : float, optional
            Mean time between agent steps as theory predicts it, s; the Schedules' own if not given.
        """
        assert self.curves, "a row is asked for before anything was added"
        rates, means = self.found.per_second, self.found.means
        return RegretRow(
            mdp=self.mdp.name,
            agent=str(self.agent),
            gain_per_step=self.curves[0].gain,
            total_per_s=rates["total"][0],
            inaction_per_s=rates["inaction"][0],
            delay_per_s=rates["delay"][0],
            learn_per_s=rates["learn"][0],
            inaction_on_run_per_s=rates["inaction_on_run"][0],
            boundary_per_s=rates["boundary"][0],
            noise_per_s=rates["noise"][0],
            total_per_s_ci95=rates["total"][1],
            inaction_per_s_ci95=rates["inaction"][1],
            delay_per_s_ci95=rates["delay"][1],
            learn_per_s_ci95=rates["learn"][1],
            boundary=means["boundary"][0],
            noise=means["noise"][0],
            reference="expected" if all(curve.reference == "expected" for curve in self.curves) else "rollout",
            best="agent" if self.knows_more else min(self._known, key=lambda b: (b.exact, b.complete)).label,
            bound=self._bound(interaction_time),
        )

    def _bound(self, interaction_time: float | None) -> dict[str, float | None]:
        """Theorem 1 per second, for the Schedules' delays."""
        mdp, acted = self.mdp, int(self.delays.sum())
        largest = float(max(mdp.r.max(), mdp.r_default.max()) - min(mdp.r.min(), mdp.r_default.min()))
        learns = self.agent.agent.learner is not None
        if not acted:
            return {
                "inaction_per_s": largest / self.step,
                "delay_per_s": 0.0,
                "learn_per_s": 0.0 if learns else None,
            }
        measured = self.step * self.steps / acted
        horizon = self.step * self.steps / len(self.seeds)
        found = theory.realtime_regret(
            horizon,
            max(measured if interaction_time is None else interaction_time, self.step),
            self.step,
            theory.p_minimax(mdp),
            (self.delays / acted).tolist(),
            mdp.actions,
            largest,
        )
        return {
            "inaction_per_s": found.inaction / horizon,
            "delay_per_s": found.delay / horizon,
            "learn_per_s": found.learn / horizon if learns else None,
        }


_PARTS = ("total", "inaction", "delay", "learn", "inaction_on_run", "boundary", "noise")
_BOUNDS = ("inaction", "delay", "learn")
#: Columns of :func:`regret_columns` and their types; reward per second, boundary and noise in reward, and two labels.
REGRET_COLUMNS: dict[str, type] = {
    **{f"regret_{part}_per_s": float for part in _PARTS},
    "regret_boundary": float,
    "regret_noise": float,
    "regret_reference": str,
    "regret_best": str,
    **{f"bound_{part}_per_s": float for part in _BOUNDS},
}


def regret_columns(row: RegretRow) -> dict[str, float | str | None]:
    """The regret of one run as columns of a table, see :data:`REGRET_COLUMNS`."""
    rates = [getattr(row, f"{part}_per_s") for part in _PARTS]
    bounds = [row.bound[f"{part}_per_s"] for part in _BOUNDS]
    return dict(zip(REGRET_COLUMNS, (*rates, row.boundary, row.noise, row.reference, row.best, *bounds), strict=True))
