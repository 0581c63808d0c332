"""``rtsim evaluate``."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from rtsim.cli import render
from rtsim.cli.arguments import Evaluate
from rtsim.cli.settings import needs_unit, step_time_of
from rtsim.errors import InvalidValue, MissingExtra, UnknownName
from rtsim.timing.units import whole

if TYPE_CHECKING:
    from rtsim.intervals import Estimate
    from rtsim.learning import Agent, Extent, Fared, Played
    from rtsim.scenario import Scenario

#: Evaluations of each row, and steps of each where there are no episodes.
SEEDS, STEPS = 3, 10_000
#: Of an evaluation, by JSON key: mean over the seeds.
MEASURES = ("score", "reward_rate", "length", "inaction", "delay")


def run(arguments: Evaluate) -> int:
    """Play, and tell how every player fared."""
    from rtsim.envs.default_policies import NAMES

    for package in ("torch", "gymnasium"):
        if find_spec(package) is None:
            raise MissingExtra("an evaluation of weights", package, "learning")
    if not arguments.weights:
        raise InvalidValue("name weights, a checkpoint or a folder of rtsim train, e.g. rtsim evaluate runs/cart")
    if not arguments.alg:
        raise InvalidValue("--alg is empty; name at least one rule, e.g. --alg max_time (see rtsim rules)")
    if arguments.default_policy not in NAMES:
        raise UnknownName("default policy", arguments.default_policy, NAMES)
    from rtsim.envs.worlds import environment
    from rtsim.learning import agent_of, compare_agents
    from rtsim.learning.evaluation import endless

    agents = [agent_of(text) for text in arguments.weights]
    most = max(len(agent.files) for agent in agents)
    seeds = whole(max(SEEDS, most) if arguments.seeds is None else arguments.seeds, "--seeds", 1, 10**6)
    if seeds < most:
        render.note(f"rtsim: --seeds {seeds} plays only the first {seeds} of the {most} seeds of a training")
    name = _env_of(arguments, agents)
    env = environment(name)
    try:
        scenarios = _scenarios(arguments, agents, env)
        extent = _extent(arguments, endless(env))
        with render.progress(counted=False) as update:
            told = render.Told(update)
            rows = compare_agents(env, agents, scenarios, extent, seeds, arguments.default_policy, told)
    finally:
        env.close()
    interrupted = len(rows[0].played) < seeds
    step_time = scenarios[0].step_mean
    with render.printing():
        if arguments.json:
            render.dump(_as_json(arguments, name, extent, rows, step_time))
        else:
            _table(name, arguments.default_policy, extent, rows, step_time)
    _warn(rows, extent)
    if interrupted:
        render.note(f"rtsim: interrupted after {len(rows[0].played)} of {seeds} seeds")
    return 130 if interrupted else 0


def _env_of(arguments: Evaluate, agents: Sequence[Agent]) -> str:
    """The environment that was asked for, or that of all trainings."""
    if arguments.env:
        return arguments.env
    names = {agent.name: plan.env for agent in agents if (plan := agent.plan) is not None}
    if len(set(names.values())) != 1:
        why = "no training's settings lie beside the weights" if not names else f"trained in {_listed(names)}"
        raise InvalidValue(f"give --env ({why})")
    return next(iter(names.values()))


def _listed(by_name: dict[str, str]) -> str:
    return ", ".join(f"{value} ({name})" for name, value in by_name.items())


def _scenarios(arguments: Evaluate, agents: Sequence[Agent], env: Any) -> list[Scenario]:
    from rtsim.scenario import Scenario

    for flag in ("inference_time", "dispatch_time"):
        needs_unit(flag, getattr(arguments, flag))
    step_time = _step_time(arguments, agents, env)
    found = []
    for rule in arguments.alg:
        scenario = Scenario(
            rule,
            arguments.inference_time or 0.0,
            workers=1 if arguments.workers is None else arguments.workers,
            step_time=step_time,
            mailbox=arguments.mailbox,
            dispatch_time=arguments.dispatch_time or None,
        )
        if arguments.workers is None:
            scenario = scenario.with_(workers=scenario.least_workers)
        elif arguments.workers > scenario.workers:
            render.note(f"rtsim: {scenario.rule.name} has one worker; --workers {arguments.workers} is not used")
        found.append(scenario)
    return found


def _step_time(arguments: Evaluate, agents: Sequence[Agent], env: Any) -> Any:
    """Of --fps, the trainings, or the environment."""
    from rtsim.envs.faults import fps_of

    if arguments.fps:
        return step_time_of(arguments.fps)
    plans = {agent.name: plan for agent in agents if (plan := agent.plan) is not None}
    times = {name: plan.scenario.step_time for name, plan in plans.items()}
    if len(set(map(str, times.values()))) > 1:
        raise InvalidValue(f"give --fps: trained with step times {_listed({n: str(t) for n, t in times.items()})}")
    if times:
        return next(iter(times.values()))
    fps = fps_of(env, env.metadata)
    if fps is None:
        raise InvalidValue("the environment does not say how many steps a second it has; give --fps, e.g. --fps 60")
    return f"{fps!r}fps"


def _extent(arguments: Evaluate, endless: bool) -> Extent:
    from rtsim.learning import Extent

    return Extent(arguments.episodes, STEPS if endless and arguments.steps is None else arguments.steps)


def _values(played: Played, step_time: float) -> dict[str, float]:
    """The measures of one evaluation; nan where there is no value."""
    rate = played.reward / (played.steps * step_time)
    return dict(zip(MEASURES, (played.score, rate, played.length, played.inaction, played.delay), strict=True))


def _estimates(row: Fared, step_time: float) -> dict[str, Estimate | None]:
    """Means over the seeds; None where a seed has no value, and where nobody could have been late."""
    values = [_values(played, step_time) for played in row.played]
    found = {name: _estimate([each[name] for each in values]) for name in MEASURES}
    return found if row.scenario is not None else {**found, "inaction": None, "delay": None}


def _estimate(values: list[float]) -> Estimate | None:
    from rtsim.intervals import mean_ci95

    return None if any(map(math.isnan, values)) else mean_ci95(values)


def _measure(rows: Sequence[Fared]) -> str:
    """What differences are told of: scores, or reward per second where not everybody has one for every seed."""
    return "score" if all(played.scores for row in rows for played in row.played) else "reward_rate"


def _difference(row: Fared, first: Fared, measure: str, step_time: float) -> Estimate | None:
    pairs = zip(row.played, first.played, strict=True)
    return _estimate([_values(a, step_time)[measure] - _values(b, step_time)[measure] for a, b in pairs])


def _table(name: str, default_policy: str, extent: Extent, rows: Sequence[Fared], step_time: float) -> None:
    from rtsim.timing import units

    measure = _measure(rows)
    unit = "score" if measure == "score" else "reward/s"
    first = rows[0]
    lines = []
    for row in rows:
        found = _estimates(row, step_time)
        lines.append(
            [
                row.player,
                _schedule(row),
                _shown(found["score"]),
                _shown(found["reward_rate"]),
                _cell(found["length"], lambda x: f"{x:.4g}"),
                _cell(found["inaction"], render.percent),
                _cell(found["delay"], lambda x: f"{x:.3g}"),
                "" if row is first else _shown(_difference(row, first, measure, step_time), mark=True),
            ]
        )
    length = f"{extent.episodes} episodes" if extent.steps is None else f"{units.show(extent.steps * step_time)} each"
    seeds = len(first.played)
    title = f"{name}: greedy play, {seeds} seed{'s' * (seeds != 1)}, {length}, default policy {default_policy}"
    columns = [
        "player", "schedule", "score [95 %]", "reward/s [95 %]", "length (steps)", "inaction", "delay (steps)",
        f"{unit} less the first row's",
    ]  # fmt: skip
    render.table(title, columns, lines, left=2)
    render.line("score: mean reward of an episode; length: its environment steps; delay: age of what was acted on")
    few = "; one seed has none" if seeds == 1 else ""
    render.line(
        f"[95 %]: Student t interval over the seeds{few}; differences are paired by seed, n.s.: not significant"
    )
    render.line("noop, random: players that learn nothing and are never late")


def _schedule(row: Fared) -> str:
    if row.scenario is None:
        return "never late"
    workers = row.scenario.workers
    return f"{row.scenario.rule}, {row.scenario.inference_time}, {workers} worker{'s' * (workers != 1)}"


def _cell(found: Estimate | None, show: Callable[[float], str]) -> str:
    return "-" if found is None else show(found.mean)


def _shown(found: Estimate | None, mark: bool = False) -> str:
    if found is None:
        return "-"
    text = f"{found.mean:+.4g}" if mark else f"{found.mean:.4g}"
    if found.ci95 is None:
        return text
    low, high = found.ci95
    chance = " n.s." if mark and low <= 0 <= high else ""
    return f"{text} [{low:.4g}, {high:.4g}]{chance}"


def _warn(rows: Sequence[Fared], extent: Extent) -> None:
    """Say where scores are not quite those of episodes."""
    from rtsim.learning.scores import LONGEST_EVALUATION

    for row in rows:
        cut = sum(played.cut for played in row.played)
        if cut:
            render.note(
                f"rtsim: {cut} of {sum(len(played.scores) for played in row.played)} episodes of {row.player} were cut "
                f"after {LONGEST_EVALUATION} steps; their scores are those until then (--steps plays without cuts)"
            )
    some = any(played.scores for row in rows for played in row.played)
    if extent.steps is not None and some and _measure(rows) != "score":
        render.note("rtsim: not everybody ended an episode within --steps, so differences are those of reward/s")


def _as_json(arguments: Evaluate, name: str, extent: Extent, rows: Sequence[Fared], step_time: float) -> dict[str, Any]:
    """The same numbers, and those of every seed; null where there is no value. Times in s, delays in steps."""
    measure = _measure(rows)
    return {
        "schema": "rtsim.evaluate/1",
        "env": name,
        "default_policy": arguments.default_policy,
        "episodes": extent.episodes if extent.steps is None else None,
        "steps": extent.steps,
        "seeds": len(rows[0].played),
        "difference_of": measure,
        "rows": [
            {
                "player": row.player,
                "scenario": None if row.scenario is None else row.scenario.to_json(),
                **{key: _plain(found) for key, found in _estimates(row, step_time).items()},
                "difference": None if row is rows[0] else _plain(_difference(row, rows[0], measure, step_time)),
                "evaluations": [
                    {"seed": seed, "file": row.files[seed] if row.files else None, **played._asdict()}
                    for seed, played in enumerate(row.played)
                ],
            }
            for row in rows
        ],
    }


def _plain(found: Estimate | None) -> dict[str, Any] | None:
    return None if found is None else found._asdict()
