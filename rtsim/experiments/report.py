"""What a sweep found: its cells grouped over seeds."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median_high
from typing import Any

from rtsim.experiments.cells import FOUND, SETTINGS, Value
from rtsim.experiments.store import Record
from rtsim.intervals import Interval, fraction_ci95, mean_ci95

#: Settings that tell cells of one group apart; the clock changes no number.
REPETITION = ("seed", "clock")


def _groups(rows: Sequence[Record], measure: str) -> list[list[Record]]:
    found: dict[tuple[Value, ...], list[Record]] = {}
    for row in rows:
        if row["measure"] == measure:
            found.setdefault(tuple(row[name] for name in SETTINGS if name not in REPETITION), []).append(row)
    return list(found.values())


@dataclass(frozen=True)
class Group:
    """Cells alike but for the seed.

    Attributes
    ----------
    settings : dict
        Columns of :data:`~rtsim.experiments.cells.SETTINGS`, without seed and clock.
    seeds : int
    means : dict
        Mean over the seeds of every number found; None where no seed has it.
    inaction_fraction_ci95 : (float, float) or None
        Student t interval.
    regret_ci95 : dict
        Student t intervals of the numbers of regret, by column; None where there are none.
    """

    settings: Record
    seeds: int
    means: dict[str, float | None]
    inaction_fraction_ci95: Interval | None
    regret_ci95: dict[str, Interval | None]


def statistics_by_group(rows: Sequence[Record]) -> list[Group]:
    """Means over seeds of the cells whose statistics were measured, in their order."""
    found = []
    for group in _groups(rows, "statistics"):
        means: dict[str, float | None] = {}
        intervals: dict[str, Interval | None] = {}
        for name, kind in FOUND.items():
            values = [value for row in group if isinstance(value := row[name], int | float)]
            if kind is not str and not name.startswith("required"):
                means[name], ci95 = mean_ci95(values) if values else (None, None)
                if name.startswith("regret"):
                    intervals[name] = ci95
        inaction = [value for row in group if isinstance(value := row["inaction_fraction"], float)]
        found.append(Group(_settings(group[0]), len(group), means, fraction_ci95(inaction)[1], intervals))
    return found


@dataclass(frozen=True)
class InactionRow:
    """One series at one number of workers, for :func:`rtsim.pictures.plot_inaction`."""

    alg: str
    key: str
    workers: int
    inaction_fraction: float
    inaction_fraction_ci95: Interval | None
    interaction_time_s: float | None
    delay_steps_mean: float | None
    delay_steps_p99: float | None
    overwritten_fraction: float
    capacity_limit: float
    theory_inaction_fraction: float | None


@dataclass(frozen=True)
class InactionCurves:
    """Groups as :func:`rtsim.pictures.plot_inaction` takes them; times in s; no workers were searched for."""

    rows: tuple[InactionRow, ...]
    scenario: Record
    step_time_s: float
    inference_time_s: float
    required_workers: Mapping[str, Any]


#: Of whatever else was varied, pictures up to here.
MOST_PICTURES = 8


def inaction_curves(groups: Sequence[Group]) -> list[InactionCurves]:
    """Inaction against workers, a series for each rule: one picture for each combination of everything else.

    At most :data:`MOST_PICTURES`, of those with more than one number of workers.
    """
    # Who acts on which MDP makes no difference to when it acts.
    ignored = ("measure", "rule", "workers", "warmup_steps", "target", "mdp", "agent")
    names = [name for name in SETTINGS if name not in (*REPETITION, *ignored)]
    found: dict[tuple[Value, ...], list[Group]] = {}
    for group in groups:
        found.setdefault(tuple(group.settings[name] for name in names), []).append(group)
    several = [here for here in found.values() if len({group.settings["workers"] for group in here}) > 1]
    return [_curves(here, names) for here in several[:MOST_PICTURES]]


def _curves(groups: Sequence[Group], names: Sequence[str]) -> InactionCurves:
    rows: dict[tuple[str, int], InactionRow] = {}
    for group in groups:
        means, rule, workers = group.means, str(group.settings["rule"]), group.settings["workers"]
        assert isinstance(workers, int)
        row = InactionRow(
            alg=re.split(r"\(", rule)[0],
            key=rule,
            workers=workers,
            inaction_fraction=means["inaction_fraction"] or 0.0,
            inaction_fraction_ci95=group.inaction_fraction_ci95,
            interaction_time_s=means["interaction_time_s"],
            delay_steps_mean=means["delay_steps_mean"],
            delay_steps_p99=means["delay_steps_p99"],
            overwritten_fraction=means["overwritten_fraction"] or 0.0,
            capacity_limit=means["capacity_limit"] or 0.0,
            theory_inaction_fraction=means["theory_inaction_fraction"],
        )
        rows.setdefault((rule, workers), row)
    first = groups[0]
    scenario = {name: first.settings[name] for name in names} | {"seeds": first.seeds}
    times = [first.means[name] or 0.0 for name in ("step_time_s", "inference_time_s")]
    return InactionCurves(tuple(rows.values()), scenario, times[0], times[1], {})


def _settings(row: Record) -> Record:
    return {name: row[name] for name in SETTINGS if name not in REPETITION}


@dataclass(frozen=True)
class RequiredPoint:
    """How many workers or learners were needed, over the seeds.

    Attributes
    ----------
    measure : {"required_workers", "required_learners"}
    series : str
        Rule, or learner rule and batch, and whatever else tells it from others: what one line of a picture is about.
    family : str
        The law without the size of its model (or its mean), e.g. ``profile:epyc#resnet15-k*``.
    law : str
    time_s : float
        Mean inference (or learning) time, s.
    parameters : int or None
        Of the network whose times were measured.
    step_time_s : float
    batch : int
    target : float or None
    seeds, not_found : int
        All seeds, and those for which no number was enough.
    median, low, high : int or None
        Over the seeds, "not found" taken as larger than any number (then None).
    formula : int or None
        The paper's; the largest over the seeds, where it depends on the longest time seen.
    reason : str or None
        Why some seed found none.
    delay_steps : float or None
        Mean delay with the numbers found, mean over the seeds that found one.
    """

    measure: str
    series: str
    family: str
    law: str
    time_s: float
    parameters: int | None
    step_time_s: float
    batch: int
    target: float | None
    seeds: int
    not_found: int
    median: int | None
    low: int | None
    high: int | None
    formula: int | None
    reason: str | None
    delay_steps: float | None


#: Settings that a point has a place for of its own, by measure.
_SHOWN = {
    "required_workers": ("measure", "rule", "inference_time", "workers", "target"),
    "required_learners": ("measure", "learning_time", "learner_rule", "learners", "batch", "target"),
}


def required_points(rows: Sequence[Record], measure: str) -> list[RequiredPoint]:
    """Required workers or learners over the seeds, in the order of the cells."""
    groups = _groups(rows, measure)
    others = [name for name in SETTINGS if name not in (*REPETITION, *_SHOWN[measure], "warmup_steps")]
    varied = [name for name in others if len({group[0][name] for group in groups}) > 1]
    targets = {group[0]["target"] for group in groups}
    varied += ["target"] if len(targets) > 1 else []
    return [_point(group, measure, varied) for group in groups]


def _point(group: list[Record], measure: str, varied: Sequence[str]) -> RequiredPoint:
    first = group[0]
    workers = measure == "required_workers"
    law = str(first["inference_time" if workers else "learning_time"])
    needed = sorted(math.inf if row["required"] is None else float(row["required"]) for row in group)
    delays = [value for row in group if isinstance(value := row["delay_steps_mean"], float)]
    formulas = [row["required_formula"] for row in group if isinstance(row["required_formula"], int)]
    parameters = first["inference_parameters" if workers else "learning_parameters"]
    learner_rule = "round_robin" if first["learner_rule"] == "auto" else first["learner_rule"]
    target, batch = first["target"], first["batch"]
    assert isinstance(batch, int)
    series = [str(first["rule"]) if workers else f"{learner_rule}, batch {batch}"]
    series += [f"{name.replace('_', ' ')} {'none' if first[name] is None else first[name]}" for name in varied]
    return RequiredPoint(
        measure=measure,
        series=", ".join(series),
        family=family(law),
        law=law,
        time_s=_number(first["inference_time_s" if workers else "learning_time_s"]),
        parameters=parameters if isinstance(parameters, int) else None,
        step_time_s=_number(first["step_time_s"]),
        batch=batch,
        target=target if isinstance(target, float) else None,
        seeds=len(group),
        not_found=needed.count(math.inf),
        median=_count(median_high(needed)),
        low=_count(needed[0]),
        high=_count(needed[-1]),
        formula=max(formulas, default=None),
        reason=next((str(row["required_reason"]) for row in group if row["required"] is None), None),
        delay_steps=sum(delays) / len(delays) if delays else None,
    )


def _number(value: Value) -> float:
    assert isinstance(value, int | float)
    return float(value)


def _count(value: float) -> int | None:
    return None if math.isinf(value) else int(value)


def family(law: str) -> str:
    """A law without what makes it longer or shorter: the size of its model, its mean, or the constant itself.

    >>> family("mixture(0.5: 1us, 0.5: profile:epyc#resnet15-k7)"), family("lognorm(mean=84ms, cv=0.1)"), family("84ms")
    ('mixture(0.5: 1us, 0.5: profile:epyc#resnet15-k*)', 'lognorm(mean=*, cv=0.1)', 'constant times')
    """
    law = re.sub(r"(#[^@,()\s]*?)[\d.]+(@batch\d+)?(?=[,()\s]|$)", r"\1*", law)
    law = re.sub(r"mean=[^,()]+", "mean=*", law)
    return re.sub(r"^[\d.]+\w*$", "constant times", law)
