"""The highest rate, or the longest inference, at which a rule still meets a target: looked for from above."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rtsim.planning.candidates import Variant, worker_numbers
from rtsim.planning.plan import PlanDesign, Progress, confirm, predict
from rtsim.planning.rows import Row

#: Values looked at, each this share of the one above, down to that share of the first; then so many bisections between
#: the highest that meets the target and the one above it, in which it becomes known to 1 in 1000.
LOWER, LOWEST, HALVINGS = 0.98, 0.01, 5


@dataclass(frozen=True)
class Question:
    """What is made as large as possible, and what must be met.

    Attributes
    ----------
    design : callable(value)
        The design with that value.
    top : callable(variant, workers)
        The largest value worth looking at.
    met : callable(row)
        Whether a row meets the target.
    """

    design: Callable[[float], PlanDesign]
    top: Callable[[Variant, int], float]
    met: Callable[[Row], bool]


class Highest(NamedTuple):
    """The largest value found for a rule, 0 if none was found, and the row there or, for 0, the last one looked at."""

    value: float
    row: Row


def highest(
    base: PlanDesign, question: Question, *, confirmed: int = 3, on_progress: Progress | None = None
) -> list[Highest]:
    """The largest value for each rule with all workers of the budget, the largest first.

    Looked for from above, in steps of 2 %: deadlines and chunks are whole numbers of steps, so that inaction rises and
    falls with the value, and bisection could end where a much larger one meets the target again. What is narrower than
    2 % can be missed. The first are simulated longer, and lowered by 2 % until the simulation meets the target, until
    the first ``confirmed`` of them all have been. A rule whose simulations miss it down to half of what was predicted
    is given up: none was found.
    """
    tell = on_progress or (lambda what, done, total: None)
    found: list[Highest] = []
    for number, variant in enumerate(base.variants):
        tell(variant.key, number, len(base.variants))
        found += [
            _scan(question, variant, workers) for workers in worker_numbers(variant, base.base, base.max_workers)[-1:]
        ]
    while True:
        found.sort(key=lambda each: -each.value)
        unsure = [n for n, each in enumerate(found[:confirmed]) if not each.row.confirmed and each.value > 0]
        if not unsure:
            return found
        tell(f"simulating {found[unsure[0]].row.key}", unsure[0], confirmed)
        found[unsure[0]] = _confirmed(question, found[unsure[0]])


def _scan(question: Question, variant: Variant, workers: int) -> Highest:
    def at(value: float) -> Row:
        return predict(question.design(value), variant, workers)

    # The first value itself first: constant times reach it.
    value = high = top = question.top(variant, workers)
    row = at(value)
    while not question.met(row):
        high, value = value, value * LOWER
        if value < top * LOWEST:
            return Highest(0.0, row)
        row = at(value)
    for _ in range(HALVINGS if value < high else 0):
        middle = float(np.sqrt(value * high))
        if question.met(tried := at(middle)):
            value, row = middle, tried
        else:
            high = middle
    return Highest(value, row)


def _confirmed(question: Question, found: Highest) -> Highest:
    assert found.row.variant is not None
    value = found.value
    while True:
        design = question.design(value)
        row = confirm(design, predict(design, found.row.variant, found.row.workers))
        if question.met(row):
            return Highest(value, row)
        if value < found.value / 2:
            return Highest(0.0, row)
        value *= LOWER
