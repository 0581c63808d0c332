"""From the arguments of ``rtsim train`` to the plan of a training, and what a folder holds of one that was begun."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtsim.cli.arguments import Train
from rtsim.cli.settings import needs_unit, step_time_of
from rtsim.errors import InvalidValue, UnknownName

if TYPE_CHECKING:
    from rtsim.learning import Plan, Settings
    from rtsim.scenario import Scenario

DEFAULT_STEPS = 100_000
#: Rows of a curve, if not said otherwise.
ROWS = 200
#: Flags that say nothing of what is trained.
BESIDE = ("out", "steps", "seeds", "resume", "live", "plot", "video", "tensorboard", "json", "config")
#: Presets by what stands before the colon, or the parenthesis, of an environment's name; all others': ``cartpole``.
PRESET_OF = {
    "blocks": "game-boy",
    "walk": "game-boy",
    "retro": "game-boy",
    "atari": "atari",
    "minatar": "minatar",
    "mdp": "mdp",
}


def folder_of(arguments: Train, seed: int) -> Path:
    """Where the training with one seed lies."""
    return Path(arguments.out) / f"seed-{seed}"


def seeds_in(out: str, file: str) -> tuple[int, ...]:
    """Seeds, rising, of the trainings in a folder that have a file of this name."""
    names = [path.parent.name.removeprefix("seed-") for path in Path(out).glob(f"seed-*/{file}")]
    return tuple(sorted(int(name) for name in names if name.isdecimal()))


def said(arguments: Train) -> list[str]:
    """Names of the settings that are not at their defaults."""
    return [field.name for field in dataclasses.fields(Train) if getattr(arguments, field.name) != field.default]


def longer(arguments: Train, begun: Plan) -> Plan:
    """The training of a folder, with the steps asked for.

    Raises
    ------
    InvalidValue
        If it is of another environment, or cannot be made so long.
    """
    if arguments.env and arguments.env != begun.env:
        raise InvalidValue(
            f"{arguments.out!r} holds a training of {begun.env}, not of {arguments.env}; leave out --env to go on with "
            "it, or begin one in another --out without --resume"
        )
    return begun if arguments.steps is None else dataclasses.replace(begun, steps=arguments.steps)


def trained_under(checkpoint: str) -> Scenario | None:
    """The scenario of the training that a checkpoint lies in the folder of; None if there is none beside it.

    Imports no torch, which a player of timed inference need not have.
    """
    from rtsim.errors import RtsimError, read_text
    from rtsim.scenario import Scenario

    path = Path(checkpoint).parent / "settings.json"
    try:
        if not path.exists():
            return None
        return Scenario.from_json(json.loads(read_text(path, "settings", 10**6))["plan"]["scenario"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError, RtsimError):
        return None


def check_as_begun(arguments: Train, begun: Plan, plan: Plan, beside: Sequence[str] = ()) -> None:
    """Refuse flags beside ``--resume`` that say something else than what the training was begun with.

    Parameters
    ----------
    arguments : Train
    begun, plan : Plan
        As it was begun, and as it goes on: with other steps, perhaps.
    beside : sequence of str
        Settings that are checked elsewhere.

    Raises
    ------
    InvalidValue
    """
    names = [name for name in said(arguments) if name not in (*BESIDE, *beside, "env")]
    timed = arguments.inference_time or arguments.profile  # without it there is nothing that could be the same
    if names and not (arguments.env and timed and _same(arguments, begun, plan)):
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in names)
        raise InvalidValue(f"the training in {arguments.out!r} was begun with other settings; leave out {flags}")


def _same(arguments: Train, begun: Plan, plan: Plan) -> bool:
    """Whether flags given with --resume say what the training was begun with."""
    given = plan_of(dataclasses.replace(arguments, steps=begun.largest or plan.steps)).fitted()
    rows = plan.row_steps if arguments.row_steps is None else arguments.row_steps
    return dataclasses.replace(given, steps=plan.steps, row_steps=rows) == plan


def plan_of(arguments: Train) -> Plan:
    """The plan these arguments describe, without regard to --resume."""
    from rtsim.envs.faults import fps_of
    from rtsim.envs.worlds import environment
    from rtsim.learning import Plan
    from rtsim.scenario import Scenario

    if not arguments.env:
        raise InvalidValue("give --env: blocks, walk, atari:Boxing, minatar:breakout, or a Gymnasium environment")
    for flag in ("inference_time", "learning_time", "dispatch_time"):
        needs_unit(flag, getattr(arguments, flag))
    env = environment(arguments.env)
    try:
        fps = None if arguments.fps else fps_of(arguments.env, env.metadata)
    finally:
        env.close()
    if arguments.fps:
        step_time = step_time_of(arguments.fps)
    elif fps is not None:
        step_time = f"{fps!r}fps"
    else:
        raise InvalidValue(f"{arguments.env} does not say how many steps a second it has; give --fps, e.g. --fps 60")
    inference, learning, network = _times(arguments)
    settings = settings_of(arguments, network)
    scenario = Scenario(
        arguments.alg,
        inference,
        workers=1 if arguments.workers is None else arguments.workers,
        step_time=step_time,
        steps=1,
        mailbox=arguments.mailbox,
        dispatch_time=arguments.dispatch_time or None,
        learning_time=learning,
        learner_rule=arguments.learner_rule,
        learners=arguments.learners,
        learning_starts=settings.learning_starts,
        batch=settings.batch,
    )
    if arguments.workers is None:
        scenario = scenario.with_(workers=scenario.least_workers)
    if learning is None and (arguments.learners > 1 or arguments.learner_rule != "auto"):
        raise InvalidValue("--learners and --learner-rule go with --learning-time: without one updates take no time")
    steps = DEFAULT_STEPS if arguments.steps is None else arguments.steps
    return Plan(
        arguments.env,
        scenario,
        settings,
        steps,
        row_steps=max(steps // ROWS, 1) if arguments.row_steps is None else arguments.row_steps,
        default_policy=arguments.default_policy,
        evaluate_every=arguments.eval_every,
        evaluation_episodes=arguments.eval_episodes,
        checkpoint_every=arguments.checkpoint_every,
        device=arguments.device,
        threads=arguments.threads,
        demonstrations=arguments.demonstrations,
    )


def _times(arguments: Train) -> tuple[str, str | None, str]:
    """The laws of inference and learning, and the network of the profile."""
    from rtsim.cli.play import profile_of

    inference, learning, network = arguments.inference_time, arguments.learning_time, ""
    if arguments.profile:
        if inference:
            raise InvalidValue("--profile and --inference-time exclude each other; give one")
        inference, network = profile_of(arguments.profile)
        learning = learning or inference
    if not inference:
        raise InvalidValue(
            'give --inference-time, e.g. "lognorm(mean=84ms, cv=0.02)", or --profile, e.g. --profile epyc#resnet15-k7'
        )
    return inference, None if learning in ("", "none") else learning, network


def settings_of(arguments: Train, network: str) -> Settings:
    """The hyperparameters: of the preset, with the profile's network, with what --set says."""
    from rtsim.envs.registry import kind_of
    from rtsim.learning import PRESETS, Settings

    name = arguments.preset
    if name == "auto":
        name = PRESET_OF.get(kind_of(arguments.env), "cartpole")
    if name not in PRESETS:
        raise UnknownName("preset", name, [*PRESETS, "auto"])
    settings = PRESETS[name]
    if network:
        settings = settings.with_(network=network)
    types = {field.name: type(getattr(settings, field.name)) for field in dataclasses.fields(Settings)}
    changes: dict[str, Any] = {}
    for text in arguments.set:
        key, equals, value = text.partition("=")
        key = key.strip().replace("-", "_")
        if key not in types:
            raise UnknownName("hyperparameter", key, types)
        if not equals or not value.strip():
            raise InvalidValue(f"--set {text} must read NAME=VALUE, e.g. learning_rate=0.0003")
        changes[key] = _value(key, value.strip(), types[key])
    return settings.with_(**changes)


def _value(name: str, text: str, kind: type) -> Any:
    if kind is str:
        return text
    try:
        number = json.loads(text)
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise ValueError
        if kind is float:
            return float(number)
        return int(number) if float(number).is_integer() else number
    except (ValueError, OverflowError):
        raise InvalidValue(f"--set {name}={text[:40]} must be a number") from None
