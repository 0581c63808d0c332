"""One cell: a training in virtual time, or a reference that only plays, as rows of a table."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from rtsim.errors import InvalidValue
from rtsim.machine import about
from rtsim.scenario import Scenario
from rtsim.studies.design import METHODS, REFERENCES, Cell, Panel, find
from rtsim.studies.tables import Row
from rtsim.timing import units
from rtsim.version import __version__

if TYPE_CHECKING:
    import gymnasium

    from rtsim.learning import Settings
    from rtsim.learning.curve import Row as CurveRow

#: Rows of a training's curve, from which those of the table are made; the last fifth is ``late_score``.
ROWS = 20
#: Steps per second of environments that do not say: MinAtar's frames are counted as an Atari's.
FPS = 60
Tell = Callable[[int], None]
#: What has been counted until some step.
Counts = dict[str, Any]


def run(cell: Cell, on_step: Tell = lambda step: None) -> list[Row]:
    """Train, or play, and tell what came of it.

    Parameters
    ----------
    cell : Cell
    on_step : callable(step), optional
        Is told how far it has come, environment steps.

    Raises
    ------
    RtsimError
    """
    from rtsim.envs.worlds import environment

    figure = find(cell.figure)
    env = environment(cell.panel)
    try:
        play = _reference if cell.method in REFERENCES else _training
        counts = play(cell, figure.panel(cell.panel), env, on_step)
    finally:
        env.close()
    chosen = [counts[round((k + 1) * len(counts) / figure.points) - 1] for k in range(figure.points)]
    late = counts[len(counts) - 1 - math.ceil(len(counts) / 5)]
    return [_row(cell, found, late if found is counts[-1] else None, figure.panel(cell.panel)) for found in chosen]


def _row(cell: Cell, found: Counts, before: Counts | None, panel: Panel) -> Row:
    def score(a: Counts, b: Counts | None) -> float | None:
        reward, episodes, steps, ended = (
            a[name] - (b[name] if b else 0) for name in ("reward", "episodes", "step", "ended")
        )
        if panel.endless:
            return float(reward / steps)
        return float(ended / episodes) if episodes else None

    own = {name: getattr(cell, name) for name in cell.__dataclass_fields__}
    names = ("step", "seconds", "actions", "default_steps", "updates", "reward", "episodes", "staleness")
    return Row(
        **own,
        **{name: found[name] for name in names},
        score=score(found, None),
        late_score=None if before is None else score(found, before),
        rtsim=__version__,
        machine=str(about()["cpu"]),
    )


def _fps(env: gymnasium.Env[Any, Any]) -> float:
    return float(env.metadata.get("render_fps") or FPS)


def _reference(cell: Cell, panel: Panel, env: gymnasium.Env[Any, Any], on_step: Tell) -> list[Counts]:
    """Nothing, or a random action at every step, without any delay."""
    from rtsim.learning.references import played

    now: Counts = dict.fromkeys(("step", "actions", "default_steps", "updates", "episodes"), 0)
    now |= {"reward": 0.0, "ended": 0.0, "staleness": None}
    found, fps = [], _fps(env)
    score = 0.0
    size = max(cell.budget_steps // ROWS, 1)
    for step, (acted, reward, over) in zip(
        range(1, cell.budget_steps + 1), played(env, cell.method, cell.seed), strict=False
    ):
        now["step"] = step
        now["actions"] += int(acted)
        now["default_steps"] += int(cell.method == "noop")
        now["reward"] += reward
        score += reward
        if over:
            now["episodes"] += 1
            now["ended"] += score
            score = 0.0
        if step % size == 0:
            found.append({**now, "seconds": step / fps})
            on_step(step)
    return found


def _training(cell: Cell, panel: Panel, env: gymnasium.Env[Any, Any], on_step: Tell) -> list[Counts]:
    from rtsim.learning import prepare
    from rtsim.learning.demonstrations import learn_from_player
    from rtsim.learning.scheduled import ScheduledTraining

    chosen = settings(panel.preset, cell.budget_steps, cell.decisions)
    learner = prepare(env, chosen, cell.seed)
    if panel.demonstrations:
        # A trial has as many as its share of the paper's steps.
        learn_from_player(env, learner, min(panel.demonstrations, max(cell.budget_steps // 6, 1)), cell.delay_steps)
    size = max(cell.budget_steps // ROWS, 1)
    training = ScheduledTraining(env, learner, scenario(cell, _fps(env), chosen.batch), row_steps=size)
    training.run(cell.budget_steps, on_step=lambda: on_step(min(training.steps, cell.budget_steps)))
    return _summed(training.rows, size)[: cell.budget_steps // size]


def _summed(rows: list[CurveRow], size: int) -> list[Counts]:
    """What has been counted until the end of each row."""
    now: Counts = {"actions": 0.0, "default_steps": 0.0, "updates": 0, "reward": 0.0, "episodes": 0, "ended": 0.0}
    stale = 0.0
    found = []
    for row in rows:
        now["actions"] += row.non_noop * size
        now["default_steps"] += row.inaction * size
        now["updates"] += row.updates
        now["reward"] += row.reward
        now["episodes"] += row.episodes
        now["ended"] += row.score * row.episodes if row.episodes else 0.0
        stale += row.gradient_staleness * row.updates if row.updates else 0.0
        whole = {name: round(now[name]) for name in ("actions", "default_steps")}
        staleness = stale / now["updates"] if now["updates"] else None
        found.append({**now, **whole, "step": row.step, "seconds": row.seconds, "staleness": staleness})
    return found


def scenario(cell: Cell, fps: float, batch: int) -> Scenario:
    """The times of a cell: inferences half a step shorter than the delay, so that they are of that delay exactly.

    >>> found = scenario(Cell(4, "walk", "max_time", 15, 10**8, 70, 0, 1000), 50.0, 16)
    >>> found.workers, round(found.inference_mean, 6), found.learner_count, str(found.learning_time)
    (70, 1.39, 33, '3.3s')
    """
    if cell.method not in METHODS:
        raise InvalidValue(f"method {cell.method!r} must be one of {', '.join(METHODS)}")
    method, delay = METHODS[cell.method], cell.delay_steps
    step = f"{units.exact(fps)}fps"
    if not method.rule:
        return Scenario("sequential", 0.0, step_time=step, batch=batch, seed=cell.seed)
    timing: dict[str, Any] = {}
    if find(cell.figure).timed:
        timing["learning_time"] = cell.learning_steps / fps
        if method.learners != "sequential":
            timing |= {"learners": cell.learners, "learner_rule": method.learners}
    return Scenario(
        method.rule_for(delay), (delay - 0.5) / fps, delay if method.workers else 1, step, batch=batch, seed=cell.seed,
        **timing,
    )  # fmt: skip


def settings(preset: str, budget: int, decisions: int) -> Settings:
    """The learner of a panel. Where it is trained far less than the papers', ε is annealed within a quarter of it.

    Parameters
    ----------
    preset : str
    budget, decisions : int
        Environment steps of the training, and the decisions among them, which ε and the first update wait for.

    Raises
    ------
    InvalidValue
    """
    from rtsim.learning import PRESETS

    base, changes = _LEARNERS[preset]
    capacity = max(min(budget + 20_000, PRESETS[base].capacity), 2)
    anneal = min(PRESETS[base].exploration_steps, decisions // 4)
    early = min(PRESETS[base].learning_starts, max(decisions // 20, 1))
    return PRESETS[base].with_(
        **{"capacity": capacity, "exploration_steps": anneal, "learning_starts": early, **changes}
    )


#: Preset, and what differs here. Riemer et al. 2025 learn one small network at every delay, too (App. A, Tetris), an
#: update per action in Tetris and one for every four steps in Atari; theirs has k = 1, ours, for one core, k = 1/16.
_LEARNERS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "mdp": ("mdp", {"steps_per_update": 4}),
    "minatar-short": (
        "minatar",
        {"optimiser": "adam", "adam_epsilon": 1e-4, "learning_rate": 5e-4, "steps_per_update": 4, "target_every": 250},
    ),
    "minatar-rainbow": (
        "rainbow",
        {
            "network": "minatar", "learning_rate": 5e-4, "steps_per_update": 4,
            "target_every": 250, "low": 0.0, "high": 20.0, "beta_steps": 40_000,
        },
    ),
    "game-boy-small": (
        "game-boy",
        {"network": "resnet15-k0.0625", "exploration_start": 0.05, "target_every": 1_000, "steps_per_update": 4},
    ),
    "atari-small": ("atari", {"network": "resnet15-k0.0625", "target_every": 1_000, "learning_rate": 5e-4}),
    "atari-rainbow-small": ("atari-rainbow", {"network": "resnet15-k0.0625", "target_every": 1_000}),
}  # fmt: skip
