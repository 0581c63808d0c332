"""What a scenario costs on an MDP: the realtime regret of an agent, its parts and the papers' bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from rtsim import theory
from rtsim.agents import QUCB, UCRL2, EpsilonGreedyQ, Oracle, Pending, Policy
from rtsim.errors import InvalidValue, UnknownName
from rtsim.intervals import Interval
from rtsim.mdps import TabularMDP
from rtsim.regret import RegretCurve, RegretOverSeeds, reference, regret_curve
from rtsim.schedule import Schedule
from rtsim.timing import grammar, units


@dataclass(frozen=True)
class Agent:
    """A named agent: one line on what it is, its source, and the class of those that learn."""

    name: str
    summary: str
    source: str
    learner: type | None = None


AGENTS: Mapping[str, Agent] = {
    agent.name: agent
    for agent in (
        Agent("best", "the best memoryless policy for the Schedule's delay: nothing is left to learn", "ours"),
        Agent(
            "oracle", "acts on the true current state, however late: what delay costs is the difference to it", "ours"
        ),
        Agent(
            "pending",
            "knows its pending actions and acts on what the state is likely to be",
            "Katsikopoulos & Engelbrecht 2003",
        ),
        Agent("ucrl2", "optimism in the face of uncertainty", "Jaksch et al. 2010", UCRL2),
        Agent("qucb", "optimistic Q-learning for average reward", "Jin et al. 2018; Wei et al. 2020", QUCB),
        Agent(
            "egreedy", "discounted Q-learning that explores with probability epsilon", "Watkins 1989", EpsilonGreedyQ
        ),
    )
}
#: Fields of learners that are not for texts: they depend on what else is simulated.
_NOT_OPTIONS = ("every_step", "component", "reward_range")


@dataclass(frozen=True)
class AgentSpec:
    """An agent with its options.

    >>> str(AgentSpec.of("egreedy(epsilon=0.2)"))
    'egreedy(epsilon=0.2)'
    """

    agent: Agent
    options: tuple[tuple[str, float | str], ...] = ()

    @classmethod
    def of(cls, text: str | AgentSpec) -> AgentSpec:
        """An agent from its name, with options in parentheses.

        Raises
        ------
        InvalidValue, UnknownName
        """
        if isinstance(text, AgentSpec):
            return text
        node = grammar.parse(text, "agent")
        name = node.text if isinstance(node, grammar.Word) else getattr(node, "name", None)
        if not isinstance(name, str) or (isinstance(node, grammar.Call) and node.positional):
            raise InvalidValue(f"agent {text!r} must read NAME or NAME(option=value, ...), e.g. qucb(bonus=0.1)")
        if name not in AGENTS:
            raise UnknownName("agent", name, AGENTS)
        known = AGENTS[name].learner
        names = [f.name for f in fields(known) if f.name not in _NOT_OPTIONS] if known else []
        options: list[tuple[str, float | str]] = []
        for key, value in (node.keywords if isinstance(node, grammar.Call) else {}).items():
            if key not in names:
                raise UnknownName(f"option of agent {name!r}", key, names or ["(none)"])
            if isinstance(value, grammar.Quantity) and not value.unit:
                options.append((key, value.value))
            elif isinstance(value, grammar.Word):
                options.append((key, value.text))
            else:
                raise InvalidValue(f"option {key} of agent {name!r} must be a bare number or a word")
        if known:
            known(**dict(options))  # refuses wrong values now, not in the middle of a run
        return cls(AGENTS[name], tuple(options))

    def __str__(self) -> str:
        inside = ", ".join(
            f"{key}={units.exact(value)}" if isinstance(value, float) else f"{key}={value}"
            for key, value in self.options
        )
        return f"{self.agent.name}({inside})" if inside else self.agent.name

    def policy(self, best: Policy, learns: bool) -> Policy:
        """The policy; learners learn after every step, in no time, where the Schedule has no updates.

        Parameters
        ----------
        best : Policy
            The best delayed policy.
        learns : bool
            Whether the Schedule has updates.
        """
        if self.agent.learner is not None:
            made: Policy = self.agent.learner(**dict(self.options), every_step=not learns)
            return made
        return {"best": best, "oracle": Oracle(), "pending": Pending()}[self.agent.name]


@dataclass(frozen=True)
class RegretRow:
    """Regret of an agent on an MDP, per second (reward/s), mean over the seeds; names as in the JSON output.

    Attributes
    ----------
    total_per_s, inaction_per_s, delay_per_s, learn_per_s, inaction_on_run_per_s : float
        See :class:`rtsim.regret.Regret`; from the first step on, warm-up included.
    total_per_s_ci95, inaction_per_s_ci95, delay_per_s_ci95, learn_per_s_ci95 : (float, float) or None
        Student t intervals.
    boundary, noise : float
        Units of reward, over the run.
    bound : dict
        What Theorem 1 of Riemer et al. 2025 says, per second, with all constants 1: ``inaction_per_s`` (Eq. 3),
        ``delay_per_s`` (Eq. 4), ``learn_per_s`` (Eq. 2, of the whole run).
    """

    mdp: str
    agent: str
    gain_per_step: float
    total_per_s: float
    inaction_per_s: float
    delay_per_s: float
    learn_per_s: float
    inaction_on_run_per_s: float
    total_per_s_ci95: Interval | None
    inaction_per_s_ci95: Interval | None
    delay_per_s_ci95: Interval | None
    learn_per_s_ci95: Interval | None
    boundary: float
    noise: float
    bound: dict[str, float]


class Rollouts:
    """The regret of one agent under the Schedules of one scenario, seed by seed.

    Parameters
    ----------
    mdp : TabularMDP
    agent : AgentSpec
    step : float
        Mean step time, s.

    >>> import rtsim
    >>> from rtsim import mdps
    >>> late = rtsim.simulate(rtsim.Scenario("sequential", 2.5, step_time=1.0, steps=9_000))
    >>> found = Rollouts(mdps.of("inaction"), AgentSpec.of("best"), 1.0)
    >>> found.add(late, seed=0)
    >>> row = found.row()
    >>> round(row.inaction_per_s, 3), round(row.bound["inaction_per_s"], 3)  # 3 of 5 steps are the default's
    (0.6, 0.6)
    """

    def __init__(self, mdp: TabularMDP, agent: AgentSpec, step: float) -> None:
        self.mdp, self.agent, self.step = mdp, agent, step
        self.seeds: list[int] = []
        self.curves: list[RegretCurve] = []
        self.delays = np.zeros(0, dtype=np.int64)
        self.steps = 0
        self._best: Policy | None = None

    def add(self, schedule: Schedule, seed: int) -> None:
        """Roll out once; the first Schedule decides which delayed policy is the best."""
        if self._best is None:
            self._best = reference(self.mdp, schedule)[0]
        policy = self.agent.policy(self._best, learns=bool(len(schedule.updates["land_ns"])))
        # Oracle and Pending know more than any memoryless policy: nothing of theirs is learning.
        best = policy if self.agent.agent.name in ("oracle", "pending") else self._best
        self.curves.append(regret_curve(self.mdp, policy, schedule, seed, best=best, points=1))
        self.seeds.append(seed)
        self.steps += len(schedule)
        counts = np.bincount(schedule.delay_steps, minlength=len(self.delays))
        counts[: len(self.delays)] += self.delays
        self.delays = counts

    def row(self, interaction_time: float | None = None) -> RegretRow:
        """What the seeds so far say.

        Parameters
        ----------
        interaction_time : float, optional
            Mean time between agent steps as theory predicts it, s; the Schedules' own if not given.
        """
        found = RegretOverSeeds(tuple(self.seeds), tuple(self.curves))
        rates, means = found.per_second, found.means
        return RegretRow(
            mdp=self.mdp.name,
            agent=str(self.agent),
            gain_per_step=self.curves[0].gain,
            total_per_s=rates["total"][0],
            inaction_per_s=rates["inaction"][0],
            delay_per_s=rates["delay"][0],
            learn_per_s=rates["learn"][0],
            inaction_on_run_per_s=rates["inaction_on_run"][0],
            total_per_s_ci95=rates["total"][1],
            inaction_per_s_ci95=rates["inaction"][1],
            delay_per_s_ci95=rates["delay"][1],
            learn_per_s_ci95=rates["learn"][1],
            boundary=means["boundary"][0],
            noise=means["noise"][0],
            bound=self._bound(interaction_time),
        )

    def _bound(self, interaction_time: float | None) -> dict[str, float]:
        """Theorem 1 per second, for the Schedules' delays."""
        rewards = np.append(self.mdp.r, self.mdp.r_default)
        largest, acted = float(np.ptp(rewards)), int(self.delays.sum())
        if not acted:
            return {"inaction_per_s": largest / self.step, "delay_per_s": 0.0, "learn_per_s": 0.0}
        measured = self.step * self.steps / acted
        horizon = self.step * self.steps / len(self.seeds)
        found = theory.realtime_regret(
            horizon,
            max(measured if interaction_time is None else interaction_time, self.step),
            self.step,
            theory.p_minimax(self.mdp),
            (self.delays / acted).tolist(),
            self.mdp.actions,
            largest,
        )
        return {f"{part}_per_s": getattr(found, part) / horizon for part in ("inaction", "delay", "learn")}


_PARTS = ("total", "inaction", "delay", "learn", "inaction_on_run")
_BOUNDS = ("inaction", "delay", "learn")
#: Names of the columns of :func:`regret_columns`; reward per second, boundary and noise in reward.
REGRET_COLUMNS = (
    *(f"regret_{part}_per_s" for part in _PARTS),
    "regret_boundary",
    "regret_noise",
    *(f"bound_{part}_per_s" for part in _BOUNDS),
)


def regret_columns(row: RegretRow) -> dict[str, float]:
    """The numbers of one run as columns of a table, see :data:`REGRET_COLUMNS`."""
    rates = [getattr(row, f"{part}_per_s") for part in _PARTS]
    bounds = [row.bound[f"{part}_per_s"] for part in _BOUNDS]
    return dict(zip(REGRET_COLUMNS, (*rates, row.boundary, row.noise, *bounds), strict=True))
