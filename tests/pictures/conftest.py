"""Results to draw: a comparison made by hand, and short Schedules."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from rtsim.clocks.simpy_clock import simulate
from rtsim.scenario import Scenario
from rtsim.schedule import Schedule

STEP_S, INFERENCE_S = 0.01, 0.2


@dataclass(frozen=True)
class Row:
    alg: str
    key: str
    workers: int
    inaction_fraction: float
    inaction_fraction_ci95: tuple[float, float] | None = None
    theory_inaction_fraction: float | None = None
    actions: int = 1
    options: dict[str, Any] = field(default_factory=dict)
    interaction_time_s: float | None = STEP_S
    delay_steps_mean: float | None = 20.0
    delay_steps_p99: float | None = 21.0
    overwritten_fraction: float = 0.0

    @property
    def capacity_limit(self) -> float:
        return max(0.0, 1 - self.workers * self.actions * STEP_S / INFERENCE_S)


@dataclass(frozen=True)
class Required:
    target: float
    workers: int | None
    paper_formula: int | None = None


@dataclass(frozen=True)
class Comparison:
    rows: list[Row]
    required_workers: dict[str, Required] = field(default_factory=dict)
    step_time_s: float = STEP_S
    inference_time_s: float = INFERENCE_S
    scenario: dict[str, Any] = field(
        default_factory=lambda: {
            "inference_time": "lognorm(mean=200ms, cv=0.3)",
            "step_time": "100fps",
            "mailbox": "latest",
            "steps": 2000,
            "seeds": 3,
            "target": 0.01,
        }
    )


@pytest.fixture
def comparison() -> Comparison:
    """Two rules with many workers, two variants of one of them, and a rule of one worker."""
    rows = [Row("sequential", "sequential", 1, 0.95, (0.94, 0.96), 0.95)]
    for n in (1, 10, 20, 30):
        limit = max(0.0, 1 - n / 20)
        rows.append(Row("max_time", "max_time", n, 0.9 * limit + 0.1, (0.9 * limit + 0.05, 0.9 * limit + 0.12), limit))
        rows.append(Row("max_time", "max_time(printed=true)", n, 0.8 * limit + 0.2, None, limit))
        rows.append(Row("exp_time", "exp_time", n, 0.95**n, (0.95**n - 0.01, 0.95**n + 0.01), 0.949**n))
    required = {
        "max_time": Required(0.01, 24, 20),
        "exp_time": Required(0.01, None),
        "sequential": Required(0.01, None),
    }
    return Comparison(rows, required)


def run(rule: str, inference_time: str | float = "lognorm(mean=84ms, cv=0.3)", **settings: Any) -> Schedule:
    """A short run with spans."""
    settings = {"workers": 6, "steps": 300, **settings}
    return simulate(Scenario(rule, inference_time, **settings), spans=True)


@pytest.fixture(scope="session")
def schedules() -> dict[str, Schedule]:
    """Every way in which inferences, holds, updates and queues can lie to each other."""
    return {
        "latest": run("exp_time"),
        "held": run("time_triggered(deadline=7steps)"),
        "late": run("earliest_deadline(deadline=7steps, late=release)"),
        "fifo": run("unstaggered", workers=9, mailbox="fifo(2)"),
        "inline": run("sequential", learning_time="50ms"),
        "learners": run("phase_locked", learning_time="lognorm(mean=100ms, cv=0.3)", learners=3, batch=4),
        "merged": run("max_time", learning_time="100ms", learners=3, learner_rule="parallel"),
        "chunks": run("chunking(size=4)", workers=2),
        "pipeline": run("pipeline(layers=5)", "84ms"),
        "instant": run("max_time", 0.0, workers=2),
        "random_steps": run("max_time", step_time="uniform(10ms, 20ms)"),
    }
