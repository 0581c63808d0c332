"""Which rule, which options, how many workers: ranked by predicted regret rate, the best confirmed by simulation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsim.errors import InvalidValue
from rtsim.experiments import executors
from rtsim.planning.candidates import ASSUMED, Variant, every, variants, worker_numbers
from rtsim.planning.environment import Environment, Measured
from rtsim.planning.floor import Floor, floor
from rtsim.planning.learners import Learning
from rtsim.planning.predict import closed_form, numerical, runs, simulated, warmup
from rtsim.planning.rows import NEAR, Row, better, fewest, front, paired, representatives, unassuming, within
from rtsim.planning.simulations import disagrees, on_mdp, summary
from rtsim.planning.tabular import Tabular
from rtsim.scenario import MAX_WORKERS, Scenario
from rtsim.schedulers import RuleSpec
from rtsim.timing.units import whole
from rtsim.version import __version__

SCHEMA = "rtsim.plan/1"
#: Seeds, and steps after the warm-up, of the first look at a row without a formula.
LOOKS, LOOK_STEPS = 4, 1_000
#: Largest budget of workers.
MOST_WORKERS = 4096
#: Variants of the short list; most rounds in which rows that then promise more are confirmed too, so many at a time.
SHORT_LIST, ROUNDS, MORE = 12, 12, 6

#: Numbers of workers in a row that better nothing, after which a rule that is simulated is left.
IDLE = 3

#: Is told what is done, and how much of how much: callable(what, done, total).
Progress = Callable[[str, int, int], None]


class NoPlan(InvalidValue):
    """There is no plan that meets what is asked; the message says why, and the floor."""


@dataclass(frozen=True)
class PlanDesign:
    """What is known and what there is to spend.

    Attributes
    ----------
    base : Scenario
        Times, mailbox, first seed, learners' batch, and the steps of a confirming run after its warm-up; its rule and
        workers are not used.
    environment : Environment
    max_workers, max_learners : int
    alg : tuple of str
        Rules to rank instead of all.
    without : tuple of str
        Rules to leave out: all options of a rule that is named alone, else these options.
    seeds : int
        Of a confirming simulation.
    """

    base: Scenario
    environment: Environment
    max_workers: int
    max_learners: int | None = None
    alg: tuple[str, ...] = ()
    seeds: int = 5
    without: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        whole(self.max_workers, "max_workers", 1, MOST_WORKERS)
        whole(self.seeds, "seeds", 2, 10_000)
        least = 4 * self.base.least_workers
        if self.base.steps < least:
            raise InvalidValue(
                f"an inference takes about {self.base.least_workers} steps, of which a simulation of "
                f"{self.base.steps} tells nothing; give at least --steps {least}"
            )
        if self.max_learners is not None:
            whole(self.max_learners, "max_learners", 1, MAX_WORKERS)

    @cached_property
    def variants(self) -> list[Variant]:
        """Every rule with its options and mailbox, less those left out."""
        out = [RuleSpec.of(text) for text in self.without]
        bare = {rule.name for rule, text in zip(out, self.without, strict=True) if "(" not in text}
        found = [each for each in variants(self.base, self.alg) if each.rule not in out and each.rule.name not in bare]
        if not found:
            raise InvalidValue(f"without {', '.join(self.without)} there is no rule left to rank")
        return found

    def floor(self, workers: int) -> Floor:
        """The regret no rule among these can beat with so many workers."""
        chunk = max(variant.rule.actions_per_inference for variant in self.variants)
        return floor(self.base, self.environment, workers, chunk)

    def to_json(self) -> dict[str, Any]:
        """The resolved settings."""
        settings = self.base.to_json()
        for name in ("rule", "workers", "learners", "learner_rule", "learning_starts"):
            del settings[name]
        return {
            **settings,
            "environment": self.environment.name,
            "max_workers": self.max_workers,
            "max_learners": self.max_learners,
            "alg": list(self.alg) or "all",
            "without": list(self.without),
            "seeds": self.seeds,
            "rtsim": __version__,
        }


@dataclass
class Plan:
    """The answer: every row, the best one, and the floor.

    Attributes
    ----------
    design : PlanDesign
    rows : list of Row
        In no order.
    interrupted : bool
        Whether a KeyboardInterrupt ended it early.
    """

    design: PlanDesign
    rows: list[Row] = field(default_factory=list)
    interrupted: bool = False
    _weights: dict[tuple[str, int], NDArray[np.float64]] = field(default_factory=dict, repr=False)

    @property
    def confirmed(self) -> list[Row]:
        """The rows that were simulated longer, among which to choose."""
        return [row for row in self.rows if row.confirmed]

    @property
    def best(self) -> Row | None:
        """The last row of the front; None if an interrupted plan has not confirmed any."""
        return self.front[-1] if self.confirmed else None

    @property
    def cheapest(self) -> Row | None:
        """The confirmed row with the fewest workers within 10 % of the best, itself perhaps; None without a best."""
        if (best := self.best) is None:
            return None
        near = (row for row in self.confirmed if row.value <= within(best.value, NEAR))
        return min(near, key=lambda row: (row.workers, row.value))

    @property
    def best_unassuming(self) -> Row | None:
        """The best of the rules that assume nothing of the network; None if the best does not, or there is none."""
        best, sure = self.best, unassuming(self.confirmed)
        return fewest(sure, self.unsure) if best is not None and best.alg in ASSUMED and sure else None

    @property
    def front(self) -> list[Row]:
        """Pareto front of workers against regret, of confirmed rows; an interrupted plan without any has all rows."""
        return front(self.confirmed or self.rows, self.unsure)

    @property
    def representatives(self) -> list[Row]:
        """Each rule's best row, with its options; least regret first."""
        return representatives(self.rows, self.unsure)

    def unsure(self, row: Row, other: Row) -> float:
        """Half width of the 95 % interval of a difference of two regret rates, reward per second.

        What the simulations leave, paired by seed, and a measured curve's own intervals; 0 where there is neither.
        """
        return float(np.hypot(paired(row, other), self.curve_leaves(row, other)))

    def curve_leaves(self, row: Row, other: Row | None = None) -> float:
        """Half width of the 95 % interval that a measured curve leaves on a regret rate, or on a difference of two.

        Reward per second; 0 where the environment is no measured curve, or one without intervals.
        """
        environment = self.design.environment
        if not isinstance(environment, Measured):
            return 0.0
        for each in (row, other):
            if each is not None and (each.key, each.workers) not in self._weights:
                assert each.prediction is not None
                found = environment.weights(each.prediction.inaction, each.prediction.delays)
                self._weights[each.key, each.workers] = found
        weights = [self._weights[each.key, each.workers] for each in (row, other) if each is not None]
        return (environment.uncertainty(*weights) or 0.0) / self.design.base.step_mean

    @cached_property
    def floors(self) -> list[Floor]:
        """The floor by number of workers up to the budget; beyond 256 not of all."""
        return [self.design.floor(workers) for workers in every(self.design.max_workers)]

    @cached_property
    def single_floors(self) -> list[Floor]:
        """The same for rules with one action per inference, whose capacity limit is max(0, 1 − N τ_M/τ̄_θ)."""
        design = self.design
        return [floor(design.base, design.environment, workers) for workers in every(design.max_workers)]

    @property
    def never_acting_per_s(self) -> float:
        """Regret rate of the default policy alone, reward per second: the scale of all others."""
        return self.design.environment.default_cost / self.design.base.step_mean

    @property
    def learning(self) -> Learning | None:
        """Learners, if a learning time is given."""
        return Learning.of(self.design.base, self.design.max_learners)

    def to_json(self) -> dict[str, Any]:
        """The result in the schema ``rtsim.plan/1``.

        Workers have a core each: ``best_cores`` is what the best row takes, ``machine_cores`` what this process may
        use here. ``best_without_assumptions`` is None unless the best row assumes something of the network.
        """
        best, learning = self.best, self.learning
        return {
            "schema": SCHEMA,
            "settings": self.design.to_json(),
            "rows": [row.to_json() for row in sorted(self.rows, key=lambda row: row.value)],
            "best": None if best is None else best.to_json(),
            "best_delay_curve_half_width_per_s": None if best is None else self.curve_leaves(best) or None,
            "best_cores": None if best is None else best.workers,
            "machine_cores": executors.cores(),
            "cheapest_within_10_percent": None if (near := self.cheapest) is None else near.to_json(),
            "best_without_assumptions": None if (plain := self.best_unassuming) is None else plain.to_json(),
            "never_acting_per_s": self.never_acting_per_s,
            "front": [row.to_json() for row in self.front],
            "floor": asdict(self.floors[-1]),
            "floors": [asdict(each) for each in self.floors],
            "floors_one_action_per_inference": [asdict(each) for each in self.single_floors],
            "learning": None if learning is None else asdict(learning),
            "interrupted": self.interrupted,
        }


def plan(design: PlanDesign, *, on_progress: Progress | None = None) -> Plan:
    """Rank every rule, its options and numbers of workers by predicted regret rate; simulate the short list.

    Rows come by closed form, by numerical bounds, or, where there is neither, by a few short simulations; then the best
    of each variant, the Pareto front, and whatever promises more than the best confirmed one, are simulated longer.
    Rows whose regret differs by less than half a per cent, or than their simulations and the intervals of a measured
    delay curve tell apart, count as equal, and fewer workers win.

    Parameters
    ----------
    design : PlanDesign
    on_progress : callable(what, done, total), optional

    Returns
    -------
    Plan
        With ``interrupted`` set if a KeyboardInterrupt ended it early.

    Examples
    --------
    >>> from rtsim.planning.environment import WorstCase
    >>> base = Scenario("max_time", "90ms", step_time=0.02, steps=1_000)
    >>> found = plan(PlanDesign(base, WorstCase(0.9), 6, alg=("exp_time", "sequential"), seeds=2))
    >>> best = found.best  # five would end the inaction, six make the actions a little younger
    >>> best.alg, best.workers, best.source, best.disagrees
    ('exp_time', 6, 'closed form', '')
    >>> best.regret_per_s >= found.floors[-1].regret_per_s
    True
    """
    found = Plan(design)
    try:
        _look(found, on_progress or (lambda what, done, total: None))
        _confirm(found, on_progress or (lambda what, done, total: None))
    except KeyboardInterrupt:
        found.interrupted = True
    return found


def predict(design: PlanDesign, variant: Variant, workers: int) -> Row:
    """One row, by the quickest way there is."""
    scenario = variant.scenario(design.base, workers)
    prediction = closed_form(scenario) or numerical(scenario)
    short = None
    if prediction is None:
        seeds = range(design.base.seed, design.base.seed + LOOKS)
        steps = min(max(LOOK_STEPS, 10 * design.base.least_workers), design.base.steps)
        looked = runs(scenario, seeds, steps)
        prediction = simulated(looked)
        short = summary(design.environment, design.base.step_mean, looked, steps)
    parts, step = design.environment.parts(prediction.inaction, prediction.delays), design.base.step_mean
    # A curve is between its points what it is, whatever the steps come from; a policy's loss on an MDP is not.
    charged = design.environment.source == "numerical"
    rough = charged and (prediction.source == "closed form" or isinstance(design.environment, Tabular))
    return Row(
        alg=variant.rule.name,
        options=scenario.rule.options_json(),
        key=variant.key,
        mailbox=variant.mailbox,
        workers=workers,
        regret_per_s=parts.total / step,
        inaction_per_s=parts.inaction / step,
        delay_per_s=parts.delay / step,
        learn_per_s=None,
        inaction_fraction=prediction.inaction,
        delay_steps_mean=prediction.delay_mean,
        source="numerical" if rough else prediction.source,
        inaction_source=prediction.source,
        simulated=short,
        variant=variant,
        prediction=prediction,
    )


def confirm(design: PlanDesign, row: Row) -> Row:
    """The row with a longer simulation beside its prediction, and whether they agree."""
    assert row.variant is not None
    assert row.prediction is not None
    scenario, steps = row.variant.scenario(design.base, row.workers), design.base.steps
    seeds = range(design.base.seed, design.base.seed + design.seeds)
    environment, step = design.environment, design.base.step_mean
    found = summary(environment, step, runs(scenario, seeds, steps), steps)
    if isinstance(environment, Tabular):
        found = on_mdp(environment, scenario.with_(steps=warmup(scenario) + steps), seeds, found)
    return replace(row, simulated=found, confirmed=True, disagrees=disagrees(environment, step, row, found))


def _look(found: Plan, on_progress: Progress) -> None:
    """Predict every row; of rules that are simulated, until more workers change nothing."""
    design = found.design
    cells = [(variant, worker_numbers(variant, design.base, design.max_workers)) for variant in design.variants]
    total, begin = sum(len(numbers) for _, numbers in cells), 0
    for variant, numbers in cells:
        best, idle = np.inf, 0
        for number, workers in enumerate(numbers):
            on_progress(f"{variant.key}, {workers} workers", begin + number, total)
            row = predict(design, variant, workers)
            found.rows.append(row)
            idle = idle + 1 if within(row.value) >= best else 0
            best = min(best, row.value)
            if idle >= IDLE and row.inaction_source == "simulated" and workers > 2 * design.base.least_workers:
                break
        begin += len(numbers)


def _confirm(found: Plan, on_progress: Progress) -> None:
    """Simulate the short list, then what promises more than the best of it."""
    design = found.design
    if not found.rows:
        raise NoPlan(f"no rule given can do with {design.max_workers} workers; a pipeline takes one for each layer")
    for _ in range(ROUNDS):
        wanted = _promising(found)
        if not wanted:
            return
        for number, row in enumerate(wanted):
            on_progress(f"simulating {row.key}, {row.workers} workers", number, len(wanted))
            found.rows[_index(found.rows, row)] = confirm(design, row)


def _promising(found: Plan) -> list[Row]:
    """The unconfirmed rows that would change the answer if they were what they seem to be."""
    by_policy = isinstance(found.design.environment, Tabular) and not found.design.environment.free
    wanted = representatives(found.rows, found.unsure, confirmed=False)[: None if by_policy else SHORT_LIST]
    wanted += front(found.rows, found.unsure)
    if (best := found.best) is not None:
        better_yet = [row for row in found.rows if not row.confirmed and better(row, best, found.unsure)]
        wanted += sorted(better_yet, key=lambda row: row.value)[:MORE]
        near = [row for row in found.rows if row.value <= within(best.value, NEAR)]
        wanted.append(min(near, key=lambda row: (row.workers, row.value)))
        if best.alg in ASSUMED:
            wanted += front(unassuming(found.rows), found.unsure)
    return [row for n, row in enumerate(wanted) if not row.confirmed and row not in wanted[:n]]


def _index(rows: Sequence[Row], wanted: Row) -> int:
    return next(n for n, row in enumerate(rows) if row.key == wanted.key and row.workers == wanted.workers)
