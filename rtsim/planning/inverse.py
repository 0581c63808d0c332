"""The questions the other way round: how few workers, how large a model, how high a rate reach a target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from rtsim.errors import InvalidValue
from rtsim.intervals import Interval
from rtsim.planning.candidates import Variant, worker_numbers
from rtsim.planning.floor import Floor
from rtsim.planning.plan import NoPlan, Plan, PlanDesign, Progress, confirm, plan, predict
from rtsim.planning.rows import Row

#: Rates looked at, each this share of the one above, down to that share of the capacity's; then so many bisections
#: between the highest that meets the target and the one above it, in which it becomes known to 1 in 1000.
LOWER, LOWEST, HALVINGS = 0.98, 0.01, 5


@dataclass(frozen=True)
class Target:
    """What a plan must reach: a regret rate, reward per second, or an inaction fraction, or both.

    >>> Target(regret_per_s=1.0).says
    'a regret of at most 1 per second'
    """

    regret_per_s: float | None = None
    inaction: float | None = None

    def __post_init__(self) -> None:
        if self.regret_per_s is not None and not 0 <= self.regret_per_s < np.inf:
            raise InvalidValue(f"target {self.regret_per_s:g} is a regret in reward per second and must be >= 0")
        if self.inaction is not None and not 0 <= self.inaction < 1:
            raise InvalidValue(
                f"inaction target {self.inaction:g} is a share of the steps and must lie in 0..1, below 1"
            )

    @property
    def says(self) -> str:
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
        If there is none; the message tells the best and the floor.
    """
    check_floor(found.design, target)
    for number, row in sorted(enumerate(found.rows), key=lambda item: (item[1].workers, item[1].value)):
        if target.met(row):
            tried = row if row.confirmed else confirm(found.design, row)
            found.rows[number] = tried
            if target.met(tried):
                return tried
    best, floor = found.best, found.floors[-1]
    told = "none was simulated"
    if best is not None:
        told = f"the best, {best.key} with {best.workers}, has {best.value:.4g} per second, {100 * best.inaction:.2f} %"
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
        Environment steps per second; 0 if the target is missed at any.
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

    Looked for from above, in steps of 2 %, from the capacity's rate, at which all workers are always busy (no rule goes
    beyond), to a hundredth of it: deadlines and chunks are whole numbers of steps, so that inaction rises and falls
    with the rate, and bisection could end at a low rate where a higher one meets the target again. What is narrower
    than 2 % can be missed. The first are simulated longer, and lowered by 2 % until the simulation meets the target,
    until the first ``confirmed`` of them all have been.

    Parameters
    ----------
    design : PlanDesign
        Its rate and environment are not used.
    inaction : float
        Target, share of the steps.

    >>> from rtsim.planning.environment import WorstCase
    >>> from rtsim.scenario import Scenario
    >>> base = Scenario("max_time", "100ms", steps=500)
    >>> found = highest_rates(PlanDesign(base, WorstCase(1.0), 4, alg=("exp_time",), seeds=2), 0.0)[0]
    >>> round(found.fps, 1)  # four actions every 100 ms
    40.0
    """
    Target(inaction=inaction)
    tell = on_progress or (lambda what, done, total: None)
    found: list[tuple[Rate, Variant]] = []
    for number, variant in enumerate(design.variants):
        tell(variant.key, number, len(design.variants))
        workers = worker_numbers(variant, design.base, design.max_workers)[-1:]
        if workers:
            found.append((_highest(design, variant, workers[0], inaction), variant))
    while True:
        found.sort(key=lambda item: -item[0].fps)
        unsure = [n for n, (rate, _) in enumerate(found[:confirmed]) if not rate.confirmed and rate.fps > 0]
        if not unsure:
            return [rate for rate, _ in found]
        rate, variant = found[unsure[0]]
        tell(f"simulating {rate.key}", unsure[0], confirmed)
        found[unsure[0]] = (_confirmed(design, variant, rate, inaction), variant)


def _highest(design: PlanDesign, variant: Variant, workers: int, inaction: float) -> Rate:
    scenario = variant.scenario(design.base, workers)
    actions = workers * scenario.rule.actions_per_inference
    busy = scenario.duration_law.least_mean * (1.0 - inaction)
    high = most = actions / busy if busy else 1e6
    # The capacity's own rate first: constant times reach it.
    fps, row = high, _at(design, variant, workers, high)
    while row.inaction > inaction + 1e-9:
        high, fps = fps, fps * LOWER
        if fps < most * LOWEST:
            return _rate(row, 0.0)
        row = _at(design, variant, workers, fps)
    for _ in range(HALVINGS if fps < high else 0):
        middle = float(np.sqrt(fps * high))
        if (tried := _at(design, variant, workers, middle)).inaction <= inaction + 1e-9:
            fps, row = middle, tried
        else:
            high = middle
    return _rate(row, fps)


def _at(design: PlanDesign, variant: Variant, workers: int, fps: float) -> Row:
    return predict(_with_rate(design, fps), variant, workers)


def _with_rate(design: PlanDesign, fps: float) -> PlanDesign:
    return replace(design, base=design.base.with_(step_time=f"{fps:.9g}fps"))


def _rate(row: Row, fps: float) -> Rate:
    delay = row.delay_steps_mean
    return Rate(
        row.key,
        row.workers,
        fps,
        row.inaction,
        row.simulated.inaction_fraction_ci95 if row.simulated else None,
        None if delay is None or fps == 0 else delay / fps,
        row.source,
    )


def _confirmed(design: PlanDesign, variant: Variant, rate: Rate, inaction: float) -> Rate:
    fps = rate.fps
    while True:
        row = confirm(_with_rate(design, fps), _at(design, variant, rate.workers, fps))
        assert row.simulated is not None
        if row.simulated.inaction_fraction <= inaction + row.workers / row.simulated.steps or fps < rate.fps / 2:
            return replace(_rate(row, fps), confirmed=True)
        fps *= LOWER
