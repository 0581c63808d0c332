"""What ``rtsim train`` tells of a training, and its film."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtsim.cli import render
from rtsim.errors import InvalidValue

if TYPE_CHECKING:
    from rtsim.learning import Outcome, Plan, Reference, Row

#: Lines of the printed curve.
LINES = 10
#: Share of the training whose scores are told beside those of the whole.
LAST = 0.1
CAPTIONS = (
    f"score: mean reward of the episodes that ended; last {LAST:.0%}: of those in the last {LAST:.0%} of the training",
    "delay: mean age of what actions were chosen on",
    "stale: mean updates landed between an inference's start and its action; their staleness: while one was computed",
    "virtual/real: how much faster than the environment's own rate the training ran",
    "noop, random: players that learn nothing and are never late",
)


#: Most environment steps of each reference: a second or two.
REFERENCE_STEPS = 3_000
#: Episodes shorter than so many mean delays hardly see an action that was chosen in them.
FEWEST_DELAYS = 2


def tell(plan: Plan, outcomes: dict[int, Outcome], interrupted: bool, as_data: bool) -> None:
    """Print what came of trainings, as tables or JSON, and on stderr if they could hardly learn anything."""
    references = [] if interrupted else _references(plan)
    with render.printing():
        if as_data:
            render.dump(as_json(plan, outcomes, interrupted, references))
        else:
            tables(plan, outcomes, references)
    warning = too_late([_last(found.rows) for found in outcomes.values()])
    if warning:
        render.note(f"rtsim: {warning}")


def _references(plan: Plan) -> list[Reference]:
    """How a noop and a random player fare, which are never late."""
    from rtsim.envs.worlds import environment
    from rtsim.errors import RtsimError
    from rtsim.learning import reference
    from rtsim.learning.references import PLAYERS

    found = []
    try:
        env = environment(plan.env)
        try:
            for player in PLAYERS:
                steps = min(plan.steps, REFERENCE_STEPS)
                found.append(reference(env, player, 0, steps, plan.scenario.step_mean))
        finally:
            env.close()
    except RtsimError as error:  # the training is worth its tables without them
        render.note(f"rtsim: no noop and random players to compare with: {error}")
    return found


def too_late(rows: list[Row]) -> str:
    """What to say of episodes that are hardly longer than the delay; nothing if they are longer.

    Parameters
    ----------
    rows : list of Row
        One for each seed.
    """
    length = _mean([row.length for row in rows])
    delay = _mean([row.delay for row in rows])
    if math.isnan(length) or length >= FEWEST_DELAYS * delay:  # delay nan: no action ever acted
        return ""
    late = "no action came in time" if math.isnan(delay) else f"actions are {delay:.3g} steps late"
    return (
        f"episodes last {length:.3g} steps and {late} (means of the last {LAST:.0%} of the training), so the agent "
        f"acts on few of its steps ({_percent(_mean([row.inaction for row in rows]))} inaction) and can hardly learn; "
        "give a shorter --inference-time, a lower --fps, or an environment with longer episodes"
    )


def tables(plan: Plan, outcomes: dict[int, Outcome], references: list[Reference]) -> None:
    """A line per seed and per reference, and how the reward grew."""
    from rtsim.timing import units

    rows = []
    for seed, found in outcomes.items():
        row, last = found.overall, _last(found.rows)
        rows.append(
            [
                str(seed),
                str(row.step),
                units.show(row.seconds),
                _digits(row.reward),
                _digits(row.reward_rate),
                _digits(row.score),
                _digits(last.score),
                _percent(row.inaction),
                _percent(row.non_noop),
                _digits(row.delay),
                _digits(row.staleness),
                str(row.updates),
                _digits(row.gradient_staleness),
                "-" if math.isnan(found.virtual_to_real) else f"{found.virtual_to_real:.3g}x",
            ]
        )
    columns = [
        "seed", "steps", "time", "reward", "reward/s", "score", f"last {LAST:.0%}", "inaction", "non-noop",
        "delay (steps)", "stale (updates)", "updates", "their staleness", "virtual/real",
    ]  # fmt: skip
    for each in references:
        told = [each.player, str(each.steps), units.show(each.seconds), *map(_digits, each[3:5]), _digits(each.score)]
        rows.append(told + ["-"] * (len(columns) - len(told)))
    render.table(f"Training in {plan.env}, {plan.scenario.rule}", columns, rows)
    for text in CAPTIONS if references else CAPTIONS[:-1]:
        render.line(text)
    render.line(_inaction_caption(list(outcomes.values())))
    render.line("")
    curve = _curve(outcomes)
    columns = ["environment time", "steps", "reward/s [95 %]", "score [95 %]", "inaction", "non-noop", "evaluation"]
    render.table("Reward against time, between one line and the next", columns, curve, left=0)
    few = "" if len(outcomes) > 1 else "; one seed has none"
    render.line(f"means over the seeds; [95 %]: their Student t interval{few}")


def _inaction_caption(outcomes: list[Outcome]) -> str:
    """What inaction counts, and what it is as ``plan`` and ``compare`` count it: without what passes at first."""
    text = "inaction: share of the steps on which the default policy acted, before the first action of an episode too"
    shares = []
    for found in outcomes:
        steps, first = found.overall.step, found.nobodys_steps
        if 0 < first < steps:
            shares.append(max(found.overall.inaction * steps - first, 0.0) / (steps - first))
    return f"{text}; without those steps {_percent(_mean(shares))}" if shares else text


def _curve(outcomes: dict[int, Outcome]) -> list[list[str]]:
    """Means over the seeds, in ten parts."""
    from rtsim.learning import overall
    from rtsim.timing import units

    curves = [found.rows for found in outcomes.values()]
    count = min(map(len, curves), default=0)
    lines = []
    edges = sorted({round(count * part / LINES) for part in range(LINES + 1)})
    for begin, end in zip(edges, edges[1:], strict=False):
        parts = [overall(rows[begin:end], rows[begin - 1] if begin else None) for rows in curves]
        lines.append(
            [
                units.show(parts[0].seconds),
                str(parts[0].step),
                _with_interval([part.reward_rate for part in parts]),
                _with_interval([part.score for part in parts]),
                _percent(_mean([part.inaction for part in parts])),
                _percent(_mean([part.non_noop for part in parts])),
                _with_interval([part.evaluation for part in parts]),
            ]
        )
    return lines


def _last(rows: list[Row]) -> Row:
    from rtsim.learning import overall

    first = max(len(rows) - max(round(len(rows) * LAST), 1), 0)
    return overall(rows[first:], rows[first - 1] if first else None)


def _mean(values: list[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def _with_interval(values: list[float]) -> str:
    from rtsim.intervals import mean_interval

    known = [value for value in values if not math.isnan(value)]
    if not known:
        return "-"
    mean, interval = mean_interval(known)
    return _digits(mean) if interval is None else f"{_digits(mean)} [{_digits(interval[0])}, {_digits(interval[1])}]"


def _digits(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4g}"


def _percent(value: float) -> str:
    return render.percent(None if math.isnan(value) else value)


def as_json(plan: Plan, outcomes: dict[int, Outcome], interrupted: bool, references: list[Reference]) -> dict[str, Any]:
    """The same numbers, and the whole curves; null where there is no value. Times in s, delays in steps."""

    def values(row: Row | Reference) -> dict[str, Any]:
        return {name: _known(value) for name, value in row._asdict().items()}

    return {
        "schema": "rtsim.train/1",
        "plan": plan.to_json(),
        "interrupted": interrupted,
        "seeds": [
            {
                "seed": seed,
                "steps": found.steps,
                "seconds": found.seconds,
                "virtual_to_real": _known(found.virtual_to_real),
                "steps_before_the_first_action": found.nobodys_steps,
                "overall": values(found.overall),
                "last_tenth": values(_last(found.rows)),
                "curve": [values(row) for row in found.rows],
            }
            for seed, found in outcomes.items()
        ],
        "references": [values(each) for each in references],
    }


def _known(value: float | str) -> float | str | None:
    return None if isinstance(value, float) and math.isnan(value) else value


def check_pictures(name: str) -> None:
    """Refuse a film of an environment that shows nothing, before hours of training.

    Raises
    ------
    InvalidValue
    """
    import gymnasium

    from rtsim.envs.worlds import environment

    env = environment(name)
    env.close()
    if "rgb_array" not in env.metadata.get("render_modes", ()):
        raise InvalidValue(f"{name} makes no pictures, so there can be no --video of it")
    env = environment(name, "rgb_array")
    try:
        env.reset(seed=0)
        env.render()
    except (gymnasium.error.Error, ImportError) as error:
        raise InvalidValue(f"no --video of {name}: {' '.join(str(error).split())[:200]}") from error
    finally:
        env.close()


def film(plan: Plan, seed: int, checkpoint: Path, path: str) -> None:
    """An episode of the trained agent, under its Schedule."""
    import gymnasium

    from rtsim.envs.worlds import environment
    from rtsim.learning import evaluate_scheduled, load
    from rtsim.live.video import Film

    learner, _ = load(checkpoint, plan.device)
    scenario = plan.scenario.with_(seed=seed)

    class Filmed(gymnasium.Wrapper[Any, Any, Any, Any]):
        """Every step's picture is offered to the film."""

        def step(self, action: Any) -> Any:
            found = self.env.step(action)
            if shot.wants_next():
                picture: Any = self.env.render()
                shot.add(picture)
            return found

    env = environment(plan.env, "rgb_array")
    try:
        with Film(path, 1 / scenario.step_mean) as shot:
            evaluate_scheduled(Filmed(env), learner, scenario, 1)
    finally:
        env.close()
    render.wrote(path)
