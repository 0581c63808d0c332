"""One cell of a sweep: a scenario and what to find out about it; measured, it is one row of the results."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache
from typing import Any

from rtsim import mdps
from rtsim.agents import AgentSpec
from rtsim.clocks import simulate, tally
from rtsim.errors import RtsimError
from rtsim.experiments.closed_forms import inaction_fraction, interaction_time
from rtsim.experiments.design import Design
from rtsim.experiments.regrets import REGRET_COLUMNS, Rollouts, regret_columns
from rtsim.experiments.required import required_learners, required_workers, run_once
from rtsim.mdps import TabularMDP
from rtsim.scenario import Scenario
from rtsim.statistics import Statistics
from rtsim.timing import Profile, units

Value = str | int | float | None
#: An event of the SimPy clock, and setting up one run, in events of the compiled clock: orders of magnitude.
SIMPY, SETTING_UP = 50, 10_000


@dataclass(frozen=True)
class Cell:
    """What to simulate and what to find out.

    Attributes
    ----------
    scenario : Scenario
        Seed included: repetitions are cells of their own.
    measure : str
        One of :data:`MEASURES`.
    warmup_steps : int
    target : float or None
        Inaction fraction that ``required_workers`` must reach.
    clock : {"simpy", "compiled"}
        The results do not depend on it.
    mdp, agent : str or None
        What the regret is told of, and who acts there.
    sizes : tuple of int or None
        :func:`parameters` of the inference and the learning time: a worker on another machine may not have the profile.
    """

    scenario: Scenario
    measure: str
    warmup_steps: int
    target: float | None
    clock: str = field(compare=False)
    mdp: str | None = None
    agent: str | None = None
    sizes: tuple[int | None, int | None] = field(default=(None, None), compare=False)

    def settings(self) -> dict[str, Value]:
        """The columns that say what was simulated, in order."""
        return {
            "measure": self.measure,
            **self.scenario.to_json(),
            "warmup_steps": self.warmup_steps,
            "target": self.target,
            "mdp": self.mdp,
            "agent": self.agent,
            "clock": self.clock,
        }

    @property
    def work(self) -> float:
        """About how long it takes, in events of the compiled clock; a search tries several numbers of workers."""
        events = self.scenario.steps + self.scenario.expected_inferences
        runs = 1.0 if self.measure == "statistics" else 2.0 * max(self.scenario.least_workers, 4)
        return runs * (events * (1 if self.clock == "compiled" else SIMPY) + SETTING_UP)

    def results(self) -> dict[str, Value]:
        """Simulate; the columns that say what was found, a subset of :data:`FOUND`.

        Raises
        ------
        RuleFault
            If a rule breaks its contract.
        """
        return {**self._context(), **MEASURES[self.measure](self)}

    def _context(self) -> dict[str, Value]:
        """What the laws amount to, so that results can be read without them."""
        scenario = self.scenario
        learning = scenario.learning_time
        return {
            "inference_time_s": scenario.inference_mean,
            "learning_time_s": None if learning is None else learning.mean,
            "step_time_s": scenario.step_mean,
            "inference_parameters": self.sizes[0],
            "learning_parameters": self.sizes[1],
            "capacity_limit": scenario.capacity_limit,
        }


@lru_cache(maxsize=1024)
def parameters(law: str) -> int | None:
    """Parameters of the network whose measured times stand in a law, None if there is none (or several).

    >>> parameters("mixture(0.5: 1us, 0.5: profile:epyc#resnet15-k1)"), parameters("84ms")
    (903718, None)
    """
    found = set(re.findall(r"profile:([^#,()]+)#([^@,()\s]+)", law))
    if len(found) != 1:
        return None
    name, model = found.pop()
    with suppress(RtsimError):
        return Profile.load(name).find(model).parameters
    return None


def _columns(statistics: Statistics) -> dict[str, Value]:
    """Statistics as columns; the steps are those of the scenario less the warm-up."""
    data: dict[str, Value] = asdict(statistics)
    del data["steps"]
    return data


def _statistics(cell: Cell) -> dict[str, Value]:
    scenario = cell.scenario
    rollouts = None
    if cell.mdp is None:
        found = tally(scenario, cell.warmup_steps, engine=cell.clock)
    else:
        schedule = simulate(scenario, engine=cell.clock)
        found = schedule.tally(cell.warmup_steps)
        rollouts = Rollouts(_mdp(cell.mdp), AgentSpec.of(cell.agent or "best"), scenario.step_mean)
        rollouts.add(schedule, scenario.seed)
    data = _columns(found.statistics())
    theory = inaction_fraction(scenario, found.longest_inference_ns / units.NS)
    regret = {} if rollouts is None else regret_columns(rollouts.row(interaction_time(scenario, theory)))
    return {**data, "theory_inaction_fraction": theory, **regret}


@lru_cache(maxsize=64)
def _mdp(text: str) -> TabularMDP:
    """Read once per process; solving it is remembered by what it is."""
    return mdps.of(text)


def _required_workers(cell: Cell) -> dict[str, Value]:
    scenario = cell.scenario
    assert cell.target is not None
    design = Design(
        (scenario.rule,),
        scenario,
        (scenario.workers,),
        seeds=1,
        warmup_steps=cell.warmup_steps,
        target=cell.target,
        engine=cell.clock,
    )
    longest = run_once(scenario, cell.warmup_steps, cell.clock).longest
    found = required_workers(design, scenario.rule, longest)
    reached: dict[str, Value] = {}
    if found.workers is not None:  # what it costs to be there
        there = scenario.with_(workers=found.workers)
        statistics = run_once(there, cell.warmup_steps, cell.clock).statistics
        reached = {**_columns(statistics), "capacity_limit": there.capacity_limit}
    return {
        **reached,
        "required": found.workers,
        "required_formula": found.paper_formula,
        "required_reason": found.reason,
    }


def _required_learners(cell: Cell) -> dict[str, Value]:
    found = required_learners(cell.scenario, cell.warmup_steps, cell.clock)
    return {
        "required": found.learners,
        "required_formula": found.paper_formula,
        "required_reason": found.reason,
        "transitions_per_step": found.transitions_per_step,
    }


MEASURES: Mapping[str, Callable[[Cell], dict[str, Value]]] = {
    "statistics": _statistics,
    "required_workers": _required_workers,
    "required_learners": _required_learners,
}

_KINDS: dict[str, type] = {"int": int, "float": float, "str": str}


def _kind(annotation: Any) -> type:
    return _KINDS[str(annotation).split(" ")[0]]


#: Type of every settings column.
SETTINGS: dict[str, type] = {
    "measure": str,
    "rule": str,
    "inference_time": str,
    "workers": int,
    "step_time": str,
    "steps": int,
    "seed": int,
    "mailbox": str,
    "dispatch_time": str,
    "learning_time": str,
    "learner_rule": str,
    "learners": int,
    "learning_starts": int,
    "batch": int,
    "warmup_steps": int,
    "target": float,
    "mdp": str,
    "agent": str,
    "clock": str,
}
#: Type of every column of results; times in seconds.
FOUND: dict[str, type] = {
    "inference_time_s": float,
    "learning_time_s": float,
    "step_time_s": float,
    "inference_parameters": int,
    "learning_parameters": int,
    "capacity_limit": float,
    "theory_inaction_fraction": float,
    **{found.name: _kind(found.type) for found in fields(Statistics) if found.name != "steps"},
    **REGRET_COLUMNS,
    "required": int,
    "required_formula": int,
    "required_reason": str,
}
