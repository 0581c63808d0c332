"""What ``rtsim train`` tells of a training, and its film."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtsim.cli import render
from rtsim.cli.trained_tables import LAST, REFERENCE_STEPS, last_tenth, mean, parts, percent, tables
from rtsim.errors import InvalidValue

if TYPE_CHECKING:
    from rtsim.learning import Outcome, Plan, Reference, Row

#: Episodes shorter than so many mean delays hardly see an action that was chosen in them.
FEWEST_DELAYS = 2
#: Most points of a drawn curve: episodes' scores scatter more the fewer a point is the mean of.
DRAWN = 25


def tell(plan: Plan, outcomes: dict[int, Outcome], interrupted: bool, as_data: bool) -> list[Reference]:
    """Print what came of trainings, as tables or JSON, and on stderr if they could hardly learn anything.

    Returns
    -------
    list of Reference
        The players that were told beside them; none of a training that was interrupted.
    """
    references = [] if interrupted else players(plan)
    with render.printing():
        if as_data:
            render.dump(as_json(plan, outcomes, interrupted, references))
        else:
            tables(plan, outcomes, references)
    warning = too_late([last_tenth(found.rows) for found in outcomes.values()])
    if warning:
        render.note(f"rtsim: {warning}")
    return references


def players(plan: Plan) -> list[Reference]:
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
    length = mean([row.length for row in rows])
    delay = mean([row.delay for row in rows])
    if math.isnan(length) or length >= FEWEST_DELAYS * delay:  # delay nan: no action ever acted
        return ""
    late = "no action came in time" if math.isnan(delay) else f"actions are {delay:.3g} steps late"
    return (
        f"episodes last {length:.3g} steps and {late} (means of the last {LAST:.0%} of the training), so the agent "
        f"acts on few of its steps ({percent(mean([row.inaction for row in rows]))} inaction) and can hardly learn; "
        "give a shorter --inference-time, a lower --fps, or an environment with longer episodes"
    )


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
                "last_tenth": values(last_tenth(found.rows)),
                "curve": [values(row) for row in found.rows],
            }
            for seed, found in outcomes.items()
        ],
        "references": [values(each) for each in references],
    }


def _known(value: float | str) -> float | str | None:
    return None if isinstance(value, float) and math.isnan(value) else value


def draw(plan: Plan, curves: dict[int, list[Row]], references: list[Reference], path: str) -> None:
    """The curves, by seed, as a picture with its data beside it."""
    from rtsim.pictures import figure_of, plot_training, save_figure, style, training_rows

    if not any(curves.values()):
        render.note("rtsim: no row of the curve is complete yet, so there is nothing to draw; give fewer --row-steps")
        return
    drawn = {seed: parts(rows, DRAWN) for seed, rows in curves.items()}
    title = f"{plan.env}: {style.headline(plan.scenario.to_json(), plan.scenario.workers)}"
    axes = plot_training(drawn, references, rule=str(plan.scenario.rule), title=title)
    for written in save_figure(figure_of(axes), path, training_rows(drawn, references)):
        render.wrote(written)


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
