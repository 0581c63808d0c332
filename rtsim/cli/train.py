"""``rtsim train``."""

from __future__ import annotations

import dataclasses
import json
import math
import shlex
import signal
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtsim.cli import render, trained
from rtsim.cli.arguments import Train
from rtsim.cli.settings import check_writable, needs_unit, step_time_of
from rtsim.errors import FileProblem, InvalidValue, MissingExtra, RtsimWarning, UnknownName
from rtsim.timing.units import whole

if TYPE_CHECKING:
    from rtsim.learning import Outcome, Plan, Row, ScheduledTraining, Settings

DEFAULT_STEPS = 100_000
#: Rows of a curve, if not said otherwise.
ROWS = 200
#: Decisions between two looks at the clock.
LOOK = 16
#: Flags that say nothing of what is trained.
BESIDE = ("out", "steps", "seeds", "resume", "video", "tensorboard", "json", "config")


def run(arguments: Train) -> int:
    """Train, seed by seed, and tell what came of it."""
    _check(arguments)
    if arguments.live:
        from rtsim.cli import train_live

        return train_live.run(arguments)
    writer = _tensorboard() if arguments.tensorboard else None
    plan, seeds = _plan_and_seeds(arguments)
    outcomes: dict[int, Outcome] = {}
    with render.progress(counted=False) as update, _Stop() as stop, warnings.catch_warnings():
        warnings.simplefilter("default", RtsimWarning)
        warnings.showwarning = lambda message, *_, **__: render.note(f"rtsim: {message}")
        shown = _Progress(update, plan.steps, len(seeds), stop)
        for seed in seeds:
            if not stop.asked:
                outcomes[seed] = _one(plan, seed, arguments, shown, writer)
    interrupted = any(found.interrupted for found in outcomes.values()) or len(outcomes) < len(seeds)
    with render.printing():
        if arguments.json:
            render.dump(trained.as_json(plan, outcomes, interrupted))
        else:
            trained.tables(plan, outcomes)
    for seed in outcomes:
        render.note(f"weights and checkpoint of seed {seed}: {_folder(arguments, seed) / 'checkpoint.pt'}")
    if interrupted:
        render.note(f"rtsim: interrupted; go on with rtsim train --out {shlex.quote(arguments.out)} --resume")
        return 130
    if arguments.video:
        trained.film(plan, seeds[0], _folder(arguments, seeds[0]) / "checkpoint.pt", arguments.video)
    return 0


def _check(arguments: Train) -> None:
    from importlib.util import find_spec

    for package in ("torch", "gymnasium"):
        if find_spec(package) is None:
            raise MissingExtra("training", package, "learning")
    if not arguments.out:
        raise InvalidValue("name a folder for the training, e.g. rtsim train --env blocks --out runs/blocks ...")
    if len(set(arguments.seeds)) != len(arguments.seeds) or not arguments.seeds:
        raise InvalidValue(f"--seeds {' '.join(map(str, arguments.seeds))} must be whole numbers >= 0, each once")
    for seed in arguments.seeds:
        whole(seed, "--seeds", 0, 2**63 - 1)
    if arguments.device not in ("cpu", "cuda"):
        raise UnknownName("device", arguments.device, ("cpu", "cuda"))
    if arguments.device == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise InvalidValue("--device cuda: torch finds no GPU here; give --device cpu")
    check_writable(arguments.video, inputs=(arguments.config,))
    if arguments.video:
        from rtsim.live.video import check_video

        check_video(arguments.video)


def _folder(arguments: Train, seed: int) -> Path:
    return Path(arguments.out) / f"seed-{seed}"


def _plan_and_seeds(arguments: Train) -> tuple[Plan, tuple[int, ...]]:
    """What to train: as the flags say, or going on, as it was begun."""
    from rtsim.learning import begin, plan_in

    if not arguments.resume:
        plan = plan_of(arguments).fitted()
        for seed in arguments.seeds:
            if (_folder(arguments, seed) / "settings.json").exists():
                raise FileProblem(
                    f"{str(_folder(arguments, seed))!r} holds a training already; go on with --resume, or give another "
                    "--out"
                )
        _check_world(plan, arguments.video)
        for seed in arguments.seeds:  # all at once, so that --resume knows of those whose turn has not come
            begin(plan, seed, _folder(arguments, seed))
        return plan, arguments.seeds
    found = sorted(
        int(path.parent.name.removeprefix("seed-"))
        for path in Path(arguments.out).glob("seed-*/settings.json")
        if path.parent.name.removeprefix("seed-").isdecimal()
    )
    if not found:
        raise FileProblem(f"{arguments.out!r} holds no training to go on with; begin one without --resume")
    begun = plan_in(_folder(arguments, found[0]))
    plan = begun if arguments.steps is None else dataclasses.replace(begun, steps=arguments.steps)
    said = [name for name in _said(arguments) if name not in BESIDE]
    if said and not (arguments.env and _same(arguments, begun, plan)):
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in said)
        raise InvalidValue(f"the training in {arguments.out!r} was begun with other settings; leave out {flags}")
    seeds = tuple(found) if arguments.seeds == (0,) else arguments.seeds
    if plan.steps > begun.steps:  # so that --resume alone knows of it
        for seed in seeds:
            begin(plan, seed, _folder(arguments, seed), again=True)
    return plan, seeds


def _same(arguments: Train, begun: Plan, plan: Plan) -> bool:
    """Whether flags given with --resume say what the training was begun with."""
    given = plan_of(dataclasses.replace(arguments, steps=begun.largest or plan.steps)).fitted()
    rows = plan.row_steps if arguments.row_steps is None else arguments.row_steps
    return dataclasses.replace(given, steps=plan.steps, row_steps=rows) == plan


def _check_world(plan: Plan, video: str) -> None:
    """What is wrong with the environment or the network is said before any folder is made."""
    from rtsim.envs.worlds import environment
    from rtsim.learning import prepare
    from rtsim.learning.demonstrations import scripted
    from rtsim.learning.timed import check_rule

    check_rule(plan.scenario)
    env = environment(plan.env)
    try:
        prepare(env, plan.settings.with_(capacity=2), 0)
        if plan.demonstrations:
            scripted(env)
            if plan.demonstrations >= plan.settings.capacity:
                raise InvalidValue(
                    f"--demonstrations {plan.demonstrations} must be fewer than the replay memory holds, "
                    f"{plan.settings.capacity}; give --set capacity=... too"
                )
    finally:
        env.close()
    if video:
        trained.check_pictures(plan.env)


def _said(arguments: Train) -> list[str]:
    """Names of the settings that are not at their defaults."""
    return [field.name for field in dataclasses.fields(Train) if getattr(arguments, field.name) != field.default]


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
    from rtsim.learning import PRESETS, Settings

    name = arguments.preset
    if name == "auto":
        kind = arguments.env.partition("(")[0].partition(":")[0].strip()
        own = {
            "blocks": "game-boy",
            "walk": "game-boy",
            "retro": "game-boy",
            "atari": "atari",
            "minatar": "minatar",
            "mdp": "mdp",
        }
        name = own.get(kind, "cartpole")
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


def _one(
    plan: Plan, seed: int, arguments: Train, shown: _Progress, writer: Callable[[Path, int], Any] | None
) -> Outcome:
    from rtsim.learning import train

    folder = _folder(arguments, seed)
    log: Any = None

    def on_row(row: Row) -> None:
        nonlocal log
        if writer is not None:
            if log is None:
                log = writer(folder, row.step)
            for name, value in row._asdict().items():
                if name != "step" and not math.isnan(value):
                    log.add_scalar(f"train/{name}", value, row.step)

    shown.next(seed)
    if plan.demonstrations and not (folder / "checkpoint.pt").exists():
        render.note(f"rtsim: seed {seed} learns from {plan.demonstrations} actions of the scripted player first")
    try:
        return train(plan, seed, folder, resume=True, on_row=on_row, on_step=shown)
    finally:
        if log is not None:
            log.close()


def _tensorboard() -> Callable[[Path, int], Any]:
    from importlib.util import find_spec

    if find_spec("tensorboard") is None:
        raise MissingExtra("--tensorboard", "tensorboard", "tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    def writer(folder: Path, step: int) -> Any:
        return SummaryWriter(str(folder), purge_step=step)

    return writer


class _Stop:
    """Ctrl-C asks for the end: the training stops where it can be gone on from. A second one is not so patient."""

    def __init__(self) -> None:
        self.asked = False

    def __enter__(self) -> _Stop:
        self._before: dict[int, Any] = {}
        if threading.current_thread() is threading.main_thread():
            for name in ("SIGINT", "SIGTERM", "SIGHUP"):
                number = getattr(signal, name, None)
                if number is not None and signal.getsignal(number) not in (signal.SIG_IGN, signal.SIG_DFL):
                    self._before[number] = signal.signal(number, self._ask)
        return self

    def _ask(self, number: int, frame: object) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        render.note("rtsim: stopping with a checkpoint (Ctrl-C again: without)")

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


class _Progress:
    """How many environment steps a second there are, and how long it will take; also looks out for Ctrl-C."""

    def __init__(self, update: Callable[[str, float, float], None], steps: int, seeds: int, stop: _Stop) -> None:
        self.told, self.steps, self.seeds, self.stop = render.Told(update), steps, seeds, stop
        self._seed = self._index = self._looks = 0
        self._rate: tuple[float, int] | None = None

    def next(self, seed: int) -> None:
        """The next seed begins."""
        self._seed, self._index, self._rate = seed, self._index + 1, None

    def __call__(self, training: ScheduledTraining) -> bool:
        """After a decision; True: stop here."""
        self._looks += 1
        if self._looks % LOOK == 0:
            now = time.monotonic()
            if self._rate is None:
                self._rate = now, training.steps
            begun, first = self._rate
            rate = (training.steps - first) / (now - begun) if now > begun else 0.0
            share = (self._index - 1 + min(training.steps / self.steps, 1.0)) / self.seeds
            what = f"seed {self._seed}: step {training.steps} of {self.steps}, {rate:.0f} steps/s"
            self.told(what, share)
        return self.stop.asked
