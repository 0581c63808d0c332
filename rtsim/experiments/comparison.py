"""Compare scheduler rules: how often is the environment left alone, and how many workers end that?

Every rule meets the same random numbers (common random numbers), so differences between
rules are far better known than the values themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from rtsim.agents import AgentSpec
from rtsim.clocks import simulate
from rtsim.errors import RuleFault
from rtsim.experiments.closed_forms import inaction_fraction, interaction_time
from rtsim.experiments.design import Design
from rtsim.experiments.regrets import RegretRow, Rollouts
from rtsim.experiments.required import Outcome, Required, outcome, required_workers, run_once
from rtsim.intervals import Interval, fraction_ci95, mean_ci95
from rtsim.mdps import TabularMDP
from rtsim.regret import RegretOverSeeds
from rtsim.scenario import Scenario
from rtsim.schedulers import RuleSpec
from rtsim.statistics import percentile_of_counts

SCHEMA = "rtsim.compare/1"
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Row:
    """One rule with one number of workers, over all seeds. Names as in the JSON output; None where nothing was counted.

    Attributes
    ----------
    alg : str
        Name of the rule.
    options : dict
        Its options, as JSON values.
    key : str
        Rule and options as one text.
    workers, seeds : int
    inaction_fraction, overwritten_fraction, dropped_fraction, worker_utilisation : float
        Means over the seeds: shares of the steps, of the released actions twice, and of the workers' time.
    inaction_fraction_ci95 : (float, float) or None
        Student t interval; None for one seed.
    interaction_time_s, interaction_time_std_s : float or None, seconds
        Time between steps on which the agent acted: mean, and standard deviation.
    delay_steps_mean, delay_steps_p99 : float and int, or None, steps
    capacity_limit : float
        Inaction that no rule with one action per inference can beat in the long run.
    theory_inaction_fraction : float or None
        By closed form, where there is one.
    transitions_per_step : float
        Transitions learned from, per environment step.
    update_staleness_mean : float or None, updates
    regret : RegretRow or None
        With an MDP.
    inaction_by_seed : tuple of float
    """

    alg: str
    options: dict[str, Any]
    key: str
    workers: int
    seeds: int
    inaction_fraction: float
    inaction_fraction_ci95: Interval | None
    interaction_time_s: float | None
    interaction_time_std_s: float | None
    delay_steps_mean: float | None
    delay_steps_p99: int | None
    overwritten_fraction: float
    dropped_fraction: float
    capacity_limit: float
    theory_inaction_fraction: float | None
    worker_utilisation: float
    transitions_per_step: float
    update_staleness_mean: float | None
    regret: RegretRow | None = None
    inaction_by_seed: tuple[float, ...] = field(repr=False, default=())


@dataclass(frozen=True)
class Difference:
    """Paired difference in inaction fraction from the first rule, on the same random numbers.

    Attributes
    ----------
    key, against : str
        The rule, and the first one, with their options.
    workers : int
    mean : float
        Share of the steps: positive where ``key`` has more inaction.
    ci95 : (float, float) or None
        Student t interval over the seeds; None for one seed.
    verdict : str
        "not significant", "small", "lower" or "higher", or that there was one seed.
    """

    key: str
    against: str
    workers: int
    mean: float
    ci95: Interval | None
    verdict: str


@dataclass
class Comparison:
    """Result of :func:`compare`; grows while it runs, so an interrupted one keeps what is finished.

    Attributes
    ----------
    design : Design
    rows : list of Row
    required_workers : dict of str to Required
        By rule with its options.
    regrets : dict of (str, int) to RegretOverSeeds
        Regret against time by rule and workers; not part of the JSON.
    interrupted : bool
    fault : str or None
        What a rule did wrong, which ended the comparison.
    """

    design: Design
    rows: list[Row] = field(default_factory=list)
    required_workers: dict[str, Required] = field(default_factory=dict)
    regrets: dict[tuple[str, int], RegretOverSeeds] = field(default_factory=dict, repr=False)
    interrupted: bool = False
    fault: str | None = None

    @property
    def scenario(self) -> dict[str, Any]:
        """The resolved settings, JSON values."""
        return self.design.to_json()

    @property
    def step_time_s(self) -> float:
        """Mean step time, seconds."""
        return self.design.base.step_mean

    @property
    def inference_time_s(self) -> float:
        """Mean time of one inference for one action, dispatch included, seconds."""
        base = self.design.base
        return base.inference_time.mean + (base.dispatch_time.mean if base.dispatch_time else 0.0)

    @property
    def paired_differences(self) -> list[Difference]:
        """Every other rule against the first, at the same number of workers (one-process rules at theirs)."""
        first = str(self.design.alg[0])
        baseline = {row.workers: row for row in self.rows if row.key == first}
        found = []
        for row in self.rows:
            other = baseline.get(row.workers)
            if self.design.alg[0].rule.single_worker:
                other = baseline.get(1)
            if row.key == first or other is None or len(other.inaction_by_seed) != len(row.inaction_by_seed):
                continue
            found.append(_difference(row, other))
        return found

    def to_json(self) -> dict[str, Any]:
        """The result in the schema ``rtsim.compare/1``."""
        return {
            "schema": SCHEMA,
            "scenario": self.scenario,
            "rows": [asdict(row) for row in self.rows],
            "paired_differences": [asdict(difference) for difference in self.paired_differences],
            "required_workers": {key: asdict(value) for key, value in self.required_workers.items()},
            "interrupted": self.interrupted,
            "fault": self.fault,
        }


def _difference(row: Row, other: Row) -> Difference:
    gaps = [a - b for a, b in zip(row.inaction_by_seed, other.inaction_by_seed, strict=True)]
    mean, interval = mean_ci95(gaps)
    if interval is None:
        verdict = "one seed: no interval"
    elif interval[0] <= 0 <= interval[1]:
        verdict = "not significant"
    elif abs(mean) < 0.001:
        verdict = "small"
    else:
        verdict = "lower" if mean < 0 else "higher"
    return Difference(row.key, other.key, row.workers, mean, interval, verdict)


def _row(scenario: Scenario, runs: Sequence[Outcome], longest: float, rollouts: Rollouts | None) -> Row:
    def average(name: str) -> float | None:
        values = [getattr(run.statistics, name) for run in runs]
        known = [v for v in values if v is not None]
        return float(np.mean(known)) if known else None

    inaction, interval = fraction_ci95([run.statistics.inaction_fraction for run in runs])
    width = max(len(run.delay_counts) for run in runs)
    counts = sum(np.pad(run.delay_counts, (0, width - len(run.delay_counts))) for run in runs)
    released = sum(run.statistics.released for run in runs)
    variance = average("interaction_time_var_s2")
    theory = inaction_fraction(scenario, longest)
    # By theory, not by counting, wherever it can: else the bound on inaction would be the count itself.
    predicted = interaction_time(scenario, theory)
    return Row(
        alg=scenario.rule.name,
        options=scenario.rule.options_json(),
        key=str(scenario.rule),
        workers=scenario.workers,
        seeds=len(runs),
        inaction_fraction=inaction,
        inaction_fraction_ci95=interval,
        interaction_time_s=average("interaction_time_s"),
        interaction_time_std_s=None if variance is None else float(np.sqrt(variance)),
        delay_steps_mean=average("delay_steps_mean"),
        delay_steps_p99=percentile_of_counts(np.asarray(counts), 99),
        overwritten_fraction=sum(run.statistics.overwritten for run in runs) / released if released else 0.0,
        dropped_fraction=sum(run.statistics.dropped for run in runs) / released if released else 0.0,
        capacity_limit=scenario.capacity_limit,
        theory_inaction_fraction=theory,
        worker_utilisation=average("worker_utilisation") or 0.0,
        transitions_per_step=average("transitions_per_step") or 0.0,
        update_staleness_mean=average("update_staleness_mean"),
        regret=None if rollouts is None else rollouts.row(predicted),
        inaction_by_seed=tuple(run.statistics.inaction_fraction for run in runs),
    )


def compare(design: Design, *, on_progress: Progress | None = None) -> Comparison:
    """Simulate every rule × number of workers × seed, then search for the required workers.

    Parameters
    ----------
    design : Design
    on_progress : callable(what, done, total), optional
        Called before each piece of work.

    Returns
    -------
    Comparison
        With ``interrupted`` set if a KeyboardInterrupt ended it early, or ``fault`` if a rule
        broke its contract; what was finished is kept.

    >>> design = Design((RuleSpec.of("max_time"),), Scenario("max_time", "90ms", steps=500), workers=(3, 6), seeds=2)
    >>> result = compare(design)
    >>> [round(row.inaction_fraction, 1) for row in result.rows], result.required_workers["max_time"].workers
    ([0.4, 0.0], 6)
    """
    result = Comparison(design)
    try:
        for _ in _work(design, result, on_progress or (lambda what, done, total: None)):
            pass
    except KeyboardInterrupt:
        result.interrupted = True
    except RuleFault as fault:
        result.fault = str(fault)
    return result


def _work(design: Design, result: Comparison, on_progress: Progress) -> Iterator[None]:
    cells = [(spec, number) for spec in design.alg for number in design.worker_numbers(spec)]
    total = len(cells) * design.seeds + (len(design.alg) if design.search else 0)
    done = 0
    longest: dict[str, float] = {}
    for spec, number in cells:
        runs, rollouts = [], None
        if isinstance(design.mdp, TabularMDP) and isinstance(design.agent, AgentSpec):
            rollouts = Rollouts(design.mdp, design.agent, design.base.step_mean, design.regret_points)
        for seed in range(design.base.seed, design.base.seed + design.seeds):
            on_progress(f"{spec}, {number} workers", done, total)
            scenario = design.base.with_(rule=spec, workers=number, seed=seed)
            if rollouts is None:
                runs.append(run_once(scenario, design.warmup, design.clock))
            else:
                schedule = simulate(scenario, engine=design.clock)
                runs.append(outcome(schedule.tally(design.warmup)))
                if not rollouts.knows_more:
                    on_progress(f"{spec}, {number} workers: solving best delayed policy", done, total)
                rollouts.add(schedule, seed)
            done += 1
            yield
        if rollouts is not None:
            result.regrets[str(spec), number] = rollouts.found
        here = max(run.longest for run in runs)
        longest[str(spec)] = max(longest.get(str(spec), 0.0), here)
        result.rows.append(_row(design.base.with_(rule=spec, workers=number), runs, here, rollouts))
    for spec in design.alg if design.search else ():

        def tell(number: int, spec: RuleSpec = spec, done: int = done) -> None:
            on_progress(f"would {number} workers do for {spec}?", done, total)

        result.required_workers[str(spec)] = required_workers(design, spec, longest[str(spec)], tell)
        done += 1
        yield
