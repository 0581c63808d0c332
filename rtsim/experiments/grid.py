"""Grids: every combination of some laws, rules, numbers and seeds is a cell."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from rtsim import mdps
from rtsim.agents import AgentSpec
from rtsim.clocks import ENGINES, engine_for
from rtsim.errors import InvalidValue, UnknownName
from rtsim.experiments.cells import MEASURES, Cell, parameters
from rtsim.experiments.design import check_memory, run_memory, worker_grid
from rtsim.scenario import GAME_BOY, MAX_STEPS, MAX_WORKERS, Mailbox, Scenario
from rtsim.schedulers import RuleSpec
from rtsim.theory import ceil_ratio
from rtsim.timing import Law, law
from rtsim.timing.units import whole

#: More cells than these would take weeks, and are hardly meant.
MAX_CELLS = 10**6


@dataclass(frozen=True)
class Grid:
    """Axes of a sweep; a tuple stands for the values of one axis, and every combination is a cell.

    Attributes
    ----------
    alg : tuple of str
        Rules with options.
    inference_time, learning_time, dispatch_time, step_time : tuple of str or None
        Laws; None where nobody learns, or dispatch takes no time.
    workers : tuple of int
        () chooses numbers around τ̄_θ/τ_M for each rule and law. Must be () where they are searched for.
    learners, batch : tuple of int
    learner_rule, mailbox : tuple of str
    learning_starts, steps, seed : int
        As in :class:`~rtsim.scenario.Scenario`.
    seeds : int
        How many seeds, from ``seed`` on; each is a cell.
    warmup_steps : int or None
        Steps left out of the statistics; None takes each scenario's own
        :attr:`~rtsim.scenario.Scenario.settling_steps` (four updates, where learners are searched for).
    measure : {"statistics", "required_workers", "required_learners"}
        What to find out: the statistics of the schedule; the fewest workers that reach ``target``;
        the fewest learners that learn from every transition.
    target : float
        Inaction fraction for ``required_workers``.
    engine : {"auto", "simpy", "compiled"}
    mdp : tuple of str or None
        Also tell the regret on these MDPs, see :func:`rtsim.mdps.of`; with ``statistics`` only.
    agent : tuple of str
        Who acts on them, see :data:`rtsim.agents.AGENTS`.

    >>> grid = Grid(alg=("max_time", "exp_time"), inference_time=("84ms",), workers=(4, 6), seeds=2)
    >>> len(grid.cells())
    8
    """

    alg: tuple[str, ...] = ("max_time", "exp_time")
    inference_time: tuple[str, ...] = ("84ms",)
    learning_time: tuple[str | None, ...] = (None,)
    dispatch_time: tuple[str | None, ...] = (None,)
    step_time: tuple[str, ...] = (GAME_BOY,)
    workers: tuple[int, ...] = ()
    learners: tuple[int, ...] = (1,)
    learner_rule: tuple[str, ...] = ("auto",)
    batch: tuple[int, ...] = (16,)
    mailbox: tuple[str, ...] = ("latest",)
    learning_starts: int = 0
    steps: int = 10_000
    seed: int = 0
    seeds: int = 3
    warmup_steps: int | None = None
    measure: str = "statistics"
    target: float = 0.01
    engine: str = "auto"
    mdp: tuple[str | None, ...] = (None,)
    agent: tuple[str, ...] = ("best",)

    def __post_init__(self) -> None:
        for name, read in _AXES.items():
            object.__setattr__(self, name, _axis(name, getattr(self, name), read))
        for name, (low, high) in _NUMBERS.items():
            object.__setattr__(self, name, whole(getattr(self, name), name, low, high))
        if self.warmup_steps is not None:
            object.__setattr__(self, "warmup_steps", whole(self.warmup_steps, "warmup_steps", 0, self.steps - 1))
        if not isinstance(self.measure, str) or self.measure not in MEASURES:
            raise UnknownName("measure", str(self.measure), MEASURES)
        if not isinstance(self.engine, str) or self.engine not in ENGINES:
            raise UnknownName("engine", str(self.engine), ENGINES)
        if isinstance(self.target, bool) or not isinstance(self.target, int | float) or not 0 < self.target < 1:
            raise InvalidValue(
                f"target {self.target!r} is an inaction fraction and must lie between 0 and 1, e.g. 0.01"
            )
        object.__setattr__(self, "target", float(self.target))
        if self.workers and self.measure == "required_workers":
            raise InvalidValue("required_workers searches for the number of workers; leave workers out")
        if self.learners != (1,) and self.measure == "required_learners":
            raise InvalidValue("required_learners searches for the number of learners; leave learners out")
        if self.mdp != (None,) and self.steps < 2:
            raise InvalidValue("regret per second needs at least 2 steps; give more, or leave mdp out")
        if self.measure != "statistics" and self.mdp != (None,):
            raise InvalidValue(f"{self.measure} looks at no MDP; leave mdp out")

    @property
    def size(self) -> int:
        """How many combinations there are; some of them may be the same cell."""
        return self.seeds * math.prod(len(getattr(self, name)) or 8 for name in _AXES)

    def cells(self) -> list[Cell]:
        """The cells, in a fixed order, none twice.

        Raises
        ------
        InvalidValue, UnknownName
            If any of them could not run: before the first one does.
        """
        axes: dict[str, tuple[Any, ...]] = {
            "rule": tuple(RuleSpec.of(rule) for rule in self.alg),
            "inference_time": tuple(law(text) for text in self.inference_time),
            "learning_time": self.learning_time,  # depends on the batch
            "dispatch_time": tuple(text if text is None else law(text) for text in self.dispatch_time),
            "step_time": self.step_time,
            "learners": self.learners,
            "learner_rule": self.learner_rule,
            "batch": self.batch,
            "mailbox": self.mailbox,
        }
        common: dict[str, Any] = {"steps": self.steps, "seed": self.seed, "learning_starts": self.learning_starts}
        agents = [str(AgentSpec.of(agent)) for agent in self.agent]
        worlds: list[tuple[str | None, str | None]] = []
        for mdp in self.mdp:
            if mdp is None:
                worlds.append((None, None))
                continue
            # A family is named by its canonical text, a file by its own name, which worker processes read again.
            read = mdps.of(mdp)
            name = str(Path(mdp.strip())) if mdps.is_file(mdp) else read.name
            worlds += [(name, agent) for agent in agents]
        found: dict[Cell, None] = {}
        for values in itertools.product(*axes.values()):
            first = Scenario(**dict(zip(axes, values, strict=True)), **common)
            if first.learning_time is None:
                first = first.with_(learners=1)  # nobody learns: all their numbers are one cell
            for workers in self._worker_numbers(first):
                here = first.with_(workers=workers)
                here.program()  # a rule that cannot be prepared says so now
                cell = self._cell(here, self.size)
                for seed in range(self.seed, self.seed + self.seeds):
                    for mdp, agent in worlds:
                        found[replace(cell, scenario=here.with_(seed=seed), mdp=mdp, agent=agent)] = None
        return list(found)

    def _worker_numbers(self, scenario: Scenario) -> tuple[int, ...]:
        if scenario.rule.rule.single_worker:
            return (1,)
        if self.measure == "required_workers":
            return (scenario.least_workers,)
        if self.measure == "required_learners":
            return self.workers or (1,)
        return self.workers or worker_grid(scenario)

    def _cell(self, scenario: Scenario, runs: int) -> Cell:
        warmup = scenario.settling_steps
        if self.measure == "required_learners":
            learning = scenario.learning_time
            if learning is None or scenario.learner.inline:
                raise InvalidValue(
                    "required_learners needs a learning time, and a rule that learns in processes of its own"
                )
            updates = 4 * ceil_ratio(min(learning.mean, 1e6), scenario.step_mean)
            warmup = min(max(warmup, scenario.learning_starts + updates), scenario.steps // 2)
        return Cell(
            scenario,
            self.measure,
            warmup if self.warmup_steps is None else self.warmup_steps,
            self.target if self.measure == "required_workers" else None,
            engine_for(scenario, self.engine, runs=runs),
            sizes=(parameters(str(scenario.inference_time)), parameters(str(scenario.learning_time))),
        )

    def to_json(self) -> dict[str, Any]:
        """JSON values; :meth:`from_json` reads them back."""
        return {
            field.name: list(value) if isinstance(value := getattr(self, field.name), tuple) else value
            for field in fields(self)
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Grid:
        """A grid from :meth:`to_json`; InvalidValue for unknown keys or values of another type."""
        known = {field.name for field in fields(cls)}
        for key in data:
            if key not in known:
                raise UnknownName("axis of a grid", key, known)
        return cls(**data)


def _axis(name: str, values: object, read: Callable[[str, Any], Any]) -> tuple[Any, ...]:
    """The values of one axis, each checked and as :meth:`Grid.to_json` writes it."""
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise InvalidValue(f"{name} {values!r:.60} must be a tuple of values, e.g. {name}=({values!r:.60},)")
    found = tuple(read(name, value) for value in values)
    if not found and name != "workers":
        raise InvalidValue(f"{name} is empty; give at least one")
    return found


def _text(name: str, value: object) -> str:
    if not isinstance(value, str | RuleSpec | Mailbox | AgentSpec):
        raise InvalidValue(f"{name} {value!r:.60} must be a text")
    return str(value)


def _law(name: str, value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float | Law):
        raise InvalidValue(f"{name} {value!r:.60} must be a law, a number of seconds or a text such as '84ms'")
    return value if isinstance(value, str) else str(law(value))


def _law_or_none(name: str, value: object) -> str | None:
    return None if value is None else _law(name, value)


def _text_or_none(name: str, value: object) -> str | None:
    return None if value is None else _text(name, value)


def _count(name: str, value: object) -> int:
    return whole(value, name, 1, 10**9 if name == "batch" else MAX_WORKERS)


_AXES: dict[str, Callable[[str, Any], Any]] = {
    "alg": _text,
    "inference_time": _law,
    "learning_time": _law_or_none,
    "dispatch_time": _law_or_none,
    "step_time": _law,
    "workers": _count,
    "learners": _count,
    "learner_rule": _text,
    "batch": _count,
    "mailbox": _text,
    "mdp": _text_or_none,
    "agent": _text,
}
_NUMBERS = {"learning_starts": (0, MAX_STEPS), "steps": (1, MAX_STEPS), "seed": (0, 2**63 - 1), "seeds": (1, MAX_CELLS)}


def cells_of(grids: Sequence[Grid], processes: int = 1) -> list[Cell]:
    """The cells of several grids one after the other, none twice; refuses what does not fit into memory.

    Raises
    ------
    InvalidValue, UnknownName
    """
    count = sum(grid.size for grid in grids)
    if count > MAX_CELLS:
        raise InvalidValue(f"a sweep of {count:.3g} cells; at most {MAX_CELLS} fit, give fewer values or seeds")
    found = list(dict.fromkeys(cell for grid in grids for cell in grid.cells()))
    if not found:
        raise InvalidValue("a sweep without a grid; give at least one")
    for cell in found:
        if any(not str(text).isprintable() for text in cell.settings().values()):
            raise InvalidValue(f"{cell.scenario.inference_time!s:.200} holds characters that a table cannot hold")
    kept = [cell for cell in found if cell.clock == "simpy"]
    if kept:
        largest = max(kept, key=lambda cell: run_memory(cell.scenario)).scenario
        what = f"{processes} processes at " if processes > 1 else ""
        check_memory(processes * run_memory(largest), largest, what)
    return found
