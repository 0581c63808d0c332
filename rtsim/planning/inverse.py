"""The questions the other way round: how few workers, how large a model, how high a rate reach a target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from rtsim.errors import InvalidValue
from rtsim.intervals import Interval
from rtsim.planning.candidates import Variant
from rtsim.planning.floor import Floor
from rtsim.planning.plan import NoPlan, Plan, PlanDesign, Progress, confirm, plan
from rtsim.planning.rows import Row
from rtsim.planning.scan import Highest, Question, highest


@dataclass(frozen=True)
class Target:
    """What a plan must reach: a regret rate, reward per second, or an inaction fraction, or both.

    Raises
    ------
    InvalidValue
        If it has neither, or one that nothing can be.

    >>> Target(regret_per_s=1.0).says
    'a regret of at most 1 per second'
    """

    regret_per_s: float | None = None
    inaction: float | None = None

    def __post_init__(self) -> None:
        if self.regret_per_s is None and self.inaction is None:
            raise InvalidValue("a target needs a regret per second or an inaction fraction; this one has neither")
        if self.regret_per_s is not None and not 0 <= self.regret_per_s < np.inf:
            raise InvalidValue(f"target {self.regret_per_s:g} is a regret in reward per second and must be >= 0")
        if self.inaction is not None and not 0 <= self.inaction < 1:
            raise InvalidValue(
                f"inaction target {self.inaction:g} is a share of the steps and must lie in 0..1, below 1"
            )

    @property
    def says(self) -> str:
        """The target in words, as part of a sentence."""
        parts = [] if self.regret_per_s is None else [f"a regret of at most {self.regret_per_s:g} per second"]
        parts += [] if self.inaction is None else [f"an inaction of at most {100 * self.inaction:g} %"]
        return " and ".join(parts)

    def met(self, row: Row | Floor) -> bool:
        """Whether a row, or a floor, reaches it."""
        regret = row.value if isinstance(row, Row) else row.regret_per_s
        inaction = row.inaction if isinstance(row, Row) else row.inaction_fraction
        return (self.regret_per_s is None or regret <= self.regret_per_s + 1e-12) and (
            self.inaction is None or inaction <= self.inaction + 1e-12
        )

    def met_but_for_one_per_worker(self, row: Row) -> bool:
        """Whether a row reaches it, where counting the steps of a simulation is good to one per worker."""
        if self.inaction is None or not row.confirmed or row.simulated is None:
            slack = 1e-9
        else:
            slack = row.workers / row.simulated.steps
        return replace(self, inaction=None if self.inaction is None else min(self.inaction + slack, 1 - 1e-12)).met(row)

    def missed_by(self, row: Row) -> float:
        """By how much a row misses it, as a share of what is asked; of two the larger.

        Rows may reach both parts and still be refused, once they are simulated longer: then the one farther below.
        """
        pairs = ((row.value, self.regret_per_s), (row.inaction, self.inaction))
        return max(found / max(asked, 1e-9) for found, asked in pairs if asked is not None)


def check_floor(design: PlanDesign, target: Target) -> None:
    """Refuse a target that no rule can reach.

    Raises
    ------
    NoPlan
        With the floor.
    """
    floor = design.floor(design.max_workers)
    if not target.met(floor):
        raise NoPlan(
            f"no plan has {target.says} with {design.max_workers} workers: the floor that no rule can beat is "
            f"{floor.regret_per_s:.4g} per second, with {100 * floor.inaction_fraction:.2f} % inaction and actions "
            f"{floor.delay_steps_mean:.2f} steps old; give more workers, a faster model or a target above it"
        )


def fewest_workers(found: Plan, target: Target) -> Row:
    """The row with the fewest workers that reaches a target, confirmed by simulation.

    Rows are tried in order of workers; one whose longer simulation misses the target is passed over.

    Raises
    ------
    NoPlan
        If there is none; the message tells what comes nearest to it, and the floor.
    """
    check_floor(found.design, target)
    for number, row in sorted(enumerate(found.rows), key=lambda item: (item[1].workers, item[1].value)):
        if target.met(row):
            tried = row if row.confirmed else confirm(found.design, row)
            found.rows[number] = tried
            if target.met(tried):
                return tried
    floor, nearest = found.floors[-1], min(found.rows, key=lambda row: (round(target.missed_by(row), 2), row.workers))
    if not nearest.confirmed:
        nearest = confirm(found.design, nearest)
    told = (
        f"the nearest, {nearest.key} with {nearest.workers}, has {nearest.value:.4g} per second, "
        f"{100 * nearest.inaction:.2f} % inaction"
    )
    raise NoPlan(
        f"no plan with up to {found.design.max_workers} workers has {target.says}: {told}; the floor is "
        f"{floor.regret_per_s:.4g} per second, {100 * floor.inaction_fraction:.2f} % inaction"
    )


@dataclass(frozen=True)
class Verdict:
    """Whether a model reaches a target.

    Attributes
    ----------
    model : str
    row : Row or None
        The fewest workers that do.
    reason : str
        Why none does.
    """

    model: str
    row: Row | None
    reason: str = ""


def largest_model(
    designs: Mapping[str, PlanDesign], target: Target, *, on_progress: Progress | None = None
) -> list[Verdict]:
    """Models from the largest down, until one reaches the target within its budget.

    Parameters
    ----------
    designs : mapping of str to PlanDesign
        By model, the largest first.
    target : Target
    on_progress : callable(what, done, total), optional

    >>> from rtsim.planning.environment import WorstCase
    >>> from rtsim.scenario import Scenario
    >>> def of(time):
    ...     return PlanDesign(Scenario("max_time", time, step_time=0.02, steps=500), WorstCase(0.9), 4, seeds=2,
    ...         alg=("exp_time",))
    >>> found = largest_model({"large": of("0.2s"), "small": of("50ms")}, Target(inaction=0.01))
    >>> [(each.model, each.row.workers if each.row else None) for each in found]
    [('large', None), ('small', 3)]
    """
    found = []
    for model, design in designs.items():
        try:
            check_floor(design, target)
            ranked = plan(design, on_progress=on_progress)
            if ranked.interrupted:
                raise KeyboardInterrupt
            found.append(Verdict(model, fewest_workers(ranked, target)))
            break
        except NoPlan as no:
            found.append(Verdict(model, None, str(no)))
    return found


@dataclass(frozen=True)
class Rate:
    """The highest rate at which one rule keeps inaction below a target.

    Attributes
    ----------
    key : str
    workers : int
    fps : float
        Environment steps per second; 0 if none was found.
    inaction_fraction : float
    inaction_fraction_ci95 : (float, float) or None
        Of a simulation; None if a formula alone tells the inaction.
    delay_s : float or None
        Mean delay, seconds.
    source : str
    confirmed : bool
        Whether it was simulated longer.
    """

    key: str
    workers: int
    fps: float
    inaction_fraction: float
    inaction_fraction_ci95: Interval | None
    delay_s: float | None
    source: str
    confirmed: bool = False


def highest_rates(
    design: PlanDesign, inaction: float, *, confirmed: int = 3, on_progress: Progress | None = None
) -> list[Rate]:
    """The highest rate that each rule serves with all workers of the budget, highest first.

    Found by :func:`rtsim.planning.scan.highest`, from the capacity's rate, at which all workers are always busy (no
    rule goes beyond), to a hundredth of it.

    Parameters
    ----------
    design : PlanDesign
        Its rate and environment are not used.
    inaction : float
        Target, share of the steps.
    confirmed : int, >= 1
        How many, from the highest on, are simulated longer.
    on_progress : callable(what, done, total), optional

    >>> from rtsim.planning.environment import WorstCase
    >>> from rtsim.scenario import Scenario
    >>> base = Scenario("max_time", "100ms", steps=500)
    >>> found = highest_rates(PlanDesign(base, WorstCase(1.0), 4, alg=("exp_time",), seeds=2), 0.0)[0]
    >>> round(found.fps, 1)  # four actions every 100 ms
    40.0
    """

    def capacity(variant: Variant, workers: int) -> float:
        scenario = variant.scenario(design.base, workers)
        busy = scenario.duration_law.least_mean * (1.0 - inaction)
        return workers * scenario.rule.actions_per_inference / busy if busy else 1e6

    def with_rate(fps: float) -> PlanDesign:
        return replace(design, base=design.base.with_(step_time=f"{fps:.9g}fps"))

    question = Question(with_rate, capacity, Target(inaction=inaction).met_but_for_one_per_worker)
    return [_rate(*each) for each in highest(design, question, confirmed=confirmed, on_progress=on_progress)]


def _rate(fps: float, row: Row) -> Rate:
    delay = row.delay_steps_mean
    return Rate(
        row.key,
        row.workers,
        fps,
        row.inaction,
        row.simulated.inaction_fraction_ci95 if row.simulated else None,
        None if delay is None or fps == 0 else delay / fps,
        row.source,
        row.confirmed,
    )


def longest_inferences(
    design: PlanDesign, target: Target, *, confirmed: int = 3, on_progress: Progress | None = None
) -> list[Highest]:
    """By how much inference times must shrink for each rule to reach a target with all workers, the least first.

    All times of the law are multiplied by one factor, at most 1, found by :func:`rtsim.planning.scan.highest`; 0 where
    none was found.

    Parameters
    ----------
    design : PlanDesign
    target : Target

    >>> from rtsim.planning.environment import WorstCase
    >>> from rtsim.scenario import Scenario
    >>> base = Scenario("max_time", "200ms", step_time="25ms", steps=500)
    >>> design = PlanDesign(base, WorstCase(1.0), 4, alg=("exp_time",), seeds=2)
    >>> round(longest_inferences(design, Target(inaction=0.0))[0].value, 2)  # four actions every 100 ms
    0.5
    """
    law = design.base.inference_time

    def scaled(factor: float) -> PlanDesign:
        return replace(design, base=design.base.with_(inference_time=law.scaled(factor) if factor < 1 else law))

    question = Question(scaled, lambda variant, workers: 1.0, target.met_but_for_one_per_worker)
    return highest(design, question, confirmed=confirmed, on_progress=on_progress)
