"""The design of a comparison: which rules, numbers of workers and seeds, and how long."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from rtsim import mdps
from rtsim.agents import AgentSpec
from rtsim.clocks import engine_for
from rtsim.errors import InvalidValue
from rtsim.machine import memory_limit
from rtsim.mdps import TabularMDP
from rtsim.scenario import MAX_WORKERS, Scenario
from rtsim.schedulers import RuleSpec
from rtsim.timing.units import whole
from rtsim.version import __version__


@dataclass(frozen=True)
class Design:
    """What to compare.

    Attributes
    ----------
    alg : tuple of RuleSpec or str
        Rules with options; the first is what paired differences refer to.
    base : Scenario
        Everything but rule, workers and seed.
    workers : tuple of int, or ()
        Numbers of workers; () chooses a grid around τ̄_θ/τ_M.
    seeds : int
        How many, starting with ``base.seed``.
    warmup_steps : int or None
        Steps left out of the statistics; None takes the longest
        :attr:`~rtsim.scenario.Scenario.settling_steps` of the rules.
    target : float
        Inaction fraction that ``required_workers`` must reach.
    search : bool
        Whether to look for ``required_workers``.
    max_workers : int or None
        Where that search gives up.
    mdp : TabularMDP, str or None
        Also tell the regret on this MDP, e.g. ``"jump(n=10, p=0.9)"``; see :func:`rtsim.mdps.of`.
    agent : AgentSpec or str
        Who acts on it; see :data:`rtsim.agents.AGENTS`.
    regret_points : int
        Points in time at which the regret is told in :attr:`Comparison.regrets`; 1 is the end alone.
    engine : {"auto", "simpy", "compiled"}
        The clock; results do not depend on it.
    """

    alg: tuple[RuleSpec, ...]
    base: Scenario
    workers: tuple[int, ...] = ()
    seeds: int = 3
    warmup_steps: int | None = None
    target: float = 0.01
    search: bool = True
    engine: str = "auto"
    max_workers: int | None = None
    mdp: TabularMDP | str | None = None
    agent: AgentSpec | str = "best"
    regret_points: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "alg", tuple(RuleSpec.of(rule) for rule in self.alg))
        if not self.alg:
            raise InvalidValue("--alg is empty; name at least one rule, e.g. --alg max_time exp_time (see rtsim rules)")
        keys = [str(spec) for spec in self.alg]
        for key in keys:
            if keys.count(key) > 1:
                raise InvalidValue(f"rule {key!r} is given twice; give each once")
        engine_for(self.base, self.engine if self.engine != "compiled" else "auto")  # is there such an engine?
        whole(self.seeds, "seeds", 1, 10**18)
        whole(self.regret_points, "regret_points", 1, 10**5)
        if self.base.seed + self.seeds > 2**63:
            raise InvalidValue(f"seeds {self.base.seed} to {self.base.seed + self.seeds - 1} pass 2**63; begin lower")
        if not 0 < self.target < 1:
            raise InvalidValue(
                f"target {self.target:g} is an inaction fraction and must lie between 0 and 1, e.g. 0.01"
            )
        for number in self.workers:
            if number < 1:
                raise InvalidValue(f"workers {number} must be >= 1")
        if self.max_workers is not None:
            whole(self.max_workers, "max_workers", 1, MAX_WORKERS)
        if self.warmup_steps is not None and not 0 <= self.warmup_steps < self.base.steps:
            raise InvalidValue(
                f"warmup_steps {self.warmup_steps} must lie in 0..{self.base.steps - 1}, below steps {self.base.steps}"
            )
        if self.mdp is not None:
            if self.base.steps < 2:
                raise InvalidValue("regret per second needs at least 2 steps; give more, or leave the MDP out")
            object.__setattr__(self, "mdp", mdps.of(self.mdp))
        object.__setattr__(self, "agent", AgentSpec.of(self.agent))
        if self.mdp is None and str(self.agent) != "best":
            raise InvalidValue(f"agent {str(self.agent)!r} acts on an MDP; give one too, e.g. --mdp jao")
        self._check_memory()
        for spec in self.alg:  # a rule that cannot be prepared must say so before hours of work
            for number in self.worker_numbers(spec):
                self.base.with_(rule=spec, workers=number).program()

    def _check_memory(self) -> None:
        runs = self.seeds * len(self.alg) * max(len(self.workers), 8)
        largest = max(
            (self.base.with_(rule=spec, workers=number) for spec in self.alg for number in self.worker_numbers(spec)),
            key=run_memory,
        )
        check_memory(run_memory(largest) + runs * 500, largest, f"{self.seeds} seeds of ")

    @cached_property
    def warmup(self) -> int:
        """Steps left out of the statistics; see :attr:`rtsim.scenario.Scenario.settling_steps`."""
        if self.warmup_steps is not None:
            return self.warmup_steps
        return max(self.base.with_(rule=spec).settling_steps for spec in self.alg)

    @cached_property
    def clock(self) -> str:
        """The clock that runs every cell: compiled only if it can run every rule."""
        base, runs = self.base, self.seeds * len(self.alg) * max(len(self.workers), 8)
        found = {
            engine_for(base.with_(rule=s, workers=max(self.worker_numbers(s))), self.engine, runs=runs)
            for s in self.alg
        }
        return "compiled" if found == {"compiled"} else "simpy"

    @property
    def learns(self) -> bool:
        """Whether the agent is one that learns."""
        return AgentSpec.of(self.agent).agent.learner is not None

    def worker_numbers(self, spec: RuleSpec) -> tuple[int, ...]:
        """The numbers of workers to simulate for one rule."""
        if spec.rule.single_worker:
            return (1,)
        if self.workers:
            return tuple(sorted(set(self.workers)))
        return worker_grid(self.base.with_(rule=spec))

    def to_json(self) -> dict[str, Any]:
        """The resolved settings."""
        settings = self.base.to_json()
        del settings["rule"], settings["workers"]
        return {
            "alg": [str(spec) for spec in self.alg],
            **settings,
            "workers": list(self.workers) or "auto",
            "seeds": self.seeds,
            "warmup_steps": self.warmup,
            "target": self.target,
            "max_workers": self.max_workers,
            "mdp": None if self.mdp is None else str(getattr(self.mdp, "name", self.mdp)),
            "agent": None if self.mdp is None else str(self.agent),
            "clock": self.clock,
            "rtsim": __version__,
        }


def worker_grid(scenario: Scenario) -> tuple[int, ...]:
    """Numbers of workers around τ̄_θ/τ_M, from one to three times as many.

    >>> worker_grid(Scenario("max_time", "84ms"))
    (1, 2, 3, 4, 6, 8, 9, 12, 18)
    """
    least = scenario.least_workers
    grid = [1, *(round(least * share) for share in (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0))]
    return tuple(sorted({max(number, 1) for number in grid}))


def run_memory(scenario: Scenario) -> float:
    """Bytes one run needs at its peak, about: 200 a step and 150 an inference, if a clock keeps them all."""
    return scenario.steps * 200 + scenario.expected_inferences * 150


def check_memory(needed: float, largest: Scenario, what: str) -> None:
    """Refuse what does not fit, before hours of work.

    Raises
    ------
    InvalidValue
    """
    available = memory_limit()
    if needed > available:
        raise InvalidValue(
            f"{what}{largest.steps} steps and about {largest.expected_inferences:.3g} inferences need some "
            f"{needed / 1e9:.3g} GB of memory, this machine has {available / 1e9:.3g} GB; give fewer seeds or steps"
        )
