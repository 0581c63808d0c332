"""Trainings by name, in a folder of their own: begun, interrupted, gone on with."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch

from rtsim.envs.default_policies import NAMES
from rtsim.envs.worlds import environment, lent
from rtsim.errors import FileProblem, InvalidValue, RtsimError, UnknownName, read_text, write_atomically
from rtsim.learning import checkpoint as files
from rtsim.learning.curve import Row, overall
from rtsim.learning.demonstrations import expected_delay, learn_from_player
from rtsim.learning.episodes import Env
from rtsim.learning.scheduled import ScheduledTraining
from rtsim.learning.settings import Settings
from rtsim.learning.timed import evaluate_scheduled
from rtsim.learning.training import ROWS_PER_DECISION, prepare
from rtsim.machine import about
from rtsim.scenario import Scenario
from rtsim.timing.units import whole
from rtsim.version import __version__

SCHEMA = "rtsim.training/1"
CHECKPOINT, CURVE, SETTINGS = "checkpoint.pt", "curve.csv", "settings.json"
#: With very many threads torch does not say what is wrong: it crashes.
MOST_THREADS = 1024


@dataclass(frozen=True)
class Plan:
    """A training under a Schedule, for any seed.

    Attributes
    ----------
    env : str
        See :func:`rtsim.envs.worlds.environment`.
    scenario : Scenario
        Its seed and steps are those of the run.
    settings : Settings
        Of the learner.
    steps : int, >= 1
        Environment steps.
    row_steps : int, >= 1
        Environment steps per row of the curve.
    default_policy : {"noop", "repeat", "random"}
    evaluate_every : int, >= 0
        Environment steps; 0: never.
    evaluation_episodes : int, >= 1
    checkpoint_every : int, >= 1
        Environment steps.
    device : str
    threads : int, >= 1
        Of torch; with another number the numbers differ in their last digits.
    demonstrations : int, >= 0
        Transitions of the scripted player that are learnt from first; see :mod:`rtsim.learning.demonstrations`.
    largest : int, >= 0
        Steps that the replay memory was cut down for; 0: it was not.
    """

    env: str
    scenario: Scenario
    settings: Settings
    steps: int
    row_steps: int = 1_000
    default_policy: str = "noop"
    evaluate_every: int = 0
    evaluation_episodes: int = 5
    checkpoint_every: int = 10_000
    device: str = "cpu"
    threads: int = 1
    demonstrations: int = 0
    largest: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.env, str):
            raise InvalidValue(f"env {self.env!r:.40} must be the name of an environment")
        for name in ("steps", "row_steps", "evaluation_episodes", "checkpoint_every"):
            whole(getattr(self, name), name, 1, 2**63 - 1)
        whole(self.threads, "threads", 1, MOST_THREADS)
        if self.default_policy not in NAMES:
            raise UnknownName("default policy", self.default_policy, NAMES)
        for name in ("evaluate_every", "demonstrations", "largest"):
            whole(getattr(self, name), name, 0, 2**63 - 1)
        if self.largest and self.steps > self.largest:
            raise InvalidValue(
                f"{self.steps} steps are more than the {self.largest} that this training's replay memory was cut down "
                "for; begin anew with more steps, or with a capacity that fewer of them fill"
            )

    def fitted(self) -> Plan:
        """With a replay memory no larger than these steps can fill: nothing else changes by that."""
        most = max(ROWS_PER_DECISION * (self.steps + self.demonstrations) + 2, 2)
        if self.settings.capacity <= most:
            return self
        return replace(self, settings=self.settings.with_(capacity=most), largest=self.steps)

    def to_json(self) -> dict[str, Any]:
        """JSON values that :meth:`from_json` reads."""
        data = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**data, "scenario": self.scenario.to_json(), "settings": asdict(self.settings)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Plan:
        """A plan from :meth:`to_json`.

        Raises
        ------
        InvalidValue, UnknownName
        """
        try:
            scenario = Scenario.from_json(data["scenario"])
            return cls(**{**data, "scenario": scenario, "settings": Settings.from_json(json.dumps(data["settings"]))})
        except (KeyError, TypeError) as error:
            raise InvalidValue(f"not the plan of a training: {error}") from error


class Outcome(NamedTuple):
    """What came of a training.

    Attributes
    ----------
    rows : list of Row
        Of its curve, from the beginning.
    steps, seconds : int and float
        Environment steps and time, since the beginning.
    virtual_to_real : float
        Environment time that passed in one unit of real time, in this process; nan where nothing was left to do.
    nobodys_steps : int
        Environment steps before the first action of their episode: their rewards are nobody's.
    interrupted : bool
    rest : Row, optional
        Of the steps after the last row of the curve, which are too few for one, or more than were asked for.
    """

    rows: list[Row]
    steps: int
    seconds: float
    virtual_to_real: float
    nobodys_steps: int
    interrupted: bool
    rest: Row | None = None

    @property
    def overall(self) -> Row:
        """One row for all of its steps."""
        return overall(self.rows if self.rest is None else [*self.rows, self.rest])


def train(
    plan: Plan,
    seed: int,
    folder: str | Path | None = None,
    *,
    resume: bool = False,
    on_row: Callable[[Row], None] | None = None,
    on_step: Callable[[ScheduledTraining], bool | None] | None = None,
) -> Outcome:
    """Train with one seed.

    Parameters
    ----------
    plan : Plan
    seed : int, >= 0
        Of everything.
    folder : str or Path, optional
        Where checkpoint, replay memory, curve (``curve.csv``) and settings go; without it nothing is kept.
    resume : bool
        Go on from the folder's checkpoint, if there is one.
    on_row : callable, optional
        Called with every new row of the curve.
    on_step : callable, optional
        Called after every decision; where it returns True, the training stops, with a checkpoint.

    Returns
    -------
    Outcome

    Raises
    ------
    NoConvergence
        If learning diverges; the last checkpoint stays.
    FileProblem
        If something cannot be written or gone on from; what was there before stays.

    Examples
    --------
    >>> from rtsim.learning import PRESETS
    >>> scenario = Scenario("max_time", "30ms", workers=2, step_time="50fps")
    >>> plan = Plan("CartPole-v1", scenario, PRESETS["cartpole"], 200, row_steps=100).fitted()
    >>> found = train(plan, seed=0)
    >>> [(row.step, row.seconds) for row in found.rows]
    [(100, 2.0), (200, 4.0)]
    """
    with nullcontext() if folder is None else alone_in(folder):
        return _trained(plan, seed, folder, resume, on_row, on_step)


def _trained(
    plan: Plan,
    seed: int,
    folder: str | Path | None,
    resume: bool,
    on_row: Callable[[Row], None] | None,
    on_step: Callable[[ScheduledTraining], bool | None] | None,
) -> Outcome:
    threads = torch.get_num_threads()
    torch.set_num_threads(plan.threads)
    env = environment(plan.env)
    try:
        training, file = _begun(plan, env, seed, None if folder is None else Path(folder), resume)
        told, since, begun = len(training.rows), training.seconds, time.perf_counter()
        stopped = False

        def after_decision() -> bool:
            nonlocal told, stopped
            if len(training.rows) > told:
                for row in training.rows[told:]:
                    if on_row is not None and row.step <= plan.steps:
                        on_row(row)
                told = len(training.rows)
                if folder is not None:
                    write_curve(Path(folder) / CURVE, _wanted(training, plan))
            stopped = bool(on_step is not None and on_step(training))
            return stopped

        training.run(plan.steps, file, plan.checkpoint_every, on_step=after_decision)
        rows = _wanted(training, plan)
        if folder is not None and len(rows) >= _rows_in(Path(folder) / CURVE):  # more: it has been longer before
            write_curve(Path(folder) / CURVE, rows)
        passed, real = training.seconds - since, time.perf_counter() - begun
        return Outcome(
            rows,
            training.steps,
            training.seconds,
            passed / real if passed > 0 else math.nan,
            training.transitions.nobodys_steps,
            stopped and training.steps < plan.steps,
            # After rows beyond the steps asked for, which are left out, it would not follow those that are told.
            training.rest if len(rows) == len(training.rows) else None,
        )
    finally:
        env.close()
        torch.set_num_threads(threads)


def _wanted(training: ScheduledTraining, plan: Plan) -> list[Row]:
    # The decision under way at the last step is seen through, however long it takes.
    return [row for row in training.rows if row.step <= plan.steps]


def _rows_in(curve: Path) -> int:
    try:
        return len(read_curve(curve)) if curve.exists() else 0
    except FileProblem:
        return 0


def _begun(plan: Plan, env: Env, seed: int, folder: Path | None, resume: bool) -> tuple[ScheduledTraining, Path | None]:
    file = None if folder is None else folder / CHECKPOINT
    progress = None
    if resume and file is not None and file.exists():
        learner, progress = files.load(file, plan.device)
        if (learner.settings, learner.seed) != (plan.settings, seed):
            raise FileProblem(f"checkpoint {str(file)!r} is of other settings, or another seed, than this training")
    else:
        if folder is not None:
            begin(plan, seed, folder, resume)
        learner = prepare(env, plan.settings, seed, plan.device, file, plan.checkpoint_every)
        if plan.demonstrations:
            learn_from_player(env, learner, plan.demonstrations, expected_delay(plan.scenario))

    scenario = plan.scenario.with_(seed=seed, steps=1)

    def evaluation() -> float:
        with lent(env, lambda: environment(plan.env)) as other:
            scores = evaluate_scheduled(other, learner, scenario, plan.evaluation_episodes)
        return float(scores.mean())

    try:
        training = ScheduledTraining(
            env,
            learner,
            scenario,
            progress,
            row_steps=plan.row_steps,
            evaluation=evaluation,
            evaluate_every=plan.evaluate_every,
            default_policy=plan.default_policy,
        )
    except RtsimError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError) as error:
        if progress is None:
            raise
        detail = f"{type(error).__name__} {' '.join(str(error).split())[:100]}"
        raise FileProblem(f"checkpoint {str(file)!r} is damaged or of another version: {detail}") from error
    return training, file


def begin(plan: Plan, seed: int, folder: str | Path, again: bool = False) -> None:
    """Make the folder of a training, with its settings.

    Raises
    ------
    FileProblem
        If it cannot be made, or, unless ``again``, holds a training already.
    """
    folder = Path(folder)
    if not again and (folder / SETTINGS).exists():
        raise FileProblem(f"{str(folder)!r} holds a training already; go on with --resume, or give another folder")
    _make(folder)
    told = {
        "schema": SCHEMA,
        "seed": seed,
        "plan": plan.to_json(),
        "rtsim": __version__,
        "torch": torch.__version__,
        "machine": about(),
    }
    write_atomically(folder / SETTINGS, (json.dumps(told, indent=1, ensure_ascii=False) + "\n").encode())


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileProblem(f"cannot make folder {str(folder)!r}: {error.strerror}") from error


@contextmanager
def alone_in(folder: str | Path) -> Iterator[None]:
    """While this process alone trains in a folder, which is made if it is not there.

    The file system holds it until the process ends, however it ends; where there are no such locks, nothing is held.

    Raises
    ------
    FileProblem
        If another process does so already.
    """
    _make(Path(folder))
    if sys.platform == "win32":
        yield
        return
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FileProblem(f"another process trains in {str(folder)!r}; wait for it or stop it") from None
        except OSError:
            pass
        yield
    finally:
        os.close(handle)


def plan_in(folder: str | Path) -> Plan:
    """The plan of the training in a folder.

    Raises
    ------
    FileProblem
        If there is none, or it is damaged or something else.
    """
    path = Path(folder) / SETTINGS
    what = f"settings {str(path)!r}"
    try:
        data = json.loads(read_text(path, "settings", 10**6))
        if not isinstance(data, dict) or data.get("schema") != SCHEMA:
            raise FileProblem(f"{what} are not those of a training")
        return Plan.from_json(data["plan"])
    except FileProblem:
        raise
    except (ValueError, KeyError, RecursionError, RtsimError) as error:
        raise FileProblem(f"{what} are damaged or of another version: {' '.join(str(error).split())[:200]}") from error


def write_curve(path: Path, rows: list[Row]) -> Path:
    """A learning curve as CSV, a line per row, nothing where there is no value.

    Raises
    ------
    FileProblem
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Row._fields)
    for row in rows:
        writer.writerow("" if isinstance(value, float) and math.isnan(value) else repr(value) for value in row)
    return write_atomically(path, text.getvalue().encode())


def read_curve(path: str | Path) -> list[Row]:
    """The rows of :func:`write_curve`.

    Raises
    ------
    FileProblem
    """
    from rtsim.learning.curve import row_of

    lines = list(csv.reader(io.StringIO(read_text(path, "curve", 10**8))))
    try:
        if not lines or tuple(lines[0]) != Row._fields:
            raise ValueError("other columns than those of a learning curve")
        return [row_of([float(word) if word else math.nan for word in line]) for line in lines[1:]]
    except (ValueError, TypeError) as error:
        raise FileProblem(f"curve {str(path)!r} is damaged or something else: {error}") from error
