"""The tables of ``rtsim train``: what was trained, a line per seed, how the reward grew, and what they mean."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rtsim.cli import render

if TYPE_CHECKING:
    from rtsim.learning import Outcome, Plan, Reference, Row

#: Lines of the printed curve.
LINES = 10
#: Share of the training whose scores are told beside those of the whole.
LAST = 0.1
#: Most environment steps of each reference: a second or two.
REFERENCE_STEPS = 3_000
SCORE = f"score: mean reward of the episodes that ended; last {LAST:.0%}: of those in the last tenth of the training"


def tables(plan: Plan, outcomes: dict[int, Outcome], references: list[Reference]) -> None:
    """The settings, a line per seed and per reference, and how the reward grew."""
    endless = all(math.isnan(found.overall.score) for found in outcomes.values())
    _settings(plan)
    _seeds(plan, outcomes, references, endless)
    for text in _captions(outcomes, references, endless):
        render.line(text)
    for text in below(outcomes, references):
        render.line(text)
    render.line("")
    _curve(outcomes, endless)


def _settings(plan: Plan) -> None:
    from rtsim.timing import units

    scenario, settings = plan.scenario, plan.settings
    render.line(
        f"inference {scenario.inference_time} (mean {units.show(scenario.inference_time.mean)}), "
        f"workers {scenario.workers}, step {scenario.to_json()['step_time']} ({units.show(scenario.step_mean)}), "
        f"mailbox {scenario.mailbox}, default policy {plan.default_policy}"
    )
    if scenario.dispatch_time is not None:
        render.line(f"dispatch {scenario.dispatch_time}, part of every inference")
    if scenario.learning_time is None:
        every = "transition" if settings.steps_per_update == 1 else f"{settings.steps_per_update} transitions"
        updates = f"updates that take no time, one per {every}"
    else:
        updates = f"learning {scenario.learning_time}, learners {scenario.learners} ({scenario.learner_rule})"
    render.line(f"{updates}; {settings.algorithm}, network {settings.network}, batch {settings.batch}")


def _seeds(plan: Plan, outcomes: dict[int, Outcome], references: list[Reference], endless: bool) -> None:
    from rtsim.timing import units

    rows = []
    for seed, found in outcomes.items():
        row, last = found.overall, last_tenth(found.rows)
        rows.append(
            [
                str(seed),
                str(row.step),
                units.show(row.seconds),
                _digits(row.reward),
                _digits(row.reward_rate),
                *([_digits(last.reward_rate)] if endless else [_digits(row.score), _digits(last.score)]),
                percent(row.inaction),
                percent(row.non_noop),
                _digits(row.delay),
                _digits(row.staleness),
                str(row.updates),
                _digits(row.gradient_staleness),
                "-" if math.isnan(found.virtual_to_real) else f"{found.virtual_to_real:.3g}x",
            ]
        )
    columns = [
        "seed", "steps", "time", "reward", "reward/s",
        *([f"last {LAST:.0%} reward/s"] if endless else ["score", f"last {LAST:.0%} score"]),
        "inaction", "non-noop", "delay (steps)", "stale (updates)", "updates", "their staleness", "virtual/real",
    ]  # fmt: skip
    for each in references:
        told = [each.player, str(each.steps), units.show(each.seconds), *map(_digits, each[3:5])]
        told += [] if endless else [_digits(each.score)]
        rows.append(told + ["-"] * (len(columns) - len(told)))
    render.table(f"Training in {plan.env}, {plan.scenario.rule}", columns, rows)


def _captions(outcomes: dict[int, Outcome], references: list[Reference], endless: bool) -> list[str]:
    told = [
        f"last {LAST:.0%}: of the training; no episode ended" if endless else SCORE,
        _inaction_caption(list(outcomes.values())),
        "delay: mean age of what actions were chosen on; non-noop: share of the steps on which anything was done",
        "stale: mean updates landed between an inference's start and its action",
        "their staleness: mean updates landed while one was computed",
        "virtual/real: how much faster than the environment's own rate the training ran",
    ]
    if references:
        told.append(
            "noop, random: players that learn nothing and are never late, played from the training's beginning for at "
            f"most {REFERENCE_STEPS} steps"
        )
    return told


def _inaction_caption(outcomes: list[Outcome]) -> str:
    """What inaction counts, and what it is as ``plan`` and ``compare`` count it: without what passes at first."""
    text = "inaction: share of the steps on which the default policy acted, before the first action of an episode too"
    shares = []
    for found in outcomes:
        steps, first = found.overall.step, found.nobodys_steps
        if 0 < first < steps:
            shares.append(max(found.overall.inaction * steps - first, 0.0) / (steps - first))
    return f"{text}; without those steps {percent(mean(shares))}" if shares else text


def below(outcomes: dict[int, Outcome], references: list[Reference]) -> list[str]:
    """A line for each seed that ends below a player that learns nothing: by score, or reward per second without one."""
    lines = []
    for seed, found in outcomes.items():
        last = last_tenth(found.rows)
        scored = not math.isnan(last.score)
        what, own = ("score", last.score) if scored else ("reward/s", last.reward_rate)
        others = [(each.player, each.score if scored else each.reward_rate) for each in references]
        above = " and ".join(f"the {player} player's {_digits(value)}" for player, value in others if own < value)
        if above:
            lines.append(f"seed {seed} ends below {above}: its {what} in the last {LAST:.0%} is {_digits(own)}")
    return lines


def _curve(outcomes: dict[int, Outcome], endless: bool) -> None:
    """Means over the seeds, in ten parts."""
    from rtsim.timing import units

    curves = [found.rows for found in outcomes.values()]
    count = min(map(len, curves), default=0)
    if not count:
        render.line("no row of the curve is complete yet; give fewer --row-steps")
        return
    found = list(zip(*(parts(rows[:count], LINES) for rows in curves), strict=True))
    intervals = [
        (_with_interval([part.reward_rate for part in each]), _with_interval([part.score for part in each]))
        for each in found
    ]
    rates = [part.reward_rate for each in found for part in each]
    # Where every step pays the same, the episodes' scores tell everything and the reward per second nothing.
    constant = not endless and bool(rates) and math.isclose(min(rates), max(rates), rel_tol=1e-6)
    columns: dict[str, list[str]] = {
        "environment time": [units.show(each[0].seconds) for each in found],
        "steps": [str(each[0].step) for each in found],
        "reward/s [95 %]": [] if constant else [rate for rate, _ in intervals],
        "score [95 %]": [] if endless else [score for _, score in intervals],
        "inaction": [percent(mean([part.inaction for part in each])) for each in found],
        "non-noop": [percent(mean([part.non_noop for part in each])) for each in found],
        "evaluation": [_with_interval([part.evaluation for part in each]) for each in found],
    }
    shown = {name: cells for name, cells in columns.items() if cells}
    what = "Score" if constant else "Reward"
    lines = [list(cells) for cells in zip(*shown.values(), strict=True)]
    render.table(f"{what} against time, between one line and the next", list(shown), lines, left=0)
    few = "" if len(outcomes) > 1 else "; one seed has none"
    render.line(f"means over the seeds; [95 %]: their Student t interval{few}")


def parts(rows: list[Row], most: int) -> list[Row]:
    """A curve in so many parts of about as many rows each, or in its rows if they are fewer."""
    from rtsim.learning import overall

    edges = sorted({round(len(rows) * part / most) for part in range(most + 1)})
    spans = zip(edges, edges[1:], strict=False)
    return [overall(rows[begin:end], rows[begin - 1] if begin else None) for begin, end in spans]


def last_tenth(rows: list[Row]) -> Row:
    """The last rows of a curve as one."""
    from rtsim.learning import overall

    first = max(len(rows) - max(round(len(rows) * LAST), 1), 0)
    return overall(rows[first:], rows[first - 1] if first else None)


def mean(values: list[float]) -> float:
    """Of those that are known; nan if none is."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def percent(value: float) -> str:
    """A share as per cent, - for nan."""
    return render.percent(None if math.isnan(value) else value)


def _with_interval(values: list[float]) -> str:
    from rtsim.intervals import mean_interval

    known = [value for value in values if not math.isnan(value)]
    if not known:
        return "-"
    middle, interval = mean_interval(known)
    if interval is None:
        return _digits(middle)
    return f"{_digits(middle)} [{_digits(interval[0])}, {_digits(interval[1])}]"


def _digits(value: float) -> str:
    """Four digits, and all those before the point.

    >>> _digits(19_800.0), _digits(-0.123456), _digits(math.nan)
    ('19800', '-0.1235', '-')
    """
    if math.isnan(value):
        return "-"
    return f"{value:.0f}" if 1000 <= abs(value) < 1e15 else f"{value:.4g}"
