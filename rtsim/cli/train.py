"""``rtsim train``."""

from __future__ import annotations

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
from rtsim.cli.settings import check_writable
from rtsim.cli.train_plan import check_as_begun, folder_of, longer, plan_of, seeds_in
from rtsim.errors import FileProblem, InvalidValue, MissingExtra, RtsimWarning, UnknownName
from rtsim.timing.units import whole

if TYPE_CHECKING:
    from rtsim.learning import Outcome, Plan, Row, ScheduledTraining

#: Decisions between two looks at the clock.
LOOK = 16


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
    players = trained.tell(plan, outcomes, interrupted, arguments.json)
    if arguments.plot:
        trained.draw(plan, {seed: found.rows for seed, found in outcomes.items()}, players, arguments.plot)
    for seed in outcomes:
        render.note(f"weights and checkpoint of seed {seed}: {folder_of(arguments, seed) / 'checkpoint.pt'}")
    if interrupted:
        render.note(f"rtsim: interrupted; go on with rtsim train --out {shlex.quote(arguments.out)} --resume")
        return 130
    if arguments.video:
        trained.film(plan, seeds[0], folder_of(arguments, seeds[0]) / "checkpoint.pt", arguments.video)
    return 0


def _check(arguments: Train) -> None:
    from importlib.util import find_spec

    for package in ("torch", "gymnasium"):
        if find_spec(package) is None:
            raise MissingExtra("training", package, "learning")
    if arguments.inference != "timed" and not arguments.live:
        raise InvalidValue(
            f"--inference {arguments.inference} goes with --live; in virtual time every inference is timed"
        )
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
    check_writable(arguments.video, pictures=(arguments.plot,), inputs=(arguments.config,))
    if arguments.video:
        from rtsim.live.video import check_video

        check_video(arguments.video)


def _plan_and_seeds(arguments: Train) -> tuple[Plan, tuple[int, ...]]:
    """What to train: as the flags say, or going on, as it was begun."""
    from rtsim.learning import begin, plan_in
    from rtsim.learning.runs import SETTINGS

    if not arguments.resume:
        plan = plan_of(arguments).fitted()
        for seed in arguments.seeds:
            folder = folder_of(arguments, seed)
            if (folder / SETTINGS).exists():
                raise FileProblem(
                    f"{str(folder)!r} holds a training already; go on with --resume, or give another --out"
                )
        _check_world(plan, arguments.video)
        for seed in arguments.seeds:  # all at once, so that --resume knows of those whose turn has not come
            begin(plan, seed, folder_of(arguments, seed))
        return plan, arguments.seeds
    found = seeds_in(arguments.out, SETTINGS)
    if not found:
        raise FileProblem(f"{arguments.out!r} holds no training to go on with; begin one without --resume")
    begun = plan_in(folder_of(arguments, found[0]))
    plan = longer(arguments, begun)
    check_as_begun(arguments, begun, plan)
    seeds = tuple(found) if arguments.seeds == (0,) else arguments.seeds
    if plan.steps > begun.steps:  # so that --resume alone knows of it
        for seed in seeds:
            begin(plan, seed, folder_of(arguments, seed), again=True)
    return plan, seeds


def _check_world(plan: Plan, video: str) -> None:
    """What is wrong with the environment or the network is said before any folder is made."""
    from rtsim.envs.default_policies import noop_known, noop_of
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
        noop = None if noop_known(env) else noop_of(env)
    finally:
        env.close()
    if video:
        trained.check_pictures(plan.env)
    if noop is not None:
        render.note(
            f"rtsim: {plan.env} does not say which of its actions does nothing; its first one, {noop}, is taken for "
            "noop (by the default policy, the noop player and the column non-noop), whatever it does"
        )


def _one(
    plan: Plan, seed: int, arguments: Train, shown: _Progress, writer: Callable[[Path, int], Any] | None
) -> Outcome:
    from rtsim.learning import train

    folder = folder_of(arguments, seed)
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
