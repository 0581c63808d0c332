"""``rtsim train --live``: trainings in real processes, at the game's own rate."""

from __future__ import annotations

import dataclasses
import json
import math
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtsim.cli import played, render, trained
from rtsim.cli.arguments import Train
from rtsim.cli.train_plan import check_as_begun, folder_of, longer, plan_of, said, seeds_in
from rtsim.errors import FileProblem, InvalidValue

if TYPE_CHECKING:
    from rtsim.learning import Outcome, Plan, Row
    from rtsim.live import LivePlan
    from rtsim.live.training import LiveTraining

SCHEMA = "rtsim.live-training/1"
#: What the folder of a live training holds beside the files of every training.
LIVE, RECORDS = "live.json", "live-{}.npz"
#: Settings that say nothing to real processes: they must be at their defaults.
UNUSED = ("default_policy", "demonstrations", "eval_every", "device", "threads", "tensorboard", "video")


def run(arguments: Train) -> int:
    """Train, seed by seed, each in its own time, and tell what came of it."""
    _check(arguments)
    begun = _resumed(arguments) if arguments.resume else _begun(arguments)
    outcomes: dict[int, Outcome] = {}
    problems = []
    curves: dict[int, list[Row]] = {}
    plan: Plan | None = None
    for seed, (plan, live) in begun.items():
        folder = folder_of(arguments, seed)
        if live is None:
            render.note(f"rtsim: seed {seed} has had its {plan.steps} steps; more --steps make it longer")
            curves[seed] = _curve(folder)
            continue
        from rtsim.learning.runs import alone_in
        from rtsim.live.training import train

        with alone_in(folder), played.status_line(live) as show:
            found = train(live, row_steps=plan.row_steps, on_status=show)
        outcomes[seed] = _kept(plan, live, found, folder)
        curves[seed] = outcomes[seed].rows
        _notes(live, found, seed)
        problems += [f"rtsim: seed {seed}: {found.problem}"] if found.problem else []
        if found.interrupted:
            break
    if plan is None:
        return 0
    interrupted = any(found.interrupted for found in outcomes.values())
    if outcomes:
        players = trained.tell(plan, outcomes, interrupted, arguments.json)
    else:
        players = trained.players(plan) if arguments.plot else []
    if arguments.plot:
        trained.draw(plan, curves, players, arguments.plot)
    for problem in problems:
        render.note(problem)
    if interrupted:
        render.note(f"rtsim: interrupted; go on with rtsim train --live --out {shlex.quote(arguments.out)} --resume")
        return 130
    return 1 if problems else 0


def _check(arguments: Train) -> None:
    for name in said(arguments):
        if name in UNUSED:
            flag = f"--{name.replace('_', '-')}"
            raise InvalidValue(f"{flag} {getattr(arguments, name)} does not go with --live; leave it out")


def _begun(arguments: Train) -> dict[int, tuple[Plan, LivePlan | None]]:
    """New trainings, each with its folder."""
    from rtsim.learning import begin

    plan = plan_of(arguments).fitted()
    if plan.scenario.learning_time is None:
        raise InvalidValue("--live needs --learning-time: about what an update will take, e.g. 100ms")
    found: dict[int, tuple[Plan, LivePlan | None]] = {}
    for seed in arguments.seeds:
        found[seed] = plan, live_plan(plan, seed, folder_of(arguments, seed), arguments.inference)
    for seed, (_, live) in found.items():
        folder = folder_of(arguments, seed)
        begin(plan, seed, folder)
        assert live is not None
        _write_plan(folder, live)
    return found


def live_plan(plan: Plan, seed: int, folder: Path, inference: Any = "timed") -> LivePlan:
    """What the processes of a training are to do.

    Parameters
    ----------
    plan : Plan
        Its environment must be one of the emulated games.
    seed : int
    folder : Path
        Where the checkpoint goes.
    inference : {"timed", "real"}
    """
    from rtsim.envs import make
    from rtsim.learning.runs import CHECKPOINT
    from rtsim.live import LivePlan
    from rtsim.live.plan import LEARNER, LearningPlan

    with make(plan.env) as emulator:
        game = emulator.id
    if plan.scenario.dispatch_time is not None:
        raise InvalidValue("--dispatch-time does not go with --live: real processes have their own; leave it out")
    every = max(plan.checkpoint_every * plan.scenario.step_mean, 1.0)
    learning = LearningPlan(plan.settings.to_json(), str(folder / CHECKPOINT), every)
    scenario = plan.scenario.with_(seed=seed, steps=plan.steps)
    return LivePlan(scenario, game, LEARNER, inference, plan.settings.network, learning=learning)


def _write_plan(folder: Path, live: LivePlan) -> None:
    from rtsim.errors import write_atomically

    write_atomically(folder / LIVE, (json.dumps({"schema": SCHEMA, "plan": live.to_json()}, indent=1) + "\n").encode())


def _resumed(arguments: Train) -> dict[int, tuple[Plan, LivePlan | None]]:
    """Trainings that are gone on with: as they were begun, for the steps that are left."""
    from rtsim.learning import plan_in

    seeds = seeds_in(arguments.out, LIVE)
    if not seeds:
        raise FileProblem(f"{arguments.out!r} holds no live training to go on with; begin one without --resume")
    found: dict[int, tuple[Plan, LivePlan | None]] = {}
    for seed in seeds if arguments.seeds == (0,) else arguments.seeds:
        folder = folder_of(arguments, seed)
        begun = plan_in(folder)
        plan = longer(arguments, begun)
        check_as_begun(arguments, begun, plan, beside=("inference",))
        live = _rest(folder, plan.steps)
        if "inference" in said(arguments) and live is not None and live.inference != arguments.inference:
            raise InvalidValue(f"the training in {arguments.out!r} was begun with --inference {live.inference}")
        found[seed] = plan, live
    return found


def _rest(folder: Path, steps: int) -> LivePlan | None:
    """The plan of a training for what is left of its steps; None if nothing is."""
    from rtsim.errors import read_text
    from rtsim.live import LivePlan

    path = folder / LIVE
    try:
        data = json.loads(read_text(path, "plan", 10**6))
        if not isinstance(data, dict) or data.get("schema") != SCHEMA or not isinstance(data.get("plan"), dict):
            raise InvalidValue("something else")
        live = LivePlan.from_json(data["plan"])
        assert live.learning is not None
    except (ValueError, AssertionError, RecursionError) as error:
        raise FileProblem(f"plan {str(path)!r} is damaged or of another version: {str(error)[:200]}") from error
    checkpoint = folder / Path(live.learning.checkpoint).name  # the folder may have been moved
    resumes = checkpoint.exists()
    left = steps - (_steps_so_far(checkpoint) if resumes else 0)
    if left <= 0:
        return None
    learning = dataclasses.replace(live.learning, checkpoint=str(checkpoint), resume=resumes)
    return live.with_(scenario=live.scenario.with_(steps=left), learning=learning)


def _steps_so_far(checkpoint: Path) -> int:
    from rtsim.networks.files import read

    progress = read(checkpoint, "checkpoint").get("progress")
    steps = progress.get("live_steps") if isinstance(progress, dict) else None
    if not isinstance(steps, int):
        raise FileProblem(f"checkpoint {str(checkpoint)!r} is not that of a live training")
    return steps


def _kept(plan: Plan, live: LivePlan, found: LiveTraining, folder: Path) -> Outcome:
    """Write the record and the curve, after what was there before, into the folder."""
    from rtsim.learning.runs import CURVE, Outcome, write_curve

    index = 1
    while (folder / RECORDS.format(index)).exists():
        index += 1
    render.wrote(found.schedule.save(folder / RECORDS.format(index)))
    so_far = plan.steps - live.scenario.steps
    known = _curve(folder) if so_far else []
    before = [row for row in known if row.step <= so_far]
    seconds = so_far * live.scenario.step_mean
    rows = before + [row._replace(step=row.step + so_far, seconds=row.seconds + seconds) for row in found.rows]
    render.wrote(write_curve(folder / CURVE, rows))
    last = rows[-1]
    return Outcome(rows, last.step, last.seconds, math.nan, 0, found.interrupted)


def _curve(folder: Path) -> list[Row]:
    from rtsim.learning.runs import CURVE, read_curve

    return read_curve(folder / CURVE) if (folder / CURVE).exists() else []


def _notes(live: LivePlan, found: LiveTraining, seed: int) -> None:
    from rtsim.live.summary import summary

    for text in played.notes(live, found.schedule, summary(found.schedule)):
        render.note(f"rtsim: seed {seed}: {text}")
